"""The tables behind all services: rows in the order of keys, transactions, and rows made when they are looked at."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import takewhile
from typing import Any

Key = tuple[str, ...]
#: A row holds only what differs from initial values; it is replaced and never changed in place.
Row = Mapping[str, Any]


def order(key: Key) -> tuple[tuple[str, str], ...]:
    """Give what keys are sorted by: numbers in full width, so that 9 comes before 10; 0100 and 100 are two."""
    return tuple((part.zfill(10) if part.isdigit() else part, part) for part in key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Many rows of a table that are alike: the n-th is made when somebody looks at it, and until then costs nothing.

    `key` gives the n-th key, ascending with n; `number` turns a first part of a key back into n, or gives None.
    """

    count: int
    key: Callable[[int], Key]
    number: Callable[[str], int | None]
    make: Callable[[int], Row]

    def find(self, key: Key) -> Row | None:
        """Give the row with this key."""
        place = self.number(key[0]) if key else None
        return self.make(place) if place is not None and self.key(place) == key else None

    def keys(self, start: Key) -> Iterator[Key]:
        """Give the keys from `start` on."""
        low, high, begin = 0, self.count, order(start)
        while low < high:
            middle = (low + high) // 2
            if order(self.key(middle)) < begin:
                low = middle + 1
            else:
                high = middle
        return (self.key(place) for place in range(low, self.count))


class Table:
    """The rows of one kind."""

    def __init__(self, name: str, store: Store) -> None:
        """Start empty."""
        self.name = name
        self.crowds: list[Crowd] = []
        self._store = store
        # None stands for a row of a crowd that was deleted.
        self._rows: dict[Key, Row | None] = {}
        self._keys: list[Key] = []

    def get(self, key: Key) -> Row | None:
        """Give a row, None if there is none."""
        if key in self._rows:
            return self._rows[key]
        return next((row for crowd in self.crowds if (row := crowd.find(key)) is not None), None)

    def put(self, key: Key, row: Row) -> None:
        """Add or replace a row; undone when the transaction fails."""
        self._set(key, row, note=True)

    def delete(self, key: Key) -> None:
        """Take a row away."""
        self._set(key, None, note=True)

    def scan(self, prefix: Key = (), *, after: Key | None = None) -> Iterator[tuple[Key, Row]]:
        """Give rows whose key begins with `prefix`, in the order of keys, from behind `after` on."""
        start = after if after is not None else prefix
        own = self._keys_from(start)
        keys = merge(own, *(crowd.keys(start) for crowd in self.crowds), key=order) if self.crowds else own
        depth = len(prefix)
        if depth:
            keys = takewhile(lambda key: key[:depth] == prefix, keys)
        last: Key | None = after
        for key in keys:
            if key == last:
                continue
            last = key
            row = self.get(key)
            if row is not None:
                yield key, row

    def own(self) -> Iterator[Row]:
        """Give the rows that were put, without those that are only made when looked at."""
        return (row for key in self._keys if (row := self._rows.get(key)) is not None)

    def count(self) -> int:
        """Count the rows."""
        # A crowd's row that was put is in the keys, one that was deleted is known as None: neither counts twice.
        known = [key for key in self._rows if any(crowd.find(key) is not None for crowd in self.crowds)]
        return len(self._keys) + sum(crowd.count for crowd in self.crowds) - len(known)

    def _keys_from(self, start: Key) -> Iterator[Key]:
        place = bisect_left(self._keys, order(start), key=order)
        keys = self._keys
        # The list may grow while somebody reads it.
        while place < len(keys):
            yield keys[place]
            place += 1

    def _set(self, key: Key, row: Row | None, *, note: bool) -> None:
        if note:
            self._store.note(self, key, self._rows.get(key), known=key in self._rows)
        crowded = any(crowd.find(key) is not None for crowd in self.crowds)
        present = self._rows.get(key) is not None
        if row is None and not crowded:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row
        if row is not None and not present:
            insort(self._keys, key, key=order)
        elif row is None and present:
            del self._keys[bisect_left(self._keys, order(key), key=order)]

    def restore(self, key: Key, row: Row | None, *, known: bool) -> None:
        """Put back what a failed transaction found."""
        self._set(key, row, note=False)
        if not known:
            self._rows.pop(key, None)


class Store:
    """All tables of a tenant; a transaction that fails leaves them as they were."""

    def __init__(self) -> None:
        """Start without tables."""
        self._tables: dict[str, Table] = {}
        self._undo: list[tuple[Table, Key, Row | None, bool]] | None = None

    def table(self, name: str) -> Table:
        """Give a table, which is there from the first time that somebody asks for it."""
        found = self._tables.get(name)
        if found is None:
            found = self._tables[name] = Table(name, self)
        return found

    def __iter__(self) -> Iterator[Table]:
        """Go through the tables in the order of their names."""
        return iter([self._tables[name] for name in sorted(self._tables)])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep everything that the block does, or nothing of it; one within another is part of the outer one."""
        if self._undo is not None:
            yield
            return
        self._undo = []
        try:
            yield
        except BaseException:
            for table, key, row, known in reversed(self._undo):
                table.restore(key, row, known=known)
            raise
        finally:
            self._undo = None

    def is_new(self, table: str, key: Key) -> bool:
        """Tell whether a row was made by the transaction that runs."""
        return any(
            noted.name == table and each == key and row is None and not known
            for noted, each, row, known in self._undo or ()
        )

    def note(self, table: Table, key: Key, row: Row | None, *, known: bool) -> None:
        """Remember what a transaction replaces."""
        if self._undo is not None:
            self._undo.append((table, key, row, known))
