"""Orders on holds: a person lets a run, a key, a flow or a connection stand still, and lets it go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.audit.entry import is_plain
from hub.errors import FixData, NotFound
from hub.model.ambient import Ambient
from hub.model.hold import HoldKind
from hub.operate.orders import Orders
from hub.store import hold_orders
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.workspace.bundle import Bundle

#: Reasons are for people; a longer one is a document.
LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is held: a run or a flow by its `name`, a key of the flow `name`, or a connection."""

    kind: HoldKind
    name: str
    key: str = ""


class HoldOrders:
    """Carries out holds in one environment; `actor` is who gave the order."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        database: Database,
        committer: Committer,
        orders: Orders,
        bundle: Callable[[], Bundle],
    ) -> None:
        """Take the collaborators; connections are paused by `orders`, since that is what their hold is."""
        self._environment = environment
        self._ambient = ambient
        self._database = database
        self._committer = committer
        self._orders = orders
        self._bundle = bundle

    async def hold(self, what: Held, *, reason: str, actor: str) -> None:
        """Let nothing new of it go out from the moment this returns; what is on its way ends and is recorded.

        Raises `FixData` without a reason, `NotFound` for what does not exist, `Conflict` for what is held already.
        """
        reason = said(reason)
        if what.kind is HoldKind.CONNECTION:
            await self._orders.set_connection(what.name, active=False, reason=reason, actor=actor)
            return
        self._known(what)
        new_id = self._ambient.new_id("hold")

        def work(transaction: Transaction) -> Mapping[str, Any]:
            return hold_orders.place(
                transaction,
                new_id=new_id,
                environment=self._environment,
                kind=what.kind,
                name=what.name,
                key=what.key,
                reason=reason,
                actor=actor,
            )

        await self._committer.commit(Work(work))

    async def resume(self, what: Held, *, reason: str = "", actor: str) -> None:
        """Let it and all runs that wait for it go on; `Conflict` when nobody holds it."""
        if what.kind is HoldKind.CONNECTION:
            await self._orders.set_connection(what.name, active=True, reason=reason.strip(), actor=actor)
            return

        def work(transaction: Transaction) -> Mapping[str, Any]:
            return hold_orders.lift(
                transaction,
                environment=self._environment,
                kind=what.kind,
                name=what.name,
                key=what.key,
                reason=reason.strip()[:LONGEST_REASON],
                actor=actor,
            )

        await self._committer.commit(Work(work))

    def _known(self, what: Held) -> None:
        """Refuse to hold a flow that nobody knows: the name would be a slip, and nothing would stand still."""
        if what.kind is HoldKind.RUN:
            return
        if (what.kind is HoldKind.KEY) != bool(what.key):
            raise FixData("A key is held with its flow, and a flow without a key.", code="no-key")
        if not is_plain(what.name) or not self._has_flow(what.name):
            raise NotFound("There is no such flow.", flow=what.name, known=", ".join(sorted(self._bundle().flows)))

    def _has_flow(self, name: str) -> bool:
        if name in self._bundle().flows:
            return True
        with self._database.reading() as connection:
            return hold_orders.has_flow(connection, environment=self._environment, flow=name)


def said(reason: str) -> str:
    """Give the reason of an order; `FixData` when there is none, since the next person will want to know."""
    if not reason.strip():
        raise FixData("Say why; whoever comes next will want to know.", code="no-reason")
    return reason.strip()[:LONGEST_REASON]
