"""The sandbox's OAuth: assertions, client credentials, refresh tokens, sessions and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def _error(answer: Any) -> tuple[int, str, str]:
    return answer.status, answer.body["error"], answer.body["error_description"]


async def test_an_assertion_opens_a_session(plain: Any) -> None:
    answer = await plain.by_assertion()
    assert answer.status == 200
    told = answer.body
    assert told["access_token"].startswith("00D") and "!AQ" in told["access_token"]
    assert (told["instance_url"], told["token_type"]) == (plain.served.url, "Bearer")
    assert told["id"].split("/")[-2] == plain.facts["organization_id"]
    assert told["issued_at"].isdigit() and len(told["issued_at"]) == 13
    assert not {"expires_in", "refresh_token"} & set(told)


async def test_an_org_names_the_host_that_it_was_asked_at(plain: Any) -> None:
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": plain.assertion()}
    own = await plain.ask_token(**form, headers={"Host": "acme.my.salesforce.com"})
    assert own.body["instance_url"] == "http://acme.my.salesforce.com"
    shared = await plain.ask_token(**form, headers={"Host": "login.salesforce.com"})
    assert shared.body["instance_url"] == plain.served.url


async def test_the_end_of_an_assertion_may_be_a_text(plain: Any) -> None:
    ends = plain.served.world.clock.timestamp() + 100
    assert (await plain.by_assertion(exp=str(ends))).status == 200
    assert (await plain.by_assertion(aud=plain.served.url)).status == 200


@pytest.mark.parametrize(
    ("changed", "error", "description"),
    [
        ({"iss": "nobody"}, "invalid_client_id", "client identifier invalid"),
        ({"sub": "nobody@example.com"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"sub": "former@sandbox.example"}, "inactive_user", "inactive user"),
        ({"aud": "https://example.com"}, "invalid_grant", "audience is invalid"),
        ({"exp": 1}, "invalid_grant", "expired authorization code"),
        ({"exp": 1_795_000_000_000}, "invalid_grant", "expired authorization code"),
        ({"exp": None}, "invalid_grant", "expired authorization code"),
    ],
)
async def test_a_wrong_claim_is_refused(plain: Any, changed: dict[str, Any], error: str, description: str) -> None:
    assert _error(await plain.by_assertion(**changed)) == (400, error, description)


async def test_a_signature_is_really_verified(plain: Any) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert _error(await plain.by_assertion(key=other.decode()))[1:] == ("invalid_grant", "invalid assertion")
    assert _error(await plain.by_assertion(algorithm="RS512"))[1:] == ("invalid_grant", "invalid assertion")
    header, _, signature = plain.assertion().split(".")
    _, claims, _ = plain.assertion(sub="admin@example.com").split(".")
    for forged in (f"{header}.{claims}.{signature}", f"{header}.{claims}.", "x.y.z", "nothing"):
        answer = await plain.ask_token(grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=forged)
        assert _error(answer) == (400, "invalid_grant", "invalid assertion")
    history = (await plain.books())["loginHistory"]
    assert {one["error_description"] for one in history} == {"invalid assertion"}


async def test_who_has_not_approved_the_app_is_told_so(plain: Any) -> None:
    await plain.seed(settings={"approved": False})
    assert _error(await plain.by_assertion())[2] == "user hasn't approved this consumer"


async def test_client_credentials_need_the_orgs_own_host(plain: Any) -> None:
    key, secret = plain.facts["consumer_key"], plain.facts["consumer_secret"]
    answer = await plain.ask_token(grant_type="client_credentials", client_id=key, client_secret=secret)
    assert answer.status == 200 and "refresh_token" not in answer.body
    basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    assert (await plain.ask_token(grant_type="client_credentials", headers=headers)).status == 200
    for host in ("login.salesforce.com", "test.salesforce.com"):
        refused = await plain.ask_token(grant_type="client_credentials", headers={**headers, "Host": host})
        assert _error(refused) == (400, "invalid_grant", "request not supported on this domain")
    wrong = await plain.ask_token(grant_type="client_credentials", client_id=key, client_secret="wrong")
    assert _error(wrong) == (400, "invalid_client", "invalid client credentials")
    unknown = await plain.ask_token(grant_type="client_credentials", client_id="x", client_secret=secret)
    assert _error(unknown) == (400, "invalid_client_id", "client identifier invalid")
    await plain.seed(apps=[{"consumer_key": key, "run_as": None}])
    nobody = await plain.ask_token(grant_type="client_credentials", client_id=key, client_secret=secret)
    assert _error(nobody)[2] == "no client credentials user enabled"


async def test_a_refresh_token_stays_or_rotates(plain: Any) -> None:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": plain.facts["refresh_token"],
        "client_id": plain.facts["consumer_key"],
    }
    first = await plain.ask_token(**form)
    assert first.status == 200 and "refresh_token" not in first.body
    await plain.seed(settings={"rotate_refresh_tokens": True})
    second = await plain.ask_token(**form, client_secret=plain.facts["consumer_secret"])
    assert _error(await plain.ask_token(**form)) == (400, "invalid_grant", "expired access/refresh token")
    again = await plain.ask_token(**{**form, "refresh_token": second.body["refresh_token"]})
    assert again.status == 200
    other = await plain.ask_token(**{**form, "refresh_token": again.body["refresh_token"], "client_id": "x"})
    assert other.body["error"] == "invalid_client_id"


async def test_other_grants_are_refused(plain: Any) -> None:
    password = await plain.ask_token(grant_type="password", username="u", password="p", client_id="x")
    assert _error(password) == (400, "invalid_grant", "authentication failure")
    assert _error(await plain.ask_token(grant_type="device"))[1] == "unsupported_grant_type"
    assert _error(await plain.ask_token(nothing="at all"))[1] == "invalid_request"


async def test_a_session_ends_when_it_is_idle_for_too_long(plain: Any) -> None:
    await plain.advance(7100)
    assert (await plain.get("/limits")).status == 200
    await plain.advance(7100)
    assert (await plain.get("/limits")).status == 200
    await plain.advance(7300)
    ended = await plain.get("/limits")
    assert (ended.status, ended.code, ended.message) == (401, "INVALID_SESSION_ID", "Session expired or invalid")
    assert ended.headers["WWW-Authenticate"] == "Token"
    assert "Sforce-Limit-Info" not in ended.headers


async def test_what_is_no_token_is_told_so(plain: Any) -> None:
    for authorization, code in (
        ("", "INVALID_SESSION_ID"),
        ("Bearer x", "INVALID_SESSION_ID"),
        ("Basic abc", "INVALID_AUTH_HEADER"),
    ):
        answer = await plain.call("GET", "/limits", headers={"Authorization": authorization})
        assert (answer.status, answer.code) == (401, code)


async def test_a_token_is_revoked_and_looked_at(plain: Any) -> None:
    url = f"{plain.served.url}/services/oauth2"
    headers = {"Authorization": f"Bearer {plain.token}"}
    async with plain.session.get(f"{url}/userinfo", headers=headers) as told:
        assert (await told.json())["preferred_username"] == plain.facts["username"]
    async with plain.session.post(f"{url}/introspect", data={"token": plain.token}) as told:
        assert (await told.json())["active"] is True
    async with plain.session.post(f"{url}/revoke", data={"token": plain.token}) as told:
        assert told.status == 200
    async with plain.session.post(f"{url}/revoke", data={"token": plain.token}) as told:
        assert told.status == 400
    assert (await plain.get("/limits")).code == "INVALID_SESSION_ID"
    await plain.sign_in()
    await plain.seed(revoke_sessions=True)
    assert (await plain.get("/limits")).code == "INVALID_SESSION_ID"


async def test_logins_are_limited_by_the_hour(plain: Any) -> None:
    await plain.seed(settings={"logins_per_hour": 3})
    assert [(await plain.by_assertion()).status for _ in range(3)] == [200, 200, 400]
    assert _error(await plain.by_assertion())[1] == "rate_limit_exceeded"
    await plain.advance(3601)
    assert (await plain.by_assertion()).status == 200


async def test_an_org_of_another_kind_has_another_audience(plain: Any) -> None:
    await plain.seed(settings={"is_sandbox": True})
    assert _error(await plain.by_assertion())[2] == "audience is invalid"
    assert await plain.values("SELECT IsSandbox FROM Organization") == [True]
    answer = await plain.by_assertion(aud="https://test.salesforce.com")
    assert answer.body["id"].startswith("https://test.salesforce.com/id/")


async def test_an_org_without_the_api_says_so(plain: Any) -> None:
    await plain.seed(settings={"api_enabled": False})
    refused = await plain.get("/limits")
    assert (refused.status, refused.code) == (403, "API_DISABLED_FOR_ORG")
