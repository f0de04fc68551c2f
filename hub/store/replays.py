"""Replays: a run is made again as a new run in its place in the order, with the same effect keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, select, text, update

from hub.audit.entry import Fact, is_plain
from hub.audit.kinds import AuditKind
from hub.errors import Conflict, NotFound
from hub.model.effect import LEFT_STANDING, NEWER, TAKEN_BACK, WRITTEN_DIFFERENTLY
from hub.model.flow_steps import UNDOING
from hub.model.hold import HoldKind
from hub.model.run import OPEN_STATES, Priority, RunState, Stopping
from hub.store import approvals, children, hold_orders, remains
from hub.store.audit import Note, bound
from hub.store.committer import Transaction
from hub.store.lineage import replayed
from hub.store.resuming import done_effects, refused_effects
from hub.store.retention import assert_kept
from hub.store.run_orders import close_cases, in_doubt
from hub.store.runs import find
from hub.store.tables import effects, events, runs, steps

Row = Mapping[str, Any]
#: What a replay has of its run.
_KEPT = (
    *("position", "environment", "entity", "flow", "event_id", "key", "business_key", "generation", "priority"),
    *("parent_run", "parent_path", "approvals", "money_minor", "money_currency"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anew:
    """That the writes of a run are to be made once more, although they were made: under a new generation.

    `confirmed` are the effects that the person has seen to be at the target; `generation` is higher than any that was
    used for the same thing.
    """

    confirmed: Collection[str]
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """An edited event: its row, the hash of what it was made from, and the columns of the run that follow from it."""

    event: Row
    before_hash: str
    columns: Row = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """An order to make a run again.

    - Without `from_step` every step is done anew; with it, what is recorded before that step is kept.
    - `go_on` keeps all that was done, wherever it stopped.
    - `bundle` takes another revision of the workspace than the run had.
    - `edit` puts an edited event in the place of the run's own.
    - `priority` is the run's own unless it is given.
    """

    new_id: str
    actor: str
    reason: str = ""
    from_step: str | None = None
    go_on: bool = False
    bundle: str | None = None
    edit: Edit | None = None
    anew: Anew | None = None
    priority: Priority | None = None
    #: The case is told why it closed where it is not by the replay alone.
    resolution: str | None = None


def replay(transaction: Transaction, run_id: str, order: Replay) -> str:
    """Make a parked or finished run again; gives the new run's id. Raises `Conflict` with what is in the way."""
    connection = transaction.connection
    row = _replayable(connection, run_id, order)
    kept = _standing(connection, row, order, _kept_steps(connection, run_id, order))
    paths = {step["path"] for step in kept}
    if order.anew is not None:
        _assert_confirmed(connection, row, order, paths)
    else:
        _assert_recognised(connection, row, paths)
    if order.edit is not None:
        connection.execute(insert(events), order.edit.event)
    connection.execute(
        insert(runs),
        {
            **{name: row[name] for name in _KEPT},
            **(order.edit.columns if order.edit is not None else {}),
            "id": order.new_id,
            "bundle": order.bundle or row["bundle"],
            "event_id": order.edit.event["id"] if order.edit is not None else row["event_id"],
            "generation": order.anew.generation if order.anew is not None else row["generation"],
            "priority": order.priority if order.priority is not None else row["priority"],
            "state": RunState.QUEUED.value,
            "blocking": True,
            "claimable_at": transaction.now,
            "epoch": 0,
            "ordered_by": order.actor,
            "replay_of": run_id,
            "created_at": transaction.now,
            "updated_at": transaction.now,
        },
    )
    if kept:
        connection.execute(insert(steps), [{**step, "run_id": order.new_id} for step in kept])
    connection.execute(
        update(runs)
        .where(runs.c.id == run_id)
        .values(replaced_by=order.new_id, blocking=False, updated_at=transaction.now)
    )
    resolution = f"{order.resolution}; " if order.resolution else ""
    close_cases(transaction, run_id, actor=order.actor, resolution=f"{resolution}replayed as {order.new_id}")
    approvals.void_pending(transaction, run_id, actor=order.actor)
    transaction.entries.extend(_notes(run_id, row, order))
    transaction.woken = True
    return order.new_id


def highest_generation(connection: Connection, run: Row) -> int:
    """Give the highest generation that any run of the same flow about the same thing has."""
    alike = _about_the_same(run)
    # A single write may have a newer one than its run, because the one before it was taken back.
    of_writes = select(effects.c.generation).where(effects.c.run_id.in_(select(runs.c.id).where(alike)))
    found = connection.execute(select(runs.c.generation).where(alike).union(of_writes)).scalars()
    return max(found, default=int(run["generation"]))


def newer_generations(connection: Connection, run: Row) -> list[int]:
    """Give the generations that runs of the same flow about the same thing have, the newest first, but for older ones.

    Those are few, and there is an index of them.
    """
    alike = select(runs.c.generation).where(
        text("generation > 0"), runs.c.generation > run["generation"], _about_the_same(run)
    )
    return sorted(connection.execute(alike.distinct()).scalars(), reverse=True)


def _about_the_same(run: Row) -> ColumnElement[bool]:
    return and_(*(runs.c[name] == run[name] for name in ("environment", "flow", "business_key")))


def written(connection: Connection, run: Row) -> list[Row]:
    """Give the writes that a run, or one that it replays, has made; `taken_back` says which do not stand any more.

    Where a flow that it called was taken back, what stays of that is among them: it is written once more with the rest.
    """
    ids = replayed(connection, run["id"])
    if run["reason"] in (TAKEN_BACK, WRITTEN_DIFFERENTLY):
        # It stopped at what an earlier run about the same thing wrote; whoever orders that once more orders all of it.
        alike = connection.execute(select(runs.c.id).where(_about_the_same(run))).scalars()
        ids = list(dict.fromkeys([*ids, *alike]))
    own = _written(connection, ids)
    called = children.compensated(connection, ids)
    if run["reason"] == LEFT_STANDING:
        # It stopped at what it would leave standing, which may have been written by a flow that was called.
        taken = {child["id"] for child in called}
        called += [child for child in remains.called(connection, ids) if child["id"] not in taken]
    for child in called:
        place = child["parent_path"]
        left = [row for row in written(connection, child) if not row["taken_back"]]
        own += [{**row, "path": f"{place}.{row['path']}", "step": place, "called": True} for row in left]
    return own


def _written(connection: Connection, ids: Sequence[str]) -> list[Row]:
    done = done_effects(connection, ids)
    back = {row["undoes"] for row in done}
    made = (row for row in done if not row["path"].startswith(UNDOING))
    return [{**row, "taken_back": row["key"] in back, "called": False, "step": row["path"]} for row in made]


def refused(connection: Connection, run: Row) -> list[Row]:
    """Give the writes that a run did not make because something newer stands there, as far as that is still so."""
    found = refused_effects(connection, replayed(connection, run["id"]), reason=NEWER)
    made = {row["path"] for row in written(connection, run)}
    return [{**row, "taken_back": False, "step": row["path"]} for row in found if row["path"] not in made]


def _replayable(connection: Connection, run_id: str, order: Replay) -> Row:
    row = find(connection, run_id)
    if row is None:
        raise NotFound("There is no such run.", run=run_id)
    state = RunState(row["state"])
    if row["replaced_by"] is not None:
        raise Conflict("The run was replayed already; replay its latest run.", run=run_id, latest=row["replaced_by"])
    if state in OPEN_STATES and state is not RunState.PARKED:
        raise Conflict("The run is still going; wait for its end, or cancel it first.", run=run_id, state=state.value)
    assert_kept(row)
    if _was_taken_back(row) and order.anew is None:
        raise Conflict(
            "What the run did was taken back. To do it once more is a new effect, and has to be ordered as one.",
            code="taken-back",
            run=run_id,
        )
    if _was_taken_back(row) and (order.go_on or order.from_step is not None):
        raise Conflict(
            "What the run did was taken back, also what came before that step. Replay it from the start.",
            code="taken-back",
            run=run_id,
        )
    held = hold_orders.in_force(connection, environment=row["environment"], kind=HoldKind.RUN, name=run_id)
    if held is not None:
        raise Conflict("The run is held; resume it first.", code="held", run=run_id, reason=held["reason"])
    return row


def _was_taken_back(row: Row) -> bool:
    """Tell whether what a run did is no longer there, or only in part: the same keys would take it for done."""
    return bool(row["state"] == RunState.COMPENSATED or row["stopping"] == Stopping.COMPENSATE)


def _kept_steps(connection: Connection, run_id: str, order: Replay) -> list[dict[str, Any]]:
    if order.from_step is None and not order.go_on:
        return []
    found = connection.execute(
        select(steps).where(steps.c.run_id == run_id).order_by(steps.c.ordinal, steps.c.started_at)
    )
    rows = [dict(row._mapping) for row in found]
    if order.from_step is not None:
        start = next((row for row in rows if row["path"] == order.from_step), None)
        if start is None:
            raise NotFound("The run has no such step.", run=run_id, step=order.from_step)
        rows = [row for row in rows if _before(row, start)]
    return [row for row in rows if row["state"] == "succeeded" and not row["path"].startswith("undo:")]


def _standing(connection: Connection, row: Row, order: Replay, kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the steps whose work was taken back: they are done anew, with all that went with them.

    That is an item of a loop that took back what it did, or a called flow whose work was taken back.
    """
    if not kept:
        return kept
    ids = replayed(connection, row["id"])
    gone = {_item_of(effect["path"]) for effect in _written(connection, ids) if effect["taken_back"]}
    gone |= {f"{child['parent_path']}." for child in children.compensated(connection, ids)}
    left_out = {step["path"] for step in kept if any(_goes_with(step["path"], lane) for lane in gone)}
    before = sorted(path for path in left_out if order.from_step and order.from_step.startswith(lane_of(path)))
    if before:
        raise Conflict(
            "What was done before that step was taken back. Replay from there, or from where the run stopped.",
            code="taken-back",
            run=row["id"],
            steps=", ".join(before),
        )
    return [step for step in kept if step["path"] not in left_out]


def _item_of(path: str) -> str:
    """Give how the paths begin of all that goes with a step: what belongs to its item of a loop."""
    return path[: path.rfind("].") + 2] if "]." in path else ""


def _goes_with(path: str, lane: str) -> bool:
    """Tell whether a step stands inside of a lane, or around it."""
    return f"{path}.".startswith(lane) or lane.startswith((f"{path}.", f"{path}["))


def _before(row: Row, start: Row) -> bool:
    """Tell whether a recorded step is kept by a replay from another one.

    That is what came before it in the flow; of what stands around it, only other items and earlier steps beside it.
    """
    if row["ordinal"] != start["ordinal"]:
        return bool(row["ordinal"] < start["ordinal"])
    path, from_ = row["path"], start["path"]
    if from_ == path or path.startswith((f"{from_}.", f"{from_}[")) or from_.startswith((f"{path}.", f"{path}[")):
        return False
    lane = lane_of(from_)
    return not path.startswith(lane) or bool(row["started_at"] < start["started_at"])


def lane_of(path: str) -> str:
    """Give how the paths of the steps beside a step begin: `lines[a.b].` of `lines[a.b].post`."""
    inside, last = 0, 0
    for place, char in enumerate(path):
        inside += (char == "[") - (char == "]")
        if char == "." and not inside:
            last = place + 1
    return path[:last]


def _belongs_to(path: str, kept: Collection[str]) -> bool:
    """Tell whether a write was made by a step that is kept, or inside one."""
    return path in kept or any(path.startswith((f"{each}.", f"{each}[")) for each in kept)


def _is_kept(row: Row, effect: Row, kept: Collection[str]) -> bool:
    """Tell whether a write stays as it is, so that nobody has to confirm it.

    Of a run that stopped at what it would leave standing, a branch may be kept and yet not the arm of a write.
    """
    return effect["step"] in kept if row["reason"] == LEFT_STANDING else _belongs_to(effect["path"], kept)


def _assert_recognised(connection: Connection, row: Row, kept: Collection[str]) -> None:
    """Refuse a replay that would write again what was written before later writes were ordered once more.

    The keys of all steps that are done anew are those of the run's generation.
    """
    if row["generation"] == 0:
        return
    lost = [
        effect["path"]
        for effect in written(connection, row)
        if effect["generation"] < row["generation"]
        and not (effect["taken_back"] or effect["called"] or _belongs_to(effect["path"], kept))
    ]
    if lost:
        raise Conflict(
            "Some steps were written before the others were ordered once more, and would be written again. Replay from "
            "a later step, or from where the run stopped.",
            code="older-effects",
            steps=", ".join(lost),
        )


def _assert_confirmed(connection: Connection, row: Row, order: Replay, kept: Collection[str]) -> None:
    """Refuse to write anything once more unless the person has named exactly what is there already."""
    assert order.anew is not None
    doubtful = in_doubt(connection, row)
    if doubtful:
        raise Conflict(
            "Of a write of the run nobody knows whether it was made; until that is known, none is made once more.",
            code="outcome-unknown",
            effect=doubtful[0]["key"],
        )
    standing = [*written(connection, row), *refused(connection, row)]
    there = {effect["key"]: effect for effect in standing if not _is_kept(row, effect, kept)}
    # What was told, or called, is nothing that can be confirmed, and yet done only once.
    if not there and not _was_taken_back(row) and row["reason"] != WRITTEN_DIFFERENTLY:
        raise Conflict(
            "From this step on the run has written nothing; a plain replay does what is missing.",
            code="nothing-written",
        )
    if set(order.anew.confirmed) != set(there):
        told = ", ".join(f"{key} ({effect['connection']} {effect['operation']})" for key, effect in there.items())
        raise Conflict(
            "Confirm each write that exists already, or goes over something newer: no more of them and no less.",
            code="confirm-effects",
            effects=told,
        )


def _notes(run_id: str, row: Row, order: Replay) -> Iterator[Note]:
    about = {"run": run_id, "replay": order.new_id}
    why = bound(order.reason)
    start = order.from_step or ("failure" if order.go_on else "start")
    # A name inside a step may be anything; the run itself tells which of its steps it kept.
    facts: dict[str, Fact] = {"from": start if is_plain(start) else "step", "bundle": order.bundle or row["bundle"]}
    yield Note(kind=AuditKind.RUN_REPLAYED, actor=order.actor, subjects=about, facts={**facts, "reason": why})
    if order.edit is not None:
        event = order.edit.event
        yield Note(
            kind=AuditKind.EVENT_EDITED,
            actor=order.actor,
            subjects={**about, "event": event["id"], "edited": event["edited_from"]},
            facts={"before": order.edit.before_hash, "after": event["body_hash"], "reason": why},
        )
    if order.anew is not None:
        yield Note(
            kind=AuditKind.EFFECT_REPEATED,
            actor=order.actor,
            subjects=about,
            facts={
                "generation": order.anew.generation,
                "confirmed": len(order.anew.confirmed),
                "effects": bound(" ".join(sorted(order.anew.confirmed))),
                "reason": why,
            },
        )
