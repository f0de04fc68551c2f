"""A transaction as AvaTax answers it becomes the contract's result: the tax, where it is owed, and why.

Tax is taken as the engine gives it and never computed again: a company may round each line or the whole document.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.avatax.models import INVOICE, RETURN
from hub.sdk.answers import read_object
from hub.sdk.connector import Record
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.tax import by_level, nexus_of
from hub.sdk.values import Response

#: What a document is like as AvaTax answers it (`schemas/`).
_TRANSACTION = "avatax.transaction@2"
#: Lines with their tax by jurisdiction, and addresses; without it a document that is read has no lines.
INCLUDE = "Details,Addresses"
_KINDS = {INVOICE: "sale", RETURN: "return"}
_STATES = {
    "Temporary": "quoted",
    "Saved": "saved",
    "Posted": "saved",
    "Committed": "committed",
    "Cancelled": "voided",
    "Adjusted": "adjusted",
}
_TAX_TYPES = {
    "sales": "sales",
    "use": "use",
    "consumeruse": "use",
    "sellersuse": "use",
    "output": "vat",
    "input": "vat",
}
_SEVERITIES = {"success": "information", "information": "information", "warning": "warning"}
#: Why AvaTax takes nothing somewhere: the company has no nexus there.
_NO_NEXUS = "NexusRule"
_ZERO = Decimal(0)
#: The override by which a line has a tax that was found elsewhere.
_BILLED = "TaxAmount"


def read_result(response: Response) -> Record:
    """Read the document of a create, get, adjust or refund call.

    Raises `OutcomeUnknown` when the answer is not a document: then it cannot be told what was recorded.
    """
    return result(read_object(response))


def claim(response: Response) -> tuple[str, Record]:
    """Say of what shape a document of AvaTax's is, and give it as it stands; raises `OutcomeUnknown` for no object."""
    return _TRANSACTION, read_object(response)


def result(transaction: Mapping[str, Any]) -> Record:
    """Give a transaction in the contract's words; raises `OutcomeUnknown` as `read_result` does."""
    state = _STATES.get(str(transaction.get("status")))
    lines = transaction.get("lines") or []
    texts = [transaction.get(name) for name in ("code", "date", "currencyCode")]
    totals = [transaction.get(name) for name in ("totalAmount", "totalTax")]
    if state is None or not all(map(_is_number, totals)) or not all(isinstance(text, str) and text for text in texts):
        raise OutcomeUnknown("The answer is not a tax document.", code="unreadable-answer")
    if not isinstance(lines, list) or not all(isinstance(line, dict) and _is_number(line.get("tax")) for line in lines):
        raise OutcomeUnknown("The answer's lines cannot be read.", code="unreadable-answer")
    made = [_line(line) for line in lines]
    recorded = {
        "id": str(transaction["id"]) if state != "quoted" and isinstance(transaction.get("id"), int) else None,
        "version": transaction.get("version") if state != "quoted" else None,
        "tax_date": _tax_day(transaction.get("taxDate"), lines),
        # Older accounts name the customer `customerVendorCode` only; newer ones give both, with one value.
        "customer_id": transaction.get("customerCode") or transaction.get("customerVendorCode"),
    }
    return {
        "code": transaction["code"],
        "kind": "estimate" if state == "quoted" else _KINDS.get(str(transaction.get("type")), "sale"),
        # What Avalara has filed is locked, whatever its status.
        "status": "filed" if state == "committed" and transaction.get("locked") is True else state,
        **{name: value for name, value in recorded.items() if value is not None},
        "date": str(transaction["date"])[:10],
        "currency": transaction["currencyCode"],
        "total": transaction["totalAmount"],
        "taxable_total": _number(transaction.get("totalTaxable")),
        "exempt_total": _number(transaction.get("totalExempt")),
        "tax_total": transaction["totalTax"],
        "lines": made,
        "nexus": nexus_of(made),
        "messages": messages(transaction.get("messages")),
    }


def messages(given: object) -> list[dict[str, str]]:
    """Give what AvaTax said beside its answer; warnings on a success are easily lost."""
    found = []
    for message in _objects(given):
        text = message.get("summary") or message.get("details")
        if isinstance(text, str) and text:
            severity = _SEVERITIES.get(str(message.get("severity", "")).lower(), "error")
            found.append({"severity": severity, "text": text[:2000]})
    return found[:1000]


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    details = [_detail(detail) for detail in _objects(line.get("details"))]
    exempt, tax = _number(line.get("exemptAmount")), line["tax"]
    made = {
        "id": str(line.get("lineNumber") or "-"),
        "amount": _number(line.get("lineAmount")),
        "taxable": _number(line.get("taxableAmount")),
        "exempt": exempt,
        "tax": tax,
        "inclusive": line.get("taxIncluded") is True,
        "reason": _reason(line, details),
        "details": details,
    }
    if isinstance(line.get("taxCode"), str) and line["taxCode"]:
        made["tax_code"] = line["taxCode"]
    if line.get("taxOverrideType") == _BILLED and _is_number(line.get("taxCalculated")):
        made["calculated_tax"] = line["taxCalculated"]
    return made


def _reason(line: Mapping[str, Any], details: list[dict[str, Any]]) -> str:
    if line["tax"] != 0 or any(detail["reason"] == "taxed" for detail in details):
        return "taxed"
    if _number(line.get("exemptAmount")) != 0:
        return "exempt-customer"
    reasons = [detail["reason"] for detail in details]
    if reasons:
        return str(reasons[0])
    return "exempt-product" if line.get("isItemTaxable") is False else "not-collecting"


def _detail(detail: Mapping[str, Any]) -> dict[str, Any]:
    rate = _number(detail.get("rate"))
    exempt = _number(detail.get("exemptAmount"))
    made = {
        "country": str(detail.get("country") or "US"),
        "level": by_level(str(detail.get("jurisdictionType") or "")),
        "jurisdiction": str(detail.get("jurisName") or detail.get("jurisCode") or "-"),
        "tax_type": _TAX_TYPES.get(str(detail.get("taxType", "")).lower(), "other"),
        "rate": rate,
        "taxable": _number(detail.get("taxableAmount")),
        "exempt": exempt,
        "tax": _number(detail.get("tax")),
        "reason": _detail_reason(detail, rate, exempt),
    }
    for name, theirs in (("region", "region"), ("code", "jurisCode"), ("tax_name", "taxName")):
        if isinstance(detail.get(theirs), str) and detail[theirs]:
            made[name] = detail[theirs]
    return made


def _detail_reason(detail: Mapping[str, Any], rate: Decimal | int, exempt: Decimal | int) -> str:
    if detail.get("nonTaxableType") == _NO_NEXUS:
        return "not-collecting"
    if exempt != 0:
        return "exempt-customer"
    if _number(detail.get("nonTaxableAmount")) != 0:
        return "exempt-product"
    return "taxed" if rate != 0 else "zero-rated"


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _number(value: object) -> Decimal | int:
    return value if isinstance(value, int | Decimal) and not isinstance(value, bool) else _ZERO


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _tax_day(whole: object, lines: list[dict[str, Any]]) -> str | None:
    """Give the day whose rates were applied: that of all lines, as each may say its own, else the document's."""
    days = {_day(line.get("taxDate")) for line in lines} - {None}
    return days.pop() if len(days) == 1 else _day(whole)


def _day(value: object) -> str | None:
    # AvaTax writes 1900-01-01 for a date that was never set.
    return value[:10] if isinstance(value, str) and len(value) >= 10 and not value.startswith("1900-01-01") else None
