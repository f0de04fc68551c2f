"""Settlements: a person says what became of a write that the hub cannot find out about, and its run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select, update

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, NotFound
from hub.model.effect import EffectState, Idempotency
from hub.model.run import GOING_STATES, RunState, Stopping
from hub.sdk import exact_json
from hub.store.audit import Note, bound
from hub.store.committer import Transaction
from hub.store.replays import Replay, replay
from hub.store.run_orders import close_cases, in_doubt
from hub.store.runs import find
from hub.store.stopping import tell_to_stop
from hub.store.tables import effects

Row = Mapping[str, Any]


class Verdict(StrEnum):
    """What a person found at the target: the write is there, or it surely is not."""

    DONE = "done"
    NOT_APPLIED = "not-applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a person says of a write; `output` is what the operation would have given, where it was done."""

    verdict: Verdict
    output: Row | None
    evidence: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What followed: the run that goes on (a replay, or itself), and how many of its writes are still in doubt."""

    run: str | None
    still_in_doubt: int


def settle(transaction: Transaction, key: str, settlement: Settlement, *, environment: str, new_id: str) -> Settled:
    """Record what became of a write; when nothing of its run is in doubt any more, the run goes on from there.

    `new_id` is that of its replay. Raises `Conflict` for a write whose outcome is known, or that the hub is still
    finding out about.
    """
    connection = transaction.connection
    effect = _find(connection, key, environment)
    run = latest(connection, effect["run_id"])
    if _said_already(effect, settlement):
        return Settled(run=None if run is None else run["id"], still_in_doubt=0)
    state = EffectState(effect["state"])
    if state in (EffectState.DONE, EffectState.FAILED):
        raise Conflict("What became of the write is known already.", code="outcome-known", state=state.value)
    if run is not None and RunState(run["state"]) in GOING_STATES:
        raise Conflict(
            "The hub is still finding out what became of the write; a person settles only what it cannot find out.",
            code="still-finding-out",
            run=run["id"],
        )
    _record(transaction, effect, settlement)
    if run is None or run["state"] != RunState.PARKED:
        return Settled(run=None, still_in_doubt=0)
    left = len(in_doubt(connection, run))
    if left:
        return Settled(run=run["id"], still_in_doubt=left)
    return Settled(run=_go_on(transaction, run, settlement, new_id), still_in_doubt=0)


def latest(connection: Connection, run_id: str) -> Row | None:
    """Give the run that stands for a run now: its latest replay."""
    row = find(connection, run_id)
    while row is not None and row["replaced_by"] is not None:
        row = find(connection, row["replaced_by"])
    return row


def _find(connection: Connection, key: str, environment: str) -> Row:
    row = connection.execute(select(effects).where(effects.c.key == key)).one_or_none()
    if row is None or row.environment != environment:
        raise NotFound("There is no such write.", effect=key)
    return dict(row._mapping)


def _said_already(effect: Row, settlement: Settlement) -> bool:
    if effect["settlement"] is None or effect["state"] not in (EffectState.DONE, EffectState.FAILED):
        return False
    said = exact_json.loads(effect["settlement"])
    return bool((said["verdict"], said["by"]) == (settlement.verdict, settlement.actor))


def _record(transaction: Transaction, effect: Row, settlement: Settlement) -> None:
    done = settlement.verdict is Verdict.DONE
    said = {
        "verdict": settlement.verdict.value,
        "by": settlement.actor,
        "at": transaction.now,
        "evidence": settlement.evidence,
    }
    transaction.connection.execute(
        update(effects)
        .where(effects.c.key == effect["key"])
        .values(
            state=(EffectState.DONE if done else EffectState.FAILED).value,
            output=exact_json.dumps(settlement.output).decode() if done else None,
            reason="settled-by-a-person",
            settlement=exact_json.dumps(said).decode(),
            # What a target keeps under a key that made nothing, it would say again.
            renewals=effect["renewals"] + (not done and effect["idempotency"] == Idempotency.NATIVE),
            finished_at=transaction.now,
        )
    )
    transaction.entries.append(
        Note(
            kind=AuditKind.EFFECT_RESOLVED,
            actor=settlement.actor,
            subjects={"effect": effect["key"], "run": effect["run_id"]},
            facts={"found": done, "evidence": bound(settlement.evidence)},
        )
    )


def _go_on(transaction: Transaction, run: Row, settlement: Settlement, new_id: str) -> str:
    words = f"settled as {settlement.verdict.value}"
    if run["stopping"] is not None:
        # It was told to stop and could not, because of this write.
        order = exact_json.loads(run["stopping_order"])
        tell_to_stop(transaction, run["id"], Stopping(run["stopping"]), order)
        close_cases(transaction, run["id"], actor=settlement.actor, resolution=words)
        return str(run["id"])
    order = Replay(new_id=new_id, actor=settlement.actor, reason=settlement.evidence, go_on=True, resolution=words)
    return replay(transaction, run["id"], order)
