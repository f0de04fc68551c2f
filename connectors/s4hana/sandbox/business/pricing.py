"""Pricing of an item: a price, discounts and surcharges in percent or as an amount, and output tax."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.s4hana.sandbox.business.organisation import rounded
from connectors.s4hana.sandbox.odata.errors import Refusal

#: Condition type: step of the procedure, class (A discount or surcharge, B price, D tax), calculation (A percent,
#: B fixed amount, C by quantity).
TYPES = {
    "PPR0": ("10", "B", "C"),
    "PMP0": ("11", "B", "C"),
    "DCD1": ("90", "A", "B"),
    "DPG1": ("95", "A", "A"),
    "DRV1": ("100", "A", "B"),
    "DRQ1": ("105", "A", "C"),
    "DRP1": ("110", "A", "A"),
    "TTX1": ("940", "D", "A"),
}
_PRICES = ("PPR0", "PMP0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of an item: its rate (an amount, or percent) for `per` units, and whether a person gave it."""

    type: str
    rate: Decimal
    currency: str
    per: Decimal = Decimal(1)
    unit: str = ""
    manual: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What an item costs: net and tax in the document's currency, and the rows of its pricing elements."""

    net: Decimal
    tax: Decimal
    elements: Sequence[dict[str, Any]]


def price(
    conditions: Iterable[Condition], *, quantity: Decimal, unit: str, currency: str, tax_rate: Decimal, tax_code: str
) -> Priced:
    """Work out an item; a manual price takes the place of the automatic one. Tax is worked out by the item."""
    ordered = sorted(conditions, key=lambda each: int(TYPES[each.type][0]))
    manual = any(each.manual and each.type in _PRICES for each in ordered)
    net = Decimal(0)
    elements: list[dict[str, Any]] = []
    for each in ordered:
        step, kind, calculation = TYPES[each.type]
        inactive = each.type in _PRICES and manual and not each.manual
        base = net if calculation == "A" else quantity
        if calculation == "A":
            amount = rounded(net * each.rate / 100, currency)
        elif calculation == "B":
            amount = rounded(each.rate, currency)
        else:
            amount = rounded(each.rate * quantity / (each.per or Decimal(1)), currency)
        if not inactive:
            net += amount
        elements.append(
            _element(each, step, kind, calculation, base, amount, currency, unit)
            | ({"ConditionInactiveReason": "M"} if inactive else {})
        )
    tax = rounded(net * tax_rate / 100, currency)
    levy = Condition(type="TTX1", rate=tax_rate, currency="")
    elements.append(_element(levy, "940", "D", "A", net, tax, currency, unit) | {"TaxCode": tax_code})
    return Priced(net=net, tax=tax, elements=elements)


def _element(
    condition: Condition,
    step: str,
    kind: str,
    calculation: str,
    base: Decimal,
    amount: Decimal,
    currency: str,
    unit: str,
) -> dict[str, Any]:
    percent = calculation == "A"
    quantities = {"ConditionQuantity": condition.per, "ConditionQuantityUnit": condition.unit or unit}
    return {
        "PricingProcedureStep": step,
        "PricingProcedureCounter": "1",
        "ConditionType": condition.type,
        "ConditionCalculationType": calculation,
        "ConditionBaseValue": base,
        "ConditionRateValue": condition.rate,
        "ConditionRateAmount": Decimal(0) if percent else condition.rate,
        "ConditionRateRatio": condition.rate if percent else Decimal(0),
        "ConditionCurrency": "" if percent else condition.currency or currency,
        **(quantities if calculation == "C" else {}),
        "ConditionAmount": amount,
        "TransactionCurrency": currency,
        "ConditionClass": kind,
        "ConditionIsManuallyChanged": condition.manual,
    }


def condition_of(row: dict[str, Any], currency: str) -> Condition:
    """Read a condition that somebody gave; raises `Refusal` for a type that is not in the procedure."""
    kind = str(row.get("ConditionType", ""))
    if kind not in TYPES or TYPES[kind][1] == "D":
        raise Refusal(f"Condition {kind} is not in the pricing procedure or cannot be entered", code="VE/008")
    rate = row.get("ConditionRateValue")
    if rate is None:
        rate = row.get("ConditionRateRatio" if TYPES[kind][2] == "A" else "ConditionRateAmount")
    given = row.get("ConditionCurrency") or currency
    if TYPES[kind][2] != "A" and given != currency:
        raise Refusal(f"Condition {kind}: {given} is not the document currency {currency}", code="VE/108")
    return Condition(
        type=kind,
        rate=rate or Decimal(0),
        currency=given,
        per=row.get("ConditionQuantity") or Decimal(1),
        unit=str(row.get("ConditionQuantityUnit", "")),
        manual=True,
    )
