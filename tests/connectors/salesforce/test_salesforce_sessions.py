"""How the connector signs in: each way, what a refusal means, one login for many, and refresh tokens that rotate."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from connectors.salesforce.logins import Login, read_token, token_refusal, token_request
from hub.errors import StorageFull
from hub.sdk.errors import FixConnection, HubError, LimitReached, RetryLater
from hub.sdk.exact_json import dumps
from hub.sdk.values import Request, Response
from tests.connectors.salesforce.connected import org, settings

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
BASE = "https://acme.my.salesforce.com"
ORG = "00D010000000001EAA"


def granted(**changed: Any) -> Response:
    """Give the answer to a login."""
    body = {
        "access_token": "00D!one",
        "instance_url": BASE,
        "id": f"https://login.salesforce.com/id/{ORG}/005010000000001AAA",
        "token_type": "Bearer",
        "issued_at": "1700000000000",
        **changed,
    }
    return Response(status=200, body=dumps(body))


def denied(error: str, description: str = "", **headers: str) -> Response:
    """Give a refused login."""
    return Response(status=400, headers=headers, body=dumps({"error": error, "error_description": description}))


@pytest.mark.parametrize(
    ("way", "grant"),
    [
        ({"auth": "jwt"}, "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ({"auth": "client_credentials"}, "client_credentials"),
        ({"auth": "refresh_token"}, "refresh_token"),
    ],
)
def test_each_way_asks_in_its_own_form(way: Mapping[str, str], grant: str) -> None:
    request = token_request(settings(**way), NOW)
    form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    assert request.url == f"{BASE}/services/oauth2/token"
    assert form["grant_type"] == grant
    assert ("assertion" in form, "client_secret" in form) == (way["auth"] == "jwt", way["auth"] != "jwt")


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "https://login.salesforce.com"},
        {"auth": "client_credentials", "login_url": "https://test.salesforce.com"},
        {"auth": "jwt", "private_key": ""},
        {"api_version": "40.0"},
        {"api_version": "69.0"},
        {"webhook_secret": "secret-of-hooks", "organization_id": ""},
        {"select": {"Account": ("Name FROM User",)}},
        {"external_ids": {"Account": "Id) OR (Name"}},
        {"certificate": "no certificate"},
    ],
)
def test_wrong_settings_are_refused(wrong: Mapping[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)


@pytest.mark.parametrize(
    ("error", "description", "code"),
    [
        ("invalid_grant", "user hasn't approved this consumer", "app-not-approved"),
        ("invalid_grant", "audience is invalid", "audience-refused"),
        ("invalid_grant", "invalid assertion", "assertion-refused"),
        ("invalid_grant", "expired authorization code", "assertion-expired"),
        ("invalid_grant", "authentication failure", "login-refused"),
        ("invalid_grant", "expired access/refresh token", "refresh-token-ended"),
        ("invalid_grant", "inactive user", "user-inactive"),
        ("invalid_client_id", "client identifier invalid", "client-refused"),
        ("invalid_client", "invalid client credentials", "client-refused"),
        ("unsupported_grant_type", "grant type not supported", "flow-not-enabled"),
        ("invalid_request", "", "login-not-complete"),
        ("inactive_org", "", "account-inactive"),
        ("something_new", "", "login-refused"),
    ],
)
def test_each_refusal_says_what_to_mend(error: str, description: str, code: str) -> None:
    refusal = token_refusal(denied(error, description), NOW)
    assert isinstance(refusal, FixConnection)
    assert refusal.code == code
    assert code == "login-refused" or refusal.facts["advice"]


def test_too_many_logins_are_waited_for_and_pages_are_not_salesforce() -> None:
    assert isinstance(token_refusal(denied("rate_limit_exceeded", "login rate exceeded"), NOW), LimitReached)
    assert isinstance(token_refusal(Response(status=503), NOW), RetryLater)
    assert token_refusal(Response(status=404, body=b"<html>"), NOW).code == "wrong-host"


def test_a_clock_that_differs_is_named() -> None:
    late = denied("invalid_grant", "expired authorization code", date="Sat, 31 Jan 2026 12:10:00 GMT")
    refusal = token_refusal(late, NOW)
    assert (refusal.code, refusal.facts["seconds"]) == ("clock-off", 600)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"instance_url": "https://other.my.salesforce.com"}, "wrong-host"),
        ({"instance_url": "http://acme.my.salesforce.com"}, "wrong-host"),
        ({"id": "https://login.salesforce.com/id/00D990000000009EAA/005010000000001AAA"}, "wrong-account"),
        ({"access_token": ""}, "wrong-host"),
    ],
)
def test_a_session_for_another_place_is_refused(changed: Mapping[str, str], code: str) -> None:
    with pytest.raises(FixConnection) as refusal:
        read_token(settings(), granted(**changed))
    assert refusal.value.code == code
    assert read_token(settings(), granted())[0] == "00D!one"


class Door:
    """Answers logins one after the other, and counts them."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, str]] = []

    async def send(self, request: Request) -> Response:
        self.asked.append({name: values[0] for name, values in parse_qs(request.body.decode()).items()})
        await asyncio.sleep(0)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


ANY = Request(method="GET", url=f"{BASE}/services/data/v68.0/limits")
ENDED = Response(status=401, body=dumps([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]))


async def test_many_who_find_their_session_ended_sign_in_once() -> None:
    login, door = Login(settings()), Door(granted(), granted(access_token="00D!two"))
    first = await login.headers(ANY, door.send, NOW)
    assert all(login.refused(ENDED, first) for _ in range(20))
    found = await asyncio.gather(*(login.headers(ANY, door.send, NOW) for _ in range(20)))
    assert {headers["authorization"] for headers in found} == {"Bearer 00D!two"}
    assert len(door.asked) == 2


@pytest.mark.parametrize(
    "words",
    ["This session is not valid for use with the REST API", "Connected app is not attached to Agent"],
)
async def test_what_a_new_login_cannot_mend_asks_for_none(words: str) -> None:
    login, door = Login(settings()), Door(granted())
    headers = await login.headers(ANY, door.send, NOW)
    body = dumps([{"message": words, "errorCode": "INVALID_SESSION_ID"}])
    assert not login.refused(Response(status=401, body=body), headers)
    await login.headers(ANY, door.send, NOW)
    assert len(door.asked) == 1


async def test_a_rotated_refresh_token_is_kept_before_the_session_is_used() -> None:
    chosen = settings(auth="refresh_token", refresh_token="first-refresh-token")
    login, kept = Login(chosen), []

    async def keep(used: Mapping[str, str], renewed: Mapping[str, str]) -> None:
        # Nothing is signed with the new session yet.
        kept.append((used["refresh_token"], renewed["refresh_token"], len(door.asked)))

    login.keep_with(keep)
    door = Door(granted(refresh_token="second-refresh-token"), granted(access_token="00D!two"))
    headers = await login.headers(ANY, door.send, NOW)
    assert kept == [("first-refresh-token", "second-refresh-token", 1)]
    assert login.refused(ENDED, headers)
    # Another user of the same settings, such as a test of the connection, goes on with the new one.
    await Login(chosen).headers(ANY, door.send, NOW)
    assert [form["refresh_token"] for form in door.asked] == ["first-refresh-token", "second-refresh-token"]


async def test_a_token_that_could_not_be_kept_is_used_and_kept_the_next_time() -> None:
    login, kept, full = Login(settings(auth="refresh_token", refresh_token="first-refresh-token")), [], [True]

    async def keep(used: Mapping[str, str], renewed: Mapping[str, str]) -> None:
        if full.pop() if full else False:
            raise StorageFull
        kept.append((used["refresh_token"], renewed["refresh_token"]))

    login.keep_with(keep)
    door = Door(granted(refresh_token="second-refresh-token"), granted(refresh_token="third-refresh-token"))
    with pytest.raises(HubError):
        await login.headers(ANY, door.send, NOW)
    await login.headers(ANY, door.send, NOW)
    assert door.asked[1]["refresh_token"] == "second-refresh-token"
    # Whichever of the dead ones is stored, the living one comes in its place.
    assert {used for used, _ in kept} == {"first-refresh-token", "second-refresh-token"}
    assert {renewed for _, renewed in kept} == {"third-refresh-token"}


@pytest.mark.parametrize("way", ["jwt", "client_credentials", "refresh_token"])
async def test_every_way_leads_into_the_org(way: str) -> None:
    async with org(auth=way) as here:
        assert (await here.read("record.count", {"object": "Account"}))["count"] == 2


async def test_a_session_that_ended_is_followed_by_another_and_rotation_goes_on() -> None:
    async with org(auth="refresh_token") as here:
        await here.seed({"settings": {"rotate_refresh_tokens": True}})
        for _ in range(3):
            await here.read("record.count", {"object": "Account"})
            await here.seed({"revoke_sessions": True})
        assert (await here.read("record.count", {"object": "Account"}))["count"] == 2


async def test_an_assertion_lives_for_less_than_three_minutes() -> None:
    async with org() as here:
        here.sandbox.world.clock.advance(400.0)
        with pytest.raises(FixConnection) as refusal:
            await here.read("record.count", {"object": "Account"})
        assert refusal.value.code in ("assertion-expired", "clock-off")
