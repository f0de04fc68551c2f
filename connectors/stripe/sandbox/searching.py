"""Search: a query over a few fields and the metadata; what was made only a moment ago may not be found yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.listing import Filter, page_size
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record, Table

_CLAUSE = re.compile(
    r"""\s*(?P<not>-)?(?P<field>[a-z_]+(?:\.[a-z_]+)*)(?:\[(?P<q>["'])(?P<key>[^"']+)(?P=q)\])?"""
    r"""(?P<operator>:|~|>=|<=|>|<)"""
    r"""(?:(?P<v>["'])(?P<text>(?:\\.|(?!(?P=v)).)*)(?P=v)|(?P<bare>-?[0-9.]+|null|true|false))\s*"""
)
_JOIN = re.compile(r"(AND|OR)\b", re.IGNORECASE)


def search(
    account: Account,
    table: Table,
    parameters: Parameters,
    *,
    fields: Collection[str],
    url: str,
    show: Callable[[Record], Record] = dict,
) -> dict[str, Any]:
    """Give a page of the objects that a query finds, newest first; the next one is had by `next_page`.

    The index is behind by the switch `search_delay`: younger objects are not found yet.
    """
    test = _read(parameters.required("query"), fields)
    limit = page_size(parameters)
    page = parameters.text("page")
    parameters.finish()
    indexed = account.world.clock.now().timestamp() - account.switches.search_delay
    skip = _offset(page) if page else 0
    found = [
        record
        for record in table.newest_first()
        if not record.get("deleted") and record["created"] <= indexed and test(record)
    ]
    part = found[skip : skip + limit]
    more = len(found) > skip + limit
    return {
        "object": "search_result",
        "data": [show(record) for record in part],
        "has_more": more,
        "next_page": f"page_{skip + limit}" if more else None,
        "url": url,
    }


def _offset(page: str) -> int:
    digits = page.removeprefix("page_")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
        raise ApiError.invalid("Invalid page token.", param="page")
    return int(digits)


def _read(query: str, fields: Collection[str]) -> Filter:
    """Read clauses joined by AND or by OR; the two are not mixed."""
    tests: list[Filter] = []
    joins: set[str] = set()
    place = 0
    while True:
        match = _CLAUSE.match(query, place)
        if match is None:
            raise _unreadable(query)
        tests.append(_clause(match, fields, query))
        place = match.end()
        if place == len(query):
            break
        join = _JOIN.match(query, place)
        if join is not None:
            place = join.end()
        joins.add("AND" if join is None else join[1].upper())
    if len(joins) > 1:
        raise ApiError.invalid("Queries cannot mix AND and OR.", param="query")
    if len(tests) > 10:
        raise ApiError.invalid("Queries can have up to 10 clauses.", param="query")
    every = all if joins != {"OR"} else any
    return lambda record: every(test(record) for test in tests)


def _clause(match: re.Match[str], fields: Collection[str], query: str) -> Filter:
    field, key, operator = match["field"], match["key"], match["operator"]
    if (key is not None) != (field == "metadata") or (key is None and field not in fields):
        raise ApiError.invalid(f"Field `{field}` is an unsupported search field for this resource.", param="query")
    text = match["text"]
    wanted = match["bare"] if text is None else re.sub(r"\\(.)", r"\1", text)
    missing = text is None and wanted == "null"

    def value(record: Record) -> Any:
        return record["metadata"].get(key) if key is not None else record.get(field)

    if operator == ":":

        def test(record: Record) -> bool:
            held = value(record)
            return held is None if missing else _same(held, wanted)

    elif operator == "~":
        if text is None or len(text) < 3:
            raise ApiError.invalid("Substring matches need at least three characters in quotes.", param="query")

        def test(record: Record) -> bool:
            return wanted.lower() in str(value(record) or "").lower()

    else:
        try:
            bound = Decimal(wanted)
        except InvalidOperation:
            raise _unreadable(query) from None

        def test(record: Record) -> bool:
            held = value(record)
            return isinstance(held, int) and _ORDERS[operator](held, bound)

    return (lambda record: not test(record)) if match["not"] else test


_ORDERS: dict[str, Callable[[int, Decimal], bool]] = {
    ">": lambda held, bound: held > bound,
    ">=": lambda held, bound: held >= bound,
    "<": lambda held, bound: held < bound,
    "<=": lambda held, bound: held <= bound,
}


def _same(held: Any, wanted: str) -> bool:
    if isinstance(held, bool):
        return wanted == ("true" if held else "false")
    return held is not None and str(held).lower() == wanted.lower()


def _unreadable(query: str) -> ApiError:
    return ApiError.invalid(f"We were unable to parse your search query: {query[:200]}", param="query")
