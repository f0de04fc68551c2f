"""The arithmetic of tax: worked cases of rounding, and laws that hold for every sale."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.taxtable.calculation import Taxable, Taxed, calculate, split
from connectors.taxtable.settings import Halves, Rounding

AMOUNTS = st.decimals(min_value=-100_000, max_value=100_000, places=3, allow_nan=False, allow_infinity=False)
RATES = st.decimals(min_value=0, max_value="0.4", places=5, allow_nan=False, allow_infinity=False)
LINES = st.lists(
    st.builds(Taxable, amount=AMOUNTS, inclusive=st.booleans(), rates=st.lists(RATES, max_size=5)),
    min_size=1,
    max_size=12,
)
ROUNDINGS = st.sampled_from(Rounding)
DIGITS = st.sampled_from([0, 2, 3])


def taxed(*lines: Taxable, rounding: Rounding = Rounding.LINE, halves: Halves = Halves.UP) -> list[Taxed]:
    return calculate(lines, rounding=rounding, halves=halves, digits=2)


def line(amount: str, *percents: str, inclusive: bool = False) -> Taxable:
    return Taxable(amount=Decimal(amount), inclusive=inclusive, rates=[Decimal(one) / 100 for one in percents])


def total(lines: list[Taxed]) -> Decimal:
    return sum((each.tax for each in lines), Decimal(0))


def test_two_lines_of_texas_differ_by_a_cent_between_line_and_document() -> None:
    lines = (line("197.00", "8.25"), line("49.00", "8.25"))
    by_line = taxed(*lines)
    assert [each.tax for each in by_line] == [Decimal("16.25"), Decimal("4.04")]
    by_document = taxed(*lines, rounding=Rounding.DOCUMENT)
    assert total(by_document) == Decimal("20.30")
    assert [each.tax for each in by_document] == [Decimal("16.26"), Decimal("4.04")]


def test_four_jurisdictions_of_san_antonio_differ_by_a_cent_from_their_sum() -> None:
    sale = line("4.99", "6.25", "1.25", "0.5", "0.25")
    (apart,) = taxed(sale, rounding=Rounding.JURISDICTION)
    assert apart.parts == [Decimal("0.31"), Decimal("0.06"), Decimal("0.02"), Decimal("0.01")]
    assert apart.tax == Decimal("0.40")
    (together,) = taxed(sale)
    assert together.tax == Decimal("0.41")
    assert sum(together.parts) == together.tax


def test_net_and_tax_of_a_credit_are_rounded_apart_and_then_added() -> None:
    """160.00 at 25 % for 29 of 30 days: the gross is the sum of what is rounded, not rounded by itself."""
    (credit,) = taxed(line("154.67", "25"))
    assert (credit.net + credit.tax, credit.tax) == (Decimal("193.34"), Decimal("38.67"))


def test_two_partial_credits_close_an_invoice_to_the_cent() -> None:
    (whole,), (first,), (second,) = taxed(line("769.00", "20")), taxed(line("726.86", "20")), taxed(line("42.14", "20"))
    assert (first.tax, second.tax) == (Decimal("145.37"), Decimal("8.43"))
    assert first.tax + second.tax == whole.tax


def test_lines_after_a_coupon_have_their_own_rates() -> None:
    lines = taxed(line("95.00", "10"), line("47.50"), line("28.50", "20"), line("19.00", "20"))
    assert [each.tax for each in lines] == [Decimal("9.50"), 0, Decimal("5.70"), Decimal("3.80")]


def test_one_line_in_two_parts_keeps_both_rates() -> None:
    parts = taxed(line("75.00", "4"), line("25.00", "4.5"))
    assert [each.tax for each in parts] == [Decimal("3.00"), Decimal("1.13")]


@pytest.mark.parametrize(("halves", "tax"), [(Halves.UP, "0.03"), (Halves.EVEN, "0.02")])
def test_an_exact_half_goes_where_it_is_told(halves: Halves, tax: str) -> None:
    assert taxed(line("0.25", "10"), halves=halves)[0].tax == Decimal(tax)


def test_an_inclusive_price_is_taken_apart() -> None:
    (sale,) = taxed(line("119.00", "19", inclusive=True))
    assert (sale.net, sale.tax) == (Decimal("100.00"), Decimal("19.00"))
    (awkward,) = taxed(line("10.00", "19", inclusive=True))
    assert (awkward.net, awkward.tax) == (Decimal("8.40"), Decimal("1.60"))


@given(LINES, ROUNDINGS, st.sampled_from(Halves), DIGITS)
def test_parts_sum_to_their_line_and_lines_to_the_document(
    lines: list[Taxable], rounding: Rounding, halves: Halves, digits: int
) -> None:
    unit = Decimal(1).scaleb(-digits)
    made = calculate(lines, rounding=rounding, halves=halves, digits=digits)
    for each, sold in zip(made, lines, strict=True):
        assert sum(each.parts, Decimal(0)) == each.tax == each.tax.quantize(unit)
        assert each.net + (each.tax if sold.inclusive else 0) == sold.amount
        whole = sum(sold.rates, Decimal(0))
        exact = sold.amount * whole / (1 + whole if sold.inclusive else 1)
        assert abs(each.tax - exact) <= unit * max(len(sold.rates), 1)
    if rounding is Rounding.DOCUMENT:
        wholes = [(sold, sum(sold.rates, Decimal(0))) for sold in lines]
        exact = sum((sold.amount * rate / (1 + rate if sold.inclusive else 1) for sold, rate in wholes), Decimal(0))
        assert abs(total(made) - exact) <= unit / 2 + Decimal("1e-15")


@given(LINES, ROUNDINGS, DIGITS)
def test_what_is_taken_back_whole_is_what_was_taken(lines: list[Taxable], rounding: Rounding, digits: int) -> None:
    back = [Taxable(amount=-one.amount, inclusive=one.inclusive, rates=one.rates) for one in lines]
    there, gone = (calculate(each, rounding=rounding, halves=Halves.UP, digits=digits) for each in (lines, back))
    assert [(-one.tax, [-part for part in one.parts]) for one in there] == [(one.tax, one.parts) for one in gone]


def test_what_was_billed_is_the_tax_and_is_split_by_the_rates() -> None:
    sale = replace(line("-4.99", "6.25", "1.25", "0.5", "0.25"), billed=Decimal("-0.42"))
    (made,) = taxed(sale)
    assert (made.tax, made.calculated, made.net) == (Decimal("-0.42"), Decimal("-0.41"), Decimal("-4.99"))
    assert made.parts == [Decimal("-0.32"), Decimal("-0.06"), Decimal("-0.03"), Decimal("-0.01")]


def test_what_was_billed_on_one_line_leaves_the_others_alone() -> None:
    lines = (line("197.00", "8.25"), replace(line("49.00", "8.25"), billed=Decimal("4.05")))
    by_document = taxed(*lines, rounding=Rounding.DOCUMENT)
    assert [(each.tax, each.calculated) for each in by_document] == [
        (Decimal("16.26"), Decimal("16.26")),
        (Decimal("4.05"), Decimal("4.04")),
    ]


def test_the_net_of_an_inclusive_price_follows_what_was_billed() -> None:
    (made,) = taxed(replace(line("10.00", "19", inclusive=True), billed=Decimal("1.59")))
    assert (made.net, made.tax, made.calculated) == (Decimal("8.41"), Decimal("1.59"), Decimal("1.60"))


@pytest.mark.parametrize("rates", [(), ("0",)])
def test_what_was_billed_has_nobody_to_be_owed_to_where_nothing_is_taken(rates: tuple[str, ...]) -> None:
    (made,) = taxed(replace(line("10.00", *rates), billed=Decimal("1.59")))
    assert [made.net, made.tax, sum(made.parts, Decimal(0))] == [10, 0, 0]


@given(LINES, ROUNDINGS, DIGITS, st.lists(st.integers(-3, 3), min_size=12, max_size=12))
def test_of_what_was_billed_the_parts_sum_to_it_and_stand_by_what_is_calculated(
    lines: list[Taxable], rounding: Rounding, digits: int, off: list[int]
) -> None:
    unit = Decimal(1).scaleb(-digits)
    own = calculate(lines, rounding=rounding, halves=Halves.UP, digits=digits)
    billed = [replace(sold, billed=each.tax + units * unit) for sold, each, units in zip(lines, own, off, strict=False)]
    for sold, each, made in zip(billed, own, _made(billed, rounding, digits), strict=True):
        assert made.calculated == each.tax
        assert made.tax == (sold.billed if any(sold.rates) else 0)
        assert sum(made.parts, Decimal(0)) == made.tax
        assert made.net + (made.tax if sold.inclusive else 0) == sold.amount
        if made.tax == each.tax:
            assert made == each
        shares = [made.tax * rate / sum(sold.rates) for rate in sold.rates if made.tax != each.tax]
        assert all(abs(part - share) <= unit for part, share in zip(made.parts, shares, strict=False))


def _made(lines: list[Taxable], rounding: Rounding, digits: int) -> list[Taxed]:
    return calculate(lines, rounding=rounding, halves=Halves.UP, digits=digits)


@given(st.lists(AMOUNTS, min_size=1, max_size=20))
def test_a_split_gives_the_whole_and_no_part_is_off_by_more_than_a_unit(shares: list[Decimal]) -> None:
    unit = Decimal("0.01")
    whole = sum(shares, Decimal(0)).quantize(unit)
    parts = split(whole, shares, unit)
    assert sum(parts) == whole
    assert all(abs(part - share) <= unit for part, share in zip(parts, shares, strict=True))
