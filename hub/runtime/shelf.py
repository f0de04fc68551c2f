"""The shelf of bundles: the current one, and older ones as long as a run is pinned to them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from hub.errors import NotFound, NotUnderstood, Refused, WorkspaceInvalid
from hub.store import bundles, revisions
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.revisions import How, NewRevision
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import read_files
from hub.workspace.origin import Origin

log = structlog.get_logger(__name__)


def load_bundle(workspace: Path, catalogue: Catalogue) -> Bundle:
    """Compile the workspace in a folder; raises `WorkspaceInvalid` with its first mistakes."""
    files = read_files(workspace)
    bundle, lints = compile_bundle(files, catalogue)
    if bundle is None:
        mistakes = [str(lint) for lint in lints]
        raise WorkspaceInvalid(
            "The workspace has errors; run `concord check` to see them all.\n" + "\n".join(mistakes[:5]),
            errors=len(mistakes),
        )
    return replace(bundle, origin=folder_origin(workspace, files))


def folder_origin(workspace: Path, files: Mapping[str, bytes]) -> Origin | None:
    """Tell on which commit a folder stands; None outside git, and where the repository cannot be read."""
    from hub.workspace.git import origin_of  # noqa: PLC0415 - not before a workspace is read from a folder

    try:
        return origin_of(workspace, files)
    except Exception as error:  # noqa: BLE001 - a damaged repository must not keep the hub from serving
        log.warning("workspace.no_commit", reason=f"{type(error).__name__}: {error}"[:300])
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a process begins with: the bundle, and how it is recorded; `how` is None when it is what serves already."""

    bundle: Bundle
    how: How | None
    after: int | None


def begin(workspace: Path, environment: str, catalogue: Catalogue, database: Database) -> Beginning:
    """Choose the bundle that serves from a start on.

    An environment whose published file has `publish:` serves what was published last; any other takes the folder. The
    first start takes the folder. Raises `WorkspaceInvalid` when the bundle that is to serve does not compile.
    """
    with database.reading() as connection:
        published = revisions.current(connection, environment=environment)
        files = None if published is None else bundles.files(connection, published["bundle"])
    if published is None or files is None:
        after = None if published is None else published["number"]
        return Beginning(bundle=load_bundle(workspace, catalogue), how=How.FIRST, after=after)
    served, lints = compile_bundle(files, catalogue)
    if served is not None and environment in served.environments and served.environments[environment].governed:
        return Beginning(bundle=replace(served, origin=_origin(published)), how=None, after=published["number"])
    if served is None and _asks_to_publish(files, environment):
        raise WorkspaceInvalid(
            f"Revision {published['number']} does not compile with the connectors installed now. Install those it was "
            "published with, and publish a revision that fits before changing them.",
            code="revision-broken",
            first=str(lints[0]) if lints else "",
        )
    folder = load_bundle(workspace, catalogue)
    how = None if folder.id == published["bundle"] else How.START
    return Beginning(bundle=folder, how=how, after=published["number"])


def begin_published(environment: str, catalogue: Catalogue, database: Database) -> Beginning:
    """Take the bundle that serves already, for a process that has no workspace of its own.

    Raises `Refused` where nothing serves yet, `WorkspaceInvalid` where this process cannot make sense of what does.
    """
    with database.reading() as connection:
        published = revisions.current(connection, environment=environment)
        files = None if published is None else bundles.files(connection, published["bundle"])
    if published is None or files is None:
        raise Refused(
            f"Nothing serves the environment {environment} in this database yet. Start a process with the role api "
            "first (`concord serve`): it brings the workspace.",
            code="nothing-published",
        )
    bundle, lints = compile_bundle(files, catalogue)
    if bundle is None:
        raise WorkspaceInvalid(
            f"Revision {published['number']} does not compile with the connectors installed here. Install those that "
            "the other processes have.",
            code="revision-broken",
            first=str(lints[0]) if lints else "",
        )
    return Beginning(bundle=replace(bundle, origin=_origin(published)), how=None, after=published["number"])


def _asks_to_publish(files: Mapping[str, bytes], environment: str) -> bool:
    """Tell from the text whether an environment has `publish:`, where its bundle does not compile any more."""
    named = f"environment: {environment}\n".encode()
    return any(
        named in content + b"\n" and (content.startswith(b"publish:") or b"\npublish:" in content)
        for path, content in files.items()
        if path.startswith("environments/")
    )


def _origin(row: Mapping[str, Any]) -> Origin | None:
    return None if row["commit"] is None else Origin(commit=row["commit"], dirty=row["dirty"])


class Shelf:
    """Gives the compiled bundle of a run; the files of every bundle that was ever current are in the database."""

    def __init__(self, beginning: Beginning, environment: str, catalogue: Catalogue, database: Database) -> None:
        """Begin with the bundle that new events are handled by."""
        self.current = beginning.bundle
        self._beginning = beginning
        self._environment = environment
        self._catalogue = catalogue
        self._database = database
        self._compiled = {beginning.bundle.id: beginning.bundle}
        self._lock = asyncio.Lock()
        #: The revisions that this process cannot make sense of; others do what runs by them.
        self.refused: set[str] = set()

    async def keep_current(self, committer: Committer, actor: str) -> None:
        """Record what this process begins with, before its first run."""
        bundle, how, after = self.current, self._beginning.how, self._beginning.after
        commit = bundle.origin.commit if bundle.origin is not None else None
        dirty = bundle.origin.dirty if bundle.origin is not None else False
        if how is None:
            await committer.commit(
                Work(
                    lambda tx: bundles.keep(
                        tx, bundle_id=bundle.id, files=bundle.files, actor=actor, commit=commit, dirty=dirty
                    )
                )
            )
            return
        new = NewRevision(
            environment=self._environment,
            bundle=bundle.id,
            files=bundle.files,
            how=how,
            actor=actor,
            commit=commit,
            dirty=dirty,
        )

        def work(transaction: Transaction) -> None:
            standing = revisions.current(transaction.connection, environment=self._environment)
            # Of several processes that begin with one folder at once, the first has recorded it.
            if standing is None or standing["bundle"] != bundle.id:
                revisions.add(transaction, new, after=after)

        await committer.commit(Work(work))

    def switch(self, bundle: Bundle) -> None:
        """Let new events be handled by another bundle; runs in flight keep theirs."""
        self._compiled[bundle.id] = bundle
        self.current = bundle

    async def get(self, bundle_id: str) -> Bundle:
        """Give a bundle by its id; raises `NotFound` when its files are gone, `WorkspaceInvalid` when unreadable.

        Where other processes may understand it, that is `NotUnderstood`.
        """
        found = self._compiled.get(bundle_id)
        if found is not None:
            return found
        async with self._lock:
            if bundle_id in self.refused:
                raise NotUnderstood("The revision does not compile with what is installed here.", bundle=bundle_id)
            if bundle_id not in self._compiled:
                with self._database.reading() as connection:
                    files = bundles.files(connection, bundle_id)
                    origin = bundles.origin(connection, bundle_id)
                if files is None:
                    raise NotFound("The run's bundle is not stored here.", code="bundle-missing", bundle=bundle_id)
                bundle, lints = await asyncio.to_thread(compile_bundle, files, self._catalogue)
                if bundle is None:
                    facts = {"bundle": bundle_id, "first": str(lints[0]) if lints else ""}
                    if self._database.dialect != "sqlite":
                        self.refused.add(bundle_id)
                        raise NotUnderstood("The revision does not compile with what is installed here.", **facts)
                    raise WorkspaceInvalid(
                        "The run's bundle does not compile with the connectors installed now.", **facts
                    )
                known = None if origin is None else Origin(commit=origin[0], dirty=origin[1])
                self._compiled[bundle_id] = replace(bundle, origin=known)
        return self._compiled[bundle_id]
