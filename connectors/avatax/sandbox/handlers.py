"""What each of AvaTax's calls does that makes or shows a document."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from connectors.avatax.sandbox.changes import adjustment_reason
from connectors.avatax.sandbox.company import Account
from connectors.avatax.sandbox.desk import Desk, absent, read_body, reply
from connectors.avatax.sandbox.listing import USUAL_DAYS, select
from connectors.avatax.sandbox.rates import is_known_region, jurisdictions
from connectors.avatax.sandbox.refusals import Refusal
from connectors.avatax.sandbox.replies import included, transaction
from connectors.avatax.sandbox.sales import fold
from hub.sandbox.exact_json import json_answer
from hub.sandbox.world import World


class Handlers:
    """The calls of one account."""

    def __init__(self, account: Account, world: World) -> None:
        """Serve this account."""
        self._account = account
        self._desk = Desk(account)
        self._world = world

    async def ping(self, request: web.Request) -> web.Response:
        """Tell whether the caller's key is right, always with 200."""
        known = self._account.knows(request.headers.get("Authorization", ""))
        return json_answer(
            {
                "version": "26.11.0",
                "authenticated": known,
                "authenticationType": "AccountIdLicenseKey" if known else "None",
                **({"authenticatedAccountId": int(self._account.account_id)} if known else {}),
            }
        )

    async def create(self, request: web.Request) -> web.Response:
        """Calculate a sale, and record it if its type is recorded."""
        await self._force_timeout(request)
        document = self._account.create(await read_body(request))
        return reply(request, document, status=201)

    async def create_or_adjust(self, request: web.Request) -> web.Response:
        """Record a sale, or put it in the place of what was recorded under its code."""
        await self._force_timeout(request)
        body = fold(await read_body(request))
        if not isinstance(body, dict):
            raise Refusal("ModelStateInvalid", "The request body must be an object.")
        reason, description = adjustment_reason(body)
        document = self._account.create_or_adjust(
            body.get("createtransactionmodel"), reason=reason, description=description
        )
        return reply(request, document, status=200)

    async def get(self, request: web.Request) -> web.Response:
        """Give the present revision under a code."""
        return reply(request, self._desk.document(request), default="", status=200)

    async def get_by_type(self, request: web.Request) -> web.Response:
        """Give the present revision under a code and a type."""
        return reply(request, self._desk.document(request, request.match_info["type"]), default="", status=200)

    async def get_by_id(self, request: web.Request) -> web.Response:
        """Give one revision by its number."""
        document = self._account.ledger.by_id(int(request.match_info["id"]))
        if document is None:
            raise absent(request.match_info["id"])
        return reply(request, document, default="", status=200)

    async def list(self, request: web.Request) -> web.Response:
        """List a company's documents, page by page."""
        company = self._desk.company(request)
        documents = [document for document in self._account.ledger if document.sale.company == company]
        earliest = (self._world.clock.now() - USUAL_DAYS).date()
        page = select(documents, request.query, earliest=earliest)
        include = included(request.query, "")
        answer: dict[str, Any] = {
            "@recordsetCount": page.total,
            "value": [transaction(document, include) for document in page.documents],
        }
        if page.further is not None:
            answer["@nextLink"] = f"{self._world.url}{request.path}?{urlencode(page.further)}"
        return json_answer(answer)

    async def companies(self, request: web.Request) -> web.Response:
        """List the account's companies, or the one whose code the filter names."""
        return json_answer(self._account.company_list(request.query.get("$filter", "")))

    async def company(self, request: web.Request) -> web.Response:
        """Give one company by its number."""
        return json_answer(self._account.company(int(request.match_info["id"])))

    async def tax_rates(self, request: web.Request) -> web.Response:
        """Give the rates for goods at an address of the United States, where no nexus is asked for."""
        where = fold(dict(request.query))
        for name in ("line1", "region", "postalcode", "country"):
            if not where.get(name):
                raise Refusal("ModelStateInvalid", f"The {name} field is required.", refers_to=name)
        country, region = where["country"].upper(), where["region"].upper()
        if country not in ("US", "USA") or not is_known_region("US", region):
            raise Refusal("InvalidAddress", "Rates are told for places in the United States.", refers_to="region")
        found = jurisdictions("US", region, self._account.profile.rates)
        rates = [{"rate": one.rate, "name": f"{one.name} {one.kind}", "type": one.kind} for one in found]
        return json_answer({"totalRate": sum((one.rate for one in found), Decimal(0)), "rates": rates})

    async def tax_codes(self, request: web.Request) -> web.Response:
        """List the tax codes that the account knows."""
        codes = sorted(self._account.profile.tax_codes)
        return json_answer({"@recordsetCount": len(codes), "value": [_tax_code(code) for code in codes]})

    async def _force_timeout(self, request: web.Request) -> None:
        if "forcetimeout" in request.query.get("$include", "").lower():
            await asyncio.sleep(self._account.forced_timeout)
            raise Refusal("TimeoutRequested", "You requested a timeout.")


def _tax_code(code: str) -> dict[str, Any]:
    # The first letter tells what kind of thing it is: goods, services, digital goods, freight, and others.
    kind = code[0] if code[0] in "DFPS" else "U" if code.startswith("U") else "O"
    return {"taxCode": code, "taxCodeTypeId": kind, "isActive": True, "isPhysical": kind == "P"}
