"""A workspace read from its folder and compiled, for commands that work on files alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hub.connections.registry import BrokenPlugin, load_connectors
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue, catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import find_workspace, read_files
from hub.workspace.source.lint import Lint, Severity

_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A workspace's folder, what connectors it was checked with, its bundle (None after errors) and all its lints."""

    folder: Path
    catalogue: Catalogue
    bundle: Bundle | None
    lints: Sequence[Lint]


def open_workspace(path: Path | None) -> Opened:
    """Find, read and compile a workspace; raises a `HubError` when there is none."""
    folder = find_workspace(path, os.environ, Path.cwd())
    files = read_files(folder)
    registry = load_connectors()
    catalogue = catalogue_of([*registry.values()])
    bundle, lints = compile_bundle(files, catalogue, today=datetime.now(UTC).date())
    return Opened(folder=folder, catalogue=catalogue, bundle=bundle, lints=[*map(_broken, registry.broken), *lints])


def show_lints(console: Console, lints: Sequence[Lint], folder: Path) -> None:
    """Print each lint on one line, with its path as an editor started here opens it."""
    for lint in lints:
        console.print(_line(replace(lint, path=_from_here(folder, lint.path))), soft_wrap=True, highlight=False)


def _broken(plugin: BrokenPlugin) -> Lint:
    """Say which connector is missing because its package is broken; its connections are then unknown below."""
    message = f"The connector `{plugin.name}` of the package {plugin.package} cannot be loaded: {plugin.reason}."
    hint = "Install a version that fits, or take it out."
    return Lint(
        path="connectors",
        line=1,
        column=1,
        code="broken-connector",
        message=message,
        hint=hint,
        severity=Severity.WARNING,
    )


def _from_here(folder: Path, path: str) -> str:
    """Give a file's path as an editor started here opens it; the lints of one workspace all begin alike."""
    whole = folder / path
    if whole.is_absolute() and whole.is_relative_to(Path.cwd()):
        whole = whole.relative_to(Path.cwd())
    # A name that is not text on this machine must not keep its lint from being shown.
    return str(whole).encode("utf-8", "replace").decode()


def _line(lint: Lint) -> Text:
    place = f"{lint.path}:{lint.line}:{lint.column}: "
    line = Text(str(lint))
    line.stylize("bold", 0, len(place))
    line.stylize(_COLOURS[lint.severity], len(place), len(place) + len(lint.severity) + 1)
    return line
