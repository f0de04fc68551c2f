"""What is installed is whole: the browser files are those of their packages, and every library is asked for."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import packages_distributions
from importlib.resources import files
from pathlib import Path

from hub.workspace.starting import VERSIONS, starter_files
from tests.house.sources import PACKAGES, ROOT, found_in, imported, modules, tracked_files, tree

#: The standard test suite of the sdk is for those who test connectors; it brings its tools with it.
FOR_TESTS = ROOT / "hub/sdk/testing"
SHIPPED = [path for path in modules(*PACKAGES) if FOR_TESTS not in path.parents]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CARRIERS = packages_distributions()
#: Of the standard library of Pythons that may be newer than this one.
LATER = {"compression"}


def plain(name: str) -> str:
    """Give a distribution's name in its normal form."""
    return re.sub(r"[-_.]+", "-", name).lower()


def named(lines: Sequence[str]) -> set[str]:
    """Give the distributions that requirements name."""
    return {plain(name) for line in lines for name in re.findall(r"^[\w.-]+", line)}


DECLARED = named(PROJECT["project"]["dependencies"])
#: What an installation may lack: it is loaded where it is needed, and whoever needs it says what to install.
OPTIONAL = named([line for lines in PROJECT["project"]["optional-dependencies"].values() for line in lines])


def test_the_browser_files_are_the_ones_the_manifest_names() -> None:
    folder = files("concord_assets")
    manifest = json.loads(folder.joinpath("manifest.json").read_text(encoding="utf-8"))
    assert {entry["file"] for entry in manifest} == {"htmx.min.js", "htmx-sse.min.js"}
    for entry in manifest:
        assert hashlib.sha256(folder.joinpath(entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


def test_every_library_that_is_imported_is_declared() -> None:
    assert found_in(SHIPPED, _undeclared) == {}


def _undeclared(path: Path) -> list[str]:
    own = {*sys.stdlib_module_names, *LATER, *PACKAGES, "concord_assets", "concord_workspace"}
    at_once = _loaded_at_once(tree(path))
    found = set()
    for name, line in imported(path):
        module = name.partition(".")[0]
        carriers = {plain(one) for one in CARRIERS.get(module, [])}
        if module not in own and not carriers & (DECLARED if line in at_once else DECLARED | OPTIONAL):
            found.add(module)
    return sorted(found)


def _loaded_at_once(module: ast.Module) -> set[int]:
    """Give the lines of the imports that are made as a module is loaded; a type checker's own are not."""
    return {node.lineno for node in module.body if isinstance(node, ast.Import | ast.ImportFrom)}


def test_the_shipped_workspace_is_all_there() -> None:
    listed = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["workspace"]
    assert [folder for folder in listed if not (ROOT / folder).is_dir()] == []


def test_the_workspace_that_init_writes_is_packed_whole() -> None:
    """What git does not have, the build leaves out."""
    folder = ROOT / "hub/workspace/starter"
    tracked = {path.relative_to(folder).as_posix() for path in tracked_files() if folder in path.parents}
    assert {name for name in starter_files() if not name.startswith(VERSIONS)} == tracked
