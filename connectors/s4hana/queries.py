"""A query over any declared set: conditions are formed by the types of the properties, never taken as text."""

from __future__ import annotations

from typing import Any

from connectors.s4hana.client import MOST_ROWS, read_all
from connectors.s4hana.odata.literals import FUNCTIONS, OPERATORS, all_of, any_of, condition
from connectors.s4hana.odata.model import EntitySet, entity_set, services
from hub.sdk.connector import ReadOperation, Record
from hub.sdk.errors import FixData
from hub.sdk.session import Session

_SERVICES = sorted(services())
_CONDITION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "property": {"type": "string", "minLength": 1},
        "operator": {"enum": sorted(OPERATORS | FUNCTIONS)},
        "value": {"type": ["string", "boolean", "integer", "null"]},
        "any": {"type": "array", "items": {"type": ["string", "boolean", "integer"]}, "minItems": 1, "maxItems": 50},
    },
    "required": ["property"],
    "oneOf": [{"required": ["value"]}, {"required": ["any"]}],
    "additionalProperties": False,
}


async def query(session: Session, wanted: Record) -> Record:
    """Read all rows for which every condition holds, in the order of their key unless another is given.

    `any` in the place of `value` wants one of several values. A set that adds up (an aggregate) adds up over what
    `select` leaves out.
    """
    entity = entity_set(wanted["service"], wanted["set"])
    select = wanted.get("select", tuple(entity.properties))
    deep = tuple(wanted.get("expand", ()))
    known = {path for path, _ in entity.paths()}
    if not known.issuperset(deep):
        unknown = ", ".join(sorted(set(deep) - known))
        raise FixData("The set does not lead there.", code="unknown-navigation", unknown=unknown[:200])
    rows = await read_all(
        session,
        entity,
        filter=all_of([_condition(entity, each) for each in wanted.get("where", ())]),
        order=_order(entity, wanted),
        select=select,
        deep=deep,
        most=int(wanted.get("most", MOST_ROWS)),
    )
    return {"items": rows}


def _condition(entity: EntitySet, given: Record) -> str:
    name, operator = given["property"], given.get("operator", "eq")
    if "any" in given:
        return any_of([condition(entity, name, operator, value) for value in given["any"]])
    return condition(entity, name, operator, given["value"])


def _order(entity: EntitySet, wanted: Record) -> str:
    """Give the order: without one, pages might overlap. Rows of an aggregate have no key that could be sorted by."""
    given = wanted.get("order_by")
    if given is not None:
        return ",".join(name for name in given if entity.kind(name))
    if entity.aggregate:
        return ",".join(name for name in wanted.get("select") or () if not name.startswith("Amount"))
    return ",".join(entity.keys)


QUERY = ReadOperation(
    name="odata.query",
    title="Read rows of any declared set",
    input={
        "type": "object",
        "properties": {
            "service": {"enum": _SERVICES},
            "set": {"type": "string", "minLength": 1},
            "where": {"type": "array", "items": _CONDITION, "maxItems": 20},
            "select": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "expand": {"type": "array", "items": {"type": "string"}},
            "order_by": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "most": {"type": "integer", "minimum": 1, "maximum": MOST_ROWS},
        },
        "required": ["service", "set"],
        "additionalProperties": False,
    },
    output={
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"type": "object"}}},
        "required": ["items"],
        "additionalProperties": False,
    },
    read=query,
)
