"""The crash sweep's cases with one file of the shipped workspace spoiled."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

import hub
from hub.connections.registry import load_connectors
from hub.proof.invariants import Finding, Invariant
from hub.proof.simulation import campaign, playing, sap, shipped
from hub.proof.simulation.cases import CASES
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import read_files

By = Callable[[re.Match[str]], str]
ROOT = Path(hub.__file__).resolve().parent.parent


def broken_by(case: str, file: str, pattern: str, by: By, monkeypatch: pytest.MonkeyPatch) -> set[Invariant]:
    """Give what does not hold after a case, with what the pattern finds in a flow or another file put differently."""
    found = played(case, {f"{file}.yaml" if "/" in file else f"flows/{file}.yaml": (pattern, by)}, monkeypatch)
    return {finding.invariant for finding in found}


def played(case: str, wrong: Mapping[str, tuple[str, By]], monkeypatch: pytest.MonkeyPatch) -> Sequence[Finding]:
    """Play a case with files in which each match of a pattern is replaced; gives what was found."""
    campaign.be_quiet()
    files = dict(read_files(ROOT))
    meant = next(each for each in CASES if each.name == case)
    if meant.erp == sap.VENDOR:
        path, old, new = sap.MOVED
        files[path] = files[path].replace(old, new)
    for path, (pattern, by) in wrong.items():
        text, number = re.subn(pattern, by, files[path].decode())
        assert number, path
        files[path] = text.encode()
    bundle, lints = compile_bundle(files, catalogue_of([*load_connectors().values()]))
    assert bundle is not None, [str(lint) for lint in lints]
    monkeypatch.setattr(shipped, "compiled", lambda *_how: bundle)
    return playing.play(meant, None).findings
