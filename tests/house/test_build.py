"""What is installed is whole: the browser files are those of their packages, and every library is asked for."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from importlib.resources import files
from pathlib import Path

from hub.workspace.starting import VERSIONS, starter_files
from tests.house.sources import PACKAGES, ROOT, found_in, imported, modules, tracked_files

#: The standard test suite of the sdk is for those who test connectors; it brings its tools with it.
FOR_TESTS = ROOT / "hub/sdk/testing"
SHIPPED = [path for path in modules(*PACKAGES) if FOR_TESTS not in path.parents]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: Which distributions have a module; of what newer Pythons bring themselves, the one that stands in for it.
CARRIERS = {**packages_distributions(), "compression": ["backports-zstd"]}


def plain(name: str) -> str:
    """Give a distribution's name in its normal form."""
    return re.sub(r"[-_.]+", "-", name).lower()


DECLARED = {plain(name) for line in PROJECT["project"]["dependencies"] for name in re.findall(r"^[\w.-]+", line)}


def test_the_browser_files_are_the_ones_the_manifest_names() -> None:
    folder = files("concord_assets")
    manifest = json.loads(folder.joinpath("manifest.json").read_text(encoding="utf-8"))
    assert {entry["file"] for entry in manifest} == {"htmx.min.js", "htmx-sse.min.js"}
    for entry in manifest:
        assert hashlib.sha256(folder.joinpath(entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


def test_every_library_that_is_imported_is_declared() -> None:
    assert found_in(SHIPPED, _undeclared) == {}


def _undeclared(path: Path) -> list[str]:
    own = {*sys.stdlib_module_names, *PACKAGES, "concord_assets", "concord_workspace"}
    outside = {name.partition(".")[0] for name, _ in imported(path)} - own
    return [name for name in sorted(outside) if not {plain(one) for one in CARRIERS.get(name, [])} & DECLARED]


def test_the_shipped_workspace_is_all_there() -> None:
    listed = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["workspace"]
    assert [folder for folder in listed if not (ROOT / folder).is_dir()] == []


def test_the_workspace_that_init_writes_is_packed_whole() -> None:
    """What git does not have, the build leaves out."""
    folder = ROOT / "hub/workspace/starter"
    tracked = {path.relative_to(folder).as_posix() for path in tracked_files() if folder in path.parents}
    assert {name for name in starter_files() if not name.startswith(VERSIONS)} == tracked
