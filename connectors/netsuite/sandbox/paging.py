"""NetSuite's paging rules: whole pages only, at most 1,000 rows a page, 1,000 pages, 100,000 rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from connectors.netsuite.sandbox.problems import Refusal

LARGEST_PAGE = 1000
MOST_PAGES = 1000
MOST_ROWS = 100_000


def window(query: Mapping[str, str]) -> tuple[int, int]:
    """Read `limit` and `offset` from the query string; refuses what NetSuite refuses."""
    limit = _whole(query, "limit", LARGEST_PAGE)
    offset = _whole(query, "offset", 0)
    if not 1 <= limit <= LARGEST_PAGE:
        raise _refuse("limit", f"The limit must be between 1 and {LARGEST_PAGE}.")
    if offset % limit:
        raise _refuse("offset", "The offset must be divisible by the limit.")
    if offset // limit >= MOST_PAGES or offset + limit > MOST_ROWS:
        raise _refuse("offset", f"At most {MOST_PAGES} pages and {MOST_ROWS} rows can be reached by paging.")
    return limit, offset


def collection(address: str, query: Mapping[str, str], rows: Sequence[Any], limit: int, offset: int) -> dict[str, Any]:
    """Give the envelope of one page of all `rows`; `address` is the resource without a query string."""
    page = rows[offset : offset + limit]
    more = offset + len(page) < len(rows)
    last = (max(len(rows) - 1, 0) // limit) * limit
    places = {"self": offset}
    if more:
        places |= {"next": offset + limit, "last": last}
    if offset:
        places |= {"first": 0, "prev": offset - limit}
    links = [
        {"rel": rel, "href": f"{address}?{urlencode({**query, 'limit': limit, 'offset': place})}"}
        for rel, place in places.items()
    ]
    return {
        "links": links,
        "count": len(page),
        "hasMore": more,
        "items": list(page),
        "offset": offset,
        "totalResults": len(rows),
    }


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise _refuse(name, f"{text!r} is not a whole number.")
    return int(text)


def _refuse(parameter: str, why: str) -> Refusal:
    return Refusal(f"Invalid query parameter value. {why}", code="INVALID_PARAMETER", parameter=parameter)
