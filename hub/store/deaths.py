"""Runs that a process had in hand when it died: which of them may have been the cause, and how they are tried again.

A run that ends the process each time would end every later one, too, and everything else would stand still with it.
After some deaths it is tried apart from the others, so that none of them is taken for the cause; after some more the
worker stops it for a person. What a run records as done shows that it was not the cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, case, func, select, update

from hub.model.effect import EffectState
from hub.model.run import RunState
from hub.store.committer import Transaction
from hub.store.tables import effects, runs, steps

#: After so many deaths in a row without getting any further a run stops for a person.
MOST_DEATHS = 5
#: After so many it is tried apart from the others, the one of most deaths last.
_SUSPECT_AFTER = 2
#: One such run goes every so often (microseconds); of many, which something else than they may have ended, all within
#: so long.
_APART, _WITHIN = 5_000_000, 60_000_000
_KNOWN = (EffectState.DONE.value, EffectState.FAILED.value)


def count(transaction: Transaction, ids: Sequence[str]) -> None:
    """Count that a process has died with these runs in hand."""
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        before = dict(transaction.connection.execute(select(runs.c.id, runs.c.got_to).where(runs.c.id.in_(some))).all())
        now = _got_to(transaction.connection, some)
        further = [each for each in some if now.get(each, 0) != before[each]]
        stuck = update(runs).where(runs.c.id.in_(set(some) - set(further)))
        transaction.connection.execute(stuck.values(deaths=runs.c.deaths + 1))
        for each in further:
            transaction.connection.execute(update(runs).where(runs.c.id == each).values(deaths=0, got_to=now[each]))


def set_apart(transaction: Transaction, environment: str) -> None:
    """Let suspects that are queued go one after the other, each so long after the last that its doing shows.

    None goes at once: a process that ends soon after its start for another reason says nothing of them.
    """
    suspects = (
        select(runs.c.id)
        .where(
            runs.c.environment == environment,
            runs.c.state == RunState.QUEUED.value,
            runs.c.claimable_at.is_not(None),
            runs.c.deaths >= _SUSPECT_AFTER,
        )
        .order_by(runs.c.deaths, runs.c.position)
    )
    found = transaction.connection.execute(suspects).scalars().all()
    apart = min(_APART, _WITHIN // max(len(found), 1))
    for place, run_id in enumerate(found, start=1):
        later = update(runs).where(runs.c.id == run_id).values(claimable_at=transaction.now + place * apart)
        transaction.connection.execute(later)


def _got_to(connection: Connection, ids: Sequence[str]) -> Mapping[str, int]:
    """Count what runs have recorded: steps, writes, and writes of which the outcome is known; no attempts at them."""
    known = case((effects.c.state.in_(_KNOWN), 2), else_=1)
    found: dict[str, int] = {}
    for table, what in ((steps, func.count()), (effects, func.sum(known))):
        counted = select(table.c.run_id, what).where(table.c.run_id.in_(ids)).group_by(table.c.run_id)
        for run_id, number in connection.execute(counted):
            found[run_id] = found.get(run_id, 0) + number
    return found
