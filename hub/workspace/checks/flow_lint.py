"""What a flow file names must exist: steps before, connections and their operations, mappings, policies, runbooks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from hub.policy.form import Asked
from hub.policy.kinds import APPROVE, KINDS
from hub.workspace.catalogue import ConnectorEntry
from hub.workspace.checks.call_lint import lint_call
from hub.workspace.checks.flow_shapes import FlowShapes
from hub.workspace.checks.scopes import lint_calls, lint_scope
from hub.workspace.checks.step_shapes import StepOutput, step_output
from hub.workspace.kinds import FileKind, kind_of
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints, close_match, nearest, shown
from hub.workspace.source.yaml_source import Keyed, Listed, Node, Scalar, text_of

#: What every expression of a flow sees beside the steps.
EVENT_SCOPE = frozenset({"event", "data", "record"})
#: Evaluated when the event is accepted, before any step ran.
_AT_ACCEPTANCE = ("key", "business_key")
#: Read as soon as the steps they name have run.
_WHEN_KNOWN = ("entity", "money")
_EXPRESSION_KEYS = frozenset({"when", "of"})


def lint_references(flow: Keyed, lints: Lints, known: Known) -> None:
    """Add a lint for everything that a well-formed flow names and that does not exist."""
    event = _event(flow)
    if known.catalogue.of_event(event.text) is None:
        prefix = event.text.partition(".")[0]
        hint = nearest(prefix, known.catalogue.connectors)
        lints.error(event, "unknown-connector", f"No connector gives events named `{prefix}.…`.", hint)
    runbook = flow.get("runbook")
    if runbook is not None and text_of(runbook) not in known.files:
        near = nearest(text_of(runbook), (path for path in known.files if kind_of(path) is FileKind.RUNBOOK))
        lints.error(runbook, "unknown-runbook", f"There is no file {shown(text_of(runbook))}.", near)
    steps = _steps(flow)
    ids = tuple(text_of(step.get("id")) for step in steps)
    for keys, scope in ((_AT_ACCEPTANCE, EVENT_SCOPE), (_WHEN_KNOWN, EVENT_SCOPE | set(ids))):
        for key in keys:
            if key in flow.entries:
                _lint_term(flow.entries[key].value, 0, scope, ids, lints, known)
    shapes = FlowShapes(lints=lints, known=known)
    _StepLint(lints=lints, known=known, event=event.text, ids=ids, shapes=shapes).run(steps)
    if not lints.failed:
        for key in _WHEN_KNOWN:
            if key in flow.entries:
                (shapes.money if key == "money" else shapes.term)(flow.entries[key].value)


def _event(flow: Keyed) -> Scalar:
    on = flow.get("on")
    event = on.get("event") if isinstance(on, Keyed) else None
    assert isinstance(event, Scalar)
    return event


def _steps(flow: Keyed) -> list[Keyed]:
    steps = flow.get("steps")
    return [step for step in steps.items if isinstance(step, Keyed)] if isinstance(steps, Listed) else []


@dataclass(slots=True, kw_only=True)
class _StepLint:
    """Goes through the steps in order, knowing those before."""

    lints: Lints
    known: Known
    event: str
    ids: tuple[str, ...]
    shapes: FlowShapes

    def run(self, steps: list[Keyed]) -> None:
        """Check every step."""
        before: dict[str, Keyed] = {}
        for step in steps:
            self._lint_id(step, before)
            own = text_of(step.get("id"))
            problems = len(self.lints.found)
            for node, inset, sees_own in _terms(step):
                scope = EVENT_SCOPE | set(before) | ({own} if sees_own else set())
                _lint_term(node, inset, scope, self.ids, self.lints, self.known)
            self._lint_keys(step)
            self._lint_mapping(step, "map", step)
            self._lint_policy(step, "decide")
            self._lint_policy(step, "retry")
            call = step.get("call")
            if isinstance(call, Keyed):
                self._lint_call(step, call, before)
            if len(self.lints.found) == problems:
                self._lint_shapes(step, own, before)
            else:
                self.shapes.outputs[own] = StepOutput()
            before[own] = step

    def _lint_shapes(self, step: Keyed, own: str, before: Mapping[str, Keyed]) -> None:
        """Check a step that names nothing unknown against the shapes of what it reads."""
        call = step.get("call")
        connection = call.entries["connection"].value if isinstance(call, Keyed) else None
        connectors = [] if connection is None else self._connectors(connection, before)
        output = (own, step_output(step, connectors, self.known))
        lookup, expect = step.get("lookup"), step.get("expect")
        checked = lookup.get("id") if isinstance(lookup, Keyed) else None
        for node, inset, sees_own in _terms(step):
            if node is not checked:
                self.shapes.term(node, inset, output if sees_own else None)
        if isinstance(lookup, Keyed):
            self.shapes.lookup(lookup)
        if isinstance(expect, Keyed):
            self.shapes.expectation(expect, output)
        self.shapes.mapping(step, step.get("map"))
        if isinstance(call, Keyed):
            self.shapes.mapping(call, call.get("with"))
        self.shapes.outputs[own] = output[1]

    def _lint_id(self, step: Keyed, before: Mapping[str, Keyed]) -> None:
        at = step.entries["id"].value
        name = text_of(at)
        if name in before:
            first = before[name].entries["id"].value.line
            message = f"The step id `{name}` stands here a second time; the first is on line {first}."
            self.lints.error(at, "duplicate-name", message, "Give one of the steps another id.")
        elif name in EVENT_SCOPE:
            self.lints.error(at, "reserved-name", f"`{name}` already names a part of the event.", "Choose another id.")

    def _lint_keys(self, step: Keyed) -> None:
        for key, action in (("of", "map"), ("given", "map"), ("undo", "call"), ("retry", "call")):
            if key in step.entries and action not in step.entries:
                hint = "Move it into `call`." if key in ("of", "given") and "call" in step.entries else "Remove it."
                self.lints.error(
                    step.entries[key].key, "misplaced-key", f"`{key}` belongs to a step with `{action}`.", hint
                )

    def _lint_policy(self, step: Keyed, key: str) -> None:
        at = step.get(key)
        if at is None:
            return
        policy = self.known.policies.get(text_of(at))
        if not self.known.lint_name(FileKind.POLICY, at, self.lints) or policy is None:
            return
        kind = KINDS[policy.kind]
        if kind.asked is not (Asked.RETRY if key == "retry" else Asked.STEP):
            wanted = "of kind `retry`" if key == "retry" else "that decides between rules"
            hint = "Name another policy."
            if kind.asked is Asked.CONNECTION:
                wanted, hint = "that steps ask", f"Name it under `{kind.name}` in the file of a connection."
            message = f"The policy `{policy.name}` is of kind `{policy.kind}`; `{key}` needs one {wanted}."
            self.lints.error(at, "wrong-policy-kind", message, hint)
        elif policy.kind == APPROVE.name:
            message = f"`{policy.name}` says how many people must agree, but no step waits for approvals yet."
            self.lints.warn(at, "approvals-not-awaited", message, "The flow goes on with the answer as this output.")

    def _lint_mapping(self, inside: Keyed, key: str, holder: Keyed) -> None:
        at = inside.get(key)
        if at is None:
            return
        mapping = self.known.mappings.get(text_of(at))
        if not self.known.lint_name(FileKind.MAPPING, at, self.lints) or mapping is None:
            return
        given = holder.get("given")
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

    def _lint_call(self, step: Keyed, call: Keyed, before: Mapping[str, Keyed]) -> None:
        self._lint_mapping(call, "with", call)
        self._lint_mapping(call, "into", call)
        if "of" in call.entries and "with" not in call.entries:
            self.lints.error(
                call.entries["of"].key, "misplaced-key", "`of` belongs to a call with `with`.", "Remove it."
            )
        for connector in self._connectors(call.entries["connection"].value, before):
            lint_call(step, call, connector, self.lints, self.known)

    def _connectors(self, at: Node, before: Mapping[str, Keyed]) -> list[ConnectorEntry]:
        """Give the connectors that a `connection` may mean, as far as the files say."""
        text = text_of(at)
        if text == "=event.connection":
            connector = self.known.catalogue.of_event(self.event)
            return [] if connector is None else [connector]
        if not text.startswith("="):
            return self._of_connection(text, at)
        step, _, output = text[1:].partition(".")
        decided = text_of(before[step].get("decide")) if step in before else ""
        policy = self.known.policies.get(decided)
        names = policy.outcomes.get(output, ()) if policy is not None else ()
        found = (self.known.connections[name].connector for name in names if name in self.known.connections)
        return [self.known.catalogue.connectors[name] for name in dict.fromkeys(found)]

    def _of_connection(self, name: str, at: Node) -> list[ConnectorEntry]:
        connection = self.known.connections.get(name)
        if not self.known.lint_name(FileKind.CONNECTION, at, self.lints) or connection is None:
            return []
        return [self.known.catalogue.connectors[connection.connector]]


def _terms(step: Keyed) -> Iterator[tuple[Node, int, bool]]:
    """Give every expression of a step: its node, the characters before it, whether it sees its output."""
    for key in _EXPRESSION_KEYS & set(step.entries):
        yield step.entries[key].value, 0, False
    yield from _expressions_of(step.get("given"))
    for name in ("lookup", "call"):
        inside = step.get(name)
        if isinstance(inside, Keyed):
            yield from _inner(inside)
    link = step.get("crossref")
    ids = link.get("ids") if isinstance(link, Keyed) else None
    if isinstance(ids, Keyed):
        for entry in ids.entries.values():
            yield from (found for found in (*_marked(entry.key), *_marked(entry.value)))
    expect = step.get("expect")
    if isinstance(expect, Keyed):
        yield from _expressions_of(expect.get("equal"), sees_own=True)
        same = expect.get("same")
        if same is not None:
            yield same, 0, False


def _inner(inside: Keyed) -> Iterator[tuple[Node, int, bool]]:
    for key, entry in inside.entries.items():
        if key in ("of", "id"):
            yield entry.value, 0, False
        elif key == "given":
            yield from _expressions_of(entry.value)
        else:
            yield from _marked(entry.value)


def _marked(node: Node) -> Iterator[tuple[Node, int, bool]]:
    if text_of(node).startswith("="):
        yield node, 1, False


def _expressions_of(node: Node | None, *, sees_own: bool = False) -> Iterator[tuple[Node, int, bool]]:
    if isinstance(node, Keyed):
        yield from ((entry.value, 0, sees_own) for entry in node.entries.values())
    elif isinstance(node, Listed):
        yield from ((item, 0, sees_own) for item in node.items)


def _lint_term(
    node: Node, inset: int, scope: Collection[str], later: Collection[str], lints: Lints, known: Known
) -> None:
    lint_scope(node, inset, scope, later, lints)
    lint_calls(node, inset, lints, known)
