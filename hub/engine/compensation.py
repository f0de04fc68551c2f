"""Compensation: what a run did is taken back in reverse order, by writes of their own that are never deletions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hub.engine.bulk import Batches
from hub.engine.children import ChildPending
from hub.engine.lanes import Lane
from hub.engine.parts import Parts
from hub.engine.readings import source_of
from hub.engine.recording import Target
from hub.engine.values import Scope, shaped
from hub.errors import FixData, HubError, OutcomeParked
from hub.model.effect import EffectState
from hub.model.flow import Branch, Call, Flow, Foreach, Link, Parallel, Step, Undo
from hub.model.flow_steps import UNDOING, parts_of, place_of, placed_steps, step_at, steps_within
from hub.model.run import OPEN_STATES, RunState, StepState, Stopping
from hub.sdk import exact_json
from hub.sdk.connector import WriteOperation
from hub.store import children, remains, resuming, stopping
from hub.store.claims import ClaimedRun
from hub.store.committer import Work
from hub.store.crossrefs import Unlink
from hub.store.history import child_topic
from hub.store.lineage import replayed
from hub.workspace.bundle import Bundle

Row = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class TakenBack:
    """What was taken back, and what stays because the flow gives no way; paths.

    `kept` is what a called flow did that a person had ended by itself.
    """

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def stays(self) -> str:
        """Tell people what stays; begins with a blank unless there is nothing."""
        way = f" Not taken back, because no way is given: {', '.join(self.left)}." if self.left else ""
        ended = " Not taken back, because a person had cancelled what was called:"
        return f"{way}{ended} {', '.join(self.kept)}." if self.kept else way


class Compensation:
    """Takes back what one run did."""

    def __init__(self, parts: Parts, claimed: ClaimedRun, bundle: Bundle, flow: Flow, lane: Lane) -> None:
        """Take the collaborators; the lane's journal records it."""
        self._parts = parts
        self._claimed = claimed
        self._run = claimed.run
        self._bundle = bundle
        self._flow = flow
        self._lane = lane
        #: What is being taken back: the path of its undoing.
        self.at: str | None = None

    async def find_out(self, *, sending: bool = True) -> None:
        """Find out every outcome of the run that is not known; raises the error that keeps it from being known."""
        with self._parts.database.reading() as connection:
            rows = resuming.unresolved(connection, self._run["id"])
        for row in rows:
            if row["state"] == EffectState.PARKED:
                raise OutcomeParked(connection=row["connection"], operation=row["operation"], effect=row["key"])
        # What one request carries is found out together.
        requests: dict[str, list[Row]] = {}
        for row in rows:
            requests.setdefault(row["batch"] or row["key"], []).append(row)
        for together in requests.values():
            self._lane.steps.connection = together[0]["connection"]
            await self._find_out(together)
            # What was known of them when the run was claimed is no longer so.
            self._lane.steps.forget(row["path"] for row in together)
        self._lane.steps.connection = None
        await self._lane.journal.flush()

    async def _find_out(self, rows: Sequence[Row]) -> None:
        first, lane = rows[0], self._lane
        operation = self._operation(first["connection"], first["operation"])

        def target(row: Row) -> Target:
            return lane.steps.target(row["connection"], operation, row["path"], key=row["key"])

        if first["batch"] is None:
            await lane.steps.effects.find_out(target(first), first)
            return
        batches = Batches(
            run_id=self._run["id"],
            event_id=self._run["event_id"],
            account=self._parts.accounts[first["connection"]],
            operation=operation,
            path=first["path"].rpartition("[")[0],
            effects=lane.steps.effects,
            journal=lane.journal,
            ambient=self._parts.ambient,
            database=self._parts.database,
        )
        await batches.find_out_for_good(rows, target)

    async def end_children(self) -> None:
        """Let flows that the run called end; raises `ChildPending` until they have."""
        for child in self._called():
            if RunState(child["state"]) in OPEN_STATES:
                await self._order(child, Stopping.CANCEL, come=children.has_ended)

    async def take_back(self, within: str | None = None) -> TakenBack:
        """Take back what is done, the last first: writes, ties, called flows; raises what keeps one from that.

        Ids stay tied together where one of them is of a document that stays.
        `within` is the path of the one item of a loop to whose steps it is confined.
        """
        with self._parts.database.reading() as connection:
            line = self._lineage(connection)
            done = resuming.done_effects(connection, line, within=within)
            tied = resuming.tied(connection, line, within=within)
        undone = {row["undoes"] for row in done if row["undoes"] is not None}
        made = [row for row in done if not row["path"].startswith(UNDOING)]
        called = [_as_made(child) for child in self._called(within)]
        stay = [row["path"] for row in made if self._way_back(row["path"]) is None]
        ties = [{**row, "line": line} for row in tied if not self._names(row["path"], stay)]
        rows = _in_order([*made, *called, *ties], self._flow.steps)[::-1]
        for row in rows:
            way = self._way_back(row["path"])
            if "line" in row:
                await self._untie(row["path"], line)
            elif "child" in row:
                if not self._is_over(row["child"]):
                    await self._order(row["child"], Stopping.COMPENSATE, come=children.has_stopped)
            elif way is not None and row["key"] not in undone:
                await self._undo(*way, row)
        return self._named([row for row in rows if "line" not in row])

    def _way_back(self, path: str) -> tuple[Step, Undo] | None:
        step = step_at(self._flow.steps, path)
        undo = step.action.undo if step is not None and isinstance(step.action, Call) else None
        return None if step is None or undo is None else (step, undo)

    def _names(self, path: str, written: Sequence[str]) -> bool:
        """Tell whether the step at a path ties an id that one of these writes gave."""
        step = step_at(self._flow.steps, path)
        if step is None or not isinstance(step.action, Link):
            return False
        reads = step.action.reads
        return any(reads & set(place_of(each).replace("[]", "").split(".")) for each in written)

    async def _untie(self, path: str, line: Sequence[str]) -> None:
        journal, started = self._lane.journal, self._parts.ambient.now()
        self.at = UNDOING + path
        journal.unlink(Unlink(line=line, path=path, actor=self._parts.worker))
        journal.step(
            path=self.at,
            ordinal=len(self._flow.steps),
            kind="undo",
            state=StepState.SUCCEEDED,
            started=started,
            finished=self._parts.ambient.now(),
        )
        await journal.settle()

    def _is_over(self, child: Row) -> bool:
        """Tell whether nothing of a called flow is to be taken back any more."""
        if child["state"] != RunState.CANCELLED or stopping.was_ended_by_itself(child):
            return bool(child["state"] in (RunState.CANCELLED, RunState.COMPENSATED))
        # It was ended with the run that called it.
        if child["epoch"] == 0 and child["replay_of"] is None:
            return True
        with self._parts.database.reading() as connection:
            return all(each.taken_back for each in remains.made(connection, child["id"]))

    def _named(self, rows: Sequence[Row]) -> TakenBack:
        found = TakenBack()
        with self._parts.database.reading() as connection:
            for row in rows:
                path = row["path"]
                if "child" not in row:
                    (found.left if self._way_back(path) is None else found.done).append(path)
                    continue
                made = list(remains.made(connection, row["child"]["id"]))
                stays = [f"{path}.{each.path}" for each in made if not each.taken_back]
                if len(stays) < len(made):
                    found.done.append(path)
                (found.kept if stopping.was_ended_by_itself(row["child"]) else found.left).extend(stays)
        return found

    def _called(self, within: str | None = None) -> list[Row]:
        with self._parts.database.reading() as connection:
            return remains.called(connection, self._lineage(connection), within=within)

    async def _order(self, child: Row, how: Stopping, *, come: Callable[..., bool]) -> None:
        """Tell a called flow to stop; raises `ChildPending`."""
        order = {
            "actor": self._parts.worker,
            "reason": f"the run {self._run['id']} that called it",
            "caller": self._run["id"],
            "at": None,
        }
        await self._parts.committer.commit(
            Work(lambda tx: stopping.tell_called(tx, child["id"], how, order), patient=True)
        )
        whose = {"parent_run": child["parent_run"], "parent_path": child["parent_path"]}
        raise ChildPending(
            "A flow that it called has not come to its end.",
            on=child_topic(child["parent_run"], child["parent_path"]),
            come=partial(come, **whose),
        )

    async def _undo(self, step: Step, undo: Undo, row: Row) -> None:
        path, name = UNDOING + row["path"], row["connection"]
        self.at = path
        operation, scope = self._operation(name, undo.operation), self._scope_at(row["path"])
        steps, journal, started = self._lane.steps, self._lane.journal, self._parts.ambient.now()
        output = exact_json.loads(row["output"]) if row["output"] else None
        if scope.get(step.id) is None and parts_of(row["path"])[-1] == step.id:
            # What became of the write was found out only after its step had stopped.
            scope = {**scope, step.id: output}
        target = steps.target(name, operation, path, undoes=row["key"], generation=row["generation"])
        steps.connection = name
        formed: list[Any] = []

        def form() -> Any:
            if not formed:
                formed.append(self._input(undo, target, output, scope))
            return formed[0]

        state, value, error = StepState.SUCCEEDED, None, None
        try:
            value = await steps.write(self._bundle, target, form, step, scope)
            steps.connection = None
        except HubError as refused:
            state, error = StepState.WAITING, {"code": refused.code, "detail": refused.detail, "facts": {}}
            raise
        finally:
            journal.step(
                path=path,
                ordinal=len(self._flow.steps),
                kind="undo",
                state=state,
                started=started,
                finished=self._parts.ambient.now(),
                input=formed[0] if formed else None,
                output=value,
                error=error,
            )

    def _input(self, undo: Undo, target: Target, output: Any, scope: Scope) -> Any:
        connector, operation = target.account.connector, target.operation
        if undo.by is not None:
            about: Mapping[str, Any] = {"id": undo.by(scope)}
        elif undo.shape is not None:
            source = output if undo.of is None else source_of(self._bundle, undo.of, undo.shape, scope)
            return shaped(self._bundle, undo.shape, source, undo.given, scope)
        else:
            about = connector.undo_input(operation, output) if isinstance(output, Mapping) else {}
        if not any(value is not None for value in about.values()):
            raise FixData(
                "What was written has nothing by which it could be taken back; name a mapping in `undo`.",
                code="nothing-to-undo-by",
                operation=undo.operation,
            )
        return about

    def _operation(self, connection: str, name: str) -> WriteOperation:
        account = self._parts.accounts.get(connection)
        operation = account.connector.operation(name) if account is not None else None
        if not isinstance(operation, WriteOperation):
            raise FixData(
                "The connection has no such write any more.",
                code="unknown-operation",
                connection=connection,
                operation=name,
            )
        return operation

    def _lineage(self, connection: Any) -> list[str]:
        return [self._run["id"], *replayed(connection, self._run["replay_of"])]

    def _scope_at(self, path: str) -> Scope:
        """Give what the steps around a path have seen: the outputs of all that is recorded of its lanes."""
        with self._parts.database.reading() as connection:
            rows = resuming.around(connection, self._run["id"], path)
        scope = dict(self._lane.scope)
        steps, prefix = self._flow.steps, ""
        for part in parts_of(path)[:-1]:
            scope.update(given(steps, prefix, rows))
            name, _, item = part.removesuffix("]").partition("[")
            around = next((step for step in steps if step.id == name), None)
            if around is None:
                return scope
            if isinstance(around.action, Foreach):
                scope[around.action.name] = _item(around.action, scope, item)
            steps, prefix = steps_within(around), f"{prefix}{part}."
        return scope | given(steps, prefix, rows)


def _item(action: Foreach, scope: Scope, name: str) -> Any:
    items = action.each(scope) or []
    if action.by is None:
        return items[int(name)] if name.isdigit() and int(name) < len(items) else None
    return next((item for item in items if str(action.by({**scope, action.name: item})) == name), None)


def given(steps: Sequence[Step], prefix: str, rows: Mapping[str, Row]) -> Scope:
    """Give what is recorded that steps gave, by their ids; one with steps inside is put together from theirs."""
    return {
        step.id: _given(step, prefix + step.id, rows[prefix + step.id], rows)
        for step in steps
        if prefix + step.id in rows
    }


def _given(step: Step, path: str, row: Row, rows: Mapping[str, Row]) -> Any:
    match step.action:
        case Branch(arms=arms):
            taken = next((arm for arm in arms if arm.name == row["rule"]), None)
            return {"taken": None} if taken is None else {"taken": taken.name, **given(taken.steps, f"{path}.", rows)}
        case Parallel(steps=steps):
            return given(steps, f"{path}.", rows)
        case _:
            return None if row["output"] is None else exact_json.loads(row["output"])


def _as_made(child: Row) -> Row:
    # What was done before a flow was called was done by then, and what came after it is done later.
    return {"path": child["parent_path"], "finished_at": child["created_at"], "child": child}


def _in_order(rows: Sequence[Row], steps: Sequence[Step]) -> list[Row]:
    """Put what was done in the order in which it was: steps in that of the flow, what went on beside others by time.

    So a clock that was put back meanwhile turns nothing round.
    """
    numbers = {place: number for number, (place, _) in enumerate(placed_steps(steps))}
    last: dict[str, int] = {}
    for row in rows:
        for path in _paths(row["path"]):
            last[path] = max(last.get(path, 0), row["finished_at"])

    def when(row: Row) -> list[tuple[int, int, str]]:
        found, beside = [], False
        for path in _paths(row["path"]):
            place = place_of(path)
            number = numbers.get(place.removesuffix("[]"), -1)
            alone = not beside and not path.endswith("]")
            found.append((-1 if beside else number, 0 if alone else last[path], path))
            around = step_at(steps, path)
            beside = around is not None and isinstance(around.action, Parallel)
        return found

    return sorted(rows, key=when)


def _paths(path: str) -> list[str]:
    """Give a path and those around it, the outermost first."""
    parts = parts_of(path)
    return [".".join(parts[: number + 1]) for number in range(len(parts))]
