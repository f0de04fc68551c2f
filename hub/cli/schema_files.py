"""What `concord schema` reads, compares and writes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from hub.cli.json_stream import read_values
from hub.cli.opened import open_workspace, show_lints
from hub.cli.output import errors
from hub.errors import FixData, NotFound, Refused, WorkspaceInvalid
from hub.expressions.compiler import compile
from hub.expressions.errors import ExpressionError
from hub.schemas.changes import Change, changes
from hub.schemas.compatibility import Break, Direction, breaks_in
from hub.schemas.registry import Registry
from hub.schemas.series import Mode, Version
from hub.schemas.versions import split
from hub.sdk.exact_json import dumps, loads
from hub.workspace.bundle import Bundle
from hub.workspace.checks.schema_use import SchemaUse
from hub.workspace.files.schemas import compile_schema
from hub.workspace.source.lint import Severity, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A schema to compare: a registered one or a file's, and what its series promises."""

    name: str
    document: Mapping[str, Any]
    mode: Mode = Mode.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed between two schemas, and what that breaks in each direction."""

    old: Named
    new: Named
    changes: tuple[Change, ...]
    breaks: Mapping[Direction, tuple[Break, ...]]

    @property
    def broken(self) -> bool:
        """Tell whether the promise of the old one's series is broken."""
        mode = self.old.mode
        backward, forward = self.breaks[Direction.BACKWARD], self.breaks[Direction.FORWARD]
        return bool((mode.backward and backward) or (mode.forward and forward))

    def as_json(self) -> dict[str, Any]:
        """Give it for machines."""
        return {
            "old": self.old.name,
            "new": self.new.name,
            "compatibility": self.old.mode,
            "broken": self.broken,
            "changes": [{"path": one.path, "kind": one.kind, "detail": one.detail} for one in self.changes],
            "breaks": {
                direction: [{"path": one.path, "kind": one.kind, "detail": one.detail} for one in found]
                for direction, found in self.breaks.items()
            },
        }


def open_bundle(workspace: Path | None) -> Bundle:
    """Compile the workspace; raises `WorkspaceInvalid` after printing what is wrong."""
    opened = open_workspace(workspace)
    if opened.bundle is None:
        show_lints(errors, [lint for lint in opened.lints if lint.severity is Severity.ERROR], opened.folder)
        raise WorkspaceInvalid
    return opened.bundle


def find_version(registry: Registry, name: str) -> Version:
    """Give a registered version, the latest when none is named; raises `NotFound` with what there is."""
    series, version = split(name)
    if series not in registry.by_name:
        raise NotFound(f"There is no schema `{series}`. {nearest(series, registry.by_name)}".strip())
    if not version:
        return registry.series(series).latest
    if name not in registry:
        known = ", ".join(f"`{one}`" for one in registry.versions(series))
        raise NotFound(f"There is no version `{version}` of `{series}`. Registered: {known}.")
    return registry.version(name)


def base_of(registry: Registry, name: str) -> Named | None:
    """Give the registered version that a draft begins from; None for a schema that is new."""
    version = split(name)[1]
    resolved = registry.resolve(name)
    if resolved is None:
        return None
    found = registry.version(resolved.name) if version else registry.series(name).latest
    return Named(name=found.name, document=found.document, mode=registry.series(name).mode)


def named_document(registry: Registry, name: str) -> Named:
    """Give a schema by its name or from a file; raises `NotFound` or `FixData`."""
    if name.endswith(".json") and Path(name).is_file():
        return Named(name=name, document=compile_schema(name, loads(Path(name).read_bytes())).document)
    version = find_version(registry, name)
    return Named(name=version.name, document=version.document, mode=registry.series(name).mode)


def compared(old: Named, new: Named) -> Comparison:
    """Compare two schemas in both directions."""
    return Comparison(
        old=old,
        new=new,
        changes=tuple(changes(old.document, new.document)),
        breaks={direction: tuple(breaks_in(old.document, new.document, direction)) for direction in Direction},
    )


def read_records(file: str) -> list[Any]:
    """Read the records of a file of JSON or JSON lines, or of stdin for `-`; raises `FixData` with the line."""
    if file == "-":
        found = list(read_values(sys.stdin.buffer))
    else:
        try:
            found = list(read_values(Path(file).read_bytes().splitlines(keepends=True)))
        except OSError as error:
            raise NotFound(f"{file} cannot be read: {error.strerror}.") from None
    for read in found:
        if read.problem is not None:
            raise FixData(f"{file}:{read.line}: {read.problem}", code="not-json")
    return [read.value for read in found]


def record_at(values: Sequence[Any], at: str) -> list[Any]:
    """Give the record in each value; a value that has none there is left out. Raises `Refused` for a wrong path."""
    try:
        expression = compile(at)
    except ExpressionError as error:
        raise Refused(f"`--at {at}` is no expression: {error.detail}") from None
    found = [expression(value) for value in values]
    return [record for record in found if record is not None]


def write_draft(path: Path, document: Mapping[str, Any]) -> None:
    """Write a schema as it stands in a workspace."""
    try:
        path.write_bytes(pretty(document) + b"\n")
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}.") from None


def pretty(document: Mapping[str, Any]) -> bytes:
    """Give a schema as JSON for people, numbers exact."""
    return msgspec.json.format(dumps(document), indent=2)


def state_of(version: Version, today: date) -> str:
    """Say whether a version may be used today."""
    terms = version.terms
    if terms.sunset is not None and today >= terms.sunset:
        return f"gone since {terms.sunset}"
    end = f", goes on {terms.sunset}" if terms.sunset is not None else ""
    if terms.deprecated is not None and today >= terms.deprecated:
        return f"deprecated since {terms.deprecated}{end}"
    if terms.deprecated is not None:
        return f"deprecated from {terms.deprecated} on{end}"
    return end.removeprefix(", ")


def version_as_json(version: Version, uses: Mapping[str, SchemaUse], today: date) -> dict[str, Any]:
    """Give a version's terms and users for machines."""
    use = uses.get(version.name, SchemaUse())
    return {
        "name": version.name,
        "version": version.version,
        "deprecated": version.terms.deprecated,
        "sunset": version.terms.sunset,
        "note": version.terms.note,
        "state": state_of(version, today),
        "mappings": list(use.mappings),
        "flows": list(use.flows),
    }
