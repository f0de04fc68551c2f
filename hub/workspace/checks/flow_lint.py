"""What a flow file names must exist: what starts it, its keys, its runbook, and everything in its steps."""

from __future__ import annotations

from collections.abc import Iterator

from hub.workspace.checks.around import Around, lint_term
from hub.workspace.checks.flow_shapes import FlowShapes
from hub.workspace.checks.flow_whole import lint_whole
from hub.workspace.checks.step_lint import StepLint
from hub.workspace.checks.step_nodes import every_step, keyed_in, steps_within
from hub.workspace.checks.trigger_lint import lint_trigger
from hub.workspace.checks.trigger_shapes import known_at_first
from hub.workspace.files.step_file import MAX_DEPTH, MAX_STEPS
from hub.workspace.kinds import FileKind, kind_of
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints, nearest, shown
from hub.workspace.source.yaml_source import Keyed, text_of

#: Evaluated when the event is accepted, before any step ran.
_AT_ACCEPTANCE = ("key", "business_key")
#: Read as soon as the steps they name have run.
_WHEN_KNOWN = ("entity", "money", "output")


def lint_references(flow: Keyed, lints: Lints, known: Known) -> None:
    """Add a lint for everything that a well-formed flow names and that does not exist."""
    lint_trigger(flow, lints, known)
    lint_whole(flow, lints)
    runbook = flow.get("runbook")
    if runbook is not None and text_of(runbook) not in known.files:
        near = nearest(text_of(runbook), (path for path in known.files if kind_of(path) is FileKind.RUNBOOK))
        lints.error(runbook, "unknown-runbook", f"There is no file {shown(text_of(runbook))}.", near)
    steps = keyed_in(flow.get("steps"))
    if not _bounded(steps, lints):
        return
    ids = frozenset(text_of(step.get("id")) for step in steps)
    shapes = FlowShapes(lints=lints, known=known, outputs=known_at_first(flow, known))
    start = Around(later=ids, shapes=shapes)
    done = StepLint(lints=lints, known=known, flow=flow).line(steps, start)
    for keys, around in ((_AT_ACCEPTANCE, start), (_WHEN_KNOWN, done)):
        for key in keys:
            if key in flow.entries:
                lint_term(flow.entries[key].value, 0, around, lints, known)
    if not lints.failed:
        _lint_shapes(flow, start.shapes, done.shapes)
    output = flow.get("output")
    if output is not None and not lints.failed:
        known.given[text_of(flow.get("flow"))] = done.shapes.term(output)


def _lint_shapes(flow: Keyed, at_first: FlowShapes, at_last: FlowShapes) -> None:
    """Check the flow's own expressions against the shapes of what they read."""
    for key in (*_AT_ACCEPTANCE, "entity"):
        if key in flow.entries:
            (at_first if key in _AT_ACCEPTANCE else at_last).term(flow.entries[key].value)
    if "money" in flow.entries:
        at_last.money(flow.entries["money"].value)


def _bounded(steps: tuple[Keyed, ...], lints: Lints) -> bool:
    """Tell whether a person can read the steps; add a lint at the first that is one too many or too deep."""
    everything = list(every_step(steps))
    deep = next(_deeper(steps, MAX_DEPTH), None)
    if deep is not None:
        message = f"This step stands within more than {MAX_DEPTH} others."
        lints.error(deep, "too-deep", message, "Make a flow of its own of the inner steps, and run it with `flow`.")
    if len(everything) > MAX_STEPS:
        message = f"The flow has {len(everything)} steps, those within steps included; {MAX_STEPS} is the most."
        hint = "Make flows of their own of some, and run them with `flow`."
        lints.error(everything[MAX_STEPS], "too-many-steps", message, hint)
    return not lints.failed


def _deeper(steps: tuple[Keyed, ...], levels: int) -> Iterator[Keyed]:
    """Give the steps that stand within more than `levels` others."""
    for step in steps:
        if levels < 0:
            yield step
        for inner in steps_within(step):
            yield from _deeper(inner, levels - 1)
