"""What must hold of the hub's own records: legal changes only, every record in one state, and money conserved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal

from hub.model.effect import EFFECT_CHANGES, EffectState
from hub.model.run import RUN_CHANGES, RunState
from hub.proof.evidence import Evidence, Run
from hub.proof.invariants import Finding, Invariant

#: States of an effect whose outcome nobody knows.
OPEN = frozenset({EffectState.INTENT, EffectState.UNKNOWN})

#: States of effects that a run in such a state has none of. Who ended a run may have settled what a person knew of.
_NOT_BESIDE = {
    RunState.SUCCEEDED: OPEN | {EffectState.PARKED},
    RunState.COMPENSATED: OPEN | {EffectState.PARKED},
    RunState.CANCELLED: OPEN,
}

#: States of a run that has no open exception: all went well, or a person has seen to it.
_WITHOUT_CASES = frozenset({RunState.SUCCEEDED, RunState.CANCELLED})


def fenced(evidence: Evidence) -> Iterator[Finding]:
    """A worker that had lost its run recorded nothing more of it."""
    for trespass in evidence.hub.trespasses:
        yield Finding(
            invariant=Invariant.FENCED,
            family=trespass.family,
            detail=f"epoch {trespass.epoch} recorded something of run {trespass.run_id}, which was at {trespass.stood}",
        )


def legal_changes(evidence: Evidence) -> Iterator[Finding]:
    """Runs and effects went only from one state to another that may follow it."""
    for change in evidence.hub.changes:
        if change.kind == "run":
            before = None if change.before is None else RunState(change.before)
            legal = before is None or RunState(change.after) in RUN_CHANGES[before]
        else:
            past = None if change.before is None else EffectState(change.before)
            legal = past is None or EffectState(change.after) in EFFECT_CHANGES[past]
        if not legal:
            yield Finding(
                invariant=Invariant.LEGAL_CHANGES,
                family=change.family,
                detail=f"{change.kind} {change.id} went from {change.before} to {change.after}",
            )


def one_state(evidence: Evidence) -> Iterator[Finding]:
    """Every accepted record has one run that stands for it, and all that hangs on that run agrees with its state."""
    standing: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in evidence.hub.runs:
        if run.replaced_by is None:
            standing[run.event_id, run.flow].append(run)
    cases = defaultdict(list)
    for case in evidence.hub.cases:
        cases[case.run_id].append(case)
    effects = defaultdict(list)
    for effect in evidence.hub.effects:
        effects[effect.run_id].append(effect)
    for runs in standing.values():
        if len(runs) > 1:
            yield _two_states(runs[0], f"{len(runs)} runs of {runs[0].flow} stand for {runs[0].business_key}")
    for run in evidence.hub.runs:
        stands = run.replaced_by is None
        if stands and run.state == RunState.PARKED and not cases[run.id]:
            yield _two_states(run, f"run {run.id} is parked, and no exception tells why")
        if any(case.open for case in cases[run.id]) and (run.state in _WITHOUT_CASES or not stands):
            yield _two_states(run, f"run {run.id} has an open exception and is {run.state}")
        if run.state == RunState.WAITING and run.wait_kind is None:
            yield _two_states(run, f"run {run.id} waits for nothing")
        for effect in effects[run.id]:
            if effect.state in _NOT_BESIDE.get(RunState(run.state), ()):
                yield _two_states(run, f"run {run.id} is {run.state}, its {effect.operation} is {effect.state}")


def _two_states(run: Run, detail: str) -> Finding:
    return Finding(invariant=Invariant.ONE_STATE, family=run.family, detail=detail)


@dataclass(slots=True)
class Sums:
    """Where the money of one currency is, in minor units: what was accepted is posted, or it is in one other place."""

    accepted: Decimal = Decimal(0)
    posted: Decimal = Decimal(0)
    rejected: Decimal = Decimal(0)
    waiting: Decimal = Decimal(0)
    unknown: Decimal = Decimal(0)

    @property
    def difference(self) -> Decimal:
        """Give what is nowhere, or twice."""
        return self.accepted - self.posted - self.rejected - self.waiting - self.unknown


def sums(evidence: Evidence, *, without: Collection[str | None] = ()) -> dict[str, Sums]:
    """Give per currency where the money of all accepted records is; `without` are families that are counted apart.

    What a book holds is posted, whatever the hub says of it. What no book holds is where the hub's records say.
    """
    found: dict[str, Sums] = defaultdict(Sums)
    there: dict[tuple[str, str, str], Decimal] = {}
    for document in evidence.documents:
        if document.money is not None and document.currency is not None and document.family not in without:
            found[document.currency].posted += document.money
            there[document.called] = document.money
    states = _states(evidence)
    for asked in evidence.wanted:
        if asked.money is None or asked.currency is None or asked.family in without:
            continue
        subject = asked.name if asked.subject is None else asked.subject
        if asked.called not in there and subject not in states:
            # It never reached the hub: nothing was accepted.
            continue
        row = found[asked.currency]
        row.accepted += asked.money
        if asked.called not in there:
            place = states[subject]
            if place is not None:
                setattr(row, place, getattr(row, place) + asked.money)
    return dict(sorted(found.items()))


def sums_conserved(evidence: Evidence, *, without: Collection[str | None]) -> Iterator[Finding]:
    """Per currency, what was accepted is the sum of what is posted, rejected, waiting and unknown, exactly."""
    for currency, row in sums(evidence, without=without).items():
        if row.difference:
            yield Finding(
                invariant=Invariant.SUMS_CONSERVED,
                family=None,
                detail=f"{currency}: of {row.accepted} accepted, {row.posted} are posted, {row.rejected} rejected, "
                f"{row.waiting} waiting, {row.unknown} unknown: {row.difference} are nowhere",
            )


def _states(evidence: Evidence) -> dict[str, str | None]:
    """Give, by the subject of events, where the money is by the runs that stand for them; None: it should be posted."""
    unknown = {effect.run_id for effect in evidence.hub.effects if effect.state in OPEN | {EffectState.PARKED}}
    subjects = {event.id: event.subject for event in evidence.hub.events}
    found: dict[str, str | None] = {}
    for event in evidence.hub.events:
        if found.get(event.subject) is None:
            found[event.subject] = None if event.state == "accepted" else "rejected"
    for run in evidence.hub.runs:
        subject = subjects.get(run.event_id, "")
        if run.replaced_by is None and found.get(subject) is None:
            found[subject] = _place(run, unknown=run.id in unknown)
    return found


def _place(run: Run, *, unknown: bool) -> str | None:
    match RunState(run.state):
        case RunState.SUCCEEDED:
            return None
        case RunState.CANCELLED | RunState.COMPENSATED:
            return "rejected"
        case _:
            return "unknown" if unknown else "waiting"
