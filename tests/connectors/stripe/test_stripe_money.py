"""Stripe's own library pays, refunds, disputes and pays out in the sandbox, and is refused as Stripe refuses."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from hub.sandbox.server import Running
from tests.connectors.stripe.partners import Client, Inbox, settled

DAY = 86400


def pay(call: stripe.StripeClient, method: str = "pm_card_visa", amount: int = 5000, **more: Any) -> Any:
    """Confirm a payment intent at once."""
    wanted: Any = {"amount": amount, "currency": "usd", "payment_method": method, "confirm": True, **more}
    return call.v1.payment_intents.create(wanted)


async def seeded(sandbox: Running, **wish: Any) -> dict[str, Any]:
    """Let something happen that no call can bring about, and give the books."""
    await sandbox.world.books.seed(wish)
    return dict(sandbox.world.books.snapshot())


async def test_a_payment_with_its_charge_and_its_movement(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        intent: Any = pay(call, metadata={"order": "7"}, expand=["latest_charge.balance_transaction"])
        assert (intent.status, intent.amount_received) == ("succeeded", 5000)
        charge = intent.latest_charge
        assert (charge.status, charge.captured, charge.amount_captured, charge.refunded) == (
            "succeeded",
            True,
            5000,
            False,
        )
        movement = charge.balance_transaction
        # 2.9 percent and 30 cents.
        assert (movement.amount, movement.fee, movement.net, movement.type) == (5000, 175, 4825, "charge")
        assert [(one.type, one.amount, one.currency) for one in movement.fee_details] == [("stripe_fee", 175, "usd")]
        assert (movement.status, movement.available_on - movement.created) == ("pending", 2 * DAY)
        balance = call.v1.balance.retrieve()
        assert [(one.amount, one.currency) for one in balance.pending] == [(4825, "usd")]
        assert [one.id for one in call.v1.charges.list({"payment_intent": intent.id})] == [charge.id]
        assert [one.id for one in call.v1.balance_transactions.list({"source": charge.id})] == [movement.id]
        assert call.v1.charges.update(charge.id, {"metadata": {"a": "1"}}).metadata.to_dict() == {
            "order": "7",
            "a": "1",
        }

    await client(work)


async def test_each_state_of_a_payment_intent(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> str:
        bare = call.v1.payment_intents.create({"amount": 900, "currency": "eur"})
        assert bare.status == "requires_payment_method"
        with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
            call.v1.payment_intents.confirm(bare.id)
        ready = call.v1.payment_intents.update(bare.id, {"payment_method": "pm_card_visa", "amount": 950})
        assert (ready.status, ready.amount) == ("requires_confirmation", 950)
        assert call.v1.payment_intents.confirm(bare.id).status == "succeeded"
        with pytest.raises(stripe.InvalidRequestError, match="already succeeded") as twice:
            call.v1.payment_intents.confirm(bare.id)
        assert twice.value.code == "payment_intent_unexpected_state"
        with pytest.raises(stripe.InvalidRequestError, match="status of succeeded") as late:
            call.v1.payment_intents.cancel(bare.id)
        assert late.value.code == "payment_intent_unexpected_state"
        with pytest.raises(stripe.InvalidRequestError, match="could not be updated"):
            call.v1.payment_intents.update(bare.id, {"amount": 1000})
        ended = call.v1.payment_intents.create({"amount": 900, "currency": "eur"})
        ended = call.v1.payment_intents.cancel(ended.id, {"cancellation_reason": "duplicate"})
        assert (ended.status, ended.cancellation_reason) == ("canceled", "duplicate")
        asked = pay(call, "pm_card_authenticationRequired")
        assert asked.status == "requires_action"
        return str(asked.id)

    asked = await client(work)
    books = await seeded(sandbox, authentications=[{"payment_intent": asked}])
    (intent,) = [one for one in books["payment_intents"] if one["id"] == asked]
    assert intent["status"] == "succeeded"


async def test_held_money_is_taken_in_part_or_let_go(client: Client, sandbox: Running) -> None:
    def hold(call: stripe.StripeClient) -> Any:
        return pay(call, capture_method="manual")

    def work(call: stripe.StripeClient) -> str:
        held = hold(call)
        assert (held.status, held.amount_capturable) == ("requires_capture", 5000)
        assert call.v1.charges.retrieve(held.latest_charge).balance_transaction is None
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call.v1.payment_intents.capture(held.id, {"amount_to_capture": 5001})
        assert refused.value.code == "amount_too_large"
        taken = call.v1.payment_intents.capture(held.id, {"amount_to_capture": 3000})
        assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 3000, 0)
        charge = call.v1.charges.retrieve(held.latest_charge)
        assert (charge.amount, charge.amount_captured) == (5000, 3000)
        with pytest.raises(stripe.InvalidRequestError, match="could not be captured"):
            call.v1.payment_intents.capture(held.id)
        assert call.v1.payment_intents.cancel(hold(call).id).status == "canceled"
        return str(hold(call).id)

    forgotten = await client(work)
    books = await seeded(sandbox, elapse=8 * DAY)
    (intent,) = [one for one in books["payment_intents"] if one["id"] == forgotten]
    assert (intent["status"], intent["cancellation_reason"]) == ("canceled", "automatic")
    assert [one["amount"] for one in books["balance_transactions"]] == [3000]


@pytest.mark.parametrize(
    ("method", "code", "reason"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
async def test_declined_cards(client: Client, method: str, code: str, reason: str) -> None:
    def work(call: stripe.StripeClient) -> None:
        with pytest.raises(stripe.CardError) as declined:
            pay(call, method)
        assert (declined.value.http_status, declined.value.code) == (402, code)
        error: Any = declined.value.error
        assert error.decline_code == reason
        assert error.payment_intent["status"] == "requires_payment_method"
        charge = call.v1.charges.retrieve(error.charge)
        assert (charge.status, charge.paid, charge.failure_code, charge.balance_transaction) == (
            "failed",
            False,
            code,
            None,
        )
        # Another card pays the same intent.
        assert call.v1.payment_intents.confirm(
            error.payment_intent["id"], {"payment_method": "pm_card_visa"}
        ).status == ("succeeded")
        kinds = {event.type for event in call.v1.events.list({"limit": 100})}
        assert {"charge.failed", "payment_intent.payment_failed", "payment_intent.succeeded"} <= kinds

    await client(work)


@pytest.mark.parametrize(
    ("currency", "amount", "code"),
    [
        ("usd", 49, "amount_too_small"),
        ("jpy", 49, "amount_too_small"),
        ("usd", 100_000_000, "amount_too_large"),
        ("isk", 15_050, "invalid_charge_amount_no_decimal_compatible"),
        ("kwd", 5125, None),
    ],
)
async def test_amounts_that_cannot_be_charged(client: Client, currency: str, amount: int, code: str | None) -> None:
    def work(call: stripe.StripeClient) -> None:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call.v1.payment_intents.create({"amount": amount, "currency": currency})
        assert (refused.value.code, refused.value.param) == (code, "amount")

    await client(work)


async def test_a_bank_debit_takes_days_and_may_fail(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> list[str]:
        intents = [pay(call, method) for method in ("pm_usBankAccount_success", "pm_usBankAccount_insufficientFunds")]
        assert [one.status for one in intents] == ["processing", "processing"]
        assert call.v1.charges.retrieve(intents[0].latest_charge).status == "pending"
        return [one.id for one in intents]

    identifiers = await client(work)
    books = await seeded(sandbox, elapse=5 * DAY)
    states = {one["id"]: one["status"] for one in books["payment_intents"]}
    assert [states[one] for one in identifiers] == ["succeeded", "requires_payment_method"]
    assert [one["type"] for one in books["balance_transactions"]] == ["payment"]
    assert [one["status"] for one in books["charges"]] == ["succeeded", "failed"]


async def test_an_invoice_is_paid_when_its_bank_debit_arrives(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> tuple[str, str]:
        customer = call.v1.customers.create({"name": "Alder Works"})
        made = []
        for _ in range(2):
            draft = call.v1.invoices.create({"customer": customer.id, "currency": "usd"})
            call.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 4000}]})
            call.v1.invoices.finalize_invoice(draft.id)
            paid = call.v1.invoices.pay(draft.id, {"payment_method": "pm_usBankAccount_success"})
            assert (paid.status, paid.amount_remaining) == ("open", 4000)
            made.append(draft.id)
        with pytest.raises(stripe.InvalidRequestError, match="under way already"):
            call.v1.invoices.pay(made[0])
        assert call.v1.invoices.void_invoice(made[1]).status == "void"
        return made[0], made[1]

    await client(work)
    books = await seeded(sandbox, elapse=5 * DAY)
    assert [(one["status"], one["amount_paid"]) for one in books["invoices"]] == [("paid", 4000), ("void", 0)]
    assert [one["status"] for one in books["charges"]] == ["succeeded", "failed"]
    assert [one["amount"] for one in books["balance_transactions"]] == [4000]


async def test_money_of_another_currency_is_converted(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        intent: Any = pay(call, amount=10_000, currency="jpy", expand=["latest_charge.balance_transaction"])
        movement = intent.latest_charge.balance_transaction
        assert (movement.currency, movement.amount, str(movement.exchange_rate)) == ("usd", 6500, "0.0065")
        assert movement.net == movement.amount - movement.fee == 6500 - 189 - 30
        own: Any = pay(call, amount=1000, currency="gbp", expand=["latest_charge.balance_transaction"])
        assert (
            own.latest_charge.balance_transaction.currency,
            own.latest_charge.balance_transaction.exchange_rate,
        ) == (
            "gbp",
            None,
        )

    await client(work)


async def test_refunds_in_parts_and_no_more_than_was_taken(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        intent = pay(call)
        first = call.v1.refunds.create({"payment_intent": intent.id, "amount": 2000, "reason": "requested_by_customer"})
        assert (first.status, first.amount, first.charge) == ("succeeded", 2000, intent.latest_charge)
        movement = call.v1.balance_transactions.retrieve(str(first.balance_transaction))
        # Stripe keeps its fee.
        assert (movement.type, movement.amount, movement.fee, movement.net) == ("refund", -2000, 0, -2000)
        with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount on charge") as over:
            call.v1.refunds.create({"charge": intent.latest_charge, "amount": 3001})
        assert over.value.param == "amount"
        rest = call.v1.refunds.create({"charge": intent.latest_charge, "metadata": {"why": "late"}})
        assert rest.amount == 3000
        charge = call.v1.charges.retrieve(intent.latest_charge)
        assert (charge.refunded, charge.amount_refunded) == (True, 5000)
        with pytest.raises(stripe.InvalidRequestError) as done:
            call.v1.refunds.create({"charge": intent.latest_charge})
        assert done.value.code == "charge_already_refunded"
        assert [one.id for one in call.v1.refunds.list({"charge": intent.latest_charge})] == [rest.id, first.id]
        assert call.v1.refunds.update(first.id, {"metadata": {"a": "1"}}).to_dict()["metadata"] == {"a": "1"}
        with pytest.raises(stripe.InvalidRequestError):
            call.v1.refunds.cancel(first.id)
        with pytest.raises(stripe.InvalidRequestError) as neither:
            call.v1.refunds.create({"amount": 5})
        assert neither.value.code == "parameter_missing"
        kinds = [event.type for event in call.v1.events.list({"types": ["refund.created", "charge.refunded"]})]
        assert sorted(kinds) == ["charge.refunded"] * 2 + ["refund.created"] * 2

    await client(work)


async def test_a_refund_that_is_pending_and_one_that_fails_after_it_succeeded(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> tuple[str, str]:
        refunds = [
            call.v1.refunds.create({"payment_intent": pay(call, method).id})
            for method in ("pm_card_pendingRefund", "pm_card_refundFail")
        ]
        assert [one.status for one in refunds] == ["pending", "succeeded"]
        return refunds[0].id, refunds[1].id

    pending, failing = await client(work)
    books = await seeded(sandbox, elapse=6 * DAY)
    refunds = {one["id"]: one for one in books["refunds"]}
    assert refunds[pending]["status"] == "succeeded"
    assert "pending_reason" not in refunds[pending]
    failed = refunds[failing]
    assert (failed["status"], failed["failure_reason"]) == ("failed", "expired_or_canceled_card")
    movements = {one["id"]: one for one in books["balance_transactions"]}
    back = movements[failed["failure_balance_transaction"]]
    assert (back["type"], back["amount"], back["reporting_category"]) == ("refund_failure", 5000, "refund_failure")
    (charge,) = [one for one in books["charges"] if one["id"] == failed["charge"]]
    assert (charge["amount_refunded"], charge["refunded"]) == (0, False)
    assert [one["type"] for one in books["events"]].count("refund.failed") == 1


@pytest.mark.parametrize(("outcome", "kept"), [("won", -1500), ("lost", -6500)])
async def test_a_dispute_takes_the_money_and_a_fee(client: Client, sandbox: Running, outcome: str, kept: int) -> None:
    def work(call: stripe.StripeClient) -> str:
        intent = pay(call, "pm_card_createDispute")
        (dispute,) = call.v1.disputes.list({"payment_intent": intent.id}).data
        assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "fraudulent", 5000)
        assert [(one.type, one.reporting_category, one.amount, one.net) for one in dispute.balance_transactions] == [
            ("adjustment", "dispute", -5000, -5000),
            ("stripe_fee", "fee", -1500, -1500),
        ]
        assert call.v1.charges.retrieve(intent.latest_charge).disputed is True
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call.v1.refunds.create({"charge": intent.latest_charge})
        assert refused.value.code == "charge_disputed"
        noted = call.v1.disputes.update(dispute.id, {"evidence": {"customer_name": "A"}, "submit": False})
        assert (noted.status, noted.evidence_details.has_evidence) == ("needs_response", True)
        assert call.v1.disputes.update(dispute.id, {"submit": True}).status == "under_review"
        with pytest.raises(stripe.InvalidRequestError, match="under_review"):
            call.v1.disputes.update(dispute.id, {"evidence": {"customer_name": "B"}})
        return str(dispute.id)

    dispute = await client(work)
    books = await seeded(sandbox, decided_disputes=[{"dispute": dispute, "outcome": outcome}])
    (found,) = books["disputes"]
    assert found["status"] == outcome
    assert sum(one["net"] for one in found["balance_transactions"]) == kept
    told = [one["type"] for one in books["events"] if one["type"].startswith("charge.dispute.")]
    assert told[:2] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert told[-1] == ("charge.dispute.funds_reinstated" if outcome == "won" else "charge.dispute.closed")


async def test_an_inquiry_moves_no_money_until_it_is_lost(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> None:
        intents = [pay(call, "pm_card_createDisputeInquiry") for _ in range(2)]
        (first,) = call.v1.disputes.list({"payment_intent": intents[0].id}).data
        assert (first.status, first.is_charge_refundable, first.balance_transactions) == (
            "warning_needs_response",
            True,
            [],
        )
        assert call.v1.refunds.create({"payment_intent": intents[0].id, "amount": 100}).status == "succeeded"
        (second,) = call.v1.disputes.list({"payment_intent": intents[1].id}).data
        assert call.v1.disputes.close(second.id).status == "lost"
        with pytest.raises(stripe.InvalidRequestError, match="already closed"):
            call.v1.disputes.close(second.id)

    await client(work)
    books = sandbox.world.books.snapshot()
    assert [len(one["balance_transactions"]) for one in books["disputes"]] == [0, 2]


async def test_an_automatic_payout_and_what_it_is_made_of(client: Client, sandbox: Running, inbox: Inbox) -> None:
    await seeded(sandbox, endpoints=[{"url": inbox.url, "enabled_events": ["payout.*"]}], switches={"rate": None})

    def fill(call: stripe.StripeClient) -> None:
        intents = [pay(call, amount=1000 + number) for number in range(120)]
        call.v1.refunds.create({"payment_intent": intents[0].id, "amount": 400})

    await client(fill)
    await seeded(sandbox, elapse=3 * DAY)
    books = await seeded(sandbox, pay_out=True)
    (payout,) = books["payouts"]
    assert (payout["status"], payout["automatic"], payout["reconciliation_status"]) == (
        "pending",
        True,
        "in_progress",
    )
    await seeded(sandbox, elapse=3 * DAY)

    def work(call: stripe.StripeClient) -> None:
        found: Any = call.v1.payouts.retrieve(payout["id"])
        assert (found.status, found.reconciliation_status) == ("paid", "completed")
        page: Any = {"payout": found.id, "limit": 50}
        lines: list[Any] = list(call.v1.balance_transactions.list(page).auto_paging_iter())
        assert len(lines) == len({one.id for one in lines}) == 122
        assert sum(one.net for one in lines if one.type != "payout") == found.amount
        assert [one.net for one in lines if one.type == "payout"] == [-found.amount]
        refunds: Any = {"payout": found.id, "type": "refund"}
        assert [one.amount for one in call.v1.balance_transactions.list(refunds)] == [-400]
        balance: Any = call.v1.balance.retrieve()
        assert [one.amount for one in [*balance.available, *balance.pending]] == [0, 0]

    await client(work)
    await settled(sandbox)
    (endpoint,) = sandbox.world.books.snapshot()["endpoints"]
    secret = sandbox.world.books.account.secrets[endpoint["id"]][0][0]  # type: ignore[attr-defined]
    kinds = [
        stripe.Webhook.construct_event(body, signature, secret, tolerance=None).type  # type: ignore[arg-type]
        for body, signature in zip(inbox.bodies, inbox.signatures, strict=True)
    ]
    assert kinds == ["payout.created", "payout.updated", "payout.paid", "payout.reconciliation_completed"]


async def test_a_payout_that_was_paid_comes_back(client: Client, sandbox: Running) -> None:
    await client(lambda call: pay(call, "pm_card_bypassPending"))
    books = await seeded(sandbox, pay_out=True)
    (payout,) = books["payouts"]
    books = await seeded(sandbox, elapse=3 * DAY)
    assert books["payouts"][0]["status"] == "paid"
    books = await seeded(sandbox, failed_payouts=[{"payout": payout["id"], "reason": "account_closed"}])
    (failed,) = books["payouts"]
    assert (failed["status"], failed["failure_code"]) == ("failed", "account_closed")
    again = await seeded(sandbox, pay_out=True)
    second = again["payouts"][-1]
    assert second["amount"] == failed["amount"]

    def work(call: stripe.StripeClient) -> None:
        listed: Any = {"payout": second["id"]}
        assert [one.type for one in call.v1.balance_transactions.list(listed)] == ["payout", "payout_failure"]

    await client(work)


async def test_payouts_by_hand(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> None:
        pay(call, "pm_card_bypassPending")
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call.v1.payouts.create({"amount": 4826, "currency": "usd"})
        assert refused.value.code == "balance_insufficient"
        payout = call.v1.payouts.create({"amount": 4000, "currency": "usd", "metadata": {"a": "1"}})
        assert (payout.status, payout.automatic, payout.reconciliation_status) == ("pending", False, "not_applicable")
        listed: Any = {"payout": payout.id}
        with pytest.raises(stripe.InvalidRequestError, match="only be filtered on automatic transfers"):
            call.v1.balance_transactions.list(listed)
        second = call.v1.payouts.create({"amount": 825, "currency": "usd"})
        assert call.v1.payouts.cancel(second.id).status == "canceled"
        assert [one.id for one in call.v1.payouts.list({"status": "canceled"})] == [second.id]
        assert [one.amount for one in call.v1.balance.retrieve().available] == [825]

    await client(work)
    await seeded(sandbox, elapse=2 * 3600)

    def late(call: stripe.StripeClient) -> None:
        (payout,) = call.v1.payouts.list({"status": "in_transit"}).data
        with pytest.raises(stripe.InvalidRequestError, match="in_transit"):
            call.v1.payouts.cancel(payout.id)

    await client(late)


@pytest.mark.parametrize("currency", ["huf", "twd"])
async def test_whole_payouts_keep_the_rest_back(client: Client, sandbox: Running, currency: str) -> None:
    await seeded(sandbox, switches={"settles": [currency]})

    def work(call: stripe.StripeClient) -> None:
        pay(call, "pm_card_bypassPending", 1_000_055, currency=currency)
        with pytest.raises(stripe.InvalidRequestError, match="multiple of 100"):
            call.v1.payouts.create({"amount": 150, "currency": currency})

    await client(work)
    books = await seeded(sandbox, pay_out=True)
    (payout,) = books["payouts"]
    assert payout["amount"] % 100 == 0

    def lines(call: stripe.StripeClient) -> None:
        listed: Any = {"payout": payout["id"]}
        found = list(call.v1.balance_transactions.list(listed))
        assert [one.type for one in found] == ["payout", "payout_minimum_balance_hold", "charge"]
        assert sum(one.net for one in found) == 0
        (ready,) = call.v1.balance.retrieve().available
        assert ready.amount == -found[1].net > 0

    await client(lines)


async def test_daily_payouts(sandbox: Running, client: Client) -> None:
    await seeded(sandbox, switches={"payouts": "daily"})
    await client(pay)
    books = await seeded(sandbox, elapse=1.5 * DAY)
    assert books["payouts"] == []
    await client(lambda call: pay(call, amount=7000))
    books = await seeded(sandbox, elapse=6 * DAY)
    assert [one["status"] for one in books["payouts"]] == ["paid", "paid"]
    assert [one["amount"] for one in books["payouts"]] == [4825, 7000 - 203 - 30]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"disputes": [{"charge": "ch_no"}]}, "No such charge"),
        ({"disputes": [{"chargee": "ch_no"}]}, "disputes: unknown key chargee"),
        ({"failed_payouts": [{"payout": "po_no"}]}, "No such payout"),
        ({"switches": {"payouts": "hourly"}}, "daily, or manual"),
        ({"payment_intents": [{"amount": 5, "currency": "usd"}]}, "at least 0.50 usd"),
    ],
)
async def test_money_wishes_that_make_no_sense(sandbox: Running, wish: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        await sandbox.world.books.seed(wish)
