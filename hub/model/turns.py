"""Whose turn it is among classes of work: the first class goes first, and yet none waits for ever."""

from __future__ import annotations

from collections.abc import Iterable

#: Of so many turns in a row of one class, the last is left to those who come after it.
EVERY = 10


class Turns:
    """Gives turns to classes, the lowest number first.

    Every tenth turn of a class is left to the classes behind it, and among them the same rule holds: while all three
    wait, of a hundred turns the first class has ninety, the second nine and the third one.
    """

    def __init__(self) -> None:
        """Begin with nothing given."""
        self._given: dict[int, int] = {}
        self._last: dict[int, str] = {}

    def choose(self, waiting: Iterable[int]) -> int:
        """Give the class whose turn it is; `waiting` names each class that has somebody who waits, at least one."""
        *before, last = sorted(waiting)
        for first in before:
            given = self._given.get(first, 0) + 1
            self._given[first] = given % EVERY
            if given < EVERY:
                return first
        return last

    def next_of(self, priority: int, flows: Iterable[str]) -> str:
        """Give the flow of a class whose turn it is, one after the other by name; `flows` has at least one."""
        ordered = sorted(flows)
        last = self._last.get(priority, "")
        chosen = next((flow for flow in ordered if flow > last), ordered[0])
        self._last[priority] = chosen
        return chosen
