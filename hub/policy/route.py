"""Routing: the first rule that matches decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from hub.errors import FixData, NotMapped
from hub.expressions.compiler import Expression, compile
from hub.expressions.context import Context
from hub.expressions.errors import ExpressionError
from hub.expressions.mistakes import InvalidDocument, Mistake
from hub.model.kinds import NUMBER_TYPES

Tables = Mapping[str, Mapping[str, Any]]

_Where = tuple[str | int, ...]
_POLICY_KEYS = frozenset({"policy", "kind", "title", "owner", "match", "rules"})
_RULE_KEYS = frozenset({"name", "when", "then"})


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
    tables: Tables = field(repr=False)


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


def compile_route(document: Mapping[str, Any], tables: Tables) -> RoutePolicy:
    """Compile a routing policy's plain values; `InvalidDocument` lists all mistakes, each with its place."""
    reading = _Reading(tables)
    policy = reading.policy(document)
    if reading.mistakes:
        raise InvalidDocument("policy", policy.name, reading.mistakes)
    return policy


class _Reading:
    """One pass over a policy's document."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.mistakes: list[Mistake] = []

    def mistake(self, where: _Where, detail: str, code: str = "invalid-document", position: int | None = None) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(where=where, detail=detail, code=code, position=position))

    def policy(self, document: Mapping[str, Any]) -> RoutePolicy:
        """Read a routing policy."""
        self._refuse_unknown(document, _POLICY_KEYS, ())
        if document.get("match", "first") != "first":
            self.mistake(("match",), "The only way to match is `first`.")
        rules = document.get("rules")
        if not isinstance(rules, list) or not rules:
            self.mistake(("rules",), "The rules are a list of at least one.")
            rules = []
        read = [self._rule(rule, ("rules", index)) for index, rule in enumerate(rules)]
        self._refuse_repeated_names(read)
        self._refuse_unreachable(read)
        return RoutePolicy(name=str(document.get("policy", "")), rules=tuple(read), tables=self.tables)

    def _rule(self, rule: object, where: _Where) -> RouteRule:
        if not isinstance(rule, Mapping):
            self.mistake(where, "A rule has `name`, `when` and `then`.")
            return RouteRule(name="", when=None, then={})
        self._refuse_unknown(rule, _RULE_KEYS, where)
        name, then = rule.get("name"), rule.get("then")
        if not isinstance(name, str) or not name:
            self.mistake((*where, "name"), "A rule has a name.")
        if not isinstance(then, Mapping):
            self.mistake((*where, "then"), "What a rule gives are keys with values.")
            then = {}
        when = self._expression(rule["when"], (*where, "when")) if "when" in rule else None
        return RouteRule(name=str(name), when=when, then=self._term(then, (*where, "then")))

    def _term(self, value: Any, where: _Where) -> Any:
        """Read a literal, or an expression after `=`."""
        if isinstance(value, str) and value.startswith("="):
            return self._expression(value[1:], where, offset=1)
        if isinstance(value, Mapping):
            return {key: self._term(part, (*where, key)) for key, part in value.items()}
        if isinstance(value, list):
            return [self._term(part, (*where, index)) for index, part in enumerate(value)]
        return value

    def _expression(self, text: object, where: _Where, *, offset: int = 0) -> Expression | None:
        if not isinstance(text, str):
            self.mistake(where, "An expression is expected here.")
            return None
        try:
            expression = compile(text)
        except ExpressionError as error:
            self.mistake(where, error.detail, error.code, error.position + offset)
            return None
        for name, position in expression.tables:
            if name not in self.tables:
                near = get_close_matches(name, self.tables, n=1)
                hint = f" Did you mean `{near[0]}`?" if near else ""
                self.mistake(where, f"There is no table `{name}`.{hint}", "unknown-table", position + offset)
        return expression

    def _refuse_unknown(self, document: Mapping[str, Any], known: frozenset[str], where: _Where) -> None:
        for key in document:
            if key not in known:
                self.mistake((*where, key), "This key is unknown.")

    def _refuse_repeated_names(self, rules: list[RouteRule]) -> None:
        seen: set[str] = set()
        for index, rule in enumerate(rules):
            if rule.name in seen:
                self.mistake(("rules", index, "name"), f"Another rule is called `{rule.name}` too.")
            seen.add(rule.name)

    def _refuse_unreachable(self, rules: list[RouteRule]) -> None:
        """A rule without `when` always matches, so that nothing after it can."""
        if self.mistakes:
            return
        for index, rule in enumerate(rules[:-1]):
            if rule.when is None:
                self.mistake(("rules", index), f"`{rule.name}` always matches; no rule after it can.")
