"""One run: its steps in order, from where the last worker left off, to the next state of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from hub.audit.kinds import AuditKind
from hub.engine.checks import check
from hub.engine.effects import Effects
from hub.engine.endings import Endings, Place
from hub.engine.journal import Journal
from hub.engine.parts import Parts
from hub.engine.routing import stored_scope
from hub.engine.steps import Output, Steps
from hub.engine.values import Scope
from hub.errors import Fatal, FixData, HubDefect, HubError, StaleLease
from hub.model.flow import Step
from hub.model.run import StepState
from hub.sdk import exact_json
from hub.store.runs import ClaimedRun
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)


class Runner:
    """Goes through one claimed run."""

    effects: type[Effects] = Effects
    steps: type[Steps] = Steps

    def __init__(self, parts: Parts, claimed: ClaimedRun) -> None:
        """Prepare; nothing is recorded yet."""
        self._parts = parts
        self._claimed = claimed
        run = claimed.run
        self._journal = Journal(parts.committer, run_id=run["id"], epoch=run["epoch"], worker=parts.worker)
        self._steps = self.steps(parts, claimed, self._journal, self.effects)
        self._endings = Endings(parts, claimed, self._journal, self._steps)

    async def run(self) -> None:
        """Go on until the run ends, waits, or parks; whatever happens is recorded."""
        run = self._claimed.run
        place = Place(started=self._parts.ambient.now())
        try:
            try:
                await self._go(place, run)
            except (StaleLease, Fatal):
                raise
            except HubError as error:
                await self._endings.stop(place, error)
            except Exception as error:  # a defect of the hub must not lose the run or stop the others
                log.exception("run.defect", run=run["id"])
                reason = f"{type(error).__name__}: {error}"[:300]
                await self._endings.stop(place, HubDefect(code="internal-error", reason=reason))
        except StaleLease:
            log.info("run.taken_over", run=run["id"])

    def recorded(self, path: str) -> Mapping[str, Any] | None:
        """Give a step that was finished by an earlier worker."""
        row = self._claimed.steps.get(path)
        return row if row is not None and row["state"] == StepState.SUCCEEDED else None

    async def _go(self, place: Place, run: Mapping[str, Any]) -> None:
        bundle = place.bundle = await self._parts.bundle(run["bundle"])
        place.flow = bundle.flows[run["flow"]]
        place.scope = stored_scope(self._claimed.event)
        for ordinal, step in enumerate(place.flow.steps):
            place.ordinal, place.step, place.output = ordinal, step, None
            place.started = self._parts.ambient.now()
            await self._pass(bundle, place, step)
        await self._endings.succeed(place)

    async def _pass(self, bundle: Bundle, place: Place, step: Step) -> None:
        before = self.recorded(step.id)
        if before is not None:
            place.scope[step.id] = None if before["output"] is None else exact_json.loads(before["output"])
            return
        if step.when is not None and not step.when(place.scope):
            output = Output(value=None, rule="skipped")
        else:
            output = place.output = await self._steps.act(bundle, step, place.scope)
            if step.expect is not None:
                self._expect(step, place.scope, output)
        place.scope[step.id] = output.value
        self._journal.step(
            path=step.id,
            ordinal=place.ordinal,
            kind=place.kind,
            state=StepState.SUCCEEDED,
            started=place.started,
            finished=self._parts.ambient.now(),
            input=output.input,
            output=output.value,
            answer=output.answer,
            schema=output.schema,
            rule=output.rule,
        )

    def _expect(self, step: Step, scope: Scope, output: Output) -> None:
        assert step.expect is not None
        try:
            check(step.expect, {**scope, step.id: output.value}, output.value)
        except FixData as error:
            self._journal.note(AuditKind.CHECK_FAILED, facts={"step": step.id, "reason": error.code})
            raise
