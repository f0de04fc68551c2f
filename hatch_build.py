"""What the build adds to the packages: the browser files of other projects, and the workspace that ships.

The browser files are taken out of the packages that `[build-system].requires` names, so that they are neither kept in
git nor fetched by a browser from elsewhere, and their carriers are not installed with the hub. They form the package
`concord_assets`, with a `manifest.json` that tells where each came from.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ASSETS = "concord_assets"
WORKSPACE = "concord_workspace"


class BuildHook(BuildHookInterface[Any]):
    """Adds `concord_assets` to every build and `concord_workspace` to those that leave the source tree."""

    _made: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files to add; `version` is `editable` for an editable installation."""
        editable = version == "editable"
        included = build_data["force_include_editable" if editable else "force_include"]
        included.update(self._assets())
        if not editable:
            included.update(self._workspace())

    def _assets(self) -> dict[str, str]:
        files, manifest = {}, []
        for package, wanted in self.config["assets"].items():
            try:
                carrier = distribution(package)
            except PackageNotFoundError:
                raise SystemExit(f"The build needs the package {package}; is it in [build-system].requires?") from None
            for source, name in wanted.items():
                path = Path(str(carrier.locate_file(source)))
                if not path.is_file():
                    raise SystemExit(f"{package} {carrier.version} has no file {source}; name another one for {name}.")
                files[str(path)] = f"{ASSETS}/{name}"
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                manifest.append({"file": name, "package": package, "version": carrier.version, "sha256": digest})
        return {
            **files,
            self._make("manifest.json", json.dumps(manifest, indent=2) + "\n"): f"{ASSETS}/manifest.json",
            self._make(
                "assets.py", '"""Browser files of other projects, put here by the build."""\n'
            ): f"{ASSETS}/__init__.py",
        }

    def _workspace(self) -> dict[str, str]:
        folders = {self._make("workspace.py", '"""The workspace that ships."""\n'): f"{WORKSPACE}/__init__.py"}
        for name in self.config["workspace"]:
            path = Path(self.root) / name
            if not path.is_dir():
                raise SystemExit(f"The workspace folder {name} is missing; the wheel would ship without it.")
            folders[str(path)] = f"{WORKSPACE}/{name}"
        return folders

    def _make(self, name: str, text: str) -> str:
        """Write a file that goes into the build only; the folder goes away when the build ends."""
        if self._made is None:
            self._made = tempfile.TemporaryDirectory(prefix="concord-build-")
        path = Path(self._made.name) / name
        path.write_text(text, encoding="utf-8")
        return str(path)
