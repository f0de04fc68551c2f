"""What became of each of many records, in the words that a bulk job and a collection share.

A record that Salesforce refused has `failed`, and would be refused again; one that it did not take for now, such as one
that somebody else holds, is `unprocessed`, and may be sent again as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.salesforce.failures import kebab, of_row
from hub.sdk.connector import JsonSchema, Record
from hub.sdk.errors import FixConnection, FixData, HubError, LimitReached, NotBegun, OutcomeUnknown

#: What a refusal is called where Salesforce gives it no code.
REFUSED = "refused"
_TOLD: Mapping[str, JsonSchema] = {
    "value": {"type": "string"},
    "code": {"type": "string"},
    "reason": {"type": "string"},
    "fields": {"type": "array", "items": {"type": "string"}},
}
#: The records that were refused.
FAILED: JsonSchema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": _TOLD,
        "required": ["value", "code", "reason"],
        "additionalProperties": False,
    },
}
#: The external ids of the records that were neither written nor refused.
UNPROCESSED: JsonSchema = {"type": "array", "items": {"type": "string"}}
#: All records, in the order in which they were sent: one with an `id` was written, one with a `code` was not.
ROWS: JsonSchema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {**_TOLD, "id": {"type": "string"}, "created": {"type": "boolean"}},
        "required": ["value"],
        "additionalProperties": False,
    },
}


def of_collection(values: Sequence[str], results: Sequence[Mapping[str, Any]]) -> Record:
    """Give what became of the records with these external ids, which a collection's results tell in their order.

    Raises `OutcomeUnknown` where a result is missing, one too many, or says that Salesforce broke off. Where it took
    none at all for now, nothing was written: that is raised as it is, so that the whole is sent again.
    """
    if len(results) != len(values):
        raise OutcomeUnknown(
            "The answer is not about all records.", code="unreadable-answer", records=len(values), results=len(results)
        )
    rows: list[dict[str, Any]] = []
    refused: list[str] = []
    put_off: list[HubError] = []
    for value, result in zip(values, results, strict=True):
        if result["success"]:
            rows.append(written(value, result["id"], result.get("created")))
            continue
        error = of_row(result.get("errors"))
        if isinstance(error, FixData):
            refused.append(value)
        elif isinstance(error, NotBegun | LimitReached | FixConnection):
            put_off.append(error)
        else:
            # Whether such a record was written, nobody knows.
            facts: dict[str, Any] = dict(error.facts)
            raise OutcomeUnknown(error.detail, code=error.code, **facts)
        rows.append({"value": value, **_told(error)})
    if len(put_off) == len(values):
        raise put_off[0]
    return joined(rows, refused)


def written(value: str, id: str, created: object = None) -> dict[str, Any]:
    """Give a record that was written; whether it is new is left out where Salesforce does not say."""
    return {"value": value, "id": id, **({"created": created} if isinstance(created, bool) else {})}


def not_applied(value: str) -> dict[str, Any]:
    """Give a record of which a look showed that it was not written, and nobody can say why."""
    return {"value": value, "code": "not-applied", "reason": "It does not stand there as it was to be written."}


def joined(rows: Sequence[Mapping[str, Any]], refused: Sequence[str]) -> Record:
    """Put rows together; those that were neither written nor refused are unprocessed."""
    ids, final = sorted(row["id"] for row in rows if "id" in row), set(refused)
    return {
        "ids": ids,
        "written": len(ids),
        "rows": [*rows],
        "failed": [row for row in rows if row["value"] in final],
        "unprocessed": [row["value"] for row in rows if "id" not in row and row["value"] not in final],
    }


def _told(error: HubError) -> dict[str, Any]:
    found: dict[str, Any] = {
        "code": kebab(str(error.facts.get("error", ""))) or REFUSED,
        "reason": str(error.facts.get("reason", "")),
    }
    fields = error.facts.get("fields")
    return {**found, "fields": fields.split(", ")} if isinstance(fields, str) else found
