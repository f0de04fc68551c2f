"""Deciding: a pure function of a policy and a scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.errors import FixData, NotMapped
from hub.expressions.compiler import Expression
from hub.expressions.context import Context
from hub.model.kinds import NUMBER_TYPES
from hub.policy.form import Match
from hub.policy.inputs import gathered
from hub.policy.merging import merged
from hub.policy.outputs import fault
from hub.policy.rules import Decision, Rule, RulePolicy


def decide(policy: RulePolicy, scope: Mapping[str, Any]) -> Decision:
    """Decide in a scope (name → JSON value).

    `FixData` with the code of the kind (`no-rule-matched`) when no rule applies and the kind needs one; the error of
    an expression, or `bad-output`, with the names of policy and rule.
    """
    context = Context(root=scope, tables=policy.tables)
    found: list[tuple[Rule, Mapping[str, Any]]] = []
    for rule in policy.rules:
        try:
            if rule.when is not None and not holds(rule.when(scope, context)):
                continue
            found.append((rule, _output(policy, rule, scope, context)))
        except FixData as error:
            kind = NotMapped if isinstance(error, NotMapped) else FixData
            raise kind(error.detail, code=error.code, policy=policy.name, rule=rule.name, **error.facts) from None
        if policy.match is Match.FIRST:
            break
    if not found and policy.kind.unmatched is not None:
        raise FixData("No rule of the policy matches.", code=policy.kind.unmatched, policy=policy.name)
    return Decision(
        policy=policy.name,
        kind=policy.kind.name,
        version=policy.version,
        rules=tuple(rule.name for rule, _ in found),
        output=found[0][1] if len(found) == 1 else merged(policy.kind, [output for _, output in found]),
        inputs=gathered(policy.reads, scope, context),
    )


def holds(value: Any) -> bool:
    """Tell JMESPath's truth: everything empty is false, but every number is true."""
    return bool(value) or type(value) in NUMBER_TYPES


def _output(policy: RulePolicy, rule: Rule, scope: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    given: dict[str, Any] = {}
    for name, term in rule.then.items():
        value = given[name] = _evaluated(term, scope, context)
        declared = None if policy.kind.outputs is None else policy.kind.outputs.get(name)
        if declared is None or not isinstance(term, Expression):
            continue
        if value is None and not declared.required:
            del given[name]
        elif (wrong := fault(declared, value)) is not None:
            raise FixData(f"The output `{name}` {wrong}.", code="bad-output", expression=term.text)
    return given


def _evaluated(then: Any, scope: Mapping[str, Any], context: Context) -> Any:
    """Evaluate what a rule gives: expressions in the scope, everything else as it stands."""
    if isinstance(then, Expression):
        return then(scope, context)
    if isinstance(then, Mapping):
        return {key: _evaluated(value, scope, context) for key, value in then.items()}
    if isinstance(then, list | tuple):
        return [_evaluated(value, scope, context) for value in then]
    return then
