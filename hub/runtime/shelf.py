"""The shelf of bundles: the current one, and older ones as long as a run is pinned to them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hub.errors import NotFound, WorkspaceInvalid
from hub.store import bundles
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import read_files


def load_bundle(workspace: Path, catalogue: Catalogue) -> Bundle:
    """Compile the workspace in a folder; raises `WorkspaceInvalid` with its first mistakes."""
    bundle, lints = compile_bundle(read_files(workspace), catalogue)
    if bundle is None:
        mistakes = [str(lint) for lint in lints]
        raise WorkspaceInvalid(
            "The workspace has errors; run `concord check` to see them all.\n" + "\n".join(mistakes[:5]),
            errors=len(mistakes),
        )
    return bundle


class Shelf:
    """Gives the compiled bundle of a run; the files of every bundle that was ever current are in the database."""

    def __init__(self, current: Bundle, catalogue: Catalogue, database: Database) -> None:
        """Begin with the bundle that new events are handled by."""
        self.current = current
        self._catalogue = catalogue
        self._database = database
        self._compiled = {current.id: current}
        self._lock = asyncio.Lock()

    async def keep_current(self, committer: Committer, actor: str) -> None:
        """Store the current bundle's files before its first run."""
        current = self.current
        await committer.commit(
            Work(lambda tx: bundles.keep(tx, bundle_id=current.id, files=current.files, actor=actor))
        )

    async def get(self, bundle_id: str) -> Bundle:
        """Give a bundle by its id; raises `NotFound` when its files are gone, `WorkspaceInvalid` when unreadable."""
        found = self._compiled.get(bundle_id)
        if found is not None:
            return found
        async with self._lock:
            if bundle_id not in self._compiled:
                with self._database.reading() as connection:
                    files = bundles.files(connection, bundle_id)
                if files is None:
                    raise NotFound("The run's bundle is not stored here.", code="bundle-missing", bundle=bundle_id)
                bundle, lints = await asyncio.to_thread(compile_bundle, files, self._catalogue)
                if bundle is None:
                    raise WorkspaceInvalid(
                        "The run's bundle does not compile with the connectors installed now.",
                        bundle=bundle_id,
                        first=str(lints[0]) if lints else "",
                    )
                self._compiled[bundle_id] = bundle
        return self._compiled[bundle_id]
