"""What the console needs from the process it is part of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hub.access.attempts import Attempts
from hub.access.directory import StoredDirectory
from hub.connections.accounts import Account
from hub.intake.backfills import Backfills
from hub.intake.polls import Polls
from hub.intake.schedules import Schedules
from hub.intake.streams import Streams
from hub.model.ambient import Ambient
from hub.operate.approvals import ApprovalOrders
from hub.operate.connecting import Connecting
from hub.operate.effects import EffectOrders
from hub.operate.events import EventOrders
from hub.operate.holds import HoldOrders
from hub.operate.orders import Orders
from hub.operate.runs import RunOrders
from hub.queries.alarms import Watched
from hub.queries.view import View
from hub.release.folder import FolderState
from hub.workspace.bundle import Bundle
from hub.workspace.lineage.tracing import Traced


class Changes(Protocol):
    """A number that rises with every group of changes."""

    @property
    def version(self) -> int:
        """Give the number now."""
        ...

    @property
    def closed(self) -> bool:
        """Tell whether the process is ending, and nothing more will be told."""
        ...

    async def wait(self, after: int, timeout: float) -> int:
        """Give the number once it is above `after`, or as it is when `timeout` seconds are over."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The collaborators of every page.

    - `title` and `colour` (`grey`, `blue`, `green`, `amber`, `red`) mark the environment on each page.
    - `bundle()` gives the revision of the workspace that new events are handled by.
    - `folder()` compares the workspace folder with it.
    - `polls` tells which streams are being read, and `watched` is what alarms look at.
    - `setup_token` lets whoever has read it on the server's terminal add the first administrator.
    - `traced` gives the lineage of a bundle.
    - `random` is a secure source of bytes; `https` says that browsers reach the console over TLS.
    """

    title: str
    colour: str
    view: View
    orders: Orders
    run_orders: RunOrders
    hold_orders: HoldOrders
    connecting: Connecting
    effect_orders: EffectOrders
    approval_orders: ApprovalOrders
    event_orders: EventOrders
    schedules: Schedules
    streams: Streams
    polls: Polls
    backfills: Backfills
    watched: Watched
    directory: StoredDirectory
    accounts: Mapping[str, Account]
    bundle: Callable[[], Bundle]
    folder: Callable[[], FolderState]
    changes: Changes
    ambient: Ambient
    setup_token: str = field(repr=False)
    random: Callable[[int], bytes] = field(repr=False)
    https: bool = False
    traced: Traced = field(default_factory=Traced, repr=False)
    attempts: Attempts = field(default_factory=Attempts, repr=False)
