"""The door for events: verified first, then durable with the runs they start, then acknowledged."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import structlog

from hub.connections.accounts import Account
from hub.engine.drift import Action, Drift, Judged, Seen
from hub.engine.routing import Routing, route, scope
from hub.errors import Fatal, HubError, NotFound, RetryLater, Stopping, UnreadableWebhook, WebhookRejected
from hub.model.ambient import Ambient, to_micros
from hub.model.event import MIXED_KINDS, EventState, InboundEvent, Via
from hub.model.run import Priority
from hub.sdk import exact_json
from hub.sdk.connector import Acknowledgement
from hub.store.committer import Committer
from hub.store.events import Accept, Acceptance, CountRejections
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)

#: When a sender may come again to a hub that is stopping.
STOPPED_SECONDS = 5.0
#: Connections that do not exist share one bucket of the counts, so that a flood of names cannot fill the log.
UNKNOWN = "unknown"


#: What the sender itself brought; all else was fetched, or came to be in the hub.
_DELIVERED = frozenset({Via.WEBHOOK, Via.API})


class Intake:
    """Takes in what the connections of one environment send or what is fetched from them."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        committer: Committer,
        accounts: Mapping[str, Account],
        bundle: Callable[[], Bundle],
    ) -> None:
        """Take the collaborators; `bundle()` gives the revision that new events are handled by."""
        self._environment = environment
        self._ambient = ambient
        self._committer = committer
        self._accounts = accounts
        self._bundle = bundle
        self._drift = Drift(environment=environment, ambient=ambient)
        self._refused: Counter[tuple[str, str, int]] = Counter()
        self._closed = False

    async def webhook(self, name: str, headers: Mapping[str, str], body: bytes) -> list[Acceptance]:
        """Take a webhook's raw bytes; header names are lower-case. Everything is durable when this returns.

        Raises `NotFound` for an unknown connection and `WebhookRejected` for one that cannot be trusted; both are
        counted. A trusted webhook that cannot be read is kept as a rejected event.
        """
        account = self._accounts.get(name)
        webhook = account.connector.webhook if account is not None else None
        if account is None or webhook is None:
            self.count_refusal(UNKNOWN, "unknown-connection")
            raise NotFound("There is no such connection with webhooks.", code="unknown-connection")
        try:
            webhook.verify(account.settings, headers, body, self._ambient.now())
        except WebhookRejected as error:
            self.count_refusal(name, error.code)
            raise
        try:
            events = webhook.read(account.settings, body)
        except UnreadableWebhook as error:
            return [await self._keep_bytes(name, body, error.code)]
        except Exception:  # a defect of the connector must not lose what was sent
            log.exception("webhook.defect", connection=name)
            return [await self._keep_bytes(name, body, UnreadableWebhook.code)]
        try:
            return await self.accept(name, events, Via.WEBHOOK)
        except (Fatal, RetryLater):
            raise
        except Exception:  # what was sent is kept whole, whatever stands in it
            log.exception("webhook.defect", connection=name)
            return [await self._keep_bytes(name, body, "cannot-be-stored")]

    def acknowledgement(self, name: str) -> Acknowledgement | None:
        """Give what the senders of a connection's webhooks want to hear; None where any 2xx will do."""
        account = self._accounts.get(name)
        webhook = account.connector.webhook if account is not None else None
        return None if webhook is None else webhook.acknowledgement

    def handshake(self, name: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Give the headers by which a connection consents to webhooks; header names are lower-case.

        Raises `NotFound` for a connection whose senders ask for no consent, and `WebhookRejected`; both are counted.
        """
        account = self._accounts.get(name)
        webhook = account.connector.webhook if account is not None else None
        if account is None or webhook is None or webhook.handshake is None:
            self.count_refusal(UNKNOWN, "unknown-connection")
            raise NotFound("There is no such connection whose senders ask for consent.", code="unknown-connection")
        try:
            return webhook.handshake(account.settings, headers)
        except WebhookRejected as error:
            self.count_refusal(name, error.code)
            raise

    @property
    def closed(self) -> bool:
        """Tell whether nothing more is taken."""
        return self._closed

    def close(self) -> None:
        """Take nothing more; senders are told to come again."""
        self._closed = True

    async def accept(
        self,
        name: str,
        events: Sequence[InboundEvent],
        via: Via,
        *,
        contents: Sequence[str] | None = None,
        priority: Priority = Priority.HIGH,
    ) -> list[Acceptance]:
        """Make events durable with the runs they start, each once; no run goes before `priority`.

        `contents` are what `content_of` gives of each, from a caller who has asked it already.
        """
        known: Iterable[str | None] = repeat(None, len(events)) if contents is None else contents
        accepts = [
            self.prepare(name, event, via, priority=priority, content=content)
            for event, content in zip(events, known, strict=True)
        ]
        if len(accepts) == 1:
            return [await self.commit(accepts[0])]
        return list(await asyncio.gather(*map(self.commit, accepts)))

    async def read_again(
        self, name: str, events: Sequence[InboundEvent], via: Via, ordered_by: str
    ) -> list[Acceptance]:
        """Accept what a person had read once more, whose runs they have caused."""
        accepts = (self.prepare(name, event, via, ordered_by=ordered_by) for event in events)
        return list(await asyncio.gather(*map(self.commit, accepts)))

    async def commit(self, accept: Accept) -> Acceptance:
        """Give the result once the event is durable; raises `Stopping` when the hub takes nothing more."""
        if self._closed:
            raise Stopping(after=STOPPED_SECONDS)
        acceptance: Acceptance = await self._committer.commit(accept)
        return acceptance

    def bucket(self, name: str) -> str:
        """Give the name under which a connection's refusals are counted."""
        return name if name in self._accounts else UNKNOWN

    def count_refusal(self, connection: str, reason: str, count: int = 1) -> None:
        """Count what was not taken; counts are audited by connection, reason and minute."""
        self._refused[connection, reason, int(self._ambient.now().timestamp()) // 60] += count

    async def flush_refusals(self) -> None:
        """Make the counts durable."""
        if not self._refused:
            return
        counted, self._refused = self._refused, Counter()
        rows = [
            {
                "environment": self._environment,
                "connection": connection,
                "reason": reason,
                "minute": minute,
                "count": count,
            }
            for (connection, reason, minute), count in counted.items()
        ]
        try:
            await self._committer.commit(CountRejections(rows=rows))
        except HubError:
            # They are written down the next time.
            self._refused.update(counted)
            raise

    def prepare(
        self,
        name: str,
        event: InboundEvent,
        via: Via,
        *,
        actor: str | None = None,
        ordered_by: str | None = None,
        priority: Priority = Priority.HIGH,
        content: str | None = None,
        text: str | None = None,
    ) -> Accept:
        """Make of an event what the store accepts, with the runs that it starts by the bundle that serves now.

        `actor` is who brings it (the connection when not said), and `ordered_by` the person who ordered its runs; none
        of these goes before `priority`. `content` is what `content_of` gives of it, and `text` its data as JSON, where
        they are known and all of it is in its data.
        """
        now = self._ambient.now()
        bundle = self._bundle()
        event_id = self._ambient.new_id("event")
        seen = scope(event, connection=name, environment=self._environment, received_at=now)
        account = self._accounts.get(name)
        brought = Seen(
            connection=name,
            event=seen["event"],
            event_id=event_id,
            scrub=str if account is None else account.redactor.scrub,
            expected=() if account is None else account.expected(event.schema),
        )
        judged = self._drift.judge(bundle, event.schema, seen["record"], brought)
        routing = Routing(runs=(), failed={})
        foreign = (
            account is not None
            and None not in (account.production, event.production)
            and account.production is not event.production
        )
        if judged.action is Action.ACCEPT and not foreign:
            routing = route(
                bundle,
                seen,
                event_id=event_id,
                environment=self._environment,
                now=now,
                new_id=lambda: self._ambient.new_id("run"),
                priority=priority,
                ordered_by=ordered_by,
            )
        state, reason = (EventState.REJECTED, MIXED_KINDS) if foreign else _outcome(judged, routing)
        if reason is not None or routing.failed:
            log.warning("event.kept", named=event.external_id, state=state.value, flows=[*routing.failed])
        data, record_key = stored_data(event)
        text = exact_json.dumps(data).decode() if text is None else text
        row = self._row(
            name=name,
            event_id=event_id,
            external_id=event.external_id,
            type=event.type,
            via=via,
            state=state,
            data=text,
            body_hash=content_of(data) if content is None else content,
        )
        row |= {
            "subject": event.subject,
            "schema": event.schema,
            "occurred_at": to_micros(event.occurred_at),
            "record_key": record_key,
            "reason": reason,
            "flags": _flags(judged, routing),
        }
        return Accept(
            event=row,
            runs=routing.runs,
            actor=actor or f"connection:{name}",
            drift=judged.sightings,
            decisions=judged.decisions,
        )

    async def _keep_bytes(self, name: str, body: bytes, reason: str) -> Acceptance:
        digest = hashlib.sha256(body).hexdigest()
        row = self._row(
            name=name,
            event_id=self._ambient.new_id("event"),
            external_id=f"unreadable:{digest[:32]}",
            type="unreadable",
            via=Via.WEBHOOK,
            state=EventState.REJECTED,
            data=exact_json.dumps(_bytes(body)).decode(),
            body_hash=digest,
        )
        row["reason"] = reason
        return await self.commit(Accept(event=row, runs=(), actor=f"connection:{name}"))

    def _row(
        self,
        *,
        name: str,
        event_id: str,
        external_id: str,
        type: str,
        via: Via,
        state: EventState,
        data: str,
        body_hash: str,
    ) -> dict[str, Any]:
        now = to_micros(self._ambient.now())
        return {
            "id": event_id,
            "environment": self._environment,
            "connection": name,
            "external_id": external_id,
            "type": type,
            "subject": "",
            "schema": None,
            "occurred_at": now,
            "received_at": now,
            "via": via.value,
            "state": state.value,
            "deliveries": 1 if via in _DELIVERED else 0,
            "data": data,
            "record_key": None,
            "body_hash": body_hash,
            "entity": None,
            "reason": None,
            "flags": None,
        }


def content_of(data: Mapping[str, Any]) -> str:
    """Name the content of an event by the data that is stored of it."""
    return hashlib.sha256(exact_json.canonical(data)).hexdigest()


def stored_data(event: InboundEvent) -> tuple[Mapping[str, Any], str | None]:
    """Give the data to store, and under which key the record is in it (put beside it when it is not)."""
    if event.record is None or event.record is event.data:
        return event.data, None
    for key, value in event.data.items():
        if value is event.record:
            return event.data, key
    free = "record"
    while free in event.data:
        free += "_"
    return {**event.data, free: event.record}, free


def _outcome(judged: Judged, routing: Routing) -> tuple[EventState, str | None]:
    """Give the state of an event, and why it is kept back if it is."""
    match judged.action:
        case Action.QUARANTINE:
            return EventState.QUARANTINED, judged.reason
        case Action.REJECT:
            return EventState.REJECTED, judged.reason
        case Action.ACCEPT if routing.runs:
            return EventState.ACCEPTED, None
        case Action.ACCEPT if routing.failed:
            return EventState.REJECTED, next(iter(routing.failed.values())).code
        case Action.ACCEPT:
            return EventState.UNROUTED, None


def _flags(judged: Judged, routing: Routing) -> str | None:
    """Give what a person should know of the event, as JSON; None when there is nothing."""
    flags: dict[str, Any] = {}
    if judged.flags:
        flags["drift"] = judged.flags
    if routing.failed:
        flags["flows"] = {flow: {"code": why.code, "detail": why.detail} for flow, why in routing.failed.items()}
    return exact_json.dumps(flags).decode() if flags else None


def _bytes(body: bytes) -> Mapping[str, str]:
    """Give bytes as JSON that they can be had back from exactly: as text where they are text."""
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}
