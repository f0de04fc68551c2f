"""Single records: made, read, changed and deleted by id or by an external id."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from connectors.salesforce.sandbox.identifiers import read_id
from connectors.salesforce.sandbox.refusals import Refusal, missing_resource
from connectors.salesforce.sandbox.saving import Ambiguous, Manner
from connectors.salesforce.sandbox.schema import Kind
from connectors.salesforce.sandbox.soql.scope import Scope, reader
from connectors.salesforce.sandbox.soql.shaping import attributes
from connectors.salesforce.sandbox.soql.tree import Path
from connectors.salesforce.sandbox.store import Record
from connectors.salesforce.sandbox.values import show_value
from connectors.salesforce.sandbox.wire import Call, Reply, Router

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org


class RecordApi:
    """Handlers of `/sobjects/{object}` and what is below it, describes excepted."""

    def __init__(self, org: Org) -> None:
        """Take the org that is served."""
        self._org = org

    def add_to(self, router: Router) -> None:
        """Add the addresses."""
        router.add("POST", "/sobjects/{name}", self.create)
        router.add("GET", "/sobjects/{name}/{id}", self.read)
        router.add("PATCH", "/sobjects/{name}/{id}", self.change)
        router.add("DELETE", "/sobjects/{name}/{id}", self.delete)
        router.add("POST", "/sobjects/{name}/{field}", self.create_by_null_id)
        router.add("GET", "/sobjects/{name}/{field}/{value}", self.read_by_key)
        router.add("PATCH", "/sobjects/{name}/{field}/{value}", self.upsert)
        router.add("POST", "/sobjects/{name}/{field}/{value}", self.upsert)
        router.add("DELETE", "/sobjects/{name}/{field}/{value}", self.delete_by_key)

    def create(self, call: Call, name: str) -> Reply:
        """Make a record."""
        record = self._org.saver.insert(kind_of(self._org, name), call.object(), manner_of(call))
        return _made(call, record.kind, record.id)

    def create_by_null_id(self, call: Call, name: str, field: str) -> Reply:
        """Make a record by an upsert without a key: `POST /sobjects/Account/Id`."""
        if field.lower() != "id":
            raise missing_resource()
        return self.create(call, name)

    def read(self, call: Call, name: str, id: str) -> Reply:
        """Give a record with all its fields, or those that are asked for."""
        kind = kind_of(self._org, name)
        return self._told(call, kind, self._org.saver.standing(kind, id))

    def read_by_key(self, call: Call, name: str, field: str, value: str) -> Reply:
        """Give a record that is found by a key, or follow a relationship of it."""
        kind = kind_of(self._org, name)
        declared = kind.field(field)
        if declared is None and read_id(field) is not None:
            return self._related(call, kind, field, value)
        try:
            return self._told(call, kind, self._one(kind, field, value))
        except Ambiguous as several:
            return _several(call, kind, several)

    def _told(self, call: Call, kind: Kind, record: Record) -> Reply:
        """Give a record, unless it did not change since the caller read it last."""
        modified = record.get("LastModifiedDate")
        since = http_moment(call.headers.get("if-modified-since", ""))
        headers = {"Last-Modified": formatdate(modified / 1000, usegmt=True)}
        if since is not None and modified <= since:
            return Reply(status=304, headers=headers)
        return Reply(body=shown(self._org, kind, record, call), headers=headers)

    def change(self, call: Call, name: str, id: str) -> Reply:
        """Change a record."""
        kind = kind_of(self._org, name)
        self._refuse_stale(call, self._org.saver.standing(kind, id))
        self._org.saver.update(kind, id, call.object(), manner_of(call))
        return Reply(status=204)

    def upsert(self, call: Call, name: str, field: str, value: str) -> Reply:
        """Change the record with a key, or make it; an old version of the API tells nothing of a change."""
        kind = kind_of(self._org, name)
        update_only = call.query.get("updateOnly", "false").lower() == "true"
        try:
            saved = self._org.saver.upsert(kind, field, value, call.object(), manner_of(call), update_only=update_only)
        except Ambiguous as several:
            return _several(call, kind, several)
        if call.version < 46:
            return _made(call, kind.name, saved.id) if saved.created else Reply(status=204)
        body = {"id": saved.id, "success": True, "errors": [], "created": saved.created}
        if not saved.created:
            return Reply(status=200, body=body)
        return Reply(status=201, body=body, headers={"Location": f"{call.base}/sobjects/{kind.name}/{saved.id}"})

    def delete(self, call: Call, name: str, id: str) -> Reply:
        """Put a record into the recycle bin."""
        self._org.saver.delete(kind_of(self._org, name), id, manner_of(call))
        return Reply(status=204)

    def delete_by_key(self, call: Call, name: str, field: str, value: str) -> Reply:
        """Put a record that is found by a key into the recycle bin."""
        kind = kind_of(self._org, name)
        try:
            self._org.saver.delete(kind, self._one(kind, field, value).id, manner_of(call))
        except Ambiguous as several:
            return _several(call, kind, several)
        return Reply(status=204)

    def _one(self, kind: Kind, field: str, value: str) -> Record:
        found = self._org.saver.matches(kind, self._org.saver.key_field(kind, field), value)
        if not found:
            raise missing_resource()
        if len(found) > 1:
            raise Ambiguous(found)
        return self._org.store.table(kind.name).live[found[0]]

    def _related(self, call: Call, kind: Kind, id: str, name: str) -> Reply:
        """Follow a relationship: to the parent, or to the list below."""
        org, record = self._org, self._org.saver.standing(kind, id)
        children = org.schema.children(kind.name).get(name.lower())
        if children is not None:
            rows = list(org.store.below(record.id, children.kind, children.field))
            target = org.schema.get(children.kind)
            records = [shown(org, target, row, call) for row in rows[: org.settings.rows_per_page]]
            return Reply(body={"totalSize": len(rows), "done": True, "records": records})
        for field in kind.fields.values():
            if field.relationship.lower() == name.lower():
                parent = org.store.get(record.get(field.name))
                if parent is not None:
                    return Reply(body=shown(org, org.schema.get(parent.kind), parent, call))
        raise missing_resource()

    def _refuse_stale(self, call: Call, record: Record) -> None:
        """Refuse a change of what was changed since a moment that the caller names."""
        since = call.headers.get("if-unmodified-since")
        if since is None:
            return
        moment = http_moment(since)
        if moment is not None and record.get("LastModifiedDate") > moment:
            raise Refusal("ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE", "The record was modified since.", status=412)


def kind_of(org: Org, name: str) -> Kind:
    """Give the object that an address names."""
    kind = org.schema.find(name)
    if kind is None:
        raise missing_resource()
    return kind


def manner_of(call: Call) -> Manner:
    """Give how a call writes."""
    said = call.headers.get("sforce-duplicate-rule-header", "")
    parts = {
        key.strip().lower(): value.strip().lower() for key, _, value in (p.partition("=") for p in said.split(";"))
    }
    return Manner(user=call.user, allow_duplicates=parts.get("allowsave") == "true")


def shown(org: Org, kind: Kind, record: Record, call: Call, wanted: str | None = None) -> dict[str, Any]:
    """Give a record as the REST API shows a single one; `fields` of the call names those that are wanted."""
    names = call.query.get("fields") if wanted is None else wanted
    found: dict[str, Any] = {"attributes": attributes(record, call.base)}
    if not names:
        for field in kind.fields.values():
            found[field.name] = show_value(field, reader(field)(record))
        return found
    scope = Scope(org=org, kind=kind, text=names)
    for name in names.split(","):
        meant = scope.meaning(Path(tuple(name.strip().split("."))))
        value = show_value(meant.field, scope.getter(meant)(record))
        if not meant.climbs:
            found[meant.field.name] = value
            continue
        place, above = found, record
        for climb in meant.climbs:
            parent = org.store.get(above.get(climb.name))
            if parent is None:
                place.setdefault(climb.relationship, None)
                break
            above = parent
            place = place.setdefault(climb.relationship, {"attributes": attributes(parent, call.base)})
        else:
            place[meant.field.name] = value
    found.setdefault("Id", record.id)
    return found


def http_moment(text: str) -> int | None:
    """Read a date of an HTTP header; gives milliseconds, or None for what is none."""
    try:
        return int(parsedate_to_datetime(text).timestamp()) * 1000
    except (TypeError, ValueError):
        return None


def _made(call: Call, kind: str, id: str) -> Reply:
    headers: Mapping[str, str] = {"Location": f"{call.base}/sobjects/{kind}/{quote(id)}"}
    return Reply(status=201, body={"id": id, "success": True, "errors": []}, headers=headers)


def _several(call: Call, kind: Kind, several: Ambiguous) -> Reply:
    return Reply(status=300, body=[f"{call.base}/sobjects/{kind.name}/{id}" for id in several.ids])
