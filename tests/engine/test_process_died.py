"""A run that ends the process each time: it stops for a person after some deaths, and the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from hub.model.exchange import Request, Response
from hub.store.deaths import MOST_DEATHS
from hub.store.tables import runs
from tests.engine.house import House
from tests.engine.test_every_answer import kept
from tests.engine.test_lanes import HEAD, Hut, exceptions, flow
from tests.engine.vendor import Vendor

WRITE = flow(
    """
  - id: shaped
    map: vendor/thing
    of: data
  - id: write
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
    retry: patient
""",
    HEAD + "money: money(data.total, data.currency)\n",
)
LINES = flow("""
  - id: lines
    foreach:
      each: data.lines
      as: line
      by: line.id
      concurrency: 1
      failures: park
      steps:
        - id: write
          call: { connection: vendor, operation: native.write, with: vendor/thing, of: line }
          retry: patient
""")


class Poisonous(Vendor):
    """Says `dead` when a request comes that ends the process, and never answers it; others take their time."""

    def __init__(self) -> None:
        """Wait for the first."""
        super().__init__()
        self.dead = asyncio.Event()
        self.harmless = False
        #: Once it has so many documents the next request ends the process.
        self.after: int | None = None

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Serve a request, or end the process."""
        if not self.harmless and (b"poison" in request.body or b"poison" in request.url.encode()):
            await self._end()
        if self.after is not None and len(self.documents) >= self.after:
            await self._end()
        if not self.harmless:
            await asyncio.sleep(0.01)
        return await super().send(request, headers, timeout)

    async def _end(self) -> None:
        self.dead.set()
        await asyncio.Event().wait()


async def lived(hut: Hut, vendor: Poisonous, lives: int) -> tuple[House, int]:
    """Start processes one after the other until one has told a person; gives it, and how many died before."""
    for before in range(lives):
        vendor.dead.clear()
        house = await hut.open()
        if before == 0:
            await give(house)
        ended = asyncio.ensure_future(stopped(house))
        died = asyncio.ensure_future(vendor.dead.wait())
        await asyncio.wait({ended, died}, return_when=asyncio.FIRST_COMPLETED)
        for each in (ended, died):
            each.cancel()
        if not vendor.dead.is_set():
            return house, before
        # Whatever else was in hand had a moment for its own work.
        await asyncio.sleep(0.005)
        await house.crash()
    raise AssertionError(f"after {lives} processes nobody was told of what ends them")


async def stopped(house: House) -> None:
    """Wait until there is an exception and nothing else is at work."""
    async with asyncio.timeout(20):
        while not exceptions(house) or any(row.state == "running" for row in kept(house, runs)):
            await asyncio.sleep(0.01)


async def give(house: House) -> None:
    """Give one thing that ends processes amid others, one of them behind it."""
    for name in ("a", "b", "poison", "c", "d"):
        await house.give({"id": name, "key": name, "value": name, "total": 12, "currency": "EUR"})
    await house.give({"id": "behind", "key": "poison", "value": "behind", "total": 12, "currency": "EUR"})


def hut_of(tmp_path: Path, steps: str) -> tuple[Hut, Poisonous]:
    hut, vendor = Hut(tmp_path, steps), Poisonous()
    hut.vendor = vendor
    return hut, vendor


async def test_it_stops_for_a_person_and_the_others_go_on(tmp_path: Path) -> None:
    hut, vendor = hut_of(tmp_path, WRITE)
    house, died = await lived(hut, vendor, 15)
    # In the first it got as far as the write.
    assert died == MOST_DEATHS + 1
    (case,) = exceptions(house)
    assert (case.reason, case.business_key, case.path) == ("process-died", "poison", "write")
    assert case.money is not None
    states = {row.business_key: row.state for row in kept(house, runs)}
    assert states == {**dict.fromkeys("abcd", "succeeded"), "poison": "parked", "behind": "queued"}
    # A person mends what it was, and it goes on from there, with what stood behind it.
    vendor.harmless = True
    await house.run_orders.replay_case(case.id, actor="person:p_1")
    await house.settled()
    assert exceptions(house) == ()
    assert sorted(document["key"] for document in vendor.documents) == ["a", "b", "behind", "c", "d", "poison"]
    await house.stop()


async def test_who_gets_further_each_time_is_not_stopped(tmp_path: Path) -> None:
    """Twice as many deaths as stop a run, but something was recorded between them."""
    hut, vendor = hut_of(tmp_path, LINES)
    vendor.after, many = 1, MOST_DEATHS * 2
    house = await hut.open()
    await house.give({"id": "x", "key": "x", "lines": [{"id": f"l{n}", "value": "v"} for n in range(many + 3)]})
    for _ in range(many):
        await asyncio.wait_for(vendor.dead.wait(), 10)
        await house.crash()
        vendor.dead.clear()
        vendor.after += 1
        house = await hut.open()
    vendor.after = None
    assert await house.settled() == {"succeeded": 1}
    assert len(vendor.documents) == many + 3
    await house.stop()


async def test_no_end_in_order_counts(tmp_path: Path) -> None:
    hut, vendor = hut_of(tmp_path, WRITE)
    house = await hut.open()
    await house.give({"id": "x", "key": "x", "value": "poison", "total": 1, "currency": "EUR"})
    for _ in range(MOST_DEATHS + 2):
        await asyncio.wait_for(vendor.dead.wait(), 10)
        await house.stop()
        vendor.dead.clear()
        house = await hut.open()
    await asyncio.wait_for(vendor.dead.wait(), 10)
    (run,) = kept(house, runs)
    assert (run.state, run.deaths, exceptions(house)) == ("running", 0, ())
    await house.crash()
