"""Outbound messages at the connector: who is trusted, what is read, and what no reader should let in."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest

from connectors.salesforce.sandbox.envelopes import is_acknowledged
from connectors.salesforce.webhook import WEBHOOK, parse, verify
from connectors.salesforce.xml_documents import MOST_ELEMENTS
from hub.sdk.errors import UnreadableWebhook, WebhookRejected
from tests.connectors.salesforce.connected import settings

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
MESSAGE = files("connectors.salesforce").joinpath("fixtures", "outbound_message.xml").read_bytes()
ADDRESS = {":query": "key=an-invented-webhook-secret"}


def test_the_sender_hears_what_it_waits_for() -> None:
    assert WEBHOOK.acknowledgement is not None
    assert WEBHOOK.acknowledgement.status == 200
    assert WEBHOOK.acknowledgement.content_type.startswith("text/xml")
    assert is_acknowledged(WEBHOOK.acknowledgement.body)


@pytest.mark.parametrize(
    ("headers", "changed", "code"),
    [
        ({}, {}, "no-signature"),
        ({":query": "key="}, {}, "no-signature"),
        ({":query": "key=another"}, {}, "bad-signature"),
        ({":query": "key=an-invented-webhook-secret&key=x"}, {}, "bad-signature"),
        (ADDRESS, {"webhook_secret": "", "webhook_secret_previous": ""}, "bad-signature"),
        (ADDRESS, {"organization_id": "00D990000000009EAA"}, "other-organization"),
        (
            ADDRESS,
            {"webhook_certificate_header": "X-Client-Verify", "webhook_certificate": "SUCCESS"},
            "other-certificate",
        ),
    ],
)
def test_who_may_not_send_is_turned_away(headers: dict[str, str], changed: dict[str, Any], code: str) -> None:
    with pytest.raises(WebhookRejected) as refusal:
        verify(settings(**changed), headers, MESSAGE, NOW)
    assert refusal.value.code == code


def test_who_may_send_gets_in() -> None:
    verify(settings(), ADDRESS, MESSAGE, NOW)
    verify(settings(), {":query": "key=an-invented-webhook-secret-of-before"}, MESSAGE, NOW)
    checked = settings(webhook_certificate_header="X-Client-Verify", webhook_certificate="SUCCESS")
    verify(checked, {**ADDRESS, "x-client-verify": "SUCCESS"}, MESSAGE, NOW)
    short = settings(organization_id=settings().organization_id[:15])
    verify(short, ADDRESS, MESSAGE, NOW)
    # What cannot be read is kept for a person.
    verify(settings(), ADDRESS, b"<torn", NOW)


def test_each_notification_is_an_event_with_the_texts_that_came() -> None:
    account, invoice = parse(MESSAGE)
    assert account.data["fields"] == {
        "Id": "001Ho00000aBcDeIAF",
        "Name": "Alder & Works",
        "AnnualRevenue": "9.12260031E8",
        "SystemModstamp": "2026-01-31T10:00:00.000Z",
    }
    assert (account.occurred_at, account.data["notification"]) == (
        datetime(2026, 1, 31, 10, 0, tzinfo=UTC),
        "04lHo00000AbCdEIAV",
    )
    assert invoice.occurred_at == datetime(2026, 1, 31, 10, 0, 5, tzinfo=UTC)
    assert "Session" not in repr((account, invoice))


def test_a_session_in_a_message_is_kept_nowhere() -> None:
    told = MESSAGE.replace(b'<SessionId xsi:nil="true"/>', b"<SessionId>00D!live-session</SessionId>")
    assert told != MESSAGE
    assert "live-session" not in repr(parse(told))


def test_what_is_sent_twice_is_one_event_and_what_a_repeat_tells_anew_is_another() -> None:
    again = parse(MESSAGE.replace(b"Alder &amp; Works", b"Alder"))[0]
    assert [event.external_id for event in parse(MESSAGE)] == [event.external_id for event in parse(MESSAGE)]
    assert again.external_id != parse(MESSAGE)[0].external_id
    assert again.external_id.partition(":")[0] == "04lHo00000AbCdEIAV"


_DOCTYPE = b'<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]>'
_EXTERNAL = b'<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "body",
    [
        MESSAGE.replace(b"<soapenv:Envelope", _DOCTYPE + b"<soapenv:Envelope", 1).replace(b"Alder", b"&lol2;"),
        MESSAGE.replace(b"<soapenv:Envelope", _EXTERNAL + b"<soapenv:Envelope", 1).replace(b"Alder", b"&file;"),
        MESSAGE.replace(b"<soapenv:Envelope", b"<!DOCTYPE soapenv:Envelope><soapenv:Envelope", 1),
        MESSAGE.replace(b"Alder", b"&undeclared;"),
        MESSAGE.replace(b"http://soap.sforce.com/2005/09/outbound", b"http://other.example/outbound"),
        MESSAGE.replace(b"http://schemas.xmlsoap.org/soap/envelope/", b"http://other.example/"),
        MESSAGE.replace(b"</sf:Name>", b"</sf:Name>" + b"<sf:a/>" * (MOST_ELEMENTS + 1)),
        MESSAGE.replace(b"</sf:Name>", b"<sf:a>" * 20 + b"</sf:a>" * 20 + b"</sf:Name>"),
        MESSAGE.replace(b"2026-01-31T10:00:00.000Z", b"yesterday"),
        MESSAGE.replace(b"SystemModstamp", b"Other"),
        MESSAGE.replace(b"04lHo00000AbCdEIAV", b""),
        MESSAGE.replace(b'encoding="UTF-8"', b'encoding="no-such"'),
        MESSAGE.decode().encode("utf-16"),
        b"",
    ],
)
def test_what_is_no_message_is_unreadable(body: bytes) -> None:
    assert body != MESSAGE
    with pytest.raises(UnreadableWebhook):
        parse(body)


def test_no_message_has_more_notifications_than_salesforce_sends() -> None:
    begin, end = MESSAGE.index(b"<Notification>"), MESSAGE.index(b"</Notification>") + len(b"</Notification>")
    many = MESSAGE[:begin] + MESSAGE[begin:end] * 101 + MESSAGE[end:]
    with pytest.raises(UnreadableWebhook):
        parse(many)
