"""What a hub process is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub.runtime.roles import ALL, Role

DEFAULT_PORT = 8480
#: How many runs one worker has in hand at a time.
IN_HAND = 400
#: Why what is done to the database's file cannot be done; the sentence begins with what that is.
ON_SERVER = "is for data in a file, and this data is on PostgreSQL: use the server's own tools (docs/operations.md)."


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """One process: which data, which workspace, which environment, where it listens.

    `database` is the URL of the database where it is no file in the data directory; it may have a password in it.
    `replica` is that of a standby of it, which only what is shown is read from.
    `port` 0 takes a free one. `poll_seconds` is how often the vendors' streams are read besides the webhooks.
    `roles` is what the process is there for; one without the api reads no `workspace`, and takes what is published.
    `lease_seconds` is after which silence other processes, where some have the same data, go on with what it has.
    `in_hand` is how many runs its worker goes through at a time.
    """

    data: Path
    workspace: Path
    environment: str
    database: str | None = field(default=None, repr=False)
    replica: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    key_file: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    poll_seconds: float = 60.0
    lease_seconds: float = 10.0
    roles: frozenset[Role] = ALL
    in_hand: int = IN_HAND
    seed: int | None = None

    @property
    def of_one_account(self) -> int:
        """Give how many of the runs in hand may be at one account, so that a slow one does not stop the others."""
        return self.in_hand // 4 or 1
