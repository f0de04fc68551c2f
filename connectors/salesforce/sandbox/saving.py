"""Writing records: what a caller sends is checked, completed and kept, or refused with everything it had begun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox import deleting, guards, references, rules
from connectors.salesforce.sandbox.changes import Change
from connectors.salesforce.sandbox.identifiers import read_id
from connectors.salesforce.sandbox.refusals import Refusal, missing_resource, no_such_column
from connectors.salesforce.sandbox.schema import Field, Kind
from connectors.salesforce.sandbox.store import Record
from connectors.salesforce.sandbox.values import read_value

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a caller writes: as which user, over duplicates or not, and whether all values came as text (CSV).

    Who `deletes_activated` has the right to delete contracts that are activated.
    """

    user: str
    allow_duplicates: bool = False
    deletes_activated: bool = False
    from_text: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What became of an upsert."""

    id: str
    created: bool


class Saver:
    """All writes to one org's records; each raises `Refusal` and leaves nothing behind when it does."""

    def __init__(self, org: Org) -> None:
        """Take the org."""
        self._org = org

    def insert(self, kind: Kind, body: Mapping[str, Any], manner: Manner) -> Record:
        """Make a record."""
        self._refuse_read_only(kind)
        if any(name.lower() == "id" and value for name, value in body.items()):
            raise Refusal(
                "INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", fields=["Id"], status=400
            )
        with self._org.store.all_or_nothing():
            sent = self._read(kind, body, manner, creating=True)
            values = {**self._defaults(kind), **sent}
            if kind.owned:
                values.setdefault("OwnerId", manner.user)
            change = Change(kind=kind, before=None, values=values, sent=frozenset(sent))
            return self._write(change, manner, id=None)

    def update(self, kind: Kind, id: str, body: Mapping[str, Any], manner: Manner) -> Record:
        """Change a record; what is not sent stays."""
        self._refuse_read_only(kind)
        before = self.standing(kind, id)
        with self._org.store.all_or_nothing():
            sent = self._read(kind, body, manner, creating=False)
            values = {**before.values, **sent}
            change = Change(kind=kind, before=before, values=values, sent=frozenset(sent))
            return self._write(change, manner, id=before.id)

    def upsert(
        self, kind: Kind, key: str, value: str, body: Mapping[str, Any], manner: Manner, *, update_only: bool = False
    ) -> Saved:
        """Change the record that has a value in a key field, or make it."""
        field_ = self.key_field(kind, key)
        if any(name.lower() == field_.name.lower() for name in body):
            raise Refusal(
                "INVALID_FIELD",
                f"The {field_.name} field should not be specified in the sobject data.",
                fields=[field_.name],
            )
        found = self.matches(kind, field_, value)
        if len(found) > 1:
            raise Ambiguous(found)
        if found:
            return Saved(id=self.update(kind, found[0], body, manner).id, created=False)
        if update_only or field_.type == "id":
            raise missing_resource()
        return Saved(id=self.insert(kind, {**body, field_.name: value}, manner).id, created=True)

    def delete(self, kind: Kind, id: str, manner: Manner) -> None:
        """Put a record, and what hangs on it, into the recycle bin."""
        if not kind.deletable:
            raise Refusal("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", status=403)
        record = self.standing(kind, id)
        with self._org.store.all_or_nothing():
            deleting.delete(self._org, record, manner.user, activated=manner.deletes_activated)

    def undelete(self, id: str, manner: Manner) -> None:
        """Bring a record back out of the recycle bin, with what went there with it."""
        with self._org.store.all_or_nothing():
            deleting.undelete(self._org, id, manner.user)

    def standing(self, kind: Kind, id: str) -> Record:
        """Give the record that an id in an address leads to."""
        full = read_id(id)
        if full is None:
            raise missing_resource()
        record = self._org.store.table(kind.name).live.get(full)
        if record is not None:
            return record
        if full in self._org.store.table(kind.name).bin:
            raise Refusal("ENTITY_IS_DELETED", "entity is deleted", status=404, fields=[])
        raise missing_resource()

    def key_field(self, kind: Kind, name: str) -> Field:
        """Give a field that records can be addressed by."""
        found = kind.field(name)
        if found is None or not found.key:
            raise missing_resource()
        return found

    def matches(self, kind: Kind, field_: Field, value: str) -> list[str]:
        """Give the ids of the live records that have a value in a key field."""
        table = self._org.store.table(kind.name)
        if field_.type == "id":
            id = read_id(value)
            return [id] if id is not None and id in table.live else []
        return table.find(field_, read_value(field_, value, from_text=True))

    def _refuse_read_only(self, kind: Kind) -> None:
        if not kind.writable:
            raise Refusal(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be inserted: {kind.label}", status=400
            )

    def _read(self, kind: Kind, body: Mapping[str, Any], manner: Manner, *, creating: bool) -> dict[str, Any]:
        """Give the values that a caller sent by their fields' proper names; null is None."""
        sent: dict[str, Any] = {}
        for name, value in body.items():
            if name == "attributes" or name.lower() == "id":
                continue
            found = kind.field(name)
            if found is None:
                parent = references.by_relationship(kind, name)
                if parent is None or not (isinstance(value, dict) or value is None):
                    raise no_such_column(name, kind.name)
                found, value = parent, references.by_external_id(self._org, parent, value)  # noqa: PLW2901
            if not (found.create if creating else found.update):
                raise Refusal(
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    f"Unable to create/update fields: {found.name}. Please check the security settings of this field "
                    "and verify that it is read/write for your profile or permission set.",
                    fields=[found.name],
                )
            if found.type == "boolean" and value is None:
                raise Refusal(
                    "INVALID_TYPE_ON_FIELD_IN_RECORD",
                    f"{found.label}: value not of required type: null",
                    fields=[found.name],
                )
            sent[found.name] = read_value(found, value, from_text=manner.from_text)
        return sent

    def _defaults(self, kind: Kind) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for one in kind.fields.values():
            if one.type == "boolean" and not one.computed:
                values[one.name] = bool(one.default)
            elif one.default is not None:
                values[one.name] = one.default
            elif one.choices:
                values.update((one.name, choice.value) for choice in one.choices if choice.default)
        if self._org.schema.multi_currency and kind.currency:
            values["CurrencyIsoCode"] = self._org.user_currency
        return values

    def _write(self, change: Change, manner: Manner, *, id: str | None) -> Record:
        org, kind = self._org, change.kind
        guards.refuse_locked(org, change)
        _require(change)
        references.check(org, change)
        rules.before(org, change)
        id = id or org.ids.next(kind.prefix)
        guards.refuse_broken_rules(org, change, id)
        guards.refuse_taken(org, change, id)
        guards.refuse_duplicates(org, change, id, allowed=manner.allow_duplicates)
        record = org.put(kind, id, change.values, user=manner.user, before=change.before)
        rules.after(org, change, record, manner.user)
        return org.store.get(record.id) or record


class Ambiguous(Exception):
    """Several records have the value that one was asked for by."""

    def __init__(self, ids: list[str]) -> None:
        """Take their ids."""
        super().__init__(f"{len(ids)} records")
        self.ids = ids


def _require(change: Change) -> None:
    missing = [
        one.name
        for one in change.kind.fields.values()
        if one.required
        and not one.computed
        and change.values.get(one.name) is None
        and (change.creating or one.name in change.sent)
    ]
    if missing:
        raise Refusal("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", fields=missing)
