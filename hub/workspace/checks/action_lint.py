"""What the action of a step names must exist and fit: mappings, policies, connections, operations, flows."""

from __future__ import annotations

from dataclasses import dataclass

from hub.policy.form import Asked
from hub.policy.kinds import APPROVE, KINDS
from hub.workspace.catalogue import ConnectorEntry
from hub.workspace.checks.around import Around
from hub.workspace.checks.call_lint import lint_call
from hub.workspace.checks.flow_heads import event_of
from hub.workspace.checks.flow_starts import lint_emit, lint_subflow
from hub.workspace.checks.scopes import lint_calls
from hub.workspace.checks.step_nodes import Read, Sees, inside, reads
from hub.workspace.checks.step_shapes import StepOutput
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints, close_match, nearest
from hub.workspace.source.yaml_source import Keyed, Node, text_of


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
            self._policy(step, key)
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

    def called(self, step: Keyed) -> list[ConnectorEntry]:
        """Give the connectors that a step's call may go to, as far as the files say."""
        call = inside(step, "call")
        return [] if call is None else self._connectors(call.entries["connection"].value)

    def shapes(self, step: Keyed, output: StepOutput) -> None:
        """Check a step that names nothing unknown against the shapes of what it reads."""
        shapes, own = self.around.shapes, (text_of(step.get("id")), output)
        lookup, expect, call = inside(step, "lookup"), inside(step, "expect"), inside(step, "call")
        # These are looked at with more than their own shape.
        apart = [lookup.get("id")] if lookup is not None else []
        apart += [loop.get("each")] if (loop := inside(step, "foreach")) is not None else []
        apart += [call.get("each")] if call is not None else []
        for read in reads(step):
            if read.sees in (Sees.BEFORE, Sees.OWN) and not any(read.node is node for node in apart):
                shapes.term(read.node, read.inset, own if read.sees is Sees.OWN else None)
        if lookup is not None:
            shapes.lookup(lookup)
        if expect is not None:
            shapes.expectation(expect, own)
        shapes.mapping(step, step.get("map"))
        for holder in (call, inside(step, "emit"), inside(step, "flow")):
            if holder is not None:
                shapes.mapping(holder, holder.get("with"))
        if call is not None and "each" in call.entries:
            item = shapes.each(call.entries["each"].value)
            shapes.item(call.entries["item"].value, item)
        self._undo(step, own)

    def _undo(self, step: Keyed, own: tuple[str, StepOutput]) -> None:
        """Check that what takes a call back gets what it reads: by default the call's own output."""
        undo = inside(step, "undo")
        if undo is not None and "with" in undo.entries:
            self.around.shapes.knowing(*own).mapping(undo, undo.get("with"), otherwise=own[1])

    def lint_item(self, read: Read) -> None:
        """Check the expression that names an item of a call: it is read on the item, and names no step."""
        lint_calls(read.node, read.inset, self.lints, self.known)

    def _policy(self, step: Keyed, key: str) -> None:
        at = step.get(key)
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
        elif kind.asked is not (Asked.RETRY if key == "retry" else Asked.STEP):
            wanted = "of kind `retry`" if key == "retry" else "that decides between rules"
            if kind.asked is Asked.CONNECTION:
                wanted, hint = "that steps ask", f"Name it under `{kind.name}` in the file of a connection."
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
        for connector in self._connectors(call.entries["connection"].value):
            lint_call(step, call, connector, self.lints, self.known)

    def _connectors(self, at: Node) -> list[ConnectorEntry]:
        """Give the connectors that a `connection` may mean, as far as the files say."""
        text = text_of(at)
        if text == "=event.connection":
            connector = self.known.catalogue.of_event(event_of(self.flow))
            return [] if connector is None else [connector]
        if not text.startswith("="):
            return self._of_connection(text, at)
        step, _, output = text[1:].rpartition(".")
        decided = self.around.find(step)
        policy = self.known.policies.get(text_of(decided.get("decide"))) if decided is not None else None
        names = policy.outcomes.get(output, ()) if policy is not None else ()
        found = (self.known.connections[name].connector for name in names if name in self.known.connections)
        return [self.known.catalogue.connectors[name] for name in dict.fromkeys(found)]

    def _of_connection(self, name: str, at: Node) -> list[ConnectorEntry]:
        connection = self.known.connections.get(name)
        if not self.known.lint_name(FileKind.CONNECTION, at, self.lints) or connection is None:
            return []
        return [self.known.catalogue.connectors[connection.connector]]
