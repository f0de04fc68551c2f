"""Policies' holds: what the runs wait for that a policy holds, and how they are asked about again.

What people hold stands in `held` and `hold_orders`.
"""

from __future__ import annotations

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, NotFound
from hub.model.run import RunState, WaitKind
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.runs import find, go_on, wake

#: What a held run waits for, besides its time: a revision in which another policy may say something else.
TOPIC = "hold"


def ask_again(transaction: Transaction) -> None:
    """Let every held run ask its policy now."""
    wake(transaction, [TOPIC])


def ask_again_about(transaction: Transaction, run_id: str, *, actor: str) -> None:
    """Let one held run ask its policy now; `Conflict` when it is not held."""
    row = find(transaction.connection, run_id)
    if row is None:
        raise NotFound("There is no such run.", run=run_id)
    if row["state"] != RunState.WAITING or (row["wait_kind"], row["wait_on"]) != (WaitKind.HOLD, TOPIC):
        raise Conflict("Only a run that a policy holds can be asked about again.", run=run_id, state=row["state"])
    go_on(transaction, run_id)
    transaction.entries.append(Note(kind=AuditKind.RUN_WOKEN, actor=actor, subjects={"run": run_id}))
