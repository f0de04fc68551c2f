"""Where the files of a workspace came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A commit of the repository that holds the folder, and whether the files had changes on top of it."""

    commit: str
    dirty: bool = False

    def __str__(self) -> str:
        """Give the commit as people write it."""
        return self.commit[:10] + (" with changes" if self.dirty else "")
