"""The order of rows: by many things, up and down, with nulls at the end that the query names."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from functools import cmp_to_key
from typing import Any

from connectors.salesforce.sandbox.soql.conditions import comparable
from connectors.salesforce.sandbox.soql.scope import Scope
from connectors.salesforce.sandbox.soql.tree import Ordering, Path, Query
from connectors.salesforce.sandbox.soql.words import refuse
from connectors.salesforce.sandbox.store import Record


def ordered(scope: Scope, query: Query, rows: Iterable[Record]) -> list[Record]:
    """Order the records of a query as it says, and cut out those that it wants."""
    if not query.order:
        found = list(rows)
    else:
        keys = [_key(scope, one) for one in query.order]
        wanted = None if query.limit is None else query.limit + query.offset
        rank = ranking(keys)
        found = sorted(rows, key=rank) if wanted is None or wanted > 10_000 else heapq.nsmallest(wanted, rows, key=rank)
    end = None if query.limit is None else query.offset + query.limit
    return found[query.offset : end]


def _key(scope: Scope, ordering: Ordering) -> tuple[Callable[[Record], Any], Ordering]:
    if not isinstance(ordering.operand, Path):
        raise refuse(scope.text, ordering.operand.place, "Ordered field must be aggregated or grouped")
    meant = scope.meaning(ordering.operand)
    if meant.field.type in ("address", "multipicklist") or (
        meant.field.type == "textarea" and meant.field.length > 255
    ):
        raise refuse(
            scope.text,
            ordering.operand.place,
            f"field '{meant.field.name}' can not be sorted in a query call",
            code="INVALID_FIELD",
        )
    get, field = scope.getter(meant), meant.field
    return (lambda row: comparable(field, get(row))), ordering


def ranking(keys: Sequence[tuple[Callable[[Any], Any], Ordering]]) -> Callable[[Any], Any]:
    """Give what rows are sorted by; nulls have a place of their own."""
    if not any(ordering.descending for _, ordering in keys):

        def plain(row: Any) -> tuple[Any, ...]:
            parts: list[Any] = []
            for get, ordering in keys:
                value = get(row)
                parts.append((value is None) is ordering.nulls_last)
                parts.append(0 if value is None else value)
            return tuple(parts)

        return plain

    def compare(left: Sequence[Any], right: Sequence[Any]) -> int:
        for one, other, (_, ordering) in zip(left, right, keys, strict=True):
            if one == other:
                continue
            if one is None or other is None:
                return 1 if (one is None) is ordering.nulls_last else -1
            return (1 if one > other else -1) * (-1 if ordering.descending else 1)
        return 0

    ranked = cmp_to_key(compare)
    return lambda row: ranked([get(row) for get, _ in keys])
