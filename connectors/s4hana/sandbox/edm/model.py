"""The nouns of the data model: property, navigation, entity set, complex type, function import and service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One field.

    `type` is String, Boolean, Date (v2: a DateTime without a time), DateTimeOffset, Time, Guid, Decimal, Double or
    Int32. `column` is its name in the table. `alpha` numbers are shown without leading zeros and taken with or without.
    `digits` are strings of digits that are filled up with zeros. `unit` names the property with the currency or unit.

    What is `creatable` and not `updatable` is given once, and what is `required` must be. `by_value` may be looked for
    in a filter (`eq`, `in`) and not compared otherwise. `null` says whether it may have no value, where it is not as
    the version of the service has it.
    """

    name: str
    column: str
    type: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    key: bool = False
    creatable: bool = True
    updatable: bool = True
    alpha: bool = False
    digits: bool = False
    unit: str = ""
    role: str = ""
    concurrency: bool = False
    required: bool = False
    filterable: bool = True
    sortable: bool = True
    by_value: bool = False
    null: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigation:
    """A way to another set: rows whose first keys have the values of `columns`; `many` or at the most one.

    `insertable`: in v4 they are made there, though not in their set.
    """

    name: str
    target: str
    many: bool
    required: bool
    columns: tuple[str, ...]
    insertable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySet:
    """A set of entities; `table` holds its rows, `aggregate` sets sum what was not asked apart.

    What is not `creatable` may still be made below another entity. In v4 an entity carries its warnings, unless it has
    no `messages`, and a part has the ETag of its head, where it is `versioned`. Entities do not show what is `hidden`.
    """

    name: str
    type: str
    table: str
    properties: Mapping[str, Property]
    navigations: Mapping[str, Navigation]
    creatable: bool = True
    updatable: bool = True
    deletable: bool = True
    aggregate: bool = False
    messages: bool = True
    versioned: bool = True
    hidden: frozenset[str] = frozenset()

    @property
    def keys(self) -> tuple[Property, ...]:
        """Give the key properties in their order."""
        return tuple(each for each in self.properties.values() if each.key)

    @property
    def concurrency(self) -> Property | None:
        """Give the property that the ETag is made of."""
        return next((each for each in self.properties.values() if each.concurrency), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionImport:
    """A function import of v2; `returns` is a complex type, `many` of them if it is a collection."""

    name: str
    method: str
    returns: str
    many: bool
    parameters: Mapping[str, Property]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One API; `scenario` is the communication scenario that opens it, `path` where it stands below the root of v4."""

    name: str
    scenario: str
    namespace: str
    v4: bool = False
    path: str = ""
    sets: Mapping[str, EntitySet] = field(default_factory=dict)
    complexes: Mapping[str, Mapping[str, Property]] = field(default_factory=dict)
    functions: Mapping[str, FunctionImport] = field(default_factory=dict)

    def makes_below(self, navigation: Navigation) -> bool:
        """Tell whether a navigation makes what it leads to; in v2 each does."""
        return not self.v4 or navigation.insertable or self.sets[navigation.target].creatable

    def nullable(self, property_: Property) -> bool:
        """Tell whether a property may have no value: keys have one, and in v4 texts and booleans too, mostly."""
        if property_.null is not None:
            return property_.null
        return not (property_.key or (self.v4 and property_.type in ("String", "Boolean")))

    def with_set(self, changed: EntitySet) -> Service:
        """Give the service with one set as it is now."""
        return replace(self, sets={**self.sets, changed.name: changed})
