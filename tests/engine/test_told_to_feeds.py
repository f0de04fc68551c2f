"""What a feed tells of runs is what became of them: each end once, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.model.exchange import Request
from hub.store.committer import Committer
from hub.store.outbox_tables import outbox
from hub.store.tables import cases, events, runs
from tests.engine.house import House
from tests.engine.test_compensation import SAGA
from tests.engine.test_every_answer import kept
from tests.engine.test_lanes import HEAD, Hut, flow

PAID = """
  - id: first
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
    retry: patient
  - id: paid
    wait: { event: vendor.thing.paid, subject: data.id, timeout: P7D, case: never-paid }
"""


class Telling(Committer):
    """A committer of a hub that keeps a feed."""

    def start(self) -> None:
        """Begin to tell."""
        self.tells = True
        super().start()


class Told(Hut):
    """A house that keeps a feed."""

    async def open(self) -> House:
        self.lives += 1
        house = House(self.directory, self.vendor, self.bundle, clock=self.clock, seed=self.lives, committer=Telling)
        await house.start()
        return house


def facts(house: House) -> Counter[tuple[str, str]]:
    return Counter((row.type, row.subject) for row in kept(house, outbox))


def expected(house: House) -> Counter[tuple[str, str]]:
    """Give what should have been told, by the tables as they are in the end."""
    found: Counter[tuple[str, str]] = Counter()
    with house.database.reading() as connection:
        found.update((row.type, row.subject) for row in connection.execute(select(events)))
        for row in connection.execute(select(runs)):
            if row.state in ("succeeded", "cancelled", "compensated"):
                found[f"concord.run.{row.state}", row.id] += 1
        for row in connection.execute(select(cases)):
            found["concord.case.opened", row.id] += 1
            if row.state == "closed":
                found["concord.case.closed", row.id] += 1
    return found


@pytest.mark.parametrize(
    ("steps", "head", "ends"), [(SAGA, "on_failure: compensate\n", "compensated"), (SAGA, "", None)]
)
async def test_ends_and_exceptions_are_told_once_through_crashes(
    tmp_path: Path, steps: str, head: str, ends: str | None
) -> None:
    chance = random.Random(3)

    def fault(_request: Request, _number: int) -> str | None:
        return "lost-after" if chance.random() < 0.3 else None

    told = Told(tmp_path, flow(steps, HEAD + head), fault=fault)
    for life in range(6):
        house = await told.open()
        if life == 0:
            await house.give(*({"id": f"a{number}", "key": f"k{number}", "value": "1"} for number in range(4)))
        await asyncio.sleep(0.01 * life)
        await house.crash()
    house = await told.open()
    await house.settled()
    assert facts(house) == expected(house)
    kinds = Counter(kind for kind, _ in facts(house).elements())
    assert kinds["vendor.thing.made"] == kinds["concord.case.opened"] == 4
    assert kinds.get(f"concord.run.{ends}", 0) == (4 if ends else 0)
    await house.stop()


async def test_a_run_that_waits_has_not_ended_and_a_cancelled_one_has(tmp_path: Path) -> None:
    told = Told(tmp_path, flow(PAID))
    house = await told.open()
    await house.give(*({"id": name, "key": name, "value": "1"} for name in ("a", "b")))
    await house.settled(waiting=["event"])
    assert {kind for kind, _ in facts(house)} == {"vendor.thing.made"}
    await house.pay("a")
    first, second = sorted(kept(house, runs), key=lambda row: str(row.key))
    await house.settled(waiting=["event"])
    await house.run_orders.cancel(second.id, actor="ada", reason="no")
    await house.settled()
    assert facts(house) == expected(house)
    assert facts(house)["concord.run.succeeded", first.id] == 1 == facts(house)["concord.run.cancelled", second.id]
    # The keys of runs are those of their facts, so that both are told in one partition.
    keys = {row.subject: row.key for row in kept(house, outbox) if row.type.startswith("concord.run.")}
    assert keys == {first.id: first.key, second.id: second.key}
    await house.stop()
