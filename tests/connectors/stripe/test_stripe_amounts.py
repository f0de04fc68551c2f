"""The sandbox's invoices add up: lines, discounts, taxes, every currency, whatever is drawn."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.stripe.sandbox.amounts import Priced, Rate, Reduction, rounded, settle, step
from hub.sandbox.main import find
from hub.sandbox.server import Options, running


def line_total(line: dict[str, Any]) -> int:
    """Give what a line adds to the total."""
    discounts = sum(part["amount"] for part in line["discount_amounts"])
    taxes = sum(part["amount"] for part in line["taxes"] if part["tax_behavior"] == "exclusive")
    return int(line["amount"] - discounts + taxes)


@pytest.mark.parametrize(
    ("amount", "unit", "expected"),
    [
        ("0.5", 1, 1),
        ("-0.5", 1, -1),
        ("2.5", 1, 3),
        ("2.4999", 1, 2),
        ("10005", 10, 10010),
        ("-15", 10, -20),
        ("49", 100, 0),
    ],
)
def test_rounding(amount: str, unit: int, expected: int) -> None:
    assert rounded(Decimal(amount), unit) == expected


def test_a_line_s_own_discount_comes_first_then_the_invoice_s_then_taxes() -> None:
    lines = [
        Priced(
            amount=1000,
            discountable=True,
            reductions=[Reduction(discount="own", amount=100)],
            rates=[Rate(tax_rate="vat", percent=Decimal(19))],
        ),
        Priced(amount=500, discountable=True),
        Priced(amount=-300, discountable=False),
    ]
    first, second, third = settle(lines, [Reduction(discount="ten", percent=Decimal(10))], 1)
    assert first.discounts == {"own": 100, "ten": 90}
    assert first.own_discount == 100
    assert [(share.amount, share.taxable) for share in first.taxes] == [(154, 810)]
    assert second.discounts == {"ten": 50}
    assert third.discounts == {}


@given(
    amounts=st.lists(st.integers(-50, 100_000), min_size=1, max_size=20),
    off=st.integers(1, 200_000),
    currency=st.sampled_from(["eur", "jpy", "kwd"]),
)
def test_an_amount_off_is_spread_to_the_last_unit(amounts: list[int], off: int, currency: str) -> None:
    unit = step(currency)
    lines = [Priced(amount=amount * unit, discountable=amount > 0) for amount in amounts]
    results = settle(lines, [Reduction(discount="off", amount=off * unit)], unit)
    given_off = sum(sum(result.discounts.values()) for result in results)
    assert given_off == min(off, sum(amount for amount in amounts if amount > 0)) * unit
    assert all(
        0 <= result.discounts.get("off", 0) <= max(0, line.amount) for result, line in zip(results, lines, strict=True)
    )


def test_inclusive_tax_is_within_the_amount() -> None:
    (only,) = settle(
        [Priced(amount=1190, discountable=True, rates=[Rate(tax_rate="vat", percent=Decimal(19), inclusive=True)])],
        [],
        1,
    )
    assert [(share.amount, share.taxable) for share in only.taxes] == [(190, 1000)]


async def test_a_drawn_portfolio_adds_up_and_is_the_same_for_the_same_seed() -> None:
    drawn = []
    for seed in (3, 3, 4):
        async with running(find("stripe"), Options(seed=seed)) as sandbox:
            await sandbox.world.books.seed({"generate": {"customers": 12, "invoices": 240}})
            invoices = sandbox.world.books.snapshot()["invoices"]
        drawn.append(
            [(one["id"], one["number"], one["total"], one["amount_paid"], len(one["lines"])) for one in invoices]
        )
        assert len(invoices) == 240
        assert {one["currency"] for one in invoices} == {"eur", "gbp", "jpy", "kwd", "sek", "usd"}
        for invoice in invoices:
            assert invoice["total"] == sum(line_total(line) for line in invoice["lines"])
            assert invoice["total"] % step(invoice["currency"]) == 0
            taxes = sum(tax["amount"] for tax in invoice["total_taxes"])
            assert invoice["total"] == invoice["total_excluding_tax"] + taxes
            paid = sum(payment["amount_paid"] or 0 for payment in invoice["payments"])
            assert invoice["amount_paid"] == paid
            assert invoice["amount_due"] == invoice["amount_paid"] + invoice["amount_remaining"]
            assert (invoice["status"] == "paid") == (invoice["amount_remaining"] == 0)
        lines = [line for invoice in invoices for line in invoice["lines"]]
        assert min(line["amount"] for line in lines) < 0
        assert any(line["amount"] == 0 for line in lines)
        assert any(line["discount_amounts"] for line in lines)
        assert max(len(invoice["lines"]) for invoice in invoices) > 100
        assert {len(invoice["payments"]) for invoice in invoices} >= {1, 2}
    assert drawn[0] == drawn[1] != drawn[2]


async def test_a_lie_is_told_only_where_it_is_wished_for() -> None:
    async with running(find("stripe")) as sandbox:
        invoice = {"create": {"customer": "@a", "currency": "eur"}, "lines": [{"amount": 1000}]}
        made = await sandbox.world.books.seed(
            {"customers": [{"key": "a", "name": "A"}], "invoices": [{**invoice, "misstate_total": 1}, invoice]}
        )
        assert len(made["made"]["invoices"]) == 2
        assert [one["total"] for one in sandbox.world.books.snapshot()["invoices"]] == [1001, 1000]


async def test_a_negative_invoice_is_a_credit_for_the_next() -> None:
    async with running(find("stripe")) as sandbox:
        await sandbox.world.books.seed(
            {
                "customers": [{"key": "a", "name": "A"}],
                "invoices": [
                    {"create": {"customer": "@a", "currency": "eur"}, "lines": [{"amount": amount}]}
                    for amount in (-300, 1000)
                ],
            }
        )
        first, second = sandbox.world.books.snapshot()["invoices"]
        assert (first["status"], first["total"], first["amount_due"], first["ending_balance"]) == (
            "paid",
            -300,
            0,
            -300,
        )
        assert (second["total"], second["starting_balance"], second["amount_due"]) == (1000, -300, 700)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"customer": []}, "Unknown wish: customer"),
        ({"switches": {"speed": 1}}, "Unknown switch: speed"),
        ({"switches": {"api_version": "2019-01-01"}}, "API version"),
        ({"invoices": [{"create": {"customer": "@nobody"}}]}, "nobody"),
        ({"invoices": [{"creat": {}}]}, r"invoices\[0\]: unknown key creat"),
        ({"customers": [{"nam": "A"}]}, "unknown parameter: nam"),
        ({"generate": {"currencies": ["xyz"]}}, "No market is described for xyz"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused_in_words(wish: dict[str, Any], words: str) -> None:
    async with running(find("stripe")) as sandbox:
        with pytest.raises(ValueError, match=words):
            await sandbox.world.books.seed(wish)
