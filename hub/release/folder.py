"""The workspace folder beside what is served."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hub.errors import HubError
from hub.workspace.bundle import Bundle, bundle_id
from hub.workspace.loader import read_files


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderState:
    """Whether the folder differs from what is served, or why it cannot be read."""

    differs: bool
    bundle: str | None = None
    problem: str | None = None


def folder_state(workspace: Path, served: Bundle) -> FolderState:
    """Compare the folder as it is now with the bundle that is served."""
    try:
        here = bundle_id(read_files(workspace))
    except (HubError, OSError) as error:
        return FolderState(differs=True, problem=str(error))
    return FolderState(differs=here != served.id, bundle=here)
