"""Documents with a wrong tax code or date, and what no undo takes back: each is seen in the vendors' books."""

from __future__ import annotations

import pytest

from hub.proof.invariants import Invariant
from tests.proof.wrong import By, broken_by

#: The day before everything happens.
OTHER_DAY = "\"'2026-03-30'\""


def day(found: str) -> By:
    """Put the other day behind what is found."""
    return lambda _: f"{found}{OTHER_DAY}"


@pytest.mark.parametrize(
    ("case", "file", "pattern", "by"),
    [
        (
            "invoice-to-erp",
            "mappings/netsuite/invoice_from_hub",
            r"table\('netsuite_tax_codes', root\(\)\.entity\)",
            lambda _: "\"'203'\"",
        ),
        (
            "credit-note-to-erp whose sale is filed",
            "mappings/netsuite/credit_memo_from_hub",
            r"table\('netsuite_tax_codes', root\(\)\.entity\)",
            lambda _: "\"'203'\"",
        ),
        ("invoice-to-erp", "mappings/tax/document_from_hub", r"date: issued_on", day("date: ")),
        (
            "credit-note-to-erp whose sale is filed",
            "credit-note-to-erp",
            r"code: memo\.number, day: memo\.issued_on",
            day("code: memo.number, day: "),
        ),
        (
            "credit-note-to-erp that is voided, whose tax is filed",
            "credit-note-to-erp",
            r"(?<=VOID'\]\)\n)( +day: ).*",
            lambda found: f"{found[1]}{OTHER_DAY}",
        ),
        (
            "credit-note-to-erp that is voided before its invoice is posted",
            "credit-note-to-erp",
            r"( +day: )coalesce.*(?=\n +applied)",
            lambda found: f"{found[1]}{OTHER_DAY}",
        ),
        (
            "refund-to-erp that fails after all",
            "mappings/netsuite/refund_taken_back",
            r"tranDate: given\('day'\)",
            day("tranDate: "),
        ),
        (
            "payment-to-erp that is taken back",
            "mappings/netsuite/payment_reversal_from_hub",
            r"tranDate: paid_on",
            day("tranDate: "),
        ),
        (
            "payment-to-erp that is taken back",
            "mappings/netsuite/payment_reversal_from_hub",
            r"table\('netsuite_accounts', given\('account'\)\)",
            lambda _: "table('netsuite_accounts', '1150')",
        ),
        (
            "invoice-to-erp in S/4HANA",
            "mappings/s4hana/invoice_from_hub",
            r"table\('s4hana_tax_codes', root\(\)\.entity\)",
            lambda _: "join('', ['A', '0'])",
        ),
        (
            "invoice-to-erp in S/4HANA",
            "mappings/s4hana/invoice_from_hub",
            r"posting_date: issued_on",
            day("posting_date: "),
        ),
        (
            "payment-to-erp in S/4HANA",
            "mappings/s4hana/payment_from_hub",
            r"table\('s4hana_accounts', given\('account'\)\)",
            lambda _: "table('s4hana_accounts', '1165')",
        ),
        (
            "payout-to-erp in S/4HANA",
            "mappings/s4hana/journal_entry_from_hub",
            r"posting_date: posted_on",
            day("posting_date: "),
        ),
    ],
    ids=[
        "tax code of an invoice",
        "tax code of a memo",
        "date of a sale's tax",
        "date of a return",
        "date of a correction",
        "date of a memo charged again",
        "date of a refund that came back",
        "date of a payment taken back",
        "account of a payment taken back",
        "tax code in S/4HANA",
        "date in S/4HANA",
        "account of a payment in S/4HANA",
        "date of a payout in S/4HANA",
    ],
)
def test_a_wrong_code_date_or_account_is_seen(
    case: str, file: str, pattern: str, by: By, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Invariant.BOOKS_AGREE in broken_by(case, file, pattern, by, monkeypatch)


@pytest.mark.parametrize(
    ("flow", "story", "broken"),
    [
        ("refund-to-erp", "that is taken back", Invariant.NOTHING_LOST),
        ("credit-note-to-erp", "that is taken back", Invariant.NOTHING_LOST),
        ("payout-by-hand-to-erp", "that is taken back", Invariant.NOTHING_LOST),
        ("payout-returned-to-erp", "that is taken back", Invariant.NOTHING_LOST),
        # What was paid is not due again.
        ("payment-to-erp", "in S/4HANA that is taken back", Invariant.BOOKS_AGREE),
        ("payout-to-erp", "that is taken back, in S/4HANA", Invariant.NOTHING_LOST),
    ],
)
def test_what_has_no_undo_is_seen_to_be_left(
    flow: str, story: str, broken: Invariant, monkeypatch: pytest.MonkeyPatch
) -> None:
    undo = r"( +)(undo: ?(\{.*\}|invoice\.reverse|journal_entry\.reverse|(?=\n))\n(\1 +.*\n)*|undoes: .*\n)"
    found = broken_by(f"{flow} {story}", flow, undo, lambda _: "", monkeypatch)
    assert found >= {broken, Invariant.TAKEN_BACK}
