"""What a worker reads to go on with a run: what its loops have done, what it must find out, what it can take back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Column, ColumnElement, Connection, Select, and_, bindparam, func, or_, select

from hub.errors import LimitReached, OutcomeParked
from hub.model.effect import EffectState
from hub.model.flow_steps import UNDOING
from hub.model.run import COMPENSATION_FAILED, StepState
from hub.store.claims import tried_of
from hub.store.effects import answering
from hub.store.lineage import replayed
from hub.store.tables import attempts, awaited, crossrefs, effects, events, runs, steps

#: Of a write in these states nobody knows whether it happened; the last waits for a person.
_IN_DOUBT = (EffectState.INTENT.value, EffectState.UNKNOWN.value, EffectState.PARKED.value)


#: Of so many items is read together what is inside them.
_TOGETHER = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemHistory:
    """What is recorded of items of a loop, by path; `limited` are attempts that a limit turned away."""

    steps: Mapping[str, Mapping[str, Any]]
    effects: Mapping[str, Mapping[str, Any]]
    attempts: Mapping[str, int]
    limited: Mapping[str, int]


def items(connection: Connection, run_id: str, paths: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Give the own rows of items by their paths (`lines[17]`): how each stands, what it gave, and why it stopped."""
    return {row.path: dict(row._mapping) for row in connection.execute(_ITEMS, {"run": run_id, "paths": paths})}


def still_awaited(connection: Connection, run_id: str, topics: Collection[str]) -> set[str]:
    """Give those of some topics for which a run waits since before, and of which nobody has told by now."""
    found: set[str] = set()
    wanted = sorted(topics)
    for start in range(0, len(wanted), 500):
        some = {"run": run_id, "topics": wanted[start : start + 500]}
        found.update(connection.execute(_STILL_AWAITED, some).scalars())
    return found


_ITEMS = select(*(steps.c[name] for name in ("path", "state", "output", "error", "finished_at"))).where(
    steps.c.run_id == bindparam("run"), steps.c.path.in_(bindparam("paths", expanding=True))
)
_STILL_AWAITED = select(awaited.c.topic).where(
    awaited.c.topic.in_(bindparam("topics", expanding=True)), awaited.c.run_id == bindparam("run")
)


def of_items(connection: Connection, run_id: str, begun: Sequence[str]) -> ItemHistory:
    """Give what is recorded inside items that are not done, by their paths.

    A loop inside an item reads what it has done by itself, some items at a time. An item that was interrupted has rows
    inside it and none of its own.
    """
    inside: dict[str, Mapping[str, Any]] = {}
    sent: dict[str, Mapping[str, Any]] = {}
    tried, limited = {}, {}
    of_steps, of_effects, of_attempts = _of_begun()
    for start in range(0, len(begun), _TOGETHER):
        some = begun[start : start + _TOGETHER]
        # The statement has so many places; the last item stands in those that are left.
        named = _places([*some, *[some[-1]] * (_TOGETHER - len(some))], run_id)
        inside.update((row.path, dict(row._mapping)) for row in connection.execute(of_steps, named))
        sent.update((row.path, dict(row._mapping)) for row in connection.execute(of_effects, named))
        for _, path, number, turned_away in connection.execute(of_attempts, named):
            tried[path], limited[path] = number, turned_away
    return ItemHistory(steps=inside, effects=sent, attempts=tried, limited=limited)


def of_call(
    connection: Connection, run_id: str, paths: Sequence[str], wanted: Sequence[Mapping[str, Any]]
) -> ItemHistory:
    """Give what is recorded of items of a call: their rows by path, and the effects that answer for them.

    `wanted` are the writes of the items; their effects, of whatever run, come by their keys.
    """
    own = {
        row.path: dict(row._mapping)
        for row in connection.execute(select(steps).where(steps.c.run_id == run_id, steps.c.path.in_(paths)))
    }
    tried, limited = {}, {}
    for _, path, number, turned_away in connection.execute(
        tried_of(attempts.c.run_id == run_id, attempts.c.path.in_(paths))
    ):
        tried[path], limited[path] = number, turned_away
    return ItemHistory(steps=own, effects=answering(connection, wanted), attempts=tried, limited=limited)


def in_vain(connection: Connection, run_id: str, path: str) -> int:
    """Count the sendings of a step since the last one that brought it on; what a limit turned away is none."""
    of_step = and_(attempts.c.run_id == run_id, attempts.c.path == path, attempts.c.kind == "send")
    last = select(func.max(attempts.c.number)).where(of_step, attempts.c.outcome == "done").scalar_subquery()
    since = select(func.count()).where(
        of_step, attempts.c.number > func.coalesce(last, 0), attempts.c.outcome != LimitReached.code
    )
    return connection.execute(since).scalar_one()


def _inside(column: Column[str], paths: Sequence[str]) -> ColumnElement[bool]:
    # `/` is the character after `.`, so that the index finds what begins with a path and a dot.
    return or_(*(and_(column > f"{path}.", column < f"{path}/") for path in paths))


@cache
def _of_begun() -> tuple[Select[Any], Select[Any], Select[Any]]:
    """Form what reads the steps, effects and attempts inside items, once: forming it costs more than reading."""
    run: BindParameter[str] = bindparam("run")
    return (
        select(steps).where(steps.c.run_id == run, _in_places(steps.c.path)),
        select(effects).where(effects.c.run_id == run, _in_places(effects.c.path)),
        tried_of(attempts.c.run_id == run, _in_places(attempts.c.path)),
    )


def _in_places(column: Column[str]) -> ColumnElement[bool]:
    """Say that something is inside an item and in no loop within that, or takes back what is inside the item."""
    found: list[ColumnElement[bool]] = []
    for number in range(_TOGETHER):
        here: BindParameter[str] = bindparam(f"here{number}")
        undo: BindParameter[str] = bindparam(f"undo{number}")
        after = func.substr(column, func.length(here) + 1)
        found.append(
            and_(column > here, column < bindparam(f"here_end{number}"), ~after.contains("[", autoescape=True))
        )
        found.append(and_(column > undo, column < bindparam(f"undo_end{number}")))
    return or_(*found)


def _places(paths: Sequence[str], run_id: str) -> dict[str, str]:
    named = {"run": run_id}
    for number, path in enumerate(paths):
        for what, begins in (("here", path), ("undo", f"{UNDOING}{path}")):
            named |= {f"{what}{number}": f"{begins}.", f"{what}_end{number}": f"{begins}/"}
    return named


def _straight_inside(column: Column[str], paths: Sequence[str]) -> ColumnElement[bool]:
    """Say that a step is inside an item, and in no loop within that."""
    return or_(
        *(
            and_(_inside(column, [path]), ~func.substr(column, len(path) + 1).contains("[", autoescape=True))
            for path in paths
        )
    )


def unresolved(connection: Connection, run_id: str) -> list[Mapping[str, Any]]:
    """Give the run's effects of which nobody knows whether they happened, those that wait for a person too."""
    statement = select(effects).where(effects.c.run_id == run_id, effects.c.state.in_(_IN_DOUBT))
    return [dict(row._mapping) for row in connection.execute(statement.order_by(effects.c.created_at))]


def done_effects(
    connection: Connection, run_ids: Sequence[str], *, within: str | None = None
) -> list[Mapping[str, Any]]:
    """Give what the runs of one line have done, and what of that was taken back; without requests.

    `within` is the path of an item of a loop, when only what was done inside that is asked for. Of a path that was
    written once more, the newest counts: the one before was taken back, or who ordered that knew of it.
    """
    names = ("key", "connection", "operation", "path", "generation", "output", "undoes", "finished_at")
    statement = select(*(effects.c[name] for name in names)).where(
        effects.c.run_id.in_(run_ids), effects.c.state == EffectState.DONE.value
    )
    if within is not None:
        statement = statement.where(_inside(effects.c.path, [within, f"{UNDOING}{within}"]))
    found = [dict(row._mapping) for row in connection.execute(statement.order_by(effects.c.generation))]
    newest = {row["path"]: row["key"] for row in found}
    return [row for row in found if row["path"].startswith(UNDOING) or newest[row["path"]] == row["key"]]


def tied(connection: Connection, run_ids: Sequence[str], *, within: str | None = None) -> list[Mapping[str, Any]]:
    """Give the steps in which the runs of one line have tied ids together that nobody else has tied, and when.

    `within` is the path of an item of a loop, when only what was done inside that is asked for.
    """
    statement = select(crossrefs.c.path, func.max(crossrefs.c.updated_at).label("finished_at")).where(
        crossrefs.c.run_id.in_(run_ids)
    )
    if within is not None:
        statement = statement.where(_inside(crossrefs.c.path, [within]))
    return [dict(row._mapping) for row in connection.execute(statement.group_by(crossrefs.c.path))]


def refused_effects(connection: Connection, run_ids: Sequence[str], *, reason: str) -> list[Mapping[str, Any]]:
    """Give what the runs of one line did not do for this reason; of a path the newest counts."""
    names = ("key", "connection", "operation", "path", "generation", "output", "undoes", "finished_at")
    statement = select(*(effects.c[name] for name in names)).where(
        effects.c.run_id.in_(run_ids), effects.c.state == EffectState.FAILED.value, effects.c.reason == reason
    )
    found = [dict(row._mapping) for row in connection.execute(statement.order_by(effects.c.generation))]
    return list({row["path"]: row for row in found}.values())


def unsettled(connection: Connection, run: Mapping[str, Any], path: str) -> str | None:
    """Give why nothing may go on past a step that failed, at a path: for what it, or what is inside it, left half done.

    Of a write nobody knows whether it happened, or what was done could be taken back only in part. The effects are
    those of the run and of those that it replays, and of the flows that were called there, and by these.
    """
    ids = [run["id"], *replayed(connection, run["replay_of"])]
    here = and_(effects.c.run_id.in_(ids), at(effects.c.path, path))
    called = _called(connection, ids, path)
    of_effects = select(effects.c.key).where(
        or_(here, effects.c.run_id.in_(called)) if called else here, effects.c.state.in_(_IN_DOUBT)
    )
    if connection.execute(of_effects.limit(1)).scalar() is not None:
        return OutcomeParked.code
    left = select(steps.c.path).where(
        steps.c.run_id == run["id"], at(steps.c.path, f"{UNDOING}{path}"), steps.c.state != StepState.SUCCEEDED.value
    )
    return None if connection.execute(left.limit(1)).scalar() is None else COMPENSATION_FAILED


def _called(connection: Connection, ids: Sequence[str], path: str) -> list[str]:
    """Give the runs of flows that steps at a path of these runs have called, and those that these have called."""
    statement = select(runs.c.id).where(runs.c.parent_run.in_(ids), at(runs.c.parent_path, path))
    found: list[str] = []
    while more := [id for id in connection.execute(statement).scalars() if id not in found]:
        found += more
        statement = select(runs.c.id).where(runs.c.parent_run.in_(more))
    return found


def at(column: Column[str], path: str) -> ColumnElement[bool]:
    """Say that something is at a path, or inside of what is there."""
    # `\\` is the character after `[`.
    return or_(column == path, _inside(column, [path]), and_(column > f"{path}[", column < f"{path}\\"))


def began(connection: Connection, run: Mapping[str, Any], event: Mapping[str, Any]) -> int:
    """Give when that happened which a run is about in the end (microseconds): its event, or what led to that."""
    moment = min(event["occurred_at"], event["received_at"], run["created_at"])
    cause, seen = event["cause"], set[str]()
    while cause is not None and cause not in seen:
        seen.add(cause)
        row = connection.execute(_CAUSE.where(runs.c.id == cause)).one_or_none()
        if row is None:
            break
        moment = min(moment, row.occurred_at, row.received_at, row.created_at)
        cause = row.cause
    return int(moment)


_CAUSE = select(events.c.occurred_at, events.c.received_at, events.c.cause, runs.c.created_at).join_from(
    runs, events, events.c.id == runs.c.event_id
)


def around(connection: Connection, run_id: str, path: str) -> dict[str, Mapping[str, Any]]:
    """Give the steps of a run that what stands at a path has seen: those outside of loops, and those of its items."""
    statement = select(steps.c.path, steps.c.output, steps.c.rule).where(steps.c.run_id == run_id)
    outside = ~steps.c.path.contains("[", autoescape=True)
    items = [path[: at + 1] for at, char in enumerate(path) if char == "]"]
    which = outside
    if items:
        # The items of its loop stand beside each other in the index, and there may be thousands of them. `\\` is the
        # character after `[`.
        loop = path.partition("[")[0]
        beside = or_(steps.c.path < f"{loop}[", steps.c.path >= f"{loop}\\")
        which = or_(and_(beside, outside), _straight_inside(steps.c.path, items))
    return {row.path: dict(row._mapping) for row in connection.execute(statement.where(which))}
