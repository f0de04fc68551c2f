"""Compile a policy's document by its kind, with every mistake found at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from hub.expressions.compiler import Expression, compile
from hub.expressions.errors import ExpressionError
from hub.expressions.mistakes import InvalidDocument, Mistake
from hub.policy.retry import RetryPolicy
from hub.policy.route import RoutePolicy, RouteRule

Tables = Mapping[str, Mapping[str, Any]]

_Where = tuple[str | int, ...]
_RULE_KEYS = frozenset({"name", "when", "then"})
_ROUTE_KEYS = frozenset({"policy", "kind", "title", "owner", "match", "rules"})
_RETRY_KEYS = frozenset({"policy", "kind", "title", "owner"})


def compile_policy(document: Mapping[str, Any], tables: Tables) -> RoutePolicy | RetryPolicy:
    """Compile a policy file's plain values; `InvalidDocument` lists all mistakes, each with its place."""
    reading = _Reading(tables)
    kind = document.get("kind")
    policy: RoutePolicy | RetryPolicy | None = None
    match kind:
        case "route":
            policy = reading.route(document)
        case "retry":
            policy = reading.retry(document)
        case _:
            reading.mistake(("kind",), f"There is no kind of policy `{kind}`; there are `route` and `retry`.")
    if policy is None or reading.mistakes:
        raise InvalidDocument("policy", str(document.get("policy", "")), reading.mistakes)
    return policy


class _Reading:
    """One pass over a policy's document."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.mistakes: list[Mistake] = []

    def mistake(self, where: _Where, detail: str, code: str = "invalid-document", position: int | None = None) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(where=where, detail=detail, code=code, position=position))

    def route(self, document: Mapping[str, Any]) -> RoutePolicy:
        """Read a routing policy."""
        self._refuse_unknown(document, _ROUTE_KEYS, ())
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

    def retry(self, document: Mapping[str, Any]) -> RetryPolicy:
        """Read a retry policy; times are seconds."""
        checks: dict[str, Callable[[Any], bool]] = {
            "attempts": lambda value: type(value) is int and 1 <= value <= 1000,
            "first": lambda value: _is_number(value) and 0 < value,
            "factor": lambda value: _is_number(value) and 1 <= value <= 100,
            "ceiling": lambda value: _is_number(value) and 0 < value,
            "jitter": lambda value: _is_number(value) and 0 <= value <= 1,
            "longest": lambda value: _is_number(value) and 0 < value,
        }
        self._refuse_unknown(document, _RETRY_KEYS | checks.keys(), ())
        read: dict[str, Any] = {}
        for name, check in checks.items():
            if name not in document:
                continue
            if check(document[name]):
                read[name] = document[name] if name == "attempts" else float(document[name])
            else:
                self.mistake((name,), f"`{name}` is out of range or no number.")
        return RetryPolicy(**read)

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


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
