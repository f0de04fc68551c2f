"""Flow files: read against their description, checked for what they name, compiled to `hub.model.flow.Flow`."""

from __future__ import annotations

from hub.model.flow import (
    Action,
    Call,
    Decide,
    Equal,
    Flow,
    Link,
    Lookup,
    Map,
    Missing,
    Same,
    Step,
    Term,
    Undo,
)
from hub.workspace.checks.flow_lint import lint_references
from hub.workspace.files.flow_file import FLOW
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints
from hub.workspace.source.shape_lint import duration, lint_shape
from hub.workspace.source.terms import Tables, expression_term, term, text_term
from hub.workspace.source.yaml_source import Keyed, Listed, Node, text_of


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
    steps = node.get("steps")
    assert isinstance(steps, Listed)
    return Flow(
        name=text_of(node.get("flow")),
        title=text_of(node.get("title")),
        owner=text_of(node.get("owner")),
        event=text_of(_inside(node, "on").get("event")),
        key=_required(node, "key", tables),
        business_key=_required(node, "business_key", tables),
        steps=tuple(_step(item, tables) for item in steps.items if isinstance(item, Keyed)),
        entity=_optional(node, "entity", tables),
        money=_optional(node, "money", tables),
        runbook=text_of(node.get("runbook")) or None,
        path=path,
    )


def _step(node: Keyed, tables: Tables) -> Step:
    return Step(
        id=text_of(node.get("id")),
        action=_action(node, tables),
        when=_optional(node, "when", tables),
        expect=_expect(node, tables),
        missing=_missing(node),
        retry=text_of(node.get("retry")) or None,
        line=node.line,
    )


def _action(node: Keyed, tables: Tables) -> Action:
    if "map" in node.entries:
        return Map(mapping=text_of(node.get("map")), of=_optional(node, "of", tables), given=_given(node, tables))
    if "decide" in node.entries:
        return Decide(policy=text_of(node.get("decide")))
    if "lookup" in node.entries:
        inside = _inside(node, "lookup")
        return Lookup(
            crossref=text_of(inside.get("crossref")),
            system=_term(inside, "system", tables),
            id=_required(inside, "id", tables),
            want=_term(inside, "want", tables),
        )
    if "crossref" in node.entries:
        inside = _inside(node, "crossref")
        ids = _inside(inside, "ids")
        pairs = ((text_term(key, tables), term(entry.value, tables)) for key, entry in ids.entries.items())
        return Link(entity=text_of(inside.get("entity")), ids=tuple(pairs))
    inside = _inside(node, "call")
    return Call(
        connection=_term(inside, "connection", tables),
        operation=text_of(inside.get("operation")),
        shape=text_of(inside.get("with")) or None,
        of=_optional(inside, "of", tables),
        given=_given(inside, tables),
        by=_term(inside, "by", tables) if "by" in inside.entries else None,
        into=text_of(inside.get("into")) or None,
        undo=Undo(operation=undo) if (undo := text_of(node.get("undo"))) else None,
    )


def _expect(node: Keyed, tables: Tables) -> Equal | Same | None:
    if "expect" not in node.entries:
        return None
    inside = _inside(node, "expect")
    case = text_of(_inside(inside, "else").get("case"))
    equal = inside.get("equal")
    if isinstance(equal, Listed):
        left, right = equal.items
        return Equal(left=expression_term(left, tables), right=expression_term(right, tables), case=case)
    listed = inside.get("fields")
    fields = listed.items if isinstance(listed, Listed) else ()
    return Same(
        other=_required(inside, "same", tables),
        fields=tuple((text_of(field), expression_term(field, tables)) for field in fields),
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


def _required(node: Keyed, key: str, tables: Tables) -> Term:
    return expression_term(node.entries[key].value, tables)


def _optional(node: Keyed, key: str, tables: Tables) -> Term | None:
    return _required(node, key, tables) if key in node.entries else None


def _term(node: Keyed, key: str, tables: Tables) -> Term:
    return term(node.entries[key].value, tables)
