"""The local token: whoever may read the hub's data directory may command the hub through its API."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hub.access.sessions import new_token

FILE_NAME = "api-token"


def write_local_token(data_directory: Path, random: Callable[[int], bytes]) -> str:
    """Make a new token and put it into the data directory (mode 0600), in place of an older one."""
    token = new_token(random)
    path = data_directory / FILE_NAME
    draft = path.with_name(f"{FILE_NAME}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token)
    draft.replace(path)
    return token


def read_local_token(data_directory: Path) -> str | None:
    """Give the token of the hub that serves this data directory; None when none was written."""
    try:
        return (data_directory / FILE_NAME).read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
