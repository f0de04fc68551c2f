"""What holds in the sandbox's books after any history: balance, and receivables that are the sum of open documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.netsuite.sandbox import open_amounts, transforms, writing
from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.problems import Refusal
from connectors.netsuite.sandbox.record_types import RECORD_TYPES
from connectors.netsuite.sandbox.reference_data import DEPOSITS
from hub.sandbox.world import World

CUSTOMERS = ("1001", "1002")
#: Euros are the books' currency, dollars come with a rate that changes from day to day.
CURRENCIES = {"4": "EUR", "1": "USD"}
RATES = (Decimal("0.9"), Decimal("0.925"), Decimal("0.8881"))
BANK, RECEIVABLE = "1", "119"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that somebody tries; `first` and `second` choose among the transactions there are."""

    kind: str
    customer: str
    currency: str
    rate: Decimal
    amount: Decimal
    part: Decimal
    first: int
    second: int
    flag: bool


KINDS = (
    "invoice", "invoice", "credit memo", "payment", "payment", "deposit", "use deposit", "refund", "journal",
    "take back", "apply anew", "pay by transform", "refund by transform", "change amount", "delete",
)  # fmt: skip
_OWED, _CREDITS = ("invoice", "journalEntry"), ("creditMemo", "customerPayment", "journalEntry")
#: What kind of transaction the deeds concern.
CONCERNED: Mapping[str, tuple[str, ...]] = {
    "credit memo": _OWED,
    "payment": _OWED,
    "refund": (*_CREDITS, "customerDeposit"),
    "take back": ("invoice",),
    "use deposit": ("invoice",),
    "apply anew": (*_OWED, "creditMemo", "customerPayment"),
    "pay by transform": ("invoice",),
    "refund by transform": ("creditMemo", "customerPayment", "customerDeposit"),
    "change amount": ("invoice", "creditMemo", "customerPayment", "customerDeposit"),
}
amounts = st.integers(min_value=1, max_value=40).map(lambda some: Decimal(some * 37).scaleb(-2))
deeds = st.builds(
    Deed,
    kind=st.sampled_from(KINDS),
    customer=st.sampled_from(CUSTOMERS),
    currency=st.sampled_from(sorted(CURRENCIES)),
    rate=st.sampled_from(RATES),
    amount=amounts,
    part=amounts,
    first=st.integers(min_value=0, max_value=50),
    second=st.integers(min_value=0, max_value=50),
    flag=st.booleans(),
)


class Company:
    """An account with two customers, and what people do in it."""

    def __init__(self) -> None:
        self.account = Account(World(name="netsuite", seed=1))
        for number in CUSTOMERS:
            currencies = {"items": [{"currency": {"id": "1"}}]}
            body = {"companyName": number, "subsidiary": {"id": "2"}, "currencyList": currencies}
            self.create("customer", {**body, "currency": {"id": "4"}})

    def create(self, kind: str, body: Mapping[str, Any]) -> Document:
        return writing.create(self.account, kind, self._read(kind, body))

    def _read(self, kind: str, body: Mapping[str, Any]) -> Any:
        return self.account.reader.read(RECORD_TYPES[kind], body, names="error")

    def attempt(self, deed: Deed) -> bool:
        """Try a deed; False when the account refused it."""
        # Writing the whole books down costs more than all else, so that only some refusals are looked at.
        before = self.account.snapshot() if deed.second % 4 == 0 else None
        try:
            self._do(deed)
        except Refusal:
            assert before in (None, self.account.snapshot()), "what was refused has left something behind"
            return False
        return True

    def _do(self, deed: Deed) -> None:
        first, second = (self._picked(deed, place) for place in (deed.first, deed.second))
        shared: dict[str, Any] = {"currency": {"id": deed.currency}}
        if deed.currency != "4":
            shared["exchangeRate"] = deed.rate
        lines = {"items": [{"item": {"id": "101"}, "amount": deed.amount}]}
        apply = {
            "items": [{"doc": {"id": one.id}, "amount": deed.part} for one in (first, second)[: 1 + deed.flag] if one]
        }
        match deed.kind:
            case "invoice":
                self.create("invoice", {"entity": {"id": deed.customer}, "item": lines, **shared})
            case "credit memo":
                how = {"autoApply": True} if deed.flag else {"apply": apply}
                self.create("creditMemo", {"entity": {"id": deed.customer}, "item": lines, **how, **shared})
            case "payment":
                body = {"customer": {"id": deed.customer}, "payment": deed.amount, "apply": apply}
                self.create("customerPayment", {**body, **shared})
            case "deposit":
                self.create("customerDeposit", {"customer": {"id": deed.customer}, "payment": deed.amount, **shared})
            case "refund":
                sublist = "deposit" if first is not None and first.type == "customerDeposit" else "apply"
                body = {"customer": {"id": deed.customer}, "account": {"id": BANK}, sublist: apply}
                self.create("customerRefund", {**body, **shared})
            case "journal":
                self._journal(deed, shared)
            case _ if first is not None and second is not None:
                self._change(deed, first, second, apply)

    def _picked(self, deed: Deed, place: int) -> Document | None:
        """Choose a transaction: mostly one that the deed may concern, else any, so that the rest is refused."""
        known = list(self.account.documents.transactions())
        wanted = CONCERNED.get(deed.kind)
        if place % 8 and wanted is not None:
            known = [
                one
                for one in known
                if one.type in wanted and one.fields["currency"] == deed.currency and deed.customer in one.customers
            ]
        return known[place % len(known)] if known else None

    def _journal(self, deed: Deed, shared: Mapping[str, Any]) -> None:
        ours, theirs = ("debit", "credit") if deed.flag else ("credit", "debit")
        lines = [
            {"account": {"id": RECEIVABLE}, ours: deed.amount, "entity": {"id": deed.customer}},
            {"account": {"id": BANK}, theirs: deed.amount},
        ]
        reversed_on = {"reversalDate": "2028-01-01"} if deed.first % 3 == 0 else {}
        self.create("journalEntry", {"subsidiary": {"id": "2"}, "line": {"items": lines}, **reversed_on, **shared})

    def _change(self, deed: Deed, first: Document, second: Document, apply: Mapping[str, Any]) -> None:
        account = self.account
        match deed.kind:
            case "use deposit":
                deposits = list(account.documents.of("customerDeposit"))
                first = deposits[deed.first % len(deposits)] if deposits else first
                self._transform(first, "depositApplication", {"apply": {"items": [{"doc": {"id": second.id}}]}})
            case "take back":
                self._transform(first, "creditMemo", {})
            case "pay by transform":
                self._transform(first, "customerPayment", {"exchangeRate": deed.rate} if deed.flag else {})
            case "refund by transform":
                self._transform(first, "customerRefund", {"account": {"id": BANK}})
            case "apply anew":
                if "apply" in RECORD_TYPES[first.type].sublists:
                    target = {"apply": {"items": [{"doc": {"id": second.id}, "amount": deed.part}]}}
                    writing.update(
                        account, first, self._read(first.type, target), replace={"apply"} if deed.flag else ()
                    )
            case "change amount":
                if first.type in ("customerPayment", "customerDeposit"):
                    change = self._read(first.type, {"payment": deed.amount})
                    writing.update(account, first, change, replace=())
                elif "item" in RECORD_TYPES[first.type].sublists:
                    lines = {"item": {"items": [{"line": 1, "amount": deed.amount}]}}
                    writing.update(account, first, self._read(first.type, lines), replace=())
            case _:
                writing.delete(account, first)

    def _transform(self, source: Document, target: str, body: Mapping[str, Any]) -> None:
        transforms.transform(self.account, source, target, self._read(target, body))


@given(st.lists(deeds, min_size=10, max_size=40))
def test_books_hold_after_any_history(history: list[Deed]) -> None:
    company = Company()
    for deed in history:
        if company.attempt(deed):
            _judge(company.account)


def _judge(account: Account) -> None:
    receivables = account.references.receivables()
    for customer in CUSTOMERS:
        booked = account.ledger.owed(customer, receivables)
        opened = open_amounts.balances(account, customer)
        for currency, code in CURRENCIES.items():
            assert booked.get(code, 0) == opened.get(currency, 0), f"{customer} owes otherwise in {code}"
    for document in account.documents.transactions():
        if document.type != "journalEntry":
            assert open_amounts.remaining(account, document) >= 0, f"{document.type} {document.id} is overdrawn"
        for total in ("amount", "base"):
            posted = [getattr(line, total) for line in account.ledger.of(document.id)]
            assert sum(posted) == 0, f"{document.type} {document.id} is out of balance"
    for code in CURRENCIES.values():
        left = sum(
            open_amounts.remaining(account, one)
            for one in account.documents.of("customerDeposit")
            if account.references.symbol(one.fields["currency"]) == code
        )
        assert -account.ledger.balances().get(code, {}).get(DEPOSITS, Decimal(0)) == left
    _judge_base(account)


def _judge_base(account: Account) -> None:
    """In the books' currency the same holds, but for a cent wherever a part of something was rounded by itself."""
    documents = [
        one for one in account.documents.transactions() if one.type not in ("depositApplication", "customerDeposit")
    ]
    opened = Decimal(0)
    for one in documents:
        for customer in one.customers:
            amount = open_amounts.owing(account, one, customer) - open_amounts.spare(account, one, customer)
            opened += amount * one.fields["exchangeRate"]
    booked = account.ledger.base_balances().get("2", {}).get(RECEIVABLE, Decimal(0))
    applications = sum(len(account.applications.from_source(one.id)) for one in account.documents.transactions())
    assert abs(booked - opened) <= Decimal("0.01") * (len(documents) + applications)
