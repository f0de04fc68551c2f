"""What Salesforce's good answers say: a record, what was written, rows of a query."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.salesforce.failures import of_row
from hub.sdk.answers import read_object
from hub.sdk.connector import Record
from hub.sdk.errors import FixData, HubError, OutcomeUnknown
from hub.sdk.exact_json import loads
from hub.sdk.values import Response

#: Parts of a record that are told in fields of their own too.
_BESIDE = "attributes"
#: What an address consists of; any of it may be gone.
_PARTS = ("Street", "City", "PostalCode", "State", "Country")


def plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """Give a record without what describes it, and without addresses and places, whose parts are fields too.

    A record that it leads to stays, in the same form.
    """
    found: dict[str, Any] = {}
    for name, value in record.items():
        if name == _BESIDE or (value is None and _is_whole(name, record)):
            continue
        if not isinstance(value, dict):
            found[name] = value
        elif _BESIDE in value:
            found[name] = plain(value)
    return found


def _is_whole(name: str, record: Mapping[str, Any]) -> bool:
    """Tell whether a field is an address as a whole, which is null where no part of it is there."""
    return name.endswith("Address") and any(f"{name.removesuffix('Address')}{part}" in record for part in _PARTS)


def record_of(response: Response) -> dict[str, Any]:
    """Give the record that was asked for; every record has an id, and what has none is somebody else's word."""
    record = read_object(response)
    if not is_id(record.get("Id")) or not isinstance(record.get(_BESIDE), dict):
        raise OutcomeUnknown("The answer is not a record.", code="unreadable-answer", status=response.status)
    return plain(record)


def written(response: Response) -> Record:
    """Give `{"id", "created"}` of an upsert or an insert; older versions answer a change with nothing at all."""
    if response.status == 204 and not response.body:
        return {"created": False}
    answer = read_object(response)
    if response.status not in (200, 201) or answer.get("success") is not True or not is_id(answer.get("id")):
        raise OutcomeUnknown(
            "The write was answered without naming the record.", code="unreadable-answer", status=response.status
        )
    created = answer.get("created", response.status == 201)
    if not isinstance(created, bool):
        raise OutcomeUnknown("The answer cannot be read.", code="unreadable-answer", status=response.status)
    return {"id": answer["id"], "created": created}


def changed(response: Response) -> Record:
    """Give the outcome of a change under an id, which is answered with nothing at all."""
    if response.status != 204 or response.body:
        raise OutcomeUnknown("The change was answered otherwise.", code="unreadable-answer", status=response.status)
    return {"created": False}


def rows_of(answer: Mapping[str, Any], *, status: int) -> list[dict[str, Any]]:
    """Give the rows of one page of a query, as they are; what has none says nothing about what there is."""
    records, done, total = answer.get("records"), answer.get("done"), answer.get("totalSize")
    if (
        not isinstance(records, list)
        or not all(isinstance(row, dict) for row in records)
        or not isinstance(done, bool)
        or isinstance(total, bool)
        or not isinstance(total, int)
        or done is ("nextRecordsUrl" in answer)
    ):
        raise OutcomeUnknown("The answer is not a page of records.", code="unreadable-answer", status=status)
    return records


def results_of(response: Response) -> list[Mapping[str, Any]]:
    """Give the results of a collection, in the order of its records."""
    try:
        found = loads(response.body)
    except FixData as error:
        raise OutcomeUnknown("The answer is not JSON.", code="unreadable-answer", status=response.status) from error
    if response.status != 200 or not isinstance(found, list) or not found:
        raise OutcomeUnknown("The answer has no results.", code="unreadable-answer", status=response.status)
    for result in found:
        if not isinstance(result, dict) or not isinstance(result.get("success"), bool):
            raise OutcomeUnknown("A result cannot be read.", code="unreadable-answer", status=response.status)
        if result["success"] and not is_id(result.get("id")):
            raise OutcomeUnknown("A result names no record.", code="unreadable-answer", status=response.status)
    return found


def first_refusal(results: list[Mapping[str, Any]]) -> HubError | None:
    """Give the refusal that made Salesforce take a whole collection back; None where all went well."""
    refused = [(place, result) for place, result in enumerate(results) if not result["success"]]
    if not refused:
        return None
    # What only fell with the others says nothing.
    own = [(place, result) for place, result in refused if _code(result) not in _FELL]
    place, result = (own or refused)[0]
    error = of_row(result.get("errors"))
    error.facts = {**error.facts, "record": place, "refused": len(own or refused)}
    return error


def is_id(value: object) -> bool:
    """Tell whether this is an id as Salesforce gives it."""
    return isinstance(value, str) and len(value) in (15, 18) and value.isascii() and value.isalnum()


def moment(text: object) -> datetime:
    """Read a time of Salesforce's (`2026-01-31T10:00:00.000+0000`); `OutcomeUnknown` for anything else."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise OutcomeUnknown("A record's time cannot be read.", code="unreadable-answer", time=str(text)[:40])
    return found.astimezone(UTC)


_FELL = frozenset({"ALL_OR_NONE_OPERATION_ROLLED_BACK", "PROCESSING_HALTED"})


def _code(result: Mapping[str, Any]) -> str:
    errors = result.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return str(first.get("statusCode", first.get("errorCode"))) if isinstance(first, Mapping) else ""
