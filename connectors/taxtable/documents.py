"""The engine's books as a pure handler: it answers a request from tables and shelf, and keeps documents on the shelf.

A document is named by kind and code; each version has an id of its own and stays. Every write carries the effect's key,
and what was answered under a key is answered again, whatever was done since.

| on the shelf | |
|---|---|
| `effect:KEY` | the hash of a request, and the answer that it was given |
| `document:KIND:CODE` | the document as it stands |
| `version:ID` | a document as it was before another came in its place |
| `count` | how many versions there are |
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlsplit

from connectors.taxtable.assessment import assess
from connectors.taxtable.settings import TaxtableSettings
from connectors.taxtable.tables import Tables
from hub.sdk.embedded import Shelf
from hub.sdk.errors import FixData
from hub.sdk.exact_json import canonical, loads
from hub.sdk.values import Request, Response

#: The header that carries the effect's key.
KEY = "idempotency-key"
#: What of a kept document is no part of the contract's result.
_OWN = ("document", "refunded")
_SIGNED = ("amount", "taxable", "exempt", "tax", "calculated_tax")


class Refused(Exception):
    """The engine refuses a request: a status, a code, and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Take what the answer says."""
        super().__init__(message)
        self.status = status
        self.code = code


def answer(settings: TaxtableSettings, tables: Tables, request: Request, shelf: Shelf, now: datetime) -> Response:
    """Answer one request; a refusal keeps nothing, so that what is corrected may be sent again."""
    key = request.headers.get(KEY)
    digest = hashlib.sha256(f"{request.method} {request.url}\n".encode() + request.body).hexdigest()
    if key is not None and (kept := shelf.get(f"effect:{key}")) is not None:
        before = loads(kept)
        if before["request"] != digest:
            return _refusal(409, "key-reused", "Another request was made under this key.")
        return Response(status=200, headers=_JSON, body=canonical(before["answer"]))
    books = _Books(settings, tables, shelf)
    try:
        record = books.asked(request)
    except Refused as refused:
        return _refusal(refused.status, refused.code, str(refused))
    except FixData as error:
        return _refusal(422, error.code, error.detail)
    for name, value in books.kept.items():
        shelf.put(name, canonical(value))
    if key is not None:
        shelf.put(f"effect:{key}", canonical({"request": digest, "answer": record}))
    return Response(status=200, headers=_JSON, body=canonical(record))


class _Books:
    """The books during one request."""

    def __init__(self, settings: TaxtableSettings, tables: Tables, shelf: Shelf) -> None:
        self._settings = settings
        self._tables = tables
        self._shelf = shelf
        #: What is to be kept once nothing is refused any more.
        self.kept: dict[str, Any] = {}

    def asked(self, request: Request) -> Mapping[str, Any]:
        parts = [unquote(part) for part in urlsplit(request.url).path.split("/")[1:]]
        body = loads(request.body) if request.body else {}
        calls: Mapping[tuple[str, str, int], Callable[..., Mapping[str, Any]]] = {
            ("GET", "ping", 1): lambda: {"rates": len(self._tables.rates)},
            ("GET", "effects", 2): lambda: self._effect(parts[1]),
            ("QUERY", "quotes", 1): lambda: self._quote(body),
            ("QUERY", "addresses", 1): lambda: self._resolve(body),
            ("GET", "documents", 3): lambda: self._shown(self._document(*parts[1:])),
            ("POST", "documents", 1): lambda: self._commit(body),
            ("POST", "voids", 3): lambda: self._void(body, *parts[1:]),
            ("POST", "adjustments", 3): lambda: self._adjust(body, *parts[1:]),
            ("POST", "refunds", 3): lambda: self._refund(body, *parts[1:]),
        }
        call = calls.get((request.method, parts[0], len(parts)))
        if call is None:
            raise Refused(404, "no-such-call", "The engine has no such call.")
        return call()

    def _effect(self, key: str) -> Mapping[str, Any]:
        kept = self._shelf.get(f"effect:{key}")
        return {"key": key, "answer": None if kept is None else loads(kept)["answer"]}

    def _quote(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**assess(document, self._tables, self._settings), "kind": "estimate", "status": "quoted"}

    def _resolve(self, address: Mapping[str, Any]) -> Mapping[str, Any]:
        known = self._tables.knows(address["country"], address.get("region") or "")
        said = {"severity": "warning", "text": "The tables have no rate for this place."}
        return {"resolved": known, "address": address, "messages": [] if known else [said]}

    def _commit(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        kind = document.get("kind", "sale")
        self._assert_free(kind, document["code"])
        made = self._assessed(document, kind)
        return self._shown(self._keep(made))

    def _void(self, body: Mapping[str, Any], kind: str, code: str) -> Mapping[str, Any]:
        standing = self._meant(kind, code, body["id"])
        if standing["status"] != "voided":
            self._assert_open(standing)
            self._put(f"document:{kind}:{code}", {**standing, "status": "voided"})
        return {"id": standing["id"], "code": code, "status": "voided"}

    def _adjust(self, body: Mapping[str, Any], kind: str, code: str) -> Mapping[str, Any]:
        standing = self._meant(kind, code, body["id"])
        self._assert_open(standing)
        if standing["status"] != "committed":
            raise Refused(409, "not-committed", f"The document {code} is {standing['status']}.")
        document = {name: value for name, value in body.items() if name not in {"id", "reason", "description"}}
        made = self._assessed(document, kind, version=standing["version"] + 1)
        why = {"adjustment": {"reason": body["reason"], "description": body["description"]}}
        self._put(f"version:{standing['id']}", {**standing, "status": "adjusted", **why})
        return self._shown(self._keep(made))

    def _refund(self, body: Mapping[str, Any], kind: str, code: str) -> Mapping[str, Any]:
        sale = self._meant(kind, code, body["id"])
        if sale["status"] != "committed" or kind != "sale":
            raise Refused(409, "not-committed", f"The document {code} is no committed sale.")
        self._assert_free("return", body["refund_code"])
        there = [line["id"] for line in sale["lines"]]
        wanted = body.get("lines", there)
        if unknown := sorted(set(wanted) - set(there)):
            raise Refused(422, "no-such-line", f"The document {code} has no line {unknown[0]}.")
        refunded = sale.get("refunded", [])
        if twice := sorted(set(wanted) & set(refunded)):
            raise Refused(409, "already-refunded", f"The line {twice[0]} of the document {code} was taken back before.")
        lines = [_negative(line) for line in sale["lines"] if line["id"] in wanted]
        self._put(f"document:sale:{code}", {**sale, "refunded": [*refunded, *wanted]})
        totals = {"total": "amount", "taxable_total": "taxable", "exempt_total": "exempt", "tax_total": "tax"}
        made = {
            **sale,
            "code": body["refund_code"],
            "kind": "return",
            "date": body["date"],
            "lines": lines,
            **{name: sum((line[part] for line in lines), Decimal(0)) for name, part in totals.items()},
            "refunded": [],
        }
        return self._shown(self._keep({**made, "version": 1}))

    def _assessed(self, document: Mapping[str, Any], kind: str, version: int = 1) -> dict[str, Any]:
        made = assess(document, self._tables, self._settings)
        return {**made, "kind": kind, "status": "committed", "version": version, "document": document}

    def _keep(self, made: Mapping[str, Any]) -> Mapping[str, Any]:
        number = loads(self._shelf.get("count") or b"0") + 1
        self._put("count", number)
        kept = {**made, "id": str(number)}
        self._put(f"document:{made['kind']}:{made['code']}", kept)
        return kept

    def _shown(self, kept: Mapping[str, Any]) -> Mapping[str, Any]:
        status = "filed" if kept["status"] == "committed" and self._is_filed(kept) else kept["status"]
        return {**{name: value for name, value in kept.items() if name not in _OWN}, "status": status}

    def _is_filed(self, kept: Mapping[str, Any]) -> bool:
        sold = kept["document"]
        through = self._tables.filed_through(sold.get("entity") or "", sold["ship_to"]["country"])
        return through is not None and date.fromisoformat(kept["date"]) <= through

    def _document(self, kind: str, code: str) -> Mapping[str, Any]:
        found = self._shelf.get(f"document:{kind}:{code}")
        if found is None:
            raise Refused(404, "no-such-document", f"There is no {kind} document {code}.")
        document: Mapping[str, Any] = loads(found)
        return document

    def _meant(self, kind: str, code: str, id: str) -> Mapping[str, Any]:
        standing = self._document(kind, code)
        if standing["id"] != id:
            raise Refused(409, "another-version", f"Under the code {code} stands {standing['id']} and not {id}.")
        return standing

    def _assert_free(self, kind: str, code: str) -> None:
        found = self._shelf.get(f"document:{kind}:{code}")
        if found is None:
            return
        before = loads(found)
        if before["status"] != "voided":
            raise Refused(409, "code-taken", f"There is a {kind} document {code} already.")
        self._put(f"version:{before['id']}", before)

    def _assert_open(self, standing: Mapping[str, Any]) -> None:
        if self._is_filed(standing):
            raise Refused(409, "document-filed", f"The document {standing['code']} stands in a filed return.")

    def _put(self, name: str, value: Any) -> None:
        self.kept[name] = value


_JSON = {"content-type": "application/json"}


def _negative(line: Mapping[str, Any]) -> dict[str, Any]:
    return {**_turned(line), "details": [_turned(detail) for detail in line["details"]]}


def _turned(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, **{name: -record[name] for name in _SIGNED if name in record}}


def _refusal(status: int, code: str, message: str) -> Response:
    return Response(status=status, headers=_JSON, body=canonical({"error": {"code": code, "message": message}}))
