"""Where a running hub tells the command line how to reach it."""

from __future__ import annotations

import json
import os
from pathlib import Path

FILE_NAME = "hub.json"


def write_address(data: Path, url: str) -> None:
    """Tell the command line where this hub answers."""
    draft = data / f"{FILE_NAME}.{os.getpid()}"
    draft.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    draft.replace(data / FILE_NAME)


def read_address(data: Path) -> str | None:
    """Give the address of the hub that serves this data directory, if one says so."""
    try:
        url = json.loads((data / FILE_NAME).read_text())["url"]
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return str(url)


def forget_address(data: Path) -> None:
    """Say that no hub answers any more."""
    (data / FILE_NAME).unlink(missing_ok=True)
