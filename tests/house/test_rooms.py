"""ARCHITECTURE.md tells the truth about the rooms, and files are where and as one expects them."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.sources import PACKAGES, ROOT, imported, modules, shown, tracked_files, tree

#: Names that say nothing about what is inside.
EMPTY_NAMES = {"base", "common", "core", "helper", "helpers", "manager", "misc", "stuff", "tools", "util", "utils"}
#: Rooms whose package file passes on the one name that people outside the project import from it.
DOORS = {"hub/expressions/__init__.py": {"hub.expressions.compiler", "hub.expressions.compiler.compile"}}
#: A file near this size wants splitting by noun.
MOST_LINES = 500
PUBLISHED_ROW = re.compile(r"^\| `(?P<name>[\w./]+)` \| (?P<meaning>.*) \|$")


def packages() -> dict[str, str]:
    """Give each room of the hub, the connectors and the console with the first line of its docstring."""
    rooms = {shown(path.parent).replace("/", "."): path for path in modules("hub") if _is_room(path)}
    files = {**rooms, "hub.errors": ROOT / "hub/errors.py"}
    files |= {name: ROOT / name / "__init__.py" for name in ("connectors", "ui")}
    return {name: (ast.get_docstring(tree(path)) or "").partition("\n")[0] for name, path in files.items()}


def _is_room(path: Path) -> bool:
    return path.name == "__init__.py" and path.parent.parent == ROOT / "hub"


def layers() -> list[set[str]]:
    """Give the rooms of `hub`, high to low, as the import contract declares them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [one for one in project["tool"]["importlinter"]["contracts"] if one.get("exhaustive")]
    return [{room.strip(" ()") for room in line.split("|")} for line in contract["layers"]]


def test_the_table_of_rooms_is_what_the_packages_say_of_themselves() -> None:
    rows = (PUBLISHED_ROW.match(line) for line in (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines())
    table = {row["name"]: row["meaning"] for row in rows if row}
    wrong = [f"| `{name}` | {meaning} |" for name, meaning in packages().items() if table.get(name) != meaning]
    assert not wrong, "ARCHITECTURE.md should say:\n" + "\n".join(wrong)
    assert set(table) == set(packages())


def test_the_table_lists_rooms_from_high_to_low() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `hub\.(\w+)`", text, flags=re.MULTILINE)
    rank = {room: number for number, line in enumerate(layers()) for room in line}
    assert [rank[room] for room in listed] == sorted(rank[room] for room in listed)


@pytest.mark.parametrize("path", modules(*PACKAGES, "tests", "bench"), ids=shown)
def test_a_module_has_a_telling_name_a_docstring_and_a_size_one_can_read(path: Path) -> None:
    assert path.stem not in EMPTY_NAMES
    assert not {part for part in path.relative_to(ROOT).parts if part in EMPTY_NAMES}
    assert ast.get_docstring(tree(path)), "say in one sentence what this file is for"
    assert len(path.read_text(encoding="utf-8").splitlines()) < MOST_LINES


@pytest.mark.parametrize("path", [path for path in modules(*PACKAGES) if path.name == "__init__.py"], ids=shown)
def test_a_package_file_holds_its_docstring_and_no_code(path: Path) -> None:
    parts = path.relative_to(ROOT).parts
    if parts[0] == "connectors" and len(parts) == 3:
        functions = [node for node in tree(path).body if isinstance(node, ast.FunctionDef)]
        assert [function.name for function in functions] == ["concord_connector"]
        allowed: tuple[type[ast.stmt], ...] = (ast.Expr, ast.Import, ast.ImportFrom, ast.FunctionDef)
    elif shown(path) in DOORS:
        assert {name for name, _ in imported(path)} <= DOORS[shown(path)]
        allowed = (ast.Expr, ast.ImportFrom)
    else:
        allowed = (ast.Expr,)
    assert all(isinstance(node, allowed) for node in tree(path).body)


@pytest.mark.parametrize("path", modules("hub/model", "hub/errors.py"), ids=shown)
def test_the_nouns_need_the_standard_library_only(path: Path) -> None:
    outside = {name for name, _ in imported(path) if name.split(".")[0] not in {*sys.stdlib_module_names, "hub"}}
    assert not outside


def test_every_connector_has_the_same_files() -> None:
    names = {path.parent.name for path in modules("connectors") if len(path.relative_to(ROOT).parts) == 3}
    have = {shown(path) for path in tracked_files()}
    expected = ("manifest.yaml", "settings.py", "operations.py", "failures.py", "README.md", "sandbox/__init__.py")
    missing = {f"connectors/{name}/{file}" for name in names for file in expected} - have
    # A connector without a network stands in for nobody.
    embedded = {
        name for name in names if "embedded=" in (ROOT / "connectors" / name / "connector.py").read_text("utf-8")
    }
    assert missing == {f"connectors/{name}/sandbox/__init__.py" for name in embedded}
