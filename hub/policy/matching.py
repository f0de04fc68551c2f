"""By which keys records are compared: pure functions of one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from typing import Any

from hub.errors import FixData
from hub.expressions.compiler import Expression, compile
from hub.expressions.context import Context
from hub.expressions.errors import ExpressionError
from hub.expressions.mistakes import InvalidDocument, Mistake
from hub.expressions.tree import Part
from hub.policy.rules import Tables

#: A policy has no more keys than these, a key no more parts, and a record no more values of one.
MOST_KEYS = 20
MOST_PARTS = 5
MOST_VALUES = 50
#: What follows for records that agree in a key.
ASK, SAME = "ask", "same"
#: What these give is alike of different things: nobody is the same because of it.
_INEXACT = frozenset({"company_name", "email_domain", "fold", "substring"})
#: Between the parts of a value.
BETWEEN = " | "


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchKey:
    """One key: its name, the expressions whose values make it, and whether who agrees in it is surely the same."""

    name: str
    of: tuple[Expression, ...]
    same: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchPolicy:
    """The keys by which records of a schema, each about a thing of `entity`, are compared."""

    name: str
    version: int
    entity: str
    record: str
    keys: tuple[MatchKey, ...]
    tables: Tables = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValue:
    """A value that a record has of a key."""

    key: MatchKey
    value: str


def key_values(policy: MatchPolicy, record: Any) -> tuple[KeyValue, ...]:
    """Give the values of a record's keys, each once, in the order of the policy.

    A key of which a part has no value has none; a part that gives a list makes a value for each of its items. Raises
    `FixData` with policy and key: the error of an expression, or `bad-key` where it gives no text or number.
    """
    context = Context(root=record, tables=policy.tables)
    found: dict[tuple[str, str], KeyValue] = {}
    for key in policy.keys:
        try:
            parts = [_texts(expression(record, context), expression) for expression in key.of]
        except FixData as error:
            raise FixData(error.detail, code=error.code, policy=policy.name, key=key.name, **error.facts) from None
        values = [BETWEEN.join(value) for value in product(*parts)]
        if len(values) > MOST_VALUES:
            raise FixData(
                f"The record has more than {MOST_VALUES} values of one key.",
                code="bad-key",
                policy=policy.name,
                key=key.name,
            )
        for value in values:
            found.setdefault((key.name, value), KeyValue(key=key, value=value))
    return tuple(found.values())


def in_words(values: Sequence[KeyValue]) -> dict[str, list[str]]:
    """Give the values of a record's keys by their names, for people."""
    found: dict[str, list[str]] = {}
    for each in values:
        found.setdefault(each.key.name, []).append(each.value)
    return found


def _texts(value: Any, expression: Expression) -> list[str]:
    """Give the texts of a part: none of nothing, and each once."""
    items = value if isinstance(value, list) else [value]
    found: dict[str, None] = {}
    for item in items:
        if item is None:
            continue
        if isinstance(item, bool) or not isinstance(item, str | int | Decimal):
            raise FixData(
                "A part of a key is a text or a number, or a list of them.", code="bad-key", expression=expression.text
            )
        text = str(item).strip()
        if text:
            found[text] = None
    return list(found)


def compile_match(document: Mapping[str, Any], tables: Tables) -> MatchPolicy:
    """Compile a match policy's plain values; `InvalidDocument` lists all mistakes, each with its place."""
    mistakes: list[Mistake] = []
    keys = [_key(key, number, mistakes) for number, key in enumerate(document.get("keys") or ())]
    seen: dict[str, int] = {}
    for number, key in enumerate(keys):
        if seen.setdefault(key.name, number) != number:
            mistakes.append(Mistake(where=("keys", number, "name"), detail=f"Another key is called `{key.name}` too."))
    if mistakes:
        raise InvalidDocument("policy", str(document.get("policy", "")), mistakes)
    return MatchPolicy(
        name=str(document.get("policy", "")),
        version=int(document["version"]),
        entity=str(document["entity"]),
        record=str(document["record"]),
        keys=tuple(keys),
        tables=tables,
    )


def _key(key: Mapping[str, Any], number: int, mistakes: list[Mistake]) -> MatchKey:
    of: list[Expression] = []
    same = key.get("then") == SAME
    texts: Sequence[object] = key.get("of") or ()
    for place, text in enumerate(texts):
        where = ("keys", number, "of", place)
        try:
            expression = compile(str(text))
        except ExpressionError as error:
            mistakes.append(Mistake(where=where, detail=error.detail, code=error.code, position=error.position))
            continue
        of.append(expression)
        calls = {node.value: node.position for node in expression.tree.walk() if node.part is Part.FUNCTION}
        for name in sorted(_INEXACT & set(calls)) if same else ():
            mistakes.append(
                Mistake(
                    where=where,
                    detail=f"Different things are alike by `{name}`: whether they are the same, a person says. "
                    "Write `then: ask`.",
                    code="inexact-key",
                    position=calls[name],
                )
            )
    return MatchKey(name=str(key.get("name")), of=tuple(of), same=same)
