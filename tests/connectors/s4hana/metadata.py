"""Metadata documents of OData v2 and v4, read by other code than the sandbox writes them with: SAP's own, and ours."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

_SAP = "{http://www.sap.com/Protocols/SAPData}"
_METHOD = "{http://schemas.microsoft.com/ado/2007/08/dataservices/metadata}HttpMethod"


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property; `type` is without `Edm.`, and a v2 DateTime that is shown as a date is a `Date`.

    `by_value`: a filter may want it equal to values and not compare it otherwise. `once`: it may be given, not changed.
    """

    name: str
    type: str
    length: int | None = None
    precision: int | None = None
    scale: str | None = None
    key: bool = False
    null: bool = True
    creatable: bool = True
    updatable: bool = True
    filterable: bool = True
    sortable: bool = True
    by_value: bool = False
    required: bool = False
    etag: bool = False
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySet:
    """One set; `navigations` map a name to the type behind it and whether that are many.

    `closed` is what it does not offer. `makes` are navigations of v4 that make what cannot be made in its own set.
    """

    name: str
    type: str
    keys: tuple[str, ...]
    properties: Mapping[str, Property]
    navigations: Mapping[str, tuple[str, bool]]
    closed: frozenset[str] = frozenset()
    makes: frozenset[str] = frozenset()
    aggregate: bool = False
    etag: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One service; `functions` map the name of a function import to its method and parameters."""

    v4: bool
    sets: Mapping[str, EntitySet]
    functions: Mapping[str, tuple[str, Mapping[str, Property]]] = field(default_factory=dict)

    def behind(self, entity_set: EntitySet, navigation: str) -> tuple[EntitySet, bool] | None:
        """Give the set to which a navigation leads, and whether to many; None for one that is not declared."""
        found = entity_set.navigations.get(navigation)
        if found is None:
            return None
        return next(each for each in self.sets.values() if each.type == found[0]), found[1]


def read(text: bytes) -> Document:
    """Read a document of either version."""
    root = ET.fromstring(text)  # noqa: S314 - SAP's own files, and ours
    every = list(root.iter())
    v4 = "oasis" in str(root.tag)
    kinds = {str(each.get("Name")): each for each in every if _local(each) == "EntityType"}
    terms = _terms(every) if v4 else {}
    sets = {
        str(each.get("Name")): _set(each, kinds[_tail(each.get("EntityType"))], _ends(every), terms, v4=v4)
        for each in every
        if _local(each) == "EntitySet" and each.get("EntityType")
    }
    functions = {
        str(each.get("Name")): (
            str(each.get(_METHOD)),
            {str(part.get("Name")): _property(part, v4=v4) for part in each if _local(part) == "Parameter"},
        )
        for each in every
        if _local(each) == "FunctionImport" and not v4
    }
    return Document(v4=v4, sets=sets, functions=functions)


def _local(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _tail(text: str | None) -> str:
    return str(text).rpartition(".")[2].rstrip(")")


def _ends(every: Iterable[ET.Element]) -> Mapping[str, Mapping[str | None, tuple[str, bool]]]:
    """Give the ends of the associations of v2, by their roles."""
    return {
        str(each.get("Name")): {
            end.get("Role"): (_tail(end.get("Type")), end.get("Multiplicity") == "*")
            for end in each
            if _local(end) == "End"
        }
        for each in every
        if _local(each) == "Association"
    }


def _set(
    each: ET.Element, kind: ET.Element, ends: Mapping[str, Any], terms: Mapping[str, Any], *, v4: bool
) -> EntitySet:
    keys = tuple(str(part.get("Name")) for part in kind.iter() if _local(part) == "PropertyRef")
    about = terms.get(f"Container/{each.get('Name')}", {})
    properties = {}
    for part in kind:
        if _local(part) == "Property":
            read_so = replace(_property(part, v4=v4), key=part.get("Name") in keys)
            own = terms.get(f"{kind.get('Name')}/{part.get('Name')}", {})
            properties[read_so.name] = _annotated(read_so, own, about) if v4 else read_so
    navigations = {
        str(part.get("Name")): (_tail(part.get("Type")), str(part.get("Type")).startswith("Collection("))
        if v4
        else ends[_tail(part.get("Relationship"))][part.get("ToRole")]
        for part in kind
        if _local(part) == "NavigationProperty"
    }
    closed = {name for name in ("creatable", "updatable", "deletable") if each.get(_SAP + name) == "false"}
    return EntitySet(
        name=str(each.get("Name")),
        type=str(kind.get("Name")),
        keys=keys,
        properties=properties,
        navigations=navigations,
        closed=frozenset(closed | _closed(about)),
        makes=frozenset(_makes(about)),
        aggregate=kind.get(_SAP + "semantics") == "aggregate",
        etag="OptimisticConcurrency" in about or any(one.etag for one in properties.values()),
    )


def _property(part: ET.Element, *, v4: bool) -> Property:
    def number(name: str) -> int | None:
        told = part.get(name)
        return int(told) if told is not None and told.isdigit() else None

    def may(name: str) -> bool:
        return part.get(_SAP + name) != "false"

    kind = str(part.get("Type")).removeprefix("Edm.")
    dated = kind == "DateTime" and part.get(_SAP + "display-format") == "Date"
    return Property(
        name=str(part.get("Name")),
        type="Date" if dated else kind,
        length=number("MaxLength"),
        precision=number("Precision"),
        scale=part.get("Scale"),
        null=part.get("Nullable") != "false",
        creatable=may("creatable"),
        updatable=may("updatable"),
        filterable=may("filterable"),
        sortable=may("sortable"),
        etag=part.get("ConcurrencyMode") == "Fixed",
        role=part.get(_SAP + "aggregation-role", ""),
    )


def _terms(every: Iterable[ET.Element]) -> dict[str, dict[str, ET.Element]]:
    """Give the annotations of v4 by their target below the service's namespace, and the last part of their term."""
    found: dict[str, dict[str, ET.Element]] = {}
    for each in every:
        if _local(each) == "Annotations":
            target = str(each.get("Target")).partition(".")[2]
            found.setdefault(target, {}).update({_tail(part.get("Term")): part for part in each})
    return found


def _annotated(known: Property, own: Mapping[str, Any], about: Mapping[str, ET.Element]) -> Property:
    def named(term: str, word: str) -> bool:
        return any(
            known.name in [str(part.text).strip() for part in value.iter()]
            for value in (about[term].iter() if term in about else ())
            if value.get("Property") == word
        )

    filterable = not named("FilterRestrictions", "NonFilterableProperties")
    return replace(
        known,
        creatable="Computed" not in own,
        updatable="Computed" not in own and "Immutable" not in own,
        required=named("InsertRestrictions", "RequiredProperties"),
        filterable=filterable,
        sortable=not named("SortRestrictions", "NonSortableProperties"),
        by_value=filterable and _allowed(known.name, about) == "MultiValue",
        etag="OptimisticConcurrency" in about and named_in(about["OptimisticConcurrency"], known.name),
    )


def named_in(term: ET.Element, name: str) -> bool:
    """Tell whether an annotation names a property."""
    return name in [str(part.text).strip() for part in term.iter()]


def _allowed(name: str, about: Mapping[str, ET.Element]) -> str:
    """Give how a filter may use a property; empty where nothing is said."""
    for record in about["FilterRestrictions"].iter() if "FilterRestrictions" in about else ():
        values = {part.get("Property"): part for part in record} if _local(record) == "Record" else {}
        if "AllowedExpressions" in values and values["Property"].get("PropertyPath") == name:
            return str(values["AllowedExpressions"].get("String"))
    return ""


def _closed(about: Mapping[str, ET.Element]) -> set[str]:
    words = {"Insertable": "creatable", "Updatable": "updatable", "Deletable": "deletable"}
    return {
        words[str(value.get("Property"))]
        for term in ("InsertRestrictions", "UpdateRestrictions", "DeleteRestrictions")
        for value in (about[term].iter() if term in about else ())
        if value.get("Property") in words and value.get("Bool") == "false"
    }


def _makes(about: Mapping[str, ET.Element]) -> Iterator[str]:
    for record in about["NavigationRestrictions"].iter() if "NavigationRestrictions" in about else ():
        values = {part.get("Property"): part for part in record} if _local(record) == "Record" else {}
        allowed = values["InsertRestrictions"].iter() if "InsertRestrictions" in values else ()
        if "NavigationProperty" in values and any(part.get("Bool") == "true" for part in allowed):
            yield str(values["NavigationProperty"].get("NavigationPropertyPath"))
