"""Journal entries: balanced before they leave, posted once, found by their mark, cleared, and taken back."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import connectors.s4hana
from connectors.s4hana import entries
from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.journal import found, look, result
from connectors.s4hana.ledger import READ, entry_of
from connectors.s4hana.marks import mark
from connectors.s4hana.samples import INVOICE, JOURNAL, PAYMENT
from connectors.s4hana.soap.xml import NotXml, read
from hub.sdk.errors import FixData, OutcomeUnknown, RetryLater
from hub.sdk.exact_json import dumps
from hub.sdk.values import EffectKey, Response
from tests.connectors.s4hana.linking import KEY, OTHER_KEY, Link, linked

THIRD_KEY = EffectKey("00112233445566778899aabbccddeeff")
FIXTURES = Path(str(connectors.s4hana.__file__)).parent / "fixtures"


def answer(name: str) -> Response:
    return Response(status=200, body=(FIXTURES / name).read_bytes())


def document(made: Any) -> dict[str, str]:
    return {name: made[name] for name in ("company_code", "fiscal_year", "id")}


def test_an_invoice_is_owed_by_the_customer() -> None:
    entry = entries.invoice(INVOICE)
    assert [line.amount for line in entry.lines] == [Decimal("119.12"), Decimal("-100.10")]
    assert [(tax.amount, tax.base) for tax in entry.taxes] == [(Decimal("-19.02"), Decimal("-100.10"))]
    assert entry.type == "DR"


def test_a_credit_memo_is_the_opposite_of_an_invoice() -> None:
    invoice, credit = entries.invoice(INVOICE), entries.credit_memo(INVOICE)
    assert [line.amount for line in credit.lines] == [-line.amount for line in invoice.lines]
    assert [(tax.amount, tax.base) for tax in credit.taxes] == [(-tax.amount, -tax.base) for tax in invoice.taxes]


def test_a_payment_is_parted_into_what_came_and_the_fee() -> None:
    entry = entries.payment(PAYMENT)
    assert [(line.account or line.customer, line.amount) for line in entry.lines] == [
        ("11002080", Decimal("97.05")),
        ("65100000", Decimal("2.95")),
        ("10100001", Decimal("-100.00")),
    ]
    assert entry.invoice == "180000000010102026"


def test_a_text_longer_than_a_head_has_room_for_is_cut() -> None:
    """It is for people to read, and each line has it up to fifty signs; a reference is never cut."""
    text = "inpay_1M3USa2eZvKYlo2CBjuwbq0N"
    entry = entries.payment({**PAYMENT, "text": text})
    assert entry.text == text[:25]
    assert {line.more["text"] for line in entry.lines if line.account != "65100000"} == {text}


@pytest.mark.parametrize(
    ("made", "change", "code"),
    [
        (entries.invoice, {"total": "119.13"}, "unbalanced"),
        (entries.invoice, {"taxes": [{"tax_code": "A1", "amount": "19.02", "base": "100.00"}]}, "unbalanced-tax"),
        (entries.invoice, {"total": "119.121"}, "too-exact"),
        (entries.invoice, {"currency": "JPY"}, "too-exact"),
        (entries.invoice, {"currency": "XXY"}, "unknown-currency"),
        (entries.invoice, {"reference": "A-REFERENCE-OF-17"}, "too-long"),
        (entries.invoice, {"posting_date": "31.01.2026"}, "wrong-type"),
        (entries.invoice, {"items": [{"account": "41000000", "net": 100.1}]}, "wrong-type"),
        (entries.payment, {"amount": "0"}, "wrong-amount"),
        (entries.payment, {"fee": "101"}, "wrong-amount"),
        (entries.payment, {"fee_account": ""}, "no-account"),
        (entries.general, {"lines": JOURNAL["lines"][:1]}, "no-lines"),
        (entries.general, {"lines": [{"amount": "1"}, {"account": "1", "amount": "-1"}]}, "no-account"),
    ],
)
def test_what_is_wrong_never_leaves(made: Any, change: dict[str, Any], code: str) -> None:
    record = {entries.invoice: INVOICE, entries.payment: PAYMENT, entries.general: JOURNAL}[made]
    with pytest.raises(FixData) as refusal:
        made({**record, **change})
    assert refusal.value.code == code


def test_an_unbalanced_entry_says_by_how_much() -> None:
    lines = [{"account": "41000000", "amount": "-12.50"}, {"account": "11001000", "amount": "12.49"}]
    with pytest.raises(FixData) as refusal:
        entries.general({**JOURNAL, "lines": lines})
    assert refusal.value.facts["difference"] == "-0.01"


def test_a_posting_is_read_from_its_confirmation() -> None:
    assert result(answer("posted.xml")) == {
        "id": "1800000000",
        "company_code": "1010",
        "fiscal_year": "2026",
        "posting_date": "2026-01-31",
        "code": "ABCDEFGHIJKLMNOPQRST",
        "document": "1010/2026/1800000000",
    }


def test_severity_three_is_a_refusal_with_the_log_s_words() -> None:
    with pytest.raises(FixData) as refusal:
        result(answer("not_posted.xml"))
    assert refusal.value.code == "sap-f5-507"
    assert "Account 41999999 is not defined" in str(refusal.value.facts["reason"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<AccountingDocument>1800000000", b"<AccountingDocument>0000000000"),
        (b"SeverityCode>1<", b"SeverityCode>3<"),
        (b"-2026-01-31</ReferenceID>", b"</ReferenceID>"),
        (b"xmlns:n0=", b"xmlns:n1="),
        (b"http://sap.com/xi/SAPSCORE/SFIN", b"http://example.com/other"),
    ],
)
def test_a_confirmation_that_contradicts_itself_says_nothing(old: bytes, new: bytes) -> None:
    posted = answer("posted.xml")
    with pytest.raises(OutcomeUnknown):
        result(replace(posted, body=posted.body.replace(old, new)))


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" * 60 + b"</a>" * 60,
        b"<a>&undefined;</a>",
        b"<a><b></a>",
        b"",
        b"<a>" + b"x" * (9 * 1024 * 1024) + b"</a>",
        b'<?xml version="1.0" encoding="no-such-code"?><a/>',
    ],
)
def test_xml_of_bad_faith_is_not_read(body: bytes) -> None:
    with pytest.raises(NotXml):
        read(body)


def test_a_mark_is_short_and_of_the_key_alone() -> None:
    assert mark(KEY) == mark(KEY)
    assert mark(KEY) != mark(OTHER_KEY)
    assert (len(mark(KEY)), len(mark(KEY, 18)), mark(KEY)[:18]) == (20, 18, mark(KEY, 18))


def test_two_documents_of_one_write_are_for_a_person() -> None:
    rows = [
        {
            "CompanyCode": "1010",
            "FiscalYear": "2026",
            "AccountingDocument": number,
            "AccountingDocumentItem": "1",
            "Reference1InDocumentHeader": mark(KEY),
            "PostingDate": "/Date(1769817600000)/",
        }
        for number in ("1800000000", "1800000001")
    ]
    with pytest.raises(FixData) as refusal:
        found(Response(status=200, body=dumps({"d": {"results": rows}})), KEY)
    assert refusal.value.code == "found-twice"
    with pytest.raises(OutcomeUnknown):
        found(Response(status=200, body=dumps({"d": {"results": rows[:1]}})), OTHER_KEY)


def test_a_look_asks_for_the_mark_alone() -> None:
    settings = CONNECTOR.settings.model_validate({"base_url": "https://x", "user": "U", "password": "p"})
    assert f"Reference1InDocumentHeader%20eq%20'{mark(KEY)}'" in look(settings, KEY).url  # type: ignore[arg-type]


def test_an_entry_is_the_same_message_each_time_and_escaped() -> None:
    operation: Any = CONNECTOR.operation("journal_entry.post")
    settings = CONNECTOR.settings.model_validate({"base_url": "https://x", "user": "U", "password": "p"})
    record = {**JOURNAL, "text": "Tom & <Jerry>"}
    request = operation.request(settings, record, KEY)
    assert request == operation.request(settings, record, KEY)
    assert b"Tom &amp; &lt;Jerry&gt;" in request.body
    assert request.headers["soapaction"].startswith('"http://sap.com/xi/SAPSCORE/SFIN/')


async def test_an_invoice_is_paid_and_cleared() -> None:
    async with linked() as link:
        made = await link.write("invoice.post", INVOICE)
        entry = await link.read("journal_entry.read", **document(made))
        assert (entry["total"], entry["currency"], entry["reference"]) == ("119.12", "EUR", "INV-1009")
        assert entry["code"] == made["code"]
        customer = next(line for line in entry["lines"] if line["FinancialAccountType"] == "D")
        assert (customer["Customer"], customer["NetDueDate"]) == ("10100001", "2026-03-02")
        owed = await link.read("open_item.list", company_code="1010", customer="10100001", due_until="2026-03-02")
        assert made["id"] in {row["AccountingDocument"] for row in owed["items"]}
        paid = {"accounting_document": made["id"], "fiscal_year": made["fiscal_year"]}
        await link.write("payment.post", {**PAYMENT, "amount": "119.12", "invoice": paid}, OTHER_KEY)
        open_now = await link.read("open_item.list", company_code="1010", customer="10100001")
        assert made["id"] not in {row["AccountingDocument"] for row in open_now["items"]}
        # What is cleared cannot be taken back any more.
        with pytest.raises(FixData) as refusal:
            await link.write("journal_entry.reverse", {**document(made), "posting_date": "2026-02-11"}, THIRD_KEY)
        assert refusal.value.code == "sap-f5-308"


async def test_a_document_that_is_not_shown_yet_is_asked_for_again() -> None:
    """Its number came from the posting, so that it stands; that reporting does not show it yet says nothing else."""
    async with linked() as link:
        await link.seed(settings={"reporting_delay": 30})
        made = await link.write("invoice.post", INVOICE)
        for name in (document(made), {"id": made["document"]}):
            with pytest.raises(RetryLater) as later:
                await link.read("journal_entry.read", **name)
            assert (later.value.code, later.value.facts["id"]) == ("not-shown", made["id"])
        link.served.world.clock.advance(31)
        assert (await link.read("journal_entry.read", **document(made)))["total"] == "119.12"


async def test_an_entry_is_taken_back_on_its_own_day() -> None:
    async with linked() as link:
        made = await link.write("journal_entry.post", JOURNAL)
        undo = link.writing("journal_entry.reverse")
        taken = await link.write("journal_entry.reverse", CONNECTOR.undo_input(undo, made), OTHER_KEY)
        entry = await link.read("journal_entry.read", **document(taken))
        assert (entry["posting_date"], entry["reversed_by"]) == ("2026-01-31", made["id"])
        assert not [row for row in await revenue(link) if Decimal(row["AmountInCompanyCodeCurrency"])]


async def revenue(link: Link) -> list[Any]:
    """Give what stands on the accounts of the entry, apart from what the sample has billed."""
    found = await link.read(
        "odata.query",
        service="API_JOURNALENTRYITEMBASIC_SRV",
        set="A_JournalEntryItemBasic",
        where=[{"property": "GLAccount", "any": ["11001000"]}, {"property": "CompanyCode", "value": "1010"}],
        select=["GLAccount", "CompanyCodeCurrency", "AmountInCompanyCodeCurrency"],
    )
    return list(found["items"])


async def test_a_refused_entry_posts_nothing_and_says_why() -> None:
    async with linked() as link:
        lines = [{"account": "41999999", "amount": "-1"}, {"account": "11001000", "amount": "1"}]
        with pytest.raises(FixData) as refusal:
            await link.write("journal_entry.post", {**JOURNAL, "lines": lines})
        assert refusal.value.code == "sap-f5-507"
        assert await link.find("journal_entry.post", JOURNAL) is None


async def test_one_mark_finds_one_entry() -> None:
    async with linked() as link:
        made = await link.write("invoice.post", INVOICE)
        assert await link.find("invoice.post", INVOICE) == made
        assert await link.find("invoice.post", INVOICE, OTHER_KEY) is None
        by_code = await link.read("journal_entry.find", code=made["code"])
        by_reference = await link.read("journal_entry.find", reference="INV-1009", company_code="1010")
        assert by_code == by_reference
        # SAP itself posts a repeated message once more, which the look then shows.
        await link.write("invoice.post", INVOICE)
        with pytest.raises(FixData, match="several documents"):
            await link.find("invoice.post", INVOICE)


async def test_an_entry_in_yen_has_no_decimals() -> None:
    async with linked() as link:
        invoice = {
            **INVOICE,
            "company_code": "1510",
            "currency": "JPY",
            "customer": "15100001",
            "total": "1100",
            "items": [{"account": "41000000", "net": "1100"}],
            "taxes": [],
        }
        made = await link.write("invoice.post", invoice)
        entry = await link.read("journal_entry.read", **document(made))
        assert (entry["total"], entry["fiscal_year"]) == ("1100", "2025")
        assert made["document"] == f"1510/2025/{made['id']}"
        assert await link.read("journal_entry.read", id=made["document"]) == entry
        with pytest.raises(FixData, match="each by itself, or in one"):
            await link.read("journal_entry.read", id=made["id"])


async def test_company_codes_that_differ_in_a_zero_are_two() -> None:
    """A code is no number: SAP pads no company code, and takes no zero away."""
    async with linked() as link:
        companies = [
            {"code": code, "name": code, "city": "Bonn", "country": "DE", "currency": "EUR"} for code in ("0100", "100")
        ]
        await link.seed(companies=companies)
        first = await link.write("journal_entry.post", {**JOURNAL, "company_code": "0100"})
        other = await link.write("journal_entry.post", {**JOURNAL, "company_code": "100"}, OTHER_KEY)
        assert first["document"] == f"0100/2026/{first['id']}"
        for made, company in ((first, "0100"), (other, "100")):
            for name in (document(made), {"id": made["document"]}):
                entry = await link.read("journal_entry.read", **name)
                assert (entry["company_code"], entry["id"], entry["code"]) == (company, made["id"], made["code"])
            (found,) = (await link.read("journal_entry.find", code=made["code"]))["journal_entries"]
            assert {name: found[name] for name in document(made)} == document(made)


def test_another_company_s_document_is_nobody_s_answer() -> None:
    wanted = {"company_code": "0100", "fiscal_year": "2026", "id": "0100000000"}
    assert READ.about is not None
    assert READ.about(wanted, {**wanted, "id": "100000000"})
    assert not READ.about(wanted, {**wanted, "company_code": "100"})


async def test_a_submitted_entry_is_posted_once_however_often_it_comes() -> None:
    async with linked() as link:
        await link.seed(settings={"posting_seconds": 0})
        assert await link.write("journal_entry.submit", JOURNAL) == {}
        await link.write("journal_entry.submit", JOURNAL)
        assert len(link.rows("JournalEntry", DocumentReferenceID="REV-2026-01")) == 1
        assert (await link.find("journal_entry.submit", JOURNAL))["company_code"] == "1010"


def test_lines_come_in_the_order_of_their_numbers() -> None:
    head = {"CompanyCode": "1010", "FiscalYear": "2026", "AccountingDocument": "100000000"}
    amounts = {"1": "-3.00", "10": "1.00", "11": "1.00", "2": "1.00"}
    rows = [
        {
            **head,
            "AccountingDocumentItem": item,
            "AmountInTransactionCurrency": amount,
            "AmountInCompanyCodeCurrency": "0",
        }
        for item, amount in amounts.items()
    ]
    assert [row["AccountingDocumentItem"] for row in entry_of(rows)["lines"]] == ["1", "2", "10", "11"]
