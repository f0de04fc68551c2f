"""Groups of several processes in one database: they wait for each other, and what is in the way passes."""

from __future__ import annotations

import asyncio
import threading
import time

import psycopg
import pytest
from sqlalchemy import text

from hub.errors import DatabaseAway, HubError
from hub.store.committer import Transaction, Work
from hub.store.shared_groups import LOCK
from tests.shared.desk import Desk, Put, PutBeside

pytestmark = pytest.mark.processes


async def test_two_processes_wait_for_each_other_and_never_in_a_circle(desk: Desk) -> None:
    """The second one sees all that the first has done: it had the lock."""
    busy, go = threading.Event(), threading.Event()

    def hold() -> None:
        busy.set()
        go.wait(0.7)

    def count(transaction: Transaction) -> int:
        found: int = transaction.connection.execute(text("SELECT count(*) FROM put")).scalar_one()
        return found

    async with desk.committing() as first, desk.committing("b") as second:
        making = first.submit(Put(number=1, during=hold))
        await asyncio.to_thread(busy.wait)
        counting = second.submit(Work(count))
        await asyncio.sleep(0.2)
        assert not counting.done()
        go.set()
        assert await making == 1
        assert await counting == 1


async def test_what_may_be_made_beside_others_waits_only_for_who_must_be_alone(desk: Desk) -> None:
    """Of two that may, neither waits; who must be alone waits for both, and each has a log of its own all the same."""
    busy, go = threading.Event(), threading.Event()

    def hold() -> None:
        busy.set()
        go.wait(0.8)

    async with desk.committing() as first, desk.committing("b") as second, desk.committing("c") as third:
        # The first group of each is alone: it takes a log.
        for number, committer in enumerate((first, second, third)):
            await committer.commit(PutBeside(number=number))
        making = first.submit(PutBeside(number=3, during=hold))
        await asyncio.to_thread(busy.wait)
        assert await second.commit(PutBeside(number=4)) == 4
        assert not making.done()
        alone = third.submit(Put(number=5))
        await asyncio.sleep(0.2)
        assert not alone.done()
        go.set()
        assert (await making, await alone) == (3, 5)
    assert desk.written() == dict.fromkeys(range(6), 1)
    assert desk.audited() == 6


async def test_who_has_lost_its_log_is_alone_once_and_takes_another(desk: Desk) -> None:
    async with desk.committing() as committer, desk.committing("b") as other:
        await committer.commit(PutBeside(number=1))
        with psycopg.connect(desk.direct) as connection:
            connection.execute("UPDATE committers SET at = at - 60000000")
        await other.commit(PutBeside(number=2))
        assert await committer.commit(PutBeside(number=3)) == 3
        with psycopg.connect(desk.direct) as connection:
            chains: dict[str, str] = dict(connection.execute("SELECT chain, id FROM committers").fetchall())
    assert chains == {"main": other.name, "main-2": committer.name}
    assert desk.audited() == 3


@pytest.mark.parametrize("state", ["40P01", "40001"])
async def test_what_others_were_in_the_way_of_is_made_by_the_next_try(desk: Desk, state: str) -> None:
    """A deadlock and a serialisation failure have changed nothing; the whole group is made again."""
    desk.striking(f"RAISE EXCEPTION 'in the way' USING ERRCODE = '{state}'", times=3)
    async with desk.committing() as committer:
        assert await asyncio.gather(*(committer.commit(Put(number=number)) for number in (6, 7, 8))) == [6, 7, 8]
        assert committer.obstacle is None
    assert desk.written() == {6: 1, 7: 1, 8: 1}


async def test_a_group_that_others_are_always_in_the_way_of_is_held_up_and_goes_on(desk: Desk) -> None:
    """The tries are bounded: the doors answer meanwhile, and who is patient waits."""
    desk.striking("RAISE EXCEPTION 'in the way' USING ERRCODE = '40P01'", times=12)
    async with desk.committing() as committer:
        patient, impatient = committer.submit(Put(number=7)), committer.submit(Put(number=8, patient=False))
        with pytest.raises(DatabaseAway):
            await impatient
        assert await asyncio.wait_for(patient, 10) == 7
    assert desk.written() == {7: 1}


async def test_who_gets_no_lock_in_time_is_held_up_and_goes_on(desk: Desk) -> None:
    with psycopg.connect(desk.direct) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        async with desk.committing(lock_timeout="100ms") as committer:
            patient, impatient = committer.submit(Put(number=1)), committer.submit(Put(number=2, patient=False))
            with pytest.raises(DatabaseAway):
                await impatient
            assert not patient.done()
            connection.rollback()
            assert await asyncio.wait_for(patient, 10) == 1
    assert desk.written() == {1: 1}


async def test_a_change_that_takes_too_long_harms_no_other(desk: Desk) -> None:
    """Its transaction is given up by the server, so that others get their turn; alone it is told so."""
    async with desk.committing(idle_in_transaction_session_timeout="100ms") as committer:
        slow = committer.submit(Put(number=1, during=lambda: time.sleep(0.3)))
        quick = committer.submit(Put(number=2))
        with pytest.raises(HubError) as told:
            await asyncio.wait_for(slow, 20)
        assert told.value.code == "too-long"
        assert await asyncio.wait_for(quick, 20) == 2
    assert desk.written() == {2: 1}


async def test_a_statement_that_takes_too_long_harms_no_other(desk: Desk) -> None:
    def sleep(transaction: Transaction) -> None:
        transaction.connection.execute(text("SELECT pg_sleep(5)"))

    async with desk.committing(statement_timeout="100ms") as committer:
        slow, quick = committer.submit(Work(sleep)), committer.submit(Put(number=2))
        with pytest.raises(HubError) as told:
            await asyncio.wait_for(slow, 10)
        assert told.value.code == "too-long"
        assert await asyncio.wait_for(quick, 10) == 2
    assert desk.written() == {2: 1}


async def test_the_time_is_that_of_the_database(desk: Desk) -> None:
    """It is taken once the lock is had: who waited for it is not earlier than who had it."""
    times: list[int] = []

    def look(transaction: Transaction) -> int:
        clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
        times.append(transaction.now)
        found: int = transaction.connection.execute(text(clock)).scalar_one()
        return found

    async with desk.committing() as first, desk.committing("b") as second:
        after = await asyncio.gather(*(each.commit(Work(look)) for each in (first, second, first, second)))
    assert times == sorted(times)
    assert all(0 <= later - now < 1_000_000 for now, later in zip(times, sorted(after), strict=True))
