"""Batches of both versions: change sets, references, line ends, and what becomes of failures."""

from __future__ import annotations

import json
from email import message_from_bytes
from email.policy import HTTP
from typing import Any, cast

import pytest

from tests.connectors.s4hana.conftest import ORDERS, PARTNERS, V2, V4, Answer, Plain

CRLF = "\r\n"


def part(method: str, url: str, body: Any = None, *, identity: str = "", **headers: str) -> str:
    """Write one request of a batch as the standard has it."""
    inner = [f"{method} {url} HTTP/1.1", "Accept: application/json"]
    inner += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        inner.append("Content-Type: application/json")
    text = CRLF.join(inner) + CRLF + CRLF + ("" if body is None else json.dumps(body))
    named = f"Content-ID: {identity}{CRLF}" if identity else ""
    return f"Content-Type: application/http{CRLF}{named}Content-Transfer-Encoding: binary{CRLF}{CRLF}{text}{CRLF}"


def change_set(*parts: str) -> str:
    inner = "".join(f"--cs{CRLF}{each}" for each in parts)
    return f"Content-Type: multipart/mixed; boundary=cs{CRLF}{CRLF}{inner}--cs--{CRLF}"


def batch(*parts: str) -> bytes:
    return ("".join(f"--b{CRLF}{each}" for each in parts) + f"--b--{CRLF}").encode()


async def send(plain: Plain, body: bytes, *, service: str = f"{V2}API_BUSINESS_PARTNER", **headers: str) -> Answer:
    kind = {"Content_Type": "multipart/mixed; boundary=b"}
    return await plain.write("POST", f"{service}/$batch", body, **{**kind, **headers})


def answers(answer: Answer) -> list[Any]:
    """Read a batch's answer: for each part its status, headers and JSON; a list of them for a change set."""
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n"

    def read(message: Any) -> Any:
        if message.is_multipart():
            return [read(each) for each in message.get_payload()]
        status, _, rest = message.get_payload(decode=True).partition(b"\r\n")
        inner = message_from_bytes(rest, policy=HTTP)
        body = cast(bytes, inner.get_payload(decode=True))
        assert len(body.rstrip(b"\r\n")) == int(inner["Content-Length"])
        read_body = json.loads(body) if body.strip() and "json" in inner["content-type"] else body.decode()
        return int(status.split()[1]), {**dict(inner.items()), "id": message["Content-ID"]}, read_body

    found = read(message_from_bytes((head + answer.text).encode(), policy=HTTP))
    return list(found)


async def test_reads_and_change_sets_are_answered_in_their_order(plain: Plain) -> None:
    body = {"BusinessPartnerCategory": "2", "OrganizationBPName1": "Yew"}
    sent = batch(
        part("GET", "A_BusinessPartner('10100001')?$select=BusinessPartner"),
        change_set(
            part("POST", "A_BusinessPartner", body, identity="1"),
            part("POST", "$1/to_BusinessPartnerAddress", {"Country": "DE"}, identity="2"),
            part("PATCH", "$1", {"SearchTerm1": "YEW"}),
        ),
        part("GET", "/sap/opu/odata/sap/API_BUSINESS_PARTNER/A_BusinessPartner('nobody')"),
        part("GET", "A_BusinessPartner/$count"),
    )
    answer = await send(plain, sent)
    assert answer.status == 202
    read, made, missing, count = answers(answer)
    assert read[0] == 200 and read[2]["d"]["BusinessPartner"] == "10100001"
    assert [each[0] for each in made] == [201, 201, 204]
    assert [each[1]["id"] for each in made] == ["1", "2", None]
    number = made[0][2]["d"]["BusinessPartner"]
    assert made[1][2]["d"]["BusinessPartner"] == number
    assert missing[0] == 404 and missing[2]["error"]["code"] == "/IWBEP/CM_MGW_RT/020"
    assert (count[0], count[2].strip()) == (200, "6")
    assert (await plain.get(f"{PARTNERS}('{number}')")).d["SearchTerm1"] == "YEW"


async def test_a_change_set_that_fails_leaves_nothing(plain: Plain, make_order: Any) -> None:
    before = (await plain.books())["counts"]
    bad = make_order({"Material": "NOTHING", "RequestedQuantity": "1"})
    sent = batch(
        change_set(
            part("POST", "A_SalesOrder", make_order()),
            part("PATCH", "A_SalesOrder('2')", {"PurchaseOrderByCustomer": "X"}, If_Match="*"),
            part("POST", "A_SalesOrder", bad, identity="9"),
        ),
        change_set(part("PATCH", "A_SalesOrder('2')", {"PurchaseOrderByCustomer": "Y"}, If_Match="*")),
    )
    failed, done = answers(await send(plain, sent, service=f"{V2}API_SALES_ORDER_SRV"))
    assert failed[0] == 400 and failed[2]["error"]["code"] == "V1/302"
    assert [each[0] for each in done] == [204]
    assert (await plain.books())["counts"] == before
    assert (await plain.get(f"{ORDERS}('2')")).d["PurchaseOrderByCustomer"] == "Y"


async def test_a_batch_needs_a_token_and_its_parts_none(plain: Plain) -> None:
    answer = await plain.call(
        "POST", f"{V2}API_BUSINESS_PARTNER/$batch", batch(), Content_Type="multipart/mixed; boundary=b"
    )
    assert (answer.status, answer.text) == (403, "CSRF token validation failed")


async def test_bare_line_feeds_are_taken(plain: Plain) -> None:
    sent = batch(part("GET", "A_BusinessPartner/$count")).replace(b"\r\n", b"\n")
    assert answers(await send(plain, sent))[0][2].strip() == "5"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no batch",
        b"--b\r\nContent-Type: application/http\r\n\r\nGET A_BusinessPartner HTTP/1.1",
        b"--b\r\nContent-Type: application/http\r\n\r\nGET A_BusinessPartner HTTP/1.1\r\n--b--\r\n",
        b"--b\r\nContent-Type: text/plain\r\n\r\nGET A_BusinessPartner HTTP/1.1\r\n\r\n\r\n--b--\r\n",
        b"--b\r\nContent-Type: application/http\r\n\r\nhello\r\n\r\n\r\n--b--\r\n",
        b"--b\r\nContent-Type: multipart/mixed\r\n\r\n--b--\r\n",
        b"--b nonsense\r\n--b--\r\n",
        batch(change_set(part("GET", "A_BusinessPartner"))),
    ],
)
async def test_a_batch_that_cannot_be_read_is_refused(plain: Plain, body: bytes) -> None:
    assert (await send(plain, body)).error[0] == 400


async def test_what_parts_may_not_ask_for(plain: Plain) -> None:
    sent = batch(
        part("GET", "$batch"),
        part("GET", "/sap/opu/odata/sap/API_PRODUCT_SRV/A_Product"),
        part("PATCH", "$7", {}),
        part("GET", "https://elsewhere.example/sap/opu/odata/sap/API_BUSINESS_PARTNER/A_BusinessPartner/$count"),
    )
    refused = answers(await send(plain, sent))
    assert [each[0] for each in refused] == [400, 400, 400, 200]
    assert (await send(plain, batch(), Content_Type="multipart/mixed")).error[0] == 400


async def test_version_4_takes_multipart_and_stops_at_an_error(plain: Plain) -> None:
    sent = batch(part("GET", "SalesOrder('999')"), part("GET", "SalesOrder/$count"))
    answer = await send(plain, sent, service=V4.rstrip("/"))
    assert answer.status == 200
    assert [each[0] for each in answers(answer)] == [404]
    on = await send(plain, sent, service=V4.rstrip("/"), Prefer="odata.continue-on-error")
    assert [each[0] for each in answers(on)] == [404, 200]


def json_order(**more: Any) -> dict[str, Any]:
    area = {"SalesOrganization": "1010", "DistributionChannel": "10", "OrganizationDivision": "00"}
    items = [{"Product": "USAGE", "RequestedQuantity": 3}]
    return {"SalesOrderType": "OR", **area, "SoldToParty": "10100001", "_Item": items, **more}


async def test_version_4_takes_json_with_groups_that_hold_together(plain: Plain) -> None:
    async def run(*requests: dict[str, Any], **headers: str) -> list[Any]:
        answer = await plain.write("POST", f"{V4}$batch", {"requests": list(requests)}, **headers)
        assert answer.status == 200, answer.text
        return list(answer.body["responses"])

    make = {"method": "POST", "url": "SalesOrder", "body": json_order()}
    good = await run(
        {"id": "1", "atomicityGroup": "g", **make},
        {
            "id": "2",
            "atomicityGroup": "g",
            "method": "POST",
            "url": "$1/_Text",
            "body": {"Language": "EN", "LongTextID": "TX01", "LongText": "x"},
        },
        {"id": "3", "method": "GET", "url": "SalesOrder/$count"},
    )
    assert [(each["id"], each["status"]) for each in good] == [("1", 201), ("2", 201), ("3", 200)]
    assert good[2]["body"] == "3"
    bad = await run(
        {"id": "1", "atomicityGroup": "g", **make},
        {"id": "2", "atomicityGroup": "g", **make, "body": json_order(SalesOrderType="XX")},
        {"id": "3", "method": "GET", "url": "SalesOrder/$count"},
    )
    assert [(each["id"], each["status"]) for each in bad] == [("1", 424), ("2", 400)]
    on = await run(
        {"id": "1", "method": "GET", "url": "SalesOrder('999')"},
        {"id": "2", "method": "GET", "url": "SalesOrder", "dependsOn": ["1"]},
        {"id": "3", "method": "GET", "url": "SalesOrder/$count"},
        Prefer="continue-on-error",
    )
    assert [(each["id"], each["status"]) for each in on] == [("1", 404), ("2", 424), ("3", 200)]
    assert on[2]["body"] == "3"
    assert (await plain.write("POST", f"{V4}$batch", {"requests": [{"id": "1"}]})).error[0] == 400
    assert (await plain.write("POST", f"{V4}$batch", [])).error[0] == 400
