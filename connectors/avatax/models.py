"""A sale in the contract's words becomes a create call in AvaTax's.

Amounts are exact decimals in major units of the document's currency, and a line's amount is the line's total.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.avatax.settings import AvataxSettings
from hub.sdk.connector import Record

#: Recorded and counted in returns; the kind that never is, is `SalesOrder`.
INVOICE, RETURN, ORDER = "SalesInvoice", "ReturnInvoice", "SalesOrder"
#: The contract's kinds → the type that is recorded, and the type that is only asked about.
RECORDED: Mapping[str, str] = {"sale": INVOICE, "return": RETURN}
_ASKED: Mapping[str, str] = {"sale": ORDER, "return": "ReturnOrder"}
#: Why a buyer pays no tax → AvaTax's entity use code.
_USES: Mapping[str, str] = {
    "government": "B",
    "diplomat": "D",
    "charity": "E",
    "religion": "F",
    "education": "M",
    "resale": "G",
    "agriculture": "H",
    "production": "I",
    "direct-pay": "J",
    "other": "L",
}
#: Why a document is adjusted → AvaTax's reason.
REASONS: Mapping[str, str] = {
    "price": "PriceAdjusted",
    "exemption": "ExemptCertApplied",
    "sourcing": "SourcingIssue",
    "bad-debt": "BadDebt",
    "other": "Other",
}
#: Countries whose regions AvaTax knows and wants; elsewhere a region is refused or ignored.
_WITH_REGIONS = frozenset({"US", "CA"})
_LONGEST = {"line1": 50, "line2": 50, "city": 50, "postalCode": 11}


def recorded_type(record: Record) -> str:
    """Give the type under which a document is recorded; a sale where it does not say."""
    return RECORDED[record.get("kind", "sale")]


def quote_model(settings: AvataxSettings, record: Record) -> dict[str, object]:
    """Form the body of a create call that records nothing."""
    return _model(settings, record, kind=_ASKED[record.get("kind", "sale")], commit=False)


def commit_model(settings: AvataxSettings, record: Record, reference: str) -> dict[str, object]:
    """Form the body of a create call that records a committed document; `reference` is found again in lists."""
    return {**_model(settings, record, kind=recorded_type(record), commit=True), "referenceCode": reference}


def _model(settings: AvataxSettings, record: Record, *, kind: str, commit: bool) -> dict[str, object]:
    # The kind is always sent: a document without one becomes an unrecorded order, silently.
    body: dict[str, object] = {
        "type": kind,
        "companyCode": settings.company_code,
        "commit": commit,
        "code": record["code"],
        "date": record["date"],
        "customerCode": record["customer_id"],
        "currencyCode": record["currency"],
        "addresses": {"shipFrom": address_model(record["ship_from"]), "shipTo": address_model(record["ship_to"])},
        **_taxed_as(record),
    }
    if record.get("customer_tax_id"):
        body["businessIdentificationNo"] = record["customer_tax_id"]
    exemption = record.get("exemption")
    if exemption:
        # A number alone would exempt the whole document whatever it is; the use says why.
        body["entityUseCode"] = _USES[exemption["reason"]]
        if exemption.get("number"):
            body["exemptionNo"] = exemption["number"]
    return body


def _taxed_as(record: Record) -> dict[str, object]:
    """Form the lines, with what overrides the day whose rates apply and the tax itself.

    AvaTax takes overrides of the document or of its lines, not of both: where a tax was billed, each line says the day
    for itself, an amount and its day in one override.
    """
    day = record.get("tax_date")
    dated = {"type": "TaxDate", "taxDate": day, "reason": "Date of the sale"} if day else None
    lines = record["lines"]
    if all(line.get("billed_tax") is None for line in lines):
        return {"lines": [_line(line) for line in lines], **({"taxOverride": dated} if dated else {})}
    overrides = [
        dated
        if line.get("billed_tax") is None
        else {
            "type": "TaxAmount",
            "taxAmount": line["billed_tax"],
            # Without another day it is to be the document's.
            "taxDate": day or record["date"],
            "reason": "Tax as billed",
        }
        for line in lines
    ]
    return {
        "lines": [
            {**_line(line), **({"taxOverride": override} if override else {})}
            for line, override in zip(lines, overrides, strict=True)
        ]
    }


def address_model(address: Mapping[str, Any]) -> dict[str, object]:
    """Form an address; what is not known is left out, and so is a region that AvaTax does not know."""
    given = {
        "line1": address.get("line1"),
        "line2": address.get("line2"),
        "city": address.get("city"),
        "region": address.get("region") if address["country"] in _WITH_REGIONS else None,
        "postalCode": address.get("postal_code"),
        "country": address["country"],
    }
    return {name: value[: _LONGEST.get(name)] for name, value in given.items() if value}


def _line(line: Mapping[str, Any]) -> dict[str, object]:
    given = {
        "number": line["id"],
        "amount": line["amount"],
        "quantity": line.get("quantity"),
        "taxCode": line.get("tax_code"),
        "itemCode": (line.get("product_id") or "")[:50] or None,
        "description": line.get("description"),
        "taxIncluded": line.get("inclusive"),
    }
    return {name: value for name, value in given.items() if value is not None}
