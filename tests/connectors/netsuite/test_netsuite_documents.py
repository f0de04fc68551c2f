"""The connector's documents against the sandbox's books: repeats, others' changes, and what takes a document back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.netsuite import credit_memos, deposits, invoices, items, journals, payments, refunds, set_up
from connectors.netsuite.connector import CONNECTOR
from connectors.netsuite.samples import (
    CREDIT_MEMO,
    DEPOSIT,
    INVOICE,
    ITEM,
    JOURNAL,
    RECEIPT,
    REFUND,
    SAMPLES,
    SETTINGS,
)
from connectors.netsuite.settings import NetSuiteSettings
from hub.sandbox.server import Running
from hub.sdk.connector import Record, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import loads
from hub.sdk.testing.live import LiveChecks
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey

KEY = EffectKey("0123456789abcdef0123456789abcdef")
MADE_UP = NetSuiteSettings.model_validate(SETTINGS)
RECEIVABLE, BANK, SALES, TAX = "119", "1", "54", "98"
#: What is written, in this order, before something of it is taken back.
BUSINESS: tuple[tuple[WriteOperation, Record], ...] = (
    (invoices.UPSERT, INVOICE),
    (credit_memos.UPSERT, CREDIT_MEMO),
    (payments.UPSERT, RECEIPT),
    (refunds.UPSERT, REFUND),
    (deposits.UPSERT, DEPOSIT),
    (journals.UPSERT, JOURNAL),
)


class Live(LiveChecks):
    """The connector and its sandbox, without the battery's own tests."""

    __test__ = False
    connector = CONNECTOR
    samples = replace(SAMPLES, seed={"customers": SAMPLES.seed["customers"]})


def _balances(served: Running) -> dict[str, Decimal]:
    found = served.world.books.snapshot()["balances"].get("EUR", {})
    return {account: Decimal(amount) for account, amount in found.items() if Decimal(amount)}


async def _write_all(connected: Connected) -> dict[str, str]:
    return {
        operation.name: str((await connected.write(operation, record, EffectKey(f"{place:032x}")))["id"])
        for place, (operation, record) in enumerate(BUSINESS)
    }


async def test_repeated_writes_leave_the_books_as_they_were() -> None:
    async with Live().serving() as (served, connected):
        first = await _write_all(connected)
        books = _balances(served)
        assert books == {
            # 119.12 of the invoice, less 50.05 credited and 80.00 paid; 30.05 of the credit were paid out.
            RECEIVABLE: Decimal("19.12"),
            BANK: Decimal("122.00"),
            SALES: Decimal("-50.05"),
            TAX: Decimal("-19.02"),
            "60": Decimal("2.95"),
            "99": -75,
        }
        assert await _write_all(connected) == first
        assert _balances(served) == books


async def test_what_others_settle_changes_no_version() -> None:
    async with Live().serving() as (_, connected):
        await connected.write(invoices.UPSERT, INVOICE, KEY)
        await connected.write(credit_memos.UPSERT, CREDIT_MEMO, KEY)
        guard = credit_memos.UPSERT.guard
        assert guard is not None
        assert guard.look is not None
        request = credit_memos.UPSERT.request(connected.settings, CREDIT_MEMO, KEY)
        before, held = await connected.stand(guard.look, request)
        assert held
        await connected.write(refunds.UPSERT, REFUND, KEY)
        await connected.write(payments.UPSERT, RECEIPT, KEY)
        after, held = await connected.stand(guard.look, request)
        assert (after is not None, held) == (True, True)
        assert before is not None
        assert after is not None
        assert after.version == before.version
        other = {**CREDIT_MEMO, "apply": [{"doc": {"id": "5001"}, "apply": True, "amount": Decimal("1.00")}]}
        await connected.write(credit_memos.UPSERT, other, KEY)
        moved, held = await connected.stand(guard.look, request)
        assert moved is not None
        assert (moved.version == before.version, held) == (False, False)


async def test_empty_list_unapplies_and_none_leaves_it() -> None:
    async with Live().serving() as (_, connected):
        await connected.write(invoices.UPSERT, INVOICE, KEY)
        made = await connected.write(payments.UPSERT, RECEIPT, KEY)
        without = {name: value for name, value in RECEIPT.items() if name != "apply"}
        await connected.write(payments.UPSERT, without, KEY)
        assert (await payments.READ.read(connected, made))["applied"] == 60
        await connected.write(payments.UPSERT, {**RECEIPT, "apply": []}, KEY)
        read = await payments.READ.read(connected, made)
        assert (read["applied"], read["unapplied"], read["apply"]["items"]) == (0, 80, [])
        guard = payments.UPSERT.guard
        assert guard is not None
        assert guard.look is not None
        for line in ({"apply": False}, {"amount": 0}):
            off = {**RECEIPT, "apply": [{"doc": {"id": "5001"}, **line}]}
            _, held = await connected.stand(guard.look, payments.UPSERT.request(connected.settings, off, KEY))
            assert held, "what is not applied is not shown, and was not asked for either"


async def test_side_of_a_journal_that_is_zero_is_not_shown() -> None:
    async with Live().serving() as (_, connected):
        both = _two_sided(Decimal(0))
        await connected.write(journals.UPSERT, both, KEY)
        guard = journals.UPSERT.guard
        assert guard is not None
        assert guard.look is not None
        _, held = await connected.stand(guard.look, journals.UPSERT.request(connected.settings, both, KEY))
        assert held
        other = journals.UPSERT.request(connected.settings, _two_sided(Decimal("0.01")), KEY)
        _, held = await connected.stand(guard.look, other)
        assert not held


def _two_sided(other_side: Decimal) -> Record:
    """Give the journal with both sides written on each line."""
    debit: dict[str, Any] = {"account": {"id": "60"}, "debit": Decimal("2.95"), "credit": other_side}
    credit: dict[str, Any] = {"account": {"id": "1"}, "debit": other_side, "credit": Decimal("2.95")}
    return {**JOURNAL, "line": [debit, credit]}


@pytest.mark.parametrize(
    ("reverse", "record", "moved"),
    [
        (credit_memos.REVERSE, CREDIT_MEMO, {RECEIVABLE: "50.05", SALES: "-50.05"}),
        (payments.REVERSE, RECEIPT, {RECEIVABLE: "80", BANK: "-80"}),
        (refunds.REVERSE, REFUND, {RECEIVABLE: "-30.05", BANK: "30.05"}),
        (journals.REVERSE, JOURNAL, {BANK: "2.95", "60": "-2.95"}),
        (deposits.REVERSE, {"id": "5005"}, {BANK: "-75", "99": "75"}),
    ],
    ids=["credit memo", "payment", "refund", "journal", "deposit"],
)
async def test_what_takes_a_document_back_undoes_what_it_moved(
    reverse: WriteOperation, record: Record, moved: Mapping[str, str]
) -> None:
    async with Live().serving() as (served, connected):
        await _write_all(connected)
        before = _balances(served)
        made = await connected.write(reverse, record, KEY)
        after = _balances(served)
        change = {name: after.get(name, Decimal(0)) - before.get(name, Decimal(0)) for name in before | after}
        assert {name: amount for name, amount in change.items() if amount} == {
            name: Decimal(amount) for name, amount in moved.items()
        }
        assert await connected.look(reverse, KEY) == made
        assert await connected.look(reverse, EffectKey("another")) is None


async def test_payment_taken_back_is_applied_to_the_journal_instead() -> None:
    async with Live().serving() as (served, connected):
        await connected.write(invoices.UPSERT, INVOICE, KEY)
        await connected.write(payments.UPSERT, RECEIPT, KEY)
        journal = await connected.write(payments.REVERSE, RECEIPT, KEY)
        await connected.write(payments.UPSERT, {**RECEIPT, "apply": [{"doc": {"id": journal["id"]}}]}, KEY)
        (invoice,) = served.world.books.snapshot()["invoices"]
        assert invoice["amountRemaining"] == "119.12"
        assert _balances(served) == {RECEIVABLE: Decimal("119.12"), SALES: Decimal("-100.10"), TAX: Decimal("-19.02")}


async def test_lost_answers_of_what_takes_back_are_found_again() -> None:
    async with Live().serving() as (served, connected):
        await connected.write(journals.UPSERT, JOURNAL, KEY)
        served.world.faults.replace([{"kind": "reset_after_commit", "times": 1}])
        with pytest.raises(OutcomeUnknown):
            await connected.write(journals.REVERSE, JOURNAL, KEY)
        found = await connected.look(journals.REVERSE, KEY)
        assert found is not None
        assert len(served.world.books.snapshot()["journals"]) == 2
        assert _balances(served) == {}


async def test_set_up_is_read() -> None:
    async with Live().serving() as (served, connected):
        await served.world.books.seed({"close": ["Jan 2026"]})
        period = await set_up.PERIOD.read(connected, {"id": "37"})
        assert (period["periodName"], period["closed"], period["arLocked"]) == ("Jan 2026", True, False)
        listed = (await set_up.SUBSIDIARIES.read(connected, {}))["items"]
        assert {"id": "2", "name": "Europe GmbH", "currency": "4"} in listed
        currencies = (await set_up.CURRENCIES.read(connected, {}))["items"]
        assert {"id": "6", "name": "Kuwaiti Dinar", "symbol": "KWD"} in currencies


async def test_refusals_come_with_the_place() -> None:
    async with Live().serving() as (served, connected):
        await connected.write(invoices.UPSERT, INVOICE, KEY)
        over = {**CREDIT_MEMO, "apply": [{"doc": {"id": "5001"}, "amount": Decimal("50.06")}]}
        with pytest.raises(FixData) as refusal:
            await connected.write(credit_memos.UPSERT, over, KEY)
        assert refusal.value.facts["path"] == "apply"
        await served.world.books.seed({"close": ["Feb 2026"]})
        with pytest.raises(FixData) as closed:
            await connected.write(journals.UPSERT, JOURNAL, KEY)
        assert (closed.value.code, closed.value.facts["path"]) == ("user-error", "postingPeriod")


@pytest.mark.parametrize(
    ("operation", "record", "query"),
    [
        (credit_memos.UPSERT, CREDIT_MEMO, "creditMemo/eid:cn_9?replace=item,apply"),
        (payments.UPSERT, RECEIPT, "customerPayment/eid:pay_9?replace=apply"),
        (refunds.UPSERT, {**REFUND, "deposit": []}, "customerRefund/eid:re_9?replace=apply,deposit"),
        (journals.UPSERT, JOURNAL, "journalEntry/eid:po_9?replace=line"),
        (deposits.UPSERT, DEPOSIT, "customerDeposit/eid:dep_9"),
        (items.UPSERT, ITEM, "serviceSaleItem/eid:price_9"),
    ],
)
def test_documents_are_written_whole_under_their_external_id(
    operation: WriteOperation, record: dict[str, Any], query: str
) -> None:
    request = operation.request(MADE_UP, {**record, "id": "7", "links": []}, KEY)
    assert (request.method, request.url.partition("/record/v1/")[2]) == ("PUT", query)
    assert not {"id", "externalId", "links"} & set(loads(request.body))


@pytest.mark.parametrize(
    ("operation", "record", "code"),
    [
        (credit_memos.UPSERT, {**CREDIT_MEMO, "item": []}, "no-lines"),
        (refunds.UPSERT, {**REFUND, "apply": []}, "no-lines"),
        (journals.UPSERT, {**JOURNAL, "line": {"items": []}}, "no-lines"),
        (deposits.UPSERT, {**DEPOSIT, "externalId": None}, "bad-external-id"),
        (deposits.UPSERT, {**DEPOSIT, "payment": 1.5}, "float-money"),
        (deposits.REVERSE, {"id": "x"}, "bad-internal-id"),
        (credit_memos.REVERSE, {"id": "5001"}, "no-lines"),
        (payments.REVERSE, {"id": "5001"}, "no-accounts"),
        (payments.REVERSE, {**RECEIPT, "account": None}, "no-accounts"),
        (refunds.REVERSE, {"id": "5001"}, "no-amount"),
        (refunds.REVERSE, {**REFUND, "apply": [{"doc": {"id": "1"}}]}, "no-amount"),
        (refunds.REVERSE, {**REFUND, "apply": [{"doc": {"id": "1"}, "amount": 1.5}]}, "no-amount"),
        (journals.REVERSE, {"id": "5001"}, "no-lines"),
        (journals.REVERSE, {**JOURNAL, "reversalDate": "2026-03-01"}, "reverses-itself"),
    ],
)
def test_unsound_documents_are_not_sent(operation: WriteOperation, record: Record, code: str) -> None:
    with pytest.raises(FixData) as refusal:
        operation.request(MADE_UP, record, KEY)
    assert refusal.value.code == code
