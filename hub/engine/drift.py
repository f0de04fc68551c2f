"""Drift: what comes in, sent or read, is compared with the schema it claims, and a policy says what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog

from hub.engine.masking import Scrub, masked, shown
from hub.errors import FixData, HubError
from hub.model.ambient import Ambient
from hub.policy.decision import decide
from hub.policy.rules import Decision, RulePolicy
from hub.schemas.drift import UNREGISTERED, CompiledDrift, DriftKind, Finding, missing
from hub.schemas.versions import split
from hub.sdk import exact_json
from hub.store import decisions
from hub.store.drift import Sighting
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)

#: Why an event is held back about which no policy could decide.
UNDECIDED = "drift-not-decided"
#: As many claimed names are remembered; what payloads claim is not ours to bound.
_MOST_NAMES = 1000
_LONGEST = 200


class Action(StrEnum):
    """What becomes of a payload that drifted, the mildest first."""

    ACCEPT = "accept"
    QUARANTINE = "quarantine"
    REJECT = "reject"


_SEVERITY = {action: number for number, action in enumerate(Action)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which a payload differs from its schema, ready to be kept and shown."""

    kind: str
    path: str
    detail: str
    example: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a payload came with: the connection, the event (as expressions see it, and our id), and the run's step.

    `run_id` and `path` are None for what an event brought itself. `scrub` takes out the secrets that the hub knows.
    `expected` are paths of fields that the connection's settings say are there.
    """

    connection: str
    event: Mapping[str, Any]
    event_id: str
    scrub: Scrub
    run_id: str | None = None
    path: str | None = None
    expected: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is done with a payload, and the reason if it is kept back.

    `flags` are the findings as an event carries them, `sightings` as they are counted, `decisions` the rows to keep.
    """

    action: Action = Action.ACCEPT
    reason: str | None = None
    flags: Sequence[Mapping[str, str]] = ()
    sightings: Sequence[Sighting] = ()
    decisions: Sequence[Mapping[str, Any]] = ()


_AS_IT_SHOULD_BE = Judged()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """What a payload says it is: the comparison with the registered version that it is read as."""

    compare: CompiledDrift
    version: str
    read_as: str
    registered: bool


class Drift:
    """Compares the payloads of one environment; each claim is looked up once for a bundle."""

    def __init__(self, *, environment: str, ambient: Ambient) -> None:
        """Begin without any bundle."""
        self._environment = environment
        self._ambient = ambient
        self._bundle = ""
        self._claims: dict[str, _Claim | None] = {}

    def judge(self, bundle: Bundle, schema: str | None, record: Any, seen: Seen) -> Judged:
        """Compare a record with the schema it claims, and decide; a defect holds it back, so that it is not lost."""
        if schema is None:
            return _AS_IT_SHOULD_BE
        try:
            found = self._differences(bundle, schema, record, seen)
            if not found:
                return _AS_IT_SHOULD_BE
            return self._decided(bundle, seen, schema, found)
        except Exception as error:  # a defect here must neither lose the record nor let it pass unseen
            log.exception("drift.defect", event_id=seen.event_id, schema=schema[:_LONGEST])
            return Judged(action=Action.QUARANTINE, reason=error.code if isinstance(error, HubError) else UNDECIDED)

    def _differences(self, bundle: Bundle, schema: str, record: Any, seen: Seen) -> list[Difference]:
        """Give how a record differs from the schema it claims; nothing when no version of it is registered."""
        claim = self._claim(bundle, schema)
        if claim is None:
            return []
        found = claim.compare(record)
        if seen.expected:
            named = {finding.path for finding in found}
            found += [finding for finding in missing(record, seen.expected) if finding.path not in named]
        if not found and claim.registered:
            return []
        differences = [_difference(finding, seen.scrub) for finding in found]
        if not claim.registered:
            told = Difference(kind=UNREGISTERED, path="", detail=f"read as {claim.read_as}", example=claim.version)
            differences.insert(0, told)
        return differences

    def _claim(self, bundle: Bundle, name: str) -> _Claim | None:
        if bundle.id != self._bundle:
            self._bundle, self._claims = bundle.id, {}
        if name not in self._claims:
            if len(self._claims) >= _MOST_NAMES:
                self._claims.clear()
            self._claims[name] = self._resolved(bundle, name)
        return self._claims[name]

    def _resolved(self, bundle: Bundle, name: str) -> _Claim | None:
        resolved = bundle.registry.resolve(name)
        if resolved is None:
            return None
        return _Claim(
            compare=bundle.registry.drift(resolved.name),
            version=split(name)[1][:_LONGEST],
            read_as=split(resolved.name)[1],
            registered=resolved.registered,
        )

    def _decided(self, bundle: Bundle, seen: Seen, schema: str, found: Sequence[Difference]) -> Judged:
        policy = bundle.guard("drift", connection=seen.connection, environment=self._environment)
        scope = self._scope(bundle, seen, schema)
        flags: list[Mapping[str, str]] = []
        sightings: list[Sighting] = []
        made: dict[bytes, Decision] = {}
        worst, reason = Action.ACCEPT, None
        for difference in found:
            action, why = Action.ACCEPT, difference.kind
            if policy is not None:
                action, why, decision = _asked(policy, scope, difference)
                if decision is not None:
                    # What a policy says from the same inputs is kept once.
                    made.setdefault(exact_json.canonical([decision.rules, decision.inputs]), decision)
            if _SEVERITY[action] > _SEVERITY[worst]:
                worst, reason = action, why
            flags.append(
                {
                    "kind": difference.kind,
                    "path": difference.path,
                    "detail": difference.detail,
                    "action": action.value,
                }
            )
            sightings.append(
                Sighting(
                    environment=self._environment,
                    connection=seen.connection,
                    schema=schema[:_LONGEST],
                    kind=difference.kind,
                    path=difference.path,
                    detail=difference.detail,
                    example=difference.example,
                    event_id=seen.event_id,
                    action=action.value,
                )
            )
        now = self._ambient.now()
        rows = [
            decisions.row(
                decision,
                id=self._ambient.new_id("decision"),
                environment=self._environment,
                bundle=bundle.id,
                at=now,
                run_id=seen.run_id,
                # What is decided on a run's step is not decided on its event.
                event_id=None if seen.run_id else seen.event_id,
                connection=seen.connection,
                path=seen.path,
            )
            for decision in made.values()
        ]
        return Judged(action=worst, reason=reason, flags=flags, sightings=sightings, decisions=rows)

    def _scope(self, bundle: Bundle, seen: Seen, schema: str) -> dict[str, Any]:
        """Give what a policy decides in, but the finding itself."""
        file, claim = bundle.connections.get(seen.connection), self._claims[schema]
        return {
            "connection": seen.connection,
            "connector": seen.connection if file is None else file.connector,
            "environment": self._environment,
            "schema": schema,
            "version": split(schema)[1],
            "registered": claim is not None and claim.registered,
            "event": seen.event,
        }


class AnswerDrifted(FixData):
    """What a connection gave is not as its schema says, and its drift policy keeps it from the run."""

    code = "answer-drifted"


def refusal(judged: Judged, *, connection: str, operation: str) -> AnswerDrifted:
    """Give the error of a read whose answer is kept back, with the finding that weighs most."""
    worst = next((flag for flag in judged.flags if flag["action"] == judged.action), None)
    facts = {} if worst is None else {"kind": worst["kind"], "path": worst["path"]}
    if worst is not None and worst["kind"] != DriftKind.NEW_VALUE:
        # The detail of a new value is that value, and cases are seen by who may not see payloads.
        facts["what"] = worst["detail"]
    return AnswerDrifted(
        "What the connection gave is not as its schema says, and its drift policy keeps it back. Register the new "
        "shape or change the policy, publish, and replay the run.",
        connection=connection,
        operation=operation,
        reason=judged.reason,
        **facts,
    )


def _difference(finding: Finding, scrub: Scrub) -> Difference:
    example = None if finding.kind is DriftKind.MISSING_FIELD else shown(finding.value, scrub)
    # The detail of a new value is that value.
    detail = example if finding.kind is DriftKind.NEW_VALUE and example is not None else masked(finding.detail)
    return Difference(
        kind=finding.kind.value,
        path=masked(scrub(finding.path))[:_LONGEST],
        detail=detail[:_LONGEST],
        example=example,
    )


def _asked(policy: RulePolicy, scope: Mapping[str, Any], difference: Difference) -> tuple[Action, str, Decision | None]:
    """Ask a policy about one difference: what to do, the reason if the event is kept back, and the decision.

    Where no rule matches, nothing is asked for: the event is accepted. A policy that cannot decide holds it back.
    """
    finding = {"kind": difference.kind, "path": difference.path, "detail": difference.detail}
    try:
        decision = decide(policy, {**scope, "finding": finding})
        return Action(decision.output.get("action", Action.ACCEPT.value)), difference.kind, decision
    except HubError as error:
        log.warning("drift.undecided", policy=policy.name, reason=str(error))
        return Action.QUARANTINE, UNDECIDED, None
