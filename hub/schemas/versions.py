"""Names of schemas: a series and a version, and which version is newer."""

from __future__ import annotations

import re

#: Longer versions are compared by their beginning; no vendor writes them.
_LONGEST = 80
_PARTS = re.compile(r"[0-9]+|[A-Za-z]+")
#: Words that stand before the version they announce: `2.0-rc1` is older than `2.0`.
_BEFORE = frozenset({"alpha", "beta", "dev", "pre", "preview", "rc", "snapshot"})
_ANNOUNCED, _END, _NUMBER, _WORD = range(4)

#: What versions are sorted by; every two versions that are written differently have different keys.
VersionKey = tuple[tuple[tuple[int, int, str], ...], str]


def split(name: str) -> tuple[str, str]:
    """Split a schema's name: `stripe.invoice@2025-09-30` is `stripe.invoice` and `2025-09-30`.

    The version is empty when the name has none.
    """
    if "@" not in name:
        return name, ""
    series, _, version = name.rpartition("@")
    return series, version


def join(series: str, version: str) -> str:
    """Make a schema's name of its series and version."""
    return f"{series}@{version}"


def version_key(version: str) -> VersionKey:
    """Give what versions are ordered by: dates, `2026.1`, `v2`, `17` and `2025-09-30.clover` by their numbers.

    A word after the numbers is newer than none (`2025-09-30.clover` follows `2025-09-30`), except those that announce
    a version (`2.0-rc1`).
    """
    return rank(version), version


def rank(version: str) -> tuple[tuple[int, int, str], ...]:
    """Give a version's place in the order; `v2`, `2` and `02` share theirs."""
    text = version[:_LONGEST].casefold()
    parts = _PARTS.findall(text)
    if len(parts) > 1 and parts[0] in {"v", "version"}:
        parts = parts[1:]
    return (*map(_part, parts), (_END, 0, ""))


def _part(part: str) -> tuple[int, int, str]:
    if part.isdigit():
        digits = part.lstrip("0")
        return _NUMBER, len(digits), digits
    return (_ANNOUNCED if part in _BEFORE else _WORD), 0, part
