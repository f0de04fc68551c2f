"""The steps of a flow in their order, those within steps included: what each names, reads and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.expressions.compiler import compile
from hub.schemas.shape import ANYTHING
from hub.workspace.checks.action_lint import ActionLint
from hub.workspace.checks.arm_lint import lint_arms
from hub.workspace.checks.around import EVENT_SCOPE, Around, lint_term
from hub.workspace.checks.composed_shapes import at_once, branched, item_of, looped
from hub.workspace.checks.narrowing import Assumed, assumed, expected, refused, tree_of
from hub.workspace.checks.needs_lint import needed_first
from hub.workspace.checks.step_keys import lint_keys
from hub.workspace.checks.step_nodes import Read, Sees, inside, keyed_in, reads
from hub.workspace.checks.step_shapes import StepOutput, left_out, step_output
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import Keyed, Listed, Node, Scalar, text_of

#: What a branch gives beside the steps within it.
_TAKEN = "taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLint:
    """Goes through the steps of one flow, knowing what is there before each."""

    lints: Lints
    known: Known
    flow: Keyed

    def line(self, steps: Sequence[Keyed], around: Around) -> Around:
        """Check steps that are gone through in order; gives the place behind the last."""
        for step in steps:
            self._lint_id(step, around)
            if "needs" in step.entries:
                message = "`needs` belongs to steps of a `parallel`; these are gone through in order."
                self.lints.error(step.entries["needs"].key, "misplaced-key", message, "Remove it.")
            output = self._step(step, around)
            # A name that is taken goes on meaning what it meant.
            if text_of(step.get("id")) not in around.names:
                around = around.after(step, output).where(*_expected(step), left_out=True)
        return around

    def _step(self, step: Keyed, around: Around) -> StepOutput:
        """Check one step with everything in it; gives what later steps read of it."""
        problems = len(self.lints.found)
        around = around.where(*assumed(tree_of(step.get("when"))))
        action = ActionLint(lints=self.lints, known=self.known, flow=self.flow, around=around)
        own = around.after(step, StepOutput())
        for read in reads(step):
            if read.sees in (Sees.BEFORE, Sees.OWN):
                self._names(read, around if read.sees is Sees.BEFORE else own)
            elif read.sees is Sees.ALONE:
                action.lint_item(read)
        lint_keys(step, self.lints)
        action.names(step)
        right = len(self.lints.found) == problems
        composed = self._within(step, around)
        if not right:
            return StepOutput()
        output = (
            left_out(step, composed) if composed is not None else step_output(step, action.called(step), self.known)
        )
        action.shapes(step, output)
        return output

    def _within(self, step: Keyed, around: Around) -> StepOutput | None:
        """Check the steps within a step; gives what it gives, None when it has none."""
        loop = inside(step, "foreach")
        if loop is not None:
            return self._loop(loop, around)
        if "branch" in step.entries:
            return self._branch(keyed_in(step.get("branch")), around)
        if "parallel" in step.entries:
            return self._parallel(keyed_in(step.get("parallel")), around)
        return None

    def _loop(self, loop: Keyed, around: Around) -> StepOutput:
        name = loop.get("as")
        item = item_of(loop, around)
        if isinstance(name, Scalar):
            self._lint_name(name, around)
        here = around.item(text_of(name) or "item", item, loop)
        by, collect = loop.get("by"), loop.get("collect")
        if by is not None:
            self._names(Read(node=by), here)
            here.shapes.name(by)
        steps = keyed_in(loop.get("steps"))
        done = self.line(steps, here.within(_ids(steps)))
        if collect is None:
            return looped(None)
        problems = len(self.lints.found)
        self._names(Read(node=collect), done)
        return looped(done.shapes.term(collect) if len(self.lints.found) == problems else ANYTHING)

    def _branch(self, arms: Sequence[Keyed], around: Around) -> StepOutput:
        names: dict[str, Node] = {}
        ends: list[dict[str, StepOutput]] = []
        seen: dict[str, Keyed] = {}
        lint_arms(arms, around, self.lints)
        here = around
        for number, arm in enumerate(arms, start=1):
            at, name = arm.entries["name"].value, text_of(arm.get("name"))
            if name in names:
                message = f"The arm `{name}` stands here a second time; the first is on line {names[name].line}."
                self.lints.error(at, "duplicate-name", message, "Give one of the arms another name.")
            names.setdefault(name, at)
            if "when" not in arm.entries and number < len(arms):
                message = f"The arm `{name}` has no `when`, so that no arm behind it is ever taken."
                self.lints.error(at, "arm-without-when", message, "Give it a `when`, or make it the last one.")
            steps = keyed_in(arm.get("steps"))
            for step in steps:
                self._lint_twice(step, seen)
                if text_of(step.get("id")) == _TAKEN:
                    message = f"`{_TAKEN}` already names the arm that was taken."
                    self.lints.error(step.entries["id"].value, "reserved-name", message, "Choose another id.")
            when = tree_of(arm.get("when"))
            done = self.line(steps, here.where(*assumed(when)).within(_ids(steps)))
            ends.append({id: done.shapes.outputs[id] for id in sorted(_ids(steps))})
            here = here.where(*refused(when))
        return branched(tuple(names), ends, certain="when" not in arms[-1].entries)

    def _parallel(self, steps: Sequence[Keyed], around: Around) -> StepOutput:
        seen: dict[str, Keyed] = {}
        for step in steps:
            self._lint_twice(step, seen)
        ids, outputs = _ids(steps), dict[str, StepOutput]()
        for step, before in needed_first(steps, self.lints):
            here = around.within(frozenset(), beside=ids - _ids(before))
            for earlier in before:
                here = here.after(earlier, outputs.get(text_of(earlier.get("id")), StepOutput()))
            self._lint_id(step, here)
            outputs[text_of(step.get("id"))] = self._step(step, here)
        return at_once(outputs)

    def _names(self, read: Read, around: Around) -> None:
        lint_term(read.node, read.inset, around, self.lints, self.known)

    def _lint_id(self, step: Keyed, around: Around) -> None:
        at = step.entries["id"].value
        assert isinstance(at, Scalar)
        self._lint_name(at, around)

    def _lint_name(self, at: Scalar, around: Around) -> None:
        """Add a lint when a step or an item takes a name that already means something here."""
        name = at.text
        if name in EVENT_SCOPE:
            self.lints.error(at, "reserved-name", f"`{name}` already names a part of the event.", "Choose another id.")
        elif name in around.names:
            step = around.names[name]
            if step is None:
                message = f"`{name}` already names the item of the loop around this step."
                self.lints.error(at, "duplicate-name", message, "Choose another id.")
            else:
                self._twice(at, step)

    def _lint_twice(self, step: Keyed, seen: dict[str, Keyed]) -> None:
        at = step.entries["id"].value
        first = seen.setdefault(text_of(at), step)
        if first is not step:
            self._twice(at, first)

    def _twice(self, at: Node, first: Keyed) -> None:
        line = first.entries["id"].value.line
        message = f"The step id `{text_of(at)}` stands here a second time; the first is on line {line}."
        self.lints.error(at, "duplicate-name", message, "Give one of the steps another id.")


def _expected(step: Keyed) -> tuple[Assumed, ...]:
    """Give what a step that is gone past says of decided values by what it expects."""
    expect = inside(step, "expect")
    equal = expect.get("equal") if expect is not None else None
    sides = [compile(text_of(side)).tree for side in equal.items] if isinstance(equal, Listed) else []
    return expected(sides[0], sides[1]) if len(sides) == 2 else ()


def _ids(steps: Sequence[Keyed]) -> frozenset[str]:
    return frozenset(text_of(step.get("id")) for step in steps)
