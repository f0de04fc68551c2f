"""Schedules and streams of a stage as they may be after some days: fired, skipped, missed, failing, with a gap."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from hub.model.ambient import to_micros
from hub.store import streams
from hub.store.committer import Transaction, Work
from hub.store.control_tables import firings
from hub.store.streams import GapKind
from hub.store.tables import runs
from tests.ui import believable
from tests.ui.stage import Stage

FLOW = "invoices-agree"
OF = {"environment": believable.ENVIRONMENT, "name": "stripe", "stream": "events"}


async def pass_days(set_up: Stage) -> None:
    """Let firings have happened, a stream fail after it was read, and a back-fill be under way."""
    now = set_up.ambient.now()
    await _do(set_up, lambda tx: _fire(tx, now))
    await _do(set_up, lambda tx: _read(tx, now))
    await set_up.console.schedules.run_now(FLOW, actor="local")
    await set_up.console.backfills.order(
        "stripe",
        "events",
        since=now - timedelta(days=3),
        until=now - timedelta(days=1),
        actor="local",
        reason="The endpoint's secret was wrong from Monday to Wednesday.",
    )


async def lose_events(set_up: Stage) -> None:
    """Let a stream have a gap."""
    now = set_up.ambient.now()
    await _do(
        set_up,
        lambda tx: streams.add_gap(
            tx,
            **OF,
            kind=GapKind.TOO_OLD,
            since=to_micros(now - timedelta(days=33)),
            until=to_micros(now - timedelta(days=30)),
            detail="The last reading was <longer> ago than events are kept.",
        ),
    )


def _fire(transaction: Transaction, now: datetime) -> None:
    begun = transaction.connection.execute(select(runs.c.id, runs.c.event_id).limit(8)).all()
    hour = now.replace(minute=10, second=0, microsecond=0) - timedelta(hours=1)
    states = ("fired", "fired", "skipped", "fired", "missed", "fired", "ordered", "fired")
    rows: list[dict[str, Any]] = []
    for number, (state, run) in enumerate(zip(states, begun, strict=False)):
        due = to_micros(hour - timedelta(hours=number))
        rows.append(
            {
                "environment": believable.ENVIRONMENT,
                "flow": FLOW,
                "due_at": due,
                "state": state,
                "event_id": run.event_id if state in {"fired", "ordered"} else None,
                "missed": 3 if state == "missed" else 0,
                "open_run": run.id if state == "skipped" else None,
                "at": due + 300_000,
            }
        )
    transaction.connection.execute(insert(firings), rows)


def _read(transaction: Transaction, now: datetime) -> None:
    columns = {"cursor": "1767000000", "trail": None, "numbers": None}
    newest, read_at = to_micros(now - timedelta(minutes=26)), to_micros(now - timedelta(minutes=25))
    streams.move(transaction, **OF, columns=columns, newest_at=newest)
    streams.end(transaction, **OF, read_at=read_at)
    for _ in range(4):
        streams.fail(transaction, **OF, error="The API key <is> not known. (status: 401)")


async def _do(set_up: Stage, work: Callable[[Transaction], None]) -> None:
    await set_up.committer.commit(Work(work))
