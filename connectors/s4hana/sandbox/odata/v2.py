"""OData v2 as SAP Gateway speaks it: requests to one service, answered in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from connectors.s4hana.sandbox.edm.edmx import edmx
from connectors.s4hana.sandbox.edm.model import EntitySet, FunctionImport, Property, Service
from connectors.s4hana.sandbox.edm.values import NotAValue, etag_of, held, to_v2
from connectors.s4hana.sandbox.odata.address import no_segment, segments
from connectors.s4hana.sandbox.odata.entities import Entities, Node, Place, not_allowed, unit_of
from connectors.s4hana.sandbox.odata.errors import (
    CHANGED_MEANWHILE,
    NO_METHOD,
    PRECONDITION,
    Message,
    Refusal,
    in_v2,
)
from connectors.s4hana.sandbox.odata.exchange import Call, Reply, json_reply
from connectors.s4hana.sandbox.odata.incoming import read_body
from connectors.s4hana.sandbox.odata.literals import key_value
from connectors.s4hana.sandbox.odata.query import Expansion, Options, page_of, read_options, summed
from connectors.s4hana.sandbox.store import Key, Row

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

ROOT = "/sap/opu/odata/sap"
_HEADERS = {"dataserviceversion": "2.0", "cache-control": "no-store, no-cache"}
_UPDATES = frozenset({"PATCH", "MERGE", "PUT"})


class ServiceV2:
    """One service of version 2, for one request."""

    def __init__(self, tenant: Tenant, service: Service) -> None:
        """Take the service as it is now."""
        self._tenant = tenant
        self.service = service
        self.entities = Entities(tenant, service)

    @property
    def root(self) -> str:
        """Give the service's address without a trailing slash."""
        return f"{self._tenant.world.url}{ROOT}/{self.service.name}"

    def refuse(self, refusal: Refusal, call: Call) -> Reply:
        """Put a refusal into words: JSON for who asks for it, XML for all others."""
        reply = in_v2(refusal, self._tenant.scene(self.service))
        if wants_json(call):
            return reply
        body = (
            '<?xml version="1.0" encoding="utf-8"?><error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/'
            f'metadata"><code>{escape(refusal.code)}</code>'
            f'<message xml:lang="en">{escape(refusal.text)}</message></error>'
        )
        headers = {**reply.headers, "content-type": "application/xml;charset=utf-8"}
        return Reply(status=reply.status, headers=headers, body=body.encode())

    def answer(self, call: Call) -> Reply:
        """Execute one request; raises `Refusal`."""
        method = call.headers.get("x-http-method", call.method).upper() if call.method == "POST" else call.method
        path = call.path.strip("/")
        if method in ("GET", "HEAD") and path in ("", "$metadata"):
            return self._about(path, call)
        parts = segments(call.path)
        if not parts:
            raise not_allowed(method, EntitySet(name="", type="", table="", properties={}, navigations={}))
        function = self.service.functions.get(parts[0].name)
        if function is not None and len(parts) == 1:
            return self._function(function, method, call)
        place = self.entities.find(parts)
        if method in ("GET", "HEAD"):
            return self._read(place, call)
        if place.tail:
            raise Refusal("Properties cannot be changed one by one.", code=NO_METHOD, status=405)
        if method == "POST":
            return self._create(place, call)
        if place.key is None or method not in (*_UPDATES, "DELETE"):
            raise Refusal(f"Method '{method}' is not allowed here.", code=NO_METHOD, status=405)
        self._precondition(place, call)
        self._tenant.check_lock(place.entity_set.table, place.key)
        if method == "DELETE":
            self.entities.delete(place)
            return Reply(status=204, headers=self._done())
        node = self._tenant.reader(self.service, call, making=False).node(read_body(call), place.entity_set)
        row = self.entities.change(place, changeable(node), replace=method == "PUT")
        return Reply(status=204, headers={**self._done(), **self._etag_header(place.entity_set, row)})

    def _about(self, path: str, call: Call) -> Reply:
        if path == "$metadata":
            body = edmx(self.service).encode()
            return Reply(status=200, headers={**_HEADERS, "content-type": "application/xml"}, body=body)
        if not wants_json(call):
            sets = "".join(
                f'<app:collection href="{name}"><atom:title>{name}</atom:title></app:collection>'
                for name in self.service.sets
            )
            text = (
                '<?xml version="1.0" encoding="utf-8"?><app:service xmlns:app="http://www.w3.org/2007/app" '
                f'xmlns:atom="http://www.w3.org/2005/Atom" xml:base="{self.root}/"><app:workspace>'
                f"<atom:title>Data</atom:title>{sets}</app:workspace></app:service>"
            )
            return Reply(
                status=200, headers={**_HEADERS, "content-type": "application/atomsvc+xml"}, body=text.encode()
            )
        return json_reply({"d": {"EntitySets": list(self.service.sets)}}, headers=_HEADERS)

    def _read(self, place: Place, call: Call) -> Reply:
        if place.tail == ("$count",):
            options = read_options(call.options, self.service, place.entity_set)
            rows = self._all(place, options)
            total = sum(1 for _, row in rows if options.keep is None or options.keep(row))
            if place.key is not None:
                total = 1 if self.entities.row(place) else 0
            return Reply(
                status=200, headers={**_HEADERS, "content-type": "text/plain; charset=utf-8"}, body=b"%d" % total
            )
        if place.tail:
            return self._property(place, call)
        options = read_options(call.options, self.service, place.entity_set)
        refuse_other_formats(call)
        if place.key is None:
            return json_reply({"d": self._collection(place, options, call)}, headers=_HEADERS)
        row = self.entities.row(place)
        etag = self._etag_header(place.entity_set, row)
        if etag and call.headers.get("if-none-match") == etag["etag"]:
            return Reply(status=304, headers={**_HEADERS, **etag})
        body = {"d": self._entity(place.entity_set, place.key, row, options.shown)}
        return json_reply(body, headers={**_HEADERS, **etag})

    def _all(self, place: Place, options: Options) -> Any:
        """Give the rows of a collection, summed where the set is an aggregate."""
        rows = self.entities.rows(place, keep=options.keep)
        if not place.entity_set.aggregate:
            return rows
        kept = ((key, row) for key, row in rows if options.keep is None or options.keep(row))
        return summed(kept, place.entity_set, options.shown.select)

    def _collection(self, place: Place, options: Options, call: Call) -> dict[str, Any]:
        size = self._tenant.page_size(self.service)
        if place.entity_set.aggregate:
            found = sorted(self._all(place, options), key=lambda item: item[0])
            keep, options.keep = options.keep, None

            def scan(after: Key | None) -> Any:
                return (item for item in found if after is None or item[0] > after)

            page = page_of(scan, options, size)
            options.keep = keep
        else:
            page = page_of(lambda after: self.entities.rows(place, after=after, keep=options.keep), options, size)
        shown = [self._entity(place.entity_set, key, row, options.shown) for key, row in page.rows]
        body: dict[str, Any] = {"results": shown}
        if page.total is not None:
            body = {"__count": str(page.total), **body}
        if page.next is not None:
            kept = [part for part in call.query.split("&") if part and not part.startswith(("$skiptoken=", "%24skipt"))]
            link = "&".join([*kept, f"$skiptoken={quote(page.next)}"])
            body["__next"] = f"{self.root}/{call.path.strip('/')}?{link}"
        return body

    def _property(self, place: Place, call: Call) -> Reply:
        row = self.entities.row(place)
        property_ = place.entity_set.properties[place.tail[0]]
        value = to_v2(property_, held(property_, row), unit_of(place.entity_set, property_, row))
        if place.tail[1:] == ("$value",):
            text = "" if value is None else str(value)
            return Reply(status=200, headers={**_HEADERS, "content-type": "text/plain"}, body=text.encode())
        refuse_other_formats(call)
        return json_reply({"d": {property_.name: value}}, headers=_HEADERS)

    def _create(self, place: Place, call: Call) -> Reply:
        refuse_other_formats(call)
        self.entities.check_creation(place)
        inherited = () if place.navigation is None else place.navigation.columns
        node = self._tenant.reader(self.service, call).node(read_body(call), place.entity_set, inherited)
        if place.parent is not None and place.parent_set is not None:
            self._tenant.check_lock(
                place.parent_set.table, tuple(str(v) for v in _keys(place.parent_set, place.parent))
            )
        key = self.entities.create(place, node)
        row = self.entities.row(Place(entity_set=place.entity_set, key=key))
        body = {"d": self._entity(place.entity_set, key, row, given_of(node))}
        headers = {"location": self.uri(place.entity_set, key), **self._etag_header(place.entity_set, row)}
        return json_reply(body, status=201, headers={**self._done(), **headers})

    def _function(self, function: FunctionImport, method: str, call: Call) -> Reply:
        if method != function.method:
            raise Refusal(
                f"Function import '{function.name}' is called by {function.method}.", code=NO_METHOD, status=405
            )
        refuse_other_formats(call)
        given = dict(call.options)
        unknown = [name for name in given if name not in function.parameters and not name.startswith(("$", "sap-"))]
        if unknown:
            raise Refusal(f"Invalid Function Import Parameter '{unknown[0]}'", target=unknown[0])
        values: dict[str, Any] = {}
        for name, property_ in function.parameters.items():
            if name not in given:
                raise Refusal(f"Mandatory parameter '{name}' of function import '{function.name}' is missing.")
            try:
                values[name] = key_value(property_, given[name], v4=False)
            except NotAValue:
                raise Refusal(f"Invalid value {given[name]} for parameter '{name}'.", target=name) from None
        with self._tenant.unit_of_work():
            results = self._tenant.function(self.service.name, function.name)(self._tenant, values)
        kind = {"__metadata": {"type": f"{self.service.namespace}.{function.returns}"}}
        shown = [{**kind, **result} for result in results]
        body = {"results": shown} if function.many else {function.name: shown[0]}
        return json_reply({"d": body}, headers=self._done())

    def uri(self, entity_set: EntitySet, key: Key) -> str:
        """Give an entity's address."""
        keys = entity_set.keys
        parts = [_quoted(property_, part) for property_, part in zip(keys, key, strict=True)]
        if len(parts) == 1:
            return f"{self.root}/{entity_set.name}({parts[0]})"
        pairs = ",".join(f"{property_.name}={part}" for property_, part in zip(keys, parts, strict=True))
        return f"{self.root}/{entity_set.name}({pairs})"

    def _entity(self, entity_set: EntitySet, key: Key, row: Row, shown: Expansion) -> dict[str, Any]:
        uri = self.uri(entity_set, key)
        about = {"id": uri, "uri": uri, "type": f"{self.service.namespace}.{entity_set.type}"}
        etag = self.etag(entity_set, row)
        body: dict[str, Any] = {"__metadata": {**about, "etag": etag} if etag else about}
        for name, property_ in entity_set.properties.items():
            if name not in entity_set.hidden and (shown.select is None or name in shown.select):
                unit = unit_of(entity_set, property_, row) if property_.unit else ""
                body[name] = to_v2(property_, held(property_, row), unit)
        for name, navigation in entity_set.navigations.items():
            inner = shown.expand.get(name)
            if inner is None:
                if shown.select is None or name in shown.select:
                    body[name] = {"__deferred": {"uri": f"{uri}/{name}"}}
                continue
            target = self.service.sets[navigation.target]
            behind = list(self.entities.behind(entity_set, row, navigation))
            page = page_of(lambda after, rows=behind: rows, Options(), self._most(behind))  # type: ignore[misc]
            found = [self._entity(target, each, below, inner.shown) for each, below in page.rows]
            if not navigation.many:
                body[name] = found[0] if found else None
                continue
            body[name] = {"results": found}
            if page.next is not None:
                body[name]["__next"] = f"{uri}/{name}?$skiptoken={quote(page.next)}"
        return body

    def _most(self, behind: Sequence[Any]) -> int:
        """Give how many of the rows behind a navigation one answer expands."""
        return self._tenant.settings.expanded_rows or len(behind) + 1

    def etag(self, entity_set: EntitySet, row: Row) -> str:
        """Give an entity's ETag; empty where it has none."""
        property_ = entity_set.concurrency
        if property_ is not None:
            return etag_of(property_, row.get(property_.column))
        # Business partners have one as a field of their own.
        return f"W/\"'{row['ETag']}'\"" if "ETag" in entity_set.properties and row.get("ETag") else ""

    def _etag_header(self, entity_set: EntitySet, row: Row) -> dict[str, str]:
        etag = self.etag(entity_set, row)
        return {"etag": etag} if etag else {}

    def _precondition(self, place: Place, call: Call) -> None:
        given = call.headers.get("if-match")
        etag = self.etag(place.entity_set, self.entities.row(place))
        if given is None:
            if place.entity_set.concurrency is not None:
                raise Refusal("Precondition required", code=PRECONDITION, status=428)
            return
        if given.strip() != "*" and etag and etag not in [each.strip() for each in given.split(",")]:
            raise Refusal(
                "State of the resource (entity) was already changed (If-Match)", code=CHANGED_MEANWHILE, status=412
            )

    def _done(self) -> dict[str, str]:
        """Give the headers of a successful write: warnings travel in `sap-message`."""
        warnings = self._tenant.take_warnings()
        if not warnings:
            return dict(_HEADERS)
        first, *rest = [_short(each) for each in warnings]
        # Headers carry no more than ASCII.
        return {**_HEADERS, "sap-message": json.dumps({**first, "details": rest})}


def wants_json(call: Call) -> bool:
    """Tell whether the answer may be JSON: `$format=json`, or an Accept header that names it."""
    if "$format" in call.query or "%24format" in call.query:
        return dict(call.options).get("$format", "").lower().startswith("json")
    return "json" in call.headers.get("accept", "").lower()


def refuse_other_formats(call: Call) -> None:
    """Refuse Atom, which is what Gateway answers with unless JSON is asked for, and which is not there."""
    if not wants_json(call):
        raise Refusal(
            "This sandbox has no Atom: send Accept: application/json, or $format=json.",
            code="/IWFND/CM_MGW/406",
            status=406,
        )


def changeable(node: Node) -> Mapping[str, Any]:
    """Give the columns that a request may change."""
    return {
        each.column: node.values[each.column]
        for each in node.entity_set.properties.values()
        if each.updatable and each.column in node.values
    }


def given_of(node: Node) -> Expansion:
    """Show of a created entity what was created with it."""
    shown = Expansion()
    for navigation, children in node.children:
        inner = given_of(children[0]) if children else Expansion()
        shown.expand[navigation.name] = Options(shown=inner)
    return shown


def _keys(entity_set: EntitySet, row: Row) -> list[Any]:
    return [row.get(each.column, "") for each in entity_set.keys]


def _quoted(property_: Property, part: str) -> str:
    if property_.type == "Date":
        return "datetime'" + quote(f"{part}T00:00:00", safe="") + "'"
    return "'" + quote(part.replace("'", "''"), safe="'~") + "'"


def _short(message: Message) -> dict[str, Any]:
    return {"code": message.code, "message": message.text, "severity": message.severity, "target": message.target}


def service_name(segment: str) -> str:
    """Give the service that a segment of an address names, which may carry a version: `API_X;v=0002`."""
    name, _, parameter = segment.partition(";")
    if parameter and parameter.removeprefix("v=").lstrip("0") not in ("1", "2"):
        raise no_segment(segment)
    return name
