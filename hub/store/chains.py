"""Which committer appends to which audit log, where several processes share a database.

A log that nobody appends to any more is gone on with by the next committer that needs one, so that there are only as
many as there were processes at one time. Who did something is its entries' `actor`, not the name of the log.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, select, update

from hub.store.process_tables import committers, workers
from hub.store.tables import audit_heads

#: The first log, which a process alone has; the others are called `main-2`, `main-3` and so on.
FIRST = "main"
#: A committer without a living worker keeps its log for so long after its last group (microseconds).
_KEPT = 30_000_000
#: So long a row is kept of a committer that was never heard of again: it tells whether its last group is stored.
_REMEMBERED = 7 * 86_400_000_000


def take(connection: Connection, committer: str, *, now: int) -> str:
    """Give a committer a log that nobody appends to, or a new one; call it only where no other group is being made."""
    holders = {row.chain: row for row in connection.execute(_HOLDERS)}
    living = set(connection.execute(_LIVING, {"now": now}).scalars())
    known = set(connection.execute(select(audit_heads.c.chain)).scalars()) | set(holders)
    name = next(
        (
            each
            for each in sorted(known, key=_place)
            if each not in holders
            or holders[each].id == committer
            or (holders[each].id not in living and holders[each].at < now - _KEPT)
        ),
        None,
    )
    if name is None:
        name = FIRST if FIRST not in known else f"{FIRST}-{max(map(_place, known)) + 1}"
    connection.execute(update(committers).where(committers.c.chain == name).values(chain=None))
    connection.execute(_GIVE, {"of": committer, "log": name})
    forgotten = committers.c.chain.is_(None) & (committers.c.at < now - _REMEMBERED)
    connection.execute(delete(committers).where(forgotten, committers.c.id.not_in(living)))
    return name


def _place(name: str) -> int:
    """Give the number of a log; one of another name comes after all of ours."""
    number = name.removeprefix(f"{FIRST}-")
    return 1 if name == FIRST else int(number) if number.isdigit() else 1 << 30


_HOLDERS = select(committers.c.id, committers.c.chain, committers.c.at).where(committers.c.chain.is_not(None))
_LIVING = select(workers.c.committer).where(workers.c.ended_at.is_(None), workers.c.lease_until > bindparam("now"))
_GIVE = update(committers).where(committers.c.id == bindparam("of")).values(chain=bindparam("log"))
