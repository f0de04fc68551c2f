"""The crash sweep's cases with one file of the shipped workspace spoiled."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import hub
from hub.connections.registry import load_connectors
from hub.proof.invariants import Invariant
from hub.proof.simulation import campaign, playing, shipped
from hub.proof.simulation.cases import CASES
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import read_files

By = Callable[[re.Match[str]], str]
ROOT = Path(hub.__file__).resolve().parent.parent


def broken_by(case: str, file: str, pattern: str, by: By, monkeypatch: pytest.MonkeyPatch) -> set[Invariant]:
    """Give what does not hold after a case, with what the pattern finds in a flow or another file put differently."""
    campaign.be_quiet()
    files = read_files(ROOT)
    path = f"{file}.yaml" if "/" in file else f"flows/{file}.yaml"
    wrong, number = re.subn(pattern, by, files[path].decode())
    assert number
    bundle, lints = compile_bundle({**files, path: wrong.encode()}, catalogue_of([*load_connectors().values()]))
    assert bundle is not None, [str(lint) for lint in lints]
    monkeypatch.setattr(shipped, "compiled", lambda _engine="tax": bundle)
    found = playing.play(next(each for each in CASES if each.name == case), None).findings
    return {finding.invariant for finding in found}
