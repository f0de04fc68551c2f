"""The browser's files, read once: our own, and those of other projects that the build put into `concord_assets`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from starlette.responses import Response

from hub.errors import Fatal, NotFound
from ui.headers import FOREVER, SECURITY_HEADERS

VENDOR_PACKAGE = "concord_assets"
_OWN = Path(__file__).parent / "static"
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """Files by name under one version, which changes whenever any of them does."""

    version: str
    files: Mapping[str, bytes]

    def url(self, name: str) -> str:
        """Give a file's address; raises `NotFound`."""
        if name not in self.files:
            raise NotFound("There is no such file.", file=name)
        return f"/static/{self.version}/{name}"

    def answer(self, version: str, name: str) -> Response:
        """Give a file; raises `NotFound`, also for another version than the present one."""
        content = self.files.get(name)
        if content is None or version != self.version:
            raise NotFound("There is no such file.", file=name)
        media_type = _MEDIA_TYPES[Path(name).suffix]
        return Response(content, media_type=media_type, headers={**SECURITY_HEADERS, **FOREVER})


@cache
def assets() -> Assets:
    """Give all files, read at the first call; raises `Fatal` when the build has left out what the console needs."""
    files = {
        path.relative_to(_OWN).as_posix(): path.read_bytes()
        for path in sorted(_OWN.rglob("*"))
        if path.suffix in _MEDIA_TYPES
    }
    files |= {f"vendor/{name}": content for name, content in _vendor().items()}
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return Assets(version=whole.hexdigest()[:16], files=files)


def _vendor() -> dict[str, bytes]:
    try:
        folder = resources.files(VENDOR_PACKAGE)
        manifest = json.loads((folder / "manifest.json").read_bytes())
    except (ModuleNotFoundError, FileNotFoundError):
        raise Fatal(
            "The console's browser files are missing. Install the hub again (`pip install -e .`): its build adds them.",
            code="assets-missing",
            package=VENDOR_PACKAGE,
        ) from None
    found = {}
    for entry in manifest:
        content = (folder / entry["file"]).read_bytes()
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise Fatal("A browser file is not the one that was built in.", code="asset-changed", file=entry["file"])
        found[entry["file"]] = content
    return found
