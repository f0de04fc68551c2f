"""Periods in the sandbox that the end of a subscription cuts short: they cost their part, wherever the end moves."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.stripe.sandbox import customers, prices, products, subscriptions
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.terms import after
from hub.sandbox.world import World

DAY = 86400


def cut_at(share: float, *, periods: int = 0) -> int:
    """Give the moment at which a part of a monthly period is over, so many whole periods after the sandbox's start."""
    terms = {"interval": "month", "interval_count": 1}
    now = int(World(name="stripe", seed=1).clock.timestamp())
    start, end = after(now, terms, periods), after(now, terms, periods + 1)
    return start + int((end - start) * share)


def begun(share: float, *, periods: int = 0, by: str = "send_invoice", **more: Any) -> tuple[Account, Any]:
    """Give an account with a subscription to 3 at 30.00 a month, which ends in a period that is `share` over then."""
    account = Account(World(name="stripe", seed=1))
    customer = customers.create(account, Parameters({"name": "A"}))["id"]
    product = products.create(account, Parameters({"name": "Seats"}))["id"]
    terms = {"product": product, "currency": "eur", "unit_amount": 3000, "recurring": {"interval": "month"}}
    wanted = {
        "customer": customer,
        "items": [{"price": prices.create(account, Parameters(terms))["id"], "quantity": 3}],
        "collection_method": by,
        "cancel_at": cut_at(share, periods=periods),
        **({"days_until_due": 30} if by == "send_invoice" else {}),
        **more,
    }
    return account, subscriptions.create(account, Parameters(wanted))


def lines_of(account: Account) -> list[int]:
    """Give what the lines of all invoices come to, oldest first."""
    return [line["amount"] for invoice in account.invoices.oldest_first() for line in account.lines[invoice["id"]]]


@pytest.mark.parametrize("periods", [0, 2])
def test_a_period_that_the_end_cuts_short_costs_its_part(periods: int) -> None:
    account, made = begun(0.5, periods=periods)
    account.world.clock.advance(100 * DAY)
    account.catch_up()
    assert lines_of(account) == [9000] * periods + [4500]
    found = subscriptions.retrieve(account, made["id"])
    item = found["items"]["data"][0]
    assert (found["status"], found["ended_at"]) == ("canceled", made["cancel_at"])
    assert item["current_period_end"] == made["cancel_at"]
    last = account.lines[found["latest_invoice"]][-1]
    assert last["period"] == {"start": item["current_period_start"], "end": made["cancel_at"]}
    assert list(account.invoiceitems.oldest_first()) == []


def test_a_first_period_that_is_cut_short_costs_nothing_where_nothing_is_prorated() -> None:
    account, made = begun(
        0.5, proration_behavior="none", payment_behavior="default_incomplete", by="charge_automatically"
    )
    assert (made["status"], made["latest_invoice"], lines_of(account)) == ("active", None, [])
    # A later one costs its part all the same.
    account, _ = begun(0.5, periods=1, proration_behavior="none")
    account.world.clock.advance(100 * DAY)
    account.catch_up()
    assert lines_of(account) == [9000, 4500]


@settings(max_examples=40, deadline=None)
@given(
    first=st.floats(0.01, 1.5),
    changes=st.lists(
        st.tuples(st.floats(0, 0.2), st.one_of(st.none(), st.floats(0.25, 1.5)), st.integers(0, 9)), max_size=5
    ),
)
def test_what_is_billed_up_to_an_end_that_moves_is_what_was_had(
    first: float, changes: list[tuple[float, float | None, int]]
) -> None:
    account, made = begun(first)
    start, end = cut_at(0), cut_at(1)
    item = made["items"]["data"][0]["id"]
    had, at, quantity, last = Fraction(0), start, 3, first
    for share, until, other in sorted(changes, key=lambda one: one[0]):
        moment = cut_at(share)
        if moment >= min(cut_at(last), end):
            continue
        had += Fraction(quantity * 3000 * (moment - at), end - start)
        last = 1.5 if until is None else until
        update = {
            "items": [{"id": item, "quantity": other}],
            "proration_date": moment,
            "cancel_at": "" if until is None else cut_at(until),
        }
        subscriptions.update(account, made["id"], Parameters(update))
        at, quantity = moment, other
    had += Fraction(quantity * 3000 * (min(cut_at(last), end) - at), end - start)
    items = list(account.invoiceitems.oldest_first())
    assert abs(sum(lines_of(account)) + sum(one["amount"] for one in items) - had) <= 3 * len(changes) + 1


def test_without_prorations_an_end_that_moves_changes_nothing_that_is_billed() -> None:
    account, made = begun(1.5)
    wanted = {"cancel_at": cut_at(0.5), "proration_behavior": "none"}
    changed = subscriptions.update(account, made["id"], Parameters(wanted))
    assert changed["items"]["data"][0]["current_period_end"] == cut_at(0.5)
    assert list(account.invoiceitems.oldest_first()) == []
    at_once = {"cancel_at": cut_at(0.75), "proration_behavior": "always_invoice"}
    subscriptions.update(account, made["id"], Parameters(at_once))
    assert lines_of(account) == [9000, 2250]
