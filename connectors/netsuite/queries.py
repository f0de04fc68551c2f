"""SuiteQL: all rows of a query, page by page."""

from __future__ import annotations

from typing import Any

from connectors.netsuite.answers import document, rows
from connectors.netsuite.client import PAGE_ROWS, settings_of, suiteql
from hub.sdk.connector import ReadOperation, Record
from hub.sdk.errors import FixData
from hub.sdk.session import Session

#: NetSuite pages no further for accounts without SuiteAnalytics Connect.
MOST_ROWS = 100_000


async def query(session: Session, wanted: Record) -> Record:
    """Read all rows of `q`, values as NetSuite gives them: strings, null columns left out.

    Pages are read one after another, so a query whose rows may change meanwhile wants an `ORDER BY id`. `FixData`
    when there are more rows than paging reaches.
    """
    found: list[dict[str, Any]] = []
    while True:
        request = suiteql(settings_of(session), wanted["q"], wanted.get("params", ()), offset=len(found))
        response = await session.send(request)
        page = rows(response)
        found.extend(page)
        if not document(response).get("hasMore"):
            return {"items": found}
        if len(page) != PAGE_ROWS:
            raise FixData("A page of the query came incomplete.", code="page-cut", rows=len(page))
        if len(found) >= MOST_ROWS:
            raise FixData(
                "The query has more rows than NetSuite pages through; narrow it with `WHERE id > ? ORDER BY id`.",
                code="too-many-rows",
                most=MOST_ROWS,
            )


QUERY = ReadOperation(
    name="suiteql.query",
    title="Read all rows of a SuiteQL query",
    input={
        "type": "object",
        "properties": {
            "q": {"type": "string", "minLength": 1},
            "params": {"type": "array", "items": {"type": ["string", "number"]}},
        },
        "required": ["q"],
        "additionalProperties": False,
    },
    output={
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"type": "object"}}},
        "required": ["items"],
    },
    read=query,
)
