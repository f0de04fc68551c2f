"""What the runs that a run replays have made, as far as it stands and nobody has ordered it once more since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, exists, select

from hub.model.effect import EffectState
from hub.model.flow_steps import UNDOING
from hub.model.run import LEFT_OUT, RunState, StepState, Stopping
from hub.model.standing import Made, around
from hub.sdk import exact_json
from hub.store import remains
from hub.store.lineage import replayed
from hub.store.resuming import at
from hub.store.tables import effects, runs, steps

_DONE = EffectState.DONE.value
#: How errors of a step begin that has met the flow it called, and goes on without what that might have given.
_OF_CHILD = "child-"


def made(connection: Connection, run: Mapping[str, Any], *, within: str | None = None) -> list[Made]:
    """Give the writes and the called flows, at a path and inside of it where one is given.

    What has an older generation than the run was confirmed by the person who ordered that.
    """
    ids = _line(connection, run)
    if not ids:
        return []
    undoing = effects.alias("undoing")
    undone = exists().where(undoing.c.undoes == effects.c.key, undoing.c.state == _DONE)
    statement = select(effects.c.path, effects.c.key, effects.c.connection, effects.c.operation).where(
        effects.c.run_id.in_(ids),
        effects.c.state == _DONE,
        ~effects.c.path.startswith(UNDOING),
        effects.c.generation >= run["generation"],
        ~undone,
    )
    if within is not None:
        statement = statement.where(at(effects.c.path, within))
    written = [
        Made(path=row.path, key=row.key, what=f"{row.connection} {row.operation}")
        for row in connection.execute(statement.order_by(effects.c.path))
    ]
    return [*written, *_called(connection, ids, within)]


def _line(connection: Connection, run: Mapping[str, Any]) -> list[str]:
    ids = replayed(connection, run["replay_of"])
    alike = select(runs.c.id).where(runs.c.id.in_(ids), runs.c.generation >= run["generation"])
    return list(connection.execute(alike).scalars())


def _called(connection: Connection, ids: Sequence[str], within: str | None) -> Iterator[Made]:
    for child in remains.called(connection, list(ids)):
        path = child["parent_path"]
        inside = within is None or path == within or path.startswith((f"{within}.", f"{within}["))
        back = child["state"] == RunState.COMPENSATED or child["stopping"] == Stopping.COMPENSATE
        if inside and not back and any(not each.taken_back for each in remains.made(connection, child["id"])):
            yield Made(path=path, key=child["id"], what=f"the flow {child['flow']}")


def met(connection: Connection, run: Mapping[str, Any], wanted: Sequence[Made]) -> set[str]:
    """Give the paths of those that a run has met: its step there was kept, or has recognised what stands."""
    places = sorted({place for each in wanted for place in around(each.path)})
    rows: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(places), 500):
        some = select(steps).where(steps.c.run_id == run["id"], steps.c.path.in_(places[start : start + 500]))
        rows.update((row.path, dict(row._mapping)) for row in connection.execute(some))
    return {each.path for each in wanted if _is_met(rows, each.path, run)}


def _is_met(rows: Mapping[str, Mapping[str, Any]], path: str, run: Mapping[str, Any]) -> bool:
    row = rows.get(path)
    if row is not None and row["rule"] != LEFT_OUT:
        if row["state"] == StepState.SUCCEEDED or row["output"] is not None:
            return True
        if row["error"] and exact_json.loads(row["error"])["code"].startswith(_OF_CHILD):
            return True
    # What a replay keeps is older than itself.
    return any(
        place in rows
        and rows[place]["state"] == StepState.SUCCEEDED
        and (rows[place]["finished_at"] or 0) < run["created_at"]
        for place in around(path)[:-1]
    )
