"""How one field of a mapping is turned round: from what it makes, the expression that gives what it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.expressions.paths import step
from hub.expressions.tree import Node, Part

#: Functions that make money of an amount and a currency, and how the amount is had again.
_MONEY = {"money": "{}.minor", "money_major": "major({})"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """One field of the source: its path, and its value as an expression with `{}` for the target's path.

    `currency` is the source path of the currency that an amount in major units needs to become money again.
    `certain` ones are chosen before others when several fields give the same one.
    """

    path: str
    form: str = "{}"
    currency: str | None = None
    certain: bool = True


class NotReversible(Exception):
    """A field cannot be turned round; the words say why, as the end of a sentence."""


def plain_path(tree: Node) -> str | None:
    """Give the path that an expression reads and passes on as it is; None when it does anything else."""
    if tree.part in (Part.CURRENT, Part.IDENTITY):
        return ""
    if tree.part is Part.FIELD:
        return step("", str(tree.value))
    if tree.part is Part.SUBEXPRESSION and all(child.part is Part.FIELD for child in tree.children):
        path = ""
        for child in tree.children:
            path = step(path, str(child.value))
        return path
    return None


def turned(tree: Node, tables: Mapping[str, Mapping[str, Any]]) -> list[Turned]:
    """Turn an expression round: none for what says nothing of the source, `NotReversible` for what cannot be."""
    found = _turned(tree, tables)
    if any('"' in one.path for one in found):
        raise NotReversible("the name of the source's field is no plain word")
    return found


def _turned(tree: Node, tables: Mapping[str, Mapping[str, Any]]) -> list[Turned]:
    path = plain_path(tree)
    if path:
        return [Turned(path=path)]
    if tree.part is Part.LITERAL:
        return []
    name, arguments = str(tree.value), tree.children
    if tree.part is Part.FUNCTION and name == "given":
        return []
    if tree.part is Part.FUNCTION and name == "table":
        return [_table(arguments, tables)]
    if tree.part is Part.FUNCTION and name in _MONEY and len(arguments) == 2:
        amount, currency = plain_path(arguments[0]), plain_path(arguments[1])
        # A currency that is looked up is turned round by the field that keeps it.
        if amount:
            return [
                Turned(path=amount, form=_MONEY[name]),
                *([Turned(path=currency, form="{}.currency", certain=False)] if currency else []),
            ]
    if tree.part is Part.FUNCTION and name == "major":
        amount = plain_path(arguments[0])
        if amount:
            return [Turned(path=amount, form="money_major({}, {currency})", currency=f"{amount}.currency")]
    raise NotReversible("it is no path, table or amount")


def _table(arguments: tuple[Node, ...], tables: Mapping[str, Mapping[str, Any]]) -> Turned:
    name, path = arguments[0].value, plain_path(arguments[1])
    if arguments[0].part is not Part.LITERAL or not path:
        raise NotReversible("the table's key is no path")
    if len(arguments) > 2:
        raise NotReversible("the table has a default, which stands for many keys")
    values = list(tables.get(str(name), {}).values())
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        words = ", ".join(f"`{value}`" for value in twice[:5])
        raise NotReversible(f"the table {name} has several keys for {words}")
    return Turned(path=path, form=f"table('{reversed_name(str(name))}', {{}})")


def reversed_name(table: str) -> str:
    """Name a table read from its values to its keys."""
    return f"{table} reversed"


def reversed_table(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Give a table read from its values, which are unique, to its keys."""
    return {str(value): key for key, value in entries.items()}
