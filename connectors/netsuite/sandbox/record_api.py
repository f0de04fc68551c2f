"""The record service's addresses: create, read, change, upsert, transform, delete, list."""

from __future__ import annotations

import re

from aiohttp import web

from connectors.netsuite.sandbox import paging, reference_records, transforms, writing
from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.incoming import Change
from connectors.netsuite.sandbox.problems import ERROR_TYPE, Refusal, nonexistent
from connectors.netsuite.sandbox.record_types import RECORD_TYPES, RecordType, record_type
from connectors.netsuite.sandbox.rendering import RECORDS, Renderer
from hub.sandbox.exact_json import json_answer, loads
from hub.sandbox.request_log import mark

_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_-]+")
_NAMES_HEADER = "X-NetSuite-PropertyNameValidation"


class RecordApi:
    """Handlers of one account's record service."""

    def __init__(self, account: Account) -> None:
        """Take the account that is served."""
        self._account = account

    def routes(self) -> list[web.RouteDef]:
        """Give the addresses."""
        record, one = f"{RECORDS}/{{type}}", f"{RECORDS}/{{type}}/{{key}}"
        return [
            web.get(f"{RECORDS}/metadata-catalog", self.catalog),
            web.post(record, self.create),
            web.get(record, self.list),
            web.get(one, self.read),
            web.patch(one, self.change),
            web.put(one, self.upsert),
            web.delete(one, self.delete),
            web.post(one + "/!transform/{target}", self.transform),
            web.get(one + "/{sublist}", self.read_sublist),
            web.get(one + "/{sublist}/{line}", self.read_line),
        ]

    async def catalog(self, request: web.Request) -> web.Response:
        """Name the record types."""
        renderer = Renderer(self._account)
        items = [{"name": name, "links": renderer.link(f"metadata-catalog/{name}")} for name in RECORD_TYPES]
        return json_answer({"links": renderer.link("metadata-catalog"), "items": items})

    async def create(self, request: web.Request) -> web.Response:
        """Create a record under a new internal id."""
        shape = _writable(request)
        change = await self._body(request, shape)
        # A record that is created has no name of the caller's but what its memo says.
        mark(request, change.external_id or str(change.fields.get("memo") or ""))
        document = writing.create(self._account, shape.name, change)
        return self._written(request, document, change)

    async def read(self, request: web.Request) -> web.Response:
        """Give a record."""
        document = self._find(request, _shape(request))
        only = [name for name in request.query.get("fields", "").split(",") if name]
        simple = request.query.get("simpleEnumFormat") == "true"
        expand = request.query.get("expandSubResources") == "true"
        answer = Renderer(self._account, simple_enums=simple).whole(document, expand=expand, only=only)
        return _resource(answer, "singular")

    async def change(self, request: web.Request) -> web.Response:
        """Change what the body names."""
        shape = _writable(request)
        document = self._find(request, shape)
        change = await self._body(request, shape)
        changed = writing.update(self._account, document, change, replace=_replaced(request, shape))
        return self._written(request, changed, change)

    async def upsert(self, request: web.Request) -> web.Response:
        """Create or change the record of an external id."""
        shape = _writable(request)
        key = request.match_info["key"]
        if not key.startswith("eid:"):
            raise Refusal("PUT is only possible with an external id.", code="INVALID_ID", path="eid")
        external_id = _external_id(key)
        mark(request, external_id)
        change = await self._body(request, shape)
        if change.has_external_id and change.external_id != external_id:
            raise Refusal("The external id of the body differs from the address.", path="externalId")
        known = reference_records.by_external_id(self._account, shape.name, external_id)
        replace = _replaced(request, shape)
        document = (
            writing.create(self._account, shape.name, change, external_id=external_id)
            if known is None
            else writing.update(self._account, known, change, replace=replace)
        )
        return self._written(request, document, change)

    async def transform(self, request: web.Request) -> web.Response:
        """Make a record of another one, such as a credit memo of an invoice."""
        shape = _shape(request)
        target = record_type(request.match_info["target"])
        if target is None:
            raise Refusal(
                f"A {shape.name} cannot be transformed to {request.match_info['target']} here.",
                code="INVALID_REQUEST",
            )
        source = self._find(request, shape)
        change = await self._body(request, target)
        return self._written(request, transforms.transform(self._account, source, target.name, change), change)

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a record."""
        writing.delete(self._account, self._find(request, _writable(request)))
        return web.Response(status=204)

    async def list(self, request: web.Request) -> web.Response:
        """Give ids and links of a type's records; filters by `q` are not offered, SuiteQL is."""
        shape = _shape(request)
        if "q" in request.query:
            raise Refusal("Filters are not offered here; use SuiteQL.", code="INVALID_PARAMETER", parameter="q")
        limit, offset = paging.window(request.query)
        renderer = Renderer(self._account)
        rows = list(reference_records.all_of(self._account, shape.name))
        address = f"{self._account.world.url}{RECORDS}/{shape.name}"
        page = paging.collection(address, {}, rows, limit, offset)
        page["items"] = [{"links": renderer.link(f"{shape.name}/{row.id}"), "id": row.id} for row in page["items"]]
        return _resource(page, "collection")

    async def read_sublist(self, request: web.Request) -> web.Response:
        """Give a sublist; its lines are links unless they are to be expanded."""
        shape = _shape(request)
        sublist = _sublist(request, shape)
        expand = request.query.get("expandSubResources") == "true"
        answer = Renderer(self._account).sublist(self._find(request, shape), sublist, expand=expand)
        return _resource(answer, "collection")

    async def read_line(self, request: web.Request) -> web.Response:
        """Give one line of a sublist."""
        shape = _shape(request)
        sublist = _sublist(request, shape)
        document = self._find(request, shape)
        wanted = request.match_info["line"]
        for place, line in enumerate(document.sublists.get(sublist, [])):
            if str(line.get("line", place + 1)) == wanted:
                return _resource(Renderer(self._account).line(document, sublist, place), "singular")
        raise nonexistent(f"{sublist}/{wanted}")

    async def _body(self, request: web.Request, shape: RecordType) -> Change:
        media = request.content_type
        if media not in ("application/json", "application/vnd.oracle.resource+json"):
            raise Refusal(f"The media type {media} is not supported.", code="INVALID_REQUEST", status=415)
        try:
            body = loads(await request.read() or b"{}")
        except ValueError as error:
            raise Refusal(f"Invalid JSON: {error}", code="INVALID_CONTENT") from error
        names = request.headers.get(_NAMES_HEADER, "warning").lower()
        if names not in ("error", "warning", "ignore"):
            raise Refusal(f"Invalid value {names}.", code="INVALID_HEADER", header=_NAMES_HEADER)
        return self._account.reader.read(shape, body, names=names)

    def _written(self, request: web.Request, document: Document, change: Change) -> web.Response:
        location = f"{self._account.world.url}{RECORDS}/{document.type}/{document.id}"
        headers = {"Location": location}
        if change.unknown and request.headers.get(_NAMES_HEADER, "warning").lower() == "warning":
            headers["Warning"] = f'299 - "Unknown property: {", ".join(change.unknown)}"'
        return web.Response(status=204, headers=headers)

    def _find(self, request: web.Request, shape: RecordType) -> Document:
        key = request.match_info["key"]
        if key.startswith("eid:"):
            found = reference_records.by_external_id(self._account, shape.name, _external_id(key))
        elif key.isascii() and key.isdigit():
            found = reference_records.find(self._account, shape.name, key)
        else:
            raise Refusal(f"The record id {key} is not valid.", code="INVALID_ID", path=key)
        if found is None:
            raise nonexistent(key)
        mark(request, found.external_id or found.id)
        return found


def _shape(request: web.Request) -> RecordType:
    found = record_type(request.match_info["type"])
    if found is None:
        raise Refusal(f"Record type {request.match_info['type']} does not exist.", code="NONEXISTENT_ID", status=404)
    return found


def _writable(request: web.Request) -> RecordType:
    found = _shape(request)
    if not found.space:
        raise Refusal(
            f"Your current role does not have permission to change records of the type {found.name}.",
            code="INSUFFICIENT_PERMISSION",
            status=403,
        )
    return found


def _sublist(request: web.Request, shape: RecordType) -> str:
    name = request.match_info["sublist"]
    if name not in shape.sublists:
        raise nonexistent(name)
    return name


def _external_id(key: str) -> str:
    external_id = key.removeprefix("eid:")
    if not _EXTERNAL_ID.fullmatch(external_id):
        raise Refusal(f"The external id {external_id} is not valid.", code="INVALID_ID", path=key)
    return external_id


def _replaced(request: web.Request, shape: RecordType) -> frozenset[str]:
    names = frozenset(name for name in request.query.get("replace", "").split(",") if name)
    unknown = names - set(shape.sublists) - set(shape.body)
    if unknown:
        raise Refusal(f"Unknown sublist {', '.join(sorted(unknown))}.", code="INVALID_PARAMETER", parameter="replace")
    return names


def _resource(body: object, kind: str) -> web.Response:
    answer = json_answer(body)
    answer.headers["Content-Type"] = f"{ERROR_TYPE}; type={kind}"
    return answer
