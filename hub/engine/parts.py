"""What the engine works with, passed in as values so that a composition decides and a simulation can replace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

from hub.connections.accounts import Account
from hub.engine.drift import Drift
from hub.model.ambient import Ambient
from hub.store.committer import Committer
from hub.store.database import Database
from hub.store.marks import Restored
from hub.workspace.bundle import Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The collaborators of one worker.

    `bundle(id)` gives a compiled revision of the workspace, and `current` the one that serves now, whose policies guard
    the connections; `accounts` are the environment's connections by name; `worker` names this process in leases and in
    the audit. `capacity` is how many runs it has in hand at a time. `restored` tells from which moment the data is,
    where it was brought back from a backup: what was done between then and the restore, it does not know. `refused` are
    revisions that this process cannot make sense of: what runs by them is left to others.
    """

    environment: str
    worker: str
    ambient: Ambient
    database: Database
    committer: Committer
    accounts: Mapping[str, Account]
    bundle: Callable[[str], Awaitable[Bundle]]
    current: Callable[[], Bundle]
    capacity: int
    restored: Restored | None = None
    refused: Collection[str] = ()
    drift: Drift = field(init=False)

    def __post_init__(self) -> None:
        """Make the comparison of what is read, which remembers what it has compiled."""
        object.__setattr__(self, "drift", Drift(environment=self.environment, ambient=self.ambient))
