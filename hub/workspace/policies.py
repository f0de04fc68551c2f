"""Policy files: read against the description of their kind, compiled by `hub.policy`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.expressions.mistakes import InvalidDocument
from hub.policy.compiler import compile_policy
from hub.workspace.compiled_files import PolicyFile
from hub.workspace.known import Known
from hub.workspace.lint import Lints
from hub.workspace.mistakes import lint_mistakes
from hub.workspace.scopes import lint_calls
from hub.workspace.shape_lint import lint_shape
from hub.workspace.shapes import (
    NAME,
    WORD,
    Choice,
    Expression,
    Form,
    Key,
    Many,
    Names,
    Number,
    Text,
    Value,
    Variants,
    Whole,
)
from hub.workspace.yaml_source import Keyed, Listed, Node, Scalar, plain, text_of

_KINDS = ("route", "retry")
_HEAD = {
    "policy": Key(shape=Text(pattern=NAME, example="a name such as `erp-routing`"), doc="its name", required=True),
    "kind": Key(shape=Choice(of=_KINDS), doc="what it decides", required=True),
    "title": Key(shape=Text(), doc="what people call it"),
    "owner": Key(shape=Text(example="`team:finance-systems`"), doc="who looks after it"),
}
RULE = Form(
    title="a rule",
    keys={
        "name": Key(
            shape=Text(example="a few words"), doc="what people call it; recorded when it decides", required=True
        ),
        "when": Key(shape=Expression(), doc="the rule matches when this is true; always when left out"),
        "then": Key(
            shape=Names(value=Value(terms=True), key=WORD, example="connection"),
            doc="what the policy gives then",
            required=True,
        ),
    },
)
ROUTE = Form(
    title="a route policy",
    keys={
        **_HEAD,
        "match": Key(shape=Choice(of=("first",)), doc="the first rule that matches decides"),
        "rules": Key(shape=Many(item=RULE, least=1, most=1000), doc="the rules, in order", required=True),
    },
)
_SECONDS = Number(maximum=86_400)
RETRY = Form(
    title="a retry policy",
    keys={
        **_HEAD,
        "attempts": Key(shape=Whole(minimum=1, maximum=1000), doc="how often it is tried, the first time included"),
        "first": Key(shape=_SECONDS, doc="seconds to wait after the first failure"),
        "factor": Key(shape=Number(minimum=1, maximum=100), doc="how much longer each further wait is"),
        "ceiling": Key(shape=_SECONDS, doc="seconds of the longest wait"),
        "jitter": Key(shape=Number(maximum=1), doc="up to which share a wait is shortened at random"),
        "longest": Key(shape=_SECONDS, doc="seconds up to which a vendor's wish to wait is honoured"),
    },
)
POLICY = Variants(key="kind", forms={"route": ROUTE, "retry": RETRY})


def load_policy(node: Node, lints: Lints, known: Known) -> PolicyFile | None:
    """Lint one policy file and compile it; None after an error."""
    lint_shape(node, POLICY, lints, "policy")
    if lints.failed or not isinstance(node, Keyed):
        return None
    for scalar, inset in _expressions(node):
        lint_calls(scalar, inset, lints, known)
    if lints.failed:
        return None
    try:
        compiled = compile_policy(_document(node), known.tables)
    except InvalidDocument as error:
        lint_mistakes(error, node, lints)
        return None
    return PolicyFile(
        name=text_of(node.get("policy")),
        kind=text_of(node.get("kind")),
        compiled=compiled,
        outcomes=_outcomes(node),
        path=lints.path,
    )


def _document(node: Keyed) -> dict[str, Any]:
    """Give the file as plain values; the times of a retry policy are seconds and no money, so they may be floats."""
    document = plain(node)
    return {key: float(value) if isinstance(value, Decimal) else value for key, value in document.items()}


def _rules(node: Keyed) -> list[Keyed]:
    rules = node.get("rules")
    return [rule for rule in rules.items if isinstance(rule, Keyed)] if isinstance(rules, Listed) else []


def _expressions(node: Keyed) -> list[tuple[Scalar, int]]:
    found: list[tuple[Scalar, int]] = []
    for rule in _rules(node):
        when = rule.get("when")
        if isinstance(when, Scalar):
            found.append((when, 0))
        waiting = [rule.entries["then"].value]
        while waiting:
            value = waiting.pop()
            if isinstance(value, Scalar):
                if value.text.startswith("="):
                    found.append((value, 1))
            else:
                waiting.extend(value.items if isinstance(value, Listed) else [e.value for e in value.entries.values()])
    return found


def _outcomes(node: Keyed) -> dict[str, tuple[str, ...]]:
    """Collect the literal outputs of all rules, so that what a flow does with them can be checked."""
    found: dict[str, list[str]] = {}
    for rule in _rules(node):
        then = rule.get("then")
        for name, entry in then.entries.items() if isinstance(then, Keyed) else ():
            text = text_of(entry.value)
            if text and not text.startswith("="):
                found.setdefault(name, []).append(text)
    return {name: tuple(dict.fromkeys(texts)) for name, texts in found.items()}
