"""Rows as PostgreSQL's COPY takes them: one line each, made column by column and put together in one pass.

What a column has in every row, such as the name of its environment, is written once; and whether anything has to be
escaped is asked of a whole column at once. So a row costs an eighth of what it costs as elements of typed arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.store.arrays import Array, BigIntegers, Binaries, Booleans, Integers, Texts, kept

_NULL = r"\N"
#: What a line cannot have as it is: what COPY reads as something else, and what PostgreSQL keeps in no text.
_ODD = ("\\", "\n", "\t", "\r", "\0", "\uffff")


def lines(kinds: Sequence[type[Array]], columns: Sequence[Sequence[Any]]) -> bytes:
    """Give rows in COPY's text format, from the values of each column (all of one length, at least one) and its kind.

    Raises what packing them as arrays would: `OverflowError` for a number that its column cannot hold, `TypeError` for
    a value of another type, `UnicodeEncodeError` for half of a character.
    """
    return "".join(texts(kinds, columns)).encode()


def numbered(numbers: Sequence[int], some: Sequence[str]) -> bytes:
    """Give lines that `texts` has made, each behind a number that became known only afterwards."""
    return "".join(map("%d\t%s".__mod__, zip(numbers, some, strict=True))).encode()


def texts(kinds: Sequence[type[Array]], columns: Sequence[Sequence[Any]]) -> Sequence[str]:
    """Give the lines one by one, and not as bytes yet; raises as `lines` does, but for half of a character."""
    form: list[str] = []
    varying: list[Sequence[str]] = []
    for kind, values in zip(kinds, columns, strict=True):
        written = _WRITTEN[kind]
        if values.count(values[0]) == len(values) and len(set(map(type, values))) == 1:
            form.append(_column(written, values[:1])[0].replace("%", "%%"))
        else:
            form.append("%s")
            varying.append(_column(written, values))
    line = "\t".join(form) + "\n"
    if not varying:
        return [line % ()] * len(columns[0])
    return list(map(line.__mod__, zip(*varying, strict=True)))


def _column(written: Callable[[Sequence[Any]], Sequence[str]], values: Sequence[Any]) -> Sequence[str]:
    if None not in values:
        return written(values)
    there = iter(written([value for value in values if value is not None]))
    return [_NULL if value is None else next(there) for value in values]


def _texts(values: Sequence[Any]) -> Sequence[str]:
    together = "".join(values)
    return list(map(_escaped, values)) if any(odd in together for odd in _ODD) else values


def _escaped(text: str) -> str:
    for written, odd in (("\\\\", "\\"), ("\\n", "\n"), ("\\t", "\t"), ("\\r", "\r")):
        text = text.replace(odd, written)
    return kept(text)


def _whole(bits: int) -> Callable[[Sequence[Any]], Sequence[str]]:
    bound = 1 << (bits - 1)

    def written(values: Sequence[Any]) -> Sequence[str]:
        # A truth is a number too; what is none, or has a fraction, is told.
        found = list(map(int.__repr__, values))
        if values and not (-bound <= min(values) and max(values) < bound):
            raise OverflowError("A number is too large for its column.")
        return found

    return written


def _truths(values: Sequence[Any]) -> Sequence[str]:
    return ["t" if value else "f" for value in values]


def _binaries(values: Sequence[Any]) -> Sequence[str]:
    return [rf"\\x{bytes(value).hex()}" for value in values]


_WRITTEN: Mapping[type[Array], Callable[[Sequence[Any]], Sequence[str]]] = {
    Texts: _texts,
    BigIntegers: _whole(64),
    Integers: _whole(32),
    Booleans: _truths,
    Binaries: _binaries,
}
