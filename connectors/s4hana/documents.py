"""Creations whose answer may be lost: each carries the hub's mark in a field by which it is found again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.s4hana.marks import mark
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.literals import condition
from connectors.s4hana.odata.model import EntitySet
from connectors.s4hana.odata.values import wire_entity
from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.connector import JsonSchema, Record, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.values import EffectKey, Idempotency, Request, Response

Output = Callable[[Mapping[str, Any]], Record]
#: What the mark of a write looks like.
MARK = re.compile(r"[A-Z2-7]{18,20}")


def created(**more: Any) -> dict[str, Any]:
    """Describe what a creation gives."""
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "number that S/4HANA gave"},
            "code": {"type": "string", "description": "the hub's mark on the record"},
            **more,
        },
        "required": ["id", "code", *more],
        "additionalProperties": False,
    }


def creation(
    *,
    name: str,
    title: str,
    entity: EntitySet,
    schema: JsonSchema,
    output: JsonSchema,
    gives: Output,
    field: Callable[[S4HanaSettings], str],
    fields: Sequence[str],
    lengths: Mapping[str, int],
    shows: Sequence[str] = (),
    deep: Sequence[str] = (),
    undo: str | None = None,
    check: Callable[[Record], None] = lambda record: None,
) -> WriteOperation:
    """Declare the creation of a record with all that is below it.

    `field` names the property that bears the mark, one of `fields`, each with its length. `gives` makes the output of
    the record as it came, of the properties `shows` and what is behind the paths `deep`. `check` refuses what SAP would
    take to be something else.
    """

    def request(settings: S4HanaSettings, record: Record, key: EffectKey) -> Request:
        check(record)
        marked = field(settings)
        if record.get(marked):
            raise FixData(
                f"The hub needs `{marked}` for its mark, by which it finds again what it made.",
                code="mark-taken",
                property=marked,
                advice="Leave the field to the hub; for orders another one can be chosen by the setting `order_mark`.",
            )
        body = wire_entity(entity, {**record, marked: mark(key, lengths[marked])})
        return requests.creating(settings.base_url, entity, body)

    def look(settings: S4HanaSettings, key: EffectKey) -> Request:
        marked = field(settings)
        wanted = condition(entity, marked, "eq", mark(key, lengths[marked]))
        select = [*entity.keys, *fields, *shows]
        return requests.many(settings.base_url, entity, filter=wanted, deep=deep, select=select)

    def found(response: Response, key: EffectKey) -> Record | None:
        rows = answers.whole(entity, response)
        marks = {(name, mark(key, lengths[name])) for name in fields}
        if not all(any((name, row.get(name)) in marks for name in fields) for row in rows):
            raise OutcomeUnknown("A record was found that was not asked for.", code="foreign-answer", set=entity.name)
        if len(rows) > 1:
            numbers = ", ".join(str(row[entity.keys[0]]) for row in rows)
            raise FixData("S/4HANA has several records of one write.", code="found-twice", ids=numbers)
        return told(rows[0]) if rows else None

    def told(record: Mapping[str, Any]) -> Record:
        shown = (str(record.get(name)) for name in fields)
        return {**gives(record), "code": next((each for each in shown if MARK.fullmatch(each)), "")}

    def about(request: Request, output: Record) -> bool:
        return bool(output["code"]) and f'"{output["code"]}"'.encode() in request.body

    def result(response: Response) -> Record:
        if response.status != 201:
            raise OutcomeUnknown("The creation was not confirmed.", code="unreadable-answer", status=response.status)
        return told(answers.raw_entity(entity, response))

    return WriteOperation(
        name=name,
        title=title,
        input=schema,
        output=output,
        idempotency=Idempotency.PROBE,
        request=request,
        result=result,
        about=about,
        look=look,
        found=found,
        undo=undo,
    )


def numbers_below(record: Mapping[str, Any], navigation: str, name: str) -> list[str]:
    """Give the numbers of what came with a record, such as those of its items."""
    value = record.get(navigation)
    rows = value.get("results") if isinstance(value, Mapping) else value
    return (
        [str(row[name]) for row in rows if isinstance(row, Mapping) and name in row] if isinstance(rows, list) else []
    )
