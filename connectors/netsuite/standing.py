"""What stands in NetSuite under an external id: the guard of upserts, because NetSuite has no version check.

The record service has no ETag and no If-Match, and `lastModifiedDate` moves with everything, payments too, in whole
seconds. So a record's version is a digest of all fields that can be written, as NetSuite shows them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from connectors.netsuite.answers import whole
from hub.sdk.answers import read_object
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import canonical, loads
from hub.sdk.guards import Look, ReadBefore, Standing
from hub.sdk.values import Request, Response

#: What NetSuite computes, or changes by itself.
_COMPUTED = frozenset(
    "amountPaid amountRemaining applied applyDate balance count createdDate currencyList dateCreated "
    "deferredRevenue depositBalance depositDate discountTotal due hasMore lastModifiedDate lineUniqueKey links "
    "offset orderStatus quantityBilled recognizedRevenue refName refNum remaining reversalEntry status "
    "totalResults unapplied".split()
)
#: Lists of what a document settles, where the settled document's total is shown too.
_APPLICATIONS = frozenset({"apply", "deposit"})
#: What NetSuite shows otherwise than it was written: formatted, on pages of its own, or as what became of it.
_SHOWN_OTHERWISE = frozenset({"addressBook", "autoApply", "orderStatus", "phone"})
#: The sublists of all records that are written.
_SUBLISTS = ("item", "taxDetails", "apply", "deposit", "line", "addressBook", "currencyList")


def current(_settings: object, request: Request) -> Request:
    """Form the read of what a write under an external id would overwrite."""
    address = urlsplit(request.url)
    return Request(method="GET", url=urlunsplit(address._replace(query="expandSubResources=true")))


def standing(response: Response) -> Standing | None:
    """Read what stands; None when NetSuite itself says that there is no such record."""
    if response.status == 404:
        if _code(response) == "NONEXISTENT_ID":
            return None
        raise OutcomeUnknown("Somebody else than NetSuite says that this is not found.", code="unreadable-answer")
    record = _record(response)
    if not isinstance(record.get("id"), str):
        raise OutcomeUnknown("The answer is not a record.", code="unreadable-answer", status=response.status)
    digest = hashlib.sha256(canonical(_content(record))).hexdigest()[:32]
    return Standing(version=digest, output={"id": record["id"]}, changed_at=_moment(record.get("lastModifiedDate")))


def holds(request: Request, response: Response) -> bool:
    """Tell whether a record shows all that was written, as far as NetSuite shows it as it was written."""
    record = _record(response)
    written: Mapping[str, Any] = loads(request.body)
    return all(_same(value, record.get(name)) for name, value in written.items() if name not in _SHOWN_OTHERWISE)


def within(request: Request, response: Response) -> str:
    """Give a digest of those fields of a record that a write names."""
    named = loads(request.body).keys()
    content = {name: value for name, value in _content(_record(response)).items() if name in named}
    return hashlib.sha256(canonical(content)).hexdigest()[:32]


#: Watches the whole record.
GUARD = ReadBefore(look=Look(current=current, standing=standing, holds=holds))
#: Watches what the write names, for records of which others write other fields.
GUARD_WITHIN = ReadBefore(look=Look(current=current, standing=standing, holds=holds, within=within))


def _record(response: Response) -> dict[str, Any]:
    record = read_object(response)
    return whole(record, *_SUBLISTS)


def _code(response: Response) -> str:
    try:
        body = loads(response.body)
        return str(body["o:errorDetails"][0]["o:errorCode"])
    except (FixData, KeyError, IndexError, TypeError):
        return ""


def _content(value: Any, computed: frozenset[str] = _COMPUTED) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _content(inner, computed | {"total"} if name in _APPLICATIONS else computed)
            for name, inner in value.items()
            if name not in computed
        }
    return [_content(inner, computed) for inner in value] if isinstance(value, list) else value


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)


def _same(written: Any, shown: Any) -> bool:
    if isinstance(written, Mapping):
        return _same_object(written, shown)
    if isinstance(shown, Mapping):
        # A reference or a choice may be written as its id alone.
        return str(written) == str(shown.get("id"))
    if isinstance(written, str):
        # An empty text clears a field, which is not shown then.
        return _text(written) == _text(shown) if isinstance(shown, str) else not written and shown is None
    if written is None:
        return shown is None
    if isinstance(written, bool) or isinstance(shown, bool):
        return written is shown
    # The side of a journal's line that is zero is not shown.
    return _is_number(shown) and Decimal(written) == (shown or 0)


def _same_object(written: Mapping[str, Any], shown: Any) -> bool:
    if not isinstance(shown, Mapping):
        return False
    if "items" in written:
        return _same_lines(written["items"], shown.get("items"))
    if "id" in written:
        return str(written["id"]) == str(shown.get("id"))
    # Which record an external id means is not shown.
    return "id" in shown


def _same_lines(written: Any, shown: Any) -> bool:
    if not isinstance(written, list) or not isinstance(shown, list):
        return False
    expected = [line for line in written if not _is_unapplied(line)]
    left = list(shown)
    for line in expected:
        match = next((one for one in left if all(_same(value, one.get(name)) for name, value in line.items())), None)
        if match is not None:
            left.remove(match)
        elif not _is_as_due(line):
            return False
    return not left


def _is_number(shown: Any) -> bool:
    return shown is None or isinstance(shown, int | Decimal)


def _is_unapplied(line: Mapping[str, Any]) -> bool:
    """Tell whether a line takes an application back, which is not shown any more."""
    return "doc" in line and (line.get("apply") is False or line.get("amount") == 0)


def _is_as_due(line: Mapping[str, Any]) -> bool:
    """Tell whether a line leaves it to NetSuite how much is applied: where nothing is due, no line is shown."""
    return line.get("apply") is True and "doc" in line and "amount" not in line


def _text(text: str) -> str:
    return text.replace("\\r", "").replace("\\n", "\n").replace("\r", "").strip()
