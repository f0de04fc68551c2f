"""ARCHITECTURE.md tells the truth about the rooms, and files are where and as one expects them."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

from tests.house.sources import PACKAGES, ROOT, found_in, imported, modules, shown, tracked_files, tree

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


def test_a_module_has_a_telling_name_a_docstring_and_a_size_one_can_read() -> None:
    assert found_in(modules(*PACKAGES, "tests", "bench"), _hard_to_read) == {}


def _hard_to_read(path: Path) -> list[str]:
    wrong = [
        f"the name {part} says nothing" for part in (*path.relative_to(ROOT).parts, path.stem) if part in EMPTY_NAMES
    ]
    if not ast.get_docstring(tree(path)):
        wrong.append("say in one sentence what this file is for")
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines >= MOST_LINES:
        wrong.append(f"{lines} lines")
    return wrong


def test_a_package_file_holds_its_docstring_and_no_code() -> None:
    assert found_in([path for path in modules(*PACKAGES) if path.name == "__init__.py"], _more_than_a_docstring) == {}


def _more_than_a_docstring(path: Path) -> list[str]:
    parts, wrong = path.relative_to(ROOT).parts, []
    allowed: tuple[type[ast.stmt], ...] = (ast.Expr,)
    if parts[0] == "connectors" and len(parts) == 3:
        functions = [node.name for node in tree(path).body if isinstance(node, ast.FunctionDef)]
        if functions != ["concord_connector"]:
            wrong.append(f"defines {functions}")
        allowed = (ast.Expr, ast.Import, ast.ImportFrom, ast.FunctionDef)
    elif shown(path) in DOORS:
        wrong += [name for name, _ in imported(path) if name not in DOORS[shown(path)]]
        allowed = (ast.Expr, ast.ImportFrom)
    return [*wrong, *(f"code in line {node.lineno}" for node in tree(path).body if not isinstance(node, allowed))]


def test_the_nouns_need_the_standard_library_only() -> None:
    assert found_in(modules("hub/model", "hub/errors.py"), _outside) == {}


def _outside(path: Path) -> list[str]:
    return [name for name, _ in imported(path) if name.split(".")[0] not in {*sys.stdlib_module_names, "hub"}]


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
