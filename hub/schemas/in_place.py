"""What happened to versions that were published before: changed in place against their promise, or gone while used."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from hub.schemas.compatibility import Break, breaks
from hub.schemas.registry import Registry
from hub.schemas.series import Mode
from hub.schemas.versions import split


class InPlaceKind(StrEnum):
    """What was done to a published version."""

    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class InPlace:
    """One published version that is no longer what it was; `breaks` are the promises a change breaks."""

    name: str
    kind: InPlaceKind
    detail: str
    breaks: tuple[Break, ...] = ()


def changed_in_place(old: Registry, new: Registry, used: Collection[str] = ()) -> list[InPlace]:
    """Give the versions of the old registry that the new one changes as its mode forbids, or lacks although used.

    The promise is that of the old registry; where it made none, that of the new one. `used` are the names of schemas
    that flows and mappings of the new revision read or write.
    """
    found = []
    for series, held in old.by_name.items():
        later = new.by_name.get(series)
        mode = held.mode if held.mode is not Mode.NONE or later is None else later.mode
        for version in held.versions:
            if version.name not in new:
                if version.name in used:
                    found.append(_removed(version.name, new))
                continue
            broken = tuple(breaks(version.document, new.document(version.name), mode))
            if broken:
                detail = (
                    f"`{version.name}` was published and is changed in place against its mode `{mode.value}`: "
                    f"{broken[0].detail} Write the change as a new version."
                )
                found.append(InPlace(name=version.name, kind=InPlaceKind.CHANGED, detail=detail, breaks=broken))
    return found


def _removed(name: str, new: Registry) -> InPlace:
    left = new.versions(split(name)[0])
    hint = f"Use `{left[-1]}` instead, or keep it." if left else "Keep it."
    return InPlace(name=name, kind=InPlaceKind.REMOVED, detail=f"`{name}` is taken away and still used. {hint}")
