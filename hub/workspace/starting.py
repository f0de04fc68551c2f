"""Begin a workspace: a small one that works, with examples, to be changed into one's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.errors import Refused
from hub.workspace.loader import shipped

_STARTER = Path(__file__).resolve().parent / "starter"
#: The mappings between Stripe's releases in the workspace that ships; of them a small workspace has those of invoices.
VERSIONS = "mappings/stripe/versions"
_OF_INVOICES = re.compile(r"invoice_(?!payment_|endive).*|.*_of_acacia\.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What was written below a folder, and which files were there already and were left as they are."""

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...] = ()


def starter_files() -> dict[str, bytes]:
    """Give the files of the small workspace by their relative path, with `/`.

    Beside its own it has the mappings by which invoices of Stripe's older releases are read as those of the newest one.
    """
    own = {path.relative_to(_STARTER).as_posix(): path.read_bytes() for path in _files(_STARTER)}
    folder = next(folder for folder in shipped() if (folder / VERSIONS).is_dir())
    versions = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in _files(folder / VERSIONS)
        if _OF_INVOICES.fullmatch(path.name)
    }
    return own | versions


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)


def start_workspace(folder: Path, files: Mapping[str, bytes], *, beside: bool = False) -> Started:
    """Write the files into a folder, which is made when it is not there.

    Raises `Refused` when something stands in its place, or when it is not empty; with `beside` they are written beside
    what is there, and no file is overwritten.
    """
    if folder.exists() and not folder.is_dir():
        raise Refused("This is a file, and no folder.", code="not-a-folder", path=str(folder))
    if not beside and folder.is_dir() and any(folder.iterdir()):
        detail = "The folder is not empty. Name an empty or a new one, or add --force to write beside what is there."
        raise Refused(detail, code="folder-not-empty", folder=str(folder))
    written, kept = [], []
    for name, content in files.items():
        path = folder / name
        if path.exists():
            kept.append(name)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(name)
    return Started(folder=folder, written=tuple(written), kept=tuple(kept))
