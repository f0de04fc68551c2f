"""Several records by one request: up to 200 of one object, or up to 25 of any.

What a row of the answer is about is told by its place, so such a request is one write with one outcome: all records or
none, or, of those of one object, each for itself where that is wished. What stands is read before it and after it, as
for a single record, for the fields that the records name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.salesforce import currency_writes
from connectors.salesforce.amounts import CURRENCY, in_another
from connectors.salesforce.answers import first_refusal, is_id, moment, plain, results_of, rows_of
from connectors.salesforce.client import api_name, path, writing
from connectors.salesforce.failures import understood
from connectors.salesforce.keyed import all_keyed, by_value
from connectors.salesforce.reads import EXTERNAL, NAME
from connectors.salesforce.row_results import FAILED, ROWS, UNPROCESSED, joined, not_applied, of_collection
from connectors.salesforce.row_results import written as row_written
from connectors.salesforce.settings import SalesforceSettings
from connectors.salesforce.soql import asked, read_whole, select, text
from connectors.salesforce.standing import digest, named_by, shown_as, shows
from connectors.salesforce.writes import FIELDS
from hub.sdk.answers import read_object
from hub.sdk.calls import Calls
from hub.sdk.connector import JsonSchema, Record, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import loads
from hub.sdk.guards import ByPart, Look, Part, ReadBefore, Standing
from hub.sdk.values import EffectKey, Idempotency, Request, Response

MOST_OF_ONE, MOST_OF_ANY = 200, 25
_IDS: JsonSchema = {
    "type": "object",
    "properties": {"ids": {"type": "array", "items": {"type": "string"}}},
    "required": ["ids"],
    "additionalProperties": False,
}
#: What is beside the ids comes where each record is for itself.
_IDS_OR_ROWS: JsonSchema = {
    **_IDS,
    "properties": {
        **_IDS["properties"],
        "written": {"type": "integer"},
        "rows": ROWS,
        "failed": FAILED,
        "unprocessed": UNPROCESSED,
    },
}
_UNDONE = "PROCESSING_HALTED"


# --- up to 200 of one object ---


def _upserts(settings: SalesforceSettings, record: Record, key: EffectKey) -> Request:
    """Form the write of many records of one object; `FixData` for an id that comes twice."""
    found = all_keyed(settings, record)
    object, field = found[0].object, found[0].field
    rows = [{"attributes": {"type": object}, **row.fields, field: row.value} for row in found]
    body = {"allOrNone": record.get("all_or_none", True), "records": rows}
    request = writing(settings, "PATCH", "composite", "sobjects", object, field, body=body)
    # That it can be looked at is known before it is sent.
    _query_of_one(settings, request, currency=True)
    return request


def _upserted(response: Response) -> Record:
    """Give the ids, in their own order; raises what Salesforce says of the record for which it took all back."""
    results = results_of(response)
    refusal = first_refusal(results)
    if refusal is not None:
        raise refusal
    return {"ids": sorted(str(result["id"]) for result in results)}


def _upserted_as_sent(request: Request, response: Response) -> Record:
    """Give what became of all records, or of each where one may be refused for itself."""
    if not _is_by_row(request):
        return _upserted(response)
    return of_collection(_values(request), results_of(response))


def _is_about_all(request: Request, output: Record) -> bool:
    """Tell whether there is a result for each record: what one is about is told by its place alone."""
    others = len(output.get("failed", ())) + len(output.get("unprocessed", ()))
    return len(output["ids"]) + others == len(_rows(request))


def _current_of_one(settings: SalesforceSettings, request: Request) -> Request:
    # An org with one currency refuses to be asked for it.
    return _query_of_one(settings, request, currency=not settings.currency)


def _looks_at_one(settings: SalesforceSettings, request: Request) -> Calls:
    """Go through the pages of what stands, with the currency that a write names, where records have one by now."""
    first = _current_of_one(settings, request)
    if settings.currency and any(CURRENCY in row for row in _rows(request)):
        several = yield from currency_writes.has_several(settings, _object(request))
        first = _query_of_one(settings, request, currency=several)
    return (yield from read_whole(settings, first))


def _query_of_one(settings: SalesforceSettings, request: Request, *, currency: bool) -> Request:
    object, field = _object(request), _field(request)
    written = _rows(request)
    names = {shown_as(name, value) for row in written for name, value in row.items()} - {"Id", field}
    names -= set() if currency else {CURRENCY}
    values = ", ".join(text(str(row[field])) for row in written)
    columns = ["Id", "SystemModstamp", field, *sorted(names)]
    return asked(settings, select(columns, api_name(object), where=f"{field} IN ({values})", order="Id"))


def _standing_of_one(response: Response) -> Standing | None:
    if response.status != 200:
        raise OutcomeUnknown("The answer is not a page of records.", code="unreadable-answer", status=response.status)
    answer = read_object(response)
    rows = [plain(row) for row in rows_of(answer, status=response.status)]
    if any(not is_id(row.get("Id")) for row in rows) or not answer["done"] or answer["totalSize"] != len(rows):
        raise OutcomeUnknown("The answer is not the whole of the records.", code="unreadable-answer")
    return _standing(rows)


def _holds_of_one(request: Request, response: Response) -> bool:
    found, parts = rows_of(read_object(response), status=response.status), _each_of_one(request, response)
    return len(found) == len(parts) and all(part.holds for part in parts)


def _parts_of_one(request: Request, response: Response) -> list[Part] | None:
    return _each_of_one(request, response) if _is_by_row(request) else None


def _each_of_one(request: Request, response: Response) -> list[Part]:
    field = _field(request)
    under = by_value(_found(response), field)
    return [_part(field, row, under(row[field])) for row in _rows(request)]


def _part(field: str, written: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> Part:
    """Give what stands in the place of one record; of several with its id none is it."""
    if not found:
        return Part(standing=None, holds=False)
    standing = Standing(
        version=_version([{"Id": row["Id"], **named_by(row, written)} for row in found]),
        output=row_written(written[field], str(found[0]["Id"]), False),
        changed_at=max(moment(row.get("SystemModstamp")) for row in found),
    )
    holds = len(found) == 1 and shows({**found[0], field: written[field]}, written)
    return Part(standing=standing, holds=holds)


def _output_of_parts(request: Request, parts: Sequence[Part]) -> Record:
    rows = [
        part.standing.output if part.holds and part.standing is not None else not_applied(value)
        for value, part in zip(_values(request), parts, strict=True)
    ]
    return joined(rows, refused=())


def _made(output: Record) -> list[bool]:
    return ["id" in row for row in output["rows"]]


def _within_one(request: Request, response: Response) -> str:
    field = _field(request)
    under = by_value(_rows(request), field)
    return _version([_counting(row, under(str(row.get(field)))) for row in _found(response)])


def _counting(row: Mapping[str, Any], written: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give those fields of a row that count: nothing else than what is written was asked for."""
    other = any(CURRENCY in named_by(row, one) for one in written)
    return {name: value for name, value in row.items() if name != "SystemModstamp" and (name != CURRENCY or other)}


def _found(response: Response) -> list[dict[str, Any]]:
    return [plain(row) for row in rows_of(read_object(response), status=response.status)]


def _refuses_one(given: Record, request: Request, response: Response) -> FixData | None:
    field = _field(request)
    under = by_value(_found(response), field)
    pairs = zip(given["records"], _rows(request), strict=True)
    found = (in_another(row["fields"], written, one) for row, written in pairs for one in under(written[field]))
    return next((refused for refused in found if refused is not None), None)


def _is_by_row(request: Request) -> bool:
    return loads(request.body)["allOrNone"] is False


def _field(request: Request) -> str:
    return request.url.split("?")[0].rpartition("/")[2]


def _object(request: Request) -> str:
    return request.url.split("?")[0].split("/")[-2]


def _values(request: Request) -> list[str]:
    field = _field(request)
    return [str(row[field]) for row in _rows(request)]


def _rows(request: Request) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if name != "attributes"} for row in loads(request.body)["records"]
    ]


# --- up to 25 of any object ---


def _writes(settings: SalesforceSettings, record: Record, key: EffectKey) -> Request:
    """Form a composite of upserts, in their order; a later record may lead to an earlier one by an external id."""
    found = all_keyed(settings, record)
    parts = [
        {
            "method": "PATCH",
            "url": path(settings, "sobjects", row.object, row.field, row.value),
            "referenceId": _reference(place, len(found)),
            "body": row.fields,
        }
        for place, row in enumerate(found)
    ]
    return writing(settings, "POST", "composite", body={"allOrNone": True, "compositeRequest": parts})


def _reference(place: int, count: int) -> str:
    """Name a part of a composite so that its answer shows by itself whether all parts are there."""
    return f"r{place}of{count}"


def _place(part: Mapping[str, Any]) -> int:
    return int(part["referenceId"].partition("of")[0].removeprefix("r"))


def _written(response: Response) -> Record:
    """Give the ids that are told, in their own order; raises what Salesforce says of the record that it refused.

    Of an answer without one of the parts, or with one too many, nobody knows what it is about.
    """
    parts = _parts(response)
    if [part["referenceId"] for part in parts] != [_reference(place, len(parts)) for place in range(len(parts))]:
        raise OutcomeUnknown("The answer is not about all records.", code="unreadable-answer", status=response.status)
    refused = [part for part in parts if part["httpStatusCode"] >= 300]
    if refused:
        raise _refusal(refused)
    told = [part for part in parts if part["httpStatusCode"] != 204]
    ids = [part["body"]["id"] for part in told if isinstance(part.get("body"), dict) and is_id(part["body"].get("id"))]
    if len(ids) != len(told):
        raise OutcomeUnknown("The answer does not name the records.", code="unreadable-answer")
    return {"ids": sorted(ids)}


def _current_of_any(settings: SalesforceSettings, request: Request) -> Request:
    """Form the reads of all that a composite would overwrite, as one batch, whose answers come in their order."""
    parts = [
        {"method": "GET", "url": part["url"].removeprefix("/services/data/")}
        for part in loads(request.body)["compositeRequest"]
    ]
    return writing(settings, "POST", "composite", "batch", body={"batchRequests": parts})


def _standing_of_any(response: Response) -> Standing | None:
    if response.status != 200:
        raise OutcomeUnknown("The answer does not show the records.", code="unreadable-answer", status=response.status)
    return _standing([record for record in _shown(response) if record is not None])


def _holds_of_any(request: Request, response: Response) -> bool:
    shown, parts = _shown(response), loads(request.body)["compositeRequest"]
    return len(shown) == len(parts) and all(
        record is not None and shows(record, part["body"]) for record, part in zip(shown, parts, strict=True)
    )


def _within_any(request: Request, response: Response) -> str:
    shown, parts = _shown(response), loads(request.body)["compositeRequest"]
    if len(shown) != len(parts):
        raise OutcomeUnknown("The answer shows other records.", code="unreadable-answer")
    return _version(
        [None if record is None else named_by(record, part["body"]) for record, part in zip(shown, parts, strict=True)]
    )


def _refuses_any(given: Record, request: Request, response: Response) -> FixData | None:
    rows = zip(given["records"], loads(request.body)["compositeRequest"], _shown(response), strict=True)
    found = (in_another(row["fields"], part["body"], one) for row, part, one in rows if one is not None)
    return next((refused for refused in found if refused is not None), None)


def _shown(response: Response) -> list[dict[str, Any] | None]:
    """Give the records that a batch of reads shows, in their order; None for what is not there."""
    results = read_object(response).get("results")
    if not isinstance(results, list) or not results:
        raise OutcomeUnknown("The answer is not that of a batch.", code="unreadable-answer", status=response.status)
    found: list[dict[str, Any] | None] = []
    for part in results:
        status, body = (part.get("statusCode"), part.get("result")) if isinstance(part, dict) else (None, None)
        if status == 200 and isinstance(body, dict) and is_id(body.get("Id")):
            found.append(plain(body))
        elif status == 404 and _codes(body) & {"NOT_FOUND", "ENTITY_IS_DELETED"}:
            found.append(None)
        else:
            raise OutcomeUnknown("A record's part of the answer cannot be read.", code="unreadable-answer")
    return found


def _parts(response: Response) -> list[dict[str, Any]]:
    parts = read_object(response).get("compositeResponse")
    if not isinstance(parts, list) or not parts:
        raise OutcomeUnknown("The answer is not that of a composite.", code="unreadable-answer", status=response.status)
    for part in parts:
        status = part.get("httpStatusCode") if isinstance(part, dict) else None
        if isinstance(status, bool) or not isinstance(status, int) or not isinstance(part.get("referenceId"), str):
            raise OutcomeUnknown("A part of the answer cannot be read.", code="unreadable-answer")
    return parts


def _refusal(parts: Sequence[Mapping[str, Any]]) -> Exception:
    """Give what Salesforce says of the record for which it took all back; the others only fell with it."""
    own = [part for part in parts if _UNDONE not in _codes(part.get("body"))] or list(parts)
    body = own[0].get("body")
    errors = [error for error in body if isinstance(error, Mapping)] if isinstance(body, list) else []
    error = understood(own[0]["httpStatusCode"], errors)
    error.facts = {**error.facts, "record": _place(own[0])}
    return error


def _codes(body: object) -> set[str]:
    errors = body if isinstance(body, list) else []
    return {str(error.get("errorCode")) for error in errors if isinstance(error, Mapping)}


# --- both ---


def _standing(rows: Sequence[Mapping[str, Any]]) -> Standing | None:
    if not rows:
        return None
    ids = sorted(str(row["Id"]) for row in rows)
    changed = max(moment(row.get("SystemModstamp")) for row in rows)
    return Standing(version=_version(rows), output={"ids": ids}, changed_at=changed)


def _version(rows: Sequence[Any]) -> str:
    return digest({str(place): row for place, row in enumerate(rows)})


_ONE: Mapping[str, Any] = {"value": EXTERNAL, "fields": FIELDS}
UPSERTS = WriteOperation(
    name="records.upsert",
    title="Write fields of up to 200 records of one object under their external ids: all or none, or each for itself",
    input={
        "type": "object",
        "properties": {
            "object": NAME,
            "field": NAME,
            "records": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": _ONE,
                    "required": ["value", "fields"],
                    "additionalProperties": False,
                },
                "minItems": 1,
                "maxItems": MOST_OF_ONE,
            },
            "all_or_none": {"type": "boolean"},
        },
        "required": ["object", "records"],
        "additionalProperties": False,
    },
    output=_IDS_OR_ROWS,
    idempotency=Idempotency.UPSERT,
    request=_upserts,
    result=_upserted,
    about=_is_about_all,
    beside=_upserted_as_sent,
    calls=currency_writes.calls,
    guard=ReadBefore(
        look=Look(
            current=_current_of_one,
            standing=_standing_of_one,
            holds=_holds_of_one,
            within=_within_one,
            by_part=ByPart(parts=_parts_of_one, made=_made, output=_output_of_parts),
            calls=_looks_at_one,
        ),
        refuses=_refuses_one,
    ),
)
WRITES = WriteOperation(
    name="records.write",
    title="Write fields of up to 25 records of any objects under their external ids, all or none",
    input={
        "type": "object",
        "properties": {
            "records": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"object": NAME, "field": NAME, **_ONE},
                    "required": ["object", "value", "fields"],
                    "additionalProperties": False,
                },
                "minItems": 1,
                "maxItems": MOST_OF_ANY,
            }
        },
        "required": ["records"],
        "additionalProperties": False,
    },
    output=_IDS,
    idempotency=Idempotency.UPSERT,
    request=_writes,
    result=_written,
    calls=currency_writes.calls,
    guard=ReadBefore(
        look=Look(current=_current_of_any, standing=_standing_of_any, holds=_holds_of_any, within=_within_any),
        refuses=_refuses_any,
    ),
)
