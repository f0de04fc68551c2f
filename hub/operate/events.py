"""Orders on events that were kept: a person lets them start what they should have started."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hub.connections.accounts import Account
from hub.engine.routing import Failure, Routing, route, stored_scope
from hub.errors import Conflict, FixData, HubError, NotFound, UnreadableWebhook
from hub.model.ambient import Ambient
from hub.model.event import MIXED_KINDS, EventFilter, EventState, InboundEvent, Via
from hub.sdk import exact_json
from hub.store import events
from hub.store.committer import Committer
from hub.store.database import Database
from hub.store.events import Acceptance
from hub.store.releases import Release
from hub.store.retention import assert_kept
from hub.workspace.bundle import Bundle

#: How many events one order looks at; `next` of its answer goes on.
MOST_AT_ONCE = 200
#: The type of what is kept as bytes, because nobody could read it.
UNREADABLE = "unreadable"

Take = Callable[[str, Sequence[InboundEvent], Via, str], Awaitable[list[Acceptance]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What became of one event: its state now, the runs that began, and the flows that still cannot (with why).

    `already` says that it had been released before, `became` names the events that its bytes were read as.
    """

    event: str
    state: EventState
    runs: tuple[str, ...] = ()
    failed: Mapping[str, str] | None = None
    became: tuple[str, ...] = ()
    already: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedMany:
    """What became of many: how many were looked at, released, and left as they were with the reason of each kind.

    `next` is what to go on with (`after`); None when all that fitted the filter were looked at.
    """

    seen: int
    released: int
    runs: int
    left: Mapping[str, int]
    next: str | None


class EventOrders:
    """Carries out orders on the events of one environment; `actor` is who gave it."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        database: Database,
        committer: Committer,
        accounts: Mapping[str, Account],
        bundle: Callable[[], Bundle],
        take: Take,
    ) -> None:
        """Take the collaborators; `take` accepts what kept bytes are read as now, for the person who released them."""
        self._environment = environment
        self._ambient = ambient
        self._database = database
        self._committer = committer
        self._accounts = accounts
        self._bundle = bundle
        self._take = take

    async def release(self, event_id: str, *, actor: str, reason: str) -> Released:
        """Route a kept event now, by the present revision of the workspace; a second order starts nothing twice.

        Raises `FixData` when no flow can begin yet, or when the bytes still cannot be read; the event stays as it was.
        """
        reason = _said(reason)
        row = self._find(event_id)
        if row["state"] == EventState.ACCEPTED and not _stuck(row):
            return _done_before(row)
        assert_kept(row)
        if row["reason"] == MIXED_KINDS:
            raise FixData(
                "The event is of the other kind of account: what is about real money starts nothing at a test account, "
                "and the other way round. Send it to the environment that it belongs to.",
                code=MIXED_KINDS,
                event=event_id,
            )
        try:
            if row["type"] == UNREADABLE:
                return await self._read_again(row, actor=actor, reason=reason)
            return await self._route(row, actor=actor, reason=reason)
        except Conflict:
            return _done_before(self._find(event_id))

    async def release_all(
        self, wanted: EventFilter, *, actor: str, reason: str, after: str | None = None, limit: int = MOST_AT_ONCE
    ) -> ReleasedMany:
        """Release what fits the filter, the oldest first, so that runs begin in the order in which events came."""
        reason = _said(reason)
        if wanted == EventFilter():
            raise FixData("Say which events: by state, connection, schema, kind of drift or reason.", code="no-filter")
        with self._database.reading() as connection:
            rows = events.kept(connection, self._environment, wanted, after=after, limit=limit + 1)
        left: dict[str, int] = {}
        released = started = 0
        for row in rows[:limit]:
            try:
                one = await self.release(row["id"], actor=actor, reason=reason)
            except HubError as error:
                left[error.code] = left.get(error.code, 0) + 1
                continue
            if one.already or (not one.runs and not one.became and one.state.value == row["state"]):
                why = "already-released" if one.already else "no-flow-wants-it"
                left[why] = left.get(why, 0) + 1
            else:
                released += 1
                started += len(one.runs)
        seen = min(len(rows), limit)
        return ReleasedMany(
            seen=seen,
            released=released,
            runs=started,
            left=left,
            next=rows[limit - 1]["id"] if len(rows) > limit else None,
        )

    def _find(self, event_id: str) -> Mapping[str, Any]:
        with self._database.reading() as connection:
            row = events.find(connection, event_id)
        if row is None or row["environment"] != self._environment:
            raise NotFound("There is no such event.", event=event_id)
        return row

    async def _route(self, row: Mapping[str, Any], *, actor: str, reason: str) -> Released:
        bundle = self._bundle()
        with self._database.reading() as connection:
            begun = events.flows_begun(connection, row["id"])
        routing = route(
            bundle,
            stored_scope(row),
            event_id=row["id"],
            environment=self._environment,
            now=self._ambient.now(),
            new_id=lambda: self._ambient.new_id("run"),
            without=begun | _not_asked(row, bundle),
            ordered_by=actor,
        )
        if routing.failed and not routing.runs:
            raise _cannot_begin(row, routing)
        state = EventState.ACCEPTED if begun or routing.runs else EventState.UNROUTED
        if not routing.runs and state.value == row["state"]:
            return Released(event=row["id"], state=state)
        return await self._commit(row, state, _flags(row, routing.failed), bundle, routing, actor=actor, reason=reason)

    async def _read_again(self, row: Mapping[str, Any], *, actor: str, reason: str) -> Released:
        account = self._accounts.get(row["connection"])
        webhook = account.connector.webhook if account is not None else None
        if account is None or webhook is None:
            raise FixData(
                "The connection that it came on takes no webhooks here now.",
                code="unknown-connection",
                connection=row["connection"],
            )
        try:
            found = webhook.read(account.settings, kept_bytes(row))
        except Exception as error:  # also a defect of the connector leaves the bytes where they are
            reason_now = str(error) if isinstance(error, UnreadableWebhook) else type(error).__name__
            raise FixData(
                "The connector still cannot read it; mend the connector, or ask the vendor what it sent.",
                code="still-unreadable",
                event=row["id"],
                reason=reason_now[:200],
            ) from error
        await self._take(row["connection"], found, Via.WEBHOOK, actor)
        with self._database.reading() as connection:
            became = events.ids_of(
                connection,
                environment=self._environment,
                name=row["connection"],
                external_ids=[event.external_id for event in found],
            )
        nothing = Routing(runs=(), failed={})
        released = await self._commit(
            row, EventState.ACCEPTED, row["flags"], self._bundle(), nothing, became=became, actor=actor, reason=reason
        )
        return replace(released, became=tuple(became))

    async def _commit(
        self,
        row: Mapping[str, Any],
        state: EventState,
        flags: str | None,
        bundle: Bundle,
        routing: Routing,
        *,
        became: Sequence[str] = (),
        actor: str,
        reason: str,
    ) -> Released:
        started = await self._committer.commit(
            Release(
                event=row,
                state=state,
                flags=flags,
                runs=routing.runs,
                became=became,
                bundle=bundle.id,
                actor=actor,
                reason=reason,
            )
        )
        failed = {flow: failure.detail for flow, failure in routing.failed.items()}
        return Released(event=row["id"], state=state, runs=started, failed=failed or None)


def kept_bytes(row: Mapping[str, Any]) -> bytes:
    """Give the very bytes of a webhook that could not be read."""
    data = exact_json.loads(row["data"])
    if "body_base64" in data:
        return base64.b64decode(data["body_base64"])
    return str(data["body"]).encode("utf-8", "surrogatepass")


def _said(reason: str) -> str:
    if not reason.strip():
        raise FixData("Say why the event is released; the reason is kept with it.", code="no-reason")
    return reason.strip()


def _stuck(row: Mapping[str, Any]) -> bool:
    """Tell whether a flow that wanted the event could not begin."""
    return row["flags"] is not None and bool(exact_json.loads(row["flags"]).get("flows"))


def _not_asked(row: Mapping[str, Any], bundle: Bundle) -> set[str]:
    """Name the flows that an event which was taken does not start anew: all but those that could not begin."""
    if row["state"] != EventState.ACCEPTED:
        return set()
    stuck = exact_json.loads(row["flags"])["flows"]
    return {flow.name for flow in bundle.flows_for(row["type"]) if flow.name not in stuck}


def _flags(row: Mapping[str, Any], failed: Mapping[str, Failure]) -> str | None:
    flags = {} if row["flags"] is None else dict(exact_json.loads(row["flags"]))
    flags.pop("flows", None)
    if failed:
        flags["flows"] = {flow: {"code": why.code, "detail": why.detail} for flow, why in failed.items()}
    return exact_json.dumps(flags).decode() if flags else None


def _done_before(row: Mapping[str, Any]) -> Released:
    if row["release"] is None:
        raise Conflict(
            "The event was taken when it came; replay one of its runs instead.", code="not-kept", event=row["id"]
        )
    return Released(event=row["id"], state=EventState(row["state"]), already=True)


def _cannot_begin(row: Mapping[str, Any], routing: Routing) -> FixData:
    flow, why = next(iter(routing.failed.items()))
    return FixData(
        "No flow can begin with this event yet; mend the flow's file and publish it, then release the event again.",
        code=why.code,
        event=row["id"],
        flow=flow,
        reason=why.detail,
    )
