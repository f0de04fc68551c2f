"""What a refund makes of a sale: a return with the tax that the sale had, all of it or that of some lines.

Each line has the exact tax that was charged, as an override of its amount.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.avatax.sandbox.calculation import TaxedLine, round_half_up, spread
from connectors.avatax.sandbox.documents import Document, Status
from connectors.avatax.sandbox.fields import number, text
from connectors.avatax.sandbox.overrides import NOTHING, Override
from connectors.avatax.sandbox.refusals import Refusal
from connectors.avatax.sandbox.sales import Sale

_TYPES = {"full", "partial", "taxonly", "percentage"}
_ZERO = Decimal(0)
_CENT = Decimal("0.01")


def refunded(document: Document, body: Mapping[str, Any], *, code: str) -> tuple[Sale, Sequence[TaxedLine]]:
    """Give the return and its lines, all negative; raises `Refusal`."""
    if document.sale.type != "SalesInvoice" or document.status is not Status.COMMITTED:
        raise Refusal("InvalidDocumentStatus", "Only a committed sale can be refunded.")
    kind = (text(body, "refundtype", 20) or "Full").lower()
    if kind not in _TYPES:
        raise Refusal("ModelStateInvalid", "The refund type is not known.", refers_to="refundType")
    try:
        day = date.fromisoformat(text(body, "refunddate", 30)[:10])
    except ValueError:
        raise Refusal("ModelStateInvalid", "The refundDate field is required.", refers_to="refundDate") from None
    lines = _wanted(document, body) if kind in {"partial", "percentage"} else document.lines
    share = _share(body) if kind == "percentage" else Decimal(1)
    sale = replace(
        document.sale,
        code=code,
        type="ReturnInvoice",
        date=day,
        # The rates are those of the sale.
        tax_date=document.sale.tax_date,
        commit=True,
        override=NOTHING,
        texts={**document.sale.texts, "referenceCode": text(body, "referencecode", 50)},
    )
    reason = f"Refund request on {day}"
    return sale, [_taken_back(line, share, reason, tax_only=kind == "taxonly") for line in lines]


def _wanted(document: Document, body: Mapping[str, Any]) -> Sequence[TaxedLine]:
    named = body.get("refundlines")
    if named is None:
        return document.lines
    if not isinstance(named, list) or not named or not all(isinstance(name, str) for name in named):
        raise Refusal("ModelStateInvalid", "The lines must be a list of line numbers.", refers_to="refundLines")
    unknown = sorted(set(named) - {line.line.number for line in document.lines})
    if unknown:
        raise Refusal("ModelStateInvalid", f"The document has no line {unknown[0]}.", refers_to="refundLines")
    return [line for line in document.lines if line.line.number in named]


def _share(body: Mapping[str, Any]) -> Decimal:
    percent = number(body, "refundpercentage")
    if not 0 < percent <= 100:
        raise Refusal(
            "ModelStateInvalid", "The percentage must be above 0 and up to 100.", refers_to="refundPercentage"
        )
    return percent / 100


def _taken_back(line: TaxedLine, share: Decimal, reason: str, *, tax_only: bool) -> TaxedLine:
    tax = round_half_up(-line.tax * share, _CENT) if share != 1 else -line.tax
    parts = spread(tax, [-part.tax * share for part in line.parts], _CENT) if share != 1 else None

    def back(amount: Decimal) -> Decimal:
        return _ZERO if tax_only else -amount if share == 1 else round_half_up(-amount * share, _CENT)

    taxes = [-part.tax for part in line.parts] if parts is None else parts
    return replace(
        line,
        line=replace(line.line, override=Override(type="TaxAmount", amount=tax, reason=reason)),
        amount=back(line.amount),
        discount=_ZERO,
        taxable=back(line.taxable),
        exempt=back(line.exempt),
        tax=tax,
        calculated=tax,
        parts=[replace(part, tax=own, calculated=own) for part, own in zip(line.parts, taxes, strict=True)],
    )
