"""Lists: newest first, cut into pages by the id of the last item seen."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record, Table

Filter = Callable[[Record], bool]
_RANGE: Mapping[str, Callable[[int, int], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def page_size(parameters: Parameters) -> int:
    """Give how many items a page holds: 10, or 1 to 100 when the caller says so."""
    limit = parameters.integer("limit")
    if limit is None:
        return 10
    if not 1 <= limit <= 100:
        bound = "greater than or equal to 1" if limit < 1 else "less than or equal to 100"
        raise ApiError.invalid(f"This value must be {bound}.", param="limit", code="parameter_invalid_integer")
    return limit


def cursors(parameters: Parameters) -> tuple[str | None, str | None]:
    """Give `starting_after` and `ending_before`, of which only one may be there."""
    starting_after = parameters.text("starting_after") or None
    ending_before = parameters.text("ending_before") or None
    if starting_after and ending_before:
        raise ApiError.invalid(
            "Received both starting_after and ending_before; only one may be given.", code="parameters_exclusive"
        )
    return starting_after, ending_before


def time_range(parameters: Parameters, key: str = "created") -> Filter | None:
    """Read `created=5` or `created[gte]=5` into a filter on that field."""
    if not parameters.given(key):
        return None
    try:
        exact = parameters.integer(key)
    except ApiError:
        part = parameters.part(key)
        if part is None:
            return None
        bounds = [(_RANGE[name], bound) for name in _RANGE if (bound := part.integer(name)) is not None]
        return lambda record: record[key] is not None and all(test(record[key], bound) for test, bound in bounds)
    return None if exact is None else lambda record: bool(record[key] == exact)


def equals(field: str, value: Any) -> Filter | None:
    """Filter on a field's value; None filters nothing."""
    return None if value is None else lambda record: bool(record.get(field) == value)


def pages(
    table: Table,
    parameters: Parameters,
    filters: Iterable[Filter | None],
    *,
    url: str,
    show: Callable[[Record], Record] = dict,
    among: Sequence[Record] | None = None,
) -> dict[str, Any]:
    """Give one page of a table; `among` is a smaller oldest-first selection to look in.

    Nothing may be asked of the parameters after it: what nobody asked for by then is refused.
    """
    limit = page_size(parameters)
    starting_after, ending_before = cursors(parameters)
    parameters.finish()
    tests = [test for test in filters if test is not None]
    found: list[Record] = []
    more = False
    for record in _walk(table, starting_after, ending_before, among):
        if record.get("deleted") or not all(test(record) for test in tests):
            continue
        if len(found) == limit:
            more = True
            break
        found.append(record)
    if ending_before:
        found.reverse()
    return listed([show(record) for record in found], more=more, url=url)


def lines_page(lines: Sequence[Record], parameters: Parameters, *, url: str, kind: str) -> dict[str, Any]:
    """Give one page of a document's lines, in their own order; `kind` is what messages call a line."""
    limit = page_size(parameters)
    starting_after, ending_before = cursors(parameters)
    parameters.finish()

    def place(identifier: str, param: str) -> int:
        for number, line in enumerate(lines):
            if line["id"] == identifier:
                return number
        raise ApiError.no_such(kind, identifier, param=param, status=400)

    if ending_before:
        end = place(ending_before, "ending_before")
        return listed(lines[max(0, end - limit) : end], more=end - limit > 0, url=url)
    start = place(starting_after, "starting_after") + 1 if starting_after else 0
    return listed(lines[start : start + limit], more=start + limit < len(lines), url=url)


def listed(data: Sequence[Mapping[str, Any]], *, more: bool, url: str) -> dict[str, Any]:
    """Give a page in the shape of all lists."""
    return {"object": "list", "data": list(data), "has_more": more, "url": url}


def _walk(
    table: Table, starting_after: str | None, ending_before: str | None, among: Sequence[Record] | None
) -> Iterable[Record]:
    place = _place(table, starting_after, "starting_after")
    if place is not None:
        if among is None:
            return table.newest_first(start=place - 1) if place else ()
        return (record for record in reversed(among) if (table.place(record["id"]) or 0) < place)
    place = _place(table, ending_before, "ending_before")
    if place is not None:
        if among is None:
            return table.oldest_first(start=place + 1)
        return (record for record in among if (table.place(record["id"]) or 0) > place)
    return table.newest_first() if among is None else reversed(among)


def _place(table: Table, identifier: str | None, param: str) -> int | None:
    if identifier is None:
        return None
    record = table.get(identifier)
    if record is None or record.get("deleted"):
        raise ApiError.no_such(table.kind.replace("_", " "), identifier, param=param, status=400)
    return table.place(identifier)
