"""Entities behind addresses: found, listed, created with all that hangs on them, changed and deleted.

Nothing here knows how a version of OData writes things down; what SAP does with the data is in `business`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from connectors.s4hana.sandbox.edm.model import EntitySet, Navigation, Property, Service
from connectors.s4hana.sandbox.odata.address import Segment, no_segment, read_key
from connectors.s4hana.sandbox.odata.errors import NO_METHOD, NOT_FOUND, Refusal
from connectors.s4hana.sandbox.odata.expressions import Condition
from connectors.s4hana.sandbox.odata.query import Rows
from connectors.s4hana.sandbox.store import Key, Row

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant


#: Columns of the keys of tables whose sets have other keys.
_KEYS = {"JournalItem": ["CompanyCode", "FiscalYear", "AccountingDocument", "AccountingDocumentItem"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an address leads: one entity (`key`) or a collection; `prefix` are the first keys of all its rows.

    `parent` is the row from which a navigation came here. `tail` is `$count`, `$value` or the name of a property.
    """

    entity_set: EntitySet
    key: Key | None = None
    prefix: Key = ()
    parent: Row | None = None
    parent_set: EntitySet | None = None
    navigation: Navigation | None = None
    tail: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Node:
    """An entity that is to be made: what was given for it, by column, and those below it by navigation."""

    entity_set: EntitySet
    values: dict[str, Any]
    children: list[tuple[Navigation, list[Node]]] = field(default_factory=list)


class Entities:
    """The entities of one service."""

    def __init__(self, tenant: Tenant, service: Service) -> None:
        """Take the service as it is now."""
        self._tenant = tenant
        self.service = service

    def find(self, parts: Sequence[Segment]) -> Place:
        """Follow an address; raises `Refusal` for what leads nowhere."""
        first = parts[0]
        entity_set = self.service.sets.get(first.name)
        if entity_set is None:
            raise no_segment(first.name)
        place = Place(entity_set=entity_set)
        if first.predicate is not None:
            place = Place(entity_set=entity_set, key=tuple(self._key(entity_set, first.predicate)))
        for number, part in enumerate(parts[1:], start=1):
            if place.tail or (place.key is None and part.name != "$count"):
                raise no_segment(part.name)
            if place.key is not None and part.name in place.entity_set.navigations:
                place = self._step(place, part)
                continue
            if part.predicate is not None:
                raise no_segment(part.name)
            rest = tuple(each.name for each in parts[number:])
            self._check_tail(place, rest)
            return Place(
                entity_set=place.entity_set, key=place.key, prefix=place.prefix, parent=place.parent, tail=rest
            )
        return place

    def _check_tail(self, place: Place, rest: tuple[str, ...]) -> None:
        if rest == ("$count",):
            return
        if place.key is None or rest[0] not in place.entity_set.properties or rest[1:] not in ((), ("$value",)):
            raise no_segment(rest[0])

    def _step(self, place: Place, part: Segment) -> Place:
        row = self.row(place)
        navigation = place.entity_set.navigations[part.name]
        target = self.service.sets[navigation.target]
        prefix = tuple(str(row.get(column, "")) for column in navigation.columns)
        there = Place(entity_set=target, parent=row, parent_set=place.entity_set, navigation=navigation)
        if not navigation.many:
            return replace(there, key=prefix)
        if part.predicate is None:
            return replace(there, prefix=prefix)
        given = dict(zip(navigation.columns, prefix, strict=True))
        return replace(there, key=tuple(self._key(target, part.predicate, given)))

    def _key(self, entity_set: EntitySet, predicate: str, given: Mapping[str, str] | None = None) -> list[str]:
        return read_key(entity_set, predicate, v4=self.service.v4, given=given)

    def row(self, place: Place) -> Row:
        """Give the one entity that a place names; raises `Refusal` (404) if there is none."""
        assert place.key is not None
        found = self._row(place.entity_set, place.key)
        if found is None:
            raise Refusal("Requested entity could not be found", code=NOT_FOUND, status=404)
        return found

    def _row(self, entity_set: EntitySet, key: Key) -> Row | None:
        if entity_set.aggregate:
            wanted = (row for each, row in self.rows(Place(entity_set=entity_set)) if each == key)
            return next(wanted, None)
        found = self._tenant.store.table(entity_set.table).get(key)
        return found if found is not None and self._tenant.visible(found) else None

    def rows(self, place: Place, *, after: Key | None = None, keep: Condition | None = None) -> Rows:
        """Give the rows of a collection in the order of their keys, of those that `keep` may want."""
        prefix = list(place.prefix)
        columns = _KEYS.get(place.entity_set.table) or [each.column for each in place.entity_set.keys]
        for column in columns[len(prefix) :]:
            if keep is None or column not in keep.equal:
                break
            prefix.append(str(keep.equal[column]))
        rows = self._tenant.store.table(place.entity_set.table).scan(tuple(prefix), after=after)
        return ((key, row) for key, row in rows if self._tenant.visible(row))

    def behind(self, entity_set: EntitySet, row: Row, navigation: Navigation) -> Iterator[tuple[Key, Row]]:
        """Give the rows to which a navigation leads."""
        prefix = tuple(str(row.get(column, "")) for column in navigation.columns)
        if not all(prefix):
            return
        target = self.service.sets[navigation.target]
        if navigation.many:
            yield from self.rows(Place(entity_set=target, prefix=prefix))
            return
        found = self._row(target, prefix)
        if found is not None:
            yield prefix, found

    def check_creation(self, place: Place) -> None:
        """Refuse to make anything where nothing is made."""
        if place.key is not None and place.navigation is None:
            raise Refusal("Method 'POST' is not allowed on an entity.", code=NO_METHOD, status=405)
        below = place.navigation is not None and self.service.makes_below(place.navigation)
        if not place.entity_set.creatable and not below:
            raise not_allowed("create", place.entity_set)

    def create(self, place: Place, node: Node) -> Key:
        """Make an entity and all below it, or nothing; gives its key."""
        self.check_creation(place)
        with self._tenant.unit_of_work():
            if place.parent is not None and place.navigation is not None:
                inherit(node, place.parent, place.navigation)
            return self._make(node, place.parent)

    def _make(self, node: Node, parent: Row | None) -> Key:
        rules = self._tenant.rules(node.entity_set.table)
        row = rules.create(self._tenant, dict(node.values), parent)
        table = self._tenant.store.table(node.entity_set.table)
        key = self._key_of(node.entity_set, row)
        if table.get(key) is not None:
            shown = "/".join(key)
            raise Refusal(f"{node.entity_set.name}: an entry with the key {shown} already exists.", code="CM/409")
        table.put(key, row)
        for navigation, children in node.children:
            for child in children:
                # A rule may have replaced the row, so that each child is given it as it is by then.
                current = table.get(key) or row
                inherit(child, current, navigation)
                self._make(child, current)
        rules.created(self._tenant, key)
        return key

    def _key_of(self, entity_set: EntitySet, row: Row) -> Key:
        missing = [each.name for each in entity_set.keys if each.column not in row]
        if missing:
            raise Refusal(f"Property '{missing[0]}' is required.", target=missing[0])
        return tuple(str(row[each.column]) for each in entity_set.keys)

    def change(self, place: Place, changes: Mapping[str, Any], *, replace: bool = False) -> Row:
        """Change an entity; with `replace`, what is not given becomes initial. Gives it as it is then."""
        if not place.entity_set.updatable:
            raise not_allowed("update", place.entity_set)
        old = self.row(place)
        assert place.key is not None
        table = self._tenant.store.table(place.entity_set.table)
        rules = self._tenant.rules(place.entity_set.table)
        with self._tenant.unit_of_work():
            wanted = dict(changes)
            if replace:
                open_to_change = (each for each in place.entity_set.properties.values() if each.updatable)
                wanted = {**dict.fromkeys(each.column for each in open_to_change), **wanted}
            new = rules.change(self._tenant, old, wanted)
            table.put(place.key, {name: value for name, value in new.items() if value is not None})
            rules.changed(self._tenant, place.key)
        return table.get(place.key) or new

    def delete(self, place: Place) -> None:
        """Delete an entity as far as SAP allows it."""
        if not place.entity_set.deletable or place.key is None:
            raise not_allowed("delete", place.entity_set)
        old = self.row(place)
        rules = self._tenant.rules(place.entity_set.table)
        with self._tenant.unit_of_work():
            rules.delete(self._tenant, old)
            self._tenant.store.table(place.entity_set.table).delete(place.key)
            rules.deleted(self._tenant, old)


def inherit(node: Node, parent: Row, navigation: Navigation) -> None:
    """Take over the keys that an entity has from the one above it."""
    for column in navigation.columns:
        if parent.get(column):
            node.values[column] = parent[column]


def not_allowed(what: str, entity_set: EntitySet) -> Refusal:
    """Make the refusal for what a set does not offer."""
    return Refusal(f"Method {what} is not allowed on entity set '{entity_set.name}'.", code=NO_METHOD, status=405)


def unit_of(entity_set: EntitySet, property_: Property, row: Row) -> str:
    """Give the currency or unit of an amount or quantity."""
    unit = entity_set.properties.get(property_.unit)
    return "" if unit is None else str(row.get(unit.column, ""))
