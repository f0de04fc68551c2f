"""Policy files: read against the description of their kind, compiled by `hub.policy`."""

from __future__ import annotations

from typing import Any

from hub.expressions.mistakes import InvalidDocument
from hub.policy.compiler import compile_policy
from hub.policy.form import Given, PolicyKind
from hub.policy.kinds import KINDS, MATCH
from hub.policy.matching import ASK, MOST_KEYS, MOST_PARTS, SAME, MatchPolicy
from hub.policy.rules import RulePolicy
from hub.workspace.checks.match_lint import key_parts, lint_match
from hub.workspace.checks.rule_lint import lint_rules
from hub.workspace.checks.scopes import lint_calls
from hub.workspace.compiled_files import PolicyFile
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints
from hub.workspace.source.mistakes import lint_mistakes
from hub.workspace.source.shape_lint import lint_shape
from hub.workspace.source.shapes import (
    NAME,
    SCHEMA,
    WORD,
    Choice,
    Expression,
    Form,
    Key,
    Many,
    Names,
    Number,
    Shape,
    Term,
    Text,
    Value,
    Variants,
    Whole,
)
from hub.workspace.source.yaml_source import Keyed, Listed, Node, Scalar, plain, text_of

_OWNER = Key(shape=Text(example="`team:finance-systems`"), doc="who looks after it")
_VERSION = Whole(minimum=1, maximum=1_000_000)


def _form(kind: PolicyKind) -> Form:
    """Describe the files of one kind, as its declaration says."""
    head = {
        "policy": Key(shape=Text(pattern=NAME, example="a name such as `erp-routing`"), doc="its name", required=True),
        "kind": Key(shape=Choice(of=(kind.name,)), doc=kind.doc, required=True),
        "version": Key(
            shape=_VERSION,
            doc="rises with every change; kept with each decision",
            required=kind.has_rules or kind is MATCH,
        ),
        "title": Key(shape=Text(), doc="what people call it"),
        "owner": _OWNER,
    }
    if kind is MATCH:
        return Form(title="a match policy", keys={**head, **_match_keys(kind)})
    if not kind.has_rules:
        return Form(title=f"a {kind.name} policy", keys={**head, **_settings(kind)})
    match = Key(
        shape=Choice(of=tuple(match.value for match in kind.matches)),
        doc="whether the first matching rule decides (`first`), or all of them together (`all`)",
        required=True,
    )
    rules = Key(shape=Many(item=_rule_form(kind), least=1, most=1000), doc="the rules, in order", required=True)
    return Form(title=f"a {kind.name} policy", keys={**head, "match": match, "rules": rules})


def _settings(kind: PolicyKind) -> dict[str, Key]:
    keys: dict[str, Key] = {}
    for name, setting in kind.settings.items():
        if setting.whole:
            shape: Whole | Number = Whole(minimum=int(setting.least), maximum=int(setting.most))
        else:
            # The exact least is told when it is compiled; the editor's bound is a whole number.
            shape = Number(minimum=int(setting.least), maximum=int(setting.most))
        keys[name] = Key(shape=shape, doc=setting.doc)
    return keys


def _match_keys(kind: PolicyKind) -> dict[str, Key]:
    key = Form(
        title="a key",
        keys={
            "name": Key(shape=Text(example="`tax number`"), doc=kind.keys["name"], required=True),
            "of": Key(shape=Many(item=Expression(), least=1, most=MOST_PARTS), doc=kind.keys["of"], required=True),
            "then": Key(shape=Choice(of=(ASK, SAME)), doc=kind.keys["then"]),
        },
    )
    return {
        "entity": Key(shape=Text(pattern=WORD, example="`customer`"), doc="what kind of thing", required=True),
        "record": Key(
            shape=Text(pattern=SCHEMA, example="`canonical.customer@1`"), doc="the schema of the records", required=True
        ),
        "keys": Key(shape=Many(item=key, least=1, most=MOST_KEYS), doc="the keys", required=True),
    }


def _rule_form(kind: PolicyKind) -> Form:
    then: Shape = Names(value=Value(terms=True), key=WORD, example="connection")
    if kind.outputs is not None:
        then = Form(
            title="what a rule gives",
            keys={
                name: Key(shape=_output(declared), doc=declared.doc, required=declared.required)
                for name, declared in kind.outputs.items()
            },
        )
    return Form(
        title="a rule",
        keys={
            "name": Key(
                shape=Text(pattern=r"[^:].*", example="a few words, not beginning with `:`"),
                doc="what people call it; recorded when it decides",
                required=True,
            ),
            "when": Key(shape=Expression(), doc="the rule matches when this is true; always when left out"),
            "then": Key(shape=then, doc="what the policy gives then", required=True),
        },
    )


def _output(declared: Given) -> Shape:
    choice = declared.order or declared.shape.values
    if choice:
        words = " or ".join(f"`{word}`" for word in choice)
        return Term(pattern="|".join(choice), example=f"{words}, or `=expression`")
    return Term(example=f"{declared.doc}, or `=expression`")


FORMS = {name: _form(kind) for name, kind in KINDS.items()}
POLICY = Variants(key="kind", forms=FORMS)


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
    if isinstance(compiled, RulePolicy):
        lint_rules(compiled, node, lints)
    elif isinstance(compiled, MatchPolicy):
        lint_match(compiled, node, lints, known)
    if lints.failed:
        return None
    return PolicyFile(
        name=text_of(node.get("policy")),
        kind=text_of(node.get("kind")),
        compiled=compiled,
        path=lints.path,
    )


def _document(node: Keyed) -> dict[str, Any]:
    """Give the file as plain values."""
    document: dict[str, Any] = plain(node)
    return document


def _rules(node: Keyed) -> list[Keyed]:
    rules = node.get("rules")
    return [rule for rule in rules.items if isinstance(rule, Keyed)] if isinstance(rules, Listed) else []


def _expressions(node: Keyed) -> list[tuple[Scalar, int]]:
    found = [(part, 0) for part in key_parts(node)]
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
