"""Find a workspace and read its files: only the known folders, within limits, without links that lead out."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import hub
from hub.errors import NotFound, WorkspaceInvalid

#: Folder → endings of the files in it that belong to the workspace.
FOLDERS: Mapping[str, tuple[str, ...]] = {
    "flows": (".yaml", ".yml"),
    "mappings": (".yaml", ".yml", ".json", ".csv"),
    "policies": (".yaml", ".yml", ".json"),
    "schemas": (".json", ".yaml", ".yml"),
    "tax": (".csv",),
    "connections": (".yaml", ".yml"),
    "environments": (".yaml", ".yml"),
    "docs/runbooks": (".md",),
}
MAX_FILE = 1024 * 1024
MAX_FILES = 5_000
MAX_TOTAL = 64 * 1024 * 1024
#: The package in a wheel that carries the shipped workspace.
PACKAGE = "concord_workspace"


class Intake:
    """The files of one workspace as they are read; refuses what is larger than any real workspace."""

    def __init__(self, place: str) -> None:
        """Name where they are read, for messages."""
        self.files: dict[str, bytes] = {}
        self._place = place
        self._total = 0

    def take(self, name: str, size: int, read: Callable[[], bytes]) -> None:
        """Take one more file; it is read only when its size is right. Raises `WorkspaceInvalid`."""
        self._total += size
        if size > MAX_FILE:
            raise WorkspaceInvalid("A file is too large.", path=name, bytes=size, limit=MAX_FILE)
        if self._total > MAX_TOTAL or len(self.files) >= MAX_FILES:
            raise WorkspaceInvalid(
                "The workspace is too large.", folder=self._place, files=len(self.files), bytes=self._total
            )
        self.files[name] = read()


def read_files(folder: Path) -> dict[str, bytes]:
    """Read the workspace's files as `{relative path with /: bytes}`.

    Raises `NotFound` when the folder has no flows, `WorkspaceInvalid` when it is larger than any real workspace.
    """
    if not (folder / "flows").is_dir():
        raise NotFound("This folder is no workspace: it has no `flows` folder.", folder=str(folder))
    root = folder.resolve()
    taken = Intake(str(folder))
    for path in _paths(folder):
        name = path.relative_to(folder).as_posix()
        if not path.resolve().is_relative_to(root):
            raise WorkspaceInvalid("A link leads out of the workspace.", path=name)
        taken.take(name, path.stat().st_size, path.read_bytes)
    return taken.files


def find_workspace(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """Find the workspace: the given one, `CONCORD_WORKSPACE`, `cwd` if it has flows, or the one that ships.

    Raises `NotFound` when the given one is not there.
    """
    named = explicit if explicit is not None else _named(environ)
    if named is not None:
        if named.exists() and not named.is_dir():
            raise NotFound("A workspace is a folder, and this is a file.", folder=str(named))
        if not named.is_dir():
            raise NotFound("There is no such workspace folder.", folder=str(named))
        return named
    candidates = [cwd, *shipped()]
    for candidate in candidates:
        if (candidate / "flows").is_dir():
            return candidate
    raise NotFound("There is no workspace here.", folder=str(cwd))


def _named(environ: Mapping[str, str]) -> Path | None:
    value = environ.get("CONCORD_WORKSPACE", "")
    return Path(value) if value else None


def shipped() -> Iterator[Path]:
    """Give the folders in which the workspace that ships may be: a built package's, else the source tree's."""
    found = importlib.util.find_spec(PACKAGE)
    if found is not None:
        yield from (Path(place) for place in found.submodule_search_locations or ())
    yield Path(hub.__file__).resolve().parent.parent


def _paths(folder: Path) -> Iterator[Path]:
    for name, endings in FOLDERS.items():
        inside = folder / name
        if inside.is_dir():
            yield from sorted(path for path in inside.rglob("*") if path.suffix in endings and path.is_file())
