"""The people of a case: they agree and refuse, tie customers together, and order, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from hub.errors import HubError
from hub.model.approval import Verdict
from hub.proof.simulation.host import Host
from hub.proof.simulation.loop import VirtualLoop
from hub.proof.simulation.memory import MemoryDatabase
from hub.proof.simulation.process import Process
from hub.proof.simulation.story import Story

#: Who may agree, all as approvers, and who orders.
VOTERS = ("bob", "cyd")
PERSON = "person:ada"
#: What somebody is asked for comes within so many seconds, also after a crash.
_SOON = 12 * 3600.0
_ASKED = "SELECT id FROM approvals WHERE state = 'pending' ORDER BY id LIMIT 1"
_PARKED = "SELECT id FROM runs WHERE state = 'parked' AND replaced_by IS NULL ORDER BY id LIMIT 1"
_ENDED = "SELECT id FROM runs WHERE flow = ? AND state = 'succeeded' ORDER BY position LIMIT 1"
#: What goes on by itself, and does not wait for a person.
_GOING = """
    SELECT 1 FROM runs WHERE state IN ('running', 'compensating')
    OR state IN ('queued', 'waiting') AND claimable_at IS NOT NULL
    AND coalesce(wait_on, '') NOT LIKE 'crossref:%' AND coalesce(wait_on, '') NOT LIKE 'approval:%'
"""


class Desk:
    """What people do in one case."""

    def __init__(self, host: Host, database: MemoryDatabase, *, loop: VirtualLoop, story: Story) -> None:
        """Take the collaborators, and let the voters be known."""
        self._host = host
        self._database = database
        self._loop = loop
        self._story = story
        for voter in VOTERS:
            database.file.execute(
                "INSERT INTO people (id, email, name, role, password, disabled, created_at)"
                " VALUES (?, ?, ?, 'approver', '', 0, 0)",
                (voter, f"{voter}@simulated.example", voter),
            )

    def is_asked(self) -> bool:
        """Tell whether nothing goes on until a person does something."""
        return self._database.file.execute(_GOING).fetchone() is None

    async def agree(self) -> None:
        """Let as many people agree as are asked."""
        asked = await self._come(_ASKED)
        for voter in VOTERS:
            if self._database.file.execute(_ASKED).fetchone() == (asked,):
                await self._vote(asked, voter, Verdict.AGREED)

    async def refuse(self) -> None:
        """Let the first who is asked refuse."""
        await self._vote(await self._come(_ASKED), VOTERS[0], Verdict.REFUSED)

    async def tie(self, row: Mapping[str, str]) -> None:
        """Tie a customer's ids together once a run has stopped, and make that run again."""
        stopped = await self._come(_PARKED)
        await self._order("tie", lambda process: _tied(process, row))
        await self._order("make again", lambda process: _made_again(process, stopped))

    async def link(self, row: Mapping[str, str], *, entity: str = "customer") -> None:
        """Tie a customer's ids together, or those of another thing."""
        await self._order("tie", lambda process: _tied(process, row, entity))

    async def take_back(self, flow: str) -> None:
        """Have a flow's first run taken back once it has succeeded."""
        run_id = await self._come(_ENDED, flow)
        await self._order("take back", lambda process: _taken_back(process, run_id))

    async def _vote(self, approval: str, voter: str, verdict: Verdict) -> None:
        await self._order(f"{voter} {verdict}", lambda process: process.vote(approval, f"person:{voter}", verdict))

    async def _come(self, statement: str, *names: str) -> str:
        until = self._loop.time() + _SOON
        while (row := self._database.file.execute(statement, names).fetchone()) is None:
            if self._loop.time() > until:
                raise AssertionError(statement)
            await asyncio.sleep(5.0)
        return str(row[0])

    async def _order(self, what: str, given: Callable[[Process], Coroutine[Any, Any, None]]) -> None:
        """Give an order to the process that serves, and to the next one if that dies over it.

        After a death nobody knows whether the order was carried out; a second one is refused if it was.
        """
        died = False
        while True:
            process = await self._host.serving()
            ordered = self._loop.live(process.life, given(process))
            done, _ = await asyncio.wait({ordered}, timeout=60.0)
            if not done or process.life.ended:
                died = True
                continue
            try:
                ordered.result()
            except HubError:
                if not died:
                    raise
            self._story.tell("person", what)
            return


async def _tied(process: Process, row: Mapping[str, str], entity: str = "customer") -> None:
    await process.orders.link(entity, [row], actor=PERSON)


async def _made_again(process: Process, run_id: str) -> None:
    await process.run_orders.replay(run_id, actor=PERSON)


async def _taken_back(process: Process, run_id: str) -> None:
    await process.run_orders.take_back(run_id, actor=PERSON, reason="ordered")
