"""Flows that give back wrongly: each is seen in the vendors' books, although the flow itself ends well."""

from __future__ import annotations

import re

import pytest

from hub.proof.invariants import Invariant
from tests.proof.wrong import By, broken_by, played

APPLIED = r'applied: "memo\.applications.*"'
COMPARED = ', "applications[].amount"'


@pytest.mark.parametrize(
    ("case", "flow", "pattern", "by", "broken"),
    [
        (
            "credit-note-to-erp whose sale is filed",
            "credit-note-to-erp",
            f"{APPLIED}|{re.escape(COMPARED)}",
            lambda found: "" if found[0] == COMPARED else 'applied: "`[]`"',
            Invariant.BOOKS_AGREE,
        ),
        (
            "credit-note-to-erp whose sale is filed",
            "credit-note-to-erp",
            r"(- id: returned\n +when: )taxable\n",
            lambda found: f'{found[1]}"`false`"\n',
            Invariant.NOTHING_LOST,
        ),
        (
            "credit-note-to-erp that is voided before its invoice is posted",
            "credit-note-to-erp",
            r"when: recorded\n",
            lambda _: 'when: "`false`"\n',
            Invariant.EXCEPTIONS_EXPLAINED,
        ),
        (
            "refund-to-erp that fails after all",
            "refund-to-erp",
            r"when: >-\n +posted \|\| looked\.refund\n.*",
            lambda _: 'when: "`false`"',
            Invariant.NOTHING_LOST,
        ),
        (
            "credit-note-to-erp whose sale is filed",
            "mappings/netsuite/credit_memo_from_hub",
            r"pick\(given\('sold'\), product_id, .*",
            lambda _: "\"'105'\"",
            Invariant.BOOKS_AGREE,
        ),
        (
            "credit-note-to-erp whose sale is filed",
            "mappings/stripe/credit_note_to_hub",
            r"coalesce\(effective_at, created\)",
            lambda found: f"add({found[0]}, `86400`)",
            Invariant.BOOKS_AGREE,
        ),
        (
            "credit-note-to-erp whose sale is filed",
            "mappings/tax/correction_from_hub",
            r"    billed_tax: .*\n",
            lambda _: "",
            Invariant.NOTHING_LOST,
        ),
        (
            "credit-note-to-erp that is voided, whose tax is filed",
            "mappings/tax/correction_from_hub",
            r"\|\| major\(tax\)",
            lambda _: "|| `null`",
            Invariant.BOOKS_AGREE,
        ),
        (
            "credit-note-to-erp whose sale is filed",
            "policies/tax-tolerance",
            r"units: 1 ",
            lambda _: "units: 0 ",
            Invariant.NOTHING_LOST,
        ),
    ],
    ids=[
        "not applied",
        "tax kept",
        "tax not void",
        "failed refund kept",
        "other item",
        "other day",
        "billed tax kept back",
        "billed again not told",
        "no tolerance",
    ],
)
def test_a_wrong_flow_is_seen(
    case: str, flow: str, pattern: str, by: By, broken: Invariant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert broken_by(case, flow, pattern, by, monkeypatch) == {broken}


def test_a_flow_that_takes_the_engines_word_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """It neither sends what was billed back nor compares: the tax engine's books are a cent beside what was given."""
    found = played(
        "credit-note-to-erp whose sale is filed",
        {
            "mappings/tax/correction_from_hub.yaml": (r"    billed_tax: .*\n", lambda _: ""),
            "flows/credit-note-to-erp.yaml": (r" +expect: .*quote\.tax_total.*\n", lambda _: ""),
        },
        monkeypatch,
    )
    assert {finding.invariant for finding in found} == {Invariant.BOOKS_AGREE}
    assert any("tax is -380 in tax, must be -379" in finding.detail for finding in found), found


@pytest.mark.parametrize(
    ("case", "pattern", "kept", "broken"),
    [
        (
            "refund-to-erp that has failed, and is taken back",
            r" +undoes: outcome\.booked\.post\n",
            "",
            {Invariant.NOTHING_TWICE, Invariant.BOOKS_AGREE},
        ),
        (
            "refund-to-erp that is taken back, and fails",
            r"when: \(booked\.post \|\| booked\.entry\) && !tied",
            "when: booked.post",
            {Invariant.TAKEN_BACK},
        ),
    ],
    ids=["reversed by another write", "tied by a run that found it posted"],
)
def test_a_refund_that_is_taken_back_twice_is_seen(
    case: str, pattern: str, kept: str, broken: set[Invariant], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert broken_by(case, "refund-to-erp", pattern, lambda _: kept, monkeypatch) == broken


@pytest.mark.parametrize(
    ("case", "file", "pattern", "kept"),
    [
        ("credit-note-to-erp that is taken back, and voided", "credit-note-to-erp", r" +undoes: issued.*entry\n", ""),
        ("refund-to-erp that is taken back, and fails", "refund-to-erp", r" +undoes: outcome.*entry\n", ""),
        (
            "credit-note-to-erp that is taken back, and voided",
            "mappings/s4hana/credit_memo_from_hub",
            r"posting_date: given\('day'\)",
            "posting_date: \"'2026-03-30'\"",
        ),
        (
            "refund-to-erp that is taken back, and fails",
            "mappings/s4hana/refund_from_hub",
            r"given\('account'\)\)",
            "'1150')",
        ),
        (
            "credit-note-to-erp that is taken back, and voided",
            "mappings/s4hana/credit_memo_from_hub",
            r"table\('s4hana_revenue_accounts', .*",
            "\"'41000500'\"",
        ),
    ],
    ids=["charged again twice", "reversed twice", "other day", "other account", "other revenue"],
)
def test_what_is_given_back_wrongly_in_s4hana_is_seen(
    case: str, file: str, pattern: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = broken_by(f"{case}, in S/4HANA", file, pattern, lambda _: kept, monkeypatch)
    assert broken >= {Invariant.BOOKS_AGREE} or broken >= {Invariant.NOTHING_TWICE}


@pytest.mark.parametrize("story", ["that is taken back, and voided", "that is voided, and taken back"])
def test_a_note_whose_lines_are_charged_again_by_another_write_is_seen(
    story: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = broken_by(
        f"credit-note-to-erp {story}",
        "credit-note-to-erp",
        r" +undoes: issued\.booked\.post\n",
        lambda _: "",
        monkeypatch,
    )
    assert broken >= {Invariant.NOTHING_TWICE}


INVOICES = r'invoices: "\[posted_invoice\.id, .*"'
LEFT_OVER = r"- max\(\[subtract\(coalesce\(posted\.unapplied.*"


@pytest.mark.parametrize(
    ("story", "pattern", "by", "broken"),
    [
        (
            "of what was voided before",
            f"{INVOICES}|{LEFT_OVER}",
            lambda found: 'invoices: "[posted_invoice.id]"' if found[0].startswith("invoices") else '- "`0`"',
            Invariant.BOOKS_AGREE,
        ),
        (
            "of what was given back and voided before",
            r"(- id: stands\n +when: ).*",
            lambda found: f'{found[1]}"`false`"',
            Invariant.NOTHING_LOST,
        ),
    ],
    ids=["what charges a note again is not paid", "a voided note is not waited for"],
)
def test_a_payment_that_leaves_out_what_charges_a_note_again_is_seen(
    story: str, pattern: str, by: By, broken: Invariant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert broken in broken_by(f"payment-to-erp {story}", "payment-to-erp", pattern, by, monkeypatch)
