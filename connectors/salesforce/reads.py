"""Reads: one record with all its fields, by its own id or by another, with its lines where it has some; and queries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from connectors.salesforce.amounts import CURRENCY, assert_named, has_amounts, no_currency
from connectors.salesforce.answers import record_of
from connectors.salesforce.client import api_name, external_id, reading, record_id, settings_of
from connectors.salesforce.currency_queries import with_currencies_asked
from connectors.salesforce.describing import assert_there, columns, described, with_currencies, with_currency
from connectors.salesforce.expected import assert_expected
from connectors.salesforce.kinds import KINDS, ORDER_LINES, Kind, Lines
from connectors.salesforce.logins import is_same_id
from connectors.salesforce.settings import SalesforceSettings
from connectors.salesforce.soql import filled, pages, rows, select, text
from hub.sdk.answers import read_object
from hub.sdk.connector import JsonSchema, ReadOperation, Record
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.session import Session

#: One read holds no more rows in memory.
MOST_ROWS = 50_000
ID: JsonSchema = {"type": "string", "pattern": "^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$"}
NAME: JsonSchema = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,79}$"}
EXTERNAL: JsonSchema = {"type": "string", "minLength": 1, "maxLength": 255}
_BY_EITHER: JsonSchema = {
    "type": "object",
    "properties": {"id": ID, "external_id": EXTERNAL},
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
_OF_ANY: JsonSchema = {
    "type": "object",
    "properties": {"object": NAME, "id": ID, "field": NAME, "value": EXTERNAL},
    "required": ["object"],
    "oneOf": [{"required": ["id"]}, {"required": ["value"]}],
    "dependentRequired": {"field": ["value"]},
    "additionalProperties": False,
}
#: What a line tells of the product beside its own fields.
_PRODUCT = ("Product2.Id", "Product2.Name", "Product2.ProductCode")


async def one(session: Session, object: str, wanted: Record) -> dict[str, Any]:
    """Read one record by its `id`, or by the `value` of `field`, an external id; `FixData` where there is none.

    All fields are asked for, and those given that the settings select: a record that came whole shows by itself
    whether the org has several currencies.
    """
    settings = settings_of(session)
    if wanted.get("id") is not None:
        request = reading(settings, "sobjects", object, record_id(wanted["id"]))
        return _selected(settings, object, record_of(await session.send(request)))
    field, value = api_name(wanted.get("field", settings.external_id_of(object))), external_id(wanted["value"])
    record = record_of(await session.send(reading(settings, "sobjects", object, field, value)))
    if not _is_value(record.get(field), value):
        raise OutcomeUnknown("The answer is about another record.", code="foreign-answer", field=field)
    return _selected(settings, object, record, field)


def _selected(settings: SalesforceSettings, object: str, record: dict[str, Any], *key: str) -> dict[str, Any]:
    fields = settings.select.get(object)
    if fields is None:
        return record
    assert_there(object, fields, record)
    kept = {"Id", "SystemModstamp", CURRENCY, *key, *fields}
    return {name: value for name, value in record.items() if name in kept}


async def lines(session: Session, of: Lines, parent: str) -> list[dict[str, Any]]:
    """Read all records that belong to another, in the order of their ids; the fields are asked for anew each time."""
    names = [*await columns(session, of.object), *_PRODUCT]
    query = select(names, of.object, where=f"{of.parent} = {text(parent)}", order="Id")
    found = await rows(session, query, most=MOST_ROWS)
    return [*await with_currencies(session, [_of(line, of.parent, parent) for line in found], named=CURRENCY in names)]


async def orders(session: Session, contract: str) -> list[dict[str, Any]]:
    """Read the orders of a contract with their items, whose lists have pages of their own."""
    names, of_items = await columns(session, "Order"), await columns(session, ORDER_LINES.object)
    inner = select([*of_items, *_PRODUCT], ORDER_LINES.relation, order="Id")
    query = select([*names, f"({inner})"], "Order", where=f"ContractId = {text(contract)}", order="Id")
    found = []
    for order in await rows(session, query, most=MOST_ROWS):
        own = str(order.get("Id"))
        items = [_of(item, ORDER_LINES.parent, own) for item in order.get(ORDER_LINES.relation) or []]
        named = await with_currencies(session, items, named=CURRENCY in of_items)
        found.append({**_of(order, "ContractId", contract), ORDER_LINES.relation: [*named]})
    return [*await with_currencies(session, found, named=CURRENCY in names)]


async def whole(session: Session, kind: Kind, wanted: Record) -> Record:
    """Read a record of a kind with what belongs to it; its amounts have a currency, whatever the org's way."""
    given = {"id": wanted["id"]} if "id" in wanted else {"value": wanted["external_id"]}
    record = await one(session, kind.object, given)
    if kind.money:
        record = await with_currency(session, record)
    for of in kind.lines:
        record[of.relation] = await lines(session, of, record["Id"])
    if kind.name == "contract":
        record["Orders"] = await orders(session, record["Id"])
    return record


async def read_any(session: Session, wanted: Record) -> Record:
    """Read a record of any object; raises what `assert_sound` does."""
    object = api_name(wanted["object"])
    record = await one(session, object, wanted)
    assert_sound(settings_of(session), object, record)
    return {"record": record}


def assert_sound(settings: SalesforceSettings, object: str, record: Record) -> None:
    """Assert that a record of which no schema says anything has what the settings expect of it, and its currency.

    Raises `FixData` as `expected-field-gone` or `no-currency`, and `FixConnection` as `wrong-currency`.
    """
    assert_expected(settings, object, record)
    if CURRENCY in record:
        assert_named(settings, record)
    elif settings.learned.several and has_amounts(settings, object, record):
        raise no_currency(record)


async def find(session: Session, wanted: Record) -> Record:
    """Read a record of any object if there is one: what a query counts is Salesforce's own word for "none"."""
    object = api_name(wanted["object"])
    if "id" in wanted:
        where = f"Id = {text(record_id(wanted['id']))}"
    else:
        field = api_name(wanted.get("field", settings_of(session).external_id_of(object)))
        where = f"{field} = {text(external_id(wanted['value']))}"
    found = await rows(session, select(["Id"], object, where=where, limit=2))
    if len(found) > 1:
        ids = ", ".join(str(row.get("Id")) for row in found)
        raise FixData("Several records have this value.", code="found-twice", ids=ids)
    if not found:
        return {"record": None}
    return await read_any(session, {**wanted, "id": found[0].get("Id")})


async def query(session: Session, wanted: Record) -> Record:
    """Read the rows of `q`, with `values` in its places; children are plain lists, however many pages they had.

    Where the org has several currencies, the one of each amount is asked for too; `FixData` as `no-currency` for an
    amount of which no row could name it.
    """
    most = int(wanted.get("most", MOST_ROWS))
    soql, sums = await with_currencies_asked(session, filled(wanted["q"], wanted.get("values", {})))
    found: list[dict[str, Any]] = []
    async for page in pages(session, soql, deleted=wanted.get("deleted", False)):
        for row in page:
            sums.assert_named(settings_of(session), row)
        found.extend(page)
        if len(found) > most:
            raise FixData("The query has more rows than one read holds.", code="too-many-rows", most=most)
    return {"items": found}


async def count(session: Session, wanted: Record) -> Record:
    """Count the records of an object for which a condition holds."""
    whole_query = select(["COUNT()"], api_name(wanted["object"]), where=wanted.get("where", ""))
    soql = filled(whole_query, wanted.get("values", {}))
    settings = settings_of(session)
    answer = read_object(await session.send(reading(settings, "query", query={"q": soql})))
    total = answer.get("totalSize")
    if isinstance(total, bool) or not isinstance(total, int) or answer.get("records") != []:
        raise OutcomeUnknown("The answer is not a count.", code="unreadable-answer")
    return {"count": total}


async def describe(session: Session, wanted: Record) -> Record:
    """Tell what an object has: fields with their types and values, children, record types."""
    found = await described(session, wanted["object"])
    names = ("name", "label", "custom", "keyPrefix", "fields", "childRelationships", "recordTypeInfos")
    return {name: found[name] for name in names if name in found}


async def limits(session: Session, wanted: Record) -> Record:
    """Tell what is left of the org's limits: name → `{"Max", "Remaining"}`."""
    answer = read_object(await session.send(reading(settings_of(session), "limits")))
    if not isinstance(answer.get("DailyApiRequests"), dict):
        raise OutcomeUnknown("The answer does not tell the limits.", code="unreadable-answer")
    found = {name: value for name, value in answer.items() if isinstance(value, dict)}
    wrong = [name for name, value in found.items() if not {"Max", "Remaining"} <= value.keys()]
    if wrong:
        raise OutcomeUnknown("A limit cannot be read.", code="unreadable-answer", limit=wrong[0])
    return {"limits": {name: {part: value[part] for part in ("Max", "Remaining")} for name, value in found.items()}}


def _is_the_one(wanted: Record, came: Record) -> bool:
    """Tell whether what came has the id that was asked for; other values are compared when it is read."""
    record = came.get("record", came)
    return "id" not in wanted or record is None or is_same_id(wanted["id"], str(record.get("Id", "")))


def _of(row: dict[str, Any], parent: str, id: str) -> dict[str, Any]:
    if not is_same_id(id, str(row.get(parent, ""))):
        raise OutcomeUnknown("A line belongs to another record.", code="foreign-answer", field=parent)
    return row


def _is_value(shown: object, value: str) -> bool:
    # External ids are compared without regard to case, unless the field says otherwise.
    return shown is not None and not isinstance(shown, bool) and str(shown).lower() == value.lower()


def _typed(kind: Kind) -> ReadOperation:
    async def read(session: Session, wanted: Record) -> Record:
        return await whole(session, kind, wanted)

    reads: Callable[[Session, Record], Awaitable[Record]] = read
    return ReadOperation(
        name=f"{kind.name}.read",
        title=f"Read {kind.title}",
        input=_BY_EITHER,
        output={"$ref": kind.schema},
        read=reads,
        about=_is_the_one,
    )


_VALUES: Mapping[str, Any] = {"type": "object"}
_ANY: JsonSchema = {"type": "object", "properties": {"Id": {"type": "string"}}, "required": ["Id"]}
TYPED = tuple(_typed(kind) for kind in KINDS)
READS = (
    *TYPED,
    ReadOperation(
        name="record.read",
        title="Read a record of any object with all its fields",
        input=_OF_ANY,
        output={"type": "object", "properties": {"record": _ANY}, "required": ["record"]},
        read=read_any,
        about=_is_the_one,
    ),
    ReadOperation(
        name="record.find",
        title="Read a record of any object, or nothing where there is none",
        input=_OF_ANY,
        output={
            "type": "object",
            "properties": {"record": {"anyOf": [_ANY, {"type": "null"}]}},
            "required": ["record"],
        },
        read=find,
        about=_is_the_one,
    ),
    ReadOperation(
        name="record.query",
        title="Read the rows of a SOQL query",
        input={
            "type": "object",
            "properties": {
                "q": {"type": "string", "minLength": 1},
                "values": _VALUES,
                "deleted": {"type": "boolean"},
                "most": {"type": "integer", "minimum": 1, "maximum": MOST_ROWS},
            },
            "required": ["q"],
            "additionalProperties": False,
        },
        output={
            "type": "object",
            "properties": {"items": {"type": "array", "items": {"type": "object"}}},
            "required": ["items"],
        },
        read=query,
    ),
    ReadOperation(
        name="record.count",
        title="Count records of an object",
        input={
            "type": "object",
            "properties": {"object": NAME, "where": {"type": "string", "minLength": 1}, "values": _VALUES},
            "required": ["object"],
            "additionalProperties": False,
        },
        output={"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]},
        read=count,
    ),
    ReadOperation(
        name="object.describe",
        title="Tell what an object has: fields, types, values, children",
        input={
            "type": "object",
            "properties": {"object": NAME},
            "required": ["object"],
            "additionalProperties": False,
        },
        output={
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "label": {"type": "string"},
                "fields": {"type": "array", "items": {"type": "object"}},
            },
            "required": ["name", "fields"],
        },
        read=describe,
        about=lambda wanted, came: bool(wanted["object"] == came["name"]),
    ),
    ReadOperation(
        name="limits.read",
        title="Tell what is left of the org's limits",
        input={"type": "object", "properties": {}, "additionalProperties": False},
        output={
            "type": "object",
            "properties": {
                "limits": {
                    "type": "object",
                    "additionalProperties": {
                        "type": "object",
                        "properties": {"Max": {"type": "integer"}, "Remaining": {"type": "integer"}},
                        "required": ["Max", "Remaining"],
                    },
                }
            },
            "required": ["limits"],
        },
        read=limits,
    ),
)
