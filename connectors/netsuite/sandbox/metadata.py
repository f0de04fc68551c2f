"""The metadata catalog: which record types there are, and the fields of each as JSON Schema or OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.errands import RECORDS, Errand
from connectors.netsuite.sandbox.filters import is_filterable
from connectors.netsuite.sandbox.problems import Refusal
from connectors.netsuite.sandbox.record_types import ADDRESS, RECORD_TYPES, Field, RecordType, record_type
from connectors.netsuite.sandbox.rendering import Renderer
from hub.sandbox.exact_json import json_answer

SCHEMA, SWAGGER = "application/schema+json", "application/swagger+json"
_PLAIN: Mapping[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "number": {"type": "number", "format": "double"},
    "integer": {"type": "integer", "format": "int64"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "object": {"type": "object"},
}
_CHOICE = {"type": "object", "properties": {"id": {"type": "string"}, "refName": {"type": "string"}}}
_OPERATIONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "": {"get": ("q", "limit", "offset"), "post": ()},
    "/{id}": {
        "get": ("expandSubResources", "simpleEnumFormat", "fields"),
        "patch": ("replace",),
        "put": ("replace",),
        "delete": (),
    },
}


def answer(account: Account, errand: Errand, names: Sequence[str]) -> web.Response:
    """Answer for all types, for those of `select`, or for the one that the address names."""
    selected = [*names, *(name for name in errand.query.get("select", "").split(",") if name)]
    shapes = [_known(name) for name in selected]
    form = errand.headers.get("accept", "").partition(";")[0].strip().lower()
    if form == SCHEMA:
        return _schemas(shapes, single=bool(names))
    if form == SWAGGER:
        return json_answer(_swagger(account, shapes or list(RECORD_TYPES.values())), content_type=SWAGGER)
    renderer = Renderer(account)
    items = [
        {
            "name": shape.name,
            "links": [
                *renderer.link(f"metadata-catalog/{shape.name}"),
                *(
                    {**renderer.link(f"metadata-catalog/{shape.name}")[0], "rel": "alternate", "mediaType": media}
                    for media in (SWAGGER, SCHEMA)
                ),
            ],
        }
        for shape in shapes or RECORD_TYPES.values()
    ]
    return json_answer({"links": renderer.link("metadata-catalog"), "items": items})


def schema(shape: RecordType) -> dict[str, Any]:
    """Give the JSON Schema of a record type; `x-ns-filterable` names the fields that filters take."""
    properties = {field.name: _property(field) for field in _own(shape.body)}
    filterable = [field.name for field in _own(shape.body) if is_filterable(field)]
    for sublist, fields in shape.sublists.items():
        line = {field.name: _property(field) for field in _own(fields)}
        items = {"type": "array", "items": {"type": "object", "properties": line}}
        properties[sublist] = {"type": "object", "properties": {"items": items}}
    return {
        "type": "object",
        "properties": {"id": {"type": "string"}, **properties},
        "x-ns-filterable": ["id", *filterable],
    }


def _known(name: str) -> RecordType:
    found = record_type(name)
    if found is None:
        raise Refusal(f"Record type {name} does not exist.", code="NONEXISTENT_ID", status=404)
    return found


def _schemas(shapes: Sequence[RecordType], *, single: bool) -> web.Response:
    if single and len(shapes) == 1:
        return json_answer(schema(shapes[0]), content_type=SCHEMA)
    if not shapes:
        raise Refusal("Name the record types in 'select'.", code="INVALID_PARAMETER", parameter="select")
    return json_answer({"items": [{shape.name: schema(shape)} for shape in shapes]}, content_type=SCHEMA)


def _swagger(account: Account, shapes: Sequence[RecordType]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for shape in shapes:
        for suffix, operations in _OPERATIONS.items():
            paths[f"/{shape.name}{suffix}"] = {
                method: {
                    "tags": [shape.name],
                    "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names],
                    "responses": {
                        "204" if method in ("post", "patch", "put", "delete") else "200": {"description": ""}
                    },
                }
                for method, names in operations.items()
            }
    return {
        "openapi": "3.0.1",
        "info": {"title": "NetSuite REST Record API", "version": "v1"},
        "servers": [{"url": f"{account.world.url}{RECORDS}"}],
        "paths": paths,
        "components": {"schemas": {shape.name: schema(shape) for shape in shapes}},
    }


def _own(fields: Mapping[str, Field]) -> list[Field]:
    """Give each field once: they are known by their lower-case names too."""
    return list({field.name: field for field in fields.values()}.values())


def _property(field: Field) -> dict[str, Any]:
    if field.kind == "address":
        found: dict[str, Any] = {"type": "object", "properties": {one.name: _property(one) for one in _own(ADDRESS)}}
    else:
        found = _PLAIN.get(field.kind, _CHOICE)
    return {"title": field.name, **found, "nullable": True, **({"readOnly": True} if field.computed else {})}
