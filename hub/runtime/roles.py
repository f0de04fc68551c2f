"""Roles: what one process of a hub is there for, and what of the hub belongs to which of them.

The *api* takes in webhooks and orders and shows what there is. The *worker* claims runs and goes through their steps.
The *scheduler* does what must happen once for all: schedules fire, streams and back-fills are read, payloads are
pruned, the audit log is sealed, alarms are told. Any number of processes may have any of these roles; of those that
have the last one, one at a time has the duty (`hub/runtime/leading.py`).
"""

from __future__ import annotations

from enum import StrEnum

from hub.errors import Refused


class Role(StrEnum):
    """One thing that a process of a hub is there for."""

    API = "api"
    WORKER = "worker"
    SCHEDULER = "scheduler"


#: What a process has that is alone with its data.
ALL = frozenset(Role)


def roles_of(text: str) -> frozenset[Role]:
    """Read roles as people write them, such as `worker,scheduler`; raises `Refused` for anything else."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = ", ".join(Role)
    unknown = sorted(set(names) - set(Role))
    if unknown:
        raise Refused(f"There is no role `{unknown[0]}`; write some of {known}.", code="unknown-role")
    if not names:
        raise Refused(f"A process has at least one role; write some of {known}.", code="no-role")
    return frozenset(map(Role, names))


def named(roles: frozenset[Role]) -> str:
    """Give roles as they are written, always in the same order."""
    return ",".join(role for role in Role if role in roles)


def assert_possible(roles: frozenset[Role], database: str | None) -> None:
    """Raise `Refused` where a process is to do only a part, and nobody else could do the rest on its data."""
    if database is None and roles != ALL:
        raise Refused(
            f"A process with the roles {named(roles)} alone needs others beside it, and data in a file belongs to one "
            "process. Name a PostgreSQL database that all of them share, with --database or CONCORD_DATABASE "
            "(see docs/scaling.md), or let one process do everything: `concord serve`.",
            code="roles-need-database",
        )
