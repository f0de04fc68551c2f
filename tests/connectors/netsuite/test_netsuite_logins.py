"""How the connector signs in: an independent verifier takes its signatures, and a failed ping says what to mend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client, RequestValidator, ResourceEndpoint

from connectors.netsuite import logins
from connectors.netsuite.connector import CONNECTOR
from connectors.netsuite.samples import PEM, SAMPLES, SETTINGS
from connectors.netsuite.settings import NetSuiteSettings
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.errors import FixConnection, OutcomeUnknown, RetryLater
from hub.sdk.testing.guards import GuardChecks
from hub.sdk.testing.samples import Samples
from hub.sdk.testing.sending import Connected
from hub.sdk.values import Request, Response

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
TBA = {
    **SETTINGS,
    "auth": "tba",
    "client_id": "an-invented-consumer-key",
    "consumer_secret": "secret/with +signs& ~",
    "token_secret": "another=secret*%",
}


def _settings(**changed: Any) -> NetSuiteSettings:
    return NetSuiteSettings.model_validate({**TBA, **changed})


class Verifier(RequestValidator):  # type: ignore[misc] # oauthlib has no types
    """What oauthlib asks of a server; every pair of timestamp and nonce is good once."""

    allowed_signature_methods = (SIGNATURE_HMAC_SHA256,)
    enforce_ssl = False
    client_key_length = (8, 80)
    access_token_length = (8, 80)
    nonce_length = (6, 64)
    timestamp_lifetime = 10**9
    dummy_client = "dummy-client-key"
    dummy_access_token = "dummy-token"
    safe_characters = {chr(code) for code in range(33, 127)}  # noqa: RUF012 - oauthlib reads it so

    def __init__(self, settings: NetSuiteSettings) -> None:
        super().__init__()
        self.settings = settings
        self.seen: set[tuple[str, str]] = set()

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return bool(client_key == self.settings.client_id)

    def validate_access_token(self, client_key: str, token: str, request: Any) -> bool:
        return bool(token == self.settings.token_id)

    def validate_realms(
        self, client_key: str, token: str, request: Any, uri: str | None = None, realms: Any = None
    ) -> bool:
        return bool(realms == [self.settings.account])

    def validate_timestamp_and_nonce(
        self,
        client_key: str,
        timestamp: str,
        nonce: str,
        request: Any,
        request_token: str | None = None,
        access_token: str | None = None,
    ) -> bool:
        fresh = (timestamp, nonce) not in self.seen
        self.seen.add((timestamp, nonce))
        return fresh

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return self.settings.consumer_secret.get_secret_value()

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        return self.settings.token_secret.get_secret_value()

    def accepts(self, request: Request, header: str) -> bool:
        answer = ResourceEndpoint(self).validate_protected_resource_request(
            request.url, request.method, None, {"Authorization": header}, realms=[self.settings.account]
        )
        return bool(answer[0])


ROOT = "https://1234567-sb1.suitetalk.api.netsuite.com"
FILTER = quote('companyName IS "A & B~"', safe="")
REQUESTS = [
    Request(method="GET", url=f"{ROOT}/services/rest/record/v1/invoice/5001?expandSubResources=true"),
    Request(method="PUT", url=f"{ROOT}/services/rest/record/v1/invoice/eid:in_1?replace=item,taxDetails", body=b"{}"),
    Request(method="POST", url=f"{ROOT}/services/rest/query/v1/suiteql?limit=1000&offset=0", body=b'{"q": "x"}'),
    Request(method="POST", url="https://r.example/app/site/hosting/restlet.nl?script=6&deploy=1&a=b%20c&a=%C3%A4"),
    Request(method="GET", url=f"{ROOT}/services/rest/record/v1/customer?q={FILTER}"),
    Request(method="GET", url="http://127.0.0.1:8080/services/rest/record/v1/metadata-catalog"),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.url[-30:])
def test_independent_verifier_takes_our_signatures(request_: Request) -> None:
    settings = _settings()
    verifier = Verifier(settings)
    header = logins.authorization(settings, request_, NOW, 1)
    assert verifier.accepts(request_, header)
    assert not verifier.accepts(request_, header), "a nonce is good once"
    assert verifier.accepts(request_, logins.authorization(settings, request_, NOW, 2)), "the next one is fresh"
    for wrong in ({"token_secret": "x"}, {"consumer_secret": "x"}, {"client_id": "unknown-key"}):
        assert not verifier.accepts(request_, logins.authorization(_settings(**wrong), request_, NOW, 3))
    other = Request(method="DELETE", url=request_.url)
    assert not verifier.accepts(other, logins.authorization(settings, request_, NOW, 4))


@given(
    pairs=st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=12)), max_size=5),
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
)
def test_signatures_are_those_of_the_independent_signer(pairs: list[tuple[str, str]], method: str) -> None:
    settings = _settings()
    request = Request(method=method, url=f"{ROOT}/services/rest/record/v1/customer?{urlencode(pairs)}")
    header = logins.authorization(settings, request, NOW, 7)
    fields = dict(part.split("=", 1) for part in header.removeprefix("OAuth ").split(", "))
    signer = Client(
        settings.client_id,
        client_secret=settings.consumer_secret.get_secret_value(),
        resource_owner_key=settings.token_id,
        resource_owner_secret=settings.token_secret.get_secret_value(),
        signature_method=SIGNATURE_HMAC_SHA256,
        realm=settings.account,
        nonce=fields["oauth_nonce"].strip('"'),
        timestamp=fields["oauth_timestamp"].strip('"'),
    )
    _, signed, _ = signer.sign(request.url, http_method=method)
    assert f"oauth_signature={fields['oauth_signature']}" in signed["Authorization"]


class TestWithAccessToken(GuardChecks):
    """All that is tried live works in the legacy mode too."""

    connector = CONNECTOR
    samples = Samples(
        settings={**SETTINGS, "auth": "tba"},
        reads=SAMPLES.reads,
        writes=SAMPLES.writes,
        seed=SAMPLES.seed,
        wrong={"token_secret": "wrong"},
    )


@asynccontextmanager
async def _connected(served: Running, **changed: Any) -> AsyncIterator[Connected]:
    facts = {name: served.announcement[name] for name in NetSuiteSettings.model_fields if name in served.announcement}
    settings = NetSuiteSettings.model_validate({**SETTINGS, **facts, "base_url": served.url, **changed})
    connected = Connected(CONNECTOR, settings)
    try:
        yield connected
    finally:
        await connected.close()


async def _code(connected: Connected) -> tuple[str, Mapping[str, object]]:
    with pytest.raises(FixConnection) as refusal:
        await CONNECTOR.ping(connected)
    assert "Bearer" not in str(refusal.value)
    assert refusal.value.facts.get("advice") or refusal.value.code == "bad-private-key"
    return refusal.value.code, refusal.value.facts


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"account": "1234567-sb1"}, "account-form"),
        ({"account": "tstdrv1234567"}, "account-form"),
        ({"auth": "tba", "account": "TSTDRV7654321"}, "wrong-account"),
        ({"private_key": PEM}, "certificate-refused"),
        ({"certificate_id": "unknown"}, "certificate-refused"),
        ({"client_id": "unknown"}, "certificate-refused"),
        ({"algorithm": "PS256"}, "bad-private-key"),
        ({"scope": ["everything"]}, "scope-refused"),
        ({"scope": ["restlets"]}, "scope-missing"),
        ({"auth": "tba", "token_secret": "wrong"}, "token-refused"),
        ({"auth": "tba", "client_id": "unknown"}, "token-refused"),
    ],
)
async def test_ping_tells_wrong_settings_apart(changed: dict[str, Any], code: str) -> None:
    async with running(find("netsuite")) as served, _connected(served, **changed) as connected:
        assert (await _code(connected))[0] == code


@pytest.mark.parametrize("auth", ["oauth2", "tba"])
async def test_ping_tells_of_the_role(auth: str) -> None:
    async with running(find("netsuite")) as served, _connected(served, auth=auth) as connected:
        await served.world.books.seed({"settings": {"denied": ["rest_webservices"]}})
        assert (await _code(connected))[0] == "role-permission"


@pytest.mark.parametrize(("auth", "seconds"), [("oauth2", 4000), ("tba", 400)])
async def test_ping_tells_of_the_clock(auth: str, seconds: int) -> None:
    async with running(find("netsuite")) as served, _connected(served, auth=auth) as connected:
        served.world.clock.advance(seconds)
        code, facts = await _code(connected)
        assert code == "clock-off"
        told = facts["seconds"]
        assert isinstance(told, int)
        assert abs(told - seconds) < 5


async def test_other_hosts_account_is_wrong_before_anything_is_sent() -> None:
    connected = Connected(CONNECTOR, _settings(base_url="https://7654321.suitetalk.api.netsuite.com"))
    code, facts = await _code(connected)
    assert (code, facts["expected"]) == ("wrong-account", "1234567-sb1.suitetalk.api.netsuite.com")
    await connected.close()


async def _html(request: web.Request) -> web.Response:
    return web.Response(text="<html>welcome</html>", content_type="text/html")


async def _not_found(request: web.Request) -> web.Response:
    return web.Response(status=404, text="no such page")


async def _redirect(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "https://system.netsuite.com/"})


async def _other_json(request: web.Request) -> web.Response:
    return web.json_response({"data": []})


@pytest.mark.parametrize("auth", ["oauth2", "tba"])
@pytest.mark.parametrize("handler", [_html, _not_found, _redirect, _other_json])
async def test_ping_tells_that_the_host_is_not_netsuites(auth: str, handler: Any) -> None:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    connected = Connected(CONNECTOR, _settings(auth=auth, algorithm="ES256", base_url=_url(runner)))
    assert (await _code(connected))[0] == "wrong-host"
    await connected.close()
    await runner.cleanup()


def _url(runner: web.AppRunner) -> str:
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


async def test_ping_does_not_blame_the_connection_for_an_outage() -> None:
    async with running(find("netsuite")) as served, _connected(served, auth="tba") as connected:
        served.world.faults.replace([{"kind": "500", "times": 1}])
        with pytest.raises(OutcomeUnknown):
            await CONNECTOR.ping(connected)


@pytest.mark.parametrize("status", [408, 500, 501, 503, 520])
def test_token_endpoint_that_fails_is_tried_again(status: int) -> None:
    error = logins.token_refusal(Response(status=status, body=b"<html>"), NOW)
    assert isinstance(error, RetryLater)


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        ({"auth": "tba", "consumer_secret": "", "token_id": ""}, "consumer_secret, token_id"),
        ({"auth": "oauth2", "private_key": ""}, "private_key"),
        ({"auth": "oauth2", "certificate_id": ""}, "certificate_id"),
        ({"time_zone": "Atlantis"}, "Europe/Berlin"),
    ],
)
def test_settings_name_what_is_missing(changed: dict[str, Any], missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        NetSuiteSettings.model_validate({**SETTINGS, **changed})


def test_lock_of_a_token_is_not_brought_about_by_repeats() -> None:
    signer = logins.SignedRequests(_settings())
    refused = Response(status=401, headers={"date": "Sat, 31 Jan 2026 12:00:10 GMT"})
    headers = {"authorization": logins.authorization(_settings(), REQUESTS[0], NOW, 1)}
    assert not signer.refused(refused, headers), "the same secrets would be refused again"
    assert not signer.refused(Response(status=200), headers)
