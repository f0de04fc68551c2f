"""Whatever happens to money in the sandbox, its books balance: both sides, the balance, and every payout."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.stripe.sandbox.amounts import step
from connectors.stripe.sandbox.balance import retrieve_balance
from connectors.stripe.sandbox.parameters import Parameters
from hub.sandbox.main import find
from hub.sandbox.server import running

METHODS = (
    "pm_card_visa",
    "pm_card_bypassPending",
    "pm_card_createDispute",
    "pm_card_createDisputeInquiry",
    "pm_card_pendingRefund",
    "pm_card_refundFail",
    "pm_usBankAccount_success",
    "pm_usBankAccount_insufficientFunds",
)
PAYMENT = st.fixed_dictionaries(
    {
        "do": st.just("pay"),
        "amount": st.integers(20_000, 900_000),
        "currency": st.sampled_from(["usd", "eur", "gbp", "jpy", "kwd", "huf", "sek", "isk"]),
        "method": st.sampled_from(METHODS),
    }
)
CHOICE = st.integers(0, 1000)
ACT = st.one_of(
    PAYMENT,
    PAYMENT,
    st.fixed_dictionaries({"do": st.just("refund"), "which": CHOICE, "share": st.integers(1, 100)}),
    st.fixed_dictionaries({"do": st.sampled_from(["fail refund", "fail payout"]), "which": CHOICE}),
    st.fixed_dictionaries({"do": st.just("decide"), "which": CHOICE, "outcome": st.sampled_from(["won", "lost"])}),
    st.fixed_dictionaries({"do": st.just("pay out")}),
    st.fixed_dictionaries({"do": st.just("wait"), "days": st.integers(1, 6)}),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    acts=st.lists(ACT, min_size=1, max_size=25),
    settles=st.sampled_from([["usd"], ["usd", "eur", "gbp"], ["huf", "usd"]]),
    when=st.sampled_from(["daily", "manual"]),
)
def test_every_history_balances(acts: list[dict[str, Any]], settles: list[str], when: str) -> None:
    books = asyncio.run(lived(acts, {"settles": settles, "payouts": when}))
    movements = {one["id"]: one for one in books["balance_transactions"]}
    for movement in movements.values():
        assert movement["net"] == movement["amount"] - movement["fee"]
        assert movement["fee"] == sum(one["amount"] for one in movement["fee_details"])
        assert movement["amount"] % step(movement["currency"]) == 0
    entries = books["ledger"]["entries"]
    sides: Counter[str] = Counter()
    balance: Counter[str] = Counter()
    for entry in entries:
        sides[entry["transaction"]] += entry["amount"]
        if entry["ledger_account"] == "balance":
            balance[entry["transaction"]] += entry["amount"]
    assert not any(sides.values())
    assert {one: net for one, net in balance.items() if net} == {
        one["id"]: one["net"] for one in movements.values() if one["net"]
    }
    for currency in {one["currency"] for one in movements.values()}:
        # What Stripe owes is what all others have given, less what they took.
        totals = {name: sums.get(currency, 0) for name, sums in books["ledger"]["totals"].items()}
        assert sum(totals.values()) == 0
        assert totals.get("balance", 0) == sum(one["net"] for one in movements.values() if one["currency"] == currency)
        shown = sum(
            one["amount"]
            for part in ("available", "pending")
            for one in books["balance"][part]
            if one["currency"] == currency
        )
        assert shown == totals.get("balance", 0)
    taken: Counter[str] = Counter()
    for payout in books["payouts"]:
        lines = [movements[one] for one in books["made_of"].get(payout["id"], ())]
        taken.update(one["id"] for one in lines)
        assert payout["automatic"] == bool(lines)
        assert sum(one["net"] for one in lines if one["id"] != payout["balance_transaction"]) == payout["amount"]
        assert movements[payout["balance_transaction"]]["net"] == -payout["amount"]
        assert payout["amount"] % (100 if payout["currency"] == "huf" else step(payout["currency"])) == 0
    assert max(taken.values(), default=1) == 1
    for charge in books["charges"]:
        refunds = [one for one in books["refunds"] if one["charge"] == charge["id"]]
        held = sum(one["amount"] for one in refunds if one["status"] != "failed")
        assert charge["amount_refunded"] == held <= charge["amount_captured"] <= charge["amount"]


async def lived(acts: list[dict[str, Any]], switches: dict[str, Any]) -> dict[str, Any]:
    """Let everything happen that makes sense, and give the books, with what each payout is made of."""
    async with running(find("stripe")) as sandbox:
        books: Any = sandbox.world.books
        await books.seed({"switches": {"rate": None, **switches}})
        for act in acts:
            wish = wished(act, books.snapshot())
            if wish:
                await books.seed(wish)
        await books.seed({"elapse": 1})
        account = books.account
        made_of = {payout: [one["id"] for one in lines] for payout, lines in account.paid_out.items()}
        return {**books.snapshot(), "made_of": made_of, "balance": retrieve_balance(account, Parameters({}))}


def wished(act: dict[str, Any], books: dict[str, Any]) -> dict[str, Any] | None:
    """Give the wish that an act comes to with what is there now; None when there is nothing to do it to."""
    match act["do"]:
        case "pay":
            amount = act["amount"] // 100 * 100
            one = {"amount": amount, "currency": act["currency"], "payment_method": act["method"], "confirm": True}
            return {"payment_intents": [one]}
        case "refund":
            disputed = {one["charge"] for one in books["disputes"] if not one["is_charge_refundable"]}
            charges = [
                one
                for one in books["charges"]
                if one["amount_captured"] > one["amount_refunded"] and one["id"] not in disputed
            ]
            if not charges:
                return None
            charge = charges[act["which"] % len(charges)]
            unit = step(charge["currency"])
            left = charge["amount_captured"] - charge["amount_refunded"]
            amount = max(unit, left * act["share"] // 100 // unit * unit)
            return {"refunds": [{"charge": charge["id"], "amount": amount}]}
        case "fail refund":
            refunds = [one for one in books["refunds"] if one["status"] != "failed"]
            return {"failed_refunds": [{"refund": refunds[act["which"] % len(refunds)]["id"]}]} if refunds else None
        case "fail payout":
            payouts = [one for one in books["payouts"] if one["status"] != "failed"]
            return {"failed_payouts": [{"payout": payouts[act["which"] % len(payouts)]["id"]}]} if payouts else None
        case "decide":
            open_ones = [one for one in books["disputes"] if one["status"] not in {"won", "lost", "warning_closed"}]
            if not open_ones:
                return None
            chosen = open_ones[act["which"] % len(open_ones)]
            return {"decided_disputes": [{"dispute": chosen["id"], "outcome": act["outcome"]}]}
        case "pay out":
            return {"pay_out": True}
        case _:
            return {"elapse": act["days"] * 86400}
