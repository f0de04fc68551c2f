"""How a run stands besides its steps: what is held or ordered of it, who waits behind it, what calls belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from hub.model.ambient import of_micros
from hub.model.run import OPEN_STATES, RunState, Stopping
from hub.queries.actors import called
from hub.queries.holds import HoldRow, over_run
from hub.queries.runs import RunRow, run_row
from hub.queries.waiting import Behind, behind_row
from hub.sdk import exact_json
from hub.store import remains, replays
from hub.store.tables import runs

#: So many of the flows that a run has called are listed.
_LISTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOrder:
    """What was ordered of a run: to end (`cancel`) or to take back what it did, by whom, why and when.

    `under_way` while the run has not come to that end.
    """

    how: Stopping
    by_name: str
    reason: str
    at: datetime
    under_way: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A write that was made: a replay recognises it by its key and does not make it again.

    `refused` is one that was not made, because something newer stands there, and `taken_back` one that does not stand
    any more; whoever orders the run once more orders these with it.
    """

    key: str
    connection: str
    operation: str
    path: str
    target_id: str | None
    refused: bool = False
    taken_back: bool = False
    #: The run's own step: the write's, or the one that called the flow which has made it.
    step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a run stands.

    `repeatable` is what a person may have written once more: what exists, and what was refused as older than what
    stands. `taken_back` says that what the run did is not there any more, or only in part; `stays` are the paths of
    what is there all the same, also in flows that it called, once it has taken back what it could.
    """

    holds: tuple[HoldRow, ...]
    stop: StopOrder | None
    ordered_by: str | None
    behind: Behind
    caller: RunRow | None
    called: tuple[RunRow, ...]
    written: tuple[Written, ...]
    repeatable: tuple[Written, ...]
    taken_back: bool
    stays: tuple[str, ...]


def standing(connection: Connection, row: Mapping[str, Any], names: Mapping[str, str]) -> Standing:
    """Give how a stored run stands; `names` are people's by id."""
    caller = None
    if row["parent_run"] is not None:
        found = connection.execute(select(runs).where(runs.c.id == row["parent_run"])).one_or_none()
        caller = None if found is None else run_row(found._mapping)
    statement = select(runs).where(runs.c.parent_run == row["id"], runs.c.replaced_by.is_(None)).order_by(runs.c.id)
    written = tuple(_written(effect) for effect in replays.written(connection, row))
    refused = tuple(_written(effect, refused=True) for effect in replays.refused(connection, row))
    return Standing(
        holds=over_run(connection, row, names),
        stop=_stop(row, names),
        ordered_by=called(row["ordered_by"], names) if row["ordered_by"] else None,
        behind=behind_row(connection, row),
        caller=caller,
        called=tuple(run_row(each._mapping) for each in connection.execute(statement.limit(_LISTED))),
        written=written,
        repeatable=(*written, *refused),
        taken_back=row["state"] == RunState.COMPENSATED or row["stopping"] == Stopping.COMPENSATE,
        stays=_stays(connection, row),
    )


def _stays(connection: Connection, row: Mapping[str, Any]) -> tuple[str, ...]:
    if row["state"] != RunState.COMPENSATED:
        return ()
    return tuple(each.path for each in remains.made(connection, row["id"]) if not each.taken_back)


def _stop(row: Mapping[str, Any], names: Mapping[str, str]) -> StopOrder | None:
    if row["stopping_order"] is None:
        return None
    order = exact_json.loads(row["stopping_order"])
    how = Stopping(row["stopping"]) if row["stopping"] is not None else Stopping.CANCEL
    state = RunState(row["state"])
    return StopOrder(
        how=how,
        by_name=called(str(order["actor"]), names),
        reason=str(order["reason"]),
        at=of_micros(order["at"]),
        under_way=state in OPEN_STATES and state is not RunState.PARKED,
    )


def _written(effect: Mapping[str, Any], *, refused: bool = False) -> Written:
    output = exact_json.loads(effect["output"]) if effect["output"] else None
    id = output.get("id") if isinstance(output, dict) else None
    return Written(
        key=effect["key"],
        connection=effect["connection"],
        operation=effect["operation"],
        path=effect["path"],
        step=effect["step"],
        target_id=None if id is None else str(id),
        refused=refused,
        taken_back=effect["taken_back"],
    )
