"""A connection to NATS as the hub needs it; here alone nats-py is spoken to, and loaded only when it is needed.

A connection that breaks is over: whoever used it makes another one and looks anew at what it finds there. So nothing
is sent from a buffer long after it was meant.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from hub.backbone.credentials import read_credentials
from hub.backbone.settings import NatsSettings, Server
from hub.errors import FixData, RetryLater
from hub.sdk import exact_json

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

log = structlog.get_logger(__name__)

#: Seconds until a server that does not answer is given up, and until an answer that does not come is.
CONNECTS_WITHIN, ANSWERS_WITHIN = 3.0, 5.0
_CLOSES_WITHIN = 0.5
#: Seconds between looks at whether the other side still lives; two that fail end the connection.
_PING_EVERY = 3
#: Messages that one asking for more brings.
PAGE = 500
_SECOND = 1_000_000_000
#: How often a server says that it is still there while nothing comes, in seconds.
_BEAT = 1.0
#: How it says that, and what it says at the end of a page: there is no more, or none came in time.
_STILL_THERE, _NOTHING_MORE = "100", frozenset({"404", "408"})


class Away(RetryLater):
    """NATS does not answer just now."""

    code = "nats-away"


class Unwilling(RetryLater):
    """NATS answers, and does not do what it was asked."""

    code = "nats-refused"


class NoStream(RetryLater):
    """There is no stream for this feed: no hub has begun it, or somebody has deleted it."""

    code = "no-feed"


#: What is given to a stream: a subject, a content and headers.
Message = tuple[str, bytes, Mapping[str, str]]
#: What makes messages one batch of which a stream takes all or none.
_BATCH, _PLACE, _COMMIT = "Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit"
#: From which version of the server on there are such batches.
BATCHES_SINCE = (2, 12)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a stream says of a message that it was given: its number, and whether it had it already."""

    number: int
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A message of a stream: its number, headers and content, and how many come behind it."""

    number: int
    headers: Mapping[str, str]
    content: bytes
    left: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A stream that is being read: how many messages there were at the beginning, and what gives the next page."""

    pending: int
    page: Callable[[float], AsyncIterator[Read]]


@asynccontextmanager
async def connected(settings: NatsSettings, *, name: str) -> AsyncIterator[Line]:
    """Connect to one of the servers, in an order of chance; raises `Away` when none takes us.

    `name` is what the servers' monitoring shows of this connection.
    """
    line = await _first_that_answers(settings, name)
    try:
        yield line
    finally:
        await line.close()


async def _first_that_answers(settings: NatsSettings, name: str) -> Line:
    servers = list(settings.servers)
    # Which of the servers one begins with is no decision about anything.
    random.shuffle(servers)
    said: dict[str, str] = {}
    for server in servers:
        try:
            return await _connect(settings, server, name)
        except Away as error:
            said[server.place] = str(error.facts["reason"])
    raise Away(reason="; ".join(f"{place}: {reason}" for place, reason in sorted(said.items())))


async def _connect(settings: NatsSettings, server: Server, name: str) -> Line:
    from nats.errors import Error  # noqa: PLC0415 - an optional package

    encryption = settings.encryption(server)
    client = _client(encrypted=encryption is not None)
    over = asyncio.Event()

    async def closed() -> None:
        over.set()

    there, said = False, list[str]()

    async def wrong(error: Exception) -> None:
        if not there:
            # nats-py would try the same server for minutes.
            raise error
        # Whoever is not allowed something is told so here, and hears nothing where he asked.
        said[:] = [_reason(error)]
        log.debug("nats.error", server=server.place, reason=said[0])

    given: dict[str, Any] = {
        "servers": [server.place],
        "name": name,
        "allow_reconnect": False,
        "connect_timeout": CONNECTS_WITHIN,
        "ping_interval": _PING_EVERY,
        "max_outstanding_pings": 2,
        # What this process tells others it knows itself.
        "no_echo": True,
        "closed_cb": closed,
        "error_cb": wrong,
        "tls": encryption,
    }
    if server.user is not None:
        given |= {"user": server.user, "password": server.password}
    if server.token is not None:
        given["token"] = server.token
    if settings.credentials is not None:
        # Read anew each time, so that a renewed file is used. nats-py answers challenges only where a user is named.
        ours = read_credentials(settings.credentials)
        token = ours.token.encode()
        given |= {"user": "credentials", "signature_cb": ours.sign, "user_jwt_cb": lambda: token}
    try:
        async with asyncio.timeout(2 * CONNECTS_WITHIN):
            await client.connect(**given)
    except (Error, OSError, TimeoutError, ValueError) as error:
        await _given_up(client)
        raise Away(reason=_reason(error)) from None
    except BaseException:
        await _given_up(client)
        raise
    there = True
    return Line(client, server.place, over, said)


def _client(*, encrypted: bool) -> Client:
    from nats.aio.client import Client  # noqa: PLC0415 - an optional package
    from nats.errors import Error  # noqa: PLC0415 - the same

    class Insisting(Client):
        async def _process_info(
            self,
            info: dict[str, Any],
            initial_connection: bool = False,  # noqa: FBT001, FBT002 - as nats-py calls it
        ) -> None:
            # nats-py would go on in the clear, with the password, and with it whoever took the offer out of the way.
            if encrypted and initial_connection and not info.get("tls_required"):
                raise Error("the server offers no encryption")
            await super()._process_info(info, initial_connection)

    return Insisting()


async def _given_up(client: Client) -> None:
    """Close a connection, or what there is of one: of a handshake that failed nobody ever says that it is closed."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_CLOSES_WITHIN):
            await client.close()


def _reason(error: BaseException) -> str:
    """Say what went wrong; servers and nats-py name neither passwords nor tokens, and addresses here have none."""
    return (str(error) or type(error).__name__).partition("\n")[0][:200]


class Line:
    """One connection; everything on it raises `Away` when it is broken or nobody answers in time."""

    def __init__(self, client: Client, place: str, over: asyncio.Event, said: Sequence[str]) -> None:
        """Take a client that is connected, where to, and the last complaint of the server, which comes to be there."""
        self._client = client
        self._said = said
        self._stream: JetStreamContext = client.jetstream(timeout=ANSWERS_WITHIN)
        self.place = place
        #: Set once the connection is over.
        self.over = over

    @property
    def version(self) -> str:
        """Give the server's version."""
        version = self._client.connected_server_version
        return f"{version.major}.{version.minor}.{version.patch}"

    @property
    def takes_batches(self) -> bool:
        """Tell whether the server knows batches of messages."""
        version = self._client.connected_server_version
        return (version.major, version.minor) >= BATCHES_SINCE

    @property
    def largest(self) -> int:
        """Give how many bytes the server takes in one message."""
        return int(self._client.max_payload)

    async def close(self) -> None:
        """Let go of it."""
        await _given_up(self._client)
        self.over.set()

    async def tell(self, subject: str) -> None:
        """Send a message without content, that nobody keeps."""
        with self._known():
            await self._client.publish(subject, b"")

    async def listen(self, subject: str, heard: Callable[[], None]) -> None:
        """Call `heard` at every message of a subject."""

        async def call(_message: Msg) -> None:
            heard()

        with self._known():
            await self._client.subscribe(subject, cb=call)
            await self._client.flush()

    async def ask(self, order: str, content: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Ask JetStream something; gives its answer, or None where what is asked about is not there."""
        with self._known():
            body = exact_json.dumps(content) if content is not None else b""
            answer = await self._client.request(f"$JS.API.{order}", body, timeout=ANSWERS_WITHIN)
        found: dict[str, Any] = exact_json.loads(answer.data)
        error = found.get("error")
        if error is None:
            return found
        if error.get("code") == 404:
            return None
        raise Unwilling(asked=order.partition(".concord")[0], reason=str(error.get("description", error))[:200])

    async def store(self, messages: Sequence[Message], *, together: bool = False) -> list[Kept | None]:
        """Give messages to the stream in their order, and wait for what it says of each.

        None stands for one of which it said nothing in time, or that it did not take: whether it is kept is not known.
        `together` has a stream that allows it take all or none, at a tenth of the cost where every message is synced;
        it takes none where it has one of them already, and then each is given alone.
        """
        if together and len(messages) > 1:
            last = await self._store_together(messages)
            if last is not None:
                return [Kept(last + 1 + place - len(messages), repeated=False) for place in range(len(messages))]
        return await self._store_alone(messages)

    async def _store_together(self, messages: Sequence[Message]) -> int | None:
        """Give the last one's number, or None where it is not known that all are kept."""
        batch = f"{random.getrandbits(120):030x}"
        *others, (subject, content, headers) = messages
        try:
            with self._known():
                for place, (to, each, said) in enumerate(others, start=1):
                    await self._client.publish(to, each, headers={**said, _BATCH: batch, _PLACE: str(place)})
                end = {**headers, _BATCH: batch, _PLACE: str(len(messages)), _COMMIT: "1"}
                answer = await self._client.request(subject, content, timeout=ANSWERS_WITHIN, headers=end)
            told = exact_json.loads(answer.data)
        except (Away, FixData):
            return None
        return int(told["seq"]) if told.get("count") == len(messages) and "error" not in told else None

    async def _store_alone(self, messages: Sequence[Message]) -> list[Kept | None]:
        from nats.errors import Error  # noqa: PLC0415 - an optional package

        told: list[asyncio.Future[Any]] = []
        try:
            for subject, content, headers in messages:
                told.append(await self._stream.publish_async(subject, content, headers=dict(headers)))
        except (Error, OSError, TimeoutError) as error:
            _go_if_told()
            log.debug("nats.not_sent", reason=_reason(error))
        if told:
            over, all_told = asyncio.ensure_future(self.over.wait()), asyncio.ensure_future(asyncio.wait(told))
            either: set[asyncio.Future[Any]] = {over, all_told}
            await asyncio.wait(either, timeout=ANSWERS_WITHIN, return_when=asyncio.FIRST_COMPLETED)
            for waiting in either:
                waiting.cancel()
        found = [_kept(future) for future in told]
        return found + [None] * (len(messages) - len(found))

    @asynccontextmanager
    async def reading(
        self, stream: str, begin: Mapping[str, Any], *, subjects: str | None = None, headers_only: bool = False
    ) -> AsyncIterator[Reading]:
        """Read a stream, as `begin` says where from (`deliver_policy` and what goes with it, in JetStream's words).

        A page is read with the seconds after which it ends although it is not full; each message comes as soon as it is
        there. Raises `NoStream` where there is none.
        """
        settings: dict[str, Any] = {"ack_policy": "none", "inactive_threshold": 60 * _SECOND, "mem_storage": True}
        settings |= {"headers_only": headers_only, "replay_policy": "instant", **begin}
        if subjects is not None:
            settings["filter_subject"] = subjects
        made = await self.ask(f"CONSUMER.CREATE.{stream}", {"stream_name": stream, "config": settings})
        if made is None:
            raise NoStream(stream=stream)
        more = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{made['name']}"
        with self._known():
            inbox = self._client.new_inbox()
            subscription = await self._client.subscribe(inbox)

        async def page(seconds: float) -> AsyncIterator[Read]:
            beats = {"idle_heartbeat": int(_BEAT * _SECOND)} if seconds >= 2 * _BEAT else {}
            asked = exact_json.dumps({"batch": PAGE, "expires": int(seconds * _SECOND), **beats})
            with self._known():
                await self._client.publish(more, asked, reply=inbox)
            count = 0
            while count < PAGE:
                with self._known():
                    # Whoever should answer may be gone without a word.
                    message = await subscription.next_msg(timeout=2.5 * _BEAT if beats else seconds + 2.5 * _BEAT)
                status = (message.headers or {}).get("Status")
                if status in _NOTHING_MORE:
                    return
                if status == _STILL_THERE:
                    continue
                if status is not None:
                    raise Away(reason=(message.headers or {}).get("Description", status))
                about, count = message.metadata, count + 1
                yield Read(
                    number=about.sequence.stream,
                    headers=message.headers or {},
                    content=message.data,
                    left=about.num_pending,
                )

        try:
            yield Reading(int(made.get("num_pending") or 0), page)
        finally:
            with contextlib.suppress(Away):
                with self._known():
                    await subscription.unsubscribe()
                await self.ask(f"CONSUMER.DELETE.{stream}.{made['name']}")

    @contextlib.contextmanager
    def _known(self) -> Iterator[None]:
        from nats.errors import Error  # noqa: PLC0415 - an optional package

        try:
            yield
        except (Error, OSError, TimeoutError) as error:
            _go_if_told()
            raise Away(reason="; the server said: ".join((_reason(error), *self._said))) from None


def _go_if_told() -> None:
    """End where this task was told to end: nats-py makes an error of its own of that in places."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _kept(told: asyncio.Future[Any]) -> Kept | None:
    if not told.done():
        told.cancel()
        return None
    if told.cancelled() or told.exception() is not None:
        return None
    return Kept(int(told.result().seq), repeated=bool(told.result().duplicate))
