"""Decisions: which policy decided what, by which version and rules, from which inputs; kept as long as the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from hub.model.ambient import to_micros
from hub.policy.rules import Decision
from hub.sdk import exact_json
from hub.store import statements
from hub.store.tables import decisions


def row(
    decision: Decision,
    *,
    id: str,
    environment: str,
    bundle: str,
    at: datetime,
    run_id: str | None = None,
    event_id: str | None = None,
    connection: str | None = None,
    path: str | None = None,
) -> dict[str, Any]:
    """Give a decision as it is stored: about a run's step, an event at intake, or a connection alone."""
    return {
        "id": id,
        "environment": environment,
        "run_id": run_id,
        "event_id": event_id,
        "connection": connection,
        "path": path,
        "policy": decision.policy,
        "kind": decision.kind,
        "version": decision.version,
        "bundle": bundle,
        "rules": exact_json.dumps(list(decision.rules)).decode(),
        "inputs": exact_json.dumps(decision.inputs).decode(),
        "output": exact_json.dumps(decision.output).decode(),
        "at": to_micros(at),
    }


def keep(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store decisions, in the transaction of what they led to."""
    statements.insert(connection, decisions, rows)


def of_runs(connection: Connection, run_ids: Sequence[str], paths: Sequence[str]) -> list[Mapping[str, Any]]:
    """Give the decisions about these steps of these runs, the oldest first."""
    wanted = select(decisions).where(decisions.c.run_id.in_(run_ids), decisions.c.path.in_(paths))
    statement = wanted.order_by(decisions.c.at, decisions.c.id)
    return [dict(found._mapping) for found in connection.execute(statement)]
