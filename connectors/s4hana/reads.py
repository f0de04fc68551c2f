"""Reads of one record with what is below it, and of a record that may not be there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from connectors.s4hana.client import read_one
from connectors.s4hana.marks import number
from connectors.s4hana.odata.model import EntitySet
from hub.sdk.connector import ReadOperation, Record
from hub.sdk.session import Session


def input_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """Describe an input of texts, all of them needed."""
    return {
        "type": "object",
        "properties": {name: {"type": "string", "minLength": 1, "description": said} for name, said in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }


def rows_of(schema: Mapping[str, Any], name: str = "items") -> dict[str, Any]:
    """Describe an output that is a list of rows."""
    return {
        "type": "object",
        "properties": {name: {"type": "array", "items": schema}},
        "required": [name],
        "additionalProperties": False,
    }


def is_of(names: Mapping[str, str]) -> Callable[[Record, Record], bool]:
    """Make the test whether what came is what was asked for; `names` maps an input's field to a property."""
    return lambda asked, came: all(
        number(asked[field]) == number(came.get(property)) for field, property in names.items() if field in asked
    )


def read(
    *, name: str, title: str, entity: EntitySet, schema: str, key: Mapping[str, str], said: Mapping[str, str]
) -> ReadOperation:
    """Declare the read of a record; `key` maps an input's field to the property of the key, `said` describes it."""

    async def one(session: Session, wanted: Record) -> Record:
        return await read_one(session, entity, {property: wanted[field] for field, property in key.items()})

    reads: Callable[[Session, Record], Awaitable[Record]] = one
    return ReadOperation(
        name=name, title=title, input=input_of(said), output={"$ref": schema}, read=reads, about=is_of(key)
    )


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
