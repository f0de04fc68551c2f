"""What versions of schemas owe each other and their users: promises kept, usable upcasts, nothing read past its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from hub.schemas.compatibility import Break, Direction, breaks_in, earlier
from hub.schemas.registry import Registry, Upcast
from hub.schemas.series import Mode, Series, Version
from hub.schemas.versions import split
from hub.workspace.files.schemas import Schema
from hub.workspace.kinds import FileKind
from hub.workspace.source.json_places import place_of, steps_to
from hub.workspace.source.lint import Lints, Place
from hub.workspace.source.yaml_source import Keyed, Listed, Node, text_of

#: As many breaks of one version are told at once.
_MOST_BREAKS = 10


def upcasts_in(nodes: Mapping[str, Node]) -> list[Upcast]:
    """Give the mappings between two versions of one series, also of files that could not be compiled."""
    found = []
    for node in nodes.values():
        if isinstance(node, Keyed):
            source, target = text_of(node.get("from")), text_of(node.get("to"))
            if is_upcast(source, target):
                found.append(Upcast(mapping=text_of(node.get(FileKind.MAPPING)), source=source, target=target))
    return found


def is_upcast(source: str, target: str) -> bool:
    """Tell whether a mapping between these schemas is between two versions of one series."""
    return source != target and bool(split(source)[1]) and split(source)[0] == split(target)[0]


def lint_promises(
    registry: Registry,
    schemas: Mapping[str, Schema],
    files: Mapping[str, bytes],
    lints: Mapping[str, Lints],
    series_files: Mapping[str, tuple[str, Place]],
) -> None:
    """Add a lint for each promise that a version breaks, at the field in its file.

    A direction that an upcast leads in is not looked at: records go through the upcast there. A schema of a connector
    has no file here; what is wrong with it is told at the series file that makes the promise.
    """
    for name, series in registry.by_name.items():
        if series.mode is Mode.NONE or name not in series_files:
            continue
        for index, version in enumerate(series.versions[1:], start=2):
            broken = _broken(registry, series, index)
            schema = schemas[version.name]
            for old, one in broken[:_MOST_BREAKS]:
                message = f"`{version.name}` is not {series.mode.value} compatible with `{old.name}`: {one.detail}"
                if schema.path in files:
                    place: Place = place_of(files[schema.path], steps_to(schema.document, one.path))
                    lints[schema.path].error(place, "incompatible-version", message, _remedy(one, old, version))
                else:
                    path, place = series_files[name]
                    lints[path].error(place, "incompatible-version", message, _remedy(one, old, version))


def _broken(registry: Registry, series: Series, index: int) -> list[tuple[Version, Break]]:
    version = series.versions[index - 1]
    broken = []
    for name in earlier([one.name for one in series.versions[:index]], series.mode):
        old = registry.version(name)
        ways = {Direction.BACKWARD: (name, version.name), Direction.FORWARD: (version.name, name)}
        for direction in _promised(series.mode):
            if registry.chain(*ways[direction]) is None:
                broken += [(old, one) for one in breaks_in(old.document, version.document, direction)]
    return broken


def _promised(mode: Mode) -> list[Direction]:
    return [Direction.BACKWARD] * mode.backward + [Direction.FORWARD] * mode.forward


def _remedy(one: Break, old: Version, new: Version) -> str:
    written, read = (old, new) if one.direction is Direction.BACKWARD else (new, old)
    loosen = "Make the field optional, write" if one.kind == "required" else "Undo it, write"
    return f"{loosen} a mapping from `{written.name}` to `{read.name}`, or begin a new series."


def lint_upcasts(nodes: Mapping[str, Node], lints: Mapping[str, Lints]) -> None:
    """Add a lint for each upcast that wants to be given something: whoever reads an old record has nothing to give."""
    for path, node in nodes.items():
        if not isinstance(node, Keyed) or not is_upcast(text_of(node.get("from")), text_of(node.get("to"))):
            continue
        given = node.get("given")
        if isinstance(given, Listed) and given.items:
            message = (
                "A mapping between two versions of one schema is given nothing: it is applied wherever one is read."
            )
            lints[path].error(node.entries["given"].key, "upcast-given", message, "Read it from the record itself.")


def lint_ends(registry: Registry, nodes: Mapping[str, Node], lints: Mapping[str, Lints], today: date | None) -> None:
    """Warn of each mapping of a deprecated version; from its sunset on that is an error.

    Without `today`, a version is deprecated as soon as its series says when it will be. Upcasts are there to read
    old versions, and are left alone.
    """
    for path, node in nodes.items():
        if not isinstance(node, Keyed):
            continue
        source, target = text_of(node.get("from")), text_of(node.get("to"))
        for key, name in (("from", source), ("to", target)):
            if name in registry and not is_upcast(source, target):
                _lint_end(registry, name, node.entries[key].value, lints[path], today)


def _lint_end(registry: Registry, name: str, place: Place, lints: Lints, today: date | None) -> None:
    terms = registry.version(name).terms
    newer = _successor(registry, name, today)
    hint = f"Move to `{newer}`." if newer is not None else "No newer version is registered."
    if terms.sunset is not None and today is not None and today >= terms.sunset:
        lints.error(place, "sunset-version", f"`{name}` is gone since {terms.sunset}.", hint)
    elif terms.deprecated is not None and (today is None or today >= terms.deprecated):
        end = f" and goes on {terms.sunset}" if terms.sunset is not None else ""
        lints.warn(place, "deprecated-version", f"`{name}` is deprecated since {terms.deprecated}{end}.", hint)


def _successor(registry: Registry, name: str, today: date | None) -> str | None:
    """Give the newest version that stays; None when none is newer."""
    versions = registry.series(name).versions
    at = next(index for index, version in enumerate(versions) if version.name == name)
    later = versions[at + 1 :]
    staying = [
        version
        for version in later
        if version.terms.deprecated is None or (today is not None and today < version.terms.deprecated)
    ]
    chosen = staying or later
    return chosen[-1].name if chosen else None
