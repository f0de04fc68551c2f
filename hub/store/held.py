"""What is held just now, as the engine asks it: within the committer's transaction, so that no answer can be old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, literal, select, union_all

from hub.model.hold import HoldKind
from hub.store.account_tables import connections
from hub.store.control_tables import holds
from hub.store.statements import Formed
from hub.store.tables import runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """All holds in force in an environment, each with its reason: by run, by flow and key, by flow, by connection."""

    runs: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[tuple[str, str], str] = field(default_factory=dict)
    flows: Mapping[str, str] = field(default_factory=dict)
    connections: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Tell whether anything but a connection is held."""
        return bool(self.runs or self.keys or self.flows)

    def of(self, *, run: str, flow: str, key: str) -> tuple[str, str] | None:
        """Give topic and reason of the hold that is over this very run; None when there is none."""
        if run in self.runs:
            return topic(HoldKind.RUN, run), self.runs[run]
        if (flow, key) in self.keys:
            return topic(HoldKind.KEY, flow, key), self.keys[flow, key]
        if flow in self.flows:
            return topic(HoldKind.FLOW, flow), self.flows[flow]
        return None


def topic(kind: HoldKind, name: str, key: str = "") -> str:
    """Name what a run waits for while something of it is held."""
    return f"hold:{kind.value}:{name}:{key}"


def held(connection: Connection, environment: str) -> Holds:
    """Read the holds in force."""
    found: dict[str, dict[tuple[str, str], str]] = {kind.value: {} for kind in HoldKind}
    for row in _IN_FORCE.rows(connection, environment=environment):
        found[row["kind"]][row["name"], row["key"]] = row["reason"] or ""
    return Holds(
        runs=_by_name(found[HoldKind.RUN]),
        keys=found[HoldKind.KEY],
        flows=_by_name(found[HoldKind.FLOW]),
        connections=_by_name(found[HoldKind.CONNECTION]),
    )


def hold_over(
    connection: Connection, holds: Holds, *, run: str, flow: str, key: str, parent_run: str | None
) -> tuple[str, str] | None:
    """Give topic and reason of the hold that a run is under, its own or one over a run that has called it.

    While one is in force the run opens no intent and sends nothing again; it is not claimed unless it was told to stop.
    """
    if not holds:
        return None
    found = holds.of(run=run, flow=flow, key=key)
    while found is None and parent_run is not None:
        caller = connection.execute(_CALLER, {"parent": parent_run}).one_or_none()
        if caller is None:
            return None
        found, parent_run = holds.of(run=caller.id, flow=caller.flow, key=caller.key), caller.parent_run
    return found


_CALLER = select(runs.c.id, runs.c.flow, runs.c.key, runs.c.parent_run).where(runs.c.id == bindparam("parent"))


def _by_name(found: Mapping[tuple[str, str], str]) -> dict[str, str]:
    return {name: reason for (name, _), reason in found.items()}


#: Made once: it is asked in every transaction that opens intents.
_IN_FORCE = Formed(
    union_all(
        select(holds.c.kind, holds.c.name, holds.c.key, holds.c.reason).where(
            holds.c.environment == bindparam("environment"), holds.c.ended_at.is_(None)
        ),
        select(literal(HoldKind.CONNECTION.value), connections.c.name, literal(""), connections.c.reason).where(
            connections.c.environment == bindparam("environment"), connections.c.state == "paused"
        ),
    )
)
