"""Copies of shipped connectors, with a mistake in their source."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from hub.sdk.connector import Connector
from hub.sdk.testing.samples import Samples

SHIPPED = Path(__file__).parents[2] / "connectors"
_NUMBERS: Iterator[int] = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A mistake: in this file of a connector's package, `old` is replaced by `new`, wherever it stands."""

    path: str
    old: str
    new: str


def copy(connector: str, into: Path, *edits: Edit) -> str:
    """Copy a connector's package with mistakes in it; gives the name under which it is imported from that folder."""
    package = f"copied_{connector}_{next(_NUMBERS)}"
    folder = into / package
    shutil.copytree(SHIPPED / connector, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.rglob("*.py"):
        path.write_text(path.read_text("utf-8").replace(f"connectors.{connector}", package), "utf-8")
    for edit in edits:
        text = (folder / edit.path).read_text("utf-8")
        assert edit.old in text, (
            f"{edit.path} of {connector} has changed: there is no {edit.old!r} to make a mistake of"
        )
        (folder / edit.path).write_text(text.replace(edit.old, edit.new), "utf-8")
    return package


def loaded(package: str) -> tuple[Connector, Samples]:
    """Import a copy; gives its connector and its samples."""
    connector = importlib.import_module(f"{package}.connector").CONNECTOR
    samples = importlib.import_module(f"{package}.samples").SAMPLES
    assert isinstance(connector, Connector)
    assert isinstance(samples, Samples)
    return connector, samples
