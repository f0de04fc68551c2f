"""The registry: every schema by series and version, and how a record of one version is read as another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hub.errors import NotFound
from hub.schemas.compatibility import Direction, breaks_in, removed_fields
from hub.schemas.drift import CompiledDrift, compile_drift
from hub.schemas.series import Series, SeriesTerms, Version, VersionTerms
from hub.schemas.shape import Shape, shape_of
from hub.schemas.versions import rank, split, version_key

#: As many claimed names are remembered; what payloads claim is not ours to bound.
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcast:
    """A mapping between two versions of one series, in either direction."""

    mapping: str
    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """As which registered version a claimed one is read; `registered`: that very version is."""

    name: str
    registered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All series by name, and the upcasts between their versions."""

    by_name: Mapping[str, Series] = field(default_factory=dict)
    upcasts: tuple[Upcast, ...] = ()
    _versions: Mapping[str, Version] = field(default_factory=dict, repr=False, compare=False)
    _shapes: dict[str, Shape] = field(default_factory=dict, repr=False, compare=False)
    _drifts: dict[str, CompiledDrift] = field(default_factory=dict, repr=False, compare=False)
    _paths: dict[tuple[str, str], tuple[str, ...] | None] = field(default_factory=dict, repr=False, compare=False)
    _resolved: dict[str, Resolved | None] = field(default_factory=dict, repr=False, compare=False)

    def __contains__(self, name: object) -> bool:
        """Tell whether this very version is registered."""
        return name in self._versions

    def series(self, name: str) -> Series:
        """Give a series by its own name or by that of any of its versions; raises `NotFound`."""
        found = self.by_name.get(split(name)[0])
        if found is None:
            raise NotFound("There is no such series of schemas.", series=name)
        return found

    def versions(self, series: str) -> tuple[str, ...]:
        """Give the names of a series' versions (`stripe.invoice@2025-09-30`), oldest first; none for an unknown one."""
        found = self.by_name.get(split(series)[0])
        return () if found is None else tuple(version.name for version in found.versions)

    def version(self, name: str) -> Version:
        """Give a registered version; raises `NotFound`."""
        found = self._versions.get(name)
        if found is None:
            raise NotFound("There is no such schema.", schema=name)
        return found

    def document(self, name: str) -> Mapping[str, Any]:
        """Give the JSON Schema of a registered version; raises `NotFound`."""
        return self.version(name).document

    def shape(self, name: str) -> Shape:
        """Give the shape of a registered version; raises `NotFound`."""
        shape = self._shapes.get(name)
        if shape is None:
            shape = self._shapes[name] = shape_of(self.document(name))
        return shape

    def drift(self, name: str) -> CompiledDrift:
        """Give the comparison with a registered version, compiled once; raises `NotFound`."""
        compare = self._drifts.get(name)
        if compare is None:
            compare = self._drifts[name] = compile_drift(self.document(name))
        return compare

    def resolve(self, name: str) -> Resolved | None:
        """Give the registered version to read a claimed one as.

        That is itself, else the latest that is not newer, else the oldest. None when the series is unknown.
        """
        if name in self._versions:
            return Resolved(name=name, registered=True)
        if name not in self._resolved:
            if len(self._resolved) >= _MOST_REMEMBERED:
                self._resolved.clear()
            self._resolved[name] = self._nearest(name)
        return self._resolved[name]

    def path(self, source: str, target: str) -> tuple[str, ...] | None:
        """Give the upcasts to apply, in order, to read a record of one version as another; None when there is no way.

        The shortest chain of upcasts counts. Where there is none, a record is read as it is, `()`, when nothing in it
        can be unfit for the wanted version and the newer of the two has all fields of the older. A source that is not
        registered is first resolved.
        """
        key = (source, target)
        if key not in self._paths:
            if len(self._paths) >= _MOST_REMEMBERED:
                self._paths.clear()
            self._paths[key] = self._find(source, target)
        return self._paths[key]

    def with_upcasts(self, upcasts: Iterable[Upcast]) -> Registry:
        """Give the same registry with these upcasts and no others."""
        return replace(self, upcasts=tuple(upcasts), _paths={}, _resolved={})

    def chain(self, source: str, target: str) -> tuple[str, ...] | None:
        """Give the shortest chain of upcasts from one registered version to another; None when there is none."""
        if source == target:
            return ()
        came: dict[str, tuple[str, ...]] = {source: ()}
        waiting = deque([source])
        while waiting:
            here = waiting.popleft()
            for upcast in self.upcasts:
                if upcast.source != here or upcast.target in came:
                    continue
                came[upcast.target] = (*came[here], upcast.mapping)
                if upcast.target == target:
                    return came[target]
                waiting.append(upcast.target)
        return None

    def _nearest(self, name: str) -> Resolved | None:
        series, claimed = split(name)
        found = self.by_name.get(series)
        if found is None:
            return None
        place = rank(claimed)
        not_newer = [version for version in found.versions if rank(version.version) <= place]
        return Resolved(name=(not_newer[-1] if not_newer else found.versions[0]).name, registered=False)

    def _find(self, source: str, target: str) -> tuple[str, ...] | None:
        resolved = self.resolve(source)
        if resolved is None or target not in self._versions or split(source)[0] != split(target)[0]:
            return None
        chain = self.chain(resolved.name, target)
        if chain is not None:
            return chain
        return () if self._readable(self._versions[resolved.name], self._versions[target]) else None

    def _readable(self, source: Version, target: Version) -> bool:
        """Tell whether a record of one version can be read as another without an upcast.

        A field that only the older version has was moved or renamed as far as we can tell: whoever reads it, or its
        successor, would find nothing and take that for an answer.
        """
        newer = version_key(source.version) > version_key(target.version)
        old, new = (target, source) if newer else (source, target)
        if removed_fields(old.document, new.document):
            return False
        return not breaks_in(old.document, new.document, Direction.FORWARD if newer else Direction.BACKWARD)


def registry_of(
    documents: Mapping[str, Mapping[str, Any]],
    terms: Mapping[str, SeriesTerms] | None = None,
    upcasts: Iterable[Upcast] = (),
) -> Registry:
    """Register schemas (name with version → JSON Schema) with what series files say of them, by series name."""
    said = terms or {}
    grouped: dict[str, list[Version]] = {}
    for name, document in documents.items():
        series, version = split(name)
        own = said[series].versions.get(version) if series in said else None
        made = Version(series=series, version=version, document=document, terms=own or VersionTerms())
        grouped.setdefault(series, []).append(made)
    by_name = {}
    for series, versions in sorted(grouped.items()):
        of = said.get(series, SeriesTerms())
        ordered = tuple(sorted(versions, key=lambda version: version_key(version.version)))
        by_name[series] = Series(name=series, versions=ordered, title=of.title, owner=of.owner, mode=of.mode)
    registered = {version.name: version for series in by_name.values() for version in series.versions}
    return Registry(by_name=by_name, upcasts=tuple(upcasts), _versions=registered)
