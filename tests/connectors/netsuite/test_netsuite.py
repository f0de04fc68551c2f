"""The NetSuite connector passes the standard battery, and what is special about it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc import jwt
from joserfc.jwk import ECKey

from connectors.netsuite import client, customers, invoices, logins, payments, queries, restlets
from connectors.netsuite.answers import whole, written
from connectors.netsuite.connector import CONNECTOR
from connectors.netsuite.failures import classify
from connectors.netsuite.samples import CUSTOMER, INVOICE, MAKE_INVOICE, PAYMENT, PEM, PRIVATE, SAMPLES, SETTINGS
from connectors.netsuite.settings import NetSuiteSettings
from hub.sandbox.server import Running
from hub.sdk.errors import (
    FixConnection,
    FixData,
    HubError,
    LimitReached,
    NoSuchRecord,
    NotBegun,
    OutcomeUnknown,
    RetryLater,
)
from hub.sdk.exact_json import dumps, loads
from hub.sdk.testing.battery import ConnectorBattery
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey, Response

KEY = EffectKey("0123456789abcdef0123456789abcdef")
FIXTURES = Path(client.__file__).parent / "fixtures"


class TestNetSuite(ConnectorBattery):
    connector = CONNECTOR
    samples = SAMPLES

    async def test_wrong_integration_is_for_the_connection(self) -> None:
        async with self.serving() as (served, _):
            for wrong in ({"certificate_id": "other"}, {"client_id": "other"}, {"private_key": PEM}):
                settings = NetSuiteSettings.model_validate({**self.live_settings(served.announcement), **wrong})
                connected = Connected(CONNECTOR, settings)
                with pytest.raises(FixConnection):
                    await CONNECTOR.ping(connected)
                await connected.close()

    async def test_ended_token_is_renewed(self) -> None:
        async with self.serving() as (served, connected):
            await CONNECTOR.ping(connected)
            await served.world.books.seed({"settings": {"revoke_tokens": True}})
            await CONNECTOR.ping(connected)
            statuses = [(entry.path.rpartition("/")[2], entry.status) for entry in served.world.requests.since(0)]
            names = ["token", "metadata-catalog", "metadata-catalog", "token", "metadata-catalog"]
            assert statuses == list(zip(names, [200, 200, 401, 200, 200], strict=True))

    async def test_lost_answers_are_found_again(self) -> None:
        async with self.serving() as (served, connected):
            await self._write_all(connected, (MAKE_INVOICE,))
            for kind in ("reset_after_commit", "500_after_commit"):
                await self._lose(served, connected, kind)
            assert len(served.world.books.snapshot()["payments"]) == 2

    async def _lose(self, served: Running, connected: Connected, kind: str) -> None:
        key = EffectKey(kind)
        half = {**PAYMENT, "payment": Decimal("59.56"), "apply": [{"doc": {"id": "5001"}, "amount": Decimal("59.56")}]}
        served.world.faults.replace([{"kind": kind, "times": 1}])
        with pytest.raises(OutcomeUnknown):
            await connected.write(payments.CREATE, half, key)
        found = await connected.look(payments.CREATE, key)
        books = served.world.books.snapshot()["payments"]
        assert found == {"id": books[-1]["id"]}
        assert books[-1]["memo"] == f"concord:{kind}"

    async def test_broken_upsert_is_sent_once(self) -> None:
        async with self.serving() as (served, connected):
            await CONNECTOR.ping(connected)
            served.world.faults.replace([{"kind": "reset_after_commit", "times": 1}])
            with pytest.raises(OutcomeUnknown):
                await connected.write(invoices.UPSERT, INVOICE, KEY)
            assert [one["writes"] for one in served.world.books.snapshot()["invoices"]] == [1]
            again = await connected.write(invoices.UPSERT, INVOICE, KEY)
            assert again == {"id": "5001"}

    async def test_repeated_upsert_keeps_its_lines(self) -> None:
        async with self.serving() as (_, connected):
            for _ in range(3):
                made = await connected.write(invoices.UPSERT, INVOICE, KEY)
            record = await invoices.READ.read(connected, {"id": made["id"]})
            assert record == await invoices.READ.read(connected, {"id": "eid:in_9"})
            assert [line["amount"] for line in record["item"]["items"]] == [Decimal("100.1")]
            assert (record["taxTotal"], record["total"]) == (Decimal("19.02"), Decimal("119.12"))

    async def test_query_reads_all_pages(self) -> None:
        async with self.serving() as (served, connected):
            wish = [{"companyName": f"C{n}", "subsidiary": {"id": "1"}} for n in range(2500)]
            await served.world.books.seed({"customers": wish})
            found = await queries.QUERY.read(connected, {"q": "SELECT id FROM customer ORDER BY id"})
            ids = [row["id"] for row in found["items"]]
            assert ids == [str(n) for n in range(1001, 3502)]

    async def test_refusals_say_what_and_where(self) -> None:
        async with self.serving() as (_, connected):
            wrong = {**INVOICE, "item": [{"item": {"id": "9999"}, "amount": 1}], "taxDetails": []}
            with pytest.raises(FixData) as refusal:
                await connected.write(invoices.UPSERT, wrong, KEY)
            assert refusal.value.code == "invalid-content"
            assert refusal.value.facts["path"] == "item.items[0].item"
            with pytest.raises(FixData) as mistyped:
                await connected.write(customers.UPSERT, {**CUSTOMER, "compnyName": "x"}, KEY)
            assert mistyped.value.facts["path"] == "compnyName"
            with pytest.raises(FixData) as missing:
                await invoices.READ.read(connected, {"id": "424242"})
            assert missing.value.code == "not-found"
            with pytest.raises(FixData) as script:
                await connected.write(restlets.CALL, {"script": "0", "deploy": "1"}, KEY)
            assert script.value.code == "sss-invalid-scriptlet-id"


@pytest.mark.parametrize(
    ("status", "body", "headers", "family", "code"),
    [
        (200, {}, {}, None, ""),
        (204, None, {}, None, ""),
        (429, {"o:errorDetails": [{"o:errorCode": "CONCURRENCY_LIMIT_EXCEEDED"}]}, {}, LimitReached, "limit-reached"),
        (400, {"error": {"code": "SSS_REQUEST_LIMIT_EXCEEDED"}}, {}, LimitReached, "limit-reached"),
        (401, {"o:errorDetails": [{"o:errorCode": "INVALID_LOGIN"}]}, {}, FixConnection, "invalid-login"),
        (401, {"error": {"code": "INVALID_LOGIN_ATTEMPT"}}, {}, FixConnection, "invalid-login-attempt"),
        (400, None, {"www-authenticate": 'Bearer error="invalid_request"'}, FixConnection, "fix-connection"),
        (403, {"o:errorDetails": [{"o:errorCode": "X_Y"}]}, {}, FixConnection, "x-y"),
        (302, None, {"location": "https://system.netsuite.com"}, FixConnection, "redirected"),
        (400, {"o:errorDetails": [{"o:errorCode": "USER_ERROR", "detail": "closed"}]}, {}, FixData, "user-error"),
        (400, {"o:errorDetails": [{"o:errorCode": "RCRD_HAS_BEEN_CHANGED"}]}, {}, NotBegun, "record-changed"),
        (404, {"o:errorDetails": [{"o:errorCode": "NONEXISTENT_ID"}]}, {}, NoSuchRecord, "not-found"),
        (400, {"error": {"code": "MY_SCRIPT_SAYS_NO"}}, {}, FixData, "my-script-says-no"),
        (400, {"error": {"code": "SSS_TIME_LIMIT_EXCEEDED"}}, {}, OutcomeUnknown, "outcome-unknown"),
        (405, None, {}, FixData, "bad-request"),
        (500, {"o:errorDetails": [{"o:errorCode": "UNEXPECTED_ERROR"}]}, {}, OutcomeUnknown, "outcome-unknown"),
        (502, None, {}, OutcomeUnknown, "outcome-unknown"),
        (504, None, {}, OutcomeUnknown, "outcome-unknown"),
        (503, None, {}, RetryLater, "retry-later"),
    ],
)
def test_failures_are_sorted(
    status: int, body: Any, headers: dict[str, str], family: type[HubError] | None, code: str
) -> None:
    error = classify(Response(status=status, headers=headers, body=b"" if body is None else dumps(body)))
    assert (type(error) if error else None) is family
    if error is not None:
        assert error.code == code


def _made_up(**changed: Any) -> NetSuiteSettings:
    return NetSuiteSettings.model_validate({**SETTINGS, **changed})


def test_token_request_is_signed_and_short_lived() -> None:
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    request = logins.token_request(_made_up(), now)
    form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    assert set(form) == {"grant_type", "client_assertion_type", "client_assertion"}
    public = ECKey.import_key(
        PRIVATE.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    token = jwt.decode(form["client_assertion"], public, algorithms=["ES256"])
    assert token.header == {"typ": "JWT", "alg": "ES256", "kid": "cert-1"}
    assert token.claims["aud"] == request.url == f"{SETTINGS['base_url']}/services/rest/auth/oauth2/v1/token"
    assert token.claims["scope"] == ["rest_webservices", "restlets"]
    assert token.claims["exp"] - token.claims["iat"] < 3600


def test_token_life_may_be_text() -> None:
    answer = Response(status=200, body=b'{"access_token": "t", "expires_in": "3600", "token_type": "bearer"}')
    assert logins.read_token(answer) == ("t", 3600.0)
    with pytest.raises(FixConnection):
        logins.read_token(Response(status=200, body=b"<html>"))


def test_key_that_does_not_fit_is_for_the_connection() -> None:
    with pytest.raises(FixConnection):
        logins.token_request(_made_up(algorithm="PS256"), datetime(2026, 1, 31, tzinfo=UTC))


def test_hosts() -> None:
    settings = _made_up(base_url="https://1234567-sb1.suitetalk.api.netsuite.com/")
    assert settings.restlet_host == "https://1234567-sb1.restlets.api.netsuite.com"
    assert _made_up(restlet_base_url="https://r.example/").restlet_host == "https://r.example"


def test_invoice_is_written_whole_under_its_external_id() -> None:
    request = invoices.UPSERT.request(_made_up(), {**INVOICE, "id": "7", "memo": "a\nb"}, KEY)
    assert request.method == "PUT"
    assert request.url.endswith("/services/rest/record/v1/invoice/eid:in_9?replace=item,taxDetails")
    assert request.headers["x-netsuite-propertynamevalidation"] == "error"
    body = loads(request.body)
    assert not {"id", "externalId"} & set(body)
    assert body["memo"] == "a\\nb"
    assert body["item"]["items"][0]["amount"] == Decimal("100.10")
    assert b'"amount":100.10' in request.body


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"externalId": None}, "bad-external-id"),
        ({"externalId": "in|9"}, "bad-external-id"),
        ({"externalId": "in_9/../8"}, "bad-external-id"),
        ({"externalId": "in_é"}, "bad-external-id"),
        ({"item": []}, "no-lines"),
        ({"item": [{"amount": 1.5}]}, "float-money"),
    ],
)
def test_unsound_invoices_are_not_sent(changed: dict[str, Any], code: str) -> None:
    with pytest.raises(FixData) as refusal:
        invoices.UPSERT.request(_made_up(), {**INVOICE, **changed}, KEY)
    assert refusal.value.code == code


def test_payment_memo_belongs_to_the_key() -> None:
    request = payments.CREATE.request(_made_up(), PAYMENT, KEY)
    assert loads(request.body)["memo"] == f"concord:{KEY}"
    with pytest.raises(FixData) as refusal:
        payments.CREATE.request(_made_up(), {**PAYMENT, "memo": "thanks"}, KEY)
    assert refusal.value.code == "memo-reserved"


def test_large_numbers_are_written_plainly() -> None:
    assert dumps(client.wire_value({"amount": Decimal("1E+3")})) == b'{"amount":1000}'


@pytest.mark.parametrize("key", ["", "abc", "1/2", "../1", "eid:a b", "٣"])
def test_bad_ids_are_not_sent(key: str) -> None:
    with pytest.raises(FixData):
        client.read_key({"id": key})


@pytest.mark.parametrize(
    "location", ["", "https://x.example/record/v1/invoice/", "https://x.example/record/v1/invoice/eid:in_1"]
)
def test_write_without_an_id_is_unknown(location: str) -> None:
    with pytest.raises(OutcomeUnknown):
        written(Response(status=204, headers={"location": location}))
    assert written(Response(status=201, headers={"location": "/record/v1/invoice/12"})) == {"id": "12"}


def test_cut_sublists_are_refused() -> None:
    with pytest.raises(FixData):
        whole({"item": {"items": [], "hasMore": True}}, "item")
    with pytest.raises(FixData):
        whole({"item": {"links": []}}, "item")


@pytest.mark.parametrize("name", ["customer", "sales_order", "invoice", "customer_payment"])
def test_fixtures_have_the_schemas_shape(name: str) -> None:
    subject = TestNetSuite()
    schema = CONNECTOR.schemas[f"netsuite.{name}@2026.1"]
    assert not subject.mistakes(schema, loads((FIXTURES / f"{name}.json").read_bytes()))


def test_refusal_fixture_is_read() -> None:
    error = classify(Response(status=400, body=(FIXTURES / "refusal.json").read_bytes()))
    assert isinstance(error, FixData)
    assert error.facts["path"] == "entity"
