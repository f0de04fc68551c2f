"""Checksums of recorded values: cheap enough for every step, and enough to see a bit that has flipped in one."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

#: What a step has recorded of the business.
_of_the_business = itemgetter("input", "output", "answer", "answer_schema", "error")
#: Stands between two values, and in no JSON.
_BETWEEN = "\x1f"


def of_step(row: Mapping[str, Any]) -> int:
    """Give the CRC-32 of a step's recorded values."""
    return zlib.crc32((_BETWEEN.join([value or "" for value in _of_the_business(row)]) + _BETWEEN).encode())
