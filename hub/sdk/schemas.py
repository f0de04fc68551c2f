"""A connector's schema files: `NAME@VERSION.json` in one folder, each a JSON Schema (2020-12)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hub.sdk.connector import JsonSchema
from hub.sdk.exact_json import loads


def load(folder: Path) -> Mapping[str, JsonSchema]:
    """Read every schema of a folder; a file's name without `.json` is the schema's name.

    Raises `FixData` for a file that is not JSON.
    """
    return {path.name.removesuffix(".json"): loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))}
