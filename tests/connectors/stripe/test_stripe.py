"""The Stripe connector passes the standard battery, reads invoices whole, and finds every event once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from connectors.stripe.connector import CONNECTOR
from connectors.stripe.failures import classify
from connectors.stripe.samples import CUSTOMER, INVOICE, SAMPLES
from connectors.stripe.settings import StripeSettings
from connectors.stripe.webhook import verify
from hub.sdk.errors import (
    FixConnection,
    FixData,
    HubError,
    LimitReached,
    NoSuchRecord,
    OutcomeParked,
    OutcomeUnknown,
    RetryLater,
    WebhookRejected,
)
from hub.sdk.exact_json import dumps
from hub.sdk.testing.battery import ConnectorBattery
from hub.sdk.testing.sending import Connected
from hub.sdk.values import Response

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def sign(secret: str, body: bytes, at: datetime) -> Mapping[str, str]:
    """Sign as Stripe's own library does."""
    seconds = int(at.timestamp())
    digest = stripe.WebhookSignature._compute_signature(f"{seconds}.{body.decode()}", secret)
    return {"Stripe-Signature": f"t={seconds},v1={digest},v0=00"}


class TestStripe(ConnectorBattery):
    connector = CONNECTOR
    samples = SAMPLES

    async def test_an_invoice_is_read_with_every_line(self) -> None:
        read = self.read_operation("invoice.read")
        async with self.serving() as (sandbox, connected):
            invoice = await read.read(connected, {"id": INVOICE})
            (booked,) = [one for one in sandbox.world.books.snapshot()["invoices"] if one["id"] == INVOICE]
            assert invoice["lines"]["data"] == booked["lines"]
            assert invoice["lines"]["has_more"] is False
            assert sum(line["amount"] for line in invoice["lines"]["data"]) == invoice["total"]

    async def test_a_list_says_whether_more_follow(self) -> None:
        async with self.serving() as (sandbox, connected):
            await sandbox.world.books.seed({"customers": [{"name": f"Customer {number}"} for number in range(205)]})
            collect = self.read_operation("customer.list").read
            everyone = await collect(connected, {"limit": 300})
            assert len(everyone["data"]) == 206
            assert everyone["has_more"] is False
            first = await collect(connected, {"limit": 150})
            assert (len(first["data"]), first["has_more"]) == (150, True)
            rest = await collect(connected, {"limit": 150, "starting_after": first["data"][-1]["id"]})
            assert (len(rest["data"]), rest["has_more"]) == (56, False)
            assert [*first["data"], *rest["data"]] == everyone["data"]

    async def test_the_stream_gives_every_event_and_the_oldest_first(self) -> None:
        (stream,) = self.connector.streams
        async with self.serving() as (sandbox, connected):
            recorded: list[str] = []
            seen: list[str] = []
            cursor = None
            for batch in range(4):
                sandbox.world.clock.advance(batch * 7200)
                await sandbox.world.books.seed({"customers": [{"name": str(n)} for n in range(40 * batch)]})
                recorded = [event["id"] for event in sandbox.world.books.snapshot()["events"]]
                async for page in stream.pull(connected, cursor, datetime(2026, 1, 1, tzinfo=UTC)):
                    seen += [event.external_id for event in page.events]
                    cursor = page.cursor
                    assert len(cursor) < 4000
            # The last minute before the cursor is read again; whoever takes events in knows them by their ids.
            assert list(dict.fromkeys(seen)) == recorded

    async def test_the_stream_reads_only_the_types_that_are_wanted(self) -> None:
        (stream,) = self.connector.streams
        wanted = ("customer.created", "invoice.finalized")
        async with self.serving() as (sandbox, connected):
            narrow = Connected(self.connector, connected.settings.model_copy(update={"event_types": wanted}))
            await sandbox.world.books.seed({"customers": [{"name": str(number)} for number in range(150)]})
            pages = [page async for page in stream.pull(narrow, None, datetime(2026, 1, 1, tzinfo=UTC))]
            seen = [event.external_id for page in pages for event in page.events]
            recorded = sandbox.world.books.snapshot()["events"]
            assert seen == [event["id"] for event in recorded if event["type"] in wanted]
            assert len(seen) < len(recorded)
            await narrow.close()

    async def test_a_burst_is_read_in_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("connectors.stripe.streams.MOST_EVENTS", 120)
        (stream,) = self.connector.streams
        async with self.serving() as (sandbox, connected):
            for _ in range(6):
                await sandbox.world.books.seed({"customers": [{"name": str(n)} for n in range(90)]})
                sandbox.world.clock.advance(1)
            since = datetime(2026, 1, 1, tzinfo=UTC)
            pages = [page async for page in stream.pull(connected, None, since)]
            seen = [event.external_id for page in pages for event in page.events]
            assert seen == [event["id"] for event in sandbox.world.books.snapshot()["events"]]
            assert len(pages) > 3

    async def test_what_stripe_refuses_is_sorted(self) -> None:
        async with self.serving() as (sandbox, connected):
            with pytest.raises(NoSuchRecord) as missing:
                await self.read_operation("invoice.read").read(connected, {"id": "in_unknown"})
            assert missing.value.code == "resource-missing"
            with pytest.raises(FixData):
                await self.read_operation("invoice.list").read(connected, {"customer": CUSTOMER, "limit": -5})
            sandbox.world.faults.replace([{"kind": "lock_timeout", "times": 1}])
            annotate = self.write_operation("invoice.annotate")
            with pytest.raises(LimitReached) as locked:
                await connected.write(annotate, self.samples.writes[0].input, self._key())
            assert locked.value.code == "lock-timeout"
            await self._used_key(connected)

    async def _used_key(self, connected: Connected) -> None:
        annotate = self.write_operation("invoice.annotate")
        await connected.write(annotate, {"id": INVOICE, "metadata": {"a": "1"}}, self._key())
        with pytest.raises(OutcomeParked):
            await connected.write(annotate, {"id": INVOICE, "metadata": {"a": "2"}}, self._key())

    def _key(self) -> Any:
        return "00112233445566778899aabbccddeeff"


@pytest.mark.parametrize(
    ("status", "headers", "error", "family", "code"),
    [
        (400, {}, {"type": "invalid_request_error", "code": "parameter_unknown"}, FixData, "parameter-unknown"),
        (400, {}, {"type": "idempotency_error"}, OutcomeParked, "outcome-unknown"),
        (401, {}, {"type": "temporary_session_expired", "code": "x_expired"}, RetryLater, "x-expired"),
        (400, {}, {"message": "Invalid Stripe API version: 2019-01-01."}, FixConnection, "fix-connection"),
        (400, {}, {"code": "testmode_charges_only"}, FixConnection, "testmode-charges-only"),
        (401, {}, {"type": "invalid_request_error"}, FixConnection, "fix-connection"),
        (402, {}, {"type": "card_error", "code": "card_declined"}, FixData, "card-declined"),
        (403, {}, {}, FixConnection, "fix-connection"),
        (404, {}, {"code": "resource_missing"}, NoSuchRecord, "resource-missing"),
        (
            409,
            {},
            {"type": "idempotency_error", "code": "idempotency_key_in_use"},
            RetryLater,
            "idempotency-key-in-use",
        ),
        (424, {}, {}, OutcomeUnknown, "outcome-unknown"),
        (429, {}, {"code": "rate_limit"}, LimitReached, "rate-limit"),
        (400, {"stripe-should-retry": "true"}, {}, RetryLater, "retry-later"),
        (500, {"stripe-should-retry": "true"}, {"type": "api_error"}, OutcomeUnknown, "outcome-unknown"),
        (503, {}, {}, RetryLater, "retry-later"),
        (302, {}, {}, FixConnection, "redirected"),
    ],
)
def test_failures(
    status: int, headers: Mapping[str, str], error: Mapping[str, Any], family: type[HubError], code: str
) -> None:
    found = classify(Response(status=status, headers=headers, body=dumps({"error": error})))
    assert type(found) is family
    assert found.code == code


def test_while_a_secret_is_rolled_both_are_good() -> None:
    settings = StripeSettings.model_validate(SAMPLES.settings)
    body = b'{"id":"evt_1"}'
    for secret in ("webhook_secret", "webhook_secret_previous"):
        signature = sign(SAMPLES.settings[secret], body, NOW)["Stripe-Signature"]
        verify(settings, {"stripe-signature": signature}, body, NOW)
    only_one = StripeSettings.model_validate({**SAMPLES.settings, "webhook_secret_previous": None})
    with pytest.raises(WebhookRejected, match="does not hold"):
        verify(only_one, {"stripe-signature": signature}, body, NOW)


def test_two_times_in_one_header_are_refused() -> None:
    settings = StripeSettings.model_validate(SAMPLES.settings)
    body = b'{"id":"evt_1"}'
    signature = sign(SAMPLES.settings["webhook_secret"], body, NOW)["Stripe-Signature"]
    with pytest.raises(WebhookRejected):
        verify(settings, {"stripe-signature": f"{signature},t=1"}, body, NOW)
