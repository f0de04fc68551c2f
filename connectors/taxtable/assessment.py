"""What is owed on a sale by the tables: where it is taxed, at which rates, or why not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.taxtable.calculation import Taxable, Taxed, calculate
from connectors.taxtable.settings import TaxtableSettings
from connectors.taxtable.tables import Rate, Tables
from hub.model.money import exponent
from hub.sdk.errors import FixData

_ZERO = Decimal(0)
_EXEMPT = frozenset({"exempt-customer", "exempt-product"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a sale is taxed, on which day, and whether and why the seller collects nothing there."""

    country: str
    region: str
    postal: str
    day: date
    reason: str | None


def assess(document: Mapping[str, Any], tables: Tables, settings: TaxtableSettings) -> dict[str, Any]:
    """Give the tax of a document in the contract's words, without what only a recorded one has.

    Raises `FixData` as `no-rate` where tax is to be collected and no rate is known: nothing is taxed at nothing by
    mistake; and as `billed-tax-too-precise` for a billed tax with more digits than the currency. A sale is taxed where
    it goes to. What was billed on a line is its tax, as far as anything is taxed there.
    """
    messages: list[dict[str, str]] = []
    place = _place(document, tables, messages)
    lines: Sequence[Mapping[str, Any]] = document["lines"]
    rated = [_rates(line, place, tables) for line in lines]
    digits = exponent(document["currency"])
    taxed = calculate(
        [
            Taxable(
                amount=Decimal(line["amount"]),
                inclusive=line.get("inclusive") is True,
                rates=_numbers(rates),
                billed=_billed(line, document["currency"], digits),
            )
            for line, (_, rates) in zip(lines, rated, strict=True)
        ],
        rounding=settings.rounding,
        halves=settings.halves,
        digits=digits,
    )
    messages.extend(_not_placed(line, each) for line, each in zip(lines, taxed, strict=True) if _is_lost(line, each))
    made = [
        _line(line, reason, rates, each, place) for line, (reason, rates), each in zip(lines, rated, taxed, strict=True)
    ]
    return {
        "code": document["code"],
        "currency": document["currency"],
        "date": document["date"],
        "tax_date": place.day.isoformat(),
        "customer_id": document["customer_id"],
        "total": _sum(made, "amount"),
        "taxable_total": _sum(made, "taxable"),
        "exempt_total": _sum(made, "exempt"),
        "tax_total": _sum(made, "tax"),
        "lines": made,
        "nexus": [{**_where(place), "collecting": place.reason != "not-collecting"}],
        "messages": messages,
    }


def _place(document: Mapping[str, Any], tables: Tables, messages: list[dict[str, str]]) -> _Place:
    to, origin = document["ship_to"], document["ship_from"]["country"]
    country, region = to["country"], to.get("region") or ""
    day = date.fromisoformat(document.get("tax_date") or document["date"])
    registration = tables.registration(document.get("entity") or "", country, region, day)
    reason = None
    exemption = document.get("exemption")
    if registration is None:
        reason = "not-collecting"
    elif registration.reverse and document.get("customer_tax_id") and origin != country:
        reason = "reverse-charge"
    elif exemption and tables.exempts(country, region, exemption["reason"]):
        reason = "exempt-customer"
    if exemption and reason != "exempt-customer":
        said = f"The exemption `{exemption['reason']}` was not needed or does not count in {_name(country, region)}."
        messages.append({"severity": "warning", "text": said})
    return _Place(country=country, region=region, postal=to.get("postal_code") or "", day=day, reason=reason)


def _rates(line: Mapping[str, Any], place: _Place, tables: Tables) -> tuple[str, Sequence[Rate]]:
    """Give the reason of a line's tax, and the rates that are taken of it."""
    if place.reason is not None:
        return place.reason, ()
    category = tables.category(line.get("tax_code"))
    found = tables.rates_at(place.country, place.region, place.postal, place.day, category)
    if not found:
        raise FixData(
            f"There is no rate for `{category}` in {_name(place.country, place.region)} on {place.day}. Add it to "
            "tax/rates.csv.",
            code="no-rate",
            line=line["id"],
        )
    rates = [rate for rate in found if rate.rate is not None]
    if not rates:
        return "exempt-product", ()
    return "taxed" if any(rate.rate for rate in rates) else "zero-rated", rates


def _billed(line: Mapping[str, Any], currency: str, digits: int) -> Decimal | None:
    if line.get("billed_tax") is None:
        return None
    billed = Decimal(line["billed_tax"])
    if billed != round(billed, digits):
        raise FixData(
            f"The tax {billed} that was billed has more digits than {currency} has.",
            code="billed-tax-too-precise",
            line=line["id"],
        )
    return billed


def _is_lost(line: Mapping[str, Any], taxed: Taxed) -> bool:
    return line.get("billed_tax") is not None and taxed.tax != Decimal(line["billed_tax"])


def _not_placed(line: Mapping[str, Any], taxed: Taxed) -> dict[str, str]:
    billed = f"although {line['billed_tax']} was billed."
    return {
        "severity": "warning",
        "text": f"Nothing is taxed on the line {line['id']}: its tax is {taxed.tax}, {billed}",
    }


def _numbers(rates: Sequence[Rate]) -> list[Decimal]:
    return [rate.rate for rate in rates if rate.rate is not None]


def _line(line: Mapping[str, Any], reason: str, rates: Sequence[Rate], taxed: Taxed, place: _Place) -> dict[str, Any]:
    exempt = taxed.net if reason in _EXEMPT else _ZERO
    made: dict[str, Any] = {
        "id": line["id"],
        "amount": taxed.net,
        "taxable": taxed.net if rates else _ZERO,
        "exempt": exempt,
        "tax": taxed.tax,
        "inclusive": line.get("inclusive") is True,
        "reason": reason,
        "details": [_detail(rate, part, taxed.net, place) for rate, part in zip(rates, taxed.parts, strict=True)]
        or [_untaxed(reason, exempt, place)],
    }
    if line.get("tax_code"):
        made["tax_code"] = line["tax_code"]
    if line.get("billed_tax") is not None:
        made["calculated_tax"] = taxed.calculated
    return made


def _detail(rate: Rate, tax: Decimal, net: Decimal, place: _Place) -> dict[str, Any]:
    return {
        **_where(place),
        "level": rate.level,
        "jurisdiction": rate.jurisdiction,
        "code": rate.code,
        "tax_type": rate.tax_type,
        **({"tax_name": rate.tax_name} if rate.tax_name else {}),
        "rate": rate.rate,
        "taxable": net,
        "exempt": _ZERO,
        "tax": tax,
        "reason": "taxed" if rate.rate else "zero-rated",
    }


def _untaxed(reason: str, exempt: Decimal, place: _Place) -> dict[str, Any]:
    """Say of a line that nothing is taken of it, and why."""
    return {
        **_where(place),
        "level": "state" if place.region else "country",
        "jurisdiction": _name(place.country, place.region),
        "rate": _ZERO,
        "taxable": _ZERO,
        "exempt": exempt,
        "tax": _ZERO,
        "reason": reason,
    }


def _where(place: _Place) -> dict[str, str]:
    return {"country": place.country, **({"region": place.region} if place.region else {})}


def _name(country: str, region: str) -> str:
    return f"{country}-{region}" if region else country


def _sum(lines: Sequence[Mapping[str, Any]], name: str) -> Decimal:
    return sum((line[name] for line in lines), _ZERO)
