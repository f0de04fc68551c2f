"""What may happen to a recorded document: commit and back, void and back, adjust, refund, verify, rename, lock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from aiohttp import web

from connectors.avatax.sandbox.company import Account
from connectors.avatax.sandbox.desk import Desk, read_body, reply
from connectors.avatax.sandbox.documents import Document
from connectors.avatax.sandbox.fields import flag, number, text
from connectors.avatax.sandbox.refunds import refunded
from connectors.avatax.sandbox.refusals import Refusal
from connectors.avatax.sandbox.sales import fold
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


class Changes:
    """The calls that change what is recorded."""

    def __init__(self, account: Account, world: World) -> None:
        """Change this account's documents."""
        self._account = account
        self._desk = Desk(account)
        self._world = world

    async def commit(self, request: web.Request) -> web.Response:
        """Count a saved document in returns."""
        document, body = await self._asked(request)
        self._commit(document, body)
        return _shown(request, document)

    async def uncommit(self, request: web.Request) -> web.Response:
        """Take a committed document out of the next return; it takes no body."""
        document = self._desk.document(request)
        self._account.ledger.uncommit(document, self._world.clock.now())
        return _shown(request, document)

    async def void(self, request: web.Request) -> web.Response:
        """Cancel a document."""
        document, body = await self._asked(request)
        if text(body, "code", 50).lower() not in _VOID_CODES:
            raise Refusal("ModelStateInvalid", "The void code is not known.", refers_to="code")
        self._account.ledger.void(document, self._world.clock.now())
        return _shown(request, document)

    async def unvoid(self, request: web.Request) -> web.Response:
        """Bring a cancelled document back as a saved one; it takes no body."""
        document = self._desk.document(request)
        self._account.ledger.unvoid(document, self._world.clock.now())
        return _shown(request, document)

    async def adjust(self, request: web.Request) -> web.Response:
        """Put a new revision in the place of a recorded document."""
        document, body = await self._asked(request)
        if not isinstance(body.get("newtransaction"), dict):
            raise Refusal("ModelStateInvalid", "The new transaction is missing.", refers_to="newTransaction")
        reason, description = adjustment_reason(body)
        sale = body["newtransaction"] | {
            "code": document.code,
            "companycode": document.sale.company,
            "type": document.sale.type,
        }
        adjusted = self._account.create_or_adjust(sale, reason=reason, description=description)
        return reply(request, adjusted, status=200)

    async def refund(self, request: web.Request) -> web.Response:
        """Record what is taken back of a sale as a return with its own code and the tax of that time."""
        document, body = await self._asked(request)
        code = text(body, "refundtransactioncode", 50)
        sale, lines = refunded(document, body, code=code or self._account.new_code())
        return reply(request, self._account.ledger.create(sale, lines, self._world.clock.now()), status=200)

    async def verify(self, request: web.Request) -> web.Response:
        """Compare a document with what the caller believes it to be."""
        document, body = await self._asked(request)
        _verify(document, body)
        return _shown(request, document)

    async def change_code(self, request: web.Request) -> web.Response:
        """Give a document another code."""
        document, body = await self._asked(request)
        self._rename(document, body)
        return _shown(request, document)

    async def settle(self, request: web.Request) -> web.Response:
        """Verify, rename and commit in one call, each as far as the body asks for it."""
        document, body = await self._asked(request)
        if isinstance(body.get("verify"), dict):
            _verify(document, body["verify"])
        if isinstance(body.get("changecode"), dict):
            self._rename(document, body["changecode"])
        if isinstance(body.get("commit"), dict):
            self._commit(document, body["commit"])
        return _shown(request, document)

    async def lock(self, request: web.Request) -> web.Response:
        """Mark a document as filed, which AvaTax allows in its sandbox only."""
        document, body = await self._asked(request)
        document.locked = flag(body, "islocked")
        return _shown(request, document)

    async def _asked(self, request: web.Request) -> tuple[Document, Mapping[str, Any]]:
        document = self._desk.document(request)
        body = fold(await read_body(request))
        if not isinstance(body, dict):
            raise Refusal("ModelStateInvalid", "The request body must be an object.")
        return document, body

    def _commit(self, document: Document, body: Mapping[str, Any]) -> None:
        if not flag(body, "commit"):
            raise Refusal("ModelStateInvalid", "Commit must be true.", refers_to="commit")
        self._account.ledger.commit(document, self._world.clock.now())

    def _rename(self, document: Document, body: Mapping[str, Any]) -> None:
        code = text(body, "newcode", 50)
        if not code:
            raise Refusal("ModelStateInvalid", "The newCode field is required.", refers_to="newCode")
        self._account.ledger.rename(document, code, self._world.clock.now())


def adjustment_reason(body: Mapping[str, Any]) -> tuple[str, str]:
    """Read why a document is adjusted, in a word and a sentence; raises `Refusal`."""
    reason = text(body, "adjustmentreason", 50) or "Other"
    if reason.lower() not in _ADJUSTMENT_REASONS:
        raise Refusal("ModelStateInvalid", f"{reason} is not an adjustment reason.", refers_to="adjustmentReason")
    return _ADJUSTMENT_REASONS[reason.lower()], text(body, "adjustmentdescription", 255)


def _shown(request: web.Request, document: Document) -> web.Response:
    return reply(request, document, default="", status=200)


def _verify(document: Document, body: Mapping[str, Any]) -> None:
    wanted: tuple[tuple[str, str, date | Decimal], ...] = (
        ("verifytotalamount", "total amount", document.total_amount),
        ("verifytotaltax", "total tax", document.total_tax),
    )
    for name, what, stands in wanted:
        if body.get(name) is not None and number(body, name) != stands:
            raise Refusal("GetTaxError", f"The {what} differs: the document has {stands}.", refers_to=name)
    day = text(body, "verifytransactiondate", 30)
    if day and day[:10] != document.sale.date.isoformat():
        raise Refusal("GetTaxError", f"The date differs: the document has {document.sale.date}.", refers_to="date")
