"""A document as AvaTax answers it, as much of it as `$include` asks for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.avatax.sandbox.calculation import Part, TaxedLine
from connectors.avatax.sandbox.documents import Document
from connectors.avatax.sandbox.rates import SHORT_TYPES
from connectors.avatax.sandbox.sales import Address

_ZERO = Decimal(0)
#: What AvaTax writes for a date that was never set.
_NO_DATE = "1900-01-01"


def included(query: Mapping[str, str], default: str) -> frozenset[str]:
    """Read `$include`; what is asked for brings along what it stands on (details need lines)."""
    asked = {part.strip().lower() for part in query.get("$include", default).split(",")} - {""}
    if "summary" in asked:
        asked |= {"details", "lines"}
    if "details" in asked or "linesonly" in asked:
        asked |= {"lines"}
    return frozenset(asked)


def transaction(document: Document, include: frozenset[str]) -> dict[str, Any]:
    """Give the header, and lines, details, summary and addresses if they are included."""
    sale = document.sale
    exempt = sum((line.exempt for line in document.lines), _ZERO)
    taxable = sum((line.taxable for line in document.lines), _ZERO)
    reply: dict[str, Any] = {
        "id": document.id,
        "code": document.code,
        "companyId": company_number(sale.company),
        "date": sale.date,
        "paymentDate": _NO_DATE,
        "status": document.status,
        "type": sale.type,
        "batchCode": "",
        "currencyCode": sale.currency,
        "exchangeRateCurrencyCode": sale.currency,
        "entityUseCode": sale.entity_use_code,
        "customerUsageType": sale.entity_use_code,
        "customerVendorCode": sale.customer,
        "customerCode": sale.customer,
        "exemptNo": sale.exemption_number,
        "reconciled": False,
        "locationCode": sale.texts["reportingLocationCode"],
        "purchaseOrderNo": sale.texts["purchaseOrderNo"],
        "referenceCode": sale.texts["referenceCode"],
        "salespersonCode": sale.texts["salespersonCode"],
        **sale.override.to_json(),
        "totalAmount": document.total_amount,
        "totalExempt": exempt,
        "totalDiscount": sum((line.discount for line in document.lines), _ZERO),
        "totalTax": document.total_tax,
        "totalTaxable": taxable,
        "totalTaxCalculated": document.total_calculated,
        "adjustmentReason": document.adjustment_reason,
        "adjustmentDescription": document.adjustment_description,
        "locked": document.locked,
        "region": sale.destination.region,
        "country": sale.destination.country,
        "version": document.version,
        "softwareVersion": "26.11.0.0",
        "exchangeRateEffectiveDate": sale.date,
        "exchangeRate": 1,
        "description": sale.texts["description"],
        "email": sale.texts["email"],
        "modifiedDate": document.modified,
        # The header's tax date has a time, unlike every other date.
        "taxDate": f"{sale.tax_date.isoformat()}T00:00:00",
        "businessIdentificationNo": sale.texts["businessIdentificationNo"],
    }
    if "lines" in include:
        details = "details" in include and "linesonly" not in include
        reply["lines"] = [_line(document, line, with_details=details) for line in document.lines]
    if "summary" in include or "summaryonly" in include:
        reply["summary"] = _summary(document)
    if "addresses" in include:
        reply["addresses"] = [_address(document.sale.origin), _address(document.sale.destination)]
    return reply


def company_number(code: str) -> int:
    """Give a company's number: stable for its code."""
    return 500_000 + sum(code.encode())


def _line(document: Document, line: TaxedLine, *, with_details: bool) -> dict[str, Any]:
    asked = line.line
    reply: dict[str, Any] = {
        "transactionId": document.id,
        "lineNumber": asked.number,
        "entityUseCode": asked.entity_use_code,
        "description": asked.description,
        "discountAmount": line.discount,
        "exemptAmount": line.exempt,
        "exemptCertId": 0,
        "isItemTaxable": bool(line.parts),
        "itemCode": asked.item_code,
        "lineAmount": line.amount,
        "quantity": asked.quantity,
        "ref1": asked.ref1,
        "ref2": asked.ref2,
        "reportingDate": document.sale.date,
        "sourcing": "Destination",
        "tax": line.tax,
        "taxableAmount": line.taxable,
        "taxCalculated": line.calculated,
        "taxCode": asked.tax_code,
        "taxDate": asked.tax_date,
        "taxIncluded": asked.tax_included,
        **asked.override.to_json(),
    }
    if with_details:
        reply["details"] = [_detail(line, part) for part in line.parts] or _no_nexus(line)
    return reply


def _detail(line: TaxedLine, part: Part) -> dict[str, Any]:
    authority = part.jurisdiction
    where = line.line.destination
    return {
        "country": where.country,
        "region": where.region,
        "jurisCode": authority.code,
        "jurisName": authority.name,
        "jurisType": SHORT_TYPES[authority.kind],
        "jurisdictionType": authority.kind,
        "rate": authority.rate,
        "tax": part.tax,
        "taxCalculated": part.calculated,
        "taxOverride": part.tax if line.line.override.amount is not None else 0,
        "taxableAmount": line.taxable,
        "nonTaxableAmount": 0,
        "exemptAmount": line.exempt,
        "taxType": authority.tax_type,
        "taxName": authority.tax_name,
        "rateType": "General",
        "rateTypeCode": "G",
        "unitOfBasis": "PerCurrencyUnit",
    }


def _no_nexus(line: TaxedLine) -> list[dict[str, Any]]:
    """Say where the company collects nothing, as AvaTax does: a jurisdiction with a rate and a tax of nothing."""
    if not line.no_nexus:
        return []
    where = line.line.destination
    name, kind = (where.region, "State") if where.country in {"US", "CA"} else (where.country, "Country")
    return [
        {
            "country": where.country,
            "region": where.region,
            "jurisCode": name,
            "jurisName": name,
            "jurisType": SHORT_TYPES[kind],
            "jurisdictionType": kind,
            "rate": 0,
            "tax": 0,
            "taxCalculated": 0,
            "taxableAmount": 0,
            "nonTaxableAmount": line.amount,
            "nonTaxableType": "NexusRule",
            "exemptAmount": 0,
            "taxType": "Sales" if where.country == "US" else "Output",
            "taxName": f"{name} TAX",
            "rateType": "General",
            "rateTypeCode": "G",
            "unitOfBasis": "PerCurrencyUnit",
        }
    ]


def _summary(document: Document) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for line in document.lines:
        for part in line.parts:
            authority, where = part.jurisdiction, line.line.destination
            row = rows.setdefault(
                (where.country, where.region, authority.code),
                {
                    "country": where.country,
                    "region": where.region,
                    "jurisType": authority.kind,
                    "jurisCode": authority.code,
                    "jurisName": authority.name,
                    "taxType": authority.tax_type,
                    "taxName": authority.tax_name,
                    "rateType": "General",
                    "taxable": _ZERO,
                    "rate": authority.rate,
                    "tax": _ZERO,
                    "taxCalculated": _ZERO,
                    "nonTaxable": 0,
                    "exemption": _ZERO,
                },
            )
            row["taxable"] += line.taxable
            row["tax"] += part.tax
            row["taxCalculated"] += part.calculated
            row["exemption"] += line.exempt
    return list(rows.values())


def _address(address: Address) -> dict[str, Any]:
    return {
        "line1": address.line1,
        "city": address.city,
        "region": address.region,
        "postalCode": address.postal_code,
        "country": address.country,
    }
