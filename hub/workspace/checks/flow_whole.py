"""What is right in each of its steps and wrong in the whole flow: keys that name nothing, outputs nobody gets."""

from __future__ import annotations

from hub.expressions.compiler import compile
from hub.workspace.checks.step_nodes import every_step, inside, keyed_in
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import Keyed, text_of


def lint_whole(flow: Keyed, lints: Lints) -> None:
    """Add a lint for each thing that a flow says and that has no effect, or one that nobody wants."""
    at = flow.entries["business_key"].value
    if not compile(text_of(at)).paths:
        message = (
            "`business_key` is the same for every event: what this flow writes would be written once and never again."
        )
        lints.error(at, "constant-business-key", message, "Name what the event is about, such as `data.object.id`.")
    on = inside(flow, "on")
    if "output" in flow.entries and on is not None and "called" not in on.entries:
        message = "Nobody gets this `output`: only a flow with `on: { called: … }` is run by steps of others."
        lints.warn(flow.entries["output"].key, "output-not-read", message, "Remove it.")
    _lint_compensation(flow, lints)


def _lint_compensation(flow: Keyed, lints: Lints) -> None:
    steps = tuple(every_step(keyed_in(flow.get("steps"))))
    if any("undo" in step.entries or "flow" in step.entries for step in steps):
        return
    for holder in (flow, *steps):
        said = holder.get("on_failure")
        if text_of(said) == "compensate" and said is not None:
            message = "Nothing can be taken back: no step of this flow has `undo`."
            lints.warn(said, "nothing-to-take-back", message, "Give the steps that write an `undo`.")
