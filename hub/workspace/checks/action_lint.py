"""What the action of a step names must exist and fit: mappings, policies, connections, operations, flows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.policy.form import Asked
from hub.policy.kinds import APPROVE, KINDS
from hub.policy.matching import MatchPolicy
from hub.workspace.catalogue import ConnectorEntry
from hub.workspace.checks.around import Around
from hub.workspace.checks.call_lint import lint_call
from hub.workspace.checks.flow_heads import OWN, event_of
from hub.workspace.checks.flow_starts import lint_emit, lint_subflow
from hub.workspace.checks.narrowing import literals
from hub.workspace.checks.scopes import lint_calls
from hub.workspace.checks.step_nodes import Read, Sees, inside, reads
from hub.workspace.checks.step_shapes import StepOutput, written
from hub.workspace.checks.trigger_lint import lint_event
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints, close_match, nearest
from hub.workspace.source.yaml_source import Keyed, Node, text_of

#: By which keys of a step policies are asked that do not decide between rules.
_ASKED = {"retry": Asked.RETRY, "match": Asked.MATCH}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionLint:
    """Checks the action of one step at its place of a flow."""

    lints: Lints
    known: Known
    flow: Keyed
    around: Around

    def names(self, step: Keyed) -> None:
        """Add a lint for everything that is named and does not exist."""
        self._mapping(step, "map", step)
        for key in ("decide", "approve", "retry"):
            self._policy(step, key, step.get(key))
        match = inside(step, "match")
        if match is not None:
            self._policy(step, "match", match.get("policy"))
            self._comes_late(match)
        call, emit, subflow = inside(step, "call"), inside(step, "emit"), inside(step, "flow")
        if call is not None:
            self._call(step, call)
        for holder in (emit, subflow):
            if holder is not None:
                self._mapping(holder, "with", holder)
        if emit is not None:
            lint_emit(self.flow, emit, self.lints, self.known)
        if subflow is not None:
            lint_subflow(self.flow, subflow, self.lints, self.known)
        wait = inside(step, "wait")
        if wait is not None and "event" in wait.entries:
            lint_event(wait.entries["event"].value, self.lints, self.known)
        if emit is not None or subflow is not None or (call is not None and self._writes(call)):
            self._named_items(step)

    def _writes(self, call: Keyed) -> bool:
        operation = text_of(call.get("operation"))
        entries = (entry.operations.get(operation) for entry in self._connectors(call.entries["connection"].value))
        return any(entry is not None and entry.writes for entry in entries)

    def _named_items(self, step: Keyed) -> None:
        """Warn once of a loop whose items are told by their position, where something is done once for each."""
        loop = self.around.nameless
        if loop is None:
            return
        at = loop.entries["each"].key
        if not any(
            (lint.line, lint.column, lint.code) == (at.line, at.column, "no-item-name") for lint in self.lints.found
        ):
            message = (
                f"What `{text_of(step.get('id'))}` does for an item is known by the item's position: when the list has "
                "changed at a replay, it would be taken for done for another item."
            )
            hint = f"Add `by: {text_of(loop.get('as')) or 'item'}.id`, or what names an item."
            self.lints.warn(at, "no-item-name", message, hint)

    def called(self, step: Keyed) -> list[ConnectorEntry]:
        """Give the connectors that a step's call may go to, as far as the files say."""
        call = inside(step, "call")
        return [] if call is None else self._connectors(call.entries["connection"].value)

    def shapes(self, step: Keyed, output: StepOutput) -> None:
        """Check a step that names nothing unknown against the shapes of what it reads."""
        shapes, own = self.around.shapes, (text_of(step.get("id")), output)
        lookup, expect, call = inside(step, "lookup"), inside(step, "expect"), inside(step, "call")
        match = inside(step, "match")
        # These are looked at with more than their own shape.
        holders = {
            "lookup": "id",
            "match": "id",
            "foreach": "each",
            "call": "each",
            "wait": "subject",
            "emit": "subject",
        }
        apart = [held.get(key) for name, key in holders.items() if (held := inside(step, name)) is not None]
        for read in reads(step):
            if read.sees in (Sees.BEFORE, Sees.OWN) and not any(read.node is node for node in apart):
                shapes.term(read.node, read.inset, own if read.sees is Sees.OWN else None)
        for asked in (lookup, match):
            if asked is not None:
                shapes.lookup(asked)
        if match is not None:
            self._compared(match)
        if expect is not None:
            shapes.expectation(expect, own)
        shapes.mapping(step, step.get("map"))
        for holder in (call, inside(step, "emit"), inside(step, "flow")):
            if holder is not None:
                shapes.mapping(holder, holder.get("with"))
        if call is not None and "each" in call.entries:
            item = shapes.each(call.entries["each"].value)
            shapes.item(call.entries["item"].value, item)
        for name in ("wait", "emit"):
            told = inside(step, name)
            if told is not None and "subject" in told.entries:
                shapes.text(told.entries["subject"].value)
        self._handed_over(step)
        self._undo(step, own)

    def _compared(self, match: Keyed) -> None:
        """Check that what is compared is a record of the schema that the policy reads."""
        policy = self.known.policies.get(text_of(match.get("policy")))
        if policy is not None and isinstance(policy.compiled, MatchPolicy):
            at, wanted = match.entries["policy"].value, policy.compiled.record
            self.around.shapes.record(match, at, wanted, f"The policy `{policy.name}`")

    def _handed_over(self, step: Keyed) -> None:
        """Check that a flow gets a record of the schema that it takes, where no mapping makes it."""
        subflow = inside(step, "flow")
        head = self.known.flows.get(text_of(subflow.get("flow"))) if subflow is not None else None
        # A schema that is not there is told where the flow names it.
        there = head is not None and head.called in self.known.declared[FileKind.SCHEMA]
        if subflow is not None and "with" not in subflow.entries and head is not None and head.called and there:
            self.around.shapes.record(subflow, subflow.entries["flow"].value, head.called)

    def _undo(self, step: Keyed, own: tuple[str, StepOutput]) -> None:
        """Check that what takes a call back gets what it reads: by default what the operation answered."""
        undo, call = inside(step, "undo"), inside(step, "call")
        if "undo" not in step.entries or call is None:
            return
        answer = written(call, self.called(step), self.known)
        if undo is not None and "with" in undo.entries:
            self.around.shapes.knowing(*own).mapping(undo, undo.get("with"), otherwise=answer)
        elif (undo is None or "by" not in undo.entries) and answer.shape.without_null().at("id") is None:
            at = step.entries["undo"].key
            message = f"`{text_of(call.get('operation'))}` answers no `id` by which it could be taken back."
            hint = "Name a mapping for the input of the undo: `undo: { operation: …, with: … }`."
            self.lints.error(at, "no-id-to-undo-by", message, hint)

    def lint_item(self, read: Read) -> None:
        """Check the expression that names an item of a call: it is read on the item, and names no step."""
        lint_calls(read.node, read.inset, self.lints, self.known)

    def _comes_late(self, match: Keyed) -> None:
        """Warn where something was done before a comparison that its outcome can change."""
        at, policy = match.entries["policy"].value, self.known.policies.get(text_of(match.get("policy")))
        entity = policy.compiled.entity if policy is not None and isinstance(policy.compiled, MatchPolicy) else ""
        for id, step in self.around.names.items():
            call, lookup = (inside(step, key) if step is not None else None for key in ("call", "lookup"))
            if call is not None and self._writes(call):
                message = f"The step `{id}` has written by then; what may be a duplicate is there already."
                self.lints.warn(at, "match-after-write", message, "Compare before anything is written.")
            # What only tells whether it is known already is asked for that.
            named = id in text_of(match.get("unless"))
            if lookup is not None and not named and entity and text_of(lookup.get("crossref")) == entity:
                message = (
                    f"The step `{id}` has looked up by then whether the {entity} is known. When a person says that it "
                    "is the same as another, a replay still has what was found before."
                )
                self.lints.warn(at, "lookup-before-match", message, "Look up after the comparison.")

    def _policy(self, step: Keyed, key: str, at: Node | None) -> None:
        if at is None:
            return
        policy = self.known.policies.get(text_of(at))
        if not self.known.lint_name(FileKind.POLICY, at, self.lints) or policy is None:
            return
        kind = KINDS[policy.kind]
        wanted, hint = "", "Name another policy."
        if key == "approve":
            wanted = "of kind `approve`" if kind is not APPROVE else ""
        elif kind is APPROVE and key == "decide":
            message = f"`{policy.name}` says how many people must agree, and `decide` waits for none of them."
            self.lints.warn(at, "approvals-not-awaited", message, f"Write `approve: {policy.name}` to wait for them.")
        elif kind.asked is not _ASKED.get(key, Asked.STEP):
            wanted = f"of kind `{key}`" if key in _ASKED else "that decides between rules"
            if kind.asked is Asked.CONNECTION:
                wanted, hint = "that steps ask", f"Name it under `{kind.name}` in the file of a connection."
            elif kind.asked is Asked.MATCH:
                hint = f"Write `match: {{ policy: {policy.name}, … }}`."
        if wanted:
            message = f"The policy `{policy.name}` is of kind `{policy.kind}`; `{key}` needs one {wanted}."
            self.lints.error(at, "wrong-policy-kind", message, hint)

    def _mapping(self, holder: Keyed, key: str, giver: Keyed) -> None:
        at = holder.get(key)
        if at is None:
            return
        mapping = self.known.mappings.get(text_of(at))
        if not self.known.lint_name(FileKind.MAPPING, at, self.lints) or mapping is None:
            return
        given = giver.get("given")
        names = set(given.entries) if isinstance(given, Keyed) and key != "into" else set()
        unused = names - mapping.given
        for name in sorted(unused):
            assert isinstance(given, Keyed)
            message = f"The mapping `{mapping.name}` does not take the given value `{name}`."
            hint = nearest(name, mapping.given) or "Remove it."
            self.lints.error(given.entries[name].key, "unused-given", message, hint)
        for name in sorted(mapping.given - names):
            if close_match(name, unused):
                continue
            message = f"The mapping `{mapping.name}` needs the given value `{name}`."
            self.lints.error(at, "missing-given", message, f"Add `given: {{ {name}: … }}` beside it.")

    def _call(self, step: Keyed, call: Keyed) -> None:
        self._mapping(call, "with", call)
        self._mapping(call, "into", call)
        undo = inside(step, "undo")
        if undo is not None:
            self._mapping(undo, "with", undo)
        self._connection(call.entries["connection"].value)
        for connector in self._connectors(call.entries["connection"].value):
            lint_call(step, call, connector, self.lints, self.known)

    def _connection(self, at: Node) -> None:
        """Add a lint when a call names a connection that is not there, or that of an event which came on none."""
        text, event = text_of(at), event_of(self.flow)
        if text == "=event.connection" and event.startswith(f"{OWN}."):
            message = f"`{event}` is an event of the hub's own, which comes on no connection."
            self.lints.error(at, "no-connection", message, "Name the connection, or let a policy choose it.")
        elif not text.startswith("="):
            self.known.lint_name(FileKind.CONNECTION, at, self.lints)

    def _connectors(self, at: Node) -> list[ConnectorEntry]:
        """Give the connectors that a `connection` may mean, as far as the files say."""
        text = text_of(at)
        if text == "=event.connection":
            connector = self.known.catalogue.of_event(event_of(self.flow))
            return [] if connector is None else [connector]
        names: Sequence[str] = (text,)
        if text.startswith("="):
            step, _, output = text[1:].rpartition(".")
            names = literals(self.around.rules(step), output)
        found = (self.known.connections[name].connector for name in names if name in self.known.connections)
        return [self.known.catalogue.connectors[name] for name in dict.fromkeys(found)]
