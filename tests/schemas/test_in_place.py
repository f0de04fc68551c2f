"""Published versions: what may be changed in them, and what may not be taken away."""

from __future__ import annotations

from typing import Any

import pytest

from hub.schemas.in_place import InPlaceKind, changed_in_place
from hub.schemas.registry import Registry, registry_of
from hub.schemas.series import Mode, SeriesTerms

DOCUMENT: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TIGHTER: dict[str, Any] = {**DOCUMENT, "required": ["a", "b"]}
LOOSER: dict[str, Any] = {**DOCUMENT, "required": []}


def registry(document: dict[str, Any], mode: Mode = Mode.NONE) -> Registry:
    """Give a registry of one version."""
    return registry_of({"x@1": document, "x@2": DOCUMENT}, {"x": SeriesTerms(mode=mode)})


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (registry(DOCUMENT, Mode.FULL), registry(DOCUMENT, Mode.FULL), []),
        (registry(DOCUMENT, Mode.FULL), registry({**DOCUMENT, "title": "X"}), []),
        (registry(DOCUMENT), registry(TIGHTER), []),
        (registry(DOCUMENT), registry(TIGHTER, Mode.BACKWARD), ["b"]),
        (registry(DOCUMENT, Mode.BACKWARD), registry(TIGHTER), ["b"]),
        (registry(DOCUMENT, Mode.BACKWARD), registry(LOOSER), []),
        (registry(DOCUMENT, Mode.FORWARD), registry(LOOSER), ["a"]),
    ],
)
def test_a_published_version_changes_only_as_its_mode_allows(old: Registry, new: Registry, changed: list[str]) -> None:
    found = changed_in_place(old, new)
    assert [one.path for change in found for one in change.breaks] == changed
    assert all(change.kind is InPlaceKind.CHANGED and "`x@1`" in change.detail for change in found)


def test_a_version_that_is_used_is_not_taken_away() -> None:
    old, new = registry(DOCUMENT), registry_of({"x@2": DOCUMENT})
    assert changed_in_place(old, new) == []
    (removed,) = changed_in_place(old, new, {"x@1", "x@2"})
    assert (removed.name, removed.kind) == ("x@1", InPlaceKind.REMOVED)
    assert removed.detail == "`x@1` is taken away and still used. Use `x@2` instead, or keep it."
