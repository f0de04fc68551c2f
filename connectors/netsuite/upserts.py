"""What all records have in common: the whole target state under an external id, and the read with all sublists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.netsuite.answers import marked_row, memo, record_of, whole, written
from connectors.netsuite.client import (
    RECORDS,
    external_key,
    has_the_key_asked_for,
    read_key,
    record_url,
    settings_of,
    sublists,
    suiteql,
    write,
)
from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.standing import GUARD, GUARD_WITHIN
from hub.sdk.answers import read_object
from hub.sdk.connector import JsonSchema, ReadOperation, Record, WriteOperation
from hub.sdk.errors import FixData
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request, Response

#: What a read accepts: an internal id (or `eid:` key), or an external id.
KEY_INPUT = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "external_id": {"type": "string"}},
    "minProperties": 1,
    "additionalProperties": False,
}
#: What a write gives: the internal id.
ID_OUTPUT = {
    "type": "object",
    "properties": {"id": {"type": "string"}},
    "required": ["id"],
    "additionalProperties": False,
}
_NOT_WRITTEN = frozenset({"id", "externalId", "links"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One record type: its name in addresses, what people call it, its schema, and the sublists written whole.

    One of the sublists in `needed` must have lines, since a record without them would come to be something else.
    """

    record: str
    called: str
    schema: str
    sublists: Sequence[str] = ()
    needed: Sequence[str] = ()

    def body(self, record: Record) -> dict[str, Any]:
        """Give what is sent of a record; `FixData` when it has no lines."""
        body = sublists({name: value for name, value in record.items() if name not in _NOT_WRITTEN}, *self.sublists)
        if self.needed and not any((body.get(name) or {}).get("items") for name in self.needed):
            raise FixData(
                f"A {self.called} needs its lines in `{'` or `'.join(self.needed)}`.",
                code="no-lines",
                external_id=record.get("externalId"),
            )
        return body


def upsert(kind: Kind, *, name: str, undo: str | None = None) -> WriteOperation:
    """Declare the write of a record's whole state under its `externalId`.

    Without `replace` NetSuite would append the lines of a repeated write once more.
    """

    def request(settings: NetSuiteSettings, record: Record, key: EffectKey) -> Request:
        eid = external_key(record.get("externalId"))
        body = kind.body(record)
        replaced = ",".join(sublist for sublist in kind.sublists if sublist in body)
        query = {"replace": replaced} if replaced else None
        return write("PUT", record_url(settings, kind.record, eid, query), body)

    return WriteOperation(
        name=name,
        title=f"Write a {kind.called}'s whole state under its external id",
        input={"$ref": kind.schema},
        output=ID_OUTPUT,
        idempotency=Idempotency.UPSERT,
        request=request,
        result=written,
        undo=undo,
        guard=GUARD,
    )


def upsert_named(kind: Kind, *, name: str) -> WriteOperation:
    """Declare the write of the fields that are given: under the internal id where the record has one, else the other.

    Others write other fields of such a record, so the guard watches those alone that the write names. Without `replace`
    NetSuite would append the lines of a repeated write once more. An empty text clears a field.
    """

    def request(settings: NetSuiteSettings, record: Record, key: EffectKey) -> Request:
        body = kind.body(record)
        replaced = ",".join(sublist for sublist in kind.sublists if sublist in body)
        query = {"replace": replaced} if replaced else None
        if record.get("id") is not None:
            return write("PATCH", record_url(settings, kind.record, read_key({"id": record["id"]}), query), body)
        return write("PUT", record_url(settings, kind.record, external_key(record.get("externalId")), query), body)

    return WriteOperation(
        name=name,
        title=f"Write the fields of a {kind.called} that are given, under its external or its internal id",
        input={"$ref": kind.schema},
        output=ID_OUTPUT,
        idempotency=Idempotency.UPSERT,
        request=request,
        result=written,
        guard=GUARD_WITHIN,
    )


def read(kind: Kind, *, name: str, title: str) -> ReadOperation:
    """Declare the read of a record in NetSuite's shape, with all its lines."""

    async def one(session: Session, wanted: Record) -> Record:
        query = {"expandSubResources": "true"} if kind.sublists else None
        url = record_url(settings_of(session), kind.record, read_key(wanted), query)
        return whole(record_of(await session.send(Request(method="GET", url=url))), *kind.sublists)

    reads: Callable[[Session, Record], Awaitable[Record]] = one
    return ReadOperation(
        name=name,
        title=title,
        input=KEY_INPUT,
        output={"$ref": kind.schema},
        read=reads,
        about=has_the_key_asked_for,
        claim=_claim(kind),
    )


def find(kind: Kind, *, name: str) -> ReadOperation:
    """Declare the read of a record that may not be there: `{NAME: record | null}`, with NAME from the operation's.

    Only NetSuite itself can say that there is none; a gateway's 404 stays an error. What is there is compared with the
    record's schema as one is that is read by itself.
    """
    called = name.partition(".")[0]

    async def one(session: Session, wanted: Record) -> Record:
        query = {"expandSubResources": "true"} if kind.sublists else None
        url = record_url(settings_of(session), kind.record, read_key(wanted), query)
        try:
            answer = await session.send(Request(method="GET", url=url))
        except FixData as error:
            if error.facts.get("error") != "NONEXISTENT_ID":
                raise
            return {called: None}
        return {called: whole(record_of(answer), *kind.sublists)}

    def is_the_one_asked_for(wanted: Record, came: Record) -> bool:
        return came[called] is None or has_the_key_asked_for(wanted, came[called])

    return ReadOperation(
        name=name,
        title=f"Read a {kind.called}, or nothing where there is none",
        input=KEY_INPUT,
        output={
            "type": "object",
            "properties": {called: {"type": ["object", "null"]}},
            "required": [called],
            "additionalProperties": False,
        },
        read=one,
        about=is_the_one_asked_for,
        claim=_claim(kind),
    )


def _claim(kind: Kind) -> Callable[[Response], tuple[str, Record]]:
    """Give what says of what shape an answer is: whatever it lacks, so that what cannot be read is named."""

    def claim(answer: Response) -> tuple[str, Record]:
        return kind.schema, read_object(answer)

    return claim


def taking_back(
    *,
    name: str,
    title: str,
    input: JsonSchema,
    made: str,
    form: Callable[[NetSuiteSettings, Record], tuple[str, Mapping[str, Any]]],
) -> WriteOperation:
    """Declare a further document that takes a record back; the effect key goes into its memo.

    NetSuite's record service has no way to void a document, and books are corrected by a further entry anyway.

    `form` gives the address below the record service and the body without the memo; `made` is what SuiteQL calls the
    type of the further document, by which an earlier attempt is found.
    """

    def request(settings: NetSuiteSettings, record: Record, key: EffectKey) -> Request:
        path, body = form(settings, record)
        return write("POST", f"{settings.base_url}{RECORDS}/{path}", {**body, "memo": memo(key)})

    def look(settings: NetSuiteSettings, key: EffectKey) -> Request:
        query = "SELECT id, tranid, memo FROM transaction WHERE type = ? AND memo = ? ORDER BY id"
        return suiteql(settings, query, [made, memo(key)])

    return WriteOperation(
        name=name,
        title=title,
        input=input,
        output=ID_OUTPUT,
        idempotency=Idempotency.PROBE,
        request=request,
        result=written,
        look=look,
        found=marked_row,
    )


def lines(record: Record, sublist: str) -> Sequence[Mapping[str, Any]]:
    """Give the lines of a sublist, however they are written."""
    written_as = record.get(sublist)
    found = written_as.get("items") if isinstance(written_as, Mapping) else written_as
    return found or ()


def picked(record: Record, names: Sequence[str]) -> dict[str, Any]:
    """Give the named fields that a record has."""
    return {name: record[name] for name in names if record.get(name) is not None}
