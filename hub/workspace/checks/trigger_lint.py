"""What starts a flow must be there: an event that a connector or another flow gives, times, or a record's schema."""

from __future__ import annotations

from collections.abc import Sequence

from hub.model.sender import SENT
from hub.workspace.checks.flow_heads import CALLED, OWN, SCHEDULED, event_nodes
from hub.workspace.checks.schedule_lint import lint_schedule
from hub.workspace.checks.step_nodes import inside
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints, nearest
from hub.workspace.source.yaml_source import Keyed, Node, text_of


def lint_trigger(flow: Keyed, lints: Lints, known: Known) -> None:
    """Add a lint when nothing can start a flow."""
    on = inside(flow, "on")
    called = on.get("called") if on is not None else None
    events = event_nodes(on) if on is not None else ()
    for event in events:
        lint_event(event, lints, known)
    _lint_together(events, lints)
    schedule = inside(on, "schedule") if on is not None else None
    if schedule is not None:
        lint_schedule(schedule, lints)
    if called is not None:
        known.lint_name(FileKind.SCHEMA, called, lints)


def _lint_together(events: Sequence[Node], lints: Lints) -> None:
    """Add a lint where events of different senders start one flow, or one of them stands there twice."""
    names = [text_of(event) for event in events]
    for place, event in enumerate(events):
        if names[place] in names[:place]:
            lints.error(event, "repeated-event", f"`{names[place]}` stands here twice.", "Take one out.")
        elif names[place].partition(".")[0] != names[0].partition(".")[0]:
            message = f"`{names[place]}` and `{names[0]}` do not come from the same connector."
            lints.error(event, "events-of-several", message, "Write a flow for each connector.")


def lint_event(event: Node, lints: Lints, known: Known) -> None:
    """Add a lint when no connector gives events of this type, no sender may send them, and no flow emits them."""
    name = text_of(event)
    prefix = name.partition(".")[0]
    if name.startswith((f"{SCHEDULED}.", f"{CALLED}.")):
        message = f"Events named `{SCHEDULED}.…` and `{CALLED}.…` start the flow that they name."
        lints.error(event, "reserved-name", message, "Write `on: { schedule: … }` or `on: { called: SCHEMA }`.")
    elif prefix == OWN:
        told = {each for head in known.flows.values() for each in head.emits}
        # What the others emit is told by their files, as far as these can be read.
        if name not in told and known.flows.keys() == known.declared[FileKind.FLOW]:
            lints.warn(event, "event-not-emitted", f"No flow emits `{name}`.", nearest(name, told))
    elif prefix == SENT:
        senders = [sender for each in known.environments.values() for sender in each.senders.values()]
        sent = name.removeprefix(f"{SENT}.")
        # What those may send whose files cannot be read is not known.
        read = known.environments.keys() == known.declared[FileKind.ENVIRONMENT]
        if read and not any(sent in sender.types for sender in senders):
            hint = "Name the type, without `sent.`, under `senders` in the environment's file."
            lints.warn(event, "event-not-sent", f"No sender may send `{sent}`.", hint)
    elif known.catalogue.of_event(name) is None:
        hint = nearest(prefix, known.catalogue.connectors)
        lints.error(event, "unknown-connector", f"No connector gives events named `{prefix}.…`.", hint)
