"""A transaction as AvaTax answers it becomes the contract's result: the tax, where it is owed, and why.

Tax is taken as the engine gives it and never computed again: a company may round each line or the whole document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.avatax.answered import Answered, drifted
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
#: What every document is named by; an answer with none of it is none of AvaTax's documents.
_NAMES = frozenset({"id", "code", "status", "type"})
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
_SHORT_LEVELS = {"CNT": "country", "STA": "state", "CTY": "county", "CIT": "city", "STJ": "special"}
_SEVERITIES = {"success": "information", "information": "information", "warning": "warning"}
#: Why AvaTax takes nothing somewhere: the company has no nexus there.
_NO_NEXUS = "NexusRule"
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
    """Give a transaction in the contract's words; raises `OutcomeUnknown`, which names what of it cannot be read."""
    document = named(transaction)
    state = _STATES.get(document.named("status"))
    if state is None:
        raise drifted("new-value", "status")
    kind = "estimate" if state == "quoted" else _KINDS.get(document.named("type"))
    if kind is None:
        raise drifted("new-value", "type")
    lines = document.objects("lines")
    made = [_line(line) for line in lines]
    recorded = {
        "id": str(document.whole("id")) if state != "quoted" else None,
        "version": document.whole("version") if state != "quoted" else None,
        "tax_date": _tax_day(document, lines),
        # Older accounts name the customer `customerVendorCode` only; newer ones give both, with one value.
        "customer_id": document.first("customerCode", "customerVendorCode") or None,
    }
    # What Avalara has filed is locked, whatever its status.
    is_filed = document.flag("locked") and state == "committed"
    return {
        "code": document.named("code"),
        "kind": kind,
        "status": "filed" if is_filed else state,
        **{name: value for name, value in recorded.items() if value is not None},
        "date": document.named("date")[:10],
        "currency": document.named("currencyCode"),
        "total": document.number("totalAmount"),
        "taxable_total": document.number("totalTaxable"),
        "exempt_total": document.number("totalExempt"),
        "tax_total": document.number("totalTax"),
        "lines": made,
        "nexus": nexus_of(made),
        "messages": messages(transaction.get("messages")),
    }


def named(answer: Mapping[str, Any]) -> Answered:
    """Take an answer for a document of AvaTax's; raises `OutcomeUnknown` for one with nothing that documents have."""
    if not _NAMES & answer.keys():
        raise OutcomeUnknown("The answer is not a tax document.", code="unreadable-answer")
    return Answered(answer)


def messages(given: object) -> list[dict[str, str]]:
    """Give what AvaTax said beside its answer; warnings on a success are easily lost."""
    found = []
    for message in _objects(given):
        text = message.get("summary") or message.get("details")
        if isinstance(text, str) and text:
            severity = _SEVERITIES.get(str(message.get("severity", "")).lower(), "error")
            found.append({"severity": severity, "text": text[:2000]})
    return found[:1000]


def _line(line: Answered) -> dict[str, Any]:
    details = [_detail(detail) for detail in line.objects("details")]
    made = {
        "id": line.named("lineNumber"),
        "amount": line.number("lineAmount"),
        "taxable": line.number("taxableAmount"),
        "exempt": line.share("exemptAmount"),
        "tax": line.number("tax"),
        "inclusive": line.flag("taxIncluded"),
        "reason": _reason(line, details),
        "details": details,
    }
    code, calculated = line.text("taxCode"), line.number_if_any("taxCalculated")
    if code:
        made["tax_code"] = code
    if line.record.get("taxOverrideType") == _BILLED and calculated is not None:
        made["calculated_tax"] = calculated
    return made


def _reason(line: Answered, details: list[dict[str, Any]]) -> str:
    is_taxable = line.flag("isItemTaxable")
    if line.number("tax") != 0 or any(detail["reason"] == "taxed" for detail in details):
        return "taxed"
    if line.share("exemptAmount") != 0:
        return "exempt-customer"
    reasons = [detail["reason"] for detail in details]
    if reasons:
        return str(reasons[0])
    return "not-collecting" if is_taxable else "exempt-product"


def _detail(detail: Answered) -> dict[str, Any]:
    code = detail.text("jurisCode")
    made = {
        "country": detail.named("country"),
        "level": _level(detail),
        "jurisdiction": detail.text("jurisName") or code or "-",
        "tax_type": _TAX_TYPES.get(detail.text("taxType").lower(), "other"),
        "rate": detail.number("rate"),
        "taxable": detail.number("taxableAmount"),
        "exempt": detail.share("exemptAmount"),
        "tax": detail.number("tax"),
        "reason": _detail_reason(detail),
    }
    if code:
        made["code"] = code
    # AvaTax leaves these out where there are none.
    for name, theirs in (("region", "region"), ("tax_name", "taxName")):
        if detail.record.get(theirs):
            made[name] = detail.text(theirs)
    return made


def _level(detail: Answered) -> str:
    """Tell how high a jurisdiction stands: older accounts say it by three letters only."""
    word = detail.first("jurisdictionType", "jurisType")
    return by_level(_SHORT_LEVELS.get(word, word))


def _detail_reason(detail: Answered) -> str:
    untaxed = detail.share("nonTaxableAmount")
    if untaxed != 0 and "nonTaxableType" not in detail.record:
        # Without it nobody could tell where the company has no nexus.
        raise detail.missing("nonTaxableType")
    if detail.record.get("nonTaxableType") == _NO_NEXUS:
        return "not-collecting"
    if detail.share("exemptAmount") != 0:
        return "exempt-customer"
    if untaxed != 0:
        return "exempt-product"
    return "taxed" if detail.number("rate") != 0 else "zero-rated"


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _tax_day(document: Answered, lines: Sequence[Answered]) -> str | None:
    """Give the day whose rates were applied: that of all lines, as each may say its own, else the document's."""
    whole = _day(document.text("taxDate"))
    days = {_day(line.text("taxDate")) for line in lines} - {None}
    return days.pop() if len(days) == 1 else whole


def _day(text: str) -> str | None:
    # AvaTax writes 1900-01-01 for a date that was never set.
    return text[:10] if len(text) >= 10 and not text.startswith("1900-01-01") else None
