"""Trace every field of a bundle: through its mappings, and through the steps of its flows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from hub.model.flow import (
    Approve,
    Branch,
    Call,
    Decide,
    Emit,
    Equal,
    Flow,
    Foreach,
    Link,
    Lookup,
    Map,
    Match,
    Parallel,
    Same,
    Step,
    Subflow,
    Term,
    Undo,
    Wait,
)
from hub.model.flow_steps import applied, every_step
from hub.policy.kinds import HOLD
from hub.schemas.shape import Shape, shape_of
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue
from hub.workspace.checks.answers import Answers
from hub.workspace.checks.flow_heads import OWN
from hub.workspace.checks.flow_scope import Here, Scope, below
from hub.workspace.checks.narrowing import assumed, expected, refused, tree
from hub.workspace.lineage.edges import Edge, Field, How, Lineage, Purpose, Use
from hub.workspace.lineage.edges import Step as At
from hub.workspace.lineage.mapping_edges import MappingEdges
from hub.workspace.lineage.policy_edges import policy_edges
from hub.workspace.lineage.written import key_lines, rule_places

#: What a step gives, by what stands behind its id where it is read: nothing, or the name of a step within it.
Made = Mapping[str, tuple[Field, ...]]
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
        data = Field(record=event, path="data")
        scope = {"event": (Field(record=event),), "data": (data,), "record": (self._record(flow),)}
        if flow.called is not None or flow.event.startswith(f"{OWN}."):
            # The data of the hub's own events holds the record and nothing else.
            scope["data.record"] = scope["record"]
        here = Here(flow=flow.name, step="", scope=scope, path=flow.path, line=1)
        here = replace(here, scope=self._line(flow.steps, here, flow))
        lines = key_lines(self._bundle.files.get(flow.path, b""))
        for purpose, term, text in (
            (Purpose.KEY, flow.key, "keeps the events of one thing in order"),
            (Purpose.BUSINESS_KEY, flow.business_key, "names the business fact, so that it happens once"),
            (Purpose.ENTITY, flow.entity, "says whose books a run concerns"),
            (Purpose.MONEY, flow.money, "is the money at risk when a run stops"),
        ):
            self._use(replace(here, line=lines.get(purpose.value, 1)), purpose, text, term)
        if flow.output is not None:
            there = replace(here, line=lines.get("output", 1))
            self._note(_given(flow.output, Field(record=f"flow.{flow.name}"), there), there)

    def _line(self, steps: Sequence[Step], here: Here, flow: Flow, around: str = "") -> Scope:
        """Follow steps in their order; gives what names mean behind them."""
        scope = here.scope
        for step in steps:
            assumes = (*here.assumed, *assumed(tree(step.when)))
            before = replace(here, step=around + step.id, line=step.line, scope=scope, assumed=assumes)
            made = self._step(step, before, flow)
            scope = {**scope, **{f"{step.id}{name}": fields for name, fields in made.items()}}
            self._checks(step, made.get("", ()), replace(before, scope=scope))
            if isinstance(step.expect, Equal):
                stops_else = expected(tree(step.expect.left), tree(step.expect.right))
                here = replace(here, assumed=(*here.assumed, *stops_else))
        return scope

    def _record(self, flow: Flow) -> Field:
        """Say what the event's record is: what its caller hands over, or what the first mapping applied to it reads."""
        if flow.called is not None:
            return Field(record=flow.called)
        for step in every_step(flow.steps):
            for use in applied(step):
                if not use.answer and not use.each and (use.of is None or use.of.text == "record"):
                    return Field(record=self._bundle.mappings[use.mapping].source)
        return Field(record=f"event.{flow.event}", path="record")

    def _step(self, step: Step, here: Here, flow: Flow) -> Made:
        match step.action:
            case Map(mapping=name, of=of, given=given):
                return _whole(self._apply(name, here.fields(of), of, given, here))
            case Decide(policy=name):
                return _whole(self._decide(name, here, flow))
            case Lookup():
                return _whole(self._look_up(step.action, here))
            case Call():
                return self._call(step.action, here, flow)
            case Match():
                return self._match(step.action, here)
            case Link(entity=entity, ids=ids, parent=parent):
                for system, id in ids:
                    self._use(here, Purpose.CROSSREF, f"is kept as the {system.text} id of one {entity}", id)
                if parent is not None:
                    text = f"is kept as the {parent[0].text} id of what stands above the {entity}"
                    self._use(here, Purpose.CROSSREF, text, parent[1])
                return {}
            case Approve():
                return self._approve(step.action, here, flow)
            case Wait():
                return self._wait(step.action, here)
            case Emit() | Subflow():
                return self._start(step.action, here)
            case Foreach() | Branch() | Parallel():
                return self._within(step.action, here, flow)

    def _within(self, action: Foreach | Branch | Parallel, here: Here, flow: Flow) -> Made:
        """Follow the steps within a step; gives what their names mean outside."""
        around = f"{here.step}{'[]' if isinstance(action, Foreach) else ''}."
        match action:
            case Foreach():
                return self._loop(action, here, flow, around)
            case Branch(arms=arms):
                lines, known = [], here.assumed
                for arm in arms:
                    self._use(here, Purpose.WHEN, f"decides whether {here.step} goes the way {arm.name}", arm.when)
                    inside = replace(here, assumed=(*known, *assumed(tree(arm.when))))
                    lines.append((arm.steps, self._line(arm.steps, inside, flow, around)))
                    known = (*known, *refused(tree(arm.when)))
            case Parallel(steps=steps):
                scope = here.scope
                for step in steps:
                    scope = self._line((step,), replace(here, scope=scope), flow, around)
                lines = [(steps, scope)]
        return {
            f".{name}": fields
            for steps, scope in lines
            for name, fields in scope.items()
            if name.partition(".")[0] in {step.id for step in steps}
        }

    def _loop(self, loop: Foreach, here: Here, flow: Flow, around: str) -> Made:
        self._use(here, Purpose.EACH, f"is gone through by {here.step}, item by item", loop.each)
        inside = replace(here, scope={**here.scope, loop.name: tuple(map(_item, here.fields(loop.each)))})
        self._use(inside, Purpose.EACH, f"names an item of {here.step}", loop.by)
        done = replace(here, scope=self._line(loop.steps, inside, flow, around))
        if loop.collect is None:
            return {}
        kept = Field(record=f"collected.{here.flow}.{here.step}")
        self._note(_given(loop.collect, kept, done), here)
        return {".collected": (kept,)}

    def _match(self, match: Match, here: Here) -> Made:
        """Note by what a record is compared with others: the fields that the keys of the policy read."""
        policy = self._bundle.matches[match.policy]
        self._use(
            here, Purpose.MATCH, f"is the {match.system.text} id of the {policy.entity} that is compared", match.id
        )
        self._use(
            here, Purpose.MATCH, f"says whether the {policy.entity} goes on though others are alike", match.unless
        )
        of = here.fields(match.of) if match.of is not None else here.scope["record"]
        for key in policy.keys:
            then = "are the same" if key.same else "are asked about"
            text = f"is compared by the policy {match.policy}: records with the same {key.name} {then}"
            for path in dict.fromkeys(path for expression in key.of for path in expression.paths):
                for source in of:
                    self._add_use(below(source, path), here, Purpose.MATCH, text)
        return {}

    def _approve(self, approve: Approve, here: Here, flow: Flow) -> Made:
        """Note what people approve, and what the policy looks at that says how many of them must."""
        of = here.fields(approve.of) if approve.of is not None else here.scope["record"]
        for source in of:
            self._add_use(source, here, Purpose.APPROVE, f"is what people approve, as the policy {approve.policy} asks")
        policy = self._bundle.policies[approve.policy]
        scope = {**self._asked(here.scope, flow, here), "input": of}
        for source in replace(here, scope=scope).named(policy.reads):
            text = f"is looked at by the policy {approve.policy} that says how many people must approve"
            self._add_use(source, here, Purpose.APPROVE, text)
        return {}

    def _wait(self, wait: Wait, here: Here) -> Made:
        self._use(here, Purpose.WAIT, f"says until when {here.step} waits", wait.until)
        if wait.event is None:
            return {}
        self._use(here, Purpose.WAIT, f"says which {wait.event} {here.step} waits for", wait.subject)
        return {".data": (Field(record=f"event.{wait.event}", path="data"),)}

    def _start(self, action: Emit | Subflow, here: Here) -> Made:
        """Follow a record into an event of the hub's own, or into another flow."""
        given = here.fields(action.of) if action.of is not None else here.scope["record"]
        if action.shape is not None:
            given = (self._apply(action.shape, given, action.of, action.given, here),)
        if isinstance(action, Subflow):
            called = self._bundle.flows[action.flow].called
            target = Field(record=called or f"event.{OWN}.flow.{action.flow}")
        else:
            self._use(here, Purpose.SUBJECT, f"is what the event {action.type} is about", action.subject)
            target = Field(record=f"event.{action.type}", path="record")
        self._note((self._part(source, target, action.of, here) for source in given if source != target), here)
        return _whole(Field(record=f"flow.{action.flow}")) if isinstance(action, Subflow) else {}

    def _call(self, call: Call, here: Here, flow: Flow) -> Made:
        self._use(here, Purpose.CONNECTION, f"says on which connection {call.operation} is called", call.connection)
        self._use(here, Purpose.BY, f"names what {call.operation} is called for", call.by)
        self._use(here, Purpose.EACH, f"is gone through by {here.step}, item by item", call.each)
        source = tuple(map(_item, here.fields(call.each))) if call.each is not None else here.fields(call.of)
        if call.shape is not None:
            self._apply(call.shape, source, call.each or call.of, call.given, here)
        self._guards(call, here, flow)
        answer = Field(record=self._answers.record(call, flow.event))
        made = answer
        if call.into is not None:
            self._note(self._mappings.upcasts(answer.record), here)
            self._note(self._mappings.of(call.into), here)
            made = Field(record=self._bundle.mappings[call.into].target)
        if call.undo is not None:
            self._undo(call.undo, answer, replace(here, scope={**here.scope, here.step.rpartition(".")[2]: (made,)}))
        # Of many calls, each result stands under the name of its item, which no file knows.
        return {} if call.each is not None else _whole(made)

    def _undo(self, undo: Undo, answer: Field, here: Here) -> None:
        self._use(here, Purpose.UNDO, f"names what {undo.operation} takes back", undo.by)
        if undo.shape is not None:
            source = here.fields(undo.of) if undo.of is not None else (answer,)
            self._apply(undo.shape, source, undo.of, undo.given, here)

    def _guards(self, call: Call, here: Here, flow: Flow) -> None:
        """Note what the policies that guard the called connection look at; a hold looks at writes alone."""
        scope = self._asked(here.scope, flow, here)
        if call.shape is not None:
            scope["input"] = (Field(record=self._bundle.mappings[call.shape].target),)
        for connection in self._answers.connections(call, flow.event, here):
            for kind, name in self._bundle.connections[connection].guards.items():
                if kind == HOLD.name and not self._answers.may_write(call, connection):
                    continue
                policy = self._bundle.policies.get(name)
                for source in replace(here, scope=scope).named(policy.reads) if policy is not None else ():
                    text = f"is looked at by the {kind} policy {name} before {call.operation} is called on {connection}"
                    self._add_use(source, here, Purpose.GUARD, text)

    @staticmethod
    def _asked(scope: Scope, flow: Flow, here: Here) -> dict[str, tuple[Field, ...]]:
        """Give a scope with what the flow says of entity and money."""
        return {"entity": here.fields(flow.entity), "money": here.fields(flow.money), **scope}

    def _apply(
        self, name: str, sources: Sequence[Field], of: Term | None, given: Mapping[str, Term], here: Here
    ) -> Field:
        mapping = self._bundle.mappings[name]
        self._note(self._mappings.upcasts(mapping.source), here)
        self._note(self._mappings.of(name), here)
        for source in sources:
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

    def _checks(self, step: Step, made: Sequence[Field], here: Here) -> None:
        """Note what a step looks at before and after it does its work."""
        self._use(here, Purpose.WHEN, f"decides whether the step {here.step} is done", step.when)
        match step.expect:
            case Equal(left=left, right=right, case=case):
                text = f"{left.text} must equal {right.text}, or it becomes the exception {case}"
                self._use(here, Purpose.EXPECT, text, left, right)
            case Same(other=other, fields=fields, case=case):
                wholes = (*here.fields(other), *made)
                for name, _ in fields:
                    text = (
                        f"{name} must be the same in {other.text} and {here.step}, or it becomes the exception {case}"
                    )
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

    def _note(self, edges: Iterable[Edge], here: Here) -> None:
        for edge in edges:
            self._steps.setdefault(edge, []).append(At(flow=here.flow, step=here.step))


def _whole(field: Field) -> Made:
    return {"": (field,)}


def _item(each: Field) -> Field:
    """Give an item of what a loop goes through."""
    return each if each.path.endswith("[]") else replace(each, path=f"{each.path}[]")


def _given(term: Term, target: Field, here: Here) -> Iterator[Edge]:
    """Give the edges from what a term reads to what it gives."""
    for source in here.fields(term):
        yield Edge(source=source, target=target, how=How.PART, text=term.text, path=here.path, line=here.line)
