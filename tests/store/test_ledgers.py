"""Ledgers of accounts on a server: several processes at a time, a server that goes away, and what it has kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.connections.bounds import Bound
from hub.connections.ledger import MICROS, Ask
from hub.connections.ledgers import Ledgers
from hub.errors import DatabaseAway
from hub.runtime.clock import system_ambient
from hub.runtime.wiring import budgets_of
from hub.store.committer import Committer
from hub.store.database import Database
from tests import postgres

pytestmark = pytest.mark.processes


@pytest.fixture
async def lines(tmp_path: Path, databases: postgres.Databases) -> AsyncIterator[list[Ledgers]]:
    """Give three processes' ways to one database."""
    url = databases.bare()
    homes = [Database(tmp_path / name, url) for name in "abc"]
    ways = [Ledgers(home.apart, environment="test", holder=f"holder_{each}") for each, home in enumerate(homes)]
    yield ways
    for way, home in zip(ways, homes, strict=True):
        await asyncio.to_thread(way.stop)
        home.close()


async def test_permits_are_given_once_however_many_ask_at_a_time(lines: list[Ledgers]) -> None:
    asks = [
        line.exchange(f"erp_{account}", Ask(number=1, concurrency=7, wanted=7))
        for account in range(5)
        for line in lines
    ]
    answers = await asyncio.gather(*asks)
    for account in range(5):
        assert sum(answer.permits for answer in answers[account * 3 : account * 3 + 3]) == 7
    again = await lines[0].exchange("erp_0", Ask(number=1, concurrency=7, wanted=7))
    assert again.permits == answers[0].permits
    assert again.now > answers[0].now


async def test_an_answer_that_was_lost_is_asked_for_again(lines: list[Ledgers]) -> None:
    line = lines[0]
    first = await line.exchange("erp", Ask(number=1, concurrency=3, wanted=2))
    with line._engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    ask = Ask(number=2, concurrency=3, wanted=3, permits=first.permits)
    with pytest.raises(DatabaseAway):
        await line.exchange("erp", ask)
    assert (await line.exchange("erp", ask)).permits == 3
    assert (await lines[1].exchange("erp", Ask(number=1, concurrency=3, wanted=3))).permits == 0


async def test_what_nobody_expects_is_told_to_who_asked_and_ends_nothing(lines: list[Ledgers]) -> None:
    """Whatever is wrong with one asking: the next ones are answered."""
    # It tells nothing of what it has sent in the window.
    strange = Ask(number=1, windows=((5, MICROS),), every=MICROS // 5)
    for _ in range(2):
        with pytest.raises(DatabaseAway):
            await asyncio.wait_for(lines[0].exchange("erp", strange), 10)
    ask = Ask(number=1, concurrency=3, wanted=2)
    assert (await asyncio.wait_for(lines[0].exchange("erp", ask), 10)).permits == 2
    assert (await lines[1].exchange("erp", ask)).permits == 1


async def test_a_ledger_that_cannot_be_read_begins_as_if_all_had_been_used(lines: list[Ledgers]) -> None:
    ask = Ask(number=1, windows=((5, MICROS),), every=MICROS // 5, burst=5, places=5, counted=((),), keeps=(0,))
    await lines[0].exchange("erp", Ask(number=1, concurrency=3))
    with lines[0]._engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("UPDATE marks SET value = '[' WHERE name = 'ledger:test:erp'")
    answer = await lines[1].exchange("erp", ask)
    assert answer.even
    assert min(answer.places[0]) > answer.now


async def test_who_ends_in_order_gives_back_at_once(tmp_path: Path, databases: postgres.Databases) -> None:
    url = databases.bare()
    began = time.monotonic()
    for name in "ab":
        home, ambient = Database(tmp_path / name, url), system_ambient(1)
        budgets = budgets_of("test", ambient, Committer(home, ambient, name=name), database=home)
        limiter = budgets.limiter("erp", "erp", lambda _now: [Bound(source="test", concurrency=1)])
        async with asyncio.timeout(20), limiter.permit(), limiter.sending():
            assert limiter.in_flight == 1
        budgets.close()
        await budgets.stop()
        home.close()
    # The second one had not to wait for a lease.
    assert time.monotonic() - began < 5


async def test_a_file_that_one_process_has_needs_none(tmp_path: Path) -> None:
    home, ambient = Database(tmp_path), system_ambient(1)
    if home.dialect == "sqlite":
        limiter = budgets_of("test", ambient, Committer(home, ambient), database=home).limiter(
            "erp", "erp", lambda _: []
        )
        async with limiter.permit(), limiter.sending():
            assert limiter.in_flight == 1
        assert limiter._asking is None
    home.close()
