"""Cuts lists into pages: by offset, and by the id of the last item seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def by_offset(items: Sequence[Item], *, offset: int, limit: int) -> tuple[Sequence[Item], bool]:
    """Give the items from `offset` on, at most `limit`, and whether more follow."""
    page = items[offset : offset + limit]
    return page, offset + len(page) < len(items)


def after(items: Sequence[Item], *, position: int | None, limit: int) -> tuple[Sequence[Item], bool]:
    """Give the items behind the one at `position` (None: from the first), and whether more follow."""
    return by_offset(items, offset=0 if position is None else position + 1, limit=limit)


def before(items: Sequence[Item], *, position: int, limit: int) -> tuple[Sequence[Item], bool]:
    """Give the items just in front of the one at `position`, in list order, and whether more stand before them."""
    start = max(0, position - limit)
    return items[start:position], start > 0
