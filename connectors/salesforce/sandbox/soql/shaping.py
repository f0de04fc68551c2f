"""How the records of a query are shown: their fields, parents in each other, and lists of children with pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.schema import Field
from connectors.salesforce.sandbox.soql.conditions import compiled
from connectors.salesforce.sandbox.soql.ordering import ordered
from connectors.salesforce.sandbox.soql.scope import Scope, reader
from connectors.salesforce.sandbox.soql.tree import Aggregate, AllFields, Converted, Path, Query
from connectors.salesforce.sandbox.soql.words import refuse
from connectors.salesforce.sandbox.store import Record
from connectors.salesforce.sandbox.values import show_value

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

#: The most rows of a query for all fields, and the most lists of children in one query.
MOST_OF_ALL_FIELDS, MOST_LISTS = 200, 20
#: How many levels of lists a query has, its own records included.
MOST_LEVELS = 5

#: Opens a list of children: takes the records and their shape, and gives the query result that stands in the parent.
OpenList = Callable[[Sequence[Record], "Shape"], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a shown record, by its key in the answer."""

    key: str
    field: Field
    get: Callable[[Record], Any]


@dataclass(frozen=True, slots=True)
class ChildQuery:
    """A list of children, by its key in the answer."""

    key: str
    below: Callable[[Record], list[Record]]
    shape: Shape


@dataclass(slots=True)
class Shape:
    """What is shown of a record, in the query's order."""

    org: Org
    kind: str
    parts: dict[str, Column | ChildQuery | Parent] = field(default_factory=dict)

    def show(self, record: Record, base: str, open_list: OpenList) -> dict[str, Any]:
        """Give a record as JSON has it; `base` is the address of the API's version."""
        shown: dict[str, Any] = {"attributes": attributes(record, base)}
        for key, part in self.parts.items():
            if isinstance(part, Column):
                shown[key] = show_value(part.field, part.get(record))
            elif isinstance(part, Parent):
                parent = self.org.store.get(record.values.get(part.field.name))
                shown[key] = None if parent is None else part.shape.show(parent, base, open_list)
            else:
                children = part.below(record)
                shown[key] = open_list(children, part.shape) if children else None
        return shown

    def columns(self, prefix: str = "") -> list[tuple[str, Callable[[Record], tuple[Field, Any]]]]:
        """Give the columns of a CSV with what each reads out of a record; parents' fields have paths as names."""
        found: list[tuple[str, Callable[[Record], tuple[Field, Any]]]] = []
        for key, part in self.parts.items():
            if isinstance(part, Column):
                found.append((prefix + key, _reading(part)))
            elif isinstance(part, Parent):
                found += [
                    (name, _climbing(self.org, part.field.name, inner))
                    for name, inner in part.shape.columns(f"{prefix}{key}.")
                ]
        return found


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent that is shown inside its child."""

    field: Field
    shape: Shape


def _reading(column: Column) -> Callable[[Record], tuple[Field, Any]]:
    return lambda record: (column.field, column.get(record))


def _climbing(
    org: Org, name: str, inner: Callable[[Record], tuple[Field, Any]]
) -> Callable[[Record], tuple[Field, Any]]:
    nothing = Field(name="", type="string", label="")

    def climb(record: Record) -> tuple[Field, Any]:
        parent = org.store.get(record.values.get(name))
        return (nothing, None) if parent is None else inner(parent)

    return climb


def attributes(record: Record, base: str) -> dict[str, str]:
    """Give the `attributes` of a record: its object, and its address."""
    return {"type": record.kind, "url": f"{base}/sobjects/{record.kind}/{record.id}"}


def shape_of(scope: Scope, query: Query) -> Shape:
    """Give the shape of a query's records; refuses outputs that mean nothing."""
    shape = Shape(scope.org, scope.kind.name)
    if sum(isinstance(one, Query) for one in query.outputs) > MOST_LISTS:
        raise refuse(scope.text, query.source_place, f"A query has at most {MOST_LISTS} lists of children")
    for output in query.outputs:
        if isinstance(output, AllFields):
            _all_fields(scope, query, output, shape)
        elif isinstance(output, Query):
            child = _children(scope, output)
            shape.parts[child.key] = child
        elif isinstance(output, Converted):
            _converted(scope, output, shape)
        elif isinstance(output, Path):
            _path(scope, output, shape)
        else:
            assert isinstance(output, Aggregate)
            raise refuse(scope.text, output.place, "Aggregate functions need a query of their own")
    return shape


def _all_fields(scope: Scope, query: Query, output: AllFields, shape: Shape) -> None:
    if output.which in ("ALL", "CUSTOM") and (query.limit is None or query.limit > MOST_OF_ALL_FIELDS):
        raise refuse(
            scope.text, output.place, f"The SOQL FIELDS function must have a LIMIT of at most {MOST_OF_ALL_FIELDS}"
        )
    for one in scope.kind.fields.values():
        if output.which == "ALL" or one.custom is (output.which == "CUSTOM"):
            _add(scope, shape, one.name, Column(one.name, one, reader(one)), output.place)


def _path(scope: Scope, output: Path, shape: Shape) -> None:
    if output.alias is not None:
        raise refuse(scope.text, output.place, f"only aggregate expressions use field aliasing: {output.alias}")
    meant = scope.meaning(output)
    for reference in meant.climbs:
        standing = shape.parts.get(reference.relationship)
        if not isinstance(standing, Parent):
            standing = Parent(reference, Shape(scope.org, reference.refers_to[0]))
            shape.parts[reference.relationship] = standing
        shape = standing.shape
    _add(scope, shape, meant.field.name, Column(meant.field.name, meant.field, reader(meant.field)), output.place)


def _add(scope: Scope, shape: Shape, key: str, column: Column, place: int) -> None:
    if key in shape.parts:
        raise refuse(scope.text, place, f"duplicate field selected: {key}", code="INVALID_FIELD")
    shape.parts[key] = column


def _converted(scope: Scope, output: Converted, shape: Shape) -> None:
    """Show an amount in the user's currency."""
    meant, org = scope.meaning(output.path), scope.org
    if meant.climbs or meant.field.type != "currency":
        raise refuse(scope.text, output.path.place, f"convertCurrency() needs an amount: {output.path.text}")
    if not org.schema.multi_currency:
        raise refuse(scope.text, output.path.place, "convertCurrency() needs an org with several currencies")
    name = meant.field.name

    def convert(record: Record) -> Any:
        amount, code = record.get(name), record.get("CurrencyIsoCode")
        return None if amount is None else org.currencies.of_user(amount, code, record)

    _add(scope, shape, output.alias or name, Column(output.alias or name, meant.field, convert), output.path.place)


def _children(scope: Scope, query: Query) -> ChildQuery:
    found = scope.org.schema.children(scope.kind.name).get(query.source.lower())
    if found is None:
        raise refuse(
            scope.text,
            query.source_place,
            f"Didn't understand relationship '{query.source}' in FROM part of query call. If you are attempting to use "
            "a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference "
            "your WSDL or the describe call for the appropriate names.",
            code="INVALID_TYPE",
        )
    kind = scope.org.schema.get(found.kind)
    inner = Scope(org=scope.org, kind=kind, text=scope.text, alias=query.alias, level=scope.level + 1)
    if inner.level > MOST_LEVELS:
        raise refuse(scope.text, query.source_place, f"A query has at most {MOST_LEVELS} levels of lists")
    if query.groups or query.having or any(isinstance(one, Aggregate) for one in query.outputs):
        raise refuse(scope.text, query.source_place, "Aggregates are not allowed in a list of children")
    return ChildQuery(found.name, _lister(inner, query, found.field), shape_of(inner, query))


def _lister(scope: Scope, query: Query, name: str) -> Callable[[Record], list[Record]]:
    """Give a function that lists the children of a record as the inner query says."""
    test = None if query.where is None else compiled(scope, query.where)
    ordered(scope, query, ())

    def below(parent: Record) -> list[Record]:
        rows = scope.org.store.below(parent.id, scope.kind.name, name)
        return ordered(scope, query, rows if test is None else (row for row in rows if test(row)))

    return below
