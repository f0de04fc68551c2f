"""How an account is set up: accounting periods, legal entities, currencies. All of it is only read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from connectors.netsuite import queries
from connectors.netsuite.upserts import Kind, read
from hub.sdk.connector import ReadOperation, Record
from hub.sdk.session import Session

PERIOD = read(
    Kind(record="accountingPeriod", called="accounting period", schema="netsuite.accounting_period@2026.1"),
    name="period.read",
    title="Read an accounting period and what it is closed or locked for",
)


def _listing(*, name: str, title: str, query: str, columns: tuple[str, ...]) -> ReadOperation:
    async def rows(session: Session, wanted: Record) -> Record:
        return await queries.query(session, {"q": query})

    reads: Callable[[Session, Record], Awaitable[Record]] = rows
    row: dict[str, Any] = {
        "type": "object",
        "properties": {column: {"type": "string"} for column in columns},
        "required": ["id"],
    }
    return ReadOperation(
        name=name,
        title=title,
        input={"type": "object", "properties": {}, "additionalProperties": False},
        output={"type": "object", "properties": {"items": {"type": "array", "items": row}}, "required": ["items"]},
        read=reads,
    )


SUBSIDIARIES = _listing(
    name="subsidiary.list",
    title="List the subsidiaries with the currencies of their books",
    query="SELECT id, name, currency, externalid FROM subsidiary ORDER BY id",
    columns=("id", "name", "currency", "externalid"),
)
CURRENCIES = _listing(
    name="currency.list",
    title="List the currencies",
    query="SELECT id, name, symbol, externalid FROM currency ORDER BY id",
    columns=("id", "name", "symbol", "externalid"),
)
