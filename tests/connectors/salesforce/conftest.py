"""A client of Salesforce written from its documentation alone, so that the sandbox is not judged by our connector."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from hub.sandbox.main import find
from hub.sandbox.server import Running, running

BASE = "/services/data/v68.0"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: status, headers, and the body with exact numbers (text where it is no JSON)."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def id(self) -> str:
        """Give the id of what was made."""
        assert self.status == 201, self.body
        return str(self.body["id"])

    @property
    def code(self) -> str:
        """Give the code of a refusal."""
        assert self.status >= 400, self.body
        return str(self.body[0]["errorCode"])

    @property
    def message(self) -> str:
        """Give the sentence of a refusal."""
        assert self.status >= 400, self.body
        return str(self.body[0]["message"])


@cache
def _imported(key: str) -> RSAKey:
    """Read a private key; what is checked of it takes longer than most tests."""
    return RSAKey.import_key(key)


class Plain:
    """Speaks to one running sandbox."""

    def __init__(self, served: Running, session: aiohttp.ClientSession) -> None:
        self.served = served
        self.facts = served.announcement
        self.token = ""
        self.session = session

    def assertion(self, *, key: str | None = None, algorithm: str = "RS256", **changed: Any) -> str:
        claims = {
            "iss": self.facts["consumer_key"],
            "sub": self.facts["username"],
            "aud": self.facts["audience"],
            "exp": self.served.world.clock.timestamp() + 180,
            **changed,
        }
        imported = _imported(key or str(self.facts["private_key"]))
        return jwt.encode({"alg": algorithm}, claims, imported, algorithms=[algorithm])

    async def ask_token(self, *, headers: Mapping[str, str] | None = None, **form: str) -> Answer:
        url = f"{self.served.url}/services/oauth2/token"
        async with self.session.post(url, data=form, headers=headers) as answer:
            return await _read(answer)

    async def by_assertion(self, **changed: Any) -> Answer:
        return await self.ask_token(grant_type=JWT_BEARER, assertion=self.assertion(**changed))

    async def sign_in(self) -> None:
        answer = await self.by_assertion()
        assert answer.status == 200, answer.body
        self.token = answer.body["access_token"]

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        base: str = BASE,
    ) -> Answer:
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        data = None
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            data = body if isinstance(body, bytes) else json.dumps(body, default=str).encode()
        url = self.served.url + (path if path.startswith("/services/") else base + path)
        async with self.session.request(method, url, data=data, headers=sent) as answer:
            return await _read(answer)

    async def get(self, path: str, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call("GET", path, headers=named)

    async def post(self, path: str, body: Any) -> Answer:
        return await self.call("POST", path, body)

    async def patch(self, path: str, body: Any) -> Answer:
        return await self.call("PATCH", path, body)

    async def make(self, kind: str, /, **body: Any) -> str:
        return (await self.post(f"/sobjects/{kind}", body)).id

    async def query(self, soql: str, *, resource: str = "query", **headers: str) -> Answer:
        return await self.get(f"/{resource}?q={quote(soql)}", **headers)

    async def rows(self, soql: str) -> list[dict[str, Any]]:
        answer = await self.query(soql)
        assert answer.status == 200, answer.body
        return [{name: value for name, value in row.items() if name != "attributes"} for row in answer.body["records"]]

    async def values(self, soql: str) -> list[Any]:
        """Give the one column of a query."""
        return [next(iter(row.values())) for row in await self.rows(soql)]

    async def control(self, path: str, body: Any = None) -> Answer:
        url = f"{self.served.control_url}/_control/{path}"
        async with self.session.request("GET" if body is None else "POST", url, json=body) as answer:
            return await _read(answer)

    async def seed(self, **wish: Any) -> Any:
        answer = await self.control("seed", wish)
        assert answer.status == 200, answer.body
        return answer.body

    async def books(self) -> dict[str, Any]:
        return dict((await self.control("books")).body)

    async def advance(self, seconds: float) -> None:
        await self.control("clock", {"advance": seconds})

    async def faults(self, *plan: Mapping[str, Any]) -> None:
        answer = await self.control("faults", list(plan))
        assert answer.status == 200, answer.body


async def _read(answer: aiohttp.ClientResponse) -> Answer:
    body = await answer.read()
    if "json" not in answer.headers.get("Content-Type", ""):
        return Answer(status=answer.status, headers=answer.headers, body=body.decode())
    parsed = json.loads(body, parse_float=Decimal) if body else None
    return Answer(status=answer.status, headers=answer.headers, body=parsed)


@pytest.fixture
async def plain() -> AsyncIterator[Plain]:
    """Give a signed-in client of a fresh org."""
    async with running(find("salesforce")) as served, aiohttp.ClientSession() as session:
        client = Plain(served, session)
        await client.sign_in()
        yield client


@pytest.fixture
async def shop(plain: Plain) -> Plain:
    """Give an org with an account, a product and its standard price."""
    await plain.seed(
        records=[
            {"type": "Account", "ref": "acme", "Name": "Acme", "Billing_Id__c": "cus_1"},
            {"type": "Product2", "ref": "seat", "Name": "Seat", "ProductCode": "SEAT", "IsActive": True},
            {
                "type": "PricebookEntry",
                "ref": "price",
                "Pricebook2Id": (await plain.values("SELECT Id FROM Pricebook2 WHERE IsStandard = true"))[0],
                "Product2Id": "@{seat}",
                "UnitPrice": "10.00",
                "IsActive": True,
            },
        ]
    )
    return plain
