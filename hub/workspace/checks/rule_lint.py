"""What cannot be right about the rules of a policy: names, kinds of outputs, rules that never decide or contradict."""

from __future__ import annotations

from hub.errors import FixData
from hub.expressions.compiler import Expression
from hub.expressions.findings import spoken_kinds
from hub.expressions.inference import infer
from hub.model.currencies import EXPONENTS
from hub.model.kinds import Kind
from hub.policy.decision import decide
from hub.policy.form import Given, PolicyKind
from hub.policy.kinds import APPROVE
from hub.policy.review import Fault, review
from hub.policy.rules import RulePolicy
from hub.schemas.shape import Shape
from hub.workspace.source.characters import place_in
from hub.workspace.source.lint import Lints, Place
from hub.workspace.source.yaml_source import Keyed, Listed, Node, Scalar

_HINTS = {
    Fault.UNREACHABLE: "Take it out, put it before the others, or correct its condition.",
    Fault.OVERLAPPING: "Narrow one of them, so that it does not hang on the order which one decides.",
    Fault.CONFLICTING: "Let both say the same, or narrow one of them.",
}
_ASK_OTHERS = "End with a rule for every currency that no other rule names."
#: An amount that is large in every currency.
_LARGE = 10**15
#: In this order a currency is looked for that no rule names, so that the example is one that people know.
_CURRENCIES = tuple(dict.fromkeys(("EUR", "USD", "GBP", "JPY", "CHF", "SEK", *EXPONENTS)))


def lint_rules(policy: RulePolicy, node: Keyed, lints: Lints) -> None:
    """Add a lint for everything that is wrong with the rules of a policy that compiles."""
    rules = node.get("rules")
    assert isinstance(rules, Listed)
    if policy.kind.scope is not None:
        for rule, at in zip(policy.rules, rules.items, strict=True):
            assert isinstance(at, Keyed)
            _lint_expressions(policy, rule.when, at.get("when"), lints)
            then = at.get("then")
            for name, term in rule.then.items():
                given = then.get(name) if isinstance(then, Keyed) else None
                declared = None if policy.kind.outputs is None else policy.kind.outputs.get(name)
                _lint_expressions(policy, term, given, lints, declared, name)
    if lints.failed:
        return
    for finding in review(policy):
        at = rules.items[finding.rule]
        place: Place = at.entries["name"].value if isinstance(at, Keyed) else at
        add = lints.error if finding.fault is Fault.UNREACHABLE else lints.warn
        add(place, finding.fault, finding.detail, _HINTS[finding.fault])
    if policy.kind is APPROVE:
        _lint_currencies(policy, node, lints)


def _lint_currencies(policy: RulePolicy, node: Keyed, lints: Lints) -> None:
    """Warn when money decides alone, and there is a currency in which nobody is asked about any amount."""
    if "money.currency" not in policy.reads or any(path.split(".")[0] != "money" for path in policy.reads):
        return
    for currency in _CURRENCIES:
        try:
            asked = decide(policy, {"money": {"minor": _LARGE, "currency": currency}}).rules
        except FixData:
            continue
        if not asked:
            message = f"No rule matches {currency}, however large the amount is: nobody is asked."
            lints.warn(node.entries["rules"].key, "currency-not-asked", message, _ASK_OTHERS)
            return


def _lint_expressions(
    policy: RulePolicy,
    term: object,
    node: Node | None,
    lints: Lints,
    declared: Given | None = None,
    name: str = "",
) -> None:
    if not isinstance(term, Expression) or not isinstance(node, Scalar):
        return
    inset = 1 if node.text.startswith("=") else 0
    inferred = infer(term, scope_shape(policy.kind), tables=policy.tables)
    for finding in inferred.findings:
        lints.error(place_in(node, inset + finding.position), finding.code, finding.detail)
    if declared is not None and not (inferred.shape.kinds & declared.shape.kinds) and not inferred.findings:
        wanted, found = spoken_kinds(declared.shape.kinds), spoken_kinds(inferred.shape.kinds)
        message = f"`{name}` must be {wanted}, but this gives {found}."
        lints.error(node, "wrong-type", message, f"It is {declared.doc}.")


def scope_shape(kind: PolicyKind) -> Shape:
    """Give the shape of what a kind's rules see."""
    scope = kind.scope or {}
    return Shape(
        kinds=frozenset({Kind.OBJECT}),
        fields={name: declared.shape for name, declared in scope.items()},
        required=frozenset(scope),
    )
