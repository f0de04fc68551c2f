"""Writes to Gateway bear the CSRF token and the cookies of one session, of which nothing is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from connectors.s4hana.failures import classify
from connectors.s4hana.logins import CSRF, authorizer, cookies_of, fetching, needs_session, read_session
from connectors.s4hana.samples import ORDER, PRODUCT, SETTINGS
from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.errors import FixConnection, HubError, NotBegun, OutcomeUnknown, RetryLater
from hub.sdk.transport import Transport
from hub.sdk.values import EffectKey, Request, Response
from tests.connectors.s4hana.linking import linked

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
HOST = "https://my300000-api.s4hana.cloud.sap"
WRITE = Request(method="POST", url=f"{HOST}/sap/opu/odata/sap/API_SALES_ORDER_SRV/A_SalesOrder")
V4 = "/sap/opu/odata4/sap/api_salesorder/srvd_a2x/sap/salesorder/0001"
GIVEN = {
    CSRF: "token-1",
    "set-cookie": "SAP_SESSIONID_CCC_100=abc; path=/; HttpOnly\nsap-usercontext=sap-client=100; path=/",
}
REQUIRED = Response(status=403, headers={CSRF: "Required"}, body=b"CSRF token validation failed")


class Gateway:
    """Answers what is fetched from it, and keeps what it was asked."""

    def __init__(self, *answers: Response | HubError) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, HubError):
            raise answer
        return answer


def login(**settings: Any) -> Any:
    return authorizer(S4HanaSettings.model_validate({**SETTINGS, **settings}))


def test_only_writes_of_odata_need_a_session() -> None:
    soap = Request(method="POST", url=f"{HOST}/sap/bc/srt/scs_ext/sap/journalentrycreaterequestconfi")
    read = Request(method="GET", url=WRITE.url)
    assert [needs_session(each) for each in (WRITE, read, soap)] == [True, False, False]
    assert needs_session(Request(method="POST", url=f"{HOST}{V4}/$batch"))


@pytest.mark.parametrize(
    ("url", "root"),
    [
        (WRITE.url, "/sap/opu/odata/sap/API_SALES_ORDER_SRV/"),
        (f"{HOST}/sap/opu/odata/sap/API_BUSINESS_PARTNER/$batch?x=1", "/sap/opu/odata/sap/API_BUSINESS_PARTNER/"),
        (f"{HOST}{V4}/SalesOrder('1')", f"{V4}/"),
    ],
)
def test_a_token_is_fetched_at_the_root_of_the_service(url: str, root: str) -> None:
    asked = fetching(Request(method="POST", url=url), "HEAD", {})
    assert (asked.url, asked.headers[CSRF]) == (HOST + root, "Fetch")


async def test_one_caller_fetches_and_the_others_share() -> None:
    signing, gateway = login(), Gateway(Response(status=200, headers=GIVEN))
    found = await asyncio.gather(*(signing.headers(WRITE, gateway, NOW) for _ in range(8)))
    assert len(gateway.asked) == 1
    assert {each[CSRF] for each in found} == {"token-1"}
    assert {each["cookie"] for each in found} == {"SAP_SESSIONID_CCC_100=abc; sap-usercontext=sap-client=100"}


async def test_a_failed_fetching_is_shared_too() -> None:
    signing, gateway = login(), Gateway(OutcomeUnknown("gone", code="timeout"))
    found = await asyncio.gather(*(signing.headers(WRITE, gateway, NOW) for _ in range(5)), return_exceptions=True)
    assert len(gateway.asked) == 1
    # Nothing was written, so that it may be tried again.
    assert {type(each) for each in found} == {RetryLater}


async def test_a_refused_session_is_fetched_anew_once() -> None:
    signing = login()
    gateway = Gateway(Response(status=200, headers=GIVEN), Response(status=200, headers={CSRF: "token-2"}))
    old = await signing.headers(WRITE, gateway, NOW)
    assert signing.refused(REQUIRED, old)
    new = await signing.headers(WRITE, gateway, NOW)
    assert (new[CSRF], new.get("cookie")) == ("token-2", None)
    # A late refusal of the old token leaves the new one alone.
    assert signing.refused(REQUIRED, old)
    assert await signing.headers(WRITE, gateway, NOW) == new


async def test_a_read_bears_neither_token_nor_cookie() -> None:
    signing, gateway = login(), Gateway(Response(status=200, headers=GIVEN))
    await signing.headers(WRITE, gateway, NOW)
    read = await signing.headers(Request(method="GET", url=WRITE.url), gateway, NOW)
    assert read.keys() == {"authorization", "accept-language"}
    assert not signing.refused(Response(status=403), read)


async def test_a_token_comes_with_an_error_as_well() -> None:
    signing, gateway = login(), Gateway(Response(status=404, headers=GIVEN))
    assert (await signing.headers(WRITE, gateway, NOW))[CSRF] == "token-1"


async def test_who_gives_none_to_head_may_give_one_to_get() -> None:
    signing, gateway = login(), Gateway(Response(status=405), Response(status=200, headers=GIVEN))
    assert (await signing.headers(WRITE, gateway, NOW))[CSRF] == "token-1"
    assert [each.method for each in gateway.asked] == ["HEAD", "GET"]


@pytest.mark.parametrize(
    ("status", "family", "code"),
    [
        (401, FixConnection, "login-refused"),
        (403, FixConnection, "not-authorised"),
        (200, FixConnection, "wrong-host"),
        (429, RetryLater, "retry-later"),
        (503, RetryLater, "retry-later"),
        (500, RetryLater, "retry-later"),
    ],
)
def test_what_is_no_session_says_what_to_do(status: int, family: type[HubError], code: str) -> None:
    with pytest.raises(family) as refusal:
        read_session(Response(status=status, body=b"<html>"))
    assert refusal.value.code == code


def test_the_login_is_asked_only_once_when_it_is_refused() -> None:
    async def trial() -> int:
        signing, gateway = login(), Gateway(Response(status=401, body=b"<html>"))
        with pytest.raises(FixConnection):
            await signing.headers(WRITE, gateway, NOW)
        return len(gateway.asked)

    # Five wrong passwords lock the user.
    assert asyncio.run(trial()) == 1


@pytest.mark.parametrize(
    ("lines", "sent"),
    [
        ("a=1; path=/", "a=1"),
        ("a=1; path=/\nb=2==; expires=Thu, 01 Jan 2026 00:00:00 GMT", "a=1; b=2=="),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_cookies_go_back_as_names_and_values(lines: str, sent: str) -> None:
    assert cookies_of(lines) == sent


def test_a_write_refused_for_its_token_was_not_begun() -> None:
    assert isinstance(classify(REQUIRED), NotBegun)
    assert isinstance(classify(Response(status=403, body=b"Forbidden")), FixConnection)


async def test_every_cookie_of_an_answer_arrives() -> None:
    async def answer(_: web.Request) -> web.Response:
        found = web.Response(text="{}")
        found.headers.add("Set-Cookie", "one=1; path=/")
        found.headers.add("Set-Cookie", "two=2; path=/")
        return found

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    transport = Transport(private_hosts=["127.0.0.1"])
    try:
        port = runner.addresses[0][1]
        came = await transport.send(Request(method="GET", url=f"http://127.0.0.1:{port}/"))
    finally:
        await transport.close()
        await runner.cleanup()
    assert cookies_of(came.headers["set-cookie"]) == "one=1; two=2"


async def test_a_session_that_ended_is_replaced_and_the_write_is_made_once() -> None:
    async with linked() as link:
        await link.write("product.create", PRODUCT)
        link.sessions.end_all()
        await link.write("sales_order.create", ORDER)
        assert len(link.rows("A_SalesOrder")) == 3
        assert len(link.sessions) == 1


async def test_many_first_writes_share_one_session() -> None:
    async with linked() as link:
        keys = [EffectKey(f"{place:032x}") for place in range(6)]
        await asyncio.gather(*(link.write("sales_order.create", ORDER, key) for key in keys))
        assert len(link.sessions) == 1
        assert len(link.rows("A_SalesOrder")) == 8


async def test_what_is_recorded_holds_neither_token_nor_cookie() -> None:
    async with linked() as link:
        await link.write("sales_order.create", ORDER)
        recorded: list[Mapping[str, str]] = [each.headers for each in link.connected.recorded]
        assert recorded
        assert not {name for each in recorded for name in each} & {CSRF, "cookie", "authorization"}


async def test_oauth_signs_the_session_and_the_write() -> None:
    async with linked(auth="oauth2") as link:
        await link.write("sales_order.create", ORDER)
        link.served.world.books.users.revoke_tokens()  # type: ignore[attr-defined]
        link.sessions.end_all()
        await link.write("product.create", PRODUCT)
        assert link.rows("A_Product", Product="SEATS")


async def test_a_token_that_is_refused_says_how_to_sign_in() -> None:
    async with linked(auth="oauth2", password="another-password-than-that") as link:
        with pytest.raises(FixConnection) as refusal:
            await link.read("company_code.read", id="1010")
        assert refusal.value.code == "token-refused"
