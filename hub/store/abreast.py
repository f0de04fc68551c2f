"""What a process asks the database again and again where others change it too: has anything come that it must know?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from hub.store import connections, revisions
from hub.store.account_tables import secrets
from hub.store.process_tables import committers


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the data of an environment stands; two that are alike mean that nothing has happened in between.

    `commits` changes with every group of changes that any process makes durable, `revision` is the number of the one
    that serves, with its `bundle`. `paused` has the reason by connection, `secrets` the newest version by name.
    """

    commits: tuple[int, int] = (0, 0)
    revision: int = 0
    bundle: str | None = None
    paused: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, int] = field(default_factory=dict)


def look(connection: Connection, *, environment: str) -> Standing:
    """Give where the data of an environment stands now."""
    number, groups = connection.execute(select(func.count(), func.coalesce(func.sum(committers.c.number), 0))).one()
    serving = revisions.current(connection, environment=environment)
    states = connections.states(connection, environment=environment)
    versions = (
        select(secrets.c.name, func.max(secrets.c.version))
        .where(secrets.c.environment == environment)
        .group_by(secrets.c.name)
    )
    return Standing(
        commits=(int(number), int(groups)),
        revision=0 if serving is None else int(serving["number"]),
        bundle=None if serving is None else str(serving["bundle"]),
        paused={name: str(row["reason"]) for name, row in states.items() if row["state"] == connections.PAUSED},
        secrets={str(name): int(version) for name, version in connection.execute(versions)},
    )
