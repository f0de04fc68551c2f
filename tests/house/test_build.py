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
    return [name for name, carriers in _outside(path) if not carriers & (DECLARED | OPTIONAL)]


def _outside(path: Path, *, at_once: bool = False) -> list[tuple[str, set[str]]]:
    """Give what a module imports of others than us, with what carries it; or only what is loaded with the module."""
    own = {*sys.stdlib_module_names, *LATER, *PACKAGES, "concord_assets", "concord_workspace"}
    lines = {node.lineno for node in tree(path).body if isinstance(node, ast.Import | ast.ImportFrom)}
    found = {name.partition(".")[0] for name, line in imported(path) if line in lines or not at_once} - own
    return [(name, {plain(one) for one in CARRIERS.get(name, [])}) for name in sorted(found)]


def test_what_need_not_be_installed_is_loaded_only_where_it_is_used() -> None:
    """A module that is loaded with it is loaded with no other, but with those that are so too."""
    need = {path for path in SHIPPED if any(one and one <= OPTIONAL for _, one in _outside(path, at_once=True))}
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in need}
    assert names
    assert found_in([path for path in SHIPPED if path not in need], lambda path: _at_once(path, names)) == {}


def _at_once(path: Path, names: set[str]) -> list[str]:
    nodes = [node for node in tree(path).body if isinstance(node, ast.ImportFrom | ast.Import)]
    found = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return sorted(found & names)


def test_the_shipped_workspace_is_all_there() -> None:
    listed = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["workspace"]
    assert [folder for folder in listed if not (ROOT / folder).is_dir()] == []


def test_the_workspace_that_init_writes_is_packed_whole() -> None:
    """What git does not have, the build leaves out."""
    folder = ROOT / "hub/workspace/starter"
    tracked = {path.relative_to(folder).as_posix() for path in tracked_files() if folder in path.parents}
    assert {name for name in starter_files() if not name.startswith(VERSIONS)} == tracked
