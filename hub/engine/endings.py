"""How a run ends for now: it succeeds, waits for something, pauses its connection, or parks for a person."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from hub.audit.kinds import AuditKind
from hub.engine import verdicts
from hub.engine.journal import Journal, code
from hub.engine.parts import Parts
from hub.engine.steps import Output, Steps
from hub.engine.values import Scope, lenient
from hub.errors import HubError
from hub.model.ambient import of_micros, to_micros
from hub.model.flow import Flow, Step
from hub.model.run import RunState, StepState, WaitKind
from hub.policy.retry import RetryPolicy
from hub.sdk import exact_json
from hub.store import connections
from hub.store.committer import Work
from hub.store.runs import ClaimedRun
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Place:
    """Where a run is: its flow, the present step, what is known so far, and what the step gave before it failed."""

    started: datetime
    bundle: Bundle | None = None
    flow: Flow | None = None
    step: Step | None = None
    ordinal: int = 0
    scope: Scope = field(default_factory=dict)
    output: Output | None = None

    @property
    def path(self) -> str:
        """Give the present step's path."""
        return self.step.id if self.step is not None else "start"

    @property
    def kind(self) -> str:
        """Give what the present step does, in the word of the file."""
        return type(self.step.action).__name__.lower() if self.step is not None else "start"

    def retry_policy(self) -> RetryPolicy:
        """Give how the present step is tried again."""
        if self.bundle is None or self.step is None:
            return RetryPolicy()
        return self.bundle.retry(self.step.retry)

    def runbook(self, reason: str) -> str | None:
        """Give the path of the page that tells a person what to do."""
        if self.bundle is None or self.flow is None:
            return None
        return self.bundle.runbook_for(self.flow.name, reason)


class Endings:
    """The ends of one run; each makes everything of the run durable together with its new state."""

    def __init__(self, parts: Parts, claimed: ClaimedRun, journal: Journal, steps: Steps) -> None:
        """Take the collaborators."""
        self._parts = parts
        self._run = claimed.run
        self._claimed = claimed
        self._journal = journal
        self._steps = steps

    async def succeed(self, place: Place) -> None:
        """Record that the run has reached its end."""
        self._journal.note(AuditKind.RUN_SUCCEEDED)
        await self._journal.end(
            {
                "state": RunState.SUCCEEDED.value,
                "blocking": False,
                "finished_at": to_micros(self._parts.ambient.now()),
                **_about(place),
            }
        )

    async def stop(self, place: Place, error: HubError) -> None:
        """Record what follows from an error at this place."""
        verdict = verdicts.decide(
            error,
            step=place.step,
            connection=self._steps.connection,
            policy=place.retry_policy(),
            attempt=max(self._steps.effects.attempts(place.path), 1),
            draw=self._parts.ambient.random.random(),
        )
        self._fail_step(place, error, waiting=not isinstance(verdict, verdicts.Park))
        now, about = self._parts.ambient.now(), _about(place)
        match verdict:
            case verdicts.Retry(after=after):
                await self._wait(WaitKind.TIMER, now + timedelta(seconds=after), error.code, about)
            case verdicts.Await(on=on, until=until):
                await self._wait(WaitKind.EVENT, until, error.code, about, on=on)
            case verdicts.Hold(on=on, until=until, reason=held):
                await self._wait(WaitKind.HOLD, until, held, about, on=on)
            case verdicts.Pause(connection=name, already=already):
                if not already:
                    await self._pause(name, error)
                topic = connections.topic(environment=self._run["environment"], name=name)
                await self._wait(WaitKind.CONNECTION, None, error.code, about, on=topic, paused=name)
            case verdicts.Park(reason=reason):
                await self._park(place, reason, error, about)

    async def _wait(
        self,
        kind: WaitKind,
        until: datetime | None,
        reason: str,
        about: Mapping[str, Any],
        *,
        on: str | None = None,
        paused: str | None = None,
    ) -> None:
        moment = to_micros(until) if until is not None else None
        await self._journal.end(
            {
                "state": RunState.WAITING.value,
                "wait_kind": kind.value,
                "wait_on": on,
                "wait_until": moment,
                "claimable_at": moment,
                "reason": reason,
                **about,
            },
            awaited=self._steps.awaited,
            paused=paused,
        )

    async def _pause(self, name: str, error: HubError) -> None:
        account = self._parts.accounts.get(name)
        if account is None or account.paused is not None:
            return
        account.paused = str(error)
        log.error("connection.paused", connection=name, reason=str(error))
        environment, worker = self._run["environment"], self._parts.worker
        await self._parts.committer.commit(
            Work(
                lambda transaction: connections.set_state(
                    transaction,
                    environment=environment,
                    name=name,
                    state=connections.PAUSED,
                    reason=str(error),
                    actor=worker,
                )
            )
        )

    async def _park(self, place: Place, reason: str, error: HubError, about: Mapping[str, Any]) -> None:
        now = to_micros(self._parts.ambient.now())
        case_id = self._parts.ambient.new_id("case")
        alike = "|".join((self._run["flow"], place.path, reason, error.code))
        fingerprint = hashlib.sha256(alike.encode()).hexdigest()[:16]
        self._journal.note(AuditKind.RUN_PARKED, facts={"reason": code(reason)})
        self._journal.note(AuditKind.CASE_OPENED, subjects={"case": case_id}, facts={"reason": code(reason)})
        await self._journal.end(
            {"state": RunState.PARKED.value, "reason": reason, **about},
            case={
                "id": case_id,
                "environment": self._run["environment"],
                "entity": about.get("entity"),
                "flow": self._run["flow"],
                "run_id": self._run["id"],
                "path": place.path,
                "business_key": self._run["business_key"],
                "reason": reason,
                "fingerprint": fingerprint,
                "detail": error.detail,
                "facts": exact_json.dumps(_texts(error)).decode(),
                "runbook": place.runbook(reason),
                "owner": None,
                "money_minor": about.get("money_minor"),
                "money_currency": about.get("money_currency"),
                "state": "open",
                "opened_at": now,
            },
        )

    def _fail_step(self, place: Place, error: HubError, *, waiting: bool) -> None:
        if place.step is None:
            return
        before, output = self._claimed.steps.get(place.path), place.output
        self._journal.step(
            path=place.path,
            ordinal=place.ordinal,
            kind=place.kind,
            state=StepState.WAITING if waiting else StepState.FAILED,
            # A step that waits keeps the time it began, because its deadline counts from there.
            started=of_micros(before["started_at"]) if before is not None else place.started,
            finished=self._parts.ambient.now(),
            input=output.input if output is not None else None,
            output=output.value if output is not None else None,
            answer=output.answer if output is not None else None,
            schema=output.schema if output is not None else None,
            error={"code": error.code, "detail": error.detail, "facts": _texts(error)},
        )


def _about(place: Place) -> dict[str, Any]:
    about: dict[str, Any] = {"entity": None, "money_minor": None, "money_currency": None}
    if place.flow is None:
        return about
    # What a step gave before its check failed tells most about the run, although no other step may build on it.
    scope = place.scope if place.output is None else {**place.scope, place.path: place.output.value}
    if place.flow.entity is not None:
        entity = lenient(place.flow.entity, scope)
        about["entity"] = str(entity) if entity is not None else None
    money = lenient(place.flow.money, scope)
    if isinstance(money, Mapping):
        minor, currency = money.get("minor"), money.get("currency")
        # Beyond what a column holds it is no amount; the run is recorded without it rather than not at all.
        if type(minor) is int and abs(minor) < 2**63 and isinstance(currency, str):
            about["money_minor"], about["money_currency"] = minor, currency
    return about


def _texts(error: HubError) -> dict[str, str]:
    return {name: str(fact) for name, fact in error.facts.items()}
