"""`concord check`: every mistake of a workspace on one line each, with its place and what to write instead."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hub.connections.registry import BrokenPlugin, load_connectors
from hub.errors import HubError
from hub.sdk.exact_json import dumps
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.lint import Lint, Severity
from hub.workspace.loader import find_workspace, read_files

_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def check(path: Path | None, json_output: bool) -> int:
    """Lint a workspace and print what is wrong; gives the exit code: 1 when there are errors, else 0."""
    try:
        folder = find_workspace(path, os.environ, Path.cwd())
        files = read_files(folder)
    except HubError as error:
        lint = Lint(path=str(path or "."), line=1, column=1, code=error.code, message=str(error))
        return _report(None, [lint], json_output, Path())
    registry = load_connectors()
    bundle, lints = compile_bundle(files, catalogue_of([*registry.values()]))
    return _report(bundle, [*map(_broken, registry.broken), *lints], json_output, folder)


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


def _report(bundle: Bundle | None, lints: Sequence[Lint], json_output: bool, folder: Path) -> int:
    failed = any(lint.severity is Severity.ERROR for lint in lints)
    if json_output:
        sys.stdout.write(
            dumps({"ok": not failed, "bundle": bundle and bundle.id, "lints": [*map(_as_json, lints)]}).decode()
        )
        sys.stdout.write("\n")
        return int(failed)
    console = Console(soft_wrap=True, highlight=False)
    for lint in lints:
        console.print(_line(replace(lint, path=_from_here(folder, lint.path))))
    console.print(_summary(bundle, lints))
    return int(failed)


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


def _summary(bundle: Bundle | None, lints: Sequence[Lint]) -> str:
    errors = sum(lint.severity is Severity.ERROR for lint in lints)
    if bundle is None:
        return f"{errors} {'error' if errors == 1 else 'errors'}."
    counts = ((len(bundle.flows), "flows"), (len(bundle.mappings), "mappings"), (len(bundle.schemas), "schemas"))
    warnings = f"; warnings: {len(lints)}" if lints else ""
    return f"No errors in {', '.join(f'{count} {name}' for count, name in counts)}{warnings}."


def _as_json(lint: Lint) -> dict[str, object]:
    return {
        "path": lint.path,
        "line": lint.line,
        "column": lint.column,
        "severity": lint.severity,
        "code": lint.code,
        "message": lint.message,
        "hint": lint.hint,
    }
