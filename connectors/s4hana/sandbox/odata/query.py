"""Query options: read, checked against a set, and applied to its rows page by page."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.s4hana.sandbox.edm.model import EntitySet, Navigation, Property, Service
from connectors.s4hana.sandbox.edm.values import held, padded
from connectors.s4hana.sandbox.odata.errors import NO_PROPERTY, Refusal
from connectors.s4hana.sandbox.odata.expressions import Condition, compile_filter
from connectors.s4hana.sandbox.store import Key, Row

Rows = Iterable[tuple[Key, Row]]

_V2 = frozenset("$filter $select $expand $orderby $top $skip $skiptoken $inlinecount $format $count".split())
_V4 = frozenset("$filter $select $expand $orderby $top $skip $skiptoken $count $format $search".split())


@dataclass(slots=True, kw_only=True)
class Expansion:
    """What of an entity is shown: selected properties (None: all) and, by navigation, what is shown of those behind."""

    select: frozenset[str] | None = None
    expand: dict[str, Options] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Options:
    """The options of one request, or of one navigation that v4 expands."""

    shown: Expansion = field(default_factory=Expansion)
    keep: Condition | None = None
    order: Sequence[tuple[Property, bool]] = ()
    top: int | None = None
    skip: int = 0
    token: str | None = None
    count: bool = False
    format: str = ""


def read_options(pairs: Iterable[tuple[str, str]], service: Service, entity_set: EntitySet) -> Options:
    """Read the query of a request for a set's rows; raises `Refusal`."""
    options = Options()
    given = dict(pairs)
    known = _V4 if service.v4 else _V2
    for name in given:
        if name.startswith("$") and name not in known:
            raise Refusal(f"The query option '{name}' is not allowed for this request type.")
    if "$search" in given:
        raise Refusal("System query option '$search' is not supported by this service.", status=501)
    options.format = given.get("$format", "")
    if given.get("$filter", "").strip():
        options.keep = compile_filter(given["$filter"], entity_set, v4=service.v4)
    options.order = _order(given.get("$orderby", ""), entity_set)
    options.top, options.skip = _number(given, "$top"), _number(given, "$skip") or 0
    options.token = given.get("$skiptoken")
    options.count = _counts(given, v4=service.v4)
    options.shown = (
        _shown_v4(given, service, entity_set)
        if service.v4
        else shown_v2(given.get("$select", ""), given.get("$expand", ""), service, entity_set)
    )
    return options


def _counts(given: Mapping[str, str], *, v4: bool) -> bool:
    name, yes, no = ("$count", "true", "false") if v4 else ("$inlinecount", "allpages", "none")
    if name not in given:
        return False
    if given[name] not in (yes, no):
        raise Refusal(f"Invalid value '{given[name]}' for the system query option '{name}'.")
    return given[name] == yes


def _number(given: Mapping[str, str], name: str) -> int | None:
    if name not in given:
        return None
    if not given[name].isdecimal() or len(given[name]) > 9:
        raise Refusal(f"Invalid value '{given[name]}' for the system query option '{name}'.")
    return int(given[name])


def _order(text: str, entity_set: EntitySet) -> list[tuple[Property, bool]]:
    order = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, direction = part.partition(" ")
        if direction.strip() not in ("", "asc", "desc"):
            raise Refusal(f"Invalid value '{part}' for the system query option '$orderby'.")
        property_ = _property(name, entity_set)
        if not property_.sortable:
            raise Refusal(f"Property {name} cannot be used in the system query option '$orderby'.", target=name)
        order.append((property_, direction.strip() == "desc"))
    return order


def _property(name: str, entity_set: EntitySet) -> Property:
    if name not in entity_set.properties:
        raise Refusal(f"Property {name} not found in type {entity_set.type}.", code=NO_PROPERTY, target=name)
    return entity_set.properties[name]


def shown_v2(select: str, expand: str, service: Service, entity_set: EntitySet) -> Expansion:
    """Read `$select` and `$expand` with their paths; raises `Refusal`."""
    shown = Expansion()
    for path in filter(None, (each.strip() for each in expand.split(","))):
        here, at = shown, entity_set
        for name in path.split("/"):
            navigation = _navigation(name, at)
            at = service.sets[navigation.target]
            here = here.expand.setdefault(name, Options()).shown
    names = [each.strip() for each in select.split(",") if each.strip()]
    for path in names:
        here, at, steps = shown, entity_set, path.split("/")
        for name in steps[:-1]:
            at = service.sets[_navigation(name, at).target]
            if name not in here.expand:
                raise Refusal(f"Navigation property '{name}' is selected but not expanded.")
            if here.select is None:
                here.select = frozenset()
            here = here.expand[name].shown
        if steps[-1] == "*":
            here.select = None
        elif steps[-1] in at.navigations:
            here.select = (here.select or frozenset()) | {steps[-1]}
        else:
            here.select = (here.select or frozenset()) | {_property(steps[-1], at).name}
    return shown


def _navigation(name: str, entity_set: EntitySet) -> Navigation:
    if name not in entity_set.navigations:
        raise Refusal(f"Property {name} not found in type {entity_set.type}.", code=NO_PROPERTY, target=name)
    return entity_set.navigations[name]


def _shown_v4(given: Mapping[str, str], service: Service, entity_set: EntitySet) -> Expansion:
    shown = Expansion()
    names = [each.strip() for each in given.get("$select", "").split(",") if each.strip()]
    if names and "*" not in names:
        shown.select = frozenset(
            name if name in entity_set.navigations else _property(name, entity_set).name for name in names
        )
    for part in _split(given.get("$expand", ""), ","):
        name, bracket, inner = part.partition("(")
        navigation = _navigation(name.strip(), entity_set)
        if bracket and not inner.endswith(")"):
            raise Refusal(f"Invalid value '{part}' for the system query option '$expand'.")
        pairs = [(each[0].strip(), each[2]) for each in (x.partition("=") for x in _split(inner[:-1], ";"))]
        shown.expand[navigation.name] = read_options(pairs, service, service.sets[navigation.target])
    return shown


def _split(text: str, mark: str) -> list[str]:
    """Cut at marks outside of brackets and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for place, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
        elif not quoted and not depth and character == mark:
            parts.append(text[start:place])
            start = place + 1
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The rows of one answer, how many there are in all (None: not asked), and where the next page begins."""

    rows: Sequence[tuple[Key, Row]]
    total: int | None
    next: str | None


def page_of(scan: Callable[[Key | None], Rows], options: Options, size: int) -> Page:
    """Apply filter, order and paging; `scan(after)` gives the rows in the order of keys from behind a key.

    Where no other order is asked for, a page's token names the last key, so that what changes meanwhile moves nothing.
    """
    keep = options.keep
    if options.order:
        return _ordered_page(scan, options, size)
    after, gone = _read_token(options.token)
    total = None
    if options.count:
        total = sum(1 for _, row in scan(None) if keep is None or keep(row))
    wanted = size if options.top is None else min(size, options.top - gone)
    rows: list[tuple[Key, Row]] = []
    skipped = 0 if after is None else options.skip
    more = False
    for key, row in scan(after):
        if keep is not None and not keep(row):
            continue
        if skipped < options.skip:
            skipped += 1
            continue
        if len(rows) >= wanted:
            more = True
            break
        rows.append((key, row))
    reached = options.top is not None and gone + len(rows) >= options.top
    following = _token(rows[-1][0], gone + len(rows)) if rows and more and not reached else None
    return Page(rows=rows, total=total, next=following)


def _ordered_page(scan: Callable[[Key | None], Rows], options: Options, size: int) -> Page:
    keep = options.keep
    found = [(key, row) for key, row in scan(None) if keep is None or keep(row)]
    for property_, descending in reversed(options.order):
        found.sort(key=lambda item: sortable(padded(held(property_, item[1]))), reverse=descending)
    total = len(found) if options.count else None
    found = found[options.skip :] if options.top is None else found[options.skip : options.skip + options.top]
    start = 0
    if options.token is not None:
        if not options.token.isdecimal() or len(options.token) > 9:
            raise _bad_token(options.token)
        start = int(options.token)
    rows = found[start : start + size]
    following = str(start + size) if start + size < len(found) else None
    return Page(rows=rows, total=total, next=following)


def sortable(value: Any) -> tuple[bool, Any]:
    """Give what values are sorted by; null comes first."""
    return (value is not None, 0 if value is None else value)


def _token(key: Key, gone: int) -> str:
    text = "\x1f".join([str(gone), *key])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(token: str | None) -> tuple[Key | None, int]:
    if token is None:
        return None, 0
    if re.fullmatch(r"[A-Za-z0-9_-]+", token) is None:
        raise _bad_token(token)
    try:
        gone, *key = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().split("\x1f")
    except (binascii.Error, UnicodeDecodeError):
        raise _bad_token(token) from None
    if not gone.isdecimal() or not key:
        raise _bad_token(token)
    return tuple(key), int(gone)


def _bad_token(token: str) -> Refusal:
    return Refusal(f"Invalid value '{token}' for the system query option '$skiptoken'.")


def summed(rows: Rows, entity_set: EntitySet, select: frozenset[str] | None) -> Iterator[tuple[Key, Row]]:
    """Sum an aggregate's measures over rows that are alike in the dimensions asked for, and give each sum an id."""
    chosen = [
        each
        for each in entity_set.properties.values()
        if each.role == "dimension" and (select is None or each.name in select)
    ]
    measures = [
        each
        for each in entity_set.properties.values()
        if each.role == "measure" and (select is None or each.name in select)
    ]
    units = [entity_set.properties[each.unit] for each in measures if each.unit]
    chosen += [each for each in units if each not in chosen]
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for _, row in rows:
        parts = tuple(held(each, row) for each in chosen)
        found = sums.setdefault(parts, {each.column: row[each.column] for each in chosen if each.column in row})
        for measure in measures:
            found[measure.column] = found.get(measure.column, 0) + held(measure, row)
    for parts, found in sums.items():
        identity = ".1~" + "~".join("" if part is None else str(part) for part in parts)
        yield (identity,), {**found, "ID": identity}
