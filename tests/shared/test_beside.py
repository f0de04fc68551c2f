"""What processes record and claim at the same time: nobody gets what another has, and nobody is forgotten."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
import pytest

from hub.audit.kinds import AuditKind
from hub.errors import StaleLease
from hub.model.run import Stopping
from hub.store import history, runs
from hub.store.audit import Note
from hub.store.claims import Claim, Claimed
from hub.store.committer import Committer, Transaction, Work, Write
from hub.store.history import Awaited, Record
from tests.shared.desk import Desk
from tests.store.test_committer import accept, intent

pytestmark = pytest.mark.processes

DONE = {"state": "succeeded", "blocking": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Write):
    """Stays in the transaction for a while, when all else of it is made; others may be made meanwhile."""

    during: Callable[[], object]

    rank = 99
    patient = True

    @property
    def beside(self) -> bool:
        return True

    @classmethod
    def apply(cls, batch: Sequence[Pause], transaction: Transaction) -> list[Any]:
        for each in batch:
            each.during()
        # It counts how often it was made: a group that had to be made again alone has two of them.
        transaction.entries.append(Note(kind=AuditKind.RUN_QUEUED, actor="w", subjects={"run": "paused"}))
        return [transaction.beside for _ in batch]


class Gate:
    """Lets a transaction wait inside until it is opened."""

    def __init__(self) -> None:
        self._within, self._go = threading.Event(), threading.Event()

    def wait(self) -> None:
        """Say that somebody is inside, and stay until it is opened; no longer than a transaction may."""
        self._within.set()
        self._go.wait(0.8)

    def open(self) -> None:
        """Let it go on."""
        self._go.set()

    async def entered(self) -> None:
        """Wait until somebody is inside."""
        assert await asyncio.to_thread(self._within.wait, 5)


@pytest.fixture
async def two(desk: Desk) -> AsyncIterator[tuple[Committer, Committer]]:
    """Give the committers of two processes, which both have their logs."""
    async with desk.committing() as one, desk.committing("b") as other:
        for committer in (one, other):
            await committer.commit(Pause(during=lambda: None))
        yield one, other


@contextmanager
def gate() -> Iterator[Gate]:
    made = Gate()
    try:
        yield made
    finally:
        made.open()


def held(committer: Committer, write: Write, inside: Gate) -> tuple[asyncio.Future[Any], asyncio.Future[Any]]:
    """Submit a write whose transaction stays open behind it; gives its future, and that of its stay."""
    return committer.submit(write), committer.submit(Pause(during=inside.wait))


def claim(owner: str, limit: int = 10) -> Claim:
    return Claim(environment="test", owner=owner, limit=limit)


def ids(claimed: Claimed) -> list[str]:
    return [each.run["id"] for each in claimed.runs]


def told(desk: Desk, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(desk.direct) as connection:
        return connection.execute(statement).fetchall()


async def test_two_claim_at_the_same_time_and_get_different_runs(two: tuple[Committer, Committer]) -> None:
    one, other = two
    for number in range(6):
        await one.commit(accept(number, key=str(number)))
    with gate() as inside:
        first, stay = held(one, claim("w1", 2), inside)
        await inside.entered()
        second: Claimed = await asyncio.wait_for(other.commit(claim("w2")), 5)
        assert not stay.done()
        inside.open()
        assert await stay is True
    assert sorted(ids(await first) + ids(second)) == [f"run_{number}" for number in range(6)]
    assert len(ids(second)) == 4


async def test_two_record_at_the_same_time(desk: Desk, two: tuple[Committer, Committer]) -> None:
    """What a run does from its first intent to its end waits for no other process."""
    one, other = two
    for number in (1, 2):
        await one.commit(accept(number, key=str(number)))
    await one.commit(claim("w1", 1))
    await other.commit(claim("w2", 1))
    with gate() as inside:
        made, stay = held(one, intent(1), inside)
        await inside.entered()
        await asyncio.wait_for(other.commit(Record(run_id="run_2", epoch=1, change=DONE)), 5)
        assert not stay.done()
        inside.open()
        assert (await made, await stay) == (None, True)
    assert told(desk, "SELECT id, state FROM runs ORDER BY id") == [("run_1", "running"), ("run_2", "succeeded")]


async def test_of_two_that_open_one_write_the_second_finds_it(desk: Desk, two: tuple[Committer, Committer]) -> None:
    one, other = two
    for number in (1, 2):
        await one.commit(accept(number, key=str(number)))
    await one.commit(claim("w1", 1))
    await other.commit(claim("w2", 1))
    with gate() as inside:
        first, _ = held(one, intent(1), inside)
        await inside.entered()
        second = other.submit(intent(2))
        await asyncio.sleep(0.2)
        assert not second.done()
        inside.open()
        assert await first is None
        standing = await asyncio.wait_for(second, 5)
    assert [row["run_id"] for row in standing] == ["run_1"]
    assert told(desk, "SELECT key, run_id FROM effects") == [("e1", "run_1")]


async def test_a_failed_write_is_made_again_by_one_of_two(two: tuple[Committer, Committer]) -> None:
    one, other = two
    for number in (1, 2, 3):
        await one.commit(accept(number, key=str(number)))
    await one.commit(claim("w"))
    await one.commit(intent(1))
    failed = {**intent(1).intents[0], "state": "failed", "output": None, "reason": None, "version": None}
    await one.commit(Record(run_id="run_1", epoch=1, outcomes=[{**failed, "finished_at": 1}]))
    both = await asyncio.gather(one.commit(intent(2)), other.commit(intent(3)))
    assert sorted(row is None for row in both) == [False, True]


async def test_a_run_that_another_is_just_taking_is_not_recorded(two: tuple[Committer, Committer]) -> None:
    """The epoch is read under the run's lock: it is the one that stands when this is written."""
    one, other = two
    await one.commit(accept(1))
    await one.commit(claim("w1"))
    await one.commit(Work(partial(runs.hand_back, environment="test", owner="w1")))
    with gate() as inside:
        taking, _ = held(other, claim("w2"), inside)
        await inside.entered()
        late = one.submit(Record(run_id="run_1", epoch=2, change=DONE))
        await asyncio.sleep(0.2)
        assert not late.done()
        inside.open()
        assert [each.run["epoch"] for each in (await taking).runs] == [3]
        with pytest.raises(StaleLease):
            await late
    assert await other.commit(Record(run_id="run_1", epoch=3, change=DONE)) is None


async def test_a_run_that_is_just_recorded_is_passed_by(two: tuple[Committer, Committer]) -> None:
    one, other = two
    await one.commit(accept(1))
    await one.commit(claim("w1"))
    await one.commit(Work(partial(runs.hand_back, environment="test", owner="w1")))
    with gate() as inside:
        recording, _ = held(one, Record(run_id="run_1", epoch=2), inside)
        await inside.entered()
        assert ids(await asyncio.wait_for(other.commit(claim("w2")), 5)) == []
        inside.open()
        await recording
    assert ids(await other.commit(claim("w2"))) == ["run_1"]


async def test_nobody_is_set_aside_behind_a_run_that_is_just_ending(
    desk: Desk, two: tuple[Committer, Committer]
) -> None:
    """Nobody would call it: the end of the earlier one saw nobody behind it."""
    one, other = two
    for number in (1, 2):
        await one.commit(accept(number, key="same"))
    assert ids(await one.commit(claim("w1", 1))) == ["run_1"]
    with gate() as inside:
        ending, _ = held(one, Record(run_id="run_1", epoch=1, change=DONE), inside)
        await inside.entered()
        taking = other.submit(claim("w2"))
        await asyncio.sleep(0.2)
        assert not taking.done()
        inside.open()
        await ending
        assert ids(await asyncio.wait_for(taking, 5)) == ["run_2"]
    assert told(desk, "SELECT count(*) FROM runs WHERE wait_kind IS NOT NULL") == [(0,)]


async def test_two_that_let_the_same_run_go_let_it_go_once(desk: Desk, two: tuple[Committer, Committer]) -> None:
    """Who has it by then keeps it, however late the second one comes."""
    one, other = two
    for number in (1, 2):
        await one.commit(accept(number, key="same"))
    await one.commit(claim("w1"))
    statement, of = runs._LET_GO, {"of_environment": "test", "of_flow": "tested", "of_key": "same", "from_now": 5}
    with psycopg.connect(desk.direct) as connection:
        connection.execute("UPDATE runs SET blocking = false, state = 'succeeded' WHERE id = 'run_1'")
        connection.commit()
        # Another process has let it go, and has it in hand.
        connection.execute("UPDATE runs SET wait_kind = NULL, state = 'running', owner = 'w2' WHERE id = 'run_2'")
        letting = other.submit(Work(lambda tx: tx.connection.execute(statement, of).rowcount))
        await asyncio.sleep(0.3)
        assert not letting.done()
        connection.commit()
        assert await asyncio.wait_for(letting, 5) == 0
    assert told(desk, "SELECT state, claimable_at FROM runs WHERE id = 'run_2'") == [("running", None)]


async def test_who_begins_to_wait_meets_nobody_who_wakes(desk: Desk, two: tuple[Committer, Committer]) -> None:
    """A called flow ends while its caller goes to wait for it: one of both sees the other."""
    one, other = two
    for number in (1, 2):
        await one.commit(accept(number, key=str(number)))
    await one.commit(claim("w1", 1))
    await other.commit(claim("w2", 1))
    with psycopg.connect(desk.direct) as connection:
        connection.execute("UPDATE runs SET parent_run = 'run_1', parent_path = 'call' WHERE id = 'run_2'")
    ended = "SELECT 1 FROM runs WHERE id = 'run_2' AND state = 'succeeded'"
    waits = Awaited(
        topic=history.child_topic("run_1", "call"), come=lambda c: c.exec_driver_sql(ended).first() is not None
    )
    waiting = {"state": "waiting", "claimable_at": None, "wait_kind": "child"}
    with gate() as inside:
        ending, _ = held(other, Record(run_id="run_2", epoch=1, change=DONE), inside)
        await inside.entered()
        going = one.submit(Record(run_id="run_1", epoch=1, change=waiting, waits=[waits]))
        await asyncio.sleep(0.2)
        assert not going.done()
        inside.open()
        await asyncio.gather(ending, going)
    assert told(desk, "SELECT state FROM runs WHERE id = 'run_1'") == [("queued",)]


async def test_who_joins_the_row_of_a_limit_waits_for_nobody_and_is_let_go(
    desk: Desk, two: tuple[Committer, Committer]
) -> None:
    """Who lets the row go is alone, and so sees all who have joined it."""
    one, other = two
    for number in (1, 2):
        await one.commit(accept(number, key=str(number)))
    await one.commit(claim("w1", 1))
    await other.commit(claim("w2", 1))
    waiting = {"state": "waiting", "claimable_at": None, "wait_kind": "limit"}
    join = [
        Record(run_id=f"run_{n}", epoch=1, change=waiting, waits=[Awaited(topic="limit:test:vendor")]) for n in (1, 2)
    ]
    with gate() as inside:
        first, _ = held(one, join[0], inside)
        await inside.entered()
        await asyncio.wait_for(other.commit(join[1]), 5)
        letting = other.submit(Work(lambda tx: runs.wake(tx, ["limit:test:vendor"])))
        await asyncio.sleep(0.2)
        assert not letting.done()
        inside.open()
        await asyncio.gather(first, letting)
    assert told(desk, "SELECT state, count(*) FROM runs GROUP BY 1") == [("queued", 2)]


def test_what_may_not_be_made_beside_others() -> None:
    """Whatever else comes with a record calls for being alone."""
    plain = {**intent(1).intents[0], "object": None, "undoes": None}
    topic = Awaited(topic="child:run_1:call")
    assert Record(run_id="run_1", epoch=1, intents=[plain], change=None).beside
    for more in (
        *({"intents": [{**plain, **odd}]} for odd in ({"object": "x"}, {"undoes": "e0"}, {"generation": 1})),
        *({"change": {"state": state}} for state in ("parked", "cancelled", "compensated", "waiting", "queued")),
        {
            "change": {"state": "waiting", "wait_kind": "limit"},
            "waits": [Awaited(topic="limit:x", come=lambda _: True)],
        },
        *({name: True} for name in ("well", "sends_again")),
        *({name: [plain]} for name in ("taken", "links", "unlinks")),
        *({name: plain} for name in ("match", "case", "rewritten", "batch")),
        {"waits": [topic]},
        {"again": frozenset({"e1"})},
        {"winding_up": Stopping.CANCEL},
    ):
        assert not Record(run_id="run_1", epoch=1, **more).beside, more  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
async def test_many_go_on_beside_each_other_and_nothing_is_lost_or_twice(desk: Desk, seed: int) -> None:
    """Three processes work on runs with few keys, some of which make the same write."""
    chance, count, names = random.Random(seed), 90, 60
    wrote: Counter[str] = Counter()
    async with desk.committing("a") as first, desk.committing("b") as second, desk.committing("c") as third:
        committers = (first, second, third)
        keys = [str(chance.randrange(40)) for _ in range(count)]
        await asyncio.gather(*(first.commit(accept(number, key=key)) for number, key in enumerate(keys)))
        left = count

        async def go(committer: Committer, run: Any) -> None:
            nonlocal left
            number, named = int(run["id"].partition("_")[2]), f"write_{int(run['id'].partition('_')[2]) % names}"
            wanted = {**intent(number).intents[0], "key": named, "business_key": named}
            standing = await committer.commit(Record(run_id=run["id"], epoch=run["epoch"], intents=[wanted]))
            if standing is None:
                wrote[named] += 1
            await asyncio.sleep(chance.uniform(0, 0.01))
            done = {**wanted, "state": "done", "output": "{}", "reason": None, "version": None, "finished_at": 1}
            outcomes = [done] if standing is None else []
            await committer.commit(Record(run_id=run["id"], epoch=run["epoch"], outcomes=outcomes, change=DONE))
            left -= 1

        async def work(committer: Committer, owner: str) -> None:
            going: set[asyncio.Task[None]] = set()
            while left:
                found: Claimed = await committer.commit(claim(owner, chance.randrange(1, 6)))
                going |= {asyncio.create_task(go(committer, each.run)) for each in found.runs}
                await asyncio.sleep(0.005)
            await asyncio.gather(*going)

        workers = (work(committer, f"w{place}") for place, committer in enumerate(committers))
        await asyncio.wait_for(asyncio.gather(*workers), 60)
    assert told(desk, "SELECT state, epoch, count(*) FROM runs GROUP BY 1, 2") == [("succeeded", 1, count)]
    assert wrote == dict.fromkeys((f"write_{number}" for number in range(names)), 1)
    assert told(desk, "SELECT state, count(*) FROM effects GROUP BY 1") == [("done", names)]
    earlier = (
        "SELECT count(*) FROM runs AS one JOIN runs AS other USING (key) "
        "WHERE one.position < other.position AND other.started_at < one.updated_at"
    )
    assert told(desk, earlier) == [(0,)]
    assert desk.audited() > 0
