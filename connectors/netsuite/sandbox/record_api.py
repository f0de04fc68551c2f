"""The record service's addresses: create, read, change, upsert, transform, delete, list; at once or as a job."""

from __future__ import annotations

import logging
import re

from aiohttp import web

from connectors.netsuite.sandbox import batches, filters, metadata, paging, reference_records, transforms, writing
from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.errands import RECORDS, RESOURCE, Errand, errand_of
from connectors.netsuite.sandbox.incoming import Change
from connectors.netsuite.sandbox.jobs import ASYNC
from connectors.netsuite.sandbox.problems import Refusal, nonexistent, render
from connectors.netsuite.sandbox.record_types import RecordType, record_type
from connectors.netsuite.sandbox.rendering import Renderer
from hub.sandbox.exact_json import json_answer, loads
from hub.sandbox.problem import Problem
from hub.sandbox.request_log import mark

_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_-]+")
_NAMES_HEADER = "X-NetSuite-PropertyNameValidation"
logger = logging.getLogger(__name__)


class RecordApi:
    """One account's record service: each request is an errand, carried out at once or later by a job."""

    def __init__(self, account: Account) -> None:
        """Take the account that is served, and carry out its jobs from now on."""
        self._account = account
        account.jobs.perform = self.perform

    def routes(self) -> list[web.RouteDef]:
        """Give the address, below which everything is told apart by the errand."""
        return [web.route("*", RECORDS + "/{below:.*}", self.serve)]

    async def serve(self, request: web.Request) -> web.Response:
        """Carry a request out, or take it on as a job when that is asked for."""
        errand = await errand_of(request)
        try:
            answer = self._accept(errand) if "respond-async" in errand.preferences else self._at_once(errand)
        finally:
            mark(request, errand.marker)
        return answer

    def perform(self, errand: Errand) -> web.Response:
        """Carry out what a job was given; whatever goes wrong is an answer too."""
        try:
            return self._answer(errand)
        except Refusal as refusal:
            return refusal.answer()
        except Exception as error:
            logger.exception("the sandbox failed at %s %s", errand.method, "/".join(errand.path))
            return render(Problem(status=500, reason="crash", detail=repr(error)))

    def _accept(self, errand: Errand) -> web.Response:
        shape = _shape(errand)
        key = errand.headers.get("x-netsuite-idempotency-key")
        errand.marker = key or shape.name
        self._account.refuse_denied(shape.name)
        parts = batches.parts(errand) if batches.is_batch(errand) else [errand]
        job = self._account.jobs.accept(parts, key)
        return web.Response(
            status=202, headers={"Location": f"{ASYNC}/{job.id}", "Preference-Applied": "respond-async"}
        )

    def _at_once(self, errand: Errand) -> web.Response:
        if batches.is_batch(errand):
            raise Refusal("A batch is only carried out asynchronously.", code="INVALID_HEADER", header="Prefer")
        return self._answer(errand)

    def _answer(self, errand: Errand) -> web.Response:
        match errand.method, errand.path:
            case "GET", ("metadata-catalog", *names) if len(names) < 2:
                return metadata.answer(self._account, errand, names)
            case "POST", (_,):
                return self._create(errand)
            case "GET", (_,):
                return self._list(errand)
            case "GET", (_, key):
                return self._read(errand, key)
            case "PATCH", (_, key):
                return self._change(errand, key)
            case "PUT", (_, key):
                return self._upsert(errand, key)
            case "DELETE", (_, key):
                return self._delete(errand, key)
            case "POST", (_, key, "!transform", target):
                return self._transform(errand, key, target)
            case "GET", (_, key, sublist):
                return self._read_sublist(errand, key, sublist)
            case "GET", (_, key, sublist, line):
                return self._read_line(errand, key, sublist, line)
            case _:
                raise Refusal("The method is not allowed.", code="METHOD_NOT_ALLOWED", status=405)

    def _create(self, errand: Errand) -> web.Response:
        """Create a record under a new internal id."""
        shape = self._writable(errand)
        change = self._body(errand, shape)
        # A record that is created has no name of the caller's but what its memo says.
        errand.marker = change.external_id or str(change.fields.get("memo") or "")
        document = writing.create(self._account, shape.name, change)
        return self._written(errand, document, change)

    def _read(self, errand: Errand, key: str) -> web.Response:
        """Give a record."""
        document = self._find(errand, self._of_type(errand), key)
        only = [name for name in errand.query.get("fields", "").split(",") if name]
        simple = errand.query.get("simpleEnumFormat") == "true"
        expand = errand.query.get("expandSubResources") == "true"
        answer = Renderer(self._account, simple_enums=simple).whole(document, expand=expand, only=only)
        return _resource(answer, "singular")

    def _change(self, errand: Errand, key: str) -> web.Response:
        """Change what the body names."""
        shape = self._writable(errand)
        document = self._find(errand, shape, key)
        change = self._body(errand, shape)
        changed = writing.update(self._account, document, change, replace=_replaced(errand, shape))
        return self._written(errand, changed, change)

    def _upsert(self, errand: Errand, key: str) -> web.Response:
        """Create or change the record of an external id."""
        shape = self._writable(errand)
        if not key.startswith("eid:"):
            raise Refusal("PUT is only possible with an external id.", code="INVALID_ID", path="eid")
        external_id = _external_id(key)
        errand.marker = external_id
        change = self._body(errand, shape)
        if change.has_external_id and change.external_id != external_id:
            raise Refusal("The external id of the body differs from the address.", path="externalId")
        known = reference_records.by_external_id(self._account, shape.name, external_id)
        replace = _replaced(errand, shape)
        document = (
            writing.create(self._account, shape.name, change, external_id=external_id)
            if known is None
            else writing.update(self._account, known, change, replace=replace)
        )
        return self._written(errand, document, change)

    def _transform(self, errand: Errand, key: str, wanted: str) -> web.Response:
        """Make a record of another one, such as a credit memo of an invoice."""
        shape = self._of_type(errand)
        target = record_type(wanted)
        if target is None:
            raise Refusal(f"A {shape.name} cannot be transformed to {wanted} here.", code="INVALID_REQUEST")
        self._account.refuse_denied(target.name)
        source = self._find(errand, shape, key)
        change = self._body(errand, target)
        return self._written(errand, transforms.transform(self._account, source, target.name, change), change)

    def _delete(self, errand: Errand, key: str) -> web.Response:
        """Delete a record."""
        writing.delete(self._account, self._find(errand, self._writable(errand), key))
        return web.Response(status=204)

    def _list(self, errand: Errand) -> web.Response:
        """Give ids and links of a type's records, those that `q` describes."""
        shape = self._of_type(errand)
        limit, offset = paging.window(errand.query)
        renderer = Renderer(self._account)
        rows = list(reference_records.all_of(self._account, shape.name))
        asked = {}
        if "q" in errand.query:
            asked = {"q": errand.query["q"]}
            test = filters.compile_filter(shape, errand.query["q"])
            rows = [row for row in rows if test(renderer.whole(row, expand=False))]
        address = f"{self._account.world.url}{RECORDS}/{shape.name}"
        page = paging.collection(address, asked, rows, limit, offset)
        page["items"] = [{"links": renderer.link(f"{shape.name}/{row.id}"), "id": row.id} for row in page["items"]]
        return _resource(page, "collection")

    def _read_sublist(self, errand: Errand, key: str, name: str) -> web.Response:
        """Give a sublist; its lines are links unless they are to be expanded."""
        shape = self._of_type(errand)
        sublist = _sublist(shape, name)
        expand = errand.query.get("expandSubResources") == "true"
        answer = Renderer(self._account).sublist(self._find(errand, shape, key), sublist, expand=expand)
        return _resource(answer, "collection")

    def _read_line(self, errand: Errand, key: str, name: str, wanted: str) -> web.Response:
        """Give one line of a sublist."""
        shape = self._of_type(errand)
        sublist = _sublist(shape, name)
        document = self._find(errand, shape, key)
        for place, line in enumerate(document.sublists.get(sublist, [])):
            if str(line.get("line", place + 1)) == wanted:
                return _resource(Renderer(self._account).line(document, sublist, place), "singular")
        raise nonexistent(f"{sublist}/{wanted}")

    def _writable(self, errand: Errand) -> RecordType:
        found = self._of_type(errand)
        if not found.space:
            raise Refusal(
                f"Your current role does not have permission to change records of the type {found.name}.",
                code="INSUFFICIENT_PERMISSION",
                status=403,
            )
        return found

    def _of_type(self, errand: Errand) -> RecordType:
        shape = _shape(errand)
        self._account.refuse_denied(shape.name)
        return shape

    def _body(self, errand: Errand, shape: RecordType) -> Change:
        media, _ = errand.media
        if media not in ("application/json", RESOURCE):
            raise Refusal(f"The media type {media} is not supported.", code="INVALID_REQUEST", status=415)
        try:
            body = loads(errand.body or b"{}")
        except ValueError as error:
            raise Refusal(f"Invalid JSON: {error}", code="INVALID_CONTENT") from error
        return self._account.reader.read(shape, body, names=_names(errand))

    def _written(self, errand: Errand, document: Document, change: Change) -> web.Response:
        location = f"{self._account.world.url}{RECORDS}/{document.type}/{document.id}"
        headers = {"Location": location}
        if change.unknown and _names(errand) == "warning":
            headers["Warning"] = f'299 - "Unknown property: {", ".join(change.unknown)}"'
        return web.Response(status=204, headers=headers)

    def _find(self, errand: Errand, shape: RecordType, key: str) -> Document:
        if key.startswith("eid:"):
            found = reference_records.by_external_id(self._account, shape.name, _external_id(key))
        elif key.isascii() and key.isdigit():
            found = reference_records.find(self._account, shape.name, key)
        else:
            raise Refusal(f"The record id {key} is not valid.", code="INVALID_ID", path=key)
        if found is None:
            raise nonexistent(key)
        errand.marker = found.external_id or found.id
        return found


def _shape(errand: Errand) -> RecordType:
    name = errand.path[0] if errand.path else ""
    found = record_type(name)
    if found is None:
        raise Refusal(f"Record type {name} does not exist.", code="NONEXISTENT_ID", status=404)
    return found


def _sublist(shape: RecordType, name: str) -> str:
    if name not in shape.sublists:
        raise nonexistent(name)
    return name


def _external_id(key: str) -> str:
    external_id = key.removeprefix("eid:")
    if not _EXTERNAL_ID.fullmatch(external_id):
        raise Refusal(f"The external id {external_id} is not valid.", code="INVALID_ID", path=key)
    return external_id


def _names(errand: Errand) -> str:
    """Give what is to be done about unknown names; without the header they are only warned of."""
    names = errand.headers.get(_NAMES_HEADER.lower(), "warning").lower()
    if names not in ("error", "warning", "ignore"):
        raise Refusal(f"Invalid value {names}.", code="INVALID_HEADER", header=_NAMES_HEADER)
    return names


def _replaced(errand: Errand, shape: RecordType) -> frozenset[str]:
    names = frozenset(name for name in errand.query.get("replace", "").split(",") if name)
    unknown = names - set(shape.sublists) - set(shape.body)
    if unknown:
        raise Refusal(f"Unknown sublist {', '.join(sorted(unknown))}.", code="INVALID_PARAMETER", parameter="replace")
    return names


def _resource(body: object, kind: str) -> web.Response:
    answer = json_answer(body)
    answer.headers["Content-Type"] = f"{RESOURCE}; type={kind}"
    return answer
