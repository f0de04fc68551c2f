"""What was expected beside what came, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final


class _Nothing:
    """Stands where no value came, or none was expected; null is a value."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING: Final = _Nothing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that is not as expected; `detail` says more where two values do not tell it all."""

    field: str
    expected: Any = NOTHING
    came: Any = NOTHING
    detail: str = ""

    def __str__(self) -> str:
        """Give `field: 2 came, expected 3` on one line."""
        words = self.detail or f"{worded(self.came)} came, expected {worded(self.expected)}"
        return f"{self.field}: {words}" if self.field else words


def differences(expected: Any, came: Any, where: str = "", *, whole: bool = False) -> Iterator[Difference]:
    """Compare what is expected with what came; keys that are not expected do not count unless `whole`."""
    if isinstance(expected, Mapping) and isinstance(came, Mapping):
        for key, value in expected.items():
            path = f"{where}.{key}".removeprefix(".")
            if key in came:
                yield from differences(value, came[key], path, whole=whole)
            elif value is not None:
                yield Difference(field=path, expected=value)
        for key in came if whole else ():
            if key not in expected and came[key] is not None:
                yield Difference(field=f"{where}.{key}".removeprefix("."), came=came[key])
    elif isinstance(expected, list) and isinstance(came, list):
        if len(expected) != len(came):
            detail = f"{len(came)} entries came, expected {len(expected)}"
            yield Difference(field=where, expected=expected, came=came, detail=detail)
            return
        for index, (one, other) in enumerate(zip(expected, came, strict=True)):
            yield from differences(one, other, f"{where}[{index}]", whole=whole)
    elif not equal(expected, came):
        yield Difference(field=where, expected=expected, came=came)


def equal(expected: Any, came: Any) -> bool:
    """Compare two values: numbers by value, everything else by kind and value."""
    if isinstance(expected, bool) or isinstance(came, bool):
        return expected is came
    if isinstance(expected, (int, Decimal)) and isinstance(came, (int, Decimal)):
        return expected == came
    return type(expected) is type(came) and bool(expected == came)


def worded(value: Any) -> str:
    """Write a value for a message, shortened."""
    text = f"{value}" if isinstance(value, (Decimal, int)) else repr(value)
    return text if len(text) <= 120 else f"{text[:119]}…"
