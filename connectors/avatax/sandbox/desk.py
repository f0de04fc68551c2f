"""What the sandbox's calls share: which document a path means, what a body holds, how a document is answered."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from connectors.avatax.sandbox.company import Account
from connectors.avatax.sandbox.documents import Document, Status
from connectors.avatax.sandbox.refusals import Refusal
from connectors.avatax.sandbox.replies import included, transaction
from connectors.avatax.sandbox.sales import RECORDED, TEMPORARY
from hub.sandbox.exact_json import json_answer, loads
from hub.sandbox.request_log import mark

#: AvaTax's own writing of characters that its paths cannot take.
_PATH_WRITING = {"_-ava2f-_": "/", "_-ava2b-_": "+", "_-ava3f-_": "?", "_-ava25-_": "%", "_-ava23-_": "#"}


class Desk:
    """Finds what a path names in one account's books."""

    def __init__(self, account: Account) -> None:
        """Look in this account."""
        self._account = account

    def company(self, request: web.Request) -> str:
        """Give the company that a path names; raises `Refusal` for an unknown one."""
        company = _plain(request.match_info["company"])
        if company not in self._account.companies:
            raise Refusal("EntityNotFoundError", f"The company {company} was not found.", refers_to="companyCode")
        return company

    def document(self, request: web.Request, kind: str | None = None) -> Document:
        """Give the present revision of the document that a path names; raises `Refusal`.

        Where no type is told, it is the sale of this code, else the one document that has it.
        """
        kind = kind or request.query.get("documentType")
        if kind is None:
            return self._of_any_type(self.company(request), _plain(request.match_info["code"]))
        if kind in TEMPORARY:
            raise Refusal("InvalidDocumentTypesToFetch", "Temporary documents cannot be fetched.")
        if kind not in RECORDED:
            raise Refusal("ModelStateInvalid", f"{kind} is not a document type.", refers_to="documentType")
        code = _plain(request.match_info["code"])
        document = self._account.ledger.current(self.company(request), code, kind)
        if document is None:
            raise absent(code)
        return document

    def _of_any_type(self, company: str, code: str) -> Document:
        found = [self._account.ledger.current(company, code, kind) for kind in ("SalesInvoice", *sorted(RECORDED))]
        document = next((one for one in found if one is not None), None)
        if document is None:
            raise absent(code)
        return document


def reply(request: web.Request, document: Document, *, status: int, default: str = "Summary,Addresses") -> web.Response:
    """Answer a document as much as the caller asks to see; the request log names what is recorded."""
    if document.status is not Status.TEMPORARY:
        mark(request, document.code)
    return json_answer(transaction(document, included(request.query, default)), status=status)


async def read_body(request: web.Request) -> Any:
    """Read a JSON body with exact numbers; raises `Refusal`."""
    try:
        return loads(await request.read())
    except (ValueError, ArithmeticError) as error:
        raise Refusal("JsonFormatError", "The request body is not JSON.", description=str(error)) from error


def absent(name: str) -> Refusal:
    """Refuse what is about a document that is not there."""
    return Refusal("EntityNotFoundError", f"The transaction {name} was not found.", refers_to="Transaction")


def _plain(segment: str) -> str:
    for written, character in _PATH_WRITING.items():
        segment = segment.replace(written, character)
    return segment
