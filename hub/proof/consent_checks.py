"""What must hold of people's word: no write without agreement or against a hold, and what is taken back is so whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from hub.model.run import RunState
from hub.proof.evidence import Approval, Consent, Document, Effect, Evidence, Hold, Run
from hub.proof.invariants import Finding, Invariant


def approved_before(evidence: Evidence) -> Iterator[Finding]:
    """Whatever needs agreement was agreed to before it was intended, by enough others, who still could agree then."""
    approvals = {approval.id: approval for approval in evidence.hub.approvals}
    for effect in evidence.hub.effects:
        consent = evidence.consents.get(effect.business_key)
        if consent is None or effect.operation.endswith(("reverse", "refund")):
            continue
        if consent.operations and effect.operation not in consent.operations:
            continue
        named = [approvals[name] for name in effect.approvals if name in approvals]
        for moment in effect.intended[-1:]:
            agreed = _agreed(named, consent, moment, evidence)
            if len(agreed) < consent.people:
                yield Finding(
                    invariant=Invariant.APPROVED_BEFORE,
                    family=effect.family,
                    detail=f"{effect.operation} of {effect.business_key} was intended with the agreement of "
                    f"{len(agreed)} people, must be {consent.people}",
                )


def _agreed(named: list[Approval], consent: Consent, moment: float, evidence: Evidence) -> set[str]:
    found: set[str] = set()
    for approval in named:
        if consent.record_hashes and approval.record_hash not in consent.record_hashes:
            continue
        began = {vote.actor for vote in approval.votes if vote.verdict == "began"}
        found.update(
            vote.actor
            for vote in approval.votes
            if vote.verdict == "agreed"
            and vote.at <= moment
            and vote.actor not in began
            and not consent.began.get(vote.actor, moment) < moment
            and not any(begins < moment < ends for begins, ends in evidence.away.get(vote.actor, ()))
        )
    return found


def held_stands_still(evidence: Evidence) -> Iterator[Finding]:
    """While something was held, nothing new of it was intended."""
    runs = {run.id: run for run in evidence.hub.runs}
    for effect in evidence.hub.effects:
        for hold in evidence.hub.holds:
            if not _is_over(hold, effect, runs.get(effect.run_id)):
                continue
            for moment in effect.intended:
                if hold.begins < moment < hold.ends:
                    yield Finding(
                        invariant=Invariant.HELD_STANDS_STILL,
                        family=effect.family,
                        detail=f"{effect.operation} of {effect.business_key} was intended at {moment:.3f}, while "
                        f"{hold.kind} {hold.name} {hold.key} was held".replace("  ", " "),
                    )


def _is_over(hold: Hold, effect: Effect, run: Run | None) -> bool:
    match hold.kind:
        case "connection":
            return effect.connection == hold.name
        case "run":
            return effect.run_id == hold.name
        case "flow":
            return run is not None and run.flow == hold.name
        case _:
            return run is not None and (run.flow, run.key) == (hold.name, hold.key)


def taken_back(evidence: Evidence) -> Iterator[Finding]:
    """What was taken back was taken back whole, each thing once, and what came last first."""
    reversals: dict[tuple[str, str], list[Document]] = defaultdict(list)
    for document in evidence.documents:
        if document.reverses is not None:
            reversals[document.book, document.reverses].append(document)
    undone = {run.family for run in evidence.hub.runs if run.state == RunState.COMPENSATED and run.replaced_by is None}
    families: dict[str, list[Document]] = defaultdict(list)
    for document in evidence.documents:
        if document.stage is not None and document.family in undone:
            families[document.family].append(document)
    for family, documents in sorted(families.items()):
        standing = [document for document in documents if not reversals[document.book, document.id]]
        # What stands while something else of its run was taken back was forgotten.
        if standing and len(standing) < len(documents):
            told = ", ".join(f"{document.kind} {document.name}" for document in standing)
            yield Finding(invariant=Invariant.TAKEN_BACK, family=family, detail=f"{told} was not taken back")
        made = [(document.stage or 0, reversals[document.book, document.id]) for document in documents]
        places = sorted((each[0].place or 0, stage) for stage, each in made if each)
        stages = [stage for _, stage in places]
        if stages != sorted(stages, reverse=True):
            yield Finding(
                invariant=Invariant.TAKEN_BACK,
                family=family,
                detail=f"steps {stages} were taken back in this order, must be the last one first",
            )
