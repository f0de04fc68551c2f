"""JSON values from a stream of lines: one a line, or written over several lines, each told with its line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hub.errors import FixData
from hub.sdk.exact_json import loads

#: More is no record of anything; it is refused before it fills the memory.
MAX_BYTES = 64 * 1024 * 1024
_BLANK = b" \t\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One value and the line it begins on (from 1), or what is wrong with the text there."""

    line: int
    value: Any = None
    problem: str | None = None


def read_values(lines: Iterable[bytes]) -> Iterator[Read]:
    """Give each value as soon as its last line is there; a list gives its elements one by one.

    A line that is no value by itself begins one that goes on until a line begins with `}` or `]`, as programs write
    it, or until a line that begins another one.
    """
    gathered: list[bytes] = []
    start = size = 0
    for number, line in enumerate(lines, start=1):
        if gathered and line[:1] in b"{[" and line.strip(_BLANK) not in (b"{", b"["):
            yield from _values(gathered, start)
            gathered, size = [], 0
        if not gathered:
            if not line.strip(_BLANK):
                continue
            start = number
        gathered.append(line)
        size += len(line)
        if size > MAX_BYTES:
            yield Read(line=start, problem=f"This value is larger than {MAX_BYTES // 1024 // 1024} MiB.")
            return
        if line[:1] in b"}]" or _whole(line, alone=len(gathered) == 1):
            yield from _values(gathered, start)
            gathered, size = [], 0
    if gathered:
        yield from _values(gathered, start)


def _whole(line: bytes, *, alone: bool) -> bool:
    """Tell whether a first line says all there is: it can be read, or is wrong for another reason than its end."""
    if not alone:
        return False
    try:
        loads(line)
    except FixData as error:
        return "truncated" not in str(error.facts.get("reason"))
    return True


def _values(gathered: list[bytes], line: int) -> Iterator[Read]:
    try:
        value = loads(b"".join(gathered))
    except FixData as error:
        reason = str(error.facts.get("reason"))
        words = "it ends too early" if "truncated" in reason else reason
        yield Read(line=line, problem=f"This is not readable JSON: {words}.")
        return
    if isinstance(value, list):
        yield from (Read(line=line, value=element) for element in value)
    else:
        yield Read(line=line, value=value)
