"""Deliveries: many events in one request, each taken or refused by itself, all durable before the answer.

Most of what is sent in such numbers no flow wants, such as the single measurements of usage. For these nothing is
computed but their name, their content and their place; what a flow wants, or a schema describes, goes the way of all
events.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

import msgspec
import structlog

from hub.access.senders import Sending, by_token, recognise
from hub.errors import Fatal, HubError, NotAuthenticated, Refused, RetryLater, Stopping
from hub.intake.cloudevents import Reader, Received, Refusal, values_of
from hub.intake.door import STOPPED_SECONDS, UNKNOWN, Intake
from hub.intake.turns import Turns
from hub.model.ambient import Ambient, of_micros, to_micros
from hub.model.event import EventState, InboundEvent, Via
from hub.model.sender import SENT
from hub.sdk import exact_json
from hub.store.committer import Committer
from hub.store.deliveries import AcceptDelivery, Unrouted
from hub.store.events import Accept, Acceptance
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)

#: As many events may come in one request.
MOST_EVENTS = 1000
#: The longest body, in bytes, after it was unpacked.
MAX_BODY = 4 * 1024 * 1024
#: So many bytes of bodies are held at once, and so many of one sender's; what comes beside is to come again.
HELD = 32 * 1024 * 1024
HELD_OF_ONE = HELD // 2
#: So many bytes are read and written at once: what is longer in one transaction keeps the runs of others waiting.
WORKED = 2 * 1024 * 1024
#: After so many events others have their turn.
SLICE = 200
#: A body of more bytes is long: one of these is read at a time.
SHORT = 64 * 1024
#: So many turns a short delivery leaves to others before it is handed over: who is at the door already shares its
#: commit. Where nobody is, they are over at once.
_SHARING = 2
#: As many types are remembered; what senders call their events is not ours to bound.
_MOST_TYPES = 1000


class Result(StrEnum):
    """What became of one event of a delivery."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICTING = "conflicting"
    REFUSED = "refused"


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of the event at one place: `event` is our id of one that is new, `refusal` why it was refused."""

    result: Result
    id: str | None
    event: str | None = None
    refusal: Refusal | None = None


class TooManyEvents(Refused):
    """The delivery has more events than are taken at once; send them in several."""

    code = "too-many-events"


class Deliveries:
    """Takes in what the senders of one environment send."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        committer: Committer,
        bundle: Callable[[], Bundle],
        intake: Intake,
    ) -> None:
        """Take the collaborators; `intake` prepares what a flow wants, and counts what is refused."""
        self._environment = environment
        self._ambient = ambient
        self._committer = committer
        self._bundle = bundle
        self._intake = intake
        self._turns = Turns(held=HELD, of_one=HELD_OF_ONE, worked=WORKED)
        #: One long delivery is read after the other: the first is on its way to the disk while the next is read.
        self._reading = asyncio.Lock()
        self._of = ""
        self._senders: Mapping[str, Sending] = {}
        self._wanted: dict[str, bool] = {}

    def sending(self, token: str) -> Sending:
        """Find who shows a token, by the revision that serves; `NotAuthenticated`, and counted, when it is nobody."""
        self._look(self._bundle())
        try:
            return recognise(self._senders, token)
        except NotAuthenticated as error:
            self.count_refusal(UNKNOWN, error.code)
            raise

    def holding(self, sending: Sending, size: int) -> AbstractContextManager[None]:
        """Hold a body of so many bytes; raises `Behind`, `TooMuchAtOnce` or `Stopping`."""
        if self._intake.closed:
            raise Stopping(after=STOPPED_SECONDS)
        return self._turns.holding(sending.sender.name, size)

    def count_refusal(self, sender: str, reason: str) -> None:
        """Count what was not taken."""
        self._intake.count_refusal(sender, reason)

    async def take(self, sending: Sending, body: bytes, *, batch: bool) -> list[Outcome]:
        """Take the events of a body; what is told of each is durable when this returns.

        Raises `FixData` for a body that is no JSON or no batch, `TooManyEvents`, and `RetryLater` when nothing of it
        was taken.
        """
        async with self._turns.working(len(body)):
            # What is short is read between the parts of what is long.
            long = len(body) > SHORT
            async with self._reading if long else nullcontext():
                received = await _received(sending, body, batch=batch)
                ids, delivery = await self._prepared(sending, [one for one in received if isinstance(one, Received)])
            for _ in range(0 if long else _SHARING):
                await asyncio.sleep(0)
            results = await self._commit(delivery) if ids else []
        each = iter(zip(ids, results, strict=True))
        outcomes = [
            Outcome(Result.REFUSED, one.id, None, one) if isinstance(one, Refusal) else _outcome(one, *next(each))
            for one in received
        ]
        refused = Counter(outcome.refusal.code for outcome in outcomes if outcome.refusal is not None)
        for code, count in refused.items():
            self._intake.count_refusal(sending.sender.name, code, count)
        return outcomes

    async def _commit(self, delivery: AcceptDelivery) -> list[Acceptance | HubError]:
        """Make events durable; gives of each what became of it, or the error that it alone met."""
        if self._intake.closed:
            raise Stopping(after=STOPPED_SECONDS)
        try:
            results: list[Acceptance | HubError] = await self._committer.commit(delivery)
        except (Fatal, RetryLater):
            raise
        except HubError as error:
            alone = delivery.apart()
            if len(alone) == 1:
                return [error]
            # One of them does not fit what is stored; it keeps no other from being taken.
            return [(await self._commit(one))[0] for one in alone]
        return results

    async def _prepared(self, sending: Sending, received: Sequence[Received]) -> tuple[Sequence[str], AcceptDelivery]:
        """Give our ids of events, and what the store takes: as columns where nothing is to be computed for any."""
        bundle, now = self._bundle(), self._ambient.now()
        self._look(bundle)
        ids = self._ambient.new_ids("event", len(received))
        common = {
            "environment": self._environment,
            "connection": sending.sender.name,
            "received_at": to_micros(now),
            "via": Via.API.value,
            "state": EventState.UNROUTED.value,
            "deliveries": 1,
        }
        delivery = partial(AcceptDelivery, connection=sending.sender.name, actor=sending.actor)
        wanted = {type: self._is_wanted(bundle, type) for type in {one.type for one in received}}
        if not any(wanted.values()) and all(one.schema is None for one in received):
            return ids, delivery(unrouted=Unrouted(common=common, columns=_columns(common, ids, received)))
        accepts: list[Accept] = []
        for start in range(0, len(received), SLICE):
            some = received[start : start + SLICE]
            rows = Unrouted(common=common, columns=_columns(common, ids[start : start + SLICE], some)).rows()
            for one, row in zip(some, rows, strict=True):
                if one.schema is not None or wanted[one.type]:
                    accepts.append(self._through_the_door(sending, one, now))
                else:
                    accepts.append(Accept(event=row, runs=(), actor=sending.actor))
            await asyncio.sleep(0)
        return [accept.event["id"] for accept in accepts], delivery(accepts=accepts)

    def _through_the_door(self, sending: Sending, one: Received, now: datetime) -> Accept:
        """Prepare an event as all others are: compared with its schema, routed to the flows that want it."""
        envelope = exact_json.loads(one.text)
        event = InboundEvent(
            external_id=one.external_id,
            type=f"{SENT}.{one.type}",
            occurred_at=now if one.occurred_at is None else of_micros(one.occurred_at),
            subject=one.subject,
            schema=one.schema,
            data=envelope,
            record=envelope["data"] if one.has_data else None,
        )
        return self._intake.prepare(
            sending.sender.name, event, Via.API, actor=sending.actor, content=one.content, text=one.text
        )

    def _is_wanted(self, bundle: Bundle, type: str) -> bool:
        wanted = self._wanted.get(type)
        if wanted is None:
            if len(self._wanted) >= _MOST_TYPES:
                self._wanted.clear()
            wanted = self._wanted[type] = bool(bundle.flows_for(f"{SENT}.{type}"))
        return wanted

    def _look(self, bundle: Bundle) -> None:
        """Take over another revision's senders and flows."""
        if self._of != bundle.id:
            here = bundle.environments.get(self._environment)
            self._senders = by_token(() if here is None else here.senders.values())
            self._of, self._wanted = bundle.id, {}


async def _received(sending: Sending, body: bytes, *, batch: bool) -> list[Received | Refusal]:
    """Read and check the events of a body; others have their turn in between."""
    values = values_of(body, batch=batch)
    if len(values) > MOST_EVENTS:
        raise TooManyEvents(events=len(values), most=MOST_EVENTS)
    received: list[Received | Refusal] = []
    receive = Reader(sending.sender).receive
    for start in range(0, len(values), SLICE):
        if start:
            await asyncio.sleep(0)
        received += [receive(value) for value in values[start : start + SLICE]]
    return received


def _outcome(one: Received, event_id: str, result: Acceptance | HubError) -> Outcome:
    if result is Acceptance.NEW:
        return Outcome(Result.ACCEPTED, one.id, event_id)
    if isinstance(result, HubError):
        log.error("event.cannot_be_stored", named=one.external_id, reason=str(result))
        refusal = Refusal("cannot-be-stored", f"It cannot be stored: {result}.", one.id)
        return Outcome(Result.REFUSED, one.id, None, refusal)
    return Outcome(Result.DUPLICATE if result is Acceptance.REPEATED else Result.CONFLICTING, one.id)


def _columns(common: Mapping[str, Any], ids: Sequence[str], received: Sequence[Received]) -> dict[str, list[Any]]:
    """Give the rows of events that no flow wants, column by column; `common` are the others."""
    at = common["received_at"]
    types = {one.type: f"{SENT}.{one.type}" for one in received}
    return {
        "id": list(ids),
        "external_id": [one.external_id for one in received],
        "type": [types[one.type] for one in received],
        "subject": [one.subject for one in received],
        "occurred_at": [at if one.occurred_at is None else one.occurred_at for one in received],
        "data": [one.text for one in received],
        "record_key": ["data" if one.has_data else None for one in received],
        "body_hash": [one.content for one in received],
    }
