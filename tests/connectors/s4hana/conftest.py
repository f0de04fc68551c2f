"""A client of S/4HANA written from SAP's documentation alone, so that the sandbox is not judged by a connector."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from yarl import URL

from hub.sandbox.main import find
from hub.sandbox.server import Running, running

V2 = "/sap/opu/odata/sap/"
V4 = "/sap/opu/odata4/sap/api_salesorder/srvd_a2x/sap/salesorder/0001/"
SOAP = "/sap/bc/srt/scs_ext/sap/"
SYNC, ASYNC = "journalentrycreaterequestconfi", "journalentrybulkcreationreques"
PARTNERS = "API_BUSINESS_PARTNER/A_BusinessPartner"
ORDERS = "API_SALES_ORDER_SRV/A_SalesOrder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: status, headers, the raw body, and the body read as JSON with exact numbers, if it is JSON."""

    status: int
    headers: Mapping[str, str]
    text: str
    body: Any

    @property
    def d(self) -> Any:
        """Give what v2 wraps an answer in."""
        assert self.status < 300, self.text
        return self.body["d"]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Give the rows of a collection."""
        return list(self.d["results"]) if "d" in self.body else list(self.body["value"])

    @property
    def error(self) -> tuple[int, str, str]:
        """Give status, code and message of an error of either version."""
        assert self.status >= 400, self.text
        error = self.body["error"]
        message = error["message"]
        return self.status, error["code"], message["value"] if isinstance(message, dict) else message


class Plain:
    """Speaks to one running sandbox, with cookies and tokens as a browser would."""

    def __init__(self, served: Running, session: aiohttp.ClientSession) -> None:
        self.served = served
        self.facts = served.announcement
        self.token = ""
        self.session = session
        self.login = basic(self.facts["user"], self.facts["password"])

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request; names of headers are written with underscores."""
        sent = {"Authorization": self.login, "Accept": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body
        if body is not None and not isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
            data = json.dumps(body).encode()
        sent = {name: value for name, value in sent.items() if value}
        url = path if path.startswith("http") else self.served.url + path
        # Addresses go out as they stand: what encoding does to them is what is tested.
        async with self.session.request(method, URL(escaped(url), encoded=True), data=data, headers=sent) as answer:
            text = (await answer.read()).decode()
            kind = answer.headers.get("Content-Type", "")
            body = json.loads(text, parse_float=Decimal) if text and "json" in kind else None
            return Answer(status=answer.status, headers=answer.headers, text=text, body=body)

    async def get(self, path: str, **headers: str) -> Answer:
        """Read below the root of v2."""
        return await self.call("GET", V2 + path, **headers)

    async def write(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Write with the token of the session."""
        if not self.token:
            await self.fetch()
        path = path if path.startswith(("http", "/")) else V2 + path
        return await self.call(method, path, body, **{"X_CSRF_Token": self.token, **headers})

    async def fetch(self, service: str = "API_BUSINESS_PARTNER/") -> str:
        """Fetch a token for the session."""
        answer = await self.call("HEAD", V2 + service, X_CSRF_Token="Fetch")
        self.token = answer.headers["x-csrf-token"]
        return self.token

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        return await self.write("POST", path, body, **headers)

    async def soap(self, body: str, *, service: str = SYNC, query: str = "", **headers: str) -> Answer:
        """Post a SOAP message."""
        sent = {"Content_Type": "text/xml; charset=utf-8", "Accept": "", **headers}
        return await self.call("POST", f"{SOAP}{service}{query}", body.encode(), **sent)

    async def seed(self, **wish: Any) -> dict[str, Any]:
        answer = await self.call("POST", f"{self.served.control_url}/_control/seed", wish)
        assert answer.status == 200, answer.text
        return dict(answer.body)

    async def control(self, path: str, body: Any = None) -> Any:
        method = "GET" if body is None else "POST"
        return (await self.call(method, f"{self.served.control_url}/_control/{path}", body)).body

    async def books(self) -> dict[str, Any]:
        return dict(await self.control("books"))

    def path_of(self, url: str) -> str:
        """Give the path of an address of the sandbox."""
        return urlsplit(url).path


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def escaped(url: str) -> str:
    """Escape what no address may contain, and leave all else."""
    return re.sub(r"[ \"<>\\^`{|}\u0080-\uffff]", lambda found: "".join(f"%{b:02X}" for b in found[0].encode()), url)


@pytest.fixture
async def plain() -> AsyncIterator[Plain]:
    """Give a client of a fresh tenant with the small sample: orders 1 and 2, of which the first is billed."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with running(find("s4hana")) as served, aiohttp.ClientSession(cookie_jar=jar) as session:
        client = Plain(served, session)
        await client.seed(sample=True)
        yield client


def order(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Give the smallest order of the sample's German customer."""
    return {
        "SalesOrderType": "OR",
        "SalesOrganization": "1010",
        "DistributionChannel": "10",
        "OrganizationDivision": "00",
        "SoldToParty": "10100001",
        "to_Item": list(items) or [{"Material": "SUBSCRIPTION", "RequestedQuantity": "1"}],
        **more,
    }


@pytest.fixture
def make_order() -> Any:
    """Give the maker of order bodies."""
    return order
