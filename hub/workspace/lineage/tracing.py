"""Trace every field of a bundle: through its mappings, and through the steps of its flows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from hub.model.flow import Call, Decide, Equal, Flow, Link, Lookup, Map, Same, Step, Term
from hub.schemas.shape import Shape, shape_of
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue
from hub.workspace.checks.answers import Answers
from hub.workspace.checks.flow_scope import Here, Scope, below
from hub.workspace.lineage.edges import Edge, Field, How, Lineage, Purpose, Use
from hub.workspace.lineage.edges import Step as At
from hub.workspace.lineage.mapping_edges import MappingEdges
from hub.workspace.lineage.policy_edges import policy_edges
from hub.workspace.lineage.written import key_lines, rule_places

_NO_CONNECTORS = Catalogue()
#: So deep are the declared fields of a schema told.
_DEEPEST = 8


def trace(bundle: Bundle, catalogue: Catalogue = _NO_CONNECTORS) -> Lineage:
    """Give the lineage of everything in a bundle; the catalogue says what operations answer."""
    tracing = _Tracing(bundle, catalogue)
    for flow in bundle.flows.values():
        tracing.flow(flow)
    return Lineage(edges=tuple(tracing.edges()), uses=tuple(tracing.uses), declared=declared_fields(bundle))


class Traced:
    """The lineage of the bundle that is asked about, kept until another one is."""

    def __init__(self, catalogue: Catalogue = _NO_CONNECTORS) -> None:
        """Begin with nothing; the catalogue says what operations answer."""
        self._catalogue = catalogue
        self._last: tuple[str, Lineage] | None = None

    def of(self, bundle: Bundle) -> Lineage:
        """Give the lineage of a bundle."""
        if self._last is None or self._last[0] != bundle.id:
            self._last = (bundle.id, trace(bundle, self._catalogue))
        return self._last[1]


def declared_fields(bundle: Bundle) -> dict[Field, str]:
    """Give every field that the schemas of a bundle declare, with its description."""
    found: dict[Field, str] = {}
    for name, schema in bundle.schemas.items():
        found.update(_declared(Field(record=name), shape_of(schema.document), 0))
    return found


def _declared(whole: Field, shape: Shape, depth: int) -> Iterator[tuple[Field, str]]:
    for name, inside in shape.fields.items():
        here = below(whole, name)
        yield here, inside.description
        if depth < _DEEPEST:
            yield from _declared(here, inside, depth + 1)
            if inside.items is not None:
                yield from _declared(Field(record=here.record, path=f"{here.path}[]"), inside.items, depth + 1)


class _Tracing:
    """One pass over the flows of a bundle; each edge is kept once, with all the steps in which it happens."""

    def __init__(self, bundle: Bundle, catalogue: Catalogue) -> None:
        self.uses: list[Use] = []
        self._bundle = bundle
        self._answers = Answers(bundle, catalogue)
        self._mappings = MappingEdges(bundle)
        self._rules = rule_places(bundle.files)
        self._steps: dict[Edge, list[At]] = {edge: [] for edge in self._mappings.all()}

    def edges(self) -> Iterator[Edge]:
        """Give all edges, each with its steps."""
        for edge, steps in self._steps.items():
            yield replace(edge, steps=tuple(dict.fromkeys(steps)))

    def flow(self, flow: Flow) -> None:
        """Follow a flow's steps in their order; each name then means the record that its step has made."""
        event = f"event.{flow.event}"
        scope = {"event": (Field(record=event),), "data": (Field(record=event, path="data"),)}
        scope["record"] = (self._record(flow),)
        here = Here(flow=flow.name, step="", scope=scope, path=flow.path, line=1)
        for step in flow.steps:
            before = replace(here, step=step.id, line=step.line, scope=scope)
            made = self._step(step, before, flow)
            if made is not None:
                scope = {**scope, step.id: (made,)}
            self._checks(step, made, replace(before, scope=scope))
        lines = key_lines(self._bundle.files.get(flow.path, b""))
        for purpose, term, text in (
            (Purpose.KEY, flow.key, "keeps the events of one thing in order"),
            (Purpose.BUSINESS_KEY, flow.business_key, "names the business fact, so that it happens once"),
            (Purpose.ENTITY, flow.entity, "says whose books a run concerns"),
            (Purpose.MONEY, flow.money, "is the money at risk when a run stops"),
        ):
            self._use(replace(here, scope=scope, line=lines.get(purpose.value, 1)), purpose, text, term)

    def _record(self, flow: Flow) -> Field:
        """Say what the event's record is: what the first mapping applied to it reads."""
        for step in flow.steps:
            match step.action:
                case Map(mapping=name, of=of) | Call(shape=str(name), of=of):
                    if of is None or of.text == "record":
                        return Field(record=self._bundle.mappings[name].source)
                case _:
                    pass
        return Field(record=f"event.{flow.event}", path="record")

    def _step(self, step: Step, here: Here, flow: Flow) -> Field | None:
        match step.action:
            case Map(mapping=name, of=of, given=given):
                return self._apply(name, of, given, here)
            case Decide(policy=name):
                return self._decide(name, here, flow)
            case Lookup():
                return self._look_up(step.action, here)
            case Call():
                return self._call(step.action, here, flow)
            case Link(entity=entity, ids=ids):
                for system, id in ids:
                    self._use(here, Purpose.CROSSREF, f"is kept as the {system.text} id of one {entity}", id)
                return None
            case _:
                return None

    def _call(self, call: Call, here: Here, flow: Flow) -> Field:
        self._use(here, Purpose.CONNECTION, f"says on which connection {call.operation} is called", call.connection)
        self._use(here, Purpose.BY, f"names what {call.operation} is called for", call.by)
        if call.shape is not None:
            self._apply(call.shape, call.of, call.given, here)
        self._guards(call, here, flow)
        answer = Field(record=self._answers.record(call, flow.event))
        if call.into is None:
            return answer
        self._note(self._mappings.upcasts(answer.record), here)
        self._note(self._mappings.of(call.into), here)
        return Field(record=self._bundle.mappings[call.into].target)

    def _guards(self, call: Call, here: Here, flow: Flow) -> None:
        """Note what the policies that guard the called connection look at of the flow's values."""
        scope = self._asked(here.scope, flow, here)
        if call.shape is not None:
            scope["input"] = (Field(record=self._bundle.mappings[call.shape].target),)
        for connection in self._answers.connections(call, flow.event, here):
            for kind, name in self._bundle.connections[connection].guards.items():
                policy = self._bundle.policies.get(name)
                for source in replace(here, scope=scope).named(policy.reads) if policy is not None else ():
                    text = f"is looked at by the {kind} policy {name} before {call.operation} is called on {connection}"
                    self._add_use(source, here, Purpose.GUARD, text)

    @staticmethod
    def _asked(scope: Scope, flow: Flow, here: Here) -> dict[str, tuple[Field, ...]]:
        """Give a scope with what the flow says of entity and money."""
        return {"entity": here.fields(flow.entity), "money": here.fields(flow.money), **scope}

    def _apply(self, name: str, of: Term | None, given: Mapping[str, Term], here: Here) -> Field:
        mapping = self._bundle.mappings[name]
        self._note(self._mappings.upcasts(mapping.source), here)
        self._note(self._mappings.of(name), here)
        for source in here.fields(of):
            if source.path or source.series != Field(record=mapping.source).series:
                self._note([self._part(source, Field(record=mapping.source), of, here)], here)
        for word, term in given.items():
            self._note(self._mappings.given(name, word, here.fields(term), term.text), here)
        return Field(record=mapping.target)

    @staticmethod
    def _part(source: Field, target: Field, of: Term | None, here: Here) -> Edge:
        text = of.text if of is not None else ""
        return Edge(source=source, target=target, how=How.PART, text=text, path=here.path, line=here.line)

    def _decide(self, name: str, here: Here, flow: Flow) -> Field:
        """A policy sees the scope of the step, and what the flow says of entity and money."""
        scope = self._asked(here.scope, flow, here)
        path, lines = self._rules.get(name, ("", {}))
        made = Field(record=f"policy.{name}")
        policy = self._bundle.policies[name]
        self._note(policy_edges(policy, made, replace(here, scope=scope), path, lines), here)
        return made

    def _look_up(self, action: Lookup, here: Here) -> Field:
        made = Field(record=f"crossref.{action.crossref}", path="id")
        text = f"the {action.want.text} id of the {action.system.text} {action.crossref} {action.id.text}"
        edge = Edge(source=made, target=made, how=How.LOOKUP, text=text, path=here.path, line=here.line)
        self._note([replace(edge, source=source) for source in here.fields(action.id)], here)
        deciding = here.fields(action.system, action.want)
        self._note([replace(edge, source=source, direct=False) for source in deciding], here)
        return Field(record=made.record)

    def _checks(self, step: Step, made: Field | None, here: Here) -> None:
        """Note what a step looks at before and after it does its work."""
        self._use(here, Purpose.WHEN, f"decides whether the step {step.id} is done", step.when)
        match step.expect:
            case Equal(left=left, right=right, case=case):
                text = f"{left.text} must equal {right.text}, or it becomes the exception {case}"
                self._use(here, Purpose.EXPECT, text, left, right)
            case Same(other=other, fields=fields, case=case):
                wholes = (*here.fields(other), *([made] if made is not None else []))
                for name, _ in fields:
                    text = f"{name} must be the same in {other.text} and {step.id}, or it becomes the exception {case}"
                    for whole in wholes:
                        self._add_use(below(whole, name), here, Purpose.EXPECT, text)
            case None:
                pass

    def _use(self, here: Here, purpose: Purpose, text: str, *terms: Term | None) -> None:
        for source in here.fields(*terms):
            self._add_use(source, here, purpose, text)

    def _add_use(self, source: Field, here: Here, purpose: Purpose, text: str) -> None:
        step = At(flow=here.flow, step=here.step)
        self.uses.append(Use(source=source, purpose=purpose, text=text, path=here.path, line=here.line, step=step))

    def _note(self, edges: Iterator[Edge] | list[Edge], here: Here) -> None:
        for edge in edges:
            self._steps.setdefault(edge, []).append(At(flow=here.flow, step=here.step))
