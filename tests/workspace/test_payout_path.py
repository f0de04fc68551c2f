"""Payments and payouts through the shipped flows: NetSuite's accounts beside what stands on Stripe's balance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.stripe.sandbox import balance, payments, payouts
from connectors.stripe.sandbox.ledger import FEES as STRIPE_FEES
from connectors.stripe.sandbox.parameters import Parameters
from hub.engine.checks import check
from hub.engine.values import lenient
from hub.errors import FixData, HubError, NotMapped
from hub.model.flow_steps import step_at
from hub.model.money import exponent
from hub.workspace.bundle import Bundle
from tests.workspace.test_money_path import CUSTOMERS, bundle, line, open_books, walk, wish
from tests.workspace.walk import Walk

__all__ = ["bundle", "walk"]

CLEARING, CONVERSION, DISPUTED, FEES, UNDEPOSITED = "123", "124", "125", "60", "122"
BANK = {"usd": "211", "aud": "213", "eur": "221", "gbp": "231", "jpy": "241", "kwd": "251"}
DAY = 86_400
ALL = ["usd", "eur", "gbp", "jpy", "kwd", "aud"]


def paid(customer: str, *payments: Mapping[str, Any], amount: int = 5000) -> dict[str, Any]:
    """Describe an invoice and how it is paid."""
    create = {"customer": f"@{customer}", "currency": CUSTOMERS[customer][2]}
    return {"key": f"of-{customer}", "create": create, "lines": [line(customer, amount)], "payments": list(payments)}


CARD: Mapping[str, Any] = {"by": "card"}


async def stripe(walk: Walk, **wanted: Any) -> dict[str, Any]:
    """Let something happen at Stripe; gives its books."""
    books = walk.sandboxes["stripe"].world.books
    await books.seed(wanted)
    return dict(books.snapshot())


async def post(walk: Walk, *invoices: dict[str, Any], settles: list[str] | None = None) -> None:
    """Invoice, and post every invoice and every payment."""
    await stripe(walk, switches={"settles": settles or ALL})
    for invoice in await open_books(walk, wish(list(invoices))):
        await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    for invoice in (await stripe(walk))["invoices"]:
        for payment in invoice["payments"]:
            if payment["status"] == "paid":
                await walk.flow("payment-to-erp", payment)


async def pay_out(walk: Walk, **wanted: Any) -> list[dict[str, Any]]:
    """Let two days pass, pay out, and let the payouts arrive and be posted."""
    before = {one["id"] for one in (await stripe(walk, elapse=2 * DAY))["payouts"]}
    held = await stripe(walk, pay_out=True, **wanted)
    held = await stripe(walk, elapse=2 * DAY)
    made = [one for one in held["payouts"] if one["id"] not in before]
    for payout in made:
        await walk.flow("payout-to-erp" if payout["automatic"] else "payout-by-hand-to-erp", payout)
    return made


def at_stripe(walk: Walk) -> Any:
    """Give the account that Stripe's sandbox serves."""
    books: Any = walk.sandboxes["stripe"].world.books
    return books.account


def accounts(walk: Walk, currency: str) -> dict[str, int]:
    """Give NetSuite's balances in minor units, those of nothing left out."""
    found = walk.sandboxes["netsuite"].world.books.snapshot()["balances"].get(currency.upper(), {})
    minor = {one: int(Decimal(amount).scaleb(exponent(currency.upper()))) for one, amount in found.items()}
    return {one: amount for one, amount in minor.items() if amount}


def on_balance(held: Mapping[str, Any], currency: str) -> int:
    """Give what Stripe's own ledger has on the balance."""
    return int(held["ledger"]["totals"].get("balance", {}).get(currency, 0))


@pytest.fixture(autouse=True)
async def _no_limit(walk: Walk) -> None:
    await stripe(walk, switches={"rate": None})


async def test_after_its_payouts_the_clearing_account_of_each_currency_is_stripes_balance(walk: Walk) -> None:
    reported = {"amount": 1000, "by": "report"}
    await post(walk, *(paid(customer, reported, CARD) for customer in CUSTOMERS))
    for currency in ALL:
        # Before a payout the account has the charges, and the balance what is left of them.
        held = await stripe(walk)
        taken = held["ledger"]["totals"]["stripe_fees"][currency]
        assert accounts(walk, currency)[CLEARING] == on_balance(held, currency) + taken
    made = await pay_out(walk)
    held = await stripe(walk)
    assert {payout["currency"] for payout in made} == set(ALL)
    for payout in made:
        currency = payout["currency"]
        found = accounts(walk, currency)
        assert found.get(CLEARING, 0) == on_balance(held, currency) == 0
        assert found[BANK[currency]] == payout["amount"]
        assert found[FEES] == held["ledger"]["totals"]["stripe_fees"][currency]
        assert found[UNDEPOSITED] == 1000
    assert len(walk.sandboxes["netsuite"].world.books.snapshot()["journals"]) == len(made)


async def test_a_payout_is_posted_once_however_often_it_is_told(walk: Walk) -> None:
    await post(walk, paid("de", CARD))
    (payout,) = await pay_out(walk)
    before = accounts(walk, "eur")
    scope = await walk.flow("payout-to-erp", payout)
    assert accounts(walk, "eur") == before
    (journal,) = walk.sandboxes["netsuite"].world.books.snapshot()["journals"]
    assert (journal["externalId"], journal["id"]) == (payout["id"], scope["booked"]["post"]["id"])
    assert walk.crossrefs["payout", "stripe", payout["id"], "netsuite"] == journal["id"]


async def test_what_came_back_from_the_bank_is_paid_out_later(walk: Walk) -> None:
    await post(walk, paid("de", CARD))
    (payout,) = await pay_out(walk)
    held = await stripe(walk, failed_payouts=[{"payout": payout["id"]}])
    (failed,) = held["payouts"]
    await walk.flow("payout-returned-to-erp", failed)
    found = accounts(walk, "eur")
    assert found[CLEARING] == on_balance(held, "eur") == payout["amount"]
    assert BANK["eur"] not in found
    (again,) = await pay_out(walk)
    held = await stripe(walk)
    found = accounts(walk, "eur")
    assert again["amount"] == payout["amount"] == found[BANK["eur"]]
    assert found.get(CLEARING, 0) == on_balance(held, "eur") == 0
    assert found[FEES] == held["ledger"]["totals"]["stripe_fees"]["eur"]


async def test_a_payout_that_fails_on_its_way_is_posted_and_taken_back(walk: Walk) -> None:
    await post(walk, paid("jp", CARD))
    await stripe(walk, elapse=2 * DAY)
    (payout,) = (await stripe(walk, pay_out=True))["payouts"]
    held = await stripe(walk, failed_payouts=[{"payout": payout["id"]}], elapse=2 * DAY)
    (failed,) = held["payouts"]
    assert (failed["status"], failed["reconciliation_status"]) == ("failed", "completed")
    with pytest.raises(NotMapped):
        await walk.flow("payout-returned-to-erp", failed)
    await walk.flow("payout-to-erp", failed)
    await walk.flow("payout-returned-to-erp", failed)
    found = accounts(walk, "jpy")
    assert found[CLEARING] == on_balance(held, "jpy") == payout["amount"]


async def test_disputes_are_a_claim_and_their_fees_are_fees(walk: Walk) -> None:
    await post(walk, paid("us", CARD))
    (charge,) = (await stripe(walk))["charges"]
    held = await stripe(walk, disputes=[{"charge": charge["id"], "amount": 1000}])
    (payout,) = await pay_out(walk)
    found, held = accounts(walk, "usd"), await stripe(walk)
    assert found.get(CLEARING, 0) == on_balance(held, "usd") == 0
    assert found[DISPUTED] == 1000
    assert found[FEES] == held["ledger"]["totals"]["stripe_fees"]["usd"]
    assert found[BANK["usd"]] == payout["amount"]


async def test_a_refund_that_nobody_has_posted_stands_open_on_the_clearing_account(walk: Walk) -> None:
    await post(walk, paid("kw", CARD))
    (charge,) = (await stripe(walk))["charges"]
    await stripe(walk, refunds=[{"charge": charge["id"], "amount": 1000}])
    await pay_out(walk)
    found, held = accounts(walk, "kwd"), await stripe(walk)
    assert on_balance(held, "kwd") == 0
    assert found[CLEARING] == 1000


async def test_a_balance_below_nothing_is_taken_from_the_bank(walk: Walk) -> None:
    await post(walk, paid("de", CARD))
    (charge,) = (await stripe(walk))["charges"]
    (first,) = await pay_out(walk)
    await stripe(walk, switches={"debits_bank": True}, refunds=[{"charge": charge["id"], "amount": 2500}])
    (second,) = await pay_out(walk)
    assert second["amount"] == -2500
    found, held = accounts(walk, "eur"), await stripe(walk)
    assert on_balance(held, "eur") == 0
    assert found[BANK["eur"]] == first["amount"] - 2500
    assert found[CLEARING] == 2500


async def test_payouts_by_hand_are_posted_and_found_in_the_next_automatic_one(walk: Walk) -> None:
    await post(walk, paid("gb", CARD))
    await stripe(walk, elapse=2 * DAY)
    account = at_stripe(walk)
    payouts.create(account, Parameters({"amount": 1500, "currency": "gbp"}))
    held = await stripe(walk, elapse=2 * DAY)
    (by_hand,) = held["payouts"]
    await walk.flow("payout-by-hand-to-erp", by_hand)
    # The bank statement will show it on the day of its arrival, not on the one on which it left Stripe.
    (journal,) = walk.sandboxes["netsuite"].world.books.snapshot()["journals"]
    left, arrived = (datetime.fromtimestamp(by_hand[name], UTC).date() for name in ("created", "arrival_date"))
    assert left < arrived
    assert journal["tranDate"] == arrived.isoformat()
    found = accounts(walk, "gbp")
    assert found[BANK["gbp"]] == 1500
    assert found[CLEARING] == on_balance(held, "gbp") + held["ledger"]["totals"]["stripe_fees"]["gbp"]
    (automatic,) = await pay_out(walk)
    found, held = accounts(walk, "gbp"), await stripe(walk)
    assert found[BANK["gbp"]] == 1500 + automatic["amount"]
    assert found.get(CLEARING, 0) == on_balance(held, "gbp") == 0
    # Of an automatic one there is nothing to post by hand.
    assert (await walk.flow("payout-by-hand-to-erp", automatic))["booked"] is None


async def test_what_stripe_converted_is_relieved_from_an_account_of_its_own(walk: Walk) -> None:
    await post(walk, paid("jp", CARD), paid("us", CARD), settles=["usd"])
    (payout,) = await pay_out(walk)
    found, held = accounts(walk, "usd"), await stripe(walk)
    (converted,) = (one for one in held["balance_transactions"] if one["exchange_rate"] is not None)
    assert found[BANK["usd"]] == payout["amount"]
    assert found.get(CLEARING, 0) == on_balance(held, "usd") == 0
    assert found[CONVERSION] == -converted["amount"] != 0
    # Its fee is in dollars too, as all of the payout is.
    assert found[FEES] == held["ledger"]["totals"]["stripe_fees"]["usd"]


async def test_a_customer_who_pays_too_much_has_it_open_in_both_books(walk: Walk) -> None:
    await post(walk, paid("de"))
    account = at_stripe(walk)
    (invoice,) = (await stripe(walk))["invoices"]
    due = invoice["amount_remaining"]
    reported = payments.report(
        account,
        Parameters(
            {
                "amount_requested": {"value": due + 700, "currency": "eur"},
                "initiated_at": account.now(),
                "outcome": "guaranteed",
            }
        ),
    )
    payments.attach(account, invoice["id"], Parameters({"payment_record": reported["id"]}))
    (invoice,) = (await stripe(walk))["invoices"]
    assert invoice["amount_overpaid"] == 700
    (payment,) = (one for one in invoice["payments"] if one["status"] == "paid")
    await walk.flow("payment-to-erp", payment)
    books = walk.sandboxes["netsuite"].world.books.snapshot()
    (posted,) = books["payments"]
    assert (posted["externalId"], Decimal(posted["payment"])) == (payment["id"], Decimal(due + 700) / 100)
    assert Decimal(posted["unapplied"]) == Decimal("7.00")
    assert Decimal(books["invoices"][0]["amountRemaining"]) == 0
    # NetSuite left over what Stripe knows nothing of: that is told.
    account.invoices.get(invoice["id"])["amount_overpaid"] = 699
    with pytest.raises(FixData) as refused:
        await walk.flow("payment-to-erp", payment)
    assert refused.value.code == "payment-not-applied"


async def test_a_payment_of_what_somebody_credited_in_the_erp_is_told(walk: Walk) -> None:
    (identifier,) = await open_books(walk, wish([paid("de")]))
    await walk.flow("invoice-to-erp", {"id": identifier, "object": "invoice"})
    netsuite: Any = walk.sandboxes["netsuite"].world.books
    (posted,) = netsuite.snapshot()["invoices"]
    credit = {"item": {"id": "104"}, "quantity": 1, "amount": Decimal(posted["total"]) - 10}
    applied = {"doc": {"id": posted["id"]}, "apply": True}
    memo = {"type": "creditMemo", "entity": {"id": posted["entity"]}, "currency": {"id": "4"}}
    await netsuite.seed({"records": [{**memo, "item": {"items": [credit]}, "apply": {"items": [applied]}}]})
    payments.pay_part(at_stripe(walk), at_stripe(walk).invoices.get(identifier), 4000)
    (invoice,) = (await stripe(walk))["invoices"]
    (payment,) = (one for one in invoice["payments"] if one["status"] == "paid")
    with pytest.raises(FixData) as refused:
        await walk.flow("payment-to-erp", payment)
    assert refused.value.code == "payment-not-applied"
    (standing,) = netsuite.snapshot()["payments"]
    assert (Decimal(standing["payment"]), Decimal(standing["unapplied"])) == (Decimal(40), Decimal(30))


async def test_money_that_would_be_paid_out_to_another_company_stops(walk: Walk) -> None:
    create = {"customer": "@us", "currency": "eur"}
    invoice = {"create": create, "lines": [line("de", 5000)], "payments": [CARD]}
    await stripe(walk, switches={"settles": ALL})
    await open_books(walk, wish([invoice]))
    (held,) = (await stripe(walk))["invoices"]
    (payment,) = (one for one in held["payments"] if one["status"] == "paid")
    with pytest.raises(HubError) as refused:
        await walk.flow("payment-to-erp", payment)
    assert refused.value.code == "no-rule-matched"


async def test_a_category_without_an_account_stops_the_payout_and_names_it(walk: Walk) -> None:
    await post(walk, paid("de", CARD))
    account = at_stripe(walk)
    balance.book(
        account,
        kind="adjustment",
        source=None,
        amount=-100,
        currency="eur",
        against=STRIPE_FEES,
        category="other_adjustment",
    )
    with pytest.raises(NotMapped) as refused:
        await pay_out(walk)
    assert (refused.value.facts["table"], refused.value.facts["key"]) == ("payout_categories", "other_adjustment")
    assert walk.sandboxes["netsuite"].world.books.snapshot()["journals"] == []


async def test_a_payout_that_does_not_add_up_stops(walk: Walk) -> None:
    await post(walk, paid("de", CARD))
    account = at_stripe(walk)
    await stripe(walk, elapse=2 * DAY)
    (payout,) = (await stripe(walk, pay_out=True, elapse=0))["payouts"]
    account.paid_out[payout["id"]].pop(0)
    await stripe(walk, elapse=2 * DAY)
    with pytest.raises(FixData) as refused:
        await walk.flow("payout-to-erp", payout)
    assert refused.value.code == "payout-does-not-add-up"


async def test_what_the_erp_changed_in_an_entry_is_told(walk: Walk) -> None:
    await post(walk, paid("de", CARD))
    (payout,) = await pay_out(walk)
    step = step_at(walk.bundle.flows["payout-to-erp"].steps, "booked.posted")
    assert step is not None and step.expect is not None
    scope = await walk.flow("payout-to-erp", payout)
    netsuite: Any = walk.sandboxes["netsuite"].world.books
    (journal,) = netsuite.documents.of("journalEntry")
    journal.sublists["line"][0]["account"] = "1"
    operation = walk.connectors["netsuite"].operation("journal_entry.read")
    read = await operation.read(walk.connected["netsuite"], {"id": journal.id})  # type: ignore[union-attr]
    with pytest.raises(FixData) as refused:
        check(step.expect, {**scope, "posted": read}, read)
    assert refused.value.code == "posted-differently"


async def test_a_period_that_only_the_erp_knows_to_be_closed_refuses_the_payout(walk: Walk) -> None:
    await post(walk, paid("de", CARD))
    netsuite: Any = walk.sandboxes["netsuite"].world.books
    day = (datetime.now(UTC) + timedelta(days=4)).strftime("%b %Y")
    await netsuite.seed({"close": [day]})
    with pytest.raises(FixData) as refused:
        await pay_out(walk)
    assert "closed period" in str(refused.value)
    assert netsuite.snapshot()["journals"] == []
    await netsuite.seed({"open": [day]})
    (payout,) = (await stripe(walk))["payouts"]
    await walk.flow("payout-to-erp", payout)
    assert accounts(walk, "eur").get(CLEARING, 0) == 0


@pytest.mark.parametrize(("currency", "known"), [("kwd", {"minor": 1240, "currency": "KWD"}), ("isk", None)])
def test_what_is_at_stake_is_known_before_the_entry_can_be_made(
    bundle: Bundle, currency: str, known: dict[str, Any] | None
) -> None:
    content = {"amount": 1240, "currency": currency}
    assert lenient(bundle.flows["payout-to-erp"].money, {"content": content}) == known
    movement = {"amount": -1240, "currency": currency}
    for name in ("payout-by-hand-to-erp", "payout-returned-to-erp"):
        assert lenient(bundle.flows[name].money, {"movement": movement}) == known
