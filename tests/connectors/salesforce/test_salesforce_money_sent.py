"""In which currency the amounts of an outbound message are: named in it, or the only one of the org."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.salesforce.amounts import CURRENCY
from connectors.salesforce.webhook import WEBHOOK
from hub.sdk.errors import UnreadableWebhook
from hub.sdk.values import InboundEvent
from tests.connectors.salesforce.connected import settings

ID = "001010000000001AAA"


def message(**fields: str) -> bytes:
    """Give an outbound message about an account."""
    told = {"Id": ID, "SystemModstamp": "2026-01-31T10:00:00.000Z", **fields}
    inner = "".join(f"<sf:{name}>{value}</sf:{name}>" for name, value in told.items())
    return (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{settings().organization_id}</OrganizationId><ActionId>04kHo000000aBcDIAU</ActionId>"
        "<Notification><Id>04lHo00000AbCdEIAV</Id>"
        '<sObject xsi:type="sf:Account" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">'
        f"{inner}</sObject></Notification></notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()


def sent(body: bytes, **changed: Any) -> InboundEvent:
    """Give the event of a message, as a connection with these settings takes it."""
    (event,) = WEBHOOK.read(settings(**changed), body)
    return event


def test_a_message_with_an_amount_names_its_currency() -> None:
    amount = message(AnnualRevenue="1.2E7")
    with pytest.raises(UnreadableWebhook) as refusal:
        sent(amount, currency="")
    assert refusal.value.code == "no-currency"
    # Where there is one currency, that is it.
    assert sent(amount).record == {
        "Id": ID,
        "SystemModstamp": "2026-01-31T10:00:00.000Z",
        "AnnualRevenue": 12_000_000,
        CURRENCY: "USD",
    }
    named = message(AnnualRevenue="1.2E7", CurrencyIsoCode="EUR")
    record = sent(named, currency="").record
    assert record is not None
    assert (record["AnnualRevenue"], record[CURRENCY]) == (12_000_000, "EUR")
    with pytest.raises(UnreadableWebhook) as contradicted:
        sent(named)
    assert contradicted.value.code == "wrong-currency"
    # What has no amount needs none.
    assert CURRENCY not in (sent(message(Name="Ahorn"), currency="").record or {})
