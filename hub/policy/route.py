"""Routing: the first rule that matches decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.errors import FixData, NotMapped
from hub.expressions.compiler import Expression
from hub.expressions.context import Context
from hub.expressions.kinds import NUMBER_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """A rule: it matches when `when` is true or absent, and then gives `then`, where an `Expression` is evaluated."""

    name: str
    when: Expression | None
    then: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePolicy:
    """A routing policy with its tables (name → key → value)."""

    name: str
    rules: tuple[RouteRule, ...]
    tables: Mapping[str, Mapping[str, Any]] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which rule decided, and what it gave."""

    rule: str
    output: Mapping[str, Any]


def decide(policy: RoutePolicy, scope: Mapping[str, Any]) -> Decision:
    """Decide in a run's scope; `FixData` with code `no-rule-matched` when no rule applies."""
    context = Context(root=scope, tables=policy.tables)
    for rule in policy.rules:
        try:
            if rule.when is None or _holds(rule.when(scope, context)):
                return Decision(rule=rule.name, output=_output(rule.then, scope, context))
        except FixData as error:
            kind = NotMapped if isinstance(error, NotMapped) else FixData
            raise kind(error.detail, code=error.code, policy=policy.name, rule=rule.name, **error.facts) from None
    raise FixData("No rule of the policy matches.", code="no-rule-matched", policy=policy.name)


def _output(then: Any, scope: Mapping[str, Any], context: Context) -> Any:
    """Evaluate what a rule gives: expressions in the scope, everything else as it stands."""
    if isinstance(then, Expression):
        return then(scope, context)
    if isinstance(then, Mapping):
        return {key: _output(value, scope, context) for key, value in then.items()}
    if isinstance(then, list | tuple):
        return [_output(value, scope, context) for value in then]
    return then


def _holds(value: Any) -> bool:
    """Tell JMESPath's truth: everything empty is false, but every number is true."""
    return bool(value) or type(value) in NUMBER_TYPES
