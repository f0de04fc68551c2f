"""The tax of a sale: line by line and jurisdiction by jurisdiction, rounded by line or by document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from enum import StrEnum

from connectors.avatax.sandbox.rates import Jurisdiction, jurisdictions
from connectors.avatax.sandbox.refusals import Refusal
from connectors.avatax.sandbox.sales import Sale, SaleLine

#: Why a buyer pays no tax: governments, charities, resale and the like. Other codes change nothing.
EXEMPT_USES = frozenset("ABCDEFGHIJKLMNPQR")
#: Never taxed anywhere.
UNTAXED_CODE = "NT"
#: What the account's items may be: goods, freight, services, digital goods, software, and the untaxed code.
KNOWN_TAX_CODES = frozenset(
    [
        "P0000000",
        "PS081282",
        "FR000000",
        "FR020100",
        "S0000000",
        "SP140000",
        "D0000000",
        "DC010200",
        "DC020500",
        "SW050000",
        "SW052000",
        "SW054000",
        "SA000000",
        "ON030000",
        "OH010000",
        "U0000000",
        "NT",
    ]
)
_ZERO = Decimal(0)


class Rounding(StrEnum):
    """What is rounded: each line's tax, or the document's tax once."""

    LINE = "Line"
    DOCUMENT = "Document"


@dataclass(slots=True, kw_only=True)
class TaxProfile:
    """What decides a company's taxes beside the table; `digits` are decimals of tax by currency, else two."""

    tax_codes: frozenset[str] = KNOWN_TAX_CODES
    rates: dict[str, Decimal] = field(default_factory=dict)
    rounding: Rounding = Rounding.LINE
    digits: dict[str, int] = field(default_factory=dict)

    def unit(self, currency: str) -> Decimal:
        """Give the smallest tax of a currency; AvaTax rounds to two decimals whatever the currency."""
        return Decimal(1).scaleb(-self.digits.get(currency, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one jurisdiction takes of a line, and what it would take if no tax were overridden."""

    jurisdiction: Jurisdiction
    tax: Decimal
    calculated: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxedLine:
    """A line with its tax; `amount` is after discount and without tax, `calculated` the tax that was not overridden."""

    line: SaleLine
    amount: Decimal
    discount: Decimal
    taxable: Decimal
    exempt: Decimal
    tax: Decimal
    calculated: Decimal
    parts: Sequence[Part]
    no_nexus: bool = False


def calculate(sale: Sale, profile: TaxProfile) -> Sequence[TaxedLine]:
    """Tax every line; raises `Refusal` for a tax code the account does not know."""
    unit = profile.unit(sale.currency)
    discounts = _discounts(sale)
    bases = [_base(sale, line, discounts.get(place, _ZERO), profile) for place, line in enumerate(sale.lines)]
    exact = [base.exact for base in bases]
    if profile.rounding is Rounding.LINE:
        taxes = [round_half_up(tax, unit) for tax in exact]
    else:
        taxes = spread(round_half_up(sum(exact, _ZERO), unit), exact, unit)
    wanted = _overridden(sale, taxes, unit)
    return [_taxed(base, tax, to_be, unit) for base, tax, to_be in zip(bases, taxes, wanted, strict=True)]


def _overridden(sale: Sale, taxes: Sequence[Decimal], unit: Decimal) -> Sequence[Decimal]:
    """Give the tax that each line is to have: its own override's, or its share of the document's, else its own."""
    total, whole = sum(taxes, _ZERO), sale.override.amount
    if whole is not None:
        # Without a taxed line there is nothing by which it could be distributed.
        if not total:
            return taxes
        whole = round_half_up(whole, unit)
        return spread(whole, [whole * tax / total for tax in taxes], unit)
    amounts = [line.override.amount for line in sale.lines]
    return [tax if amount is None else round_half_up(amount, unit) for tax, amount in zip(taxes, amounts, strict=True)]


def spread(whole: Decimal, shares: Sequence[Decimal], unit: Decimal) -> list[Decimal]:
    """Round shares down to the unit and give what is missing of the whole to those that lost most."""
    parts = [share.quantize(unit, rounding=ROUND_DOWN) for share in shares]
    missing = int((whole - sum(parts, _ZERO)) / unit)
    step = unit if missing >= 0 else -unit
    order = sorted(range(len(parts)), key=lambda place: (shares[place] - parts[place]) * (-1 if missing >= 0 else 1))
    for place in order[: abs(missing)]:
        parts[place] += step
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    line: SaleLine
    amount: Decimal
    discount: Decimal
    exempt: bool
    exact: Decimal
    authorities: Sequence[Jurisdiction]
    no_nexus: bool


def _base(sale: Sale, line: SaleLine, discount: Decimal, profile: TaxProfile) -> _Base:
    if line.tax_code not in profile.tax_codes:
        raise Refusal(
            "GetTaxError",
            "The tax could not be calculated.",
            description=f"The tax code {line.tax_code} is not known.",
            refers_to=f"lines[{line.number}].taxCode",
        )
    where = line.destination
    authorities = () if line.tax_code == UNTAXED_CODE else jurisdictions(where.country, where.region, profile.rates)
    # Without a duty to collect there the engine still says so.
    no_nexus = not authorities and line.tax_code != UNTAXED_CODE
    use = line.entity_use_code or sale.entity_use_code
    exempt = bool(sale.exemption_number or line.exemption_code) or use in EXEMPT_USES
    rate = sum((authority.rate for authority in authorities), _ZERO)
    gross = line.amount - discount
    if exempt or not authorities:
        exact = _ZERO
    elif line.tax_included:
        exact = gross * rate / (1 + rate)
    else:
        exact = gross * rate
    return _Base(
        line=line,
        amount=gross,
        discount=discount,
        exempt=exempt,
        exact=exact,
        authorities=authorities,
        no_nexus=no_nexus,
    )


def _taxed(base: _Base, calculated: Decimal, wanted: Decimal, unit: Decimal) -> TaxedLine:
    rate = sum((authority.rate for authority in base.authorities), _ZERO)
    # An override is distributed by the rates of those who tax the line; where nobody does, it cannot be placed.
    tax = wanted if rate and not base.exempt else calculated
    amount = base.amount - tax if base.line.tax_included else base.amount
    own, parts = (
        spread(whole, [whole * authority.rate / rate if rate else _ZERO for authority in base.authorities], unit)
        for whole in (calculated, tax)
    )
    return TaxedLine(
        line=base.line,
        amount=amount,
        discount=base.discount,
        taxable=amount if base.authorities and not base.exempt else _ZERO,
        exempt=amount if base.exempt else _ZERO,
        tax=tax,
        calculated=calculated,
        parts=[
            Part(jurisdiction=authority, tax=part, calculated=found)
            for authority, part, found in zip(base.authorities, parts, own, strict=True)
        ],
        no_nexus=base.no_nexus,
    )


def _discounts(sale: Sale) -> Mapping[int, Decimal]:
    places = [place for place, line in enumerate(sale.lines) if line.discounted]
    total = sum((sale.lines[place].amount for place in places), _ZERO)
    if not sale.discount or not total:
        return {}
    cent = Decimal("0.01")
    whole = round_half_up(sale.discount, cent)
    shares = [whole * sale.lines[place].amount / total for place in places]
    return dict(zip(places, spread(whole, shares, cent), strict=True))


def round_half_up(amount: Decimal, unit: Decimal) -> Decimal:
    """Round to whole units, halves away from zero."""
    return amount.quantize(unit, rounding=ROUND_HALF_UP)
