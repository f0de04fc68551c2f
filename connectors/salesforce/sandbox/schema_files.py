"""Reads the objects that an org begins with from the files in `schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "schema"


def begin_with() -> dict[str, dict[str, Any]]:
    """Give name → declaration of every object, standard ones first; see `schema.py` for what a declaration says."""
    found: dict[str, dict[str, Any]] = {}
    for name in ("standard.json", "sales.json", "setup.json", "custom.json"):
        found |= json.loads((_FOLDER / name).read_bytes(), parse_float=str)
    return found
