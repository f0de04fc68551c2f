"""Reading a policy of rules: its document's plain values become a compiled policy, or mistakes with their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from hub.expressions.compiler import Expression, compile
from hub.expressions.errors import ExpressionError
from hub.expressions.mistakes import InvalidDocument, Mistake
from hub.policy.form import Match, PolicyKind
from hub.policy.inputs import readers
from hub.policy.outputs import fault
from hub.policy.rules import Rule, RulePolicy, Tables

_Where = tuple[str | int, ...]
_POLICY_KEYS = frozenset({"policy", "kind", "version", "title", "owner", "match", "rules"})
_RULE_KEYS = frozenset({"name", "when", "then"})


def compile_rules(document: Mapping[str, Any], kind: PolicyKind, tables: Tables) -> RulePolicy:
    """Compile a policy's plain values; `InvalidDocument` lists all mistakes, each with its place."""
    reading = _Reading(kind, tables)
    policy = reading.policy(document)
    if reading.mistakes:
        raise InvalidDocument("policy", policy.name, reading.mistakes)
    return policy


class _Reading:
    """One pass over a policy's document."""

    def __init__(self, kind: PolicyKind, tables: Tables) -> None:
        self.kind = kind
        self.tables = tables
        self.mistakes: list[Mistake] = []

    def mistake(self, where: _Where, detail: str, code: str = "invalid-document", position: int | None = None) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(where=where, detail=detail, code=code, position=position))

    def policy(self, document: Mapping[str, Any]) -> RulePolicy:
        """Read a policy."""
        self._refuse_unknown(document, _POLICY_KEYS, ())
        version = document.get("version")
        if type(version) is not int or version < 1:
            self.mistake(("version",), "The version is a whole number from 1; raise it with every change of the rules.")
            version = 1
        match = self._match(document.get("match"))
        rules = document.get("rules")
        if not isinstance(rules, list) or not rules:
            self.mistake(("rules",), "The rules are a list of at least one.")
            rules = []
        read = [self._rule(rule, ("rules", index)) for index, rule in enumerate(rules)]
        self._refuse_repeated_names(read)
        return RulePolicy(
            name=str(document.get("policy", "")),
            kind=self.kind,
            version=version,
            match=match,
            rules=tuple(read),
            tables=self.tables,
            reads=readers(expression for rule in read for expression in expressions_of(rule)),
        )

    def _match(self, word: object) -> Match:
        known = " or ".join(f"`{match}`" for match in self.kind.matches)
        if word not in self.kind.matches:
            self.mistake(("match",), f"A {self.kind.name} policy says how it matches: {known}.")
            return self.kind.matches[0]
        return Match(str(word))

    def _rule(self, rule: object, where: _Where) -> Rule:
        if not isinstance(rule, Mapping):
            self.mistake(where, "A rule has `name`, `when` and `then`.")
            return Rule(name="", when=None, then={})
        self._refuse_unknown(rule, _RULE_KEYS, where)
        name, then = rule.get("name"), rule.get("then")
        if not isinstance(name, str) or not name:
            self.mistake((*where, "name"), "A rule has a name.")
        if not isinstance(then, Mapping):
            self.mistake((*where, "then"), "What a rule gives are keys with values.")
            then = {}
        else:
            self._check_outputs(then, (*where, "then"))
        when = self._expression(rule["when"], (*where, "when")) if "when" in rule else None
        return Rule(name=str(name), when=when, then=self._term(then, (*where, "then")))

    def _check_outputs(self, then: Mapping[str, Any], where: _Where) -> None:
        outputs = self.kind.outputs
        if outputs is None:
            return
        self._refuse_unknown(then, frozenset(outputs), where)
        for name, declared in outputs.items():
            value = then.get(name)
            if name not in then:
                if declared.required:
                    self.mistake(where, f"A rule of a {self.kind.name} policy gives `{name}`: {declared.doc}.")
            elif not (isinstance(value, str) and value.startswith("=")):
                wrong = fault(declared, value)
                if wrong is not None:
                    self.mistake((*where, name), f"The output `{name}` {wrong}.", "bad-output")
            if name in then and declared.needs is not None and declared.needs not in then:
                self.mistake((*where, name), f"`{name}` means nothing without `{declared.needs}`.", "bad-output")

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

    def _refuse_repeated_names(self, rules: list[Rule]) -> None:
        seen: set[str] = set()
        for index, rule in enumerate(rules):
            if rule.name in seen:
                self.mistake(("rules", index, "name"), f"Another rule is called `{rule.name}` too.")
            seen.add(rule.name)


def expressions_of(rule: Rule) -> Iterator[Expression]:
    """Give the expressions of a rule: its condition, and those in what it gives."""
    if rule.when is not None:
        yield rule.when
    waiting: list[Any] = list(rule.then.values())
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, Expression):
            yield value
        elif isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
