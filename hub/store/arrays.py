"""Values as PostgreSQL's driver takes them: whole columns as typed arrays, and texts that have a NUL in them.

An array always says of which type it is, so that a statement is prepared once and not for each kind of number that it
happens to bring. They go over the wire as PostgreSQL keeps them, which nobody has to read and escape.

PostgreSQL keeps no NUL in a text, and vendors send them. So a mark and a digit stand for it, and for the mark itself;
since each character is written by itself, beginnings and parts of texts are found as ever.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import chain
from typing import Any, ClassVar

#: A character that is none, by Unicode's own word, and that PostgreSQL keeps.
_MARK = "\uffff"
_NULL = struct.pack(">i", -1)
_HEAD = struct.Struct(">iiIii")
_LENGTH = struct.Struct(">i").pack
_EMPTY = struct.Struct(">iiI")


def kept(text: str) -> str:
    """Give a text as PostgreSQL can keep it."""
    if "\0" not in text and _MARK not in text:
        return text
    return text.replace(_MARK, f"{_MARK}1").replace("\0", f"{_MARK}0")


def told(text: str) -> str:
    """Give the text that `kept` was given."""
    return text if _MARK not in text else text.replace(f"{_MARK}0", "\0").replace(f"{_MARK}1", _MARK)


class Array(ABC):
    """A column's values, for one parameter of a statement; None stands for no value."""

    __slots__ = ("_values",)
    #: PostgreSQL's number of the elements' type, of the array's, and its name.
    element: ClassVar[int]
    oid: ClassVar[int]
    name: ClassVar[str]

    def __init__(self, values: Sequence[Any]) -> None:
        """Take the values, in order."""
        self._values = values

    def packed(self) -> bytes:
        """Give the array as PostgreSQL's binary protocol has it.

        Raises `OverflowError` for a number that the column cannot hold and `TypeError` for a value of another type.
        """
        if not self._values:
            return _EMPTY.pack(0, 0, self.element)
        parts = [_HEAD.pack(1, 1, self.element, len(self._values), 1)]
        try:
            for value in self._values:
                parts.append(_NULL if value is None else self._one(value))
        except struct.error as error:
            if any(isinstance(value, int) for value in self._values):
                raise OverflowError("A number is too large for its column.") from error
            raise TypeError("A value is no number.") from error
        return b"".join(parts)

    @abstractmethod
    def _one(self, value: Any) -> bytes:
        """Give one element, after its length in bytes."""


class Texts(Array):
    """Texts of a column."""

    __slots__ = ()
    element, oid, name = 25, 1009, "text"

    def packed(self) -> bytes:
        """Give the array; texts without a gap among them are packed together, and looked through together."""
        values = self._values
        if not values or None in values:
            return super().packed()
        together = "".join(values)
        encoded = list(map(str.encode, values if "\0" not in together and _MARK not in together else map(kept, values)))
        each = chain.from_iterable(zip(map(_LENGTH, map(len, encoded)), encoded, strict=True))
        return b"".join((_HEAD.pack(1, 0, self.element, len(encoded), 1), *each))

    def _one(self, value: Any) -> bytes:
        encoded = kept(value).encode()
        return _LENGTH(len(encoded)) + encoded


class BigIntegers(Array):
    """Whole numbers of 64 bits."""

    __slots__ = ()
    element, oid, name = 20, 1016, "bigint"
    _form = struct.Struct(">iq")

    def _one(self, value: Any) -> bytes:
        return self._form.pack(8, value)


class Integers(Array):
    """Whole numbers of 32 bits."""

    __slots__ = ()
    element, oid, name = 23, 1007, "integer"
    _form = struct.Struct(">ii")

    def _one(self, value: Any) -> bytes:
        return self._form.pack(4, value)


class Booleans(Array):
    """Truths; SQLite has none of its own, so that 0 and 1 are taken too."""

    __slots__ = ()
    element, oid, name = 16, 1000, "boolean"

    def _one(self, value: Any) -> bytes:
        return b"\0\0\0\1\1" if value else b"\0\0\0\1\0"


class Binaries(Array):
    """Bytes of a column."""

    __slots__ = ()
    element, oid, name = 17, 1001, "bytea"

    def _one(self, value: Any) -> bytes:
        return len(value).to_bytes(4) + bytes(value)
