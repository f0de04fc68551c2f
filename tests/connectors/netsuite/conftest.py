"""A client of NetSuite written from its documentation alone, so that the sandbox is not judged by our connector."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client
from yarl import URL

from hub.sandbox.main import find
from hub.sandbox.server import Running, running

TOKEN = "/services/rest/auth/oauth2/v1/token"
RECORDS = "/services/rest/record/v1"
SUITEQL = "/services/rest/query/v1/suiteql"
RESTLET = "/app/site/hosting/restlet.nl"

#: Customers in euros, yen and dinars; the first one has two currencies.
SEED: Mapping[str, Any] = {
    "customers": [
        {
            "externalId": "cus_1",
            "companyName": "Acme",
            "subsidiary": {"id": "2"},
            "currency": "EUR",
            "currencies": ["USD"],
        },
        {"externalId": "cus_2", "companyName": "Sakura", "subsidiary": {"id": "3"}, "currency": "JPY"},
        {"externalId": "cus_3", "companyName": "Dune", "subsidiary": {"id": "5"}, "currency": "KWD"},
    ]
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: status, headers, and the body with exact numbers."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def id(self) -> str:
        """Give the internal id that `Location` names."""
        assert self.status == 204, self.body
        return self.headers["Location"].rpartition("/")[2]

    @property
    def error(self) -> dict[str, str]:
        """Give the first detail of an error."""
        assert self.status >= 400, self.status
        return dict(self.body["o:errorDetails"][0])


class Plain:
    """Speaks to one running sandbox."""

    def __init__(self, served: Running, session: aiohttp.ClientSession) -> None:
        self.served = served
        self.facts = served.announcement
        self.token = ""
        self._session = session

    def assertion(self, *, algorithm: str = "ES256", key: str | None = None, **changed: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": self.facts["client_id"],
            "scope": ["rest_webservices", "restlets"],
            "aud": self.served.url + TOKEN,
            "iat": now,
            "exp": now + 3500,
            "jti": str(uuid.uuid4()),
        }
        kid = changed.pop("kid", self.facts["certificate_id"])
        claims.update(changed)
        kind = ECKey if algorithm.startswith("ES") else RSAKey
        imported = kind.import_key(key or str(self.facts["private_key"]))
        header = {"typ": "JWT", "alg": algorithm, "kid": kid}
        return jwt.encode(header, claims, imported, algorithms=[algorithm])

    async def ask_token(self, assertion: str, **changed: str) -> Answer:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
            **changed,
        }
        async with self._session.post(self.served.url + TOKEN, data=form) as answer:
            return await _read(answer)

    async def sign_in(self) -> None:
        answer = await self.ask_token(self.assertion())
        assert answer.status == 200, answer.body
        self.token = answer.body["access_token"]

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        data = None
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = self.served.url + path
        async with self._session.request(method, url, data=data, headers=sent) as answer:
            return await _read(answer)

    def oauth(self, **changed: Any) -> Client:
        """Give an independent signer of OAuth 1.0a with the account's own token."""
        facts = {
            "client_key": self.facts["client_id"],
            "client_secret": self.facts["consumer_secret"],
            "resource_owner_key": self.facts["token_id"],
            "resource_owner_secret": self.facts["token_secret"],
            "signature_method": SIGNATURE_HMAC_SHA256,
            "realm": self.facts["account"],
            "timestamp": str(self.served.world.clock.timestamp()),
        }
        return Client(**{**facts, **changed})

    async def signed(self, method: str, path: str, body: Any = None, **changed: Any) -> Answer:
        """Send a request signed by the independent signer."""
        url, headers, _ = self.oauth(**changed).sign(self.served.url + path, http_method=method)
        return await self.send(method, url, headers, body)

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: Any = None) -> Answer:
        """Send a request as it stands."""
        data = None if body is None else json.dumps(body).encode()
        sent = {**headers, "Content-Type": "application/json", "Prefer": "transient"}
        async with self._session.request(method, URL(url, encoded=True), data=data, headers=sent) as answer:
            return await _read(answer)

    async def put(self, path: str, body: Any, *, names: str = "error") -> Answer:
        return await self.call("PUT", RECORDS + path, body, headers={"X-NetSuite-PropertyNameValidation": names})

    async def post(self, path: str, body: Any) -> Answer:
        return await self.call("POST", RECORDS + path, body, headers={"X-NetSuite-PropertyNameValidation": "error"})

    async def get(self, path: str) -> Answer:
        return await self.call("GET", RECORDS + path)

    async def query(self, q: str, *params: str, page: str = "") -> Answer:
        return await self.call(
            "POST", SUITEQL + page, {"q": q, "params": list(params)}, headers={"Prefer": "transient"}
        )

    async def books(self) -> dict[str, Any]:
        async with self._session.get(f"{self.served.control_url}/_control/books") as answer:
            return dict((await _read(answer)).body)

    async def seed(self, wish: Mapping[str, Any]) -> Answer:
        async with self._session.post(f"{self.served.control_url}/_control/seed", json=wish) as answer:
            return await _read(answer)

    async def faults(self, plan: list[dict[str, Any]]) -> None:
        async with self._session.post(f"{self.served.control_url}/_control/faults", json=plan) as answer:
            assert answer.status == 200, await answer.text()


async def _read(answer: aiohttp.ClientResponse) -> Answer:
    body = await answer.read()
    parsed = json.loads(body, parse_float=Decimal) if body else None
    return Answer(status=answer.status, headers=answer.headers, body=parsed)


@pytest.fixture
async def plain() -> AsyncIterator[Plain]:
    """Give a signed-in client of a fresh account with three customers (1001, 1002, 1003)."""
    async with running(find("netsuite")) as served, aiohttp.ClientSession() as session:
        client = Plain(served, session)
        assert (await client.seed(SEED)).status == 200
        await client.sign_in()
        yield client


def invoice(*amounts: str, customer: str = "cus_1", tax: str | None = None, **more: Any) -> dict[str, Any]:
    """Give an invoice with a line for each amount; `tax` is put on the first line."""
    lines = [
        {"item": {"id": "101"}, "quantity": 1, "amount": float(amount), "taxDetailsReference": f"L{place}"}
        for place, amount in enumerate(amounts, start=1)
    ]
    body: dict[str, Any] = {
        "entity": {"externalId": customer},
        "tranDate": "2026-01-31",
        "item": {"items": lines},
        **more,
    }
    if tax is not None:
        body["taxDetailsOverride"] = True
        detail = {"taxDetailsReference": "L1", "taxType": "VAT", "taxCode": {"id": "202"}, "taxRate": 19}
        body["taxDetails"] = {"items": [{**detail, "taxAmount": float(tax)}]}
    return body


@pytest.fixture
def make_invoice() -> Any:
    """Give the maker of invoice bodies."""
    return invoice
