"""Words about things of master data: what became of an id, and what was said of two records."""

from __future__ import annotations

from enum import StrEnum


class What(StrEnum):
    """What became of an id, or of a thing's place."""

    TIED = "tied"
    UNTIED = "untied"
    MERGED = "merged"
    SPLIT = "split"
    #: Another id of the system is the one that others are given, or this one is from here on.
    RANKED = "ranked"
    MOVED = "moved"


class PairState(StrEnum):
    """What is known of two records: nobody has said, they are about the same thing, or about different ones."""

    OPEN = "open"
    SAME = "same"
    DIFFERENT = "different"
