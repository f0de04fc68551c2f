"""The tax of lines as pure arithmetic: exact shares, one named rounding, and parts that sum to the whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, localcontext

from connectors.taxtable.settings import Halves, Rounding

_ZERO = Decimal(0)
_MODES = {Halves.UP: ROUND_HALF_UP, Halves.EVEN: ROUND_HALF_EVEN}
#: Shares of inclusive amounts do not end; so many digits that no half is ever missed or made.
_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxable:
    """A line to be taxed: its amount, whether the tax is in it, and the rates that apply, as fractions.

    `billed` is the tax that it is to have, whatever the rates give; None for what they give.
    """

    amount: Decimal
    inclusive: bool
    rates: Sequence[Decimal]
    billed: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxed:
    """A line's amount without tax, its tax, and the tax by rate; the parts sum to the tax.

    `calculated` is what the rates give, which is another amount only where another was billed.
    """

    net: Decimal
    tax: Decimal
    parts: Sequence[Decimal]
    calculated: Decimal


def calculate(lines: Sequence[Taxable], *, rounding: Rounding, halves: Halves, digits: int) -> list[Taxed]:
    """Tax every line; `digits` are those of the currency's smallest unit.

    An inclusive amount stays: net and tax sum to it. A tax that was billed is split over the rates that take something;
    where none does, there is nobody to owe it to, and the tax is nothing. It has no more digits than the currency.
    """
    unit = Decimal(1).scaleb(-digits)
    mode = _MODES[halves]
    with localcontext(_EXACT):

        def rounded(amount: Decimal) -> Decimal:
            return amount.quantize(unit, rounding=mode)

        shares = [_shares(line) for line in lines]
        exact = [sum(each, _ZERO) for each in shares]
        taxes = _taxes(shares, exact, rounding, rounded, unit)
        made = []
        for line, each, tax in zip(lines, shares, taxes, strict=True):
            parts = [rounded(share) for share in each] if rounding is Rounding.JURISDICTION else split(tax, each, unit)
            owed, whole = tax, sum(line.rates, _ZERO)
            if line.billed is not None and whole and line.billed != tax:
                owed = line.billed
                parts = split(owed, [owed * rate / whole for rate in line.rates], unit)
            net = line.amount - owed if line.inclusive else line.amount
            made.append(Taxed(net=net, tax=owed, parts=parts, calculated=tax))
        return made


def _taxes(
    shares: Sequence[Sequence[Decimal]],
    exact: Sequence[Decimal],
    rounding: Rounding,
    rounded: Callable[[Decimal], Decimal],
    unit: Decimal,
) -> list[Decimal]:
    match rounding:
        case Rounding.JURISDICTION:
            return [sum((rounded(share) for share in each), _ZERO) for each in shares]
        case Rounding.LINE:
            return [rounded(tax) for tax in exact]
        case Rounding.DOCUMENT:
            return split(rounded(sum(exact, _ZERO)), exact, unit)


def _shares(line: Taxable) -> list[Decimal]:
    whole = sum(line.rates, _ZERO)
    base = line.amount / (1 + whole) if line.inclusive else line.amount
    return [base * rate for rate in line.rates]


def split(whole: Decimal, shares: Sequence[Decimal], unit: Decimal) -> list[Decimal]:
    """Split whole units by shares: each is cut to the unit, and what is missing goes to those that were cut most.

    The parts sum to the whole. Ties go to the earlier part.
    """
    parts = [share.quantize(unit, rounding=ROUND_DOWN) for share in shares]
    missing = int((whole - sum(parts, _ZERO)) / unit)
    sign = 1 if missing >= 0 else -1
    by_cut = sorted(range(len(parts)), key=lambda place: (parts[place] - shares[place]) * sign)
    for number in range(abs(missing)):
        parts[by_cut[number % len(parts)]] += sign * unit
    return parts
