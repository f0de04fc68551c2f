"""A series: all versions of one schema, what they promise each other, and when they go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from hub.schemas.versions import join


class Mode(StrEnum):
    """What versions of a series promise each other.

    Backward: who reads by the new version can read what was written by the old one. Forward: who reads by the old
    version can read what is written by the new one. Transitive: not only from one version to the next, but among all.
    """

    NONE = "none"
    BACKWARD = "backward"
    FORWARD = "forward"
    FULL = "full"
    BACKWARD_TRANSITIVE = "backward-transitive"
    FORWARD_TRANSITIVE = "forward-transitive"
    FULL_TRANSITIVE = "full-transitive"

    @property
    def backward(self) -> bool:
        """Tell whether the new version must read what the old one wrote."""
        return self in _BACKWARD

    @property
    def forward(self) -> bool:
        """Tell whether the old version must read what the new one writes."""
        return self in _FORWARD

    @property
    def transitive(self) -> bool:
        """Tell whether the promise holds among all versions."""
        return self.value.endswith("-transitive")


_BACKWARD = frozenset({Mode.BACKWARD, Mode.BACKWARD_TRANSITIVE, Mode.FULL, Mode.FULL_TRANSITIVE})
_FORWARD = frozenset({Mode.FORWARD, Mode.FORWARD_TRANSITIVE, Mode.FULL, Mode.FULL_TRANSITIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionTerms:
    """What a series file says of one version: since when it is deprecated, from when on it is gone, and a note."""

    deprecated: date | None = None
    sunset: date | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTerms:
    """What a series file says: its versions by version without the series' name."""

    title: str = ""
    owner: str = ""
    mode: Mode = Mode.NONE
    versions: Mapping[str, VersionTerms] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One registered version: its JSON Schema and its terms."""

    series: str
    version: str
    document: Mapping[str, Any] = field(repr=False)
    terms: VersionTerms = VersionTerms()

    @property
    def name(self) -> str:
        """Give the schema's name, such as `stripe.invoice@2025-09-30`."""
        return join(self.series, self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """All registered versions of one schema, oldest first."""

    name: str
    versions: tuple[Version, ...]
    title: str = ""
    owner: str = ""
    mode: Mode = Mode.NONE

    @property
    def latest(self) -> Version:
        """Give the newest version."""
        return self.versions[-1]
