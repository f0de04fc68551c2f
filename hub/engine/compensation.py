"""Compensation: what a run did is taken back in reverse order, by writes of their own that are never deletions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from hub.model.flow import Branch, Call, Flow, Foreach, Parallel, Step, Undo
from hub.model.run import RunState, StepState, Stopping
from hub.sdk import exact_json
from hub.sdk.connector import WriteOperation
from hub.store import children, resuming, stopping
from hub.store.claims import ClaimedRun
from hub.store.committer import Work
from hub.store.history import child_topic
from hub.store.lineage import replayed
from hub.workspace.bundle import Bundle

Row = Mapping[str, Any]
#: What the path of a step that takes another back begins with.
PREFIX = "undo:"


@dataclass(slots=True, kw_only=True)
class TakenBack:
    """What was taken back, and what stays because the flow gives no way; paths."""

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


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
            account=self._parts.accounts[first["connection"]],
            operation=operation,
            path=first["path"].rpartition("[")[0],
            effects=lane.steps.effects,
            journal=lane.journal,
            ambient=self._parts.ambient,
            database=self._parts.database,
        )
        await batches.find_out_for_good(rows, target)

    async def order_children(self, how: Stopping) -> None:
        """Let flows that the run called end or take back what they did; raises `ChildPending` until they have."""
        with self._parts.database.reading() as connection:
            called = children.children(connection, self._run["id"])
        for child in called:
            state = RunState(child["state"])
            ended = state in {RunState.CANCELLED, RunState.COMPENSATED}
            if ended or (state is RunState.SUCCEEDED and how is Stopping.CANCEL):
                continue
            run_id, path = self._run["id"], child["parent_path"]
            if child["stopping"] is None:
                order = {"actor": self._parts.worker, "reason": f"the run {run_id} that called it", "at": None}
                await self._parts.committer.commit(
                    Work(
                        lambda tx, child=child["id"], order=order: stopping.tell_to_stop(tx, child, how, order),  # type: ignore[misc]
                        patient=True,
                    )
                )
            raise ChildPending(
                "A flow that it called has not come to its end.",
                on=child_topic(run_id, path),
                come=partial(children.has_stopped, parent_run=run_id, parent_path=path),
            )

    async def take_back(self, within: str = "") -> TakenBack:
        """Take back every write that is done, the last one first; raises the error of one that cannot be taken back.

        `within` is what the paths of the writes begin with.
        """
        found = TakenBack()
        with self._parts.database.reading() as connection:
            done = resuming.done_effects(connection, self._lineage(connection))
        undone = {row["undoes"] for row in done if row["undoes"] is not None}
        order = {path: place for place, path in enumerate(_paths(self._flow.steps))}
        made = [row for row in done if row["undoes"] is None and row["path"].startswith(within)]
        made.sort(key=lambda row: (row["finished_at"], order.get(_shape(row["path"]), -1), row["path"]), reverse=True)
        for row in made:
            step = _step_at(self._flow.steps, row["path"])
            undo = step.action.undo if step is not None and isinstance(step.action, Call) else None
            if step is None or undo is None:
                found.left.append(row["path"])
                continue
            if row["key"] not in undone:
                await self._undo(step, undo, row)
            found.done.append(row["path"])
        return found

    async def _undo(self, step: Step, undo: Undo, row: Row) -> None:
        path, name = PREFIX + row["path"], row["connection"]
        operation, scope = self._operation(name, undo.operation), self._scope_at(row["path"])
        steps, journal, started = self._lane.steps, self._lane.journal, self._parts.ambient.now()
        output = exact_json.loads(row["output"]) if row["output"] else None
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
            return {"id": undo.by(scope)}
        if undo.shape is not None:
            source = output if undo.of is None else source_of(self._bundle, undo.of, undo.shape, scope)
            return shaped(self._bundle, undo.shape, source, undo.given, scope)
        given = connector.undo_input(operation, output) if isinstance(output, Mapping) else {}
        if not given:
            raise FixData(
                "What was written has nothing by which it could be taken back; name a mapping in `undo`.",
                code="nothing-to-undo-by",
                operation=undo.operation,
            )
        return given

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
        steps: Sequence[Step] = self._flow.steps
        prefix = ""
        for part in [*_parts(path)[:-1], None]:
            for step in steps:
                row = rows.get(prefix + step.id)
                if row is not None and row["output"] is not None:
                    scope[step.id] = exact_json.loads(row["output"])
            if part is None:
                return scope
            name, _, item = part.removesuffix("]").partition("[")
            around = next((step for step in steps if step.id == name), None)
            if around is None:
                return scope
            if isinstance(around.action, Foreach):
                scope[around.action.name] = _item(around.action, scope, item)
            steps, prefix = tuple(_inner(around)), f"{prefix}{part}."
        return scope


def _item(action: Foreach, scope: Scope, name: str) -> Any:
    items = action.each(scope) or []
    if action.by is None:
        return items[int(name)] if name.isdigit() and int(name) < len(items) else None
    return next((item for item in items if str(action.by({**scope, action.name: item})) == name), None)


def _inner(step: Step) -> Iterator[Step]:
    match step.action:
        case Foreach(steps=steps) | Parallel(steps=steps):
            yield from steps
        case Branch(arms=arms):
            for arm in arms:
                yield from arm.steps
        case _:
            return


def _paths(steps: Sequence[Step], prefix: str = "") -> Iterator[str]:
    """Give the paths of a flow's steps in its order, items without their names."""
    for step in steps:
        yield prefix + step.id
        item = "[]" if isinstance(step.action, Foreach) else ""
        yield from _paths(tuple(_inner(step)), f"{prefix}{step.id}{item}.")


def _shape(path: str) -> str:
    return ".".join(f"{part.partition('[')[0]}[]" if "[" in part else part for part in _parts(path))


def _parts(path: str) -> list[str]:
    """Split a path at its dots; names of items may have dots themselves."""
    parts, inside, last = [], 0, 0
    for place, char in enumerate(path):
        inside += (char == "[") - (char == "]")
        if char == "." and not inside:
            parts.append(path[last:place])
            last = place + 1
    return [*parts, path[last:]]


def _step_at(steps: Sequence[Step], path: str) -> Step | None:
    found: Step | None = None
    for part in _parts(path):
        name = part.partition("[")[0]
        found = next((step for step in steps if step.id == name), None)
        if found is None:
            return None
        steps = tuple(_inner(found))
    return found
