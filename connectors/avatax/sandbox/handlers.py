"""What each of AvaTax's calls does."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from connectors.avatax.sandbox.company import Account
from connectors.avatax.sandbox.documents import Document
from connectors.avatax.sandbox.listing import USUAL_DAYS, select
from connectors.avatax.sandbox.refusals import Refusal
from connectors.avatax.sandbox.replies import included, transaction
from connectors.avatax.sandbox.sales import RECORDED, TEMPORARY, flag, fold, text
from hub.sandbox.exact_json import json_answer, loads
from hub.sandbox.request_log import mark
from hub.sandbox.world import World

_VOID_CODES = frozenset({"unspecified", "postfailed", "docdeleted", "docvoided", "adjustmentcancelled"})
_ADJUSTMENT_REASONS = {
    reason.lower(): reason
    for reason in [
        "NotAdjusted",
        "SourcingIssue",
        "ReconciledWithGeneralLedger",
        "ExemptCertApplied",
        "PriceAdjusted",
        "ProductReturned",
        "ProductExchanged",
        "BadDebt",
        "Other",
        "Offline",
    ]
}
#: AvaTax's own writing of characters that its paths cannot take.
_PATH_WRITING = {"_-ava2f-_": "/", "_-ava2b-_": "+", "_-ava3f-_": "?", "_-ava25-_": "%", "_-ava23-_": "#"}


class Handlers:
    """The calls of one account."""

    def __init__(self, account: Account, world: World) -> None:
        """Serve this account."""
        self._account = account
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
        document = self._account.create(await _body(request))
        return self._reply(request, document, status=201)

    async def create_or_adjust(self, request: web.Request) -> web.Response:
        """Record a sale, or put it in the place of what was recorded under its code."""
        await self._force_timeout(request)
        body = fold(await _body(request))
        if not isinstance(body, dict):
            raise Refusal("ModelStateInvalid", "The request body must be an object.")
        reason, description = _reason(body)
        document = self._account.create_or_adjust(
            body.get("createtransactionmodel"), reason=reason, description=description
        )
        return self._reply(request, document, status=200)

    async def get(self, request: web.Request) -> web.Response:
        """Give the present revision under a code."""
        return self._reply(request, self._document(request), default="", status=200)

    async def get_by_id(self, request: web.Request) -> web.Response:
        """Give one revision by its number."""
        document = self._account.ledger.by_id(int(request.match_info["id"]))
        if document is None:
            raise _absent(request.match_info["id"])
        return self._reply(request, document, default="", status=200)

    async def commit(self, request: web.Request) -> web.Response:
        """Count a saved document in returns."""
        document = self._document(request)
        body = fold(await _body(request))
        if not isinstance(body, dict) or not flag(body, "commit"):
            raise Refusal("ModelStateInvalid", "Commit must be true.", refers_to="commit")
        self._account.ledger.commit(document, self._world.clock.now())
        return self._reply(request, document, default="", status=200)

    async def void(self, request: web.Request) -> web.Response:
        """Cancel a document."""
        document = self._document(request)
        body = fold(await _body(request))
        if not isinstance(body, dict) or text(body, "code", 50).lower() not in _VOID_CODES:
            raise Refusal("ModelStateInvalid", "The void code is not known.", refers_to="code")
        self._account.ledger.void(document, self._world.clock.now())
        return self._reply(request, document, default="", status=200)

    async def adjust(self, request: web.Request) -> web.Response:
        """Put a new revision in the place of a recorded document."""
        document = self._document(request)
        body = fold(await _body(request))
        if not isinstance(body, dict) or not isinstance(body.get("newtransaction"), dict):
            raise Refusal("ModelStateInvalid", "The new transaction is missing.", refers_to="newTransaction")
        reason, description = _reason(body)
        sale = body["newtransaction"] | {
            "code": document.code,
            "companycode": document.sale.company,
            "type": document.sale.type,
        }
        adjusted = self._account.create_or_adjust(sale, reason=reason, description=description)
        return self._reply(request, adjusted, status=200)

    async def lock(self, request: web.Request) -> web.Response:
        """Mark a document as reported, which AvaTax allows in its sandbox only."""
        document = self._document(request)
        body = fold(await _body(request))
        document.locked = isinstance(body, dict) and flag(body, "islocked")
        return self._reply(request, document, default="", status=200)

    async def list(self, request: web.Request) -> web.Response:
        """List a company's documents, page by page."""
        company = self._company(request)
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

    async def tax_codes(self, request: web.Request) -> web.Response:
        """List the tax codes that the account knows."""
        codes = sorted(self._account.profile.tax_codes)
        return json_answer({"@recordsetCount": len(codes), "value": [{"taxCode": code} for code in codes]})

    def _company(self, request: web.Request) -> str:
        company = _plain(request.match_info["company"])
        if company not in self._account.companies:
            raise Refusal("EntityNotFoundError", f"The company {company} was not found.", refers_to="companyCode")
        return company

    def _document(self, request: web.Request) -> Document:
        kind = request.query.get("documentType", "SalesInvoice")
        if kind in TEMPORARY:
            raise Refusal("InvalidDocumentTypesToFetch", "Temporary documents cannot be fetched.")
        if kind not in RECORDED:
            raise Refusal("ModelStateInvalid", f"{kind} is not a document type.", refers_to="documentType")
        code = _plain(request.match_info["code"])
        document = self._account.ledger.current(self._company(request), code, kind)
        if document is None:
            raise _absent(code)
        return document

    def _reply(
        self, request: web.Request, document: Document, *, status: int, default: str = "Summary,Addresses"
    ) -> web.Response:
        mark(request, document.code)
        return json_answer(transaction(document, included(request.query, default)), status=status)

    async def _force_timeout(self, request: web.Request) -> None:
        if "forcetimeout" in request.query.get("$include", "").lower():
            await asyncio.sleep(self._account.forced_timeout)
            raise Refusal("TimeoutRequested", "You requested a timeout.")


async def _body(request: web.Request) -> Any:
    try:
        return loads(await request.read())
    except (ValueError, ArithmeticError) as error:
        raise Refusal("JsonFormatError", "The request body is not JSON.", description=str(error)) from error


def _reason(body: dict[str, Any]) -> tuple[str, str]:
    reason = text(body, "adjustmentreason", 50) or "Other"
    if reason.lower() not in _ADJUSTMENT_REASONS:
        raise Refusal("ModelStateInvalid", f"{reason} is not an adjustment reason.", refers_to="adjustmentReason")
    return _ADJUSTMENT_REASONS[reason.lower()], text(body, "adjustmentdescription", 255)


def _plain(segment: str) -> str:
    for written, character in _PATH_WRITING.items():
        segment = segment.replace(written, character)
    return segment


def _absent(name: str) -> Refusal:
    return Refusal("EntityNotFoundError", f"The transaction {name} was not found.", refers_to="Transaction")
