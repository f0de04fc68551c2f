"""What the names of a query mean in the org's schema, and conditions as functions of a record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.references import by_relationship
from connectors.salesforce.sandbox.schema import Field, Kind
from connectors.salesforce.sandbox.soql.tree import Path
from connectors.salesforce.sandbox.soql.words import refuse
from connectors.salesforce.sandbox.store import Record

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

Getter = Callable[[Record], Any]
Test = Callable[[Record], bool]

#: How many parents a path may climb.
HIGHEST = 5
_ADDRESS = ("Street", "City", "State", "PostalCode", "Country")


@dataclass(frozen=True, slots=True)
class Meant:
    """What a path means: the references to climb, and the field at its end with the object it is of."""

    climbs: tuple[Field, ...]
    kind: Kind
    field: Field


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The names of one query: an object, the name it may be called by, and the query's text for messages."""

    org: Org
    kind: Kind
    text: str
    alias: str | None = None
    #: How many lists this one is in.
    level: int = 1

    def meaning(self, path: Path) -> Meant:
        """Give what a path means; refuses a field or a relationship that is not there."""
        parts = list(path.parts)
        if len(parts) > 1 and parts[0].lower() in ((self.alias or "").lower(), self.kind.name.lower()):
            own = by_relationship(self.kind, parts[0]) is None or parts[0].lower() == (self.alias or "").lower()
            parts = parts[1:] if own else parts
        kind, climbs = self.kind, []
        if len(parts) > HIGHEST + 1:
            raise refuse(self.text, path.place, f"A relationship path climbs at most {HIGHEST} parents")
        for name in parts[:-1]:
            reference = by_relationship(kind, name)
            if reference is None:
                raise refuse(
                    self.text,
                    path.place,
                    f"Didn't understand relationship '{name}' in field path. If you are attempting to use a custom "
                    "relationship, be sure to append the '__r' after the custom relationship name. Please reference "
                    "your WSDL or the describe call for the appropriate names.",
                    code="INVALID_FIELD",
                )
            climbs.append(reference)
            kind = self.org.schema.get(reference.refers_to[0])
        field = kind.field(parts[-1])
        if field is None:
            raise refuse(
                self.text,
                path.place,
                f"No such column '{parts[-1]}' on entity '{kind.name}'. If you are attempting to use a custom field, "
                "be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe "
                "call for the appropriate names.",
                code="INVALID_FIELD",
            )
        return Meant(tuple(climbs), kind, field)

    def getter(self, meant: Meant) -> Getter:
        """Give a function that reads what a path means out of a record."""
        read = reader(meant.field)
        if not meant.climbs:
            return read
        names, store = [field.name for field in meant.climbs], self.org.store

        def climb(record: Record) -> Any:
            current: Record | None = record
            for name in names:
                current = store.get(current.values.get(name)) if current is not None else None
            return None if current is None else read(current)

        return climb


def reader(field: Field) -> Getter:
    """Give a function that reads a field out of a record of its object; a flag is never null."""
    name = field.name
    if name == "Id":
        return lambda record: record.id
    if name == "IsDeleted":
        return lambda record: record.deleted is not None
    if field.type == "boolean":
        return lambda record: record.values.get(name, False)
    if field.type == "address":
        return lambda record: address_of(record, name.removesuffix("Address"))
    return lambda record: record.values.get(name)


def address_of(record: Record, prefix: str) -> dict[str, Any] | None:
    """Give an address in one; None when no part of it is there."""
    parts = {part: record.get(prefix + part) for part in _ADDRESS}
    if not any(parts.values()):
        return None
    known = {part[0].lower() + part[1:]: value for part, value in parts.items()}
    return {**known, "geocodeAccuracy": None, "latitude": None, "longitude": None}
