"""Reads the compact descriptions in `catalogue/*.txt`.

A description has one `service` line and blocks that begin with `set`, `complex` or `function`. A property is
`Name:Type`, or `Name=Column:Type` where the table has another name for it. Types:

- `S10` a text of at most 10 characters (`n`: digits, filled up with zeros; `a`: leading zeros are not shown)
- `B` boolean, `D` date, `Z7` moment with 7 decimals of a second, `T` time of day, `G` GUID, `F` double, `I` integer
- `N16.3` decimal with precision and scale (`N15.v`: the scale is the currency's)

After the type: `!` key, `-` neither creatable nor updatable, `+` creatable only, `r` required in a creation, `x`
neither for filters nor for orders, `e` for filters only by its value, `?` may have no value, `*` always has one, `@`
the ETag is made of it, `~Unit` the property that has its unit, `%d` dimension and `%m` measure of an aggregate, which
no filter knows. `> name * Target columns` is a navigation to many (`*+`: which are made there in v4, though not in
their set), `?` to one or none, `1` to one. A set may be `no-create`, `no-update`, `no-delete`, and in v4 `no-messages`
or `no-etag`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources

from connectors.s4hana.sandbox.edm.model import EntitySet, FunctionImport, Navigation, Property, Service

_PROPERTY = re.compile(
    r"(?P<name>\w+)(=(?P<column>\w+))?:(?P<type>[SBDZTGFIN])(?P<size>\d*(\.(\d+|v))?)(?P<flags>[na!\-+@rxe?*]*)"
    r"(~(?P<unit>\w+))?(%(?P<role>[dm]))?"
)
_TYPES = {
    "S": "String",
    "B": "Boolean",
    "D": "Date",
    "Z": "DateTimeOffset",
    "T": "Time",
    "G": "Guid",
    "F": "Double",
    "I": "Int32",
    "N": "Decimal",
}
_ROLES = {"d": "dimension", "m": "measure"}


def property_of(text: str) -> Property:
    """Read one property; raises `ValueError` when it is not in the notation."""
    found = _PROPERTY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no property: write it as Name:S10")
    flags, kind = found["flags"], _TYPES[found["type"]]
    whole, _, part = found["size"].partition(".")
    # The id of a sum is made of the sum itself.
    hidden = "x" in flags or (kind == "String" and "!" in flags and not whole)
    made = Property(
        name=found["name"],
        column=found["column"] or found["name"],
        type=kind,
        key="!" in flags,
        creatable="-" not in flags,
        updatable=not {"-", "+", "!"} & set(flags),
        alpha="a" in flags,
        digits="n" in flags,
        concurrency="@" in flags,
        required="r" in flags,
        filterable=not hidden and found["role"] != "m",
        sortable=not hidden,
        by_value="e" in flags,
        null=True if "?" in flags else False if "*" in flags else None,
        unit=found["unit"] or "",
        role=_ROLES.get(found["role"] or "", ""),
    )
    if kind == "String":
        return replace(made, length=int(whole) if whole else None)
    if kind == "Decimal":
        return replace(made, precision=int(whole), scale=None if part == "v" else int(part))
    return replace(made, precision=int(whole)) if kind == "DateTimeOffset" else made


def service_of(text: str) -> Service:
    """Read the description of one service."""
    head: dict[str, str] = {}
    sets: dict[str, EntitySet] = {}
    complexes: dict[str, Mapping[str, Property]] = {}
    functions: dict[str, FunctionImport] = {}
    for words, lines in _blocks(text):
        if words[0] == "service":
            head = _head(words)
            continue
        properties = {
            each.name: each for line in lines if not line.startswith(">") for each in map(property_of, line.split())
        }
        name = words[1]
        if words[0] == "set":
            navigations = {each.name: each for each in map(_navigation, (x for x in lines if x.startswith(">")))}
            sets[name] = _set(words, properties, navigations, v4="v4" in head)
        elif words[0] == "complex":
            complexes[name] = properties
        else:
            returns = words[3]
            functions[name] = FunctionImport(
                name=name,
                method=words[2],
                returns=returns.removeprefix("*"),
                many=returns.startswith("*"),
                parameters=properties,
            )
    return Service(
        name=head["service"],
        scenario=head["scenario"],
        namespace=head.get("namespace", head["service"]),
        v4="v4" in head,
        path=head.get("path", ""),
        sets=sets,
        complexes=complexes,
        functions=functions,
    )


@cache
def catalogue() -> Mapping[str, Service]:
    """Give all services by name."""
    folder = resources.files("connectors.s4hana.sandbox") / "catalogue"
    read = [
        service_of(each.read_text(encoding="utf-8"))
        for each in sorted(folder.iterdir(), key=lambda each: each.name)
        if each.name.endswith(".txt")
    ]
    return {service.name: service for service in read}


def _blocks(text: str) -> Iterator[tuple[list[str], list[str]]]:
    words: list[str] = []
    lines: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(" "):
            lines.append(line.strip())
            continue
        if words:
            yield words, lines
        words, lines = line.split(), []
    if words:
        yield words, lines


def _head(words: list[str]) -> dict[str, str]:
    head = {"service": words[1]}
    rest = iter(words[2:])
    for word in rest:
        name, equals, value = word.partition("=")
        head[name] = value if equals else "" if word == "v4" else next(rest)
    return head


def _set(
    words: list[str], properties: Mapping[str, Property], navigations: Mapping[str, Navigation], *, v4: bool
) -> EntitySet:
    name = words[1]
    given = dict(word.split("=", 1) for word in words[2:] if "=" in word)
    return EntitySet(
        name=name,
        type=given.get("type", f"{name}_Type" if v4 else f"{name}Type"),
        table=given.get("table", name),
        properties=properties,
        navigations=navigations,
        creatable="no-create" not in words,
        updatable="no-update" not in words,
        deletable="no-delete" not in words,
        aggregate="aggregate" in words,
        messages="no-messages" not in words,
        versioned="no-etag" not in words,
    )


def _navigation(line: str) -> Navigation:
    _, name, how, target, *columns = line.split()
    return Navigation(
        name=name,
        target=target,
        many=how.startswith("*"),
        required=how == "1",
        columns=tuple(columns),
        insertable=how.endswith("+"),
    )
