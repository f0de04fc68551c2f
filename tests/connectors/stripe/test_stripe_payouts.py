"""The connector on money: a payout of thousands of movements, what is refused, and every shape in every release."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.stripe.connector import CONNECTOR
from connectors.stripe.samples import SAMPLES
from connectors.stripe.sandbox import charges, payouts
from connectors.stripe.sandbox.methods import METHODS
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.rendering import render
from connectors.stripe.settings import StripeSettings
from hub.sandbox.exact_json import dumps
from hub.sandbox.server import Running
from hub.sdk.connector import ReadOperation, WriteOperation
from hub.sdk.errors import FixData, RetryLater
from hub.sdk.exact_json import loads
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey
from tests.connectors.stripe.shapes import VERSIONS, misfits, name_of

KINDS = ("balance_transaction", "charge", "dispute", "payment_intent", "payout", "refund")
#: One second of each thing that can happen to money.
STORY: dict[str, Any] = {
    "switches": {"rate": None},
    "customers": [{"key": "customer", "name": "Alder Works", "email": "billing@alder.example"}],
    "invoices": [
        {
            "create": {"customer": "@customer", "currency": "eur"},
            "lines": [{"amount": 3000}],
            "payments": [{"by": "card"}],
        }
    ],
    "payment_intents": [
        {"amount": 90_000, "currency": "usd", "payment_method": "pm_card_bypassPending", "confirm": True},
    ]
    + [
        {"amount": 9000, "currency": currency, "payment_method": method, "confirm": True}
        for currency, method in (
            ("jpy", "pm_card_visa"),
            ("usd", "pm_card_createDispute"),
            ("usd", "pm_card_createDisputeInquiry"),
            ("usd", "pm_card_authenticationRequired"),
            ("usd", "pm_usBankAccount_success"),
            ("usd", "pm_usBankAccount_insufficientFunds"),
        )
    ]
    + [
        {"key": "slow", "amount": 900, "currency": "usd", "payment_method": "pm_card_pendingRefund", "confirm": True},
        {"key": "held", "amount": 700, "currency": "usd", "payment_method": "pm_card_visa", "capture_method": "manual"},
        {"key": "back", "amount": 800, "currency": "usd", "payment_method": "pm_card_refundFail", "confirm": True},
    ],
    "refunds": [{"payment_intent": "@slow"}, {"payment_intent": "@back", "amount": 300, "reason": "duplicate"}],
    "pay_out": True,
    "elapse": 6 * 86400,
}


@pytest.fixture
async def connected(sandbox: Running) -> AsyncIterator[Connected]:
    settings = StripeSettings.model_validate(
        {**SAMPLES.settings, "base_url": sandbox.url, "api_key": sandbox.announcement["api_key"]}
    )
    joined = Connected(CONNECTOR, settings)
    yield joined
    await joined.close()


def reading(name: str) -> ReadOperation:
    operation = CONNECTOR.operation(name)
    assert isinstance(operation, ReadOperation)
    return operation


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_shape_is_described_in_every_release(sandbox: Running, version: str) -> None:
    books: Any = sandbox.world.books
    await books.seed(STORY)
    seen: Counter[str] = Counter()
    held = books.snapshot()
    for kind in KINDS:
        for record in held[f"{kind}s"]:
            shown = loads(dumps(render(books.account, record, version)))
            assert not misfits(name_of(kind, version), shown), (kind, shown)
            seen[kind] += 1
    assert set(seen) == set(KINDS)
    states = {one["status"] for one in held["payment_intents"]}
    assert states == {"succeeded", "requires_action", "requires_payment_method", "requires_confirmation"}
    assert {one["status"] for one in held["refunds"]} == {"succeeded", "failed"}
    assert {one["status"] for one in held["payouts"]} == {"paid"}


async def test_a_payout_of_thousands_is_gone_through_to_the_last(sandbox: Running, connected: Connected) -> None:
    books: Any = sandbox.world.books
    account = books.account
    await books.seed({"switches": {"rate": None, "payout_seconds": 0}})
    method = METHODS["pm_card_bypassPending"]
    for number in range(10_050):
        intent = {"id": f"pi_{number}", "amount": 1000 + number % 7, "currency": "usd"}
        intent |= {"customer": None, "description": None, "metadata": {}, "payment_method": None}
        charges.charge(account, intent, method, captured=True)
    (payout,) = payouts.pay_out(account)
    account.catch_up()
    made = await reading("payout.transactions").read(connected, {"id": payout["id"], "limit": 3})
    assert (made["count"], len(made["data"]), made["has_more"]) == (10_051, 3, True)
    assert (made["amount"], made["net"], made["unexplained"]) == (payout["amount"], payout["amount"], 0)
    charged, paid = made["by_type"]
    assert (charged["type"], charged["count"]) == ("charge", 10_050)
    assert charged["net"] == charged["amount"] - charged["fee"] == payout["amount"]
    assert (paid["type"], paid["net"]) == ("payout", -payout["amount"])
    # Pages of a hundred each.
    assert len([one for one in sandbox.world.requests.since(0) if "balance_transactions" in one.path]) == 101


async def test_a_payout_that_cannot_be_told(sandbox: Running, connected: Connected) -> None:
    books: Any = sandbox.world.books
    one = {"amount": 5000, "currency": "usd", "payment_method": "pm_card_bypassPending", "confirm": True}
    await books.seed({"payment_intents": [one], "pay_out": True})
    (payout,) = books.snapshot()["payouts"]
    operation = reading("payout.transactions")
    with pytest.raises(RetryLater) as early:
        await operation.read(connected, {"id": payout["id"]})
    assert early.value.code == "payout-not-reconciled"
    await books.seed({"elapse": 3 * 86400, "payment_intents": [one]})
    assert (await operation.read(connected, {"id": payout["id"]}))["unexplained"] == 0
    by_hand = payouts.create(books.account, Parameters({"amount": 100, "currency": "usd"}))
    with pytest.raises(FixData) as refused:
        await operation.read(connected, {"id": by_hand["id"]})
    assert refused.value.code == "manual-payout"


async def test_a_payout_by_hand_among_what_an_automatic_one_took(sandbox: Running, connected: Connected) -> None:
    books: Any = sandbox.world.books
    one = {"amount": 5000, "currency": "usd", "payment_method": "pm_card_bypassPending", "confirm": True}
    yen = {**one, "amount": 9000, "currency": "jpy"}
    await books.seed({"payment_intents": [one, yen]})
    by_hand = payouts.create(books.account, Parameters({"amount": 1000, "currency": "usd"}))
    await books.seed({"pay_out": True, "elapse": 3 * 86400})
    automatic = next(payout for payout in books.snapshot()["payouts"] if payout["id"] != by_hand["id"])
    made = await reading("payout.transactions").read(connected, {"id": automatic["id"]})
    assert not misfits("stripe.payout_transactions@1", made)
    assert (made["unexplained"], made["net"]) == (0, automatic["amount"])
    told = [(part["type"], part["converted"], part["own"], part["count"]) for part in made["by_type"]]
    assert told == [
        ("charge", False, False, 1),
        ("charge", True, False, 1),
        ("payout", False, False, 1),
        ("payout", False, True, 1),
    ]
    assert made["by_type"][2]["net"] == -1000
    assert sum(part["net"] for part in made["by_type"]) == 0


@pytest.mark.parametrize("debits", [True, False])
async def test_a_balance_below_nothing_is_taken_from_the_bank_or_stays(
    sandbox: Running, connected: Connected, *, debits: bool
) -> None:
    books: Any = sandbox.world.books
    one = {"amount": 5000, "currency": "usd", "payment_method": "pm_card_bypassPending", "confirm": True, "key": "paid"}
    await books.seed({"switches": {"debits_bank": debits}, "payment_intents": [one], "pay_out": True})
    await books.seed({"refunds": [{"payment_intent": "@paid"}], "pay_out": True, "elapse": 3 * 86400})
    held = books.snapshot()
    assert [payout["amount"] for payout in held["payouts"]][1:] == ([-5000] if debits else [])
    assert held["ledger"]["totals"]["balance"]["usd"] == (0 if debits else -5000)
    if debits:
        made = await reading("payout.transactions").read(connected, {"id": held["payouts"][1]["id"]})
        assert (made["amount"], made["net"], made["unexplained"]) == (-5000, -5000, 0)
        assert held["paid_out"][made["id"]][-1] == held["payouts"][1]["balance_transaction"]


async def test_payouts_while_invoices_are_driven(sandbox: Running) -> None:
    books: Any = sandbox.world.books
    invoice = {
        "create": {"customer": "@c", "currency": "eur"},
        "lines": [{"amount": 900}],
        "payments": [{"by": "card"}],
    }
    await books.seed(
        {
            "switches": {"pending_seconds": 0},
            "customers": [{"key": "c", "name": "A"}],
            "invoices": [invoice] * 4,
            "drive": {"per_second": 4, "pay_out_after": [0.375, 1.0]},
        }
    )
    async with asyncio.timeout(10):
        while books.progress()["planned"]:
            await asyncio.sleep(0.02)
    held = books.snapshot()
    assert [len(held["paid_out"][payout["id"]]) - 1 for payout in held["payouts"]] == [2, 2]
    assert held["ledger"]["totals"]["balance"]["eur"] == 0


async def test_what_a_bank_sent_back_on_its_way_is_told_of_too(sandbox: Running, connected: Connected) -> None:
    books: Any = sandbox.world.books
    one = {"amount": 5000, "currency": "usd", "payment_method": "pm_card_bypassPending", "confirm": True}
    await books.seed({"payment_intents": [one], "pay_out": True})
    (payout,) = books.snapshot()["payouts"]
    await books.seed({"failed_payouts": [{"payout": payout["id"]}], "elapse": 3 * 86400})
    held = books.snapshot()
    told = [event["type"] for event in held["events"] if event["object"] == payout["id"]]
    assert told == ["payout.created", "payout.failed", "payout.reconciliation_completed"]
    made = await reading("payout.transactions").read(connected, {"id": payout["id"]})
    assert (made["status"], made["unexplained"]) == ("failed", 0)
    assert books.progress()["payouts_under_way"] == 0


async def test_a_credit_note_is_read_whole(sandbox: Running, connected: Connected) -> None:
    books: Any = sandbox.world.books
    invoice = {"create": {"customer": "@c", "currency": "eur"}, "lines": [{"amount": 90_000}], "key": "invoice"}
    await books.seed({"customers": [{"key": "c", "name": "A"}], "invoices": [invoice]})
    lines = [
        {"type": "custom_line_item", "description": str(number), "unit_amount": 1 + number} for number in range(230)
    ]
    await books.seed({"credit_notes": [{"invoice": "@invoice", "lines": lines}]})
    (note,) = books.snapshot()["credit_notes"]
    read = await reading("credit_note.read").read(connected, {"id": note["id"]})
    assert [line["unit_amount"] for line in read["lines"]["data"]] == list(range(1, 231))
    assert read["total"] == sum(range(1, 231))


@pytest.mark.parametrize(
    ("name", "record", "code"),
    [
        ("refund.create", {"payment_intent": "@paid", "amount": 5001}, "fix-data"),
        ("refund.create", {"payment_intent": "@back"}, "charge-already-refunded"),
        ("refund.create", {"charge": "ch_nobody"}, "resource-missing"),
        ("payment_intent.confirm", {"id": "@paid"}, "payment-intent-unexpected-state"),
        ("payment_intent.cancel", {"id": "@paid"}, "payment-intent-unexpected-state"),
        ("payment_intent.confirm", {"id": "@open", "payment_method": "pm_card_chargeDeclined"}, "card-declined"),
        ("payment_intent.create", {"amount": 3, "currency": "usd"}, "amount-too-small"),
    ],
)
async def test_what_stripe_refuses_is_told_with_its_code(
    sandbox: Running, connected: Connected, name: str, record: dict[str, Any], code: str
) -> None:
    books: Any = sandbox.world.books
    paid = {"amount": 5000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    await books.seed(
        {
            "payment_intents": [
                {**paid, "key": "paid"},
                {**paid, "key": "back"},
                {"amount": 700, "currency": "usd", "key": "open"},
            ],
            "refunds": [{"payment_intent": "@back"}],
        }
    )
    keys = books.snapshot()["keys"]
    wanted = {field: keys.get(str(value).removeprefix("@"), value) for field, value in record.items()}
    operation = CONNECTOR.operation(name)
    assert isinstance(operation, WriteOperation)
    with pytest.raises(FixData) as refused:
        await connected.write(operation, wanted, EffectKey("00112233445566778899aabbccddeeff"))
    assert refused.value.code == code


async def test_what_is_taken_back_by_its_undo(sandbox: Running, connected: Connected) -> None:
    books: Any = sandbox.world.books
    invoice = {"create": {"customer": "@c", "currency": "eur"}, "lines": [{"amount": 900}], "key": "invoice"}
    await books.seed({"customers": [{"key": "c", "name": "A"}], "invoices": [invoice]})
    invoice_id = books.snapshot()["keys"]["invoice"]
    for name, record in (
        ("credit_note.create", {"invoice": invoice_id, "amount": 400}),
        ("payment_intent.create", {"amount": 400, "currency": "eur"}),
    ):
        operation = CONNECTOR.operation(name)
        assert isinstance(operation, WriteOperation)
        undo = CONNECTOR.operation(str(operation.undo))
        assert isinstance(undo, WriteOperation)
        made = await connected.write(operation, record, EffectKey(f"{'1' * 31}{len(name) % 10}"))
        undone = await connected.write(undo, CONNECTOR.undo_input(undo, made), EffectKey(f"{'2' * 31}{len(name) % 10}"))
        assert undone["id"] == made["id"]
        assert undone["status"] in {"void", "canceled"}
    (after,) = books.snapshot()["invoices"]
    assert after["amount_remaining"] == 900
