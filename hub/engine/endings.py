"""How a run ends for now: it succeeds, waits for something, parks for a person, or has taken back what it did."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hub.audit.kinds import AuditKind
from hub.connections.refusals import pause_refused
from hub.engine.compensation import TakenBack
from hub.engine.journal import Journal, code
from hub.engine.lanes import Stopped
from hub.engine.parts import Parts
from hub.engine.values import Scope, lenient, money_at_stake
from hub.engine.verdicts import Waiting
from hub.errors import HubError
from hub.model.ambient import to_micros
from hub.model.flow import Flow
from hub.model.run import RunState
from hub.sdk import exact_json
from hub.store import cases, connections, stopping
from hub.store.cases import Failure
from hub.store.claims import ClaimedRun
from hub.store.history import Awaited
from hub.workspace.bundle import Bundle

_ITEM = re.compile(r"\[[^\]]*\]")
#: Who gives orders, by how their names begin; what the hub does by itself is told to people by a case.
_PEOPLE = ("person:", "token:", "local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What people are told of a run that ends for now: where it stopped, and all that is known of it by then."""

    bundle: Bundle | None = None
    flow: Flow | None = None
    path: str = "start"
    scope: Scope | None = None


class Endings:
    """The ends of one run; each makes everything of the run durable together with its new state."""

    def __init__(self, parts: Parts, claimed: ClaimedRun, journal: Journal) -> None:
        """Take the collaborators."""
        self._parts = parts
        self._run = claimed.run
        self._journal = journal

    async def succeed(self, told: Told, output: Any) -> None:
        """Record that the run has reached its end, with what a flow that called it gets."""
        self._journal.note(AuditKind.RUN_SUCCEEDED, ending=True)
        change: dict[str, Any] = {"state": RunState.SUCCEEDED.value, "blocking": False}
        if output is not None:
            change["output"] = exact_json.dumps(output).decode()
        # Only a run that has waited can have gone on beside what had failed.
        well = self._run["epoch"] > 1 and cases.is_open(self._parts.database.looking, self._run["id"])
        await self._journal.end({**change, "finished_at": self._now(), **about(told)}, well=well)

    async def wait(self, told: Told, waiting: Waiting, failed: Sequence[tuple[Told, Stopped]] = ()) -> None:
        """Record what the run waits for; people are told at once of what has `failed` meanwhile."""
        moment = to_micros(waiting.until) if waiting.until is not None else None
        case = None
        if failed:
            where, stopped = failed[0]
            detail = f"{stopped.error.detail} Other steps of the run still wait; it stops when they have ended."
            case = self._case(where, stopped.verdict.reason, detail, stopped.error)
            case = replace(case, failing=frozenset(each.path for each, _ in failed), stopped=False)
        await self._journal.end(
            {
                "state": RunState.WAITING.value,
                "wait_kind": waiting.kind.value,
                "wait_until": moment,
                "claimable_at": moment,
                "reason": waiting.reason,
                **about(told),
            },
            case=case,
            waits=waiting.waits,
            seen=self._now(),
        )
        # Only what is durable can be let go again.
        topics = {each.topic for each in waiting.waits}
        for limiter in {account.limiter for account in self._parts.accounts.values()}:
            if limiter.topic in topics:
                limiter.waits()

    async def park(self, told: Told, reason: str, error: HubError, *, beside: Sequence[str] = ()) -> None:
        """Record that the run has stopped for a person, with the case that tells why.

        `beside` are the paths of what has failed besides; people may have been told of that before.
        """
        facts, case = about(told), self._case(told, reason, error.detail, error)
        case = replace(case, failing=case.failing | set(beside))
        self._journal.note(AuditKind.RUN_PARKED, facts={"reason": code(reason)}, ending=True)
        await self._journal.end({"state": RunState.PARKED.value, "reason": reason, **facts}, case=case)

    async def cancelled(self, told: Told) -> None:
        """Record that the run has ended because a person said so."""
        self._journal.note(AuditKind.RUN_CANCELLED, ending=True)
        await self._journal.end(
            {
                "state": RunState.CANCELLED.value,
                "blocking": False,
                "reason": "cancelled",
                "finished_at": self._now(),
                **about(told),
            }
        )

    async def compensated(self, told: Told, reason: str, taken: TakenBack) -> None:
        """Record that the run has taken back what it did; people who did not order that are told by a case.

        Of a run that goes with the one that called it, that one tells.
        """
        order = stopping.order_of(self._parts.database.looking, self._run["id"])
        case = None
        if order.get("caller") is None and not str(order.get("actor", "")).startswith(_PEOPLE):
            case = self._case(told, reason, f"The run failed ({reason}). {_of(taken)}", None)
        self._journal.note(
            AuditKind.RUN_COMPENSATED,
            facts={"reason": code(reason), "taken-back": len(taken.done), "left": len(taken.left) + len(taken.kept)},
            ending=True,
        )
        await self._journal.end(
            {
                "state": RunState.COMPENSATED.value,
                "blocking": False,
                "reason": reason,
                "finished_at": self._now(),
                **about(told),
            },
            case=case,
        )

    async def pause(self, name: str, error: HubError) -> Awaited:
        """Pause a connection with one alert, unless that was done; gives what its runs wait for."""
        environment = self._run["environment"]
        await pause_refused(
            self._parts.accounts,
            name,
            error,
            committer=self._parts.committer,
            environment=environment,
            actor=self._parts.worker,
        )
        return Awaited(
            topic=connections.topic(environment=environment, name=name),
            come=lambda inside: connections.is_active(inside, environment=environment, name=name),
        )

    def _now(self) -> int:
        return to_micros(self._parts.ambient.now())

    def _case(self, told: Told, reason: str, detail: str, error: HubError | None) -> Failure:
        case_id = self._parts.ambient.new_id("case")
        # Items of a loop that fail alike are one kind of trouble.
        place = _ITEM.sub("[]", told.path)
        alike = "|".join((self._run["flow"], place, reason, error.code if error is not None else reason))
        facts = about(told)
        runbook = None
        if told.bundle is not None and told.flow is not None:
            runbook = told.bundle.runbook_for(told.flow.name, reason)
        row = {
            "id": case_id,
            "environment": self._run["environment"],
            "entity": facts.get("entity"),
            "flow": self._run["flow"],
            "run_id": self._run["id"],
            "path": told.path,
            "business_key": self._run["business_key"],
            "reason": reason,
            "fingerprint": hashlib.sha256(alike.encode()).hexdigest()[:16],
            "detail": detail,
            "facts": exact_json.dumps(_texts(error)).decode(),
            "runbook": runbook,
            "owner": None,
            "money_minor": facts.get("money_minor"),
            "money_currency": facts.get("money_currency"),
            "state": "open",
            "opened_at": self._now(),
        }
        return Failure(row=row, failing=frozenset([told.path]), code=code(reason))


def _of(taken: TakenBack) -> str:
    back = f"Taken back: {', '.join(taken.done)}." if taken.done else ""
    return f"{back}{taken.stays()}".strip() or "There was nothing to take back."


def about(told: Told) -> dict[str, Any]:
    """Give whose books a run concerns and the money at stake, as far as that is known by now."""
    if told.flow is None or told.scope is None:
        return {"entity": None, "money_minor": None, "money_currency": None}
    entity = lenient(told.flow.entity, told.scope)
    return {"entity": str(entity) if entity is not None else None, **money_at_stake(told.flow, told.scope)}


def scope_at(stopped: Stopped) -> Scope | None:
    """Give what is known where a lane has stopped."""
    place = stopped.place
    if place is None:
        return None
    # What a step gave before its check failed tells most about the run, although no other step may build on it.
    return place.lane.scope if place.output is None else {**place.lane.scope, place.step.id: place.output.value}


def path_of(stopped: Stopped) -> str:
    """Give where a lane has stopped."""
    return stopped.place.path if stopped.place is not None else "start"


def _texts(error: HubError | None) -> dict[str, str]:
    return {} if error is None else {name: str(fact) for name, fact in error.facts.items()}
