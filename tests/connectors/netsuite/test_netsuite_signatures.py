"""Token-based authentication: what a signature covers, judged by an independent signer, and what is refused."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256, Client

from connectors.netsuite.sandbox.signatures import base_string, escape, parameters, signature

RECORDS = "/services/rest/record/v1"
SUITEQL = "/services/rest/query/v1/suiteql"
RESTLET = "/app/site/hosting/restlet.nl?script=101&deploy=1"
FILTER = quote('companyName IS "Acme" AND balance LESS 10.5', safe="")

#: Invented credentials, with signs that must be escaped.
SECRETS = {"client_secret": "s3cret/+~ &=%", "resource_owner_secret": "another: secret*"}
ADDRESSES = [
    ("GET", "https://1234567.suitetalk.api.netsuite.com/services/rest/record/v1/employee/40"),
    ("GET", "https://1234567.suitetalk.api.netsuite.com:443/services/rest/record/v1/customer?limit=10&offset=20"),
    ("get", f"https://1234567-SB1.suitetalk.api.netsuite.com/services/rest/record/v1/invoice?q={FILTER}&limit=5"),
    ("PUT", "https://1234567.suitetalk.api.netsuite.com/services/rest/record/v1/invoice/eid:in_1?replace=item,apply"),
    ("POST", "https://1234567.restlets.api.netsuite.com/app/site/hosting/restlet.nl?script=6&deploy=1&b=%20x&b=a~b"),
    ("POST", "http://127.0.0.1:8080/services/rest/query/v1/suiteql?limit=1000&offset=0&empty="),
]


@pytest.mark.parametrize(("method", "url"), ADDRESSES)
def test_signature_is_that_of_the_independent_signer(method: str, url: str) -> None:
    client = Client(
        "key", resource_owner_key="token", realm="1234567", signature_method=SIGNATURE_HMAC_SHA256, **SECRETS
    )
    _, headers, _ = client.sign(url, http_method=method)
    found = parameters(headers["Authorization"])
    key = "&".join(escape(secret) for secret in SECRETS.values())
    assert signature(base_string(method, url, found), key) == found["oauth_signature"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"{RECORDS}/customer/1001", None, 200),
        ("GET", f"{RECORDS}/customer?limit=2&offset=2", None, 200),
        ("GET", f"{RECORDS}/customer?q={FILTER}", None, 200),
        ("PUT", f"{RECORDS}/customer/eid:cus_9", {"companyName": "Nine", "subsidiary": {"id": "2"}}, 204),
        ("POST", f"{SUITEQL}?limit=10&offset=0", {"q": "SELECT id FROM customer"}, 200),
        ("POST", RESTLET, {"customer": "1001"}, 200),
    ],
)
async def test_signed_requests_come_in(plain: Any, method: str, path: str, body: Any, status: int) -> None:
    answer = await plain.signed(method, path, body)
    assert answer.status == status, (answer.body, (await plain.books())["loginAudit"])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"client_secret": "wrong"}, "InvalidSignature"),
        ({"resource_owner_secret": "wrong"}, "InvalidSignature"),
        ({"resource_owner_key": "unknown"}, "token_rejected"),
        ({"client_key": "unknown"}, "consumer_key_unknown"),
        ({"realm": "tstdrv1234567"}, "realm_rejected"),
        ({"realm": None}, "realm_rejected"),
        ({"signature_method": SIGNATURE_HMAC_SHA1}, "UnknownAlgorithm"),
        ({"nonce": "short"}, "nonce_rejected"),
        ({"timestamp": "0"}, "InvalidTimestamp"),
        ({"timestamp": "soon"}, "InvalidTimestamp"),
    ],
)
async def test_refusals_say_nothing_and_are_kept(plain: Any, changed: dict[str, Any], reason: str) -> None:
    answer = await plain.signed("GET", f"{RECORDS}/customer/1001", **changed)
    assert (answer.status, answer.error["o:errorCode"]) == (401, "INVALID_LOGIN")
    assert answer.headers["WWW-Authenticate"].startswith("OAuth realm=")
    assert reason not in str(answer.body)
    assert [(one["how"], one["reason"]) for one in (await plain.books())["loginAudit"]] == [("tba", reason)]


@pytest.mark.parametrize(("off", "status"), [(-290, 200), (290, 200), (-310, 401), (310, 401)])
async def test_timestamp_may_be_five_minutes_off(plain: Any, off: int, status: int) -> None:
    stamp = str(plain.served.world.clock.timestamp() + off)
    assert (await plain.signed("GET", f"{RECORDS}/customer/1001", timestamp=stamp)).status == status


async def test_nonce_is_taken_once(plain: Any) -> None:
    url, headers, _ = plain.oauth(nonce="a-nonce-of-mine").sign(f"{plain.served.url}{RECORDS}/customer/1001")
    assert [(await plain.send("GET", url, headers)).status for _ in range(2)] == [200, 401]
    assert (await plain.books())["loginAudit"][0]["reason"] == "NonceUsed"


async def test_what_was_signed_is_what_must_come(plain: Any) -> None:
    url, headers, _ = plain.oauth().sign(f"{plain.served.url}{RECORDS}/customer?limit=10")
    for other in (url.replace("limit=10", "limit=11"), f"{url}&offset=0", url.replace("?limit=10", "/1001")):
        assert (await plain.send("GET", other, headers)).status == 401
    assert (await plain.send("DELETE", url, headers)).status == 401
    assert (await plain.send("GET", url, headers)).status == 200


@pytest.mark.parametrize("header", ['OAuth realm="x"', 'OAuth realm="x", realm="y"', "OAuth a=b"])
async def test_headers_that_cannot_be_read_are_refused(plain: Any, header: str) -> None:
    answer = await plain.send("GET", f"{plain.served.url}{RECORDS}/customer/1001", {"Authorization": header})
    assert answer.status == 401


async def test_five_refused_logins_lock_for_half_an_hour(plain: Any) -> None:
    for _ in range(5):
        assert (await plain.signed("GET", f"{RECORDS}/customer/1001", client_secret="wrong")).status == 401
    assert (await plain.signed("GET", f"{RECORDS}/customer/1001")).status == 401
    assert (await plain.books())["loginAudit"][-1]["reason"] == "temporary_locked"
    plain.served.world.clock.advance(1801)
    assert (await plain.signed("GET", f"{RECORDS}/customer/1001")).status == 200


async def test_a_good_login_forgives_the_bad_ones(plain: Any) -> None:
    for secret in ["wrong"] * 4 + [plain.facts["consumer_secret"]] + ["wrong"] * 4:
        await plain.signed("GET", f"{RECORDS}/customer/1001", client_secret=secret)
    assert (await plain.signed("GET", f"{RECORDS}/customer/1001")).status == 200


async def test_restlets_refuse_in_words_of_their_own(plain: Any) -> None:
    answer = await plain.signed("POST", RESTLET, {"customer": "1"}, client_secret="wrong")
    assert (answer.status, answer.body["error"]["code"]) == (401, "INVALID_LOGIN_ATTEMPT")


async def test_another_access_token_can_be_made(plain: Any) -> None:
    token = {"consumer_key": "k2", "consumer_secret": "cs", "token": "t2", "token_secret": "ts"}
    assert (await plain.seed({"access_tokens": [token]})).status == 200
    changed = {
        "client_key": "k2",
        "client_secret": "cs",
        "resource_owner_key": "t2",
        "resource_owner_secret": "ts",
    }
    assert (await plain.signed("GET", f"{RECORDS}/customer/1001", **changed)).status == 200
