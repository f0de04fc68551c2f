"""An example of a scope, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.expressions.paths import step


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Values at paths of a scope; what is not named is missing."""

    values: Mapping[tuple[str, ...], Any]

    @property
    def scope(self) -> dict[str, Any]:
        """Give the whole scope."""
        return scope_with(self.values)


def scope_with(values: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """Make a scope that has these values at these paths, as far as they go together."""
    scope: dict[str, Any] = {}
    for path, value in sorted(values.items(), key=lambda item: len(item[0])):
        *above, last = path
        at = scope
        for name in above:
            inner = at.get(name)
            if not isinstance(inner, dict):
                inner = at[name] = {}
            at = inner
        at[last] = value
    return scope


def worded(witness: Witness) -> str:
    """Tell it as the end of a sentence: ` when entity = 'JP01' and total.minor = 500001`."""
    told = [_told(path, value) for path, value in witness.values.items()]
    return f" when {' and '.join(told)}" if told else " when nothing is given"


def _told(path: tuple[str, ...], value: Any) -> str:
    name = ""
    for key in path:
        name = step(name, key)
    if value is None:
        return f"{name} is missing"
    if isinstance(value, bool):
        return f"{name} is {str(value).lower()}"
    if isinstance(value, str):
        return f"{name} = '{value}'" if value else f"{name} is empty"
    if isinstance(value, list | dict):
        return f"{name} is {'a list' if isinstance(value, list) else 'an object'}" if value else f"{name} is empty"
    return f"{name} = {value}"
