"""Flow files: read against their description, checked for what they name, compiled to `hub.model.flow.Flow`."""

from __future__ import annotations

from hub.model.durations import duration
from hub.model.flow import CatchUp, Flow, OnFailure, Overlap, Schedule
from hub.model.run import Priority
from hub.workspace.checks.flow_heads import events_of
from hub.workspace.checks.flow_lint import lint_references
from hub.workspace.files.flow_file import FLOW
from hub.workspace.files.steps import compile_steps, on_failure, optional, required
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints
from hub.workspace.source.shape_lint import lint_shape
from hub.workspace.source.terms import Tables
from hub.workspace.source.yaml_source import Keyed, Node, text_of


def load_flow(node: Node, lints: Lints, known: Known) -> Flow | None:
    """Lint one flow file and compile it; None after an error."""
    lint_shape(node, FLOW, lints, "flow")
    if lints.failed or not isinstance(node, Keyed):
        return None
    lint_references(node, lints, known)
    if lints.failed:
        return None
    return _flow(node, known.tables, lints.path)


def _flow(node: Keyed, tables: Tables, path: str) -> Flow:
    on = node.get("on")
    assert isinstance(on, Keyed)
    event, *further = events_of(node)
    return Flow(
        name=text_of(node.get("flow")),
        title=text_of(node.get("title")),
        owner=text_of(node.get("owner")),
        event=event,
        further_events=tuple(further),
        key=required(node, "key", tables),
        business_key=required(node, "business_key", tables),
        steps=compile_steps(node.get("steps"), tables),
        entity=optional(node, "entity", tables),
        money=optional(node, "money", tables),
        runbook=text_of(node.get("runbook")) or None,
        priority=Priority[(text_of(node.get("priority")) or Priority.NORMAL.name).upper()],
        on_failure=on_failure(node) or OnFailure.PARK,
        schedule=_schedule(on),
        called=text_of(on.get("called")) or None,
        output=optional(node, "output", tables),
        path=path,
    )


def _schedule(on: Keyed) -> Schedule | None:
    inside = on.get("schedule")
    if not isinstance(inside, Keyed):
        return None
    return Schedule(
        cron=text_of(inside.get("cron")) or None,
        every=duration(text_of(inside.get("every"))),
        zone=text_of(inside.get("zone")) or "UTC",
        catch_up=CatchUp(text_of(inside.get("catch_up")) or CatchUp.LAST),
        overlap=Overlap(text_of(inside.get("overlap")) or Overlap.QUEUE),
        dead_man=duration(text_of(inside.get("dead_man"))),
    )
