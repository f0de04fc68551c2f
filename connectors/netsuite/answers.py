"""What NetSuite's good answers say: the id in `Location`, a record, rows of a query."""

from __future__ import annotations

from typing import Any

from hub.sdk.answers import read_object
from hub.sdk.connector import Record
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.values import EffectKey, Response


def written(response: Response) -> Record:
    """Give `{"id": ...}` from the `Location` of a write; without one nobody can say which record it was."""
    location = response.headers.get("location", "").split("?")[0].rstrip("/")
    internal_id = location.rpartition("/")[2]
    if response.status not in (200, 201, 204) or not internal_id.isascii() or not internal_id.isdigit():
        raise OutcomeUnknown(
            "The write was answered without naming the record.",
            code="no-location",
            status=response.status,
            location=location,
        )
    return {"id": internal_id}


def record_of(response: Response) -> dict[str, Any]:
    """Give the record that was asked for; every record has an id, and what has none is somebody else's word."""
    record = read_object(response)
    if not isinstance(record.get("id"), str):
        raise OutcomeUnknown("The answer is not a record.", code="unreadable-answer", status=response.status)
    return record


def whole(record: dict[str, Any], *names: str) -> dict[str, Any]:
    """Give a record whose named sublists are complete; a cut one is refused, because totals would not add up."""
    for name in names:
        sublist = record.get(name)
        if isinstance(sublist, dict) and (sublist.get("hasMore") or "items" not in sublist):
            raise FixData("A sublist of the record came incomplete.", code="sublist-cut", sublist=name)
    return record


def rows(response: Response) -> list[dict[str, Any]]:
    """Give the rows of one page of a query, without the links NetSuite adds to each.

    An answer without `items` says nothing about what exists, so it is `OutcomeUnknown` and never "none".
    """
    items = read_object(response).get("items")
    if not isinstance(items, list):
        raise OutcomeUnknown("The answer is not a page of rows.", code="unreadable-answer", status=response.status)
    if not all(isinstance(row, dict) for row in items):
        raise OutcomeUnknown("The answer is not a page of rows.", code="unreadable-answer", status=response.status)
    return [{name: value for name, value in row.items() if name != "links"} for row in items]


def memo(key: EffectKey) -> str:
    """Give the memo text by which a transaction of the hub is found again."""
    return f"concord:{key}"


def marked_row(response: Response, key: EffectKey) -> Record | None:
    """Give the id of the one transaction whose memo has the key, or None; `FixData` when there are several."""
    found = rows(response)
    if any(not isinstance(row.get("id"), str) or row.get("memo") != memo(key) for row in found):
        raise OutcomeUnknown("A row was found that was not asked for.", code="foreign-answer", status=response.status)
    if len(found) > 1:
        ids = ", ".join(row["id"] for row in found[:5])
        raise FixData("NetSuite has several transactions of one write.", code="found-twice", ids=ids)
    return {"id": found[0]["id"]} if found else None
