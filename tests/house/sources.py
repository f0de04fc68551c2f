"""The project's own files, as the house rules look at them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[2]
#: What ships: the packages that the wheel holds.
PACKAGES = ("hub", "connectors", "ui")

Found = TypeVar("Found", bound="list[Any]")


@cache
def tracked_files() -> tuple[Path, ...]:
    """Give every file that git keeps, and new ones that it does not ignore; outside git, every file of the tree."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if ".venv" not in path.parts and "__pycache__" not in path.parts]
    return tuple(sorted(path for path in paths if path.is_file()))


@cache
def modules(*folders: str) -> tuple[Path, ...]:
    """Give the Python files below these folders of the project."""
    roots = [ROOT / folder for folder in folders]
    return tuple(
        path
        for path in tracked_files()
        if path.suffix == ".py" and any(path == root or root in path.parents for root in roots)
    )


@cache
def tree(path: Path) -> ast.Module:
    """Read a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def shown(path: Path) -> str:
    """Give a path as it is written in messages."""
    return path.relative_to(ROOT).as_posix()


@cache
def _walked(path: Path) -> tuple[list[tuple[str, ast.Call]], list[tuple[str, int]]]:
    """Walk through a file once, for its calls and its imports."""
    called: list[tuple[str, ast.Call]] = []
    names: list[tuple[str, int]] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            if name := dotted(node.func):
                called.append((name, node))
        elif isinstance(node, ast.Import):
            names += [(name.name, node.lineno) for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append((node.module, node.lineno))
            names += [(f"{node.module}.{name.name}", node.lineno) for name in node.names]
    return called, names


def forget() -> None:
    """Let go of what was read."""
    tree.cache_clear()
    _walked.cache_clear()


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    """Give each call in a file with the dotted name of what is called, as written (`yaml.load`)."""
    return _walked(path)[0]


def imported(path: Path) -> list[tuple[str, int]]:
    """Give the full name of each import in a file, with its line."""
    return _walked(path)[1]


def found_in(paths: Iterable[Path], look: Callable[[Path], Found]) -> dict[str, Found]:
    """Give what is found in each file where something is: one test for all files costs less than a test for each."""
    return {shown(path): found for path in paths if (found := look(path))}


def dotted(node: ast.expr) -> str:
    """Give `a.b.c` for such an expression, and nothing for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""
