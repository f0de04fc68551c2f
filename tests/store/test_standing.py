"""A claim that stands is made by the first group that makes work, in its transaction, and never twice."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from hub.errors import Fatal
from hub.store.claims import Claim, Claimed
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.store.events import Accept
from tests.store.test_committer import accept


def claim(limit: int = 10) -> Claim:
    """Give a worker's claim."""
    return Claim(environment="test", owner="w", limit=limit)


async def made(future: asyncio.Future[Any]) -> Claimed:
    """Give what a claim got, soon."""
    async with asyncio.timeout(20):
        claimed: Claimed = await future
        return claimed


async def test_a_run_is_claimed_in_the_transaction_that_accepts_it(store: tuple[Database, Committer]) -> None:
    """There is no second one, and nobody is woken for it."""
    _, committer = store
    woken: list[bool] = []
    committer.on_wake = lambda: woken.append(True)
    standing = committer.stand(claim())
    before = committer.groups
    await committer.commit(accept(1))
    assert [item.run["id"] for item in (await made(standing)).runs] == ["run_1"]
    assert (committer.groups - before, woken) == (1, [])


async def test_what_makes_no_work_leaves_it_standing(store: tuple[Database, Committer]) -> None:
    """Until it is called: then it is made at once, whether there is something to claim or not."""
    _, committer = store
    standing = committer.stand(claim())
    await committer.commit(Work(lambda _transaction: None))
    assert not standing.done()
    committer.call()
    assert (await made(standing)).runs == []
    committer.call()
    await committer.commit(accept(1))


async def test_of_more_than_it_may_take_the_rest_is_left(store: tuple[Database, Committer]) -> None:
    """Whoever claims knows by the number that there is more."""
    _, committer = store
    standing = committer.stand(claim(limit=2))
    await asyncio.gather(*(committer.commit(accept(number, key=f"k{number}")) for number in range(5)))
    taken = [item.run["id"] for item in (await made(standing)).runs]
    taken += [item.run["id"] for item in (await made(committer.submit(claim()))).runs]
    assert sorted(taken) == [f"run_{number}" for number in range(5)]


async def test_a_write_that_does_not_fit_takes_nothing_from_it(store: tuple[Database, Committer]) -> None:
    """The others are committed alone then, and what they make ready is claimed all the same."""
    _, committer = store
    broken = Accept(event={**accept(7).event, "environment": None}, runs=[], actor="test")
    standing = committer.stand(claim())
    committer.on_wake = committer.call
    ends = await asyncio.gather(committer.commit(accept(1)), committer.commit(broken), return_exceptions=True)
    assert isinstance(ends[1], Exception)
    assert [item.run["id"] for item in (await made(standing)).runs] == ["run_1"]


async def test_one_that_is_withdrawn_takes_nothing(store: tuple[Database, Committer]) -> None:
    """A worker that stops leaves what comes to others."""
    _, committer = store
    standing = committer.stand(claim())
    committer.withdraw()
    await committer.commit(accept(1))
    committer.call()
    assert [item.run["id"] for item in (await made(committer.submit(claim()))).runs] == ["run_1"]
    assert not standing.done()


async def test_it_is_told_when_nothing_can_be_made_durable_any_more(store: tuple[Database, Committer]) -> None:
    """Whoever waits for it must not wait for ever."""
    _, committer = store
    standing = committer.stand(claim())

    def break_it(_transaction: Any) -> None:
        raise SystemExit

    with pytest.raises(Fatal):
        await committer.commit(Work(break_it))
    with pytest.raises(Fatal):
        await made(standing)
    with pytest.raises(Fatal):
        committer.stand(claim())


@pytest.mark.parametrize("seed", range(8))
async def test_however_it_is_called_every_run_is_claimed_once(store: tuple[Database, Committer], seed: int) -> None:
    """Groups, calls and new claims come in any order; each claim is answered, and each run is in one answer."""
    _, committer = store
    dice = random.Random(seed)
    taken: list[str] = []
    accepted = 0

    async def work() -> None:
        wait = False
        while len(taken) < 120:
            claiming = (
                committer.stand(claim(dice.randint(1, 9))) if wait else committer.submit(claim(dice.randint(1, 9)))
            )
            if wait and dice.random() < 0.5:
                await asyncio.wait({claiming}, timeout=dice.random() / 200)
            if wait and not claiming.done():
                committer.call()
            found = await made(claiming)
            taken.extend(item.run["id"] for item in found.runs)
            wait = dice.random() < 0.8

    working = asyncio.create_task(work())
    while accepted < 120:
        several = [accept(accepted + more, key=f"k{accepted + more}") for more in range(dice.randint(1, 12))][
            : 120 - accepted
        ]
        accepted += len(several)
        await asyncio.gather(*map(committer.commit, several))
        if dice.random() < 0.3:
            await asyncio.sleep(dice.random() / 300)
    async with asyncio.timeout(20):
        await working
    assert sorted(taken) == sorted(f"run_{number}" for number in range(120))
