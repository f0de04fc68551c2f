"""Query results that are read page by page: each page's address is good for two days, and for its own place alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.soql.shaping import Shape
from connectors.salesforce.sandbox.store import Record

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

_LOCATOR = re.compile(r"(?P<id>[0-9A-Za-z]{15,18})-(?P<from>\d{1,9})")
#: Queries that one user may have open; the eldest one is closed for another.
MOST_OPEN = 1000


@dataclass(slots=True, kw_only=True)
class _Cursor:
    records: Sequence[Record]
    shape: Shape
    ends: int


class Cursors:
    """The open results of one org.

    They hold the records as they stood when the query ran: those are never altered, only replaced.
    """

    def __init__(self, org: Org) -> None:
        """Start with none."""
        self._org = org
        self._open: dict[str, _Cursor] = {}

    def first(self, records: Sequence[Record], shape: Shape, *, base: str, rows: int) -> dict[str, Any]:
        """Give the first page of a result; what is behind it stays open."""
        if len(records) <= rows:
            return self._page("", records, shape, 0, base=base, rows=rows)
        id = self._org.ids.next("0r8")
        ends = self._org.now() + round(self._org.settings.cursor_seconds * 1000)
        if len(self._open) >= MOST_OPEN:
            del self._open[next(iter(self._open))]
        self._open[id] = _Cursor(records=records, shape=shape, ends=ends)
        return self._page(id, records, shape, 0, base=base, rows=rows)

    def more(self, locator: str, *, base: str, rows: int) -> dict[str, Any]:
        """Give the page that a locator names."""
        found = _LOCATOR.fullmatch(locator)
        cursor = self._open.get(found["id"]) if found else None
        if (
            found is None
            or cursor is None
            or cursor.ends <= self._org.now()
            or int(found["from"]) > len(cursor.records)
        ):
            raise Refusal("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(found["id"], cursor.records, cursor.shape, int(found["from"]), base=base, rows=rows)

    def _page(
        self, id: str, records: Sequence[Record], shape: Shape, begin: int, *, base: str, rows: int
    ) -> dict[str, Any]:
        def open_list(children: Sequence[Record], inner: Shape) -> dict[str, Any]:
            most = self._org.settings.child_rows_per_page
            return self.first(children, inner, base=base, rows=min(rows, most))

        end = min(begin + rows, len(records))
        done = end >= len(records)
        return {
            "totalSize": len(records),
            "done": done,
            **({} if done else {"nextRecordsUrl": f"{base}/query/{id}-{end}"}),
            "records": [shape.show(record, base, open_list) for record in records[begin:end]],
        }
