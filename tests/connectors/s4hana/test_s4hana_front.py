"""Signing in, sessions and CSRF tokens, arrangements, and what is refused before any service is asked."""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp
import pytest

from hub.sandbox.main import find
from hub.sandbox.server import Options, running
from tests.connectors.s4hana.conftest import PARTNERS, SOAP, SYNC, V2, Plain, basic

PARTNER = {"BusinessPartnerCategory": "2", "OrganizationBPName1": "Zed"}


async def test_a_wrong_password_is_answered_in_html(plain: Plain) -> None:
    answer = await plain.get(PARTNERS, Authorization=basic("CONCORD_HUB", "wrong"))
    assert answer.status == 401
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


async def test_nobody_is_let_in_without_signing_in(plain: Plain) -> None:
    assert (await plain.get(PARTNERS, Authorization="")).status == 401
    assert (await plain.get(PARTNERS, Authorization="Basic ???")).status == 401
    assert (await plain.get(PARTNERS, Authorization="Bearer unknown")).status == 401


async def test_five_wrong_passwords_lock_the_user(plain: Plain) -> None:
    for _ in range(5):
        assert (await plain.get(PARTNERS, Authorization=basic("CONCORD_HUB", "wrong"))).status == 401
    assert (await plain.get(PARTNERS)).status == 401
    await plain.seed(users=[{"name": "CONCORD_HUB", "locked": False}])
    assert (await plain.get(PARTNERS)).status == 200


async def test_a_token_of_oauth_opens_the_same_services_until_it_ends(plain: Plain) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    given = await plain.call("POST", plain.facts["token_path"], b"grant_type=client_credentials", **form)
    assert given.status == 200 and given.body["token_type"] == "Bearer"
    bearer = f"Bearer {given.body['access_token']}"
    assert (await plain.get(PARTNERS, Authorization=bearer)).status == 200
    await plain.control("clock", {"advance": given.body["expires_in"] + 1})
    assert (await plain.get(PARTNERS, Authorization=bearer)).status == 401
    other = await plain.call("POST", plain.facts["token_path"], b"grant_type=password", **form)
    assert (other.status, other.body["error"]) == (400, "unsupported_grant_type")


async def test_a_service_outside_the_arrangements_is_forbidden(plain: Plain) -> None:
    await plain.seed(users=[{"name": "SALES", "password": "secret", "scenarios": ["SAP_COM_0109"]}])
    login = basic("SALES", "secret")
    assert (await plain.get("API_SALES_ORDER_SRV/A_SalesOrder", Authorization=login)).status == 200
    refused = await plain.get(PARTNERS, Authorization=login)
    assert refused.status == 403 and "SAP_COM_0008" in refused.error[2]
    soap = await plain.call("POST", SOAP + SYNC, b"<x/>", Authorization=login, Content_Type="text/xml")
    assert soap.status == 403 and "Fault" in soap.text


async def test_an_unknown_service_is_told_by_its_code(plain: Plain) -> None:
    status, code, message = (await plain.get("API_NOTHING_SRV/A_Nothing")).error
    assert (status, code) == (404, "/IWFND/MED/170")
    assert "API_NOTHING_SRV" in message
    assert (await plain.get("API_BUSINESS_PARTNER;v=0002/A_BusinessPartner?$top=1")).status == 200


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_a_token_is_fetched_with_its_session(plain: Plain, method: str) -> None:
    answer = await plain.call(method, f"{V2}API_BUSINESS_PARTNER", X_CSRF_Token="Fetch")
    assert answer.status == 200 and answer.headers["x-csrf-token"]
    again = await plain.call(method, f"{V2}API_BUSINESS_PARTNER/", X_CSRF_Token="Fetch")
    assert again.headers["x-csrf-token"] == answer.headers["x-csrf-token"]


async def test_a_token_comes_with_an_error_as_well(plain: Plain) -> None:
    answer = await plain.get(f"{PARTNERS}('999')", X_CSRF_Token="fetch")
    assert answer.status == 404 and answer.headers["x-csrf-token"]


async def test_a_write_needs_the_token_and_its_cookie(plain: Plain) -> None:
    async def refused(**headers: str) -> None:
        answer = await plain.call("POST", V2 + PARTNERS, PARTNER, **headers)
        assert (answer.status, answer.text) == (403, "CSRF token validation failed")
        assert answer.headers["x-csrf-token"] == "Required"
        assert answer.headers["Content-Type"].startswith("text/plain")

    await refused()
    token = await plain.fetch()
    await refused(X_CSRF_Token="other")
    assert (await plain.post(PARTNERS, PARTNER)).status == 201
    plain.session.cookie_jar.clear()
    await refused(X_CSRF_Token=token)


async def test_a_token_belongs_to_one_user(plain: Plain) -> None:
    await plain.seed(users=[{"name": "OTHER", "password": "secret"}])
    await plain.fetch()
    answer = await plain.post(PARTNERS, PARTNER, Authorization=basic("OTHER", "secret"))
    assert answer.status == 403


async def test_a_session_ends_when_nobody_uses_it(plain: Plain) -> None:
    old = await plain.fetch()
    await plain.control("clock", {"advance": 1700})
    assert (await plain.post(PARTNERS, PARTNER)).status == 201
    await plain.control("clock", {"advance": 1801})
    assert (await plain.post(PARTNERS, PARTNER)).status == 403
    assert await plain.fetch() != old
    assert (await plain.post(PARTNERS, PARTNER)).status == 201
    await plain.seed(settings={"end_sessions": True})
    assert (await plain.post(PARTNERS, PARTNER)).status == 403


async def test_too_many_requests_are_refused_by_whoever_stands_in_front(plain: Plain) -> None:
    await plain.seed(settings={"rate": 2})
    statuses = [(await plain.get(f"{PARTNERS}?$top=1")).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    await plain.seed(settings={"limit_status": 503, "limit_seconds": 9})
    answers = [await plain.get(PARTNERS) for _ in range(4)]
    refused = next(each for each in answers if each.status != 200)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "9")


async def test_faults_are_told_in_html_where_the_server_in_front_speaks(plain: Plain) -> None:
    plan = [{"kind": "503", "retry_after": "7", "times": 1}, {"kind": "500", "times": 1}, {"kind": "404", "times": 1}]
    await plain.control("faults", plan)
    away, broken, gone = [await plain.get(PARTNERS) for _ in range(3)]
    assert (away.status, away.headers["Retry-After"]) == (503, "7")
    assert away.headers["Content-Type"].startswith("text/html") and broken.status == 500
    assert gone.error[0] == 404


async def test_faults_of_saps_own(plain: Plain) -> None:
    plan = [{"kind": "locked", "times": 1, "match": {"path": "A_BusinessPartner"}}, {"kind": "csrf_lost", "times": 1}]
    await plain.fetch()
    await plain.control("faults", plan)
    lost = await plain.post(PARTNERS, PARTNER)
    assert (lost.status, lost.headers["x-csrf-token"]) == (403, "Required")
    await plain.fetch()
    change = {"SearchTerm1": "X"}
    status, code, message = (await plain.write("PATCH", f"{PARTNERS}('10100001')", change)).error
    assert (status, code) == (400, "R1/410") and "10100001 is currently being processed by user" in message
    assert (await plain.write("PATCH", f"{PARTNERS}('10100001')", change)).status == 204
    assert (await plain.control("faults"))["injected"] == {"csrf_lost": 1, "locked": 1}


async def test_answers_are_spoilt_within_their_envelope(plain: Plain) -> None:
    async def spoilt(kind: str, path: str) -> Any:
        await plain.control("faults", [{"kind": kind, "times": 1}])
        answer = await plain.get(path)
        assert (await plain.control("faults"))["injected"] == {kind: 1}
        return answer.d

    one = f"{PARTNERS}('10100001')"
    assert (await spoilt("foreign_body", one))["BusinessPartner"] == "101000010"
    assert "BusinessPartner_v2" in await spoilt("renamed_field", one)
    assert "added_by_a_later_release" in await spoilt("added_field", one)
    whole = [each["BusinessPartner"] for each in (await plain.get(PARTNERS)).rows]
    for kind, rows in (("rows_doubled", whole * 2), ("rows_missing", whole[:-1]), ("rows_shuffled", whole[::-1])):
        assert [each["BusinessPartner"] for each in (await spoilt(kind, PARTNERS))["results"]] == rows


async def test_a_reset_forgets_the_business_and_keeps_the_password(plain: Plain) -> None:
    await plain.control("reset", {})
    assert (await plain.get(f"{PARTNERS}/$count")).text == "0"


async def test_the_same_seed_gives_the_same_password_and_ids(plain: Plain) -> None:
    async def partner() -> Any:
        return (await plain.get(f"{PARTNERS}('10100001')")).d["BusinessPartnerUUID"]

    first = await partner()
    await plain.control("reset", {})
    await plain.seed(sample=True)
    assert await partner() == first


async def test_a_client_certificate_signs_in_over_https() -> None:
    async with running(find("s4hana"), Options(tls=True)) as served:
        trusting = ssl.create_default_context(cafile=served.announcement["ca_file"])
        url = f"{served.url}{V2}{PARTNERS}/$count"
        async with aiohttp.ClientSession() as session:
            async with session.get(url, ssl=trusting) as answer:
                assert answer.status == 401
            trusting.load_cert_chain(served.announcement["client_files"]["CONCORD_HUB"])
        # A new session, so that no kept connection is used again.
        async with aiohttp.ClientSession() as session:
            async with session.get(url, ssl=trusting) as answer:
                assert (answer.status, await answer.text()) == (200, "0")
            headers = {"X-CSRF-Token": "Fetch"}
            async with session.head(f"{served.url}{V2}API_PRODUCT_SRV", ssl=trusting, headers=headers) as answer:
                cookies = answer.headers.getall("Set-Cookie")
                assert any("SAP_SESSIONID" in each and "secure" in each for each in cookies)
            await served.world.books.seed({"users": [{"name": "CONCORD_HUB", "certificate": "SOMEBODY"}]})
            async with session.get(url, ssl=trusting) as answer:
                assert answer.status == 401
