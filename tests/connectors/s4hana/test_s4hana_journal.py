"""Journal entries by SOAP: what is posted or refused, and how, reversals, clearing, and the asynchronous service."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from connectors.s4hana.sandbox.tenant import Tenant
from tests.connectors.s4hana.conftest import ASYNC, Answer, Plain

CUBE = "API_OPLACCTGDOCITEMCUBE_SRV/A_OperationalAcctgDocItemCube"
LINES = "API_GLACCOUNTLINEITEM/GLAccountLineItem"
HEADER = "<MessageHeader><ID>{}</ID><CreationDateTime>2026-01-31T10:00:00Z</CreationDateTime>{}</MessageHeader>"
ENVELOPES = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}


REVENUE, BANK, DEBTOR = "0041000000", "0011001000", "0010100001"
#: Who is taken for a customer; the last one is none.
DEBTORS = {DEBTOR, "0017100001", "0099109999"}


def line(account: str, amount: str, *, code: str = "", currency: str = "EUR", more: str = "", place: int = 1) -> str:
    """Write a line: of a customer, or of the ledger."""
    sign = code or ("H" if amount.startswith("-") else "S")
    kind, name = ("DebtorItem", "Debtor") if account in DEBTORS else ("Item", "GLAccount")
    return (
        f"<{kind}><ReferenceDocumentItem>{place}</ReferenceDocumentItem><{name}>{account}</{name}>"
        f'<AmountInTransactionCurrency currencyCode="{currency}">{amount}</AmountInTransactionCurrency>'
        f"<DebitCreditCode>{sign}</DebitCreditCode>{more}</{kind}>"
    )


def tax(amount: str, base: str, *, code: str = "A1", currency: str = "EUR") -> str:
    return (
        f"<ProductTaxItem><TaxCode>{code}</TaxCode>"
        f'<AmountInTransactionCurrency currencyCode="{currency}">{amount}</AmountInTransactionCurrency>'
        f'<TaxBaseAmountInTransCrcy currencyCode="{currency}">{base}</TaxBaseAmountInTransCrcy></ProductTaxItem>'
    )


def entry(
    *lines: str,
    kind: str = "SA",
    company: str = "1010",
    day: str = "2026-01-31",
    head: str = "",
    late: str = "",
    reversal: str = "",
    identity: str = "SUB1",
) -> str:
    """Write one entry with its header."""
    order = {"Item": 0, "Debt": 1, "Prod": 2}
    body = "".join(sorted(lines, key=lambda each: order[each[1:5]]))
    return (
        f"<JournalEntryCreateRequest>{HEADER.format(identity, '')}<JournalEntry>"
        "<OriginalReferenceDocumentType>BKPFF</OriginalReferenceDocumentType>"
        "<BusinessTransactionType>RFBU</BusinessTransactionType>"
        f"<AccountingDocumentType>{kind}</AccountingDocumentType>{head}{reversal}"
        f"<CreatedByUser>HUB</CreatedByUser><CompanyCode>{company}</CompanyCode>"
        f"<DocumentDate>{day}</DocumentDate><PostingDate>{day}</PostingDate>{late}{body}</JournalEntry></JournalEntryCreateRequest>"
    )


def message(*entries: str, identity: str = "MSG1", more: str = "", soap: str = "1.1", header: str = "") -> str:
    return (
        f'<e:Envelope xmlns:e="{ENVELOPES[soap]}" xmlns:s="http://sap.com/xi/SAPSCORE/SFIN"><e:Header>{header}</e:Header><e:Body>'
        f"<s:JournalEntryBulkCreateRequest>{HEADER.format(identity, more)}{''.join(entries)}"
        "</s:JournalEntryBulkCreateRequest></e:Body></e:Envelope>"
    )


def results(answer: Answer) -> list[tuple[str, str, list[str]]]:
    """Give for each entry the id it was sent with, its document, and the types of its log."""
    assert answer.status == 200, answer.text
    parts = answer.text.split("<JournalEntryCreateConfirmation><MessageHeader>")[1:]
    return [
        (
            re.search(r"<ReferenceID>(.*?)<", each)[1],  # type: ignore[index]
            re.search(r"<AccountingDocument>(.*?)<", each)[1],  # type: ignore[index]
            re.findall(r"<TypeID>(.*?)<", each),
        )
        for each in parts
    ]


async def post(plain: Plain, *lines: str, more: str = "", **rest: Any) -> tuple[str, list[str]]:
    """Post one entry; gives its document and the types of its log."""
    ((_, document, types),) = results(await plain.soap(message(entry(*lines, **rest), more=more)))
    return document, types


async def test_an_entry_is_posted_with_its_texts_and_seen_everywhere(plain: Plain) -> None:
    head = "<DocumentReferenceID>INV-7</DocumentReferenceID><DocumentHeaderText>seven</DocumentHeaderText>"
    more = "<DocumentItemText>text</DocumentItemText><AssignmentReference>A7</AssignmentReference>"
    terms = (
        "<CashDiscountTerms><DueCalculationBaseDate>2026-02-01</DueCalculationBaseDate>"
        "<NetPaymentDays>P10D</NetPaymentDays></CashDiscountTerms>"
        "<PaymentDetails><PaymentReference>in_7</PaymentReference></PaymentDetails>"
    )
    document, types = await post(
        plain, line(REVENUE, "-100.00", more=more), line(DEBTOR, "100.00", more=terms), kind="DR", head=head
    )
    assert (document, types) == ("1800000000", ["605(RW)"])
    ledger, debtor = (await plain.get(f"{CUBE}?$filter=DocumentReferenceID eq 'INV-7'")).rows
    assert (ledger["DocumentItemText"], ledger["AssignmentReference"], ledger["PostingKey"]) == ("text", "A7", "50")
    assert (debtor["Customer"], debtor["GLAccount"], debtor["PostingKey"]) == ("10100001", "12100000", "01")
    assert debtor["NetDueDate"] == "/Date(1770768000000)/" and debtor["PaymentReference"] == "in_7"
    assert (debtor["IsCleared"], debtor["FiscalYear"], debtor["AccountingDocCreatedByUser"]) == (False, "2026", "HUB")
    assert (debtor["OffsettingAccount"], debtor["OffsettingAccountType"]) == ("41000000", "S")
    key = "CompanyCode='1010',FiscalYear='2026',AccountingDocument='1800000000',AccountingDocumentItem='2'"
    assert (await plain.get(f"{CUBE}({key})")).d["AmountInTransactionCurrency"] == "100.00"
    rows = (await plain.get(f"{LINES}?$filter=AccountingDocument eq '1800000000'")).rows
    assert sorted(each["AmountInCompanyCodeCurrency"] for each in rows) == ["-100.00", "100.00"]


async def test_a_request_is_known_by_the_reference_of_its_entry(plain: Plain) -> None:
    """So that the log tells two requests for one entry from those for two."""
    head = "<Reference1InDocumentHeader>MFRGGZDFMZTWQ2LKNNWG</Reference1InDocumentHeader>"
    await post(plain, line(REVENUE, "-100.00"), line(BANK, "100.00"), head=head)
    await post(plain, line(REVENUE, "-100.00"), line(BANK, "100.00"))
    markers = [entry["marker"] for entry in await plain.control("requests") if "journalentry" in entry["path"]]
    assert markers == ["MFRGGZDFMZTWQ2LKNNWG", None]


@pytest.mark.parametrize(
    ("lines", "more", "wrong"),
    [
        ((line(REVENUE, "-100"), line(BANK, "99")), {}, "702(F5)"),
        ((line(REVENUE, "-1"), line("0012345678", "1")), {}, "507(F5)"),
        ((line(REVENUE, "-1"), line("0012100000", "1")), {}, "352(F5)"),
        ((line(REVENUE, "-1"), line("0079999000", "1")), {}, "155(F5)"),
        ((line(REVENUE, "-1"), line("0099109999", "1")), {}, "102(F5)"),
        ((line(REVENUE, "-1"), line("0017100001", "1")), {}, "102(F5)"),
        ((line(REVENUE, "-1"), line(BANK, "1")), {"company": "9999"}, "165(F5)"),
        ((line(REVENUE, "-1"), line(BANK, "1")), {"kind": "ZZ"}, "814(F5)"),
        ((line(REVENUE, "-1"),), {}, "708(F5)"),
        ((line(REVENUE, "-1.005"), line(BANK, "1.005")), {}, "808(F5)"),
        ((line(REVENUE, "-1", currency="XXX"), line(BANK, "1", currency="XXX")), {}, "215(F5)"),
        ((line(REVENUE, "-1", currency="USD"), line(BANK, "1")), {}, "022(RW)"),
        ((line(REVENUE, "-1", code="X"), line(BANK, "1")), {}, "804(F5)"),
        ((line(REVENUE, "-1", more="<Tax><TaxCode>A1</TaxCode></Tax>"), line(BANK, "1")), {}, "805(FF)"),
        ((line(REVENUE, "-1", more="<Tax><TaxCode>Q9</TaxCode></Tax>"), line(BANK, "1")), {}, "713(FF)"),
        ((line(REVENUE, "-1"), line(BANK, "1")), {"day": "2026-03-01"}, "201(F5)"),
        ((line(REVENUE, "-1"), line(BANK, "1")), {"late": "<PostingFiscalPeriod>02</PostingFiscalPeriod>"}, "284(F5)"),
        ((line(REVENUE, "-1", more="<CompanyCode>1710</CompanyCode>"), line(BANK, "1")), {}, "023(RW)"),
        ((line(REVENUE, "-1"), line(DEBTOR, "1", more="<OneTimeCustomerDetails/>")), {}, "023(RW)"),
        ((line(REVENUE, "-1"), line(DEBTOR, "1", more="<AltvRecnclnAccts>41000000</AltvRecnclnAccts>")), {}, "354(F5)"),
    ],
)
async def test_what_is_wrong_stands_in_the_log(plain: Plain, lines: Any, more: Any, wrong: str) -> None:
    await plain.seed(close=[{"company": "1010", "year": 2026, "period": 3}])
    before = (await plain.books())["counts"]["JournalItem"]
    document, types = await post(plain, *lines, **more)
    assert document == "0000000000"
    assert types[0] == "609(RW)" and wrong in types
    assert (await plain.books())["counts"]["JournalItem"] == before


async def test_a_blocked_customer_is_not_posted_to(plain: Plain) -> None:
    await plain.seed(changes=[{"table": "A_Customer", "key": ["10100001"], "set": {"PostingIsBlocked": True}}])
    assert "350(F5)" in (await post(plain, line(REVENUE, "-1"), line(DEBTOR, "1")))[1]


async def test_required_fields_are_told_one_by_one(plain: Plain) -> None:
    text = entry(line(REVENUE, "-1"), line(BANK, "1")).replace("<CreatedByUser>HUB</CreatedByUser>", "")
    ((_, document, types),) = results(await plain.soap(message(text)))
    assert (document, types) == ("0000000000", ["609(RW)", "021(RW)"])


async def test_each_entry_stands_for_itself(plain: Plain) -> None:
    good, bad = (line(REVENUE, "-1"), line(BANK, "1")), (line(REVENUE, "-1"), line(BANK, "2"))
    sent = message(entry(*good, identity="A"), entry(*bad, identity="B"), entry(*good, identity="C"))
    assert [each[:2] for each in results(await plain.soap(sent))] == [
        ("A", "0100000000"),
        ("B", "0000000000"),
        ("C", "0100000001"),
    ]


async def test_the_synchronous_service_posts_a_message_twice(plain: Plain) -> None:
    sent = message(entry(line(REVENUE, "-1"), line(BANK, "1")))
    documents = [results(await plain.soap(sent))[0][1] for _ in range(2)]
    assert documents == ["0100000000", "0100000001"]


async def test_a_trial_posts_nothing(plain: Plain) -> None:
    before = (await plain.books())["counts"]
    test = "<TestDataIndicator>true</TestDataIndicator>"
    good = message(entry(line(REVENUE, "-1"), line(BANK, "1")), more=test)
    assert results(await plain.soap(good)) == [("SUB1", "0000000000", ["614(RW)"])]
    bad = message(entry(line(REVENUE, "-1"), line(BANK, "2")), more=test)
    assert "702(F5)" in results(await plain.soap(bad))[0][2]
    assert (await plain.books())["counts"] == before


async def test_signs_and_codes_that_contradict_make_negative_postings(plain: Plain) -> None:
    lines = (line(REVENUE, "1", code="H"), line(BANK, "-1", code="S"))
    document, _ = await post(plain, *lines)
    rows = (await plain.get(f"{CUBE}?$filter=AccountingDocument eq '{document}'")).rows
    assert all(each["IsNegativePosting"] for each in rows)
    await plain.seed(settings={"negative_postings": "block"})
    assert "263(FINS_ACDOC_POST)" in (await post(plain, *lines))[1]


async def test_taxes_have_items_of_their_own(plain: Plain) -> None:
    taxed = line(REVENUE, "-100", more="<Tax><TaxCode>A1</TaxCode></Tax>")
    document, types = await post(plain, taxed, line(DEBTOR, "119"), tax("-19", "-100"), kind="DR")
    assert types == ["605(RW)"]
    rows = (await plain.get(f"{CUBE}?$filter=AccountingDocument eq '{document}' and TaxCode eq 'A1'")).rows
    assert [(each["GLAccount"], each["TaxBaseAmountInTransCrcy"]) for each in rows] == [
        ("41000000", "0.00"),
        ("22000000", "-100.00"),
    ]
    check = "<DoTaxAmountCheck>true</DoTaxAmountCheck>"
    wrong = (taxed, line(DEBTOR, "118"), tax("-18", "-100"))
    assert "747(FF)" in (await post(plain, *wrong, kind="DR", head=check))[1]
    assert (await post(plain, *wrong, kind="DR"))[1] == ["605(RW)"]


async def test_foreign_amounts_are_in_balance_in_the_companys_currency(plain: Plain) -> None:
    three = [line(REVENUE, amount, currency="JPY") for amount in ("-333", "-333", "-334")]
    document, _ = await post(plain, *three, line(BANK, "1000", currency="JPY"))
    rows = (await plain.get(f"{CUBE}?$filter=AccountingDocument eq '{document}'")).rows
    assert [each["AmountInTransactionCurrency"] for each in rows] == ["-333", "-333", "-334", "1000"]
    local = [round(float(each["AmountInCompanyCodeCurrency"]) * 100) for each in rows]
    assert sum(local) == 0 and local[3] == 618 and rows[0]["CompanyCodeCurrency"] == "EUR"


async def test_a_rate_and_a_special_period_may_be_given(plain: Plain) -> None:
    lines = (line(REVENUE, "-100", currency="USD"), line(BANK, "100", currency="USD"))
    late = "<PostingFiscalPeriod>13</PostingFiscalPeriod><ExchangeRate>0.5</ExchangeRate>"
    document, types = await post(plain, *lines, day="2026-12-31", late=late)
    assert types == ["605(RW)"]
    rows = (await plain.get(f"{CUBE}?$filter=AccountingDocument eq '{document}'")).rows
    assert [(each["AmountInCompanyCodeCurrency"], each["FiscalPeriod"]) for each in rows] == [
        ("-50.00", "13"),
        ("50.00", "13"),
    ]


async def test_fiscal_years_follow_their_variant(plain: Plain) -> None:
    lines = (line(REVENUE, "-5", currency="JPY"), line(BANK, "5", currency="JPY"))
    await post(plain, *lines, company="1510", day="2026-03-31")
    await post(plain, *lines, company="1510", day="2026-04-01")
    rows = (await plain.get(f"{CUBE}?$filter=CompanyCode eq '1510'&$orderby=FiscalYear,AccountingDocument")).rows
    assert [(each["FiscalYear"], each["FiscalPeriod"], each["AccountingDocument"]) for each in rows[::2]] == [
        ("2025", "12", "100000000"),
        ("2026", "1", "100000000"),
    ]


async def test_numbers_have_gaps_after_a_restart(plain: Plain) -> None:
    lines = (line(REVENUE, "-1"), line(BANK, "1"))
    assert (await post(plain, *lines))[0] == "0100000000"
    await plain.seed(skip_numbers=[{"range": "1010/2026/100000000", "count": 9}])
    assert (await post(plain, *lines))[0] == "0100000010"


async def reversed_by(plain: Plain, reference: str, reason: str = "01", **more: Any) -> tuple[str, list[str]]:
    reversal = (
        f"<ReversalReason>{reason}</ReversalReason><ReversalReferenceDocument>{reference}</ReversalReferenceDocument>"
    )
    return await post(plain, reversal=reversal, **more)


async def test_a_reversal_posts_the_opposite_and_clears_both(plain: Plain) -> None:
    document, _ = await post(plain, line(REVENUE, "-50"), line(DEBTOR, "50"), kind="DR")
    other, _ = await post(plain, line(REVENUE, "-1"), line(BANK, "1"))
    made, types = await reversed_by(plain, f"{document}10102026", kind="DA")
    assert types == ["605(RW)"]
    rows = (await plain.get(f"{CUBE}?$filter=AccountingDocument eq '{made}'")).rows
    assert [(each["AmountInTransactionCurrency"], each["DebitCreditCode"]) for each in rows] == [
        ("50.00", "S"),
        ("-50.00", "H"),
    ]
    assert all(each["IsReversal"] and each["ReverseDocument"] == document for each in rows)
    old = (await plain.get(f"{CUBE}?$filter=AccountingDocument eq '{document}'")).rows
    assert all(each["IsReversed"] and each["ReverseDocument"] == made for each in old)
    assert [each["IsCleared"] for each in old] == [False, True]
    assert old[1]["ClearingAccountingDocument"] == made
    for reference, reason, wrong in (
        (document, "01", "361(F5)"),
        (made, "01", "363(F5)"),
        ("0199999999", "01", "397(F5)"),
        ("9000000000", "01", "377(F5)"),
        (other, "99", "396(F5)"),
    ):
        assert wrong in (await reversed_by(plain, reference, reason))[1]
        trial = await reversed_by(plain, reference, reason, more="<TestDataIndicator>true</TestDataIndicator>")
        assert trial == ("0000000000", ["609(RW)", wrong])


async def test_a_payment_clears_what_it_refers_to(plain: Plain) -> None:
    document, _ = await post(plain, line(REVENUE, "-50"), line(DEBTOR, "50"), kind="DR")
    head = f"<InvoiceReferenceDocument>{document}10102026</InvoiceReferenceDocument>"
    await post(plain, line(DEBTOR, "-20"), line(BANK, "20"), kind="DZ", head=head)
    query = "$filter=Customer eq '10100001' and AccountingDocumentType ne 'RV'"
    assert [each["IsCleared"] for each in (await plain.get(f"{CUBE}?{query}")).rows] == [False, False]
    last, _ = await post(plain, line(DEBTOR, "-30"), line(BANK, "30"), kind="DZ", head=head)
    rows = (await plain.get(f"{CUBE}?{query}")).rows
    assert [each["IsCleared"] for each in rows] == [True, True, True]
    assert {each["ClearingAccountingDocument"] for each in rows} == {last}
    assert {each["InvoiceReference"] for each in rows} == {"", document}
    assert "308(F5)" in (await reversed_by(plain, document))[1]
    missing = "<InvoiceReferenceDocument>0188888888</InvoiceReferenceDocument>"
    assert "397(F5)" in (await post(plain, line(DEBTOR, "-1"), line(BANK, "1"), kind="DZ", head=missing))[1]


async def test_a_payment_of_a_billing_document_is_seen_there(plain: Plain) -> None:
    head = "<InvoiceReferenceDocument>9000000000</InvoiceReferenceDocument>"
    await post(plain, line(DEBTOR, "-238"), line(BANK, "238"), kind="DZ", head=head)
    shown = (await plain.get("API_BILLING_DOCUMENT_SRV/A_BillingDocument('90000000')")).d
    assert shown["InvoiceClearingStatus"] == "C"


async def test_items_of_one_assignment_are_cleared_together_unless_switched_off(plain: Plain) -> None:
    more = "<AssignmentReference>in_9</AssignmentReference>"
    await plain.seed(settings={"clearing": "never"})
    await post(plain, line(REVENUE, "-5"), line(DEBTOR, "5", more=more), kind="DR")
    await post(plain, line(DEBTOR, "-5", more=more), line(BANK, "5"), kind="DZ")
    query = "$filter=AssignmentReference eq 'in_9'"
    assert not any(each["IsCleared"] for each in (await plain.get(f"{CUBE}?{query}")).rows)
    await plain.seed(settings={"clearing": "at_once"})
    await post(plain, line(REVENUE, "-2"), line(DEBTOR, "2", more=more), kind="DR")
    assert not any(each["IsCleared"] for each in (await plain.get(f"{CUBE}?{query}")).rows)
    await post(plain, line(DEBTOR, "-2", more=more), line(BANK, "2"), kind="DZ")
    assert all(each["IsCleared"] for each in (await plain.get(f"{CUBE}?{query}")).rows)


async def test_reporting_may_be_late(plain: Plain) -> None:
    await plain.seed(settings={"reporting_delay": 30})
    document, _ = await post(plain, line(REVENUE, "-1"), line(BANK, "1"))
    query = f"$filter=AccountingDocument eq '{document}'"
    for path in (CUBE, LINES):
        assert (await plain.get(f"{path}?{query}")).rows == []
    await plain.control("clock", {"advance": 31})
    for path in (CUBE, LINES):
        assert len((await plain.get(f"{path}?{query}")).rows) == 2


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no xml",
        "<a/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        message("").replace("s:JournalEntryBulkCreateRequest", "s:Other"),
        message(),
        message(entry(line(REVENUE, "1,00"))),
        message(entry(line(REVENUE, "1", currency="EURO"))),
        message(entry(line(REVENUE, "1"), day="31.01.2026")),
        message(entry(head=f"<DocumentHeaderText>{'x' * 26}</DocumentHeaderText>")),
        message(entry(line(REVENUE, "0.0000001"))),
        message(entry()).replace("10:00:00Z", "10:00:00+01:00"),
        # A default namespace on the root takes all children with it.
        message(entry())
        .replace("<s:Jou", "<Jou")
        .replace("</s:Jou", "</Jou")
        .replace("Request>", 'Request xmlns="http://sap.com/xi/SAPSCORE/SFIN">', 1),
        "<a>" * 200 + "</a>" * 200,
    ],
)
async def test_what_cannot_be_read_is_a_fault(plain: Plain, body: str) -> None:
    answer = await plain.soap(body)
    assert answer.status == 500 and "Fault" in answer.text and "faultstring" in answer.text


async def test_the_newer_soap_is_answered_in_kind(plain: Plain) -> None:
    sent = message(entry(line(REVENUE, "-1"), line(BANK, "1")), soap="1.2")
    answer = await plain.soap(sent, Content_Type="application/soap+xml")
    assert answer.headers["Content-Type"].startswith("application/soap+xml") and ENVELOPES["1.2"] in answer.text
    assert (await plain.soap(sent, service="nothing")).status == 404
    assert (await plain.call("GET", "/sap/bc/srt/scs_ext/sap/journalentrycreaterequestconfi")).status == 405


async def test_elements_may_stand_in_another_order(plain: Plain) -> None:
    text = entry(line(REVENUE, "-1"), line(BANK, "1"))
    text = text.replace("<CreatedByUser>HUB</CreatedByUser>", "").replace(
        "</JournalEntry>", "<CreatedByUser>HUB</CreatedByUser><Unknown/></JournalEntry>"
    )
    assert results(await plain.soap(message(text)))[0][2] == ["605(RW)"]


@pytest.fixture
async def endpoint() -> AsyncIterator[tuple[str, list[str], list[int]]]:
    """Give the address of somebody who takes confirmations, what came, and the statuses to answer with (then 200)."""
    came: list[str] = []
    statuses: list[int] = []

    async def take(request: web.Request) -> web.Response:
        came.append(await request.text())
        return web.Response(status=statuses.pop(0) if statuses else 200)

    application = web.Application()
    application.router.add_post("/", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/", came, statuses
    await runner.cleanup()


async def settled(plain: Plain) -> None:
    """Wait until nothing is under way; what waits by the clock does not count."""
    for _ in range(200):
        await plain.control("health")
        tenant = plain.served.world.books
        assert isinstance(tenant, Tenant)
        if not tenant.inbox.sending:
            return


async def test_a_bulk_message_is_confirmed_to_whoever_was_named(plain: Plain, endpoint: Any) -> None:
    url, came, statuses = endpoint
    statuses.append(503)
    await plain.seed(settings={"confirmation_url": url})
    good, bad = (line(REVENUE, "-1"), line(BANK, "1")), (line(REVENUE, "-1"), line(BANK, "2"))
    taken = await plain.soap(message(entry(*good, identity="A"), entry(*bad, identity="B")), service=ASYNC)
    assert (taken.status, taken.text) == (202, "")
    assert (await plain.books())["messages"][0]["state"] == "waiting" and not came
    await plain.control("clock", {"advance": 6})
    await plain.books()
    await settled(plain)
    assert len(came) == 1
    await plain.control("clock", {"advance": 31})
    await plain.books()
    await settled(plain)
    assert len(came) == 2 and came[0] == came[1]
    assert "<ReferenceID>A</ReferenceID>" in came[1] and "<AccountingDocument>0100000000<" in came[1]
    assert "702(F5)" in came[1]
    told = (await plain.books())["messages"][0]
    assert told["state"] == "failed" and told["confirmed"] == 200
    assert [each["document"] for each in told["results"]] == ["100000000", None]


@pytest.mark.parametrize("how", ["message", "query", "header"])
async def test_a_message_id_is_taken_once(plain: Plain, how: str) -> None:
    header = (
        '<a:MessageID xmlns:a="http://www.w3.org/2005/08/addressing">uuid:1</a:MessageID>' if how == "header" else ""
    )
    query = "?MessageId=4711" if how == "query" else ""

    async def send(identity: str) -> None:
        sent = message(entry(line(REVENUE, "-1"), line(BANK, "1")), identity=identity, header=header)
        assert (await plain.soap(sent, service=ASYNC, query=query)).status == 202

    await send("M1")
    await send("M1" if how == "message" else "M2")
    await plain.control("clock", {"advance": 6})
    books = await plain.books()
    assert [each["state"] for each in books["messages"]] == ["posted", "duplicate"]
    assert len([each for each in books["tables"]["JournalEntry"] if each["AccountingDocumentType"] == "SA"]) == 1


async def test_the_books_always_balance(plain: Plain) -> None:
    for amount in ("1.01", "2.02", "3.03"):
        await post(plain, line(REVENUE, f"-{amount}"), line(DEBTOR, amount))
    balances = (await plain.books())["balances"]
    for currencies in balances.values():
        for accounts in currencies.values():
            assert sum(round(float(each) * 1000) for each in accounts.values()) == 0
    assert balances["1010"]["EUR"]["12100000"] == "244.06"
