"""What a revision breaks of the promises of schemas that were published before it.

Promises between two versions of a series are kept by `concord check`. Here a version is compared with itself as it was:
a published version is what records were written by, and others read by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.schemas.compatibility import Break, Direction, breaks_in
from hub.schemas.versions import split
from hub.workspace.bundle import Bundle

#: As many breaks of one schema are told.
_MOST = 10


def schema_breaks(before: Bundle, after: Bundle) -> list[str]:
    """Give in words what was promised of schemas and does not hold any more."""
    found: list[str] = []
    for name, schema in sorted(before.schemas.items()):
        newer = after.schemas.get(name)
        if newer is None:
            used = sorted(_users(before, name) & set(after.mappings))
            why = f"; {', '.join(used[:5])} read or made it" if used else ""
            found.append(f"The schema {name} is gone{why}.")
        elif schema.document != newer.document:
            # A revision cannot take back the promise that it breaks.
            series = split(name)[0]
            forward = any(bundle.registry.series(series).mode.forward for bundle in (before, after))
            found += _changed_in_place(name, schema.document, newer.document, forward=forward)
    return found


def _changed_in_place(name: str, old: Mapping[str, Any], new: Mapping[str, Any], *, forward: bool) -> list[str]:
    directions = [Direction.BACKWARD, *([Direction.FORWARD] if forward else [])]
    broken = [one for direction in directions for one in breaks_in(old, new, direction)]
    told = [f"The schema {name} was changed in place: {_told(one)}" for one in broken[:_MOST]]
    if len(broken) > _MOST:
        told.append(f"The schema {name} has {len(broken) - _MOST} more breaks.")
    return told


def _told(one: Break) -> str:
    return f"`{one.path}`: {one.detail}" if one.path else one.detail


def _users(bundle: Bundle, schema: str) -> set[str]:
    return {name for name, mapping in bundle.mappings.items() if schema in (mapping.source, mapping.target)}
