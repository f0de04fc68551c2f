"""Patterns of JSON Schemas, as far as Python reads them alike."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None


def matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern is found in a text; one that Python cannot read is found in all, to be careful."""
    compiled = _compiled(pattern)
    return compiled is None or compiled.search(text) is not None


def surely_matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern is found in a text; one that Python cannot read is found in none."""
    return _compiled(pattern) is not None and matches(pattern, text)
