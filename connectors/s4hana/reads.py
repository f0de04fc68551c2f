"""Reads of one record with what is below it, by its number or, where it may not be there, by any of its names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from connectors.s4hana.client import read_all, read_one
from connectors.s4hana.failures import NOT_FOUND
from connectors.s4hana.marks import key_part
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.literals import all_of, condition
from connectors.s4hana.odata.model import EntitySet
from connectors.s4hana.odata.values import read_entity, shown_entity
from hub.sdk.calls import Course
from hub.sdk.connector import ReadOperation, Record
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.session import Session
from hub.sdk.values import Response

#: Reads a record with all its parts, which must have come with it.
WHOLE = answers.expanded(read_entity)


def input_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """Describe an input of texts, all of them needed."""
    return {
        "type": "object",
        "properties": {name: {"type": "string", "minLength": 1, "description": said} for name, said in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }


def is_of(names: Mapping[str, str]) -> Callable[[Record, Record], bool]:
    """Make the test whether what came is what was asked for; `names` maps an input's field to a property."""
    return lambda asked, came: all(
        key_part(property, asked[field]) == key_part(property, came.get(property))
        for field, property in names.items()
        if field in asked
    )


def read(
    *, name: str, title: str, entity: EntitySet, schema: str, key: Mapping[str, str], said: Mapping[str, str]
) -> ReadOperation:
    """Declare the read of a record; `key` maps an input's field to the property of the key, `said` describes it."""

    async def one(session: Session, wanted: Record) -> Record:
        return await read_one(session, entity, {property: wanted[field] for field, property in key.items()})

    reads: Callable[[Session, Record], Awaitable[Record]] = one
    return ReadOperation(
        name=name,
        title=title,
        input=input_of(said),
        output={"$ref": schema},
        read=reads,
        about=is_of(key),
        claim=unread(
            entity,
            schema,
            reads=lambda response: WHOLE(entity, answers.raw_entity(entity, response)),
            shows=lambda response: shown_entity(entity, answers.claimed_entity(entity, response)),
        ),
    )


def unread(
    entity: EntitySet,
    schema: str,
    *,
    reads: Callable[[Response], Any],
    shows: Callable[[Response], Record] | None = None,
) -> Callable[[Response], tuple[str, Record]]:
    """Make the claim of answers that cannot be read: as they came, they tell what became another type, or is gone.

    What can be read is compared by itself. `reads` raises for what cannot, and `shows` gives that, usually as
    `{"items": [...]}`.
    """

    def rows(response: Response) -> Record:
        return {"items": [shown_entity(entity, row) for row in answers.claimed_rows(entity, response)]}

    def claim(response: Response) -> tuple[str, Record]:
        try:
            reads(response)
        except (FixData, OutcomeUnknown):
            return schema, (shows or rows)(response)
        raise OutcomeUnknown("It can be read.", code="unreadable-answer", set=entity.name)

    return claim


def find_one(
    *, name: str, title: str, entity: EntitySet, query: str, schema: str, called: Mapping[str, str]
) -> ReadOperation:
    """Declare the look for a record that may not be there: `{NAME: record | null}`, with NAME from the operation's.

    `query` is the schema of the input, and `called` maps its fields to properties that all must match; what is found is
    compared with `schema`, as a record that is read by itself. `FixData` as `found-twice` where several records match.
    """
    found = name.partition(".")[0]
    is_called_so = is_of(called)
    key = entity.keys[0]

    async def one(session: Session, wanted: Record) -> Record:
        conditions = [
            condition(entity, property, "eq", wanted[field]) for field, property in called.items() if field in wanted
        ]
        deep = [path for path, _ in entity.paths()]
        rows = await read_all(session, entity, filter=all_of(conditions), deep=deep, order=key, read=WHOLE)
        if not all(is_called_so(wanted, row) for row in rows):
            raise FixData("Another record came than the one asked for.", code="foreign-answer", set=entity.name)
        if len(rows) > 1:
            ids = ", ".join(str(row[key]) for row in rows)
            raise FixData("Several records have this name.", code="found-twice", set=entity.name, ids=ids)
        return {found: rows[0] if rows else None}

    def is_meant(wanted: Record, came: Record) -> bool:
        return came[found] is None or is_called_so(wanted, came[found])

    def claim(response: Response) -> tuple[str, Record]:
        rows = answers.claimed_rows(entity, response)
        if not rows:
            raise OutcomeUnknown("Nothing was found.", code="unreadable-answer", set=entity.name)
        return schema, shown_entity(entity, rows[0])

    return ReadOperation(
        name=name,
        title=title,
        input={"$ref": query},
        output={
            "type": "object",
            "properties": {found: {"anyOf": [{"type": "object"}, {"type": "null"}]}},
            "required": [found],
            "additionalProperties": False,
        },
        read=one,
        about=is_meant,
        claim=claim,
    )


def there(base: str, entity: EntitySet, key: Mapping[str, Any]) -> Course[Response | None]:
    """Go through the read of a record with all below it; None where Gateway itself says that there is none."""
    try:
        return (yield requests.one(base, entity, key))
    except FixData as refusal:
        # Who says so without saying why stands before Gateway.
        if refusal.code != NOT_FOUND or not refusal.facts.get("error"):
            raise OutcomeUnknown("Nobody can say whether it is there.", code="unreadable-answer") from refusal
        return None


def listing_input(
    properties: Mapping[str, Mapping[str, Any]], required: Sequence[str] = (), **more: Any
) -> dict[str, Any]:
    """Describe the input of a list."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
        **more,
    }
