"""SuiteQL: all rows of a query page by page, or by their key where there are more than paging reaches."""

from __future__ import annotations

from typing import Any

from connectors.netsuite.answers import rows
from connectors.netsuite.client import PAGE_ROWS, settings_of, suiteql
from hub.sdk.answers import read_object
from hub.sdk.connector import ReadOperation, Record
from hub.sdk.errors import FixData
from hub.sdk.session import Session

#: NetSuite pages no further for accounts without SuiteAnalytics Connect; one read holds no more in memory either.
MOST_ROWS = 100_000


async def query(session: Session, wanted: Record) -> Record:
    """Read the rows of `q`, values as NetSuite gives them: strings, null columns left out.

    Without `by`, pages are read one after another, so a query whose rows may change meanwhile wants an `ORDER BY id`;
    `FixData` when there are more rows than paging reaches. With `by`, see `by_key`.
    """
    if "by" in wanted:
        return await by_key(session, wanted)
    found: list[dict[str, Any]] = []
    while True:
        request = suiteql(settings_of(session), wanted["q"], wanted.get("params", ()), offset=len(found))
        response = await session.send(request)
        page = rows(response)
        found.extend(page)
        if not read_object(response).get("hasMore"):
            return {"items": found}
        if len(page) != PAGE_ROWS:
            raise FixData("A page of the query came incomplete.", code="page-cut", rows=len(page))
        if len(found) >= MOST_ROWS:
            raise FixData(
                "The query has more rows than NetSuite pages through; read it by a key (`by`).",
                code="too-many-rows",
                most=MOST_ROWS,
            )


async def by_key(session: Session, wanted: Record) -> Record:
    """Read rows in the order of the column `by`, behind the key `after`, `most` of them at the most.

    The query says `... AND id > ? ORDER BY id`: its last question mark is the key, which is not among `params`. Every
    page is the first one of a new query, so that neither paging's end nor changes meanwhile lose a row. Gives `next`,
    the key to go on behind, when there may be more.
    """
    column, after = str(wanted["by"]).lower(), str(wanted.get("after", "0"))
    most = int(wanted.get("most", MOST_ROWS))
    found: list[dict[str, Any]] = []
    while len(found) < most:
        limit = min(PAGE_ROWS, most - len(found))
        params = [*wanted.get("params", ()), after]
        response = await session.send(suiteql(settings_of(session), wanted["q"], params, limit=limit))
        page = rows(response)
        for row in page:
            after = _next_key(row.get(column), after, column)
        found.extend(page)
        if not read_object(response).get("hasMore"):
            return {"items": found}
    return {"items": found, "next": after}


def _next_key(key: object, before: str, column: str) -> str:
    """Take a row's key: a number greater than the one before, because otherwise rows would be lost or repeated."""
    if not isinstance(key, str) or not (key.isascii() and key.isdigit()) or int(key) <= int(before or "0"):
        raise FixData(
            "The rows are not in ascending order of their key; the query needs it in SELECT, `> ?` and ORDER BY.",
            code="key-order",
            column=column,
            key=str(key)[:40],
        )
    return key


QUERY = ReadOperation(
    name="suiteql.query",
    title="Read the rows of a SuiteQL query",
    input={
        "type": "object",
        "properties": {
            "q": {"type": "string", "minLength": 1},
            "params": {"type": "array", "items": {"type": ["string", "number"]}},
            "by": {"type": "string", "minLength": 1},
            "after": {"type": "string", "pattern": "^[0-9]+$"},
            "most": {"type": "integer", "minimum": 1, "maximum": MOST_ROWS},
        },
        "required": ["q"],
        "dependentRequired": {"after": ["by"], "most": ["by"]},
        "additionalProperties": False,
    },
    output={
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"type": "object"}}, "next": {"type": "string"}},
        "required": ["items"],
    },
    read=query,
)
