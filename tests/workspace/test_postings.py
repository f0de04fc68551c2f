"""What a record means in books, as its schema says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.connections.registry import load_connectors
from hub.errors import FixData
from hub.workspace.checks.postings import Account, Books, compile_books
from hub.workspace.files.schemas import load_schema
from hub.workspace.source.lint import Lints


def books(*rules: dict[str, Any], **more: Any) -> Books:
    found = compile_books("test@1", {"x-postings": list(rules), **more}, {"codes": {"1": "JPY"}})
    assert found is not None
    return found


def place(account: str, *, entity: str = "DE01", currency: str = "EUR") -> Account:
    return Account(currency=currency, entity=entity, account=account)


def test_a_record_moves_accounts_by_exact_amounts() -> None:
    found = books(
        {"account": "receivable", "amount": "total", "entity": "owner"},
        {"account": "=join(' ', ['revenue', item])", "each": "lines", "when": "kept", "amount": "amount"},
        {"account": "tax", "amount": "tax", "currency": "table('codes', root().code)"},
        **{"x-name": "number"},
    )
    record = {
        "number": "CON-1",
        "owner": "US01",
        "code": "1",
        "total": {"minor": 1234, "currency": "USD"},
        "tax": "12.5",
        "lines": [
            {"item": "a", "amount": Decimal("0.1000000000000000000000000000000000001"), "kept": True},
            {"item": "a", "amount": Decimal("0.2"), "kept": 0},
            {"item": "b", "amount": 7},
            {"item": "c", "kept": True},
        ],
    }
    assert found.called(record) == "CON-1"
    assert found.postings(record, entity="DE01", currency="EUR") == {
        place("receivable", entity="US01", currency="USD"): Decimal("12.34"),
        place("revenue a"): Decimal("0.3000000000000000000000000000000000001"),
        place("tax", currency="JPY"): Decimal("12.5"),
    }


@pytest.mark.parametrize("amount", [True, "a lot", [1], {"minor": 1}, Decimal("1E+200")])
def test_what_is_no_amount_is_refused(amount: Any) -> None:
    with pytest.raises(FixData):
        books({"account": "a", "amount": "amount"}).postings({"amount": amount}, entity="", currency="EUR")


def test_a_number_without_a_currency_is_refused() -> None:
    with pytest.raises(FixData, match="no currency"):
        books({"account": "a", "amount": "amount"}).postings({"amount": 1}, entity="", currency=None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "is a list"),
        ('[{"account": "a"}]', "needs `account` and `amount`"),
        ('[{"account": "a", "amount": "b", "entiti": "c"}]', "Did you mean `entity`?"),
        ('[{"account": "=", "amount": "b"}]', "`x-postings[0].account` is a text"),
        ('[{"account": "a", "amount": "b["}]', "`x-postings[0].amount` is wrong"),
        ('[{"account": "a", "amount": 1}]', "`x-postings[0].amount` is an expression"),
    ],
)
def test_a_mistake_is_a_lint_of_the_schema(text: str, said: str) -> None:
    lints = Lints("schemas/test.thing@1.json")
    assert load_schema(f'{{"type": "object", "x-postings": {text}}}'.encode(), lints) is None
    (lint,) = lints.found
    assert lint.code == "bad-postings"
    assert said in lint.message


def test_every_connectors_annotation_can_be_read() -> None:
    schemas = {name: schema for one in load_connectors().values() for name, schema in one.schemas.items()}
    found = {name for name, schema in schemas.items() if compile_books(name, schema, {})}
    assert found >= {"netsuite.invoice@2026.1", "netsuite.customer_payment@2026.1", "tax.document@1"}


def test_an_invoice_as_netsuite_takes_and_gives_it_is_booked_alike() -> None:
    schema = load_connectors()["netsuite"].schemas["netsuite.invoice@2026.1"]
    found = compile_books("netsuite.invoice@2026.1", schema, {})
    assert found is not None
    lines = [{"item": {"id": "101"}, "amount": Decimal("12.34")}, {"item": {"id": "104"}, "amount": Decimal("-1.00")}]
    taxes = [{"taxCode": {"id": "202"}, "taxAmount": Decimal("1.23")}]
    written = found.postings({"item": lines, "taxDetails": taxes}, entity="DE01", currency="EUR")
    read = {"item": {"items": lines}, "taxDetails": {"items": taxes}}
    assert found.postings(read, entity="DE01", currency="EUR") == written
    assert written == {
        place("receivable"): Decimal("12.57"),
        place("books of subsidiary - in currency -"): Decimal("12.57"),
        place("revenue item 101"): Decimal("12.34"),
        place("revenue item 104"): Decimal("-1.00"),
        place("tax code 202"): Decimal("1.23"),
    }


@pytest.mark.parametrize(
    ("schema", "record", "moved"),
    [
        (
            "invoice_posting",
            {
                "reference": "CON-1",
                "customer": "10100001",
                "total": "14.87",
                "items": [{"account": "41000000", "net": "12.50"}, {"account": "41000500", "net": "-0.01"}],
                "taxes": [{"tax_code": "A1", "amount": "2.38", "base": "12.49"}],
            },
            {"receivable": "14.87", "account 41000000": "12.50", "account 41000500": "-0.01", "tax code A1": "2.38"},
        ),
        (
            "payment_posting",
            {"customer": "1", "account": "11002080", "amount": "14.87", "fee": "0.30", "fee_account": "65100000"},
            {"receivable": "-14.87", "account 11002080": "14.57", "account 65100000": "0.30"},
        ),
        (
            "payment_posting",
            {"customer": "1", "account": "11002080", "amount": "14.87"},
            {"receivable": "-14.87", "account 11002080": "14.87"},
        ),
        (
            "journal_entry_posting",
            {
                "lines": [{"account": "11001000", "amount": "12.49"}, {"customer": "1", "amount": "-14.87"}],
                "taxes": [{"tax_code": "A1", "amount": "2.38", "base": "12.49"}],
            },
            {"account 11001000": "12.49", "receivable": "-14.87", "tax code A1": "2.38"},
        ),
    ],
)
def test_s4hana_entries_tell_which_accounts_and_books_they_move(
    schema: str, record: dict[str, Any], moved: dict[str, str]
) -> None:
    name = f"s4hana.{schema}@1"
    found = compile_books(name, load_connectors()["s4hana"].schemas[name], {})
    assert found is not None
    whole = {**record, "company_code": "1010", "currency": "EUR", "posting_date": "2026-01-31"}
    told = found.postings(whole, entity="DE01", currency=None)
    assert told == {place(account): Decimal(amount) for account, amount in moved.items()} | {
        place("books of company 1010 in currency EUR"): Decimal("14.87")
    }
    # The same number in other books is money that moves.
    other = found.postings({**whole, "company_code": "1510"}, entity="DE01", currency=None)
    assert other.keys() - told.keys() == {place("books of company 1510 in currency EUR")}
