"""What people do in a trial: orders at moments drawn from the seed, and the mending of everything afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from hub.errors import Fatal, HubError
from hub.proof.simulation.company import LEDGER, SHOP
from hub.proof.simulation.host import Host
from hub.proof.simulation.loop import VirtualLoop
from hub.proof.simulation.memory import MemoryDatabase
from hub.proof.simulation.process import Process
from hub.proof.simulation.scenario import Fate, Scenario
from hub.proof.simulation.story import Story

PERSON = "person:p_ada"


class Order(StrEnum):
    """What a person may order."""

    LINK = "link"
    REPLAY = "replay"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One order at a second; `pick` draws what it is about."""

    order: Order
    at: float
    pick: float


def draw(dice: Random, seconds: float) -> tuple[Act, ...]:
    """Draw what people do in one trial; most often nothing."""
    number = dice.choice((0, 0, 0, 1, 2, 4))
    orders = tuple(Order)
    acts = [Act(order=dice.choice(orders), at=dice.random() * seconds, pick=dice.random()) for _ in range(number)]
    return tuple(sorted(acts, key=lambda act: act.at))


Given = Callable[[Process], Coroutine[Any, Any, None]]


class People:
    """Gives orders to whichever process serves, and remembers what they were about."""

    def __init__(
        self, scenario: Scenario, host: Host, database: MemoryDatabase, *, loop: VirtualLoop, story: Story
    ) -> None:
        """Take whom they order about."""
        self._scenario = scenario
        self._host = host
        self._database = database
        self._loop = loop
        self._story = story
        #: Business keys of what a person has ended, or settled outside, and has not ordered again.
        self.ended: set[str] = set()
        #: All that was ever ended or settled: later things of its key may have gone past it.
        self.passed: set[str] = set()

    async def act(self, acts: Sequence[Act]) -> None:
        """Give every order at its time."""
        for act in acts:
            await asyncio.sleep(max(act.at - self._loop.time(), 0.0))
            await self._order(act)

    async def mend(self) -> None:
        """Put right what a person can: ids tied, connections resumed, and what was stopped made again or settled."""
        for name in (SHOP, LEDGER):
            await self._tell(f"resume {name}", lambda process, name=name: self._resume(process, name))  # type: ignore[misc]
        await self._link_strangers()
        for run_id, key, reason in self._parked():
            if self._can_be_made(key, reason):
                await self._replay(run_id, key)
            elif self._holds_others_up(run_id):
                await self._settle(run_id, key)

    def is_mended(self) -> bool:
        """Tell whether nothing is left that a person could put right."""
        paused = self._database.file.execute("SELECT 1 FROM connections WHERE state <> 'active'").fetchone()
        return paused is None and not any(
            self._can_be_made(key, reason) or self._holds_others_up(run_id) for run_id, key, reason in self._parked()
        )

    def _can_be_made(self, key: str, reason: str) -> bool:
        if reason == Fate.UNMAPPED:
            return self._scenario.fate(key) is Fate.POSTED
        if reason == "sale-not-posted":
            return self._is_tied(next(each for each in self._scenario.happenings if each.business_key == key).family)
        return reason.endswith("-too-often")

    def _is_tied(self, sale: str) -> bool:
        statement = "SELECT 1 FROM crossrefs WHERE entity = 'sale' AND system = 'shop' AND id = ?"
        return self._database.file.execute(statement, (sale,)).fetchone() is not None

    def _holds_others_up(self, run_id: str) -> bool:
        statement = (
            "SELECT 1 FROM runs AS parked JOIN runs AS later ON later.flow = parked.flow AND later.key = parked.key"
            " WHERE parked.id = ? AND parked.blocking AND later.position > parked.position AND later.blocking"
        )
        return self._database.file.execute(statement, (run_id,)).fetchone() is not None

    async def _order(self, act: Act) -> None:
        match act.order:
            case Order.LINK:
                await self._link_strangers()
            case Order.REPLAY:
                picked = self._picked("replaced_by IS NULL AND state IN ('parked', 'succeeded', 'cancelled')", act.pick)
                if picked is not None:
                    await self._replay(*picked)
            case Order.CANCEL:
                picked = self._picked("replaced_by IS NULL AND state IN ('queued', 'waiting', 'parked')", act.pick)
                if picked is not None:
                    await self._cancel(*picked)
            case Order.PAUSE | Order.RESUME:
                name, active = LEDGER if act.pick < 0.7 else SHOP, act.order is Order.RESUME
                await self._tell(
                    f"{act.order} {name}",
                    lambda process: process.orders.set_connection(name, active=active, reason="ordered", actor=PERSON),
                )

    async def _link_strangers(self) -> None:
        for customer in sorted(self._scenario.strangers - self._scenario.forgotten):
            row = {SHOP: customer, LEDGER: self._scenario.customers[customer]}
            await self._tell(f"tie {customer}", lambda process, row=row: _linked(process, row))  # type: ignore[misc]

    async def _resume(self, process: Process, name: str) -> None:
        if process.accounts[name].paused is not None:
            await process.orders.set_connection(name, active=True, reason="mended", actor=PERSON)

    async def _replay(self, run_id: str, key: str) -> None:
        if await self._tell(f"make {key} again", lambda process: _replayed(process, run_id)):
            # Who makes it again wants it done, whatever was ordered before.
            self.ended.discard(key)

    async def _cancel(self, run_id: str, key: str) -> None:
        before = key in self.ended
        self.ended.add(key)
        self.passed.add(key)
        order: Given = lambda process: _cancelled(process, run_id)  # noqa: E731
        if not await self._tell(f"end {key}", order) and not before:
            self.ended.discard(key)

    async def _settle(self, run_id: str, key: str) -> None:
        found = self._database.file.execute("SELECT id FROM cases WHERE run_id = ? AND state = 'open'", (run_id,))
        for (case_id,) in found.fetchall():
            self.ended.add(key)
            self.passed.add(key)
            await self._tell(f"settle {key}", lambda process, case_id=case_id: _closed(process, case_id))  # type: ignore[misc]

    async def _tell(self, what: str, order: Given) -> bool:
        """Give an order to the process that serves, and to the next one if that dies over it; False if it is refused.

        After a death nobody knows whether the order was carried out; a second one is refused if it was.
        """
        died = False
        while True:
            process = await self._host.serving()
            given: asyncio.Task[None] = self._loop.live(process.life, order(process))
            done, _ = await asyncio.wait({given}, timeout=60.0)
            error = given.exception() if done else None
            if not done or isinstance(error, Fatal):
                died = True
                await asyncio.sleep(0.1)
                continue
            if error is None:
                self._story.tell("person", f"orders: {what}")
                return True
            if not isinstance(error, HubError):
                raise error
            self._story.tell("person", f"may not {what}: {error.code}")
            return died

    def _parked(self) -> list[tuple[str, str, str]]:
        return self._rows("state = 'parked' AND replaced_by IS NULL AND blocking")

    def _picked(self, where: str, pick: float) -> tuple[str, str] | None:
        rows = self._rows(where)
        return None if not rows else rows[int(pick * len(rows))][:2]

    def _rows(self, where: str) -> list[tuple[str, str, str]]:
        statement = f"SELECT id, business_key, reason FROM runs WHERE {where} ORDER BY position, id"  # noqa: S608
        return self._database.file.execute(statement).fetchall()


async def _linked(process: Process, row: Mapping[str, str]) -> None:
    await process.orders.link("customer", [row], actor=PERSON)


async def _replayed(process: Process, run_id: str) -> None:
    await process.run_orders.replay(run_id, actor=PERSON)


async def _cancelled(process: Process, run_id: str) -> None:
    await process.run_orders.cancel(run_id, actor=PERSON, reason="ordered")


async def _closed(process: Process, case_id: str) -> None:
    await process.orders.close_case(case_id, resolution="settled by hand", actor=PERSON)
