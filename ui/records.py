"""A record as somebody reads it who decides about it: its plain facts, and its lists as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from markupsafe import Markup, escape

from hub.queries.amounts import amount as of_minor
from ui.words import amount

#: So much is shown plainly; the whole stands below as JSON.
MOST_FACTS, MOST_ROWS, MOST_COLUMNS, LONGEST = 24, 12, 5, 120
#: Fields that name a record, the best one first.
_NAMES = ("number", "name", "title")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One value by the name of its field (`address.city`); `number` values stand to the right."""

    name: str
    value: Markup
    number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTold:
    """A list of records as a table; `more` rows are not in it."""

    name: str
    columns: tuple[str, ...]
    numbers: frozenset[str]
    rows: tuple[tuple[Markup, ...], ...]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTold:
    """A record in the order of its fields; `more` facts are not shown."""

    facts: tuple[Told, ...]
    lists: tuple[ListTold, ...]
    more: int


def told(record: Any) -> RecordTold:
    """Tell a record."""
    fields = record if isinstance(record, Mapping) else {"value": record}
    facts = list(_facts(fields, ""))
    return RecordTold(
        facts=tuple(facts[:MOST_FACTS]),
        lists=tuple(_table(name, value) for name, value in fields.items() if _is_list(value)),
        more=max(0, len(facts) - MOST_FACTS),
    )


def name_of(record: Any) -> str | None:
    """Give how people call what a record is about, where it says so."""
    if not isinstance(record, Mapping):
        return None
    return next((value for name in _NAMES if isinstance(value := record.get(name), str) and value), None)


def _facts(fields: Mapping[str, Any], around: str) -> Iterator[Told]:
    for name, value in fields.items():
        if _is_list(value) and not around:
            continue
        if isinstance(value, Mapping) and not _is_money(value):
            yield from _facts(value, f"{around}{name}.")
        elif value is not None and value != []:
            yield Told(name=f"{around}{name}", value=_value(value), number=_is_number(value))


def _table(name: str, items: Sequence[Mapping[str, Any]]) -> ListTold:
    shown = items[:MOST_ROWS]
    columns = list(dict.fromkeys(key for item in shown for key, value in item.items() if value is not None))
    # Amounts and texts tell more than ids of other things, but what is first in the record is first here.
    kept = sorted(sorted(columns, key=lambda column: _weight(shown, column))[:MOST_COLUMNS], key=columns.index)
    return ListTold(
        name=name,
        columns=tuple(kept),
        numbers=frozenset(column for column in kept if all(_is_number(item.get(column)) for item in shown)),
        rows=tuple(tuple(_value(item.get(column)) for column in kept) for item in shown),
        more=len(items) - len(shown),
    )


def _weight(items: Sequence[Mapping[str, Any]], column: str) -> int:
    values = [item[column] for item in items if item.get(column) is not None]
    if any(_is_money(value) for value in values):
        return 0
    if column.endswith("id") or any(isinstance(value, Mapping | list) for value in values):
        return 2
    return 1


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _is_money(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"minor", "currency"} and type(value["minor"]) is int


def _is_number(value: Any) -> bool:
    return value is None or _is_money(value) or (isinstance(value, int | Decimal) and not isinstance(value, bool))


def _value(value: Any) -> Markup:
    if value is None:
        return Markup("")
    if _is_money(value):
        return amount(of_minor(value["minor"], str(value["currency"])))
    if isinstance(value, bool):
        return escape("yes" if value else "no")
    if isinstance(value, list):
        return _cut(", ".join("…" if isinstance(item, Mapping | list) else str(item) for item in value))
    if isinstance(value, Mapping):
        return _cut(", ".join(f"{name} {item}" for name, item in value.items() if not isinstance(item, Mapping | list)))
    return _cut(str(value))


def _cut(text: str) -> Markup:
    return escape(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")
