"""What the greeting service can do: read a greeting, and write one."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from connectors.helloworld.client import address, settings_of
from connectors.helloworld.settings import HelloworldSettings
from hub.sdk.answers import read_object
from hub.sdk.connector import Operation, ReadOperation, Record, WriteOperation
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.exact_json import canonical
from hub.sdk.guards import Conditional
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request, Response

_GREETING = {"$ref": "helloworld.greeting@1"}
_BY_ID = {
    "type": "object",
    "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 64}},
    "required": ["id"],
    "additionalProperties": False,
}


async def _read(session: Session, record: Record) -> Record:
    url = address(settings_of(session), "greetings", record["id"])
    return _greeting(await session.send(Request(method="GET", url=url)))


def _write(settings: HelloworldSettings, record: Record, key: EffectKey) -> Request:
    # The key is not needed: the greeting's own id names the place, and writing the same state twice changes nothing.
    return Request(
        method="PUT",
        url=address(settings, "greetings", record["id"]),
        headers={"content-type": "application/json"},
        body=canonical(dict(record)),
    )


def _greeting(response: Response) -> Record:
    greeting = read_object(response)
    if not isinstance(greeting.get("id"), str):
        raise OutcomeUnknown("The answer is not a greeting.", code="unreadable-answer")
    return {name: greeting[name] for name in ("id", "recipient", "language", "text", "version") if name in greeting}


def _about(request: Request, greeting: Record) -> bool:
    return bool(unquote(urlsplit(request.url).path.rpartition("/")[2]) == greeting["id"])


OPERATIONS: tuple[Operation, ...] = (
    ReadOperation(
        name="greeting.read",
        title="Read a greeting",
        input=_BY_ID,
        output=_GREETING,
        read=_read,
    ),
    WriteOperation(
        name="greeting.upsert",
        title="Write a greeting under its id",
        input=_GREETING,
        output=_GREETING,
        idempotency=Idempotency.UPSERT,
        request=_write,
        result=_greeting,
        about=_about,
        # The service keeps the highest version and answers `stale_version` to a lower one.
        guard=Conditional(refused=frozenset({"stale-version"})),
    ),
)
