"""The steps of a flow file, which was linted before, as `hub.model.flow.Step`: also those within steps."""

from __future__ import annotations

from dataclasses import replace

from hub.model.durations import duration
from hub.model.flow import (
    Action,
    Approve,
    Arm,
    Branch,
    Call,
    Decide,
    Emit,
    Equal,
    Failures,
    Foreach,
    Link,
    Lookup,
    Map,
    Match,
    Missing,
    OnFailure,
    Parallel,
    Same,
    Step,
    Subflow,
    Term,
    Undo,
    Wait,
)
from hub.workspace.source.terms import Evaluated, Tables, expression_term, term, text_term
from hub.workspace.source.yaml_source import Keyed, Listed, Node, Scalar, text_of


def compile_steps(node: Node | None, tables: Tables) -> tuple[Step, ...]:
    """Compile a list of steps."""
    return tuple(_step(item, tables) for item in _listed(node))


def required(node: Keyed, key: str, tables: Tables) -> Term:
    """Compile the expression under a key that is there."""
    return expression_term(node.entries[key].value, tables)


def optional(node: Keyed, key: str, tables: Tables) -> Term | None:
    """Compile the expression under a key, or give None when there is none."""
    return required(node, key, tables) if key in node.entries else None


def on_failure(node: Keyed) -> OnFailure | None:
    """Give what a step or a flow says of its failures."""
    said = text_of(node.get("on_failure"))
    return OnFailure(said) if said else None


def _step(node: Keyed, tables: Tables) -> Step:
    return Step(
        id=text_of(node.get("id")),
        action=_action(node, tables),
        when=optional(node, "when", tables),
        expect=_expect(node, tables),
        missing=_missing(node),
        retry=text_of(node.get("retry")) or None,
        timeout=duration(text_of(node.get("timeout"))),
        on_failure=on_failure(node),
        needs=tuple(map(text_of, _items(node.get("needs")))),
        line=node.line,
        column=node.column,
    )


def _action(node: Keyed, tables: Tables) -> Action:
    if "map" in node.entries:
        return Map(mapping=text_of(node.get("map")), of=optional(node, "of", tables), given=_given(node, tables))
    if "decide" in node.entries:
        return Decide(policy=text_of(node.get("decide")))
    if "approve" in node.entries:
        return Approve(policy=text_of(node.get("approve")), of=optional(node, "of", tables))
    if "branch" in node.entries:
        return Branch(arms=tuple(_arm(item, tables) for item in _listed(node.get("branch"))))
    if "parallel" in node.entries:
        return Parallel(steps=compile_steps(node.get("parallel"), tables))
    return _worded(node, tables)


def _worded(node: Keyed, tables: Tables) -> Action:
    """Compile an action whose key holds keys."""
    if "lookup" in node.entries:
        return _lookup(_inside(node, "lookup"), tables)
    if "match" in node.entries:
        inside = _inside(node, "match")
        return Match(
            policy=text_of(inside.get("policy")),
            system=_term(inside, "system", tables),
            id=required(inside, "id", tables),
            of=optional(inside, "of", tables),
            unless=optional(inside, "unless", tables),
        )
    if "crossref" in node.entries:
        return _link(_inside(node, "crossref"), tables)
    if "wait" in node.entries:
        return _wait(_inside(node, "wait"), tables)
    if "foreach" in node.entries:
        return _foreach(_inside(node, "foreach"), tables)
    if "emit" in node.entries:
        inside = _inside(node, "emit")
        return Emit(
            type=text_of(inside.get("type")),
            subject=optional(inside, "subject", tables),
            shape=_shape(inside),
            of=optional(inside, "of", tables),
            given=_given(inside, tables),
        )
    if "flow" in node.entries:
        inside = _inside(node, "flow")
        return Subflow(
            flow=text_of(inside.get("flow")),
            shape=_shape(inside),
            of=optional(inside, "of", tables),
            given=_given(inside, tables),
        )
    return _call(_inside(node, "call"), node, tables)


def _lookup(inside: Keyed, tables: Tables) -> Lookup:
    return Lookup(
        crossref=text_of(inside.get("crossref")),
        system=_term(inside, "system", tables),
        id=required(inside, "id", tables),
        want=_term(inside, "want", tables),
        optional=text_of(inside.get("optional")) == "true",
        above=text_of(inside.get("above")) or None,
    )


def _link(inside: Keyed, tables: Tables) -> Link:
    pairs = _pairs(_inside(inside, "ids"), tables)
    parent = _pairs(_inside(inside, "parent"), tables)[0] if "parent" in inside.entries else None
    paths = [path for _, id in pairs if isinstance(id, Evaluated) for path in id.expression.paths]
    reads = frozenset(path.split(".")[0].split("[")[0] for path in paths)
    return Link(entity=text_of(inside.get("entity")), ids=tuple(pairs), reads=reads, parent=parent)


def _pairs(node: Keyed, tables: Tables) -> list[tuple[Term, Term]]:
    return [(text_term(key, tables), term(entry.value, tables)) for key, entry in node.entries.items()]


def _call(inside: Keyed, step: Keyed, tables: Tables) -> Call:
    return Call(
        connection=_term(inside, "connection", tables),
        operation=text_of(inside.get("operation")),
        shape=_shape(inside),
        of=optional(inside, "of", tables),
        given=_given(inside, tables),
        by=_term(inside, "by", tables) if "by" in inside.entries else None,
        into=text_of(inside.get("into")) or None,
        undo=_undo(step.get("undo"), tables),
        undoes=text_of(step.get("undoes")) or None,
        each=optional(inside, "each", tables),
        item=optional(inside, "item", tables),
        failures=_failures(inside),
        optional=text_of(inside.get("optional")) == "true",
    )


def _undo(node: Node | None, tables: Tables) -> Undo | None:
    if node is None:
        return None
    if not isinstance(node, Keyed):
        return Undo(operation=text_of(node))
    return Undo(
        operation=text_of(node.get("operation")),
        shape=_shape(node),
        of=optional(node, "of", tables),
        given=_given(node, tables),
        by=_term(node, "by", tables) if "by" in node.entries else None,
    )


def _wait(inside: Keyed, tables: Tables) -> Wait:
    wait = Wait(
        duration=duration(text_of(inside.get("for"))),
        until=optional(inside, "until", tables),
        event=text_of(inside.get("event")) or None,
        subject=optional(inside, "subject", tables),
        timeout=duration(text_of(inside.get("timeout"))),
    )
    case = text_of(inside.get("case"))
    return replace(wait, case=case) if case else wait


def _foreach(inside: Keyed, tables: Tables) -> Foreach:
    concurrency = inside.get("concurrency")
    many = concurrency.value if isinstance(concurrency, Scalar) else None
    return Foreach(
        each=required(inside, "each", tables),
        steps=compile_steps(inside.get("steps"), tables),
        name=text_of(inside.get("as")) or "item",
        by=optional(inside, "by", tables),
        concurrency=many if isinstance(many, int) else 1,
        failures=_failures(inside),
        collect=optional(inside, "collect", tables),
    )


def _arm(node: Keyed, tables: Tables) -> Arm:
    return Arm(
        name=text_of(node.get("name")),
        steps=compile_steps(node.get("steps"), tables),
        when=optional(node, "when", tables),
    )


def _failures(inside: Keyed) -> Failures:
    return Failures(text_of(inside.get("failures")) or Failures.PARK)


def _shape(inside: Keyed) -> str | None:
    return text_of(inside.get("with")) or None


def _expect(node: Keyed, tables: Tables) -> Equal | Same | None:
    if "expect" not in node.entries:
        return None
    inside = _inside(node, "expect")
    case = text_of(_inside(inside, "else").get("case"))
    equal = inside.get("equal")
    if isinstance(equal, Listed):
        left, right = equal.items
        return Equal(left=expression_term(left, tables), right=expression_term(right, tables), case=case)
    return Same(
        other=required(inside, "same", tables),
        fields=tuple((text_of(field), expression_term(field, tables)) for field in _items(inside.get("fields"))),
        case=case,
    )


def _missing(node: Keyed) -> Missing | None:
    if "missing" not in node.entries:
        return None
    inside = _inside(node, "missing")
    return Missing(case=text_of(inside.get("case")), wait=duration(text_of(inside.get("wait"))))


def _given(node: Keyed, tables: Tables) -> dict[str, Term]:
    given = node.get("given")
    if not isinstance(given, Keyed):
        return {}
    return {name: expression_term(entry.value, tables) for name, entry in given.entries.items()}


def _inside(node: Keyed, key: str) -> Keyed:
    inside = node.get(key)
    assert isinstance(inside, Keyed)
    return inside


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.items if isinstance(node, Listed) else ()


def _listed(node: Node | None) -> list[Keyed]:
    return [item for item in _items(node) if isinstance(item, Keyed)]


def _term(node: Keyed, key: str, tables: Tables) -> Term:
    return term(node.entries[key].value, tables)
