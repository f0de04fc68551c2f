"""Checksums of recorded values: cheap enough for every step, and enough to see a bit that has flipped in one."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

#: What a step has recorded of the business.
_STEP = ("input", "output", "answer", "answer_schema", "error")
#: Stands between two values, and in no JSON.
_BETWEEN = b"\x1f"


def of_step(row: Mapping[str, Any]) -> int:
    """Give the CRC-32 of a step's recorded values."""
    checksum = 0
    for name in _STEP:
        value = row[name]
        checksum = zlib.crc32(_BETWEEN if value is None else value.encode() + _BETWEEN, checksum)
    return checksum
