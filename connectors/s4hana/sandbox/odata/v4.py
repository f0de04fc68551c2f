"""OData v4 as SAP Gateway speaks it: requests to one service, answered in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from connectors.s4hana.sandbox.edm.csdl import csdl
from connectors.s4hana.sandbox.edm.model import EntitySet, Service
from connectors.s4hana.sandbox.edm.values import held, to_v4
from connectors.s4hana.sandbox.odata.address import segments
from connectors.s4hana.sandbox.odata.entities import Entities, Place, not_allowed, unit_of
from connectors.s4hana.sandbox.odata.errors import (
    CHANGED_MEANWHILE_V4,
    NO_METHOD,
    PRECONDITION_V4,
    Refusal,
    in_v4,
)
from connectors.s4hana.sandbox.odata.exchange import Call, Reply, json_reply
from connectors.s4hana.sandbox.odata.incoming import read_body
from connectors.s4hana.sandbox.odata.query import Expansion, page_of, read_options
from connectors.s4hana.sandbox.odata.v2 import changeable, given_of
from connectors.s4hana.sandbox.store import Key, Row

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

ROOT = "/sap/opu/odata4/sap"
_HEADERS = {"odata-version": "4.0", "cache-control": "no-store, no-cache"}
_SEVERITIES = {"error": 4, "warning": 3, "info": 2, "success": 1}


class ServiceV4:
    """One service of version 4, for one request."""

    def __init__(self, tenant: Tenant, service: Service) -> None:
        """Take the service as it is now."""
        self._tenant = tenant
        self.service = service
        self.entities = Entities(tenant, service)

    @property
    def root(self) -> str:
        """Give the service's address without a trailing slash."""
        return f"{self._tenant.world.url}{ROOT}/{self.service.path}"

    def refuse(self, refusal: Refusal, call: Call) -> Reply:
        """Put a refusal into words."""
        return in_v4(refusal, self._tenant.scene(self.service))

    def answer(self, call: Call) -> Reply:
        """Execute one request; raises `Refusal`."""
        method, path = call.method, call.path.strip("/")
        if method in ("GET", "HEAD") and path == "$metadata":
            body = csdl(self.service).encode()
            return Reply(status=200, headers={**_HEADERS, "content-type": "application/xml"}, body=body)
        if method in ("GET", "HEAD") and not path:
            sets = [{"name": name, "url": name} for name in self.service.sets]
            return self._json({"@odata.context": "$metadata", "value": sets}, call)
        parts = segments(call.path)
        if not parts:
            raise not_allowed(method, EntitySet(name="", type="", table="", properties={}, navigations={}))
        place = self.entities.find(parts)
        if method in ("GET", "HEAD"):
            return self._read(place, call)
        if place.tail:
            raise Refusal("Properties cannot be changed one by one.", code=NO_METHOD, status=405)
        if method == "POST":
            return self._create(place, call)
        if place.key is None or method not in ("PATCH", "PUT", "DELETE"):
            raise Refusal(f"Method '{method}' is not allowed here.", code=NO_METHOD, status=405)
        self._precondition(place.entity_set, self.entities.row(place), call)
        self._tenant.check_lock(place.entity_set.table, place.key)
        if method == "DELETE":
            self.entities.delete(place)
            return Reply(status=204, headers=_HEADERS)
        node = self._tenant.reader(self.service, call, making=False).node(read_body(call), place.entity_set)
        row = self.entities.change(place, changeable(node), replace=method == "PUT")
        if _minimal(call):
            headers = {**_HEADERS, "preference-applied": "return=minimal", **self._etag_header(place.entity_set, row)}
            return Reply(status=204, headers=headers)
        return self._one(place.entity_set, place.key, row, Expansion(), call, status=200)

    def _read(self, place: Place, call: Call) -> Reply:
        options = read_options(call.options, self.service, place.entity_set)
        if place.tail == ("$count",):
            keep = options.keep
            total = sum(1 for _, row in self.entities.rows(place, keep=keep) if keep is None or keep(row))
            return Reply(
                status=200, headers={**_HEADERS, "content-type": "text/plain; charset=utf-8"}, body=b"%d" % total
            )
        if place.tail:
            row = self.entities.row(place)
            property_ = place.entity_set.properties[place.tail[0]]
            value = self._value(place.entity_set, property_.name, row, call)
            if place.tail[1:] == ("$value",):
                text = "" if value is None else str(value)
                return Reply(status=200, headers={**_HEADERS, "content-type": "text/plain"}, body=text.encode())
            return self._json({"@odata.context": f"$metadata#{call.path}", "value": value}, call)
        if place.key is not None:
            row = self.entities.row(place)
            etag = self.etag(place.entity_set, row)
            if etag and call.headers.get("if-none-match") == etag:
                return Reply(status=304, headers={**_HEADERS, "etag": etag})
            return self._one(place.entity_set, place.key, row, options.shown, call, status=200)
        size = self._tenant.page_size(self.service)
        wanted = _preferred_size(call)
        page = page_of(
            lambda after: self.entities.rows(place, after=after, keep=options.keep),
            options,
            min(size, wanted) if wanted else size,
        )
        body: dict[str, Any] = {"@odata.context": f"$metadata#{place.entity_set.name}"}
        if page.total is not None:
            body["@odata.count"] = page.total if not _ieee754(call) else str(page.total)
        body["value"] = [self._entity(place.entity_set, key, row, options.shown, call) for key, row in page.rows]
        if page.next is not None:
            kept = [part for part in call.query.split("&") if part and not part.startswith(("$skiptoken=", "%24skipt"))]
            link = "&".join([*kept, f"$skiptoken={quote(page.next)}"])
            # Relative to the address of the request, as the standard allows it.
            body["@odata.nextLink"] = f"{call.path.strip('/').rpartition('/')[2]}?{link}"
        return self._json(body, call)

    def _create(self, place: Place, call: Call) -> Reply:
        self.entities.check_creation(place)
        if place.parent is not None and place.parent_set is not None:
            self._precondition(place.parent_set, place.parent, call, required=False)
            self._tenant.check_lock(
                place.parent_set.table, tuple(str(place.parent.get(each.column, "")) for each in place.parent_set.keys)
            )
        inherited = () if place.navigation is None else place.navigation.columns
        node = self._tenant.reader(self.service, call).node(read_body(call), place.entity_set, inherited)
        key = self.entities.create(place, node)
        row = self.entities.row(Place(entity_set=place.entity_set, key=key))
        if _minimal(call):
            uri = self.uri(place.entity_set, key)
            headers = {"location": uri, "odata-entityid": uri, "preference-applied": "return=minimal"}
            return Reply(status=204, headers={**_HEADERS, **headers, **self._etag_header(place.entity_set, row)})
        return self._one(place.entity_set, key, row, given_of(node), call, status=201)

    def _one(self, entity_set: EntitySet, key: Key, row: Row, shown: Expansion, call: Call, *, status: int) -> Reply:
        body = {"@odata.context": f"$metadata#{entity_set.name}/$entity"}
        body |= self._entity(entity_set, key, row, shown, call)
        if call.method != "GET" and "SAP__Messages" in body:
            body["SAP__Messages"] = self._messages()
        headers = self._etag_header(entity_set, row)
        if status == 201:
            headers["location"] = self.uri(entity_set, key)
        return self._json(body, call, status=status, headers=headers)

    def _messages(self) -> Any:
        """Give warnings of a write as the entity's messages."""
        return [
            {
                "code": each.code,
                "message": each.text,
                "target": each.target or None,
                "additionalTargets": [],
                "transition": True,
                "numericSeverity": _SEVERITIES[each.severity],
                "longtextUrl": None,
            }
            for each in self._tenant.take_warnings()
        ]

    def _json(
        self, body: Mapping[str, Any], call: Call, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Reply:
        precise = ";IEEE754Compatible=true" if _ieee754(call) else ""
        kind = f"application/json;odata.metadata=minimal{precise};charset=utf-8"
        return json_reply(body, status=status, headers={**_HEADERS, **(headers or {}), "content-type": kind})

    def uri(self, entity_set: EntitySet, key: Key) -> str:
        """Give an entity's address."""
        names = [each.name for each in entity_set.keys]
        quoted = ["'" + quote(part.replace("'", "''"), safe="'~") + "'" for part in key]
        if len(names) == 1:
            return f"{self.root}/{entity_set.name}({quoted[0]})"
        pairs = ",".join(f"{name}={part}" for name, part in zip(names, quoted, strict=True))
        return f"{self.root}/{entity_set.name}({pairs})"

    def _entity(self, entity_set: EntitySet, key: Key, row: Row, shown: Expansion, call: Call) -> dict[str, Any]:
        etag = self.etag(entity_set, row)
        body: dict[str, Any] = {"@odata.etag": etag} if etag else {}
        for name, property_ in entity_set.properties.items():
            if name not in entity_set.hidden and (shown.select is None or name in shown.select or property_.key):
                body[name] = self._value(entity_set, name, row, call)
        if shown.select is None and entity_set.messages:
            body["SAP__Messages"] = []
        for name, options in shown.expand.items():
            navigation = entity_set.navigations[name]
            target = self.service.sets[navigation.target]
            found = list(self.entities.behind(entity_set, row, navigation))
            if not navigation.many:
                body[name] = self._entity(target, *found[0], options.shown, call) if found else None
                continue
            most = self._tenant.settings.expanded_rows or len(found) + 1
            page = page_of(lambda after, found=found: found, options, most)  # type: ignore[misc]
            if page.total is not None:
                body[f"{name}@odata.count"] = page.total
            body[name] = [self._entity(target, each, below, options.shown, call) for each, below in page.rows]
            if page.next is not None:
                link = f"{self.uri(entity_set, key).rpartition('/')[2]}/{name}"
                body[f"{name}@odata.nextLink"] = f"{link}?$skiptoken={quote(page.next)}"
        return body

    def _value(self, entity_set: EntitySet, name: str, row: Row, call: Call) -> Any:
        property_ = entity_set.properties[name]
        unit = unit_of(entity_set, property_, row) if property_.unit else ""
        return to_v4(property_, held(property_, row), unit, as_text=_ieee754(call))

    def etag(self, entity_set: EntitySet, row: Row) -> str:
        """Give an entity's ETag; parts of an order have that of the order."""
        property_ = entity_set.concurrency
        if property_ is None:
            navigation = entity_set.navigations.get("_SalesOrder") if entity_set.versioned else None
            if navigation is None:
                return ""
            head = next((each for _, each in self.entities.behind(entity_set, row, navigation)), None)
            return "" if head is None else self.etag(self.service.sets[navigation.target], head)
        value = row.get(property_.column)
        return f'W/"SADL-{value.strftime("%Y%m%d%H%M%S%f")}0~1"' if isinstance(value, datetime) else ""

    def _etag_header(self, entity_set: EntitySet, row: Row) -> dict[str, str]:
        etag = self.etag(entity_set, row)
        return {"etag": etag} if etag else {}

    def _precondition(self, entity_set: EntitySet, row: Row, call: Call, *, required: bool = True) -> None:
        given, etag = call.headers.get("if-match"), self.etag(entity_set, row)
        if given is None:
            if required and etag:
                raise Refusal("The request has to be conditional (ETag required)", code=PRECONDITION_V4, status=428)
            return
        if given.strip() != "*" and etag and etag not in [each.strip() for each in given.split(",")]:
            raise Refusal(
                "Precondition failed: the entity was changed meanwhile", code=CHANGED_MEANWHILE_V4, status=412
            )


def _ieee754(call: Call) -> bool:
    return "ieee754compatible=true" in call.headers.get("accept", "").lower().replace(" ", "")


def _minimal(call: Call) -> bool:
    return "return=minimal" in call.headers.get("prefer", "").replace(" ", "")


def _preferred_size(call: Call) -> int:
    for part in call.headers.get("prefer", "").split(","):
        name, _, value = part.strip().partition("=")
        if name in ("odata.maxpagesize", "maxpagesize") and value.isdecimal():
            return int(value)
    return 0
