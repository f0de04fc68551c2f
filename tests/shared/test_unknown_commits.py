"""Commits in a database that others share: whatever breaks, each write is made exactly once, and nothing is guessed."""

from __future__ import annotations

import asyncio
import random

import pytest

from hub.errors import CommitUnknown, DatabaseAway, NotDurable
from hub.store import committer as committer_module
from hub.store.committer import Committer
from tests.shared.desk import Desk, Put
from tests.shared.servers import Cut, Way

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("how", list(Cut))
async def test_a_commit_that_nobody_confirmed_is_found_out(desk: Desk, way: Way, how: Cut) -> None:
    async with desk.committing() as committer:
        assert await committer.commit(Put(number=0)) == 0
        way.cut_at_commit(how)
        assert await asyncio.wait_for(committer.commit(Put(number=1, patient=False)), 10) == 1
        assert await committer.commit(Put(number=2)) == 2
        assert way.cut == 1
        assert committer.obstacle is None
    assert desk.written() == {0: 1, 1: 1, 2: 1}
    assert desk.audited() == 3


async def test_a_session_that_is_ended_in_the_middle_begins_again(desk: Desk) -> None:
    """The group is made once, by another session, with all that was in it."""
    ended = iter([desk.terminate])
    async with desk.committing() as committer:
        writes = [Put(number=number, during=lambda: [strike() for strike in ended]) for number in range(5)]
        assert await asyncio.gather(*map(committer.commit, writes)) == [0, 1, 2, 3, 4]
    assert desk.written() == dict.fromkeys(range(5), 1)
    assert desk.audited() == 5


async def test_a_session_that_is_ended_at_its_commit_is_found_out(desk: Desk) -> None:
    """The server itself ends it while it commits: before what it did counts."""
    desk.striking("PERFORM pg_terminate_backend(pg_backend_pid())", times=2)
    async with desk.committing() as committer:
        assert await asyncio.wait_for(committer.commit(Put(number=7)), 10) == 7
    assert desk.written() == {7: 1}


@pytest.mark.parametrize("seed", range(2))
async def test_every_write_is_made_once_over_a_way_that_breaks(desk: Desk, way: Way, seed: int) -> None:
    """A model: what was answered stands once, what was refused stands nowhere, and nothing else is there."""
    chance = random.Random(seed)
    answered: set[int] = set()
    refused: set[int] = set()

    async def put(committer: Committer, number: int) -> None:
        await asyncio.sleep(chance.random() * 4)
        try:
            answered.add(await committer.commit(Put(number=number, patient=chance.random() < 0.5)))
        except NotDurable:
            refused.add(number)

    async def strike() -> None:
        strikes = [*Cut, *Cut, *["terminate", "block"] * 3]
        chance.shuffle(strikes)
        for each in strikes:
            await asyncio.sleep(chance.random() * 0.2)
            if isinstance(each, Cut):
                cut = way.cut
                way.cut_at_commit(each)
                while way.cut == cut:
                    await asyncio.sleep(0.005)
            elif each == "block":
                way.block()
                await asyncio.sleep(chance.random() * 0.2)
                way.unblock()
            else:
                await asyncio.to_thread(desk.terminate)

    async with desk.committing() as committer, desk.committing("b") as other:
        async with asyncio.timeout(60), asyncio.TaskGroup() as together:
            together.create_task(strike())
            for number in range(400):
                together.create_task(put(chance.choice([committer, other]), number))
        assert way.cut == 8
    assert desk.written() == dict.fromkeys(answered, 1)
    assert answered | refused == set(range(400))
    assert desk.audited() == len(answered)


async def test_who_comes_while_the_database_is_away_is_refused_and_who_is_patient_waits(desk: Desk, way: Way) -> None:
    async with desk.committing() as committer:
        await committer.commit(Put(number=0))
        way.block()
        waiting = committer.submit(Put(number=1))
        for number in (2, 3):
            with pytest.raises(DatabaseAway) as told:
                await asyncio.wait_for(committer.commit(Put(number=number, patient=False)), 10)
            assert told.value.after is not None
        assert isinstance(committer.obstacle, DatabaseAway)
        await asyncio.sleep(1.2)
        assert not waiting.done()
        way.unblock()
        assert await asyncio.wait_for(waiting, 5) == 1
        assert await committer.commit(Put(number=4, patient=False)) == 4
        assert committer.obstacle is None
    assert desk.written() == {0: 1, 1: 1, 4: 1}


async def test_that_the_database_is_back_is_seen_although_nobody_asks(desk: Desk, way: Way) -> None:
    """Who is told to come again may never come, because a load balancer asks first."""
    async with desk.committing() as committer:
        way.block()
        with pytest.raises(DatabaseAway):
            await committer.commit(Put(number=1, patient=False))
        way.unblock()
        async with asyncio.timeout(5):
            while committer.obstacle is not None:
                await asyncio.sleep(0.02)
    assert desk.written() == {}


async def test_what_is_in_doubt_is_neither_refused_nor_lost_while_the_database_is_away(desk: Desk, way: Way) -> None:
    """Whoever waits for it may have been told that nothing was changed, and that would be a guess."""
    async with desk.committing() as committer:
        for number, how in ((1, Cut.AFTER), (2, Cut.BEFORE)):
            await committer.commit(Put(number=number * 10))
            way.cut_at_commit(how, for_good=True)
            waiting = committer.submit(Put(number=number, patient=False))
            await asyncio.sleep(0.6)
            assert way.cut == number
            assert not waiting.done()
            way.unblock()
            assert await asyncio.wait_for(waiting, 5) == number
    assert desk.written() == {10: 1, 1: 1, 20: 1, 2: 1}


@pytest.mark.parametrize(("how", "stands"), [(Cut.AFTER, True), (Cut.BEFORE, False)])
async def test_whoever_waits_long_is_told_that_nobody_knows_and_it_is_not_made_later(
    desk: Desk, way: Way, monkeypatch: pytest.MonkeyPatch, how: Cut, *, stands: bool
) -> None:
    """A sender that hears so sends again; what it sent first must not come after that."""
    monkeypatch.setattr(committer_module, "IN_DOUBT_SECONDS", 0.3)
    async with desk.committing() as committer:
        await committer.commit(Put(number=0))
        way.cut_at_commit(how, for_good=True)
        patient, impatient = committer.submit(Put(number=1)), committer.submit(Put(number=2, patient=False))
        with pytest.raises(CommitUnknown):
            await asyncio.wait_for(impatient, 10)
        assert not patient.done()
        way.unblock()
        assert await asyncio.wait_for(patient, 5) == 1
        await committer.commit(Put(number=3))
    assert desk.written() == {0: 1, 1: 1, 3: 1} | ({2: 1} if stands else {})
