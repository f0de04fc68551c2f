"""SOQL: values go into a query as literals, never as text of it, and pages are followed to their end."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from connectors.salesforce.answers import plain, rows_of
from connectors.salesforce.client import following, reading, settings_of
from connectors.salesforce.settings import SalesforceSettings
from hub.sdk.answers import read_object
from hub.sdk.calls import Calls
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import canonical
from hub.sdk.session import Session
from hub.sdk.values import Request

#: Salesforce takes no longer query.
LONGEST = 100_000
#: A text in quotes with its escapes, or the place of a value. Times have colons too, behind digits.
_PARTS = re.compile(r"'(?:[^'\\]|\\.)*'|'|(?<![\w:]):([A-Za-z_]\w*)")
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})")
#: Words of SOQL that mean a span of time (`TODAY`, `LAST_N_DAYS:30`), which no value can be.
_MARKED = frozenset({"date", "time"})


def text(value: str) -> str:
    """Give a text as a literal."""
    return f"'{value.translate(_ESCAPES)}'"


def literal(value: Any) -> str:
    """Give a value as a literal: a text, a number, true or false, null, a list, `{"date": …}` or `{"time": …}`.

    `FixData` for anything else, and for a float. A text is never a date: what a query compares has a type, and a value
    that could be read as two of them could say something that its author did not mean.
    """
    if isinstance(value, Mapping):
        return _marked(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    if isinstance(value, Sequence) and not isinstance(value, bytes) and value:
        if any(isinstance(one, Sequence) and not isinstance(one, str) for one in value):
            raise FixData("A list in a query has no lists in it.", code="bad-value")
        return f"({', '.join(literal(one) for one in value)})"
    raise FixData("This value cannot stand in a query.", code="bad-value", value=str(value)[:80])


def filled(query: str, values: Mapping[str, Any]) -> str:
    """Put values into the places (`:name`) of a query; every value has a place, and every place a value.

    Raises `FixData` for what has none, for a text in quotes that does not end, and for a query that is too long.
    """
    places: set[str] = set()

    def put(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            if found[0] == "'":
                raise FixData("A text in the query has no end.", code="bad-query", at=found.start())
            return found[0]
        if name not in values:
            raise FixData("The query has a place without a value.", code="bad-query", place=name)
        places.add(name)
        return literal(values[name])

    whole = _PARTS.sub(put, query)
    if values.keys() - places:
        named = ", ".join(sorted(values.keys() - places))
        raise FixData("There are values that the query has no place for.", code="bad-query", values=named)
    if len(whole) > LONGEST:
        raise FixData("The query is longer than Salesforce takes.", code="query-too-long", signs=len(whole))
    return whole


def select(names: Iterable[str], object: str, *, where: str = "", order: str = "", limit: int | None = None) -> str:
    """Give a query of its parts; names are API names, and values stand in `where` as literals."""
    parts = ["SELECT", ", ".join(names), "FROM", object]
    parts += ["WHERE", where] if where else []
    parts += ["ORDER BY", order] if order else []
    return " ".join([*parts, f"LIMIT {limit}"] if limit is not None else parts)


def asked(settings: SalesforceSettings, query: str, *, deleted: bool = False) -> Request:
    """Form the first page of a query; with `deleted` it finds what lies in the recycle bin too."""
    return reading(settings, "queryAll" if deleted else "query", query={"q": query})


async def pages(session: Session, query: str, *, deleted: bool = False) -> AsyncIterator[list[dict[str, Any]]]:
    """Give the rows of a query page by page, children whole; each page's address is used once.

    Rows that are fewer than the query counts are `OutcomeUnknown`: some were lost on the way.
    """
    settings = settings_of(session)
    request, count = asked(settings, query, deleted=deleted), 0
    while True:
        response = await session.send(request)
        answer = read_object(response)
        rows = rows_of(answer, status=response.status)
        count += len(rows)
        yield [await _whole(session, row) for row in rows]
        if answer["done"]:
            if count != answer["totalSize"]:
                raise OutcomeUnknown("The query gave other rows than it counts.", code="unreadable-answer", rows=count)
            return
        if not rows:
            raise OutcomeUnknown("A page of the query has no rows.", code="unreadable-answer")
        following_page = following(settings, answer["nextRecordsUrl"])
        if following_page == request:
            raise OutcomeUnknown("A page of the query came again.", code="unreadable-answer")
        request = following_page


def read_whole(settings: SalesforceSettings, request: Request) -> Calls:
    """Go through the pages of a query; gives the answer with the rows of all of them, as if it were one page."""
    response = yield request
    answer = read_object(response)
    found = rows_of(answer, status=response.status)
    if answer["done"]:
        return response
    total = answer["totalSize"]
    while not answer["done"]:
        further = following(settings, answer["nextRecordsUrl"])
        page = yield further
        answer = read_object(page)
        came = rows_of(answer, status=page.status)
        if not came or len(found) + len(came) > total:
            raise OutcomeUnknown("The pages of the query are not its rows.", code="unreadable-answer", rows=total)
        found = [*found, *came]
    return replace(response, body=canonical({"totalSize": total, "done": True, "records": found}))


async def rows(session: Session, query: str, *, most: int | None = None) -> list[dict[str, Any]]:
    """Give all rows of a query, children whole; `FixData` where there are more than `most`."""
    found: list[dict[str, Any]] = []
    async for page in pages(session, query):
        found.extend(page)
        if most is not None and len(found) > most:
            raise FixData("The query has more rows than one read holds.", code="too-many-rows", most=most)
    return found


async def _whole(session: Session, row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a row whose children are plain lists; where they have pages of their own, these are read to the end."""
    lists = {name: value for name, value in row.items() if isinstance(value, dict) and "records" in value}
    found = plain({name: value for name, value in row.items() if name not in lists})
    return {**found, **{name: await _children(session, value) for name, value in lists.items()}}


async def _children(session: Session, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    settings = settings_of(session)
    found: list[dict[str, Any]] = []
    while True:
        children = rows_of(answer, status=200)
        found.extend([await _whole(session, child) for child in children])
        if answer["done"]:
            if len(found) != answer["totalSize"]:
                raise OutcomeUnknown("A record has other children than it counts.", code="unreadable-answer")
            return found
        if not children:
            raise OutcomeUnknown("A page of children has no rows.", code="unreadable-answer")
        answer = read_object(await session.send(following(settings, answer["nextRecordsUrl"])))


def _marked(value: Mapping[str, Any]) -> str:
    kind = next(iter(value), "")
    stands = value.get(kind)
    if len(value) != 1 or kind not in _MARKED or not isinstance(stands, str):
        raise FixData("An object in a query is `{date: …}` or `{time: …}`.", code="bad-value")
    form = _DATE if kind == "date" else _TIME
    try:
        if not form.fullmatch(stands):
            raise ValueError
        date.fromisoformat(stands) if kind == "date" else datetime.fromisoformat(stands)
    except ValueError:
        raise FixData(
            f"A {kind} in a query is written as 2026-01-31{'' if kind == 'date' else 'T10:00:00Z'}.",
            code="bad-value",
            value=stands[:40],
        ) from None
    return stands
