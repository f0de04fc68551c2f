"""The event loop of the simulation: chance decides the order, time jumps, and processes end between two steps."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextvars import Context
from random import Random
from typing import Any

import pytest

from hub.proof.simulation.loop import Life, Restless, Stuck, VirtualLoop, present_life


def play(work: Coroutine[Any, Any, Any], seed: int = 1) -> float:
    """Run something to its end; gives how much time has passed."""
    with VirtualLoop(Random(seed)) as loop:
        loop.run_until_complete(work)
        return loop.time()


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    with VirtualLoop(Random(1)) as made:
        yield made


def test_days_pass_at_once() -> None:
    async def sleeps() -> None:
        await asyncio.sleep(86_400 * 30)

    assert play(sleeps()) == 86_400 * 30


def test_chance_decides_the_order_and_a_seed_decides_the_chance() -> None:
    def order(seed: int) -> list[int]:
        found: list[int] = []

        async def all_at_once() -> None:
            async def one(number: int) -> None:
                await asyncio.sleep(1)
                found.append(number)

            await asyncio.gather(*(one(number) for number in range(12)))

        play(all_at_once(), seed)
        return found

    assert order(1) == order(1)
    assert sorted(order(1)) == sorted(order(2)) == list(range(12))
    assert len({tuple(order(seed)) for seed in range(8)}) == 8


def test_of_a_killed_process_nothing_runs_any_more(loop: VirtualLoop) -> None:
    """Not even what should be done in every case; what it started ends with it."""
    told: list[str] = []
    life = Life("hub")

    async def child() -> None:
        await asyncio.sleep(2)
        told.append("child")

    async def works() -> None:
        assert present_life() is life
        running = asyncio.create_task(child())
        try:
            await asyncio.sleep(2)
        finally:
            told.append("finally")
        await running

    async def world() -> None:
        loop.live(life, works())
        await asyncio.sleep(1)
        loop.kill(life)
        await asyncio.sleep(5)
        told.append("world")

    loop.run_until_complete(world())
    assert told == ["world"]


def test_a_process_that_sleeps_goes_on_where_it_was(loop: VirtualLoop) -> None:
    life = Life("hub")
    told: list[float] = []

    async def works() -> None:
        for _ in range(3):
            await asyncio.sleep(1)
            told.append(loop.time())

    async def world() -> None:
        working = loop.live(life, works())
        await asyncio.sleep(1.5)
        loop.send_to_sleep(life, 10)
        await working

    loop.run_until_complete(world())
    assert told == [1.0, 11.5, 12.5]


def test_who_waits_for_nothing_is_told_so() -> None:
    async def waits() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck):
        play(waits())


def test_who_never_rests_is_told_so() -> None:
    async def turns() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Restless):
        play(turns())


def test_beyond_the_horizon_nobody_waits(loop: VirtualLoop) -> None:
    loop.horizon = 100.0
    with pytest.raises(Restless):
        loop.run_until_complete(asyncio.sleep(101))


def test_there_are_no_threads() -> None:
    async def threads() -> None:
        await asyncio.to_thread(print)

    with pytest.raises(RuntimeError, match="no threads"):
        play(threads())


def test_what_nobody_handled_is_kept(loop: VirtualLoop) -> None:

    def fails() -> None:
        raise ValueError("broken")

    async def world() -> None:
        loop.call_soon(fails, context=Context())
        await asyncio.sleep(1)

    loop.run_until_complete(world())
    assert len(loop.unhandled) == 1
    assert "ValueError: broken" in loop.unhandled[0]
