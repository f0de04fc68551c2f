"""`concord connectors new`: a connector package that works, to be changed into one's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from hub.errors import Conflict, FixData

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_TEMPLATE = "connector_template"


def make(name: str, into: Path, *, title: str = "") -> list[Path]:
    """Write the package of a new connector into a folder; gives the files written, relative to it.

    Raises `FixData` for a name that is none, and `Conflict` where the folder holds something: nothing is overwritten.
    """
    if _NAME.fullmatch(name) is None:
        raise FixData(
            "A connector's name is lower-case letters, digits and `_`, and begins with a letter.",
            code="bad-name",
            name=name,
        )
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise Conflict("There is something in this folder; name another with --into.", code="not-empty", folder=into)
    words = name.replace("_", " ").split()
    given = {
        "name": name,
        "title": title or " ".join(word.capitalize() for word in words),
        "class_name": "".join(word.capitalize() for word in words),
        "package": f"concord_{name}",
        "distribution": f"concord-{name.replace('_', '-')}",
    }
    written = dict(_rendered(files("hub.cli").joinpath(_TEMPLATE), given))
    for path, text in written.items():
        place = into / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
    return sorted(written)


def _rendered(template: Traversable, given: Mapping[str, str]) -> list[tuple[Path, str]]:
    """Fill in every file of the template; its folder `package` and its schema take the connector's names."""
    # The files are code and data, not pages: nothing in them is to be escaped.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    found: list[tuple[Path, str]] = []
    for path, content in _files(template, Path()):
        parts = [given["package"] if part == "package" else part for part in path.parts]
        named = Path(*parts).with_suffix("")
        if named.parent.name == "schemas":
            named = named.with_name(f"{given['name']}.{named.name}")
        found.append((named, environment.from_string(content).render(given)))
    return found


def _files(folder: Traversable, above: Path) -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = []
    for each in folder.iterdir():
        if each.is_dir():
            found += _files(each, above / each.name)
        elif each.name.endswith(".j2"):
            found.append((above / each.name, each.read_text("utf-8")))
    return found
