"""The contract a connector fulfils: operations, webhook, streams, limits, settings, failures.

A write operation is pure functions: the engine records what `request` gives, sends it, and reads the answer
with `result`; after an unknown outcome it acts by the declared idempotency kind. Only the engine sends writes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hub.errors import HubError, OutcomeUnknown
from hub.model.effect import EffectKey, Idempotency
from hub.model.event import InboundEvent
from hub.model.exchange import Request, Response
from hub.model.limits import QuotaPer
from hub.sdk.auth import Authorizer
from hub.sdk.bulk import Bulk
from hub.sdk.by_content import ANY_TIME, ByContent, Sought
from hub.sdk.calls import Calls, Course
from hub.sdk.embedded import Embedded
from hub.sdk.guards import Guard
from hub.sdk.limit_headers import Seen, seen_in_headers
from hub.sdk.session import Session
from hub.sdk.settings import Settings

Record = Mapping[str, Any]
JsonSchema = Mapping[str, Any]


def named_schema(schema: JsonSchema) -> str | None:
    """Give the name of one of the connector's schemas that a reference leads to; None when it is described in place."""
    named = schema.get("$ref")
    return named if isinstance(named, str) and not named.startswith("#") else None


def has_the_id_asked_for(input: Record, output: Record) -> bool:
    """Tell whether what came has the id that was asked for, where both name one."""
    return "id" not in input or "id" not in output or str(input["id"]) == str(output["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOperation:
    """A call that changes nothing; it is async and may page.

    `input` and `output` are JSON Schemas (2020-12), or `{"$ref": "netsuite.invoice@2026.1"}` naming one of the
    connector's schemas. Where a system lets each connection choose a version of it, `output` names the newest and
    `gives(settings)` the one that a connection gets, of the same series: the engine then reads what came as the
    version that a flow's mapping wants.

    `about(input, output)` tells whether what came is about what was asked for; a vendor, or what stands before it, may
    answer with somebody else's.

    `claim(response)` is given where `output` is in other words than the vendor's: it names the one of the connector's
    schemas that an answer of the vendor's is of, and gives that answer, so that what the vendor changes is seen before
    it is translated.
    """

    name: str
    title: str
    input: JsonSchema
    output: JsonSchema
    read: Callable[[Session, Record], Awaitable[Record]]
    gives: Callable[[Any], str] | None = None
    about: Callable[[Record, Record], bool] = has_the_id_asked_for
    claim: Callable[[Response], tuple[str, Record]] | None = None

    async def ask(self, session: Session, input: Record) -> Record:
        """Read, and give what came; `OutcomeUnknown` as `foreign-answer` where that is about something else."""
        output = await self.read(session, input)
        if not self.about(input, output):
            raise OutcomeUnknown("The answer is about something else than was asked for.", code="foreign-answer")
        return output

    def schema(self, settings: Any) -> str | None:
        """Name the schema of what a connection with these settings gets; None when it is described in place."""
        return self.declared if self.gives is None else self.gives(settings)

    @property
    def declared(self) -> str | None:
        """Name the schema of `output`; None when it is described in place."""
        return named_schema(self.output)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOperation:
    """A call that changes the target by one write, as pure functions.

    - `request(settings, input, key)` forms the request. `native` operations put `key` where the vendor looks for an
      idempotency key, `probe` operations into a field that `look` can find.
    - `result(response)` reads a successful answer into `output`; it raises `FixData` or `OutcomeUnknown` for an answer
      that is not what success looks like.
    - `about(request, output)` tells whether what was answered is about what was asked for, where an answer can show it:
      one about something else is unknown.
    - `beside(request, response)` is in the place of `result` where an answer is read beside what was sent, such as rows
      that are told by their place; it raises as `result` does.
    - `look(settings, key)` forms the read that finds an earlier write, and `found(response, key)` gives its output, or
      None when there is none. A `probe` has them; a `native` operation may, and then a key that the vendor has
      forgotten, or only ever fails, is no dead end. `found` takes only what carries the key: another's answer is
      `OutcomeUnknown`, and several documents under one key are `FixData` as `found-twice`.
    - `find(settings, request, key)` is in the place of both where the key alone does not say where to look, or one call
      does not show it (`native` only): a course through the reads that find what the recorded request has made.
    - `by_content` is in their place where nothing at the vendor bears the key (`native` only).
    - `settle` is for how many seconds after sending the write may still appear at the vendor although `look` does not
      find it yet; only after that may it be sent again.
    - `remembers` is for how many seconds the vendor surely keeps an idempotency key (`native` only); a write of unknown
      outcome that is older goes to a person, because the vendor would take it for a new one.
    - `calls(settings, request)` is given where the vendor needs several calls for the one write: it goes through them,
      all made of the recorded request, and returns the answer that `result` reads (`native` and `upsert`, see
      `hub.sdk.calls`).
    - `undo` names the operation that takes this one back. Unless a flow says otherwise, it gets those fields of this
      one's output that its own input names.
    - `erases` says that the operation deletes something. Such a one takes nothing back: books are corrected by a
      further entry and never erased.
    - `bulk` says how it is made for many items in one request; without it, items go one by one.
    - `guard` says how an `upsert` keeps from overwriting something newer. Where it has a way to look, what stands is
      looked at after an unknown outcome too, before the same state is written again.
    """

    name: str
    title: str
    input: JsonSchema
    output: JsonSchema
    idempotency: Idempotency
    request: Callable[[Any, Record, EffectKey], Request]
    result: Callable[[Response], Record]
    about: Callable[[Request, Record], bool] | None = None
    beside: Callable[[Request, Response], Record] | None = None
    look: Callable[[Any, EffectKey], Request] | None = None
    found: Callable[[Response, EffectKey], Record | None] | None = None
    find: Callable[[Any, Request, EffectKey], Course[Record | None]] | None = None
    by_content: ByContent | None = None
    settle: float = 60.0
    remembers: float = 86_400.0
    calls: Callable[[Any, Request], Calls] | None = None
    undo: str | None = None
    erases: bool = False
    bulk: Bulk | None = None
    guard: Guard | None = None

    def __post_init__(self) -> None:
        """Refuse a declaration whose unknown outcomes could not be resolved."""
        if not isinstance(self.idempotency, Idempotency):
            kinds = ", ".join(f"Idempotency.{kind.name}" for kind in Idempotency)
            raise TypeError(f"{self.name}: `idempotency` says how a repeat is told from a new write: one of {kinds}")
        if (self.look is None) != (self.found is None):
            raise ValueError(f"{self.name}: `look` and `found` belong together")
        if self.look is None and self.idempotency is Idempotency.PROBE:
            raise ValueError(f"{self.name}: a probe operation needs `look` and `found`")
        if self.look is not None and self.idempotency not in (Idempotency.PROBE, Idempotency.NATIVE):
            raise ValueError(f"{self.name}: only a probe or native operation is looked up by its key")
        if self.calls is not None and self.idempotency not in (Idempotency.NATIVE, Idempotency.UPSERT):
            raise ValueError(f"{self.name}: only a native operation or an upsert may take several calls")
        if self.find is not None and (self.idempotency is not Idempotency.NATIVE or self.look is not None or self.bulk):
            raise ValueError(f"{self.name}: `find` is for a native operation for one item, in the place of `look`")
        if self.by_content is not None and (
            self.idempotency is not Idempotency.NATIVE or self.look is not None or self.find is not None or self.bulk
        ):
            raise ValueError(f"{self.name}: `by_content` is for a native operation for one item that has no other look")
        if self.guard is not None and self.idempotency is not Idempotency.UPSERT:
            raise ValueError(f"{self.name}: only an upsert has a guard")
        if self.bulk is not None and self.guard is not None and self.guard.look is not None:
            raise ValueError(f"{self.name}: for many items in one request only the target itself can be the guard")

    def answered(self, request: Request, response: Response) -> Record:
        """Read the answer to a request into `output`; `OutcomeUnknown` as `foreign-answer` for one about another."""
        output = self.result(response) if self.beside is None else self.beside(request, response)
        if self.about is not None and not self.about(request, output):
            raise OutcomeUnknown("The answer is about something else than was written.", code="foreign-answer")
        return output

    @property
    def is_found(self) -> bool:
        """Tell whether an earlier sending can be found."""
        return self.look is not None or self.find is not None or self.by_content is not None

    def search(
        self, settings: Any, request: Request, key: EffectKey, sought: Sought = ANY_TIME
    ) -> Course[Record | None]:
        """Give the course that finds what the recorded request has made under a key, where `is_found`.

        `sought` says more of it, for what is found by its content.
        """
        if self.by_content is not None:
            return self.by_content.find(settings, request, sought)
        if self.find is not None:
            return self.find(settings, request, key)
        assert self.look is not None
        assert self.found is not None
        return _looked(self.look(settings, key), self.found, key)


def _looked(
    request: Request, found: Callable[[Response, EffectKey], Record | None], key: EffectKey
) -> Course[Record | None]:
    return found((yield request), key)


Operation = ReadOperation | WriteOperation


#: Among a webhook's headers, the query of the address that it came to: no header can have such a name.
QUERY = ":query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What a sender wants to hear once all that it sent is durable, where 202 and no word is not enough."""

    status: int = 200
    content_type: str = "text/plain"
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """How a system's webhooks are trusted and read; all pure.

    - `verify(settings, headers, body, now)` raises `WebhookRejected` with a stable code (`bad-signature`, `stale`,
      `no-signature`); header names are lower-case, `body` is the raw bytes. Who signs nothing may be given a secret in
      the address alone, whose query is among the headers as `QUERY`.
    - `parse(body)` gives the events; it raises `UnreadableWebhook`.
    - `complete(settings, events)` is given where what came says all that it means only together with the settings: it
      gives the events as the connection takes them, or raises `UnreadableWebhook` with the reason as its code.
    - `acknowledgement` is what the sender is answered; it goes out only after everything is durable.
    - `handshake(settings, headers)` is given where the sender asks for consent (OPTIONS) before it sends anything: it
      gives the headers that grant it, or raises `WebhookRejected`.
    """

    verify: Callable[[Any, Mapping[str, str], bytes, datetime], None]
    parse: Callable[[bytes], Sequence[InboundEvent]]
    complete: Callable[[Any, Sequence[InboundEvent]], Sequence[InboundEvent]] | None = None
    acknowledgement: Acknowledgement | None = None
    handshake: Callable[[Any, Mapping[str, str]], Mapping[str, str]] | None = None

    def read(self, settings: Any, body: bytes) -> Sequence[InboundEvent]:
        """Read the events of a body as a connection with these settings takes them; raises `UnreadableWebhook`."""
        events = self.parse(body)
        return events if self.complete is None else self.complete(settings, events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Part of a stream: events in the order they happened, and the cursor to go on from once they are durable.

    `begins_at` is given where the vendor no longer had what lay behind the cursor: the moment from which on it has.
    `begins_of` says of what, where a stream is about several things.
    """

    events: Sequence[InboundEvent]
    cursor: str
    begins_at: datetime | None = None
    begins_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An incremental read with a cursor.

    `pull(session, cursor, since)` yields pages from `cursor`, or from `since` when there is no cursor yet. Pages may
    overlap with what was read before: events are deduplicated by their id.

    - `overlap` is how late an event may come to light in the list, behind others that happened after it: so much is
      read again each time.
    - `keeps` is how long the vendor gives an event; None: for ever.
    - `number` gives an event's place where the vendor counts them one by one, so that a hole is
      seen; None for one that has none.
    """

    name: str
    title: str
    pull: Callable[[Session, str | None, datetime], AsyncIterator[Page]]
    overlap: timedelta = timedelta()
    keeps: timedelta | None = None
    number: Callable[[InboundEvent], int | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All records of one kind as they stand: read when a person orders it, and never by itself.

    - `event` is the type of the events by which it tells of them, one for each record; flows start with that.
    - `pull(session, cursor, since)` yields pages of those records that were made since then, from behind `cursor`, or
      from the first one where there is no cursor yet. A page's cursor leads behind its last record, whatever is made
      or changed meanwhile. An event's `external_id` names its record, and `occurred_at` is when that was made.
    - `count(session, since, until)` gives how many records were made in that span, where the vendor can count; without
      it, they are counted by listing all of them once before.
    - `sized(session, cursor, since, rows)` is `pull` with at most so many records in a page, where the vendor leaves
      that to the caller: whoever takes thousands needs fewer calls. A cursor of the one leads on with the other.
    """

    name: str
    title: str
    event: str
    pull: Callable[[Session, str | None, datetime], AsyncIterator[Page]]
    count: Callable[[Session, datetime, datetime], Awaitable[int]] | None = None
    sized: Callable[[Session, str | None, datetime, int], AsyncIterator[Page]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the vendor allows one account.

    - `concurrency`: requests in flight.
    - `rate`: requests that may start in any `per` seconds; None: no such limit.
    - `burst`: how many of them may start at once; None: a tenth of `rate`, at least two.
    - `quota`: requests in an hour, day, week or month (`quota_per`) of a time zone; None: no such limit.
    """

    concurrency: int = 20
    rate: float | None = None
    per: int = 1
    burst: int | None = None
    quota: int | None = None
    quota_per: QuotaPer = QuotaPer.DAY
    quota_zone: str = "UTC"


def headers_seen(response: Response) -> Seen | None:
    """Read what the usual headers tell of limits."""
    return seen_in_headers(response.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """One system, as its package declares it.

    - `authorizer(settings)` makes the object that signs each attempt of one connection.
    - `classify(response)` gives the HubError an answer stands for, or None when it is a success.
    - `ping` is a read that shows whether credentials and host work; it may give what the vendor calls the account.
    - `limits_seen(response)` reads what an answer tells of the account's limits; by default the usual headers.
    - `expects(settings)` gives, by schema, the paths (`lines[].segment`) of fields that a connection's settings say its
      records have, beside what the schema itself says: one that is not there is a missing field. With a `?` at its
      end a path names one that the vendor shows in every record and nobody is known to need.
    - `schemas` maps `name@version` to JSON Schema.
    - `embedded` is how a connector without a network answers by itself.
    """

    name: str
    title: str
    settings: type[Settings]
    operations: Sequence[Operation]
    authorizer: Callable[[Any], Authorizer]
    classify: Callable[[Response], HubError | None]
    ping: Callable[[Session], Awaitable[Mapping[str, str] | None]]
    limits: Limits = Limits()
    limits_seen: Callable[[Response], Seen | None] = headers_seen
    webhook: Webhook | None = None
    streams: Sequence[Stream] = ()
    listings: Sequence[Listing] = ()
    schemas: Mapping[str, JsonSchema] = field(default_factory=dict)
    expects: Callable[[Any], Mapping[str, Sequence[str]]] | None = None
    embedded: Embedded | None = None

    def operation(self, name: str) -> Operation | None:
        """Find an operation by name."""
        return next((operation for operation in self.operations if operation.name == name), None)

    def undo_input(self, undo: WriteOperation, output: Record) -> Record:
        """Give what an undo gets when its flow says nothing: the fields of the write's output that its input names."""
        name = named_schema(undo.input)
        schema = undo.input if name is None else self.schemas[name]
        return {field: output[field] for field in schema.get("properties", {}) if field in output}
