"""Business events and confirmations reach the hub: who shows the secret is heard, and who asks for consent has it."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import connectors.s4hana
from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.journal import result
from connectors.s4hana.samples import INVOICE, JOURNAL, SETTINGS
from connectors.s4hana.webhook import WEBHOOK
from hub.schemas.drift import compile_drift
from hub.sdk.errors import OutcomeUnknown, UnreadableWebhook, WebhookRejected
from hub.sdk.exact_json import dumps
from hub.sdk.values import InboundEvent, Response
from tests.connectors.s4hana.linking import linked

FIXTURES = Path(str(connectors.s4hana.__file__)).parent / "fixtures"
GONE = ["missing-field AccountingDocument", "missing-field FiscalYear"]
OWN: Any = CONNECTOR.settings.model_validate(SETTINGS)
SECRET = SETTINGS["webhook_secret"]
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("shown", [f"Bearer {SECRET}", f"bearer  {SECRET}", basic("SAP", SECRET), basic("", SECRET)])
def test_the_secret_opens(shown: str) -> None:
    WEBHOOK.verify(OWN, {"authorization": shown}, b"", NOW)


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ("", "no-signature"),
        ("Bearer", "no-signature"),
        (SECRET, "no-signature"),
        ("Bearer other", "bad-signature"),
        (basic(SECRET, "other"), "bad-signature"),
        ("Basic !!!", "bad-signature"),
        ("Basic /w==", "bad-signature"),
        (f"Digest {SECRET}", "bad-signature"),
    ],
)
def test_anything_else_does_not(shown: str, code: str) -> None:
    with pytest.raises(WebhookRejected) as refusal:
        WEBHOOK.verify(OWN, {"authorization": shown}, b"", NOW)
    assert refusal.value.code == code


def test_without_a_secret_nobody_is_heard() -> None:
    settings = CONNECTOR.settings.model_validate({**SETTINGS, "webhook_secret": None})
    with pytest.raises(WebhookRejected):
        WEBHOOK.verify(settings, {"authorization": "Bearer "}, b"", NOW)


def test_consent_is_given_to_who_asks_by_name() -> None:
    assert WEBHOOK.handshake is not None
    given = WEBHOOK.handshake(OWN, {"webhook-request-origin": "em.example.com", "webhook-request-rate": "120"})
    assert given == {"webhook-allowed-origin": "em.example.com", "webhook-allowed-rate": "*"}
    for origin in ("", "a\r\nset-cookie: x", "https://evil.example/"):
        with pytest.raises(WebhookRejected):
            WEBHOOK.handshake(OWN, {"webhook-request-origin": origin})


def test_a_confirmation_is_an_event_with_its_document() -> None:
    (posted,) = WEBHOOK.parse((FIXTURES / "posted.xml").read_bytes())
    assert (posted.type, posted.subject) == ("s4hana.journal_entry.confirmed", "ABCDEFGHIJKLMNOPQRST")
    assert posted.data["posted"] is True
    assert (posted.data["accounting_document"], posted.data["fiscal_year"]) == ("1800000000", "2026")
    (failed,) = WEBHOOK.parse((FIXTURES / "not_posted.xml").read_bytes())
    assert (failed.data["posted"], failed.data["accounting_document"]) == (False, "")
    assert [each["type"] for each in failed.data["log"]] == ["609(RW)", "507(F5)"]


def confirmed(*altered: tuple[str, str]) -> list[InboundEvent]:
    """Read the confirmation of a posting in which something is altered."""
    text = (FIXTURES / "posted.xml").read_text("utf-8")
    for old, new in altered:
        assert old in text
        text = text.replace(old, new)
    return list(WEBHOOK.parse(text.encode()))


NUMBER = "<AccountingDocument>1800000000</AccountingDocument>"
MOST = "<MaximumLogItemSeverityCode>1</MaximumLogItemSeverityCode>"


@pytest.mark.parametrize(
    "altered",
    [
        [(NUMBER, "")],
        [(NUMBER, "<DocumentNumber>1800000000</DocumentNumber>")],
        [(MOST, MOST.replace("1", "3"))],
        [(MOST, MOST.replace("1", "7"))],
        [(MOST, MOST.replace("1", "7")), (NUMBER, "")],
    ],
    ids=("no document", "another name", "an error", "unknown severity", "neither"),
)
def test_a_confirmation_that_says_neither_is_kept_for_a_person(altered: list[tuple[str, str]]) -> None:
    """That an entry was not posted is said by an error without a document alone: who believes it may post it again."""
    with pytest.raises(UnreadableWebhook) as refusal:
        confirmed(*altered)
    assert "neither posted nor refused" in str(refusal.value.facts["reason"])
    sent = (FIXTURES / "posted.xml").read_text("utf-8")
    for old, new in altered:
        sent = sent.replace(old, new)
    with pytest.raises(OutcomeUnknown):
        result(Response(status=200, body=sent.encode()))


def bulk(*altered: tuple[str, str]) -> bytes:
    """Write a confirmation of two entries, of which something is altered in the second."""
    text = (FIXTURES / "posted.xml").read_text("utf-8")
    begin, end = "<JournalEntryCreateConfirmation><MessageHeader>", "<Log/></n0:"
    first = text[text.index(begin) : text.index(end)]
    second = first.replace("ABCDEFGHIJKLMNOPQRST", "SECOND").replace("b3ddad4c", "b3ddad4d")
    for old, new in altered:
        assert old in second
        second = second.replace(old, new)
    return text.replace(first, first + second).encode()


def test_of_several_entries_the_unclear_one_alone_is_kept_for_a_person() -> None:
    """It is never taken for posted or refused: it is no confirmation, and what it does not say is missed in it."""
    clear, unclear = WEBHOOK.parse(bulk((MOST, MOST.replace("1", "3"))))
    assert (clear.type, clear.subject) == ("s4hana.journal_entry.confirmed", "ABCDEFGHIJKLMNOPQRST")
    assert clear.data["posted"] is True
    assert (unclear.type, unclear.subject) == ("s4hana.journal_entry.unclear", "SECOND")
    assert "posted" not in unclear.data
    assert (unclear.data["accounting_document"], unclear.data["severity"]) == ("1800000000", "3")
    found = compile_drift(CONNECTOR.schemas[str(unclear.schema)])(unclear.record)
    assert [(one.kind, one.path) for one in found] == [("missing-field", "posted")]
    # When SAP says later what became of it, under the same id, that is news.
    _, later = WEBHOOK.parse(bulk())
    assert (later.type, later.subject) == ("s4hana.journal_entry.confirmed", "SECOND")
    assert later.external_id not in (unclear.external_id, clear.external_id)


def test_what_is_new_in_a_confirmations_log_is_told() -> None:
    (event,) = confirmed(("<SeverityCode>1</SeverityCode>", "<SeverityCode>W</SeverityCode>"))
    assert event.schema is not None
    (found,) = compile_drift(CONNECTOR.schemas[event.schema])(event.record)
    assert (found.kind, found.path, found.detail) == ("new-value", "log[].severity", "W")
    (event,) = confirmed()
    assert compile_drift(CONNECTOR.schemas[str(event.schema)])(event.record) == []


def told(kind: str, data: Any) -> InboundEvent:
    """Read a business event of a type that holds this data."""
    envelope = {"specversion": "1.0", "id": "1", "type": kind, "source": "s", "time": "2026-01-31T10:00:00Z"}
    (event,) = WEBHOOK.parse(dumps({**envelope, "data": data}))
    return event


POSTED = "sap.s4.beh.journalentry.v1.JournalEntry.Created.v1"
KEYS = {"FiscalYear": "2026", "AccountingDocument": "0100000007", "CompanyCode": "1010"}


@pytest.mark.parametrize(
    ("kind", "data", "subject", "kinds"),
    [
        (POSTED, KEYS, "1010/2026/100000007", []),
        (POSTED, {**KEYS, "CompanyCode": "0100", "AccountingDocument": "100000007"}, "0100/2026/100000007", []),
        (POSTED, {"AAA": "x", **KEYS}, "1010/2026/100000007", ["unknown-field AAA"]),
        (POSTED, {**KEYS, "FiscalYear": 2026}, "", ["changed-type FiscalYear"]),
        (POSTED, {"CompanyCode": "1010", "Year": "2026"}, "", ["unknown-field Year", *GONE]),
        (
            "sap.s4.beh.salesorder.v1.SalesOrder.Changed.v1",
            {"SalesOrder": "7", "Item": "10"},
            "7",
            ["unknown-field Item"],
        ),
        ("sap.s4.beh.product.v1.Product.Changed.v1", {"Product": ["A"]}, "", ["changed-type Product"]),
        ("sap.s4.beh.product.v1.Product.Changed.v1", {"Product": ""}, "", []),
        # Of what is not declared here nobody can say which of its fields are keys.
        ("sap.s4.beh.workorder.v1.WorkOrder.Created.v1", {"WorkOrder": "1", "Plant": "1010"}, "", []),
    ],
)
def test_the_keys_of_an_event_are_pinned(kind: str, data: Any, subject: str, kinds: list[str]) -> None:
    """A further field is no part of the subject, and a missing or retyped key makes none at all."""
    event = told(kind, data)
    assert event.subject == subject
    found = [] if event.schema is None else compile_drift(CONNECTOR.schemas[event.schema])(event.record)
    assert sorted(f"{one.kind} {one.path}" for one in found) == sorted(kinds)
    assert {name: event.data[name] for name in data} == data


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        ("sap.s4.beh.product.v1.Product.Changed.v1", "s4hana.product_event@1"),
        ("sap.s4.beh.product.v1.Product.Changed.v2", "s4hana.product_event@1.2"),
        ("sap.s4.beh.product.v2.Product.Changed.v2", "s4hana.product_event@2"),
    ],
)
def test_an_event_claims_the_version_of_its_type(kind: str, schema: str) -> None:
    assert told(kind, {"Product": "A"}).schema == schema


@pytest.mark.parametrize(
    "body",
    [
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<e:Envelope xmlns:e='x'><e:Body/></e:Envelope>",
        b'{"specversion":"1.0","id":"1","type":"x","source":"y","time":"2026-01-31T10:00:00Z","data":{"a":"b"}}',
        b'{"specversion": "0.3"}',
    ],
)
def test_what_is_neither_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableWebhook):
        WEBHOOK.parse(body)


async def test_the_sandbox_s_events_and_confirmations_are_read() -> None:
    taken: list[tuple[dict[str, str], bytes]] = []

    async def post(url: str, headers: Any, body: bytes, _seconds: float) -> int:
        taken.append(({name.lower(): value for name, value in headers.items()}, body))
        return 202

    async with linked() as link:
        link.served.world.post = post
        login = {"Authorization": f"Bearer {SECRET}"}
        await link.seed(
            subscribe=[{"url": "https://hub.example/hooks/s4hana", "types": ["*"], "headers": login}],
            settings={
                "posting_seconds": 0,
                "confirmation_url": "https://hub.example/hooks/s4hana",
                "confirmation_authorization": basic("SAP", SECRET),
            },
        )
        await link.write("journal_entry.submit", JOURNAL)
        await link.write("business_partner.update", {"BusinessPartner": "10100001", "SearchTerm1": "NEW"})
        found = await link.find("journal_entry.submit", JOURNAL)
        for _ in range(100):
            if len(taken) >= 4:
                break
            await asyncio.sleep(0.01)
    events: list[InboundEvent] = []
    for headers, body in taken:
        WEBHOOK.verify(OWN, headers, body, NOW)
        events += WEBHOOK.parse(body)
    by_type = {event.type: event for event in events}
    assert by_type.keys() == {
        "s4hana.journal_entry.created",
        "s4hana.journal_entry.confirmed",
        "s4hana.business_partner.changed",
    }
    # One save has raised two events, each with an id of its own.
    assert len([each for each in events if each.type == "s4hana.business_partner.changed"]) == 2
    confirmed = by_type["s4hana.journal_entry.confirmed"]
    assert confirmed.data["posted"] is True
    assert confirmed.data["accounting_document"] == found["accounting_document"]
    assert by_type["s4hana.journal_entry.created"].subject.endswith(f"/{found['accounting_document']}")
    assert INVOICE["company_code"] == confirmed.data["company_code"]
