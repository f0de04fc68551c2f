"""Effects of two flows must not be one: an effect is named by what it means, and not by the flow that makes it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

from hub.model.flow import Call, Decide, Flow, Step, Term
from hub.model.flow_steps import name_from, placed_steps
from hub.workspace.checks.narrowing import literals, rules_left
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints
from hub.workspace.source.terms import Evaluated, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Write:
    """A write of a flow: everything of which its effect's key is made, as far as the files say.

    `connections` are those it may go to, None when only a run can tell; `named` is how the file names it. `place` is
    its step's place in the flow, the same for all items of a loop.
    """

    flow: Flow
    step: Step
    place: str
    operation: str
    business_key: Hashable
    connections: frozenset[str] | None
    named: Hashable

    def same_as(self, other: _Write) -> bool:
        """Tell whether both may be one effect."""
        alike = (self.place, self.operation, self.business_key) == (other.place, other.operation, other.business_key)
        if not alike:
            return False
        if self.connections is None or other.connections is None:
            return self.named == other.named
        return not self.connections.isdisjoint(other.connections)


def lint_effects(flows: Mapping[str, Flow], lints: Mapping[str, Lints], known: Known) -> None:
    """Add a lint to a flow whose write would be taken for that of another flow, and so never be made."""
    seen: list[_Write] = []
    for _, flow in sorted(flows.items()):
        writes = list(_writes(flow, known))
        for write in writes:
            other = next((each for each in seen if write.same_as(each)), None)
            if other is not None:
                message = (
                    f"The step `{write.place}` and the step `{other.place}` of `{other.flow.name}` "
                    f"({other.flow.path}:{other.step.line}) are one write: same connection, operation, business key "
                    "and step id. What one flow has written, the other does not write again."
                )
                hint = "Give the step another id, or say in `business_key` what is different."
                lints[flow.path].error(write.step, "same-effect", message, hint)
        seen += writes


def _writes(flow: Flow, known: Known) -> Iterator[_Write]:
    placed = dict(placed_steps(flow.steps))
    decided = {place: step.action.policy for place, step in placed.items() if isinstance(step.action, Decide)}
    for place, step in placed.items():
        call = step.action
        if not isinstance(call, Call):
            continue
        seen = {name: policy for at, policy in decided.items() if (name := name_from(at, place)) is not None}
        connections = _connections(call.connection, flow, seen, known)
        if _writes_there(call.operation, connections, known):
            yield _Write(
                flow=flow,
                step=step,
                place=f"{place}[]" if call.each is not None else place,
                operation=call.operation,
                business_key=_meaning(flow.business_key),
                connections=connections,
                named=_meaning(call.connection),
            )


def _connections(term: Term, flow: Flow, decided: Mapping[str, str], known: Known) -> frozenset[str] | None:
    if isinstance(term, Literal):
        return frozenset({str(term.value)})
    if term.text == "event.connection":
        connector = known.catalogue.of_event(flow.event)
        mine = (name for name, each in known.connections.items() if connector and each.connector == connector.name)
        return frozenset(mine)
    step, _, output = term.text.rpartition(".")
    policy = known.policies.get(decided.get(step, ""))
    names = literals(rules_left(policy.deciding if policy is not None else None, ()), output)
    return frozenset(names) or None


def _writes_there(operation: str, connections: frozenset[str] | None, known: Known) -> bool:
    names = known.connections if connections is None else connections
    found = (known.connections[name].connector for name in names if name in known.connections)
    entries = (known.catalogue.connectors[name].operations.get(operation) for name in set(found))
    return any(entry is not None and entry.writes for entry in entries)


def _meaning(term: Term) -> Hashable:
    """Give what a term means, however it is written."""
    if isinstance(term, Evaluated):
        return term.expression.tree.meaning()
    return ("literal", term.text)
