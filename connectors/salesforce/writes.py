"""Writes of one record: under an id that it has elsewhere, under its own, made anew with a mark, and deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.salesforce import currency_writes
from connectors.salesforce.amounts import written_in
from connectors.salesforce.answers import changed, is_id, written
from connectors.salesforce.client import api_name, path, record_id, writing
from connectors.salesforce.failures import understood
from connectors.salesforce.keyed import keyed
from connectors.salesforce.reads import EXTERNAL, ID, NAME
from connectors.salesforce.settings import SalesforceSettings
from connectors.salesforce.standing import GUARD, GUARD_BY_ID
from hub.sdk.answers import read_object
from hub.sdk.bulk import Bulk, Result
from hub.sdk.connector import JsonSchema, Record, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import loads
from hub.sdk.values import EffectKey, Idempotency, Request, Response

#: What a write says of the record: its id, where it is told, and whether it is new.
WRITTEN: JsonSchema = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "created": {"type": "boolean"}},
    "required": ["created"],
    "additionalProperties": False,
}
FIELDS: JsonSchema = {"type": "object", "minProperties": 1}
#: Graphs of one request.
MOST_GRAPHS = 75
#: A record's id is never given to another one, so that deleting it twice is deleting it once.
_FOR_EVER = 50 * 365 * 86_400.0


def upsert_request(
    settings: SalesforceSettings, object: str, value: Any, fields: Mapping[str, Any], field: str | None = None
) -> Request:
    """Form the write of fields under an external id, which makes the record where there is none.

    The id stands in the address alone.
    """
    row = keyed(settings, object, value, fields, field)
    return writing(settings, "PATCH", "sobjects", row.object, row.field, row.value, body=row.fields)


def _upsert(settings: SalesforceSettings, record: Record, key: EffectKey) -> Request:
    return upsert_request(settings, record["object"], record["value"], record["fields"], record.get("field"))


def _create(settings: SalesforceSettings, record: Record, key: EffectKey) -> Request:
    """Form an insert that happens once: under the effect's key, in the field for ids that records have elsewhere."""
    object = api_name(record["object"])
    field = api_name(record.get("field", settings.external_id_of(object)))
    if field in record["fields"]:
        raise FixData(
            "The record has an id of another system already: write it with `record.upsert`.",
            code="bad-external-id",
            field=field,
        )
    return upsert_request(settings, object, key, record["fields"], field)


def _creates(settings: SalesforceSettings, items: Sequence[tuple[EffectKey, Record]], key: EffectKey) -> Request:
    """Form inserts of many records by one request: a graph for each, which falls by itself, named by its key."""
    graphs = []
    for own, record in items:
        alone = _create(settings, record, own)
        url = alone.url.removeprefix(settings.base_url)
        part = {"method": "PATCH", "url": url, "referenceId": "record", "body": loads(alone.body)}
        graphs.append({"graphId": own, "compositeRequest": [part]})
    return writing(settings, "POST", "composite", "graph", body={"graphs": graphs})


def _created(response: Response) -> list[Result]:
    """Give what became of each graph, by its name."""
    graphs = read_object(response).get("graphs")
    if not isinstance(graphs, list):
        raise OutcomeUnknown("The answer has no graphs.", code="unreadable-answer", status=response.status)
    return [_of_graph(graph) for graph in graphs]


def _of_graph(graph: Any) -> Result:
    inner = graph.get("graphResponse") if isinstance(graph, dict) else None
    parts = inner.get("compositeResponse") if isinstance(inner, dict) else None
    part = parts[0] if isinstance(parts, list) and len(parts) == 1 else None
    if not isinstance(part, dict):
        raise OutcomeUnknown("A graph of the answer cannot be read.", code="unreadable-answer")
    name, status, body = str(graph.get("graphId")), part.get("httpStatusCode"), part.get("body")
    if status in (200, 201) and isinstance(body, dict) and body.get("success") is True and is_id(body.get("id")):
        return name, {"id": body["id"], "created": True}
    errors = [error for error in body if isinstance(error, Mapping)] if isinstance(body, list) else []
    if not errors or isinstance(status, bool) or not isinstance(status, int) or status < 400:
        return name, OutcomeUnknown("A graph of the answer cannot be read.", code="unreadable-answer")
    return name, understood(status, errors)


def _made(response: Response) -> Record:
    # A repeat finds what the first one made.
    return {**written(response), "created": True}


def _update(settings: SalesforceSettings, record: Record, key: EffectKey) -> Request:
    object = api_name(record["object"])
    fields = {api_name(name): value for name, value in record["fields"].items() if name not in ("Id", "attributes")}
    body = written_in(settings, object, fields)
    return writing(settings, "PATCH", "sobjects", object, record_id(record["id"]), body=body)


def _delete(settings: SalesforceSettings, record: Record, key: EffectKey) -> Request:
    """Form the deletion as a composite of one, whose answer names what it is about."""
    url = path(settings, "sobjects", api_name(record["object"]), record_id(record["id"]))
    subrequest = {"method": "DELETE", "url": url, "referenceId": f"{record['id']}_{key}"}
    body = {"allOrNone": True, "compositeRequest": [subrequest]}
    return writing(settings, "POST", "composite", body=body)


def _deleted(response: Response) -> Record:
    """Tell that a record is gone: now, or before; raises what Salesforce says of one that stays."""
    parts = read_object(response).get("compositeResponse")
    part = parts[0] if isinstance(parts, list) and len(parts) == 1 else None
    status = part.get("httpStatusCode") if isinstance(part, dict) else None
    if not isinstance(part, dict) or isinstance(status, bool) or not isinstance(status, int):
        raise OutcomeUnknown("The answer does not tell of the deletion.", code="unreadable-answer")
    gone = {"id": str(part.get("referenceId")).partition("_")[0], "deleted": True}
    if status == 204:
        return gone
    body = part.get("body")
    errors = [error for error in body if isinstance(error, Mapping)] if isinstance(body, list) else []
    if any(error.get("errorCode") == "ENTITY_IS_DELETED" for error in errors):
        return gone
    if not errors or status < 400:
        raise OutcomeUnknown("The answer does not tell of the deletion.", code="unreadable-answer", status=status)
    error = understood(status, errors)
    if isinstance(error, FixData):
        raise error
    facts: dict[str, Any] = dict(error.facts)
    raise OutcomeUnknown(error.detail, code=error.code, **facts)


def _is_this_one(request: Request, output: Record) -> bool:
    return f'/{output["id"]}"'.encode() in request.body


UPSERT = WriteOperation(
    name="record.upsert",
    title="Write fields of a record of any object under its external id",
    input={
        "type": "object",
        "properties": {"object": NAME, "field": NAME, "value": EXTERNAL, "fields": FIELDS},
        "required": ["object", "value", "fields"],
        "additionalProperties": False,
    },
    output=WRITTEN,
    idempotency=Idempotency.UPSERT,
    request=_upsert,
    result=written,
    calls=currency_writes.calls,
    guard=GUARD,
)
CREATE = WriteOperation(
    name="record.create",
    title="Make a record of any object, marked with the effect's key",
    input={
        "type": "object",
        "properties": {"object": NAME, "field": NAME, "fields": FIELDS},
        "required": ["object", "fields"],
        "additionalProperties": False,
    },
    output=WRITTEN,
    idempotency=Idempotency.NATIVE,
    request=_create,
    result=_made,
    calls=currency_writes.calls,
    # The mark stays as long as the record.
    remembers=_FOR_EVER,
    bulk=Bulk(size=MOST_GRAPHS, request=_creates, results=_created),
)
UPDATE = WriteOperation(
    name="record.update",
    title="Write fields of a record of any object under its own id",
    input={
        "type": "object",
        "properties": {"object": NAME, "id": ID, "fields": FIELDS},
        "required": ["object", "id", "fields"],
        "additionalProperties": False,
    },
    output=WRITTEN,
    idempotency=Idempotency.UPSERT,
    request=_update,
    result=changed,
    calls=currency_writes.calls,
    guard=GUARD_BY_ID,
)
DELETE = WriteOperation(
    name="record.delete",
    title="Put a record into the recycle bin",
    input={
        "type": "object",
        "properties": {"object": NAME, "id": ID},
        "required": ["object", "id"],
        "additionalProperties": False,
    },
    output={
        "type": "object",
        "properties": {"id": {"type": "string"}, "deleted": {"type": "boolean"}},
        "required": ["id", "deleted"],
        "additionalProperties": False,
    },
    idempotency=Idempotency.NATIVE,
    request=_delete,
    result=_deleted,
    about=_is_this_one,
    remembers=_FOR_EVER,
    erases=True,
)
