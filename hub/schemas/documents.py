"""Reading JSON Schema documents: references into the document itself, equality of JSON values, and paths for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Names that a payload made up are shown to here.
_LONGEST_NAME = 60
#: What stands in a path for a name that the schema leaves open.
ANY_NAME = "*"


def referred(reference: str, root: Mapping[str, Any]) -> Any:
    """Follow a reference into the document itself; True, which says nothing, when it leads nowhere."""
    if reference == "#":
        return root
    if not reference.startswith("#/"):
        return True
    found: Any = root
    for step in reference[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdigit() and int(name[:6]) < len(found):
            found = found[int(name)]
        elif isinstance(found, Mapping) and name in found:
            found = found[name]
        else:
            return True
    return found


def same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal; in JSON, `true` is not `1`, but `1.0` is."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def among(value: Any, values: Iterable[Any]) -> bool:
    """Tell whether an equal JSON value is among these."""
    return any(same(value, one) for one in values)


def below(path: str, name: str) -> str:
    """Give the path of a field: `lines.data[].amount`; names that are no words stand in quotes, shortened."""
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + "…"
    if name != ANY_NAME and _WORD.fullmatch(name) is None:
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{path}.{name}" if path else name


def element(path: str) -> str:
    """Give the path of a list's elements, whichever they are."""
    return f"{path}[]"
