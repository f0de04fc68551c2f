"""A full disk: what comes from outside is refused, the engine waits, nothing is stored by half, and all goes on."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from hub.audit.verification import verify_chain
from hub.connections.budgets import StoredBudgets
from hub.errors import Fatal, StorageFull
from hub.model.limits import Portion, QuotaPer
from hub.model.turns import Turns
from hub.store import audit
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.store.events import Accept, Acceptance
from hub.store.history import Record
from tests.engine.house import House, bundle
from tests.engine.test_once import FILES, THREE_WRITES
from tests.engine.vendor import Vendor
from tests.store.test_committer import accept, ambient, claim

pytestmark = pytest.mark.embedded("the room that its file has")


class Disk:
    """The room of a database, as SQLite itself keeps it: beyond so many pages it says that the disk is full."""

    def __init__(self, database: Database) -> None:
        """Take the writing connection."""
        with database.writer.connect() as connection:
            self._own: Any = connection.connection.dbapi_connection

    def fill(self) -> None:
        """Leave no page."""
        (pages,) = self._own.execute("PRAGMA page_count").fetchone()
        (free,) = self._own.execute("PRAGMA freelist_count").fetchone()
        assert free == 0
        self._own.execute(f"PRAGMA max_page_count={pages}")

    def empty(self) -> None:
        """Make room."""
        self._own.execute("PRAGMA max_page_count=1000000")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[tuple[Database, Committer, Disk]]:
    database = Database(tmp_path)
    committer = Committer(database, ambient())
    disk = Disk(database)
    committer.start()
    yield database, committer, disk
    await committer.stop()
    database.close()


def large(number: int, size: int) -> Accept:
    """Give an acceptance with a payload of that size."""
    made = accept(number, key=str(number))
    return replace(made, event={**made.event, "data": "x" * size})


async def until_full(committer: Committer, first: int) -> list[int]:
    """Accept events until there is no room; gives the numbers of those that were acknowledged."""
    taken: list[int] = []
    for number in range(first, first + 2000):
        try:
            await committer.commit(large(number, 2000))
        except StorageFull:
            return taken
        taken.append(number)
    raise AssertionError("there is always room")


async def until_room(committer: Committer, number: int) -> None:
    """Accept an event as soon as there is room again."""
    async with asyncio.timeout(20):
        while True:
            try:
                await committer.commit(accept(number))
            except StorageFull:
                await asyncio.sleep(0.05)
            else:
                return


def kept(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(connection.exec_driver_sql("SELECT external_id FROM events").scalars())


async def test_what_was_acknowledged_is_there_and_nothing_else(store: tuple[Database, Committer, Disk]) -> None:
    """Also the audit log: the entries of what was refused are not in it."""
    database, committer, disk = store
    await committer.commit(accept(1))
    disk.fill()
    taken = [1, *await until_full(committer, 2)]
    assert kept(database) == {f"evt_{number}" for number in taken}
    with database.reading() as connection:
        (head,) = audit.logs(connection)
        assert head.size == 2 * len(taken)
        assert verify_chain(audit.entries(connection, "main"), head) == []


async def test_the_engine_waits_for_room_and_goes_on_by_itself(store: tuple[Database, Committer, Disk]) -> None:
    """What it records is neither lost nor refused; what comes from outside is refused at once."""
    database, committer, disk = store
    await committer.commit(accept(1))
    claimed = await claim(committer)
    disk.fill()
    await until_full(committer, 2)
    step = {"run_id": "run_1", "path": "s", "ordinal": 0, "kind": "map", "state": "succeeded", "started_at": 1}
    row = dict.fromkeys(("output", "answer", "answer_schema", "rule", "error"))
    record = Record(run_id="run_1", epoch=claimed.runs[0].run["epoch"])
    record.steps.append({**step, **row, "input": "x" * 100_000, "finished_at": 1})
    waiting = committer.submit(record)
    refused = 0
    for number in range(9000, 9020):
        try:
            await committer.commit(large(number, 20_000))
        except StorageFull:
            refused += 1
        await asyncio.sleep(0.1)
    assert refused == 20
    assert not waiting.done()
    assert committer.full_since is not None
    disk.empty()
    assert await asyncio.wait_for(waiting, 20) is None
    assert await committer.commit(accept(9999)) is Acceptance.NEW
    assert committer.full_since is None
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT length(input) FROM steps").scalars().all() == [100_000]


async def test_what_nobody_waits_for_is_left_out(
    store: tuple[Database, Committer, Disk], caplog: pytest.LogCaptureFixture
) -> None:
    """Who sends a request does not fail over what is only remembered of it, and nobody is told of it."""
    # What tests before this one have left behind is told of now.
    gc.collect()
    caplog.clear()
    database, committer, disk = store
    disk.fill()
    await until_full(committer, 1)
    budgets = StoredBudgets(environment="test", committer=committer)
    for number in range(5):
        budgets.keep("erp", {"rate": "x" * 20_000})
        committer.leave(large(8000 + number, 20_000))
        await asyncio.sleep(0.2)
    disk.empty()
    await until_room(committer, 9997)
    committer.leave(accept(9999))
    await committer.commit(accept(9998))
    gc.collect()
    assert {"evt_9998", "evt_9999"} <= kept(database)
    assert not kept(database) & {f"evt_{8000 + number}" for number in range(5)}
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def test_who_waits_for_a_limit_is_let_go_once_there_is_room(store: tuple[Database, Committer, Disk]) -> None:
    """Nobody would ask for it again."""
    _database, committer, disk = store
    await committer.commit(accept(1))
    budgets = StoredBudgets(environment="test", committer=committer)
    disk.fill()
    await until_full(committer, 2)
    waking = asyncio.ensure_future(budgets.wake("limit:test:erp", 1, Turns()))
    quota = asyncio.ensure_future(
        budgets.reserve("erp", [Portion(per=QuotaPer.DAY, zone="UTC", begins=1, quota=5, count=2)])
    )
    for number in range(3):
        with pytest.raises(StorageFull):
            await committer.commit(large(9000 + number, 20_000))
        await asyncio.sleep(0.2)
    disk.empty()
    assert await asyncio.wait_for(waking, 5) == 0
    assert await asyncio.wait_for(quota, 5) == [(2, 2)]


async def test_a_process_ends_while_the_disk_is_full(store: tuple[Database, Committer, Disk]) -> None:
    """What waits for room is told that there is none; nobody waits for ever."""
    _database, committer, disk = store
    await committer.commit(accept(1))
    await claim(committer)
    disk.fill()
    await until_full(committer, 2)
    record = Record(run_id="run_1", epoch=1)
    record.change = {"state": "parked", "reason": "x" * 100_000}
    waiting = committer.submit(record)
    await asyncio.sleep(0.2)
    await asyncio.wait_for(committer.stop(), 5)
    with pytest.raises(StorageFull):
        await asyncio.wait_for(waiting, 20)


async def test_another_failure_of_a_commit_stops_everything(store: tuple[Database, Committer, Disk]) -> None:
    """Only a full disk is known to have changed nothing; after an I/O error nobody knows what is stored."""
    _database, committer, _disk = store
    died: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    committer.on_death = died.set_result

    def fail(_transaction: object) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise OperationalError("COMMIT", {}, error)

    with pytest.raises(Fatal):
        await committer.commit(Work(fail))
    assert isinstance(await asyncio.wait_for(died, 5), Fatal)
    with pytest.raises(Fatal):
        await committer.commit(accept(1))


async def test_every_write_happens_once_over_a_full_disk(tmp_path: Path) -> None:
    """Flows stop where they are and go on where they were, without a case and without anybody's help."""
    vendor = Vendor()
    house = House(tmp_path, vendor, bundle(THREE_WRITES, **FILES))
    disk = Disk(house.database)
    await house.start()
    accepted = 0
    for number in range(400):
        if number == 60:
            disk.fill()
        try:
            await house.give({"id": f"t{number}", "key": f"k{number}", "value": str(number), "more": "x" * 2000})
        except StorageFull:
            break
        accepted += 1
    while house.committer.full_since is None:
        await asyncio.sleep(0.01)
    await asyncio.sleep(1)
    assert house.worker.in_flight
    disk.empty()
    counted = await house.settled()
    await house.stop()
    assert counted == {"succeeded": accepted}
    assert len(vendor.documents) == 3 * accepted
