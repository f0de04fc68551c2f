"""One kind of object, in the order of creation, found by id and by a few indexed fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Record = dict[str, Any]


class Table:
    """Keeps the objects of one kind; the newest is last."""

    def __init__(self, kind: str, *, indexes: tuple[str, ...] = ()) -> None:
        """Start empty; `indexes` are fields that lists are often filtered by and that never change."""
        self.kind = kind
        self._objects: dict[str, Record] = {}
        self._order: list[str] = []
        self._places: dict[str, int] = {}
        self._indexes: dict[str, dict[str, list[str]]] = {field: {} for field in indexes}

    def add(self, record: Record) -> Record:
        """Keep a new object; an id that is taken raises `KeyError`."""
        identifier = record["id"]
        if identifier in self._objects:
            raise KeyError(identifier)
        self._objects[identifier] = record
        self._places[identifier] = len(self._order)
        self._order.append(identifier)
        for field, index in self._indexes.items():
            index.setdefault(record[field], []).append(identifier)
        return record

    def get(self, identifier: str) -> Record | None:
        """Find an object, deleted ones too."""
        return self._objects.get(identifier)

    def place(self, identifier: str) -> int | None:
        """Give the object's number in the order of creation."""
        return self._places.get(identifier)

    def where(self, field: str, value: str) -> list[Record]:
        """Give the objects with this value of an indexed field, oldest first."""
        return [self._objects[identifier] for identifier in self._indexes[field].get(value, ())]

    def indexed(self, field: str) -> bool:
        """Tell whether a field is indexed."""
        return field in self._indexes

    def oldest_first(self, *, start: int = 0) -> Iterator[Record]:
        """Walk from the place `start` to the newest."""
        for place in range(start, len(self._order)):
            yield self._objects[self._order[place]]

    def newest_first(self, *, start: int | None = None) -> Iterator[Record]:
        """Walk from the place `start` (None: the newest) down to the oldest."""
        top = len(self._order) - 1 if start is None else start
        for place in range(top, -1, -1):
            yield self._objects[self._order[place]]

    def __len__(self) -> int:
        """Count the objects."""
        return len(self._order)
