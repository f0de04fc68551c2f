"""What is right in each of its steps and wrong in the whole flow: keys that name nothing, outputs nobody gets."""

from __future__ import annotations

from collections.abc import Iterator

from hub.expressions.compiler import compile
from hub.workspace.checks.step_nodes import every_step, inside, keyed_in, steps_within
from hub.workspace.source.lint import Lints, nearest
from hub.workspace.source.yaml_source import Keyed, Node, text_of


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
    _lint_taking_back(flow, lints)
    _lint_approvals(flow, lints)


def _lint_compensation(flow: Keyed, lints: Lints) -> None:
    steps = tuple(every_step(keyed_in(flow.get("steps"))))
    if any("undo" in step.entries or "flow" in step.entries for step in steps):
        return
    for holder in (flow, *steps):
        said = holder.get("on_failure")
        if text_of(said) == "compensate" and said is not None:
            message = "Nothing can be taken back: no step of this flow has `undo`."
            lints.warn(said, "nothing-to-take-back", message, "Give the steps that write an `undo`.")


def _lint_taking_back(flow: Keyed, lints: Lints) -> None:
    """Add an error for each `undoes` that would not be the same write as the `undo` of the step that it names."""
    steps = keyed_in(flow.get("steps"))
    single = dict(_single_calls(steps))
    with_undo = [place for place, step in single.items() if "undo" in step.entries]
    for step in every_step(steps):
        said, call = step.get("undoes"), inside(step, "call")
        if said is None or call is None:
            continue
        if step not in single.values():
            message = "One write is taken back by one call: neither in a loop nor with `each`."
            lints.error(said, "undoes-in-loop", message, "Move the step out of the loop, or remove `undoes`.")
        elif text_of(said) not in with_undo:
            message = f"No step with an `undo` stands at `{text_of(said)}`, outside of loops."
            lints.error(said, "unknown-step", message, nearest(text_of(said), with_undo))
        else:
            _lint_same_write(said, call, single[text_of(said)], lints)


def _lint_same_write(said: Node, call: Keyed, taken: Keyed, lints: Lints) -> None:
    made, undo = inside(taken, "call"), inside(taken, "undo")
    operation = taken.get("undo") if undo is None else undo.get("operation")
    for key, node in (("connection", None if made is None else made.get("connection")), ("operation", operation)):
        if text_of(call.get(key)) != text_of(node):
            message = f"`{text_of(said)}` is taken back with the {key} `{text_of(node)}`, and this is another write."
            lints.error(call.entries[key].value, "undoes-otherwise", message, f"Write `{text_of(node)}`.")


def _single_calls(steps: tuple[Keyed, ...], around: str = "") -> Iterator[tuple[str, Keyed]]:
    """Give the steps outside of loops that make one call, with their places."""
    for step in steps:
        place, call = around + text_of(step.get("id")), inside(step, "call")
        if call is not None and "each" not in call.entries:
            yield place, step
        for inner in () if "foreach" in step.entries else steps_within(step):
            yield from _single_calls(inner, f"{place}.")


def _lint_approvals(flow: Keyed, lints: Lints) -> None:
    """Warn of approvals that a failure before them leaves unasked, where the flow goes on past that."""
    for step in every_step(keyed_in(flow.get("steps"))):
        # A loop that goes on without an item writes nothing for that item either.
        if text_of(step.get("on_failure")) != "continue" or "foreach" in step.entries:
            continue
        for asking in _asked_later(step):
            message = (
                f"Where something fails before it is asked, `{text_of(step.get('id'))}` is gone past, and what comes "
                "behind that is written without this approval."
            )
            lints.warn(asking.entries["approve"].key, "approval-not-asked", message, _ASK_FIRST)


_ASK_FIRST = "Ask before that step, or as the first thing in it."


def _asked_later(step: Keyed) -> Iterator[Keyed]:
    """Give the approvals within a step, outside of loops, that are asked for only when others have gone well."""
    for steps in () if "foreach" in step.entries else steps_within(step):
        for number, inner in enumerate(steps):
            behind = "needs" in inner.entries if "parallel" in step.entries else number > 0
            if behind:
                yield from (each for each in _outside_loops(inner) if "approve" in each.entries)
            else:
                yield from _asked_later(inner)


def _outside_loops(step: Keyed) -> Iterator[Keyed]:
    yield step
    for steps in () if "foreach" in step.entries else steps_within(step):
        for inner in steps:
            yield from _outside_loops(inner)
