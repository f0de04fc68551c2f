"""The orders of people and tokens; each is one durable change with its audit entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.audit.entry import is_plain
from hub.connections.accounts import Account
from hub.errors import FixData, NotFound
from hub.model.ambient import Ambient
from hub.operate.things import ThingOrders
from hub.store import cases, connections, crossrefs, runs
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database


class Orders:
    """Carries out orders in one environment; `actor` is who gave it, such as `person:p_1` or `local`."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        database: Database,
        committer: Committer,
        accounts: Mapping[str, Account],
    ) -> None:
        """Take the collaborators."""
        self._environment = environment
        self._ambient = ambient
        self._database = database
        self._committer = committer
        self._accounts = accounts
        #: What people say about things: what is one, and where it stands.
        self.things = ThingOrders(environment=environment, ambient=ambient, committer=committer)

    async def assign_case(self, case_id: str, *, owner: str | None, actor: str) -> None:
        """Give an exception an owner (a person's id), or take it away."""
        if owner is not None and not is_plain(owner):
            raise FixData("An owner is named by an id, without blanks.", code="bad-owner")
        await self._committer.commit(Work(lambda tx: cases.assign(tx, case_id, owner=owner, actor=actor)))

    async def close_case(self, case_id: str, *, resolution: str, actor: str) -> None:
        """Close an exception that was settled outside the hub; its run stays parked, and later ones go on."""
        if not resolution.strip():
            raise FixData("Say how the exception was settled.", code="no-resolution")
        await self._committer.commit(Work(lambda tx: cases.close(tx, case_id, resolution=resolution, actor=actor)))

    async def link(self, entity: str, rows: Sequence[Mapping[str, str]], *, actor: str, replace: bool = False) -> int:
        """Tie ids together: each row maps system to id. Runs that wait for them go on. Gives the number of rows."""
        names = {entity, *(system for row in rows for system in row)}
        if not all(map(is_plain, names)):
            raise FixData("Entities and systems are named by words without blanks.", code="bad-crossref")

        def work(transaction: Transaction) -> int:
            woken: list[str] = []
            for row in rows:
                if len(row) < 2 or not all(row.values()):
                    raise FixData(
                        "A crossref names one thing in at least two systems: {system: id, system: id}.",
                        code="bad-crossref",
                        row=dict(row),
                    )
                link = crossrefs.Link(
                    environment=self._environment,
                    entity=entity,
                    ids=row,
                    thing=self._ambient.new_id("thing"),
                    actor=actor,
                    replace=replace,
                )
                woken.extend(crossrefs.put(transaction, link))
            runs.wake(transaction, woken)
            return len(rows)

        linked: int = await self._committer.commit(Work(work))
        return linked

    async def set_connection(self, name: str, *, active: bool, reason: str, actor: str) -> None:
        """Pause a connection, or let it and the runs that wait for it go on.

        Raises `NotFound`, `FixData` where it is to be paused without a reason, and `Conflict` where it is paused
        already or where nobody has paused it.
        """
        account = self._accounts.get(name)
        if account is None:
            raise NotFound("There is no such connection.", connection=name)
        if not active and not reason.strip():
            raise FixData("Say why the connection is paused: its runs wait, and people will ask.", code="no-reason")
        resting = account.paused is not None
        order = {"state": connections.ACTIVE if active else connections.PAUSED, "reason": reason, "actor": actor}
        await self._committer.commit(
            Work(
                lambda tx: connections.order_state(
                    tx, environment=self._environment, name=name, resting=resting, **order
                )
            )
        )
        # Looked up only now: a secret that was stored meanwhile has made the accounts anew.
        account = self._accounts.get(name)
        if account is not None:
            account.paused = None if active else reason
