"""Credentials that are refused to a stream: the connection is paused with one alert, and resumed nothing is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import CapturingLogger

from hub.audit.kinds import AuditKind
from hub.connections import refusals
from hub.connections.refusals import pause_refused
from hub.errors import ConnectionPaused, FixConnection, HubError
from hub.model.ambient import to_micros
from hub.model.exchange import Request
from hub.operate.orders import Orders
from hub.sdk import exact_json
from hub.store import connections
from hub.store.control_tables import backfills
from hub.store.tables import audit
from tests.engine.vendor import BASE, Vendor
from tests.intake.listed import Reader, VendorList, reading, with_streams
from tests.intake.standing_clock import StandingClock

ADA = "person:p_ada"


class Locked:
    """A hub whose only connection has two streams of a vendor that refuses its credentials, over the account."""

    def __init__(self, directory: Path) -> None:
        """Have some events there already."""
        self.clock = StandingClock("2026-01-05T12:00")
        self.list = VendorList(clock=self.clock)
        self.names = [self.list.happen() for _ in range(5)]
        self.refuses = True
        self.list.before_page = lambda _page: self.ask()
        self.speaks = with_streams(reading(self.list), reading(self.list, name="slow"))
        self.hub = Reader(directory, self.clock, self.speaks, every=timedelta(hours=1))
        self.fresh()
        self.orders = Orders(
            environment="test",
            ambient=self.hub.ambient,
            database=self.hub.database,
            committer=self.hub.committer,
            accounts=self.hub.accounts,
        )

    async def ask(self) -> None:
        """Ask the vendor through the account, as a connector does."""
        await self.hub.accounts["vendor"].send(Request(method="GET", url=f"{BASE}/look/x"))

    def fresh(self) -> None:
        """Make the account anew, as a new secret does."""
        account = self.hub.account("vendor", self.speaks)
        account.transport = Vendor(fault=lambda *_: "401" if self.refuses else None)  # type: ignore[assignment]
        self.hub.accounts["vendor"] = account

    async def mended(self) -> None:
        """Store new credentials and resume."""
        self.refuses = False
        self.fresh()
        self.hub.accounts["vendor"].paused = "as the database says"
        await self.orders.set_connection("vendor", active=True, reason="a new key", actor=ADA)

    async def rest(self) -> None:
        """Let what was begun come to its end."""
        async with asyncio.timeout(20):
            while self.hub.polls.going:
                await asyncio.sleep(0.001)

    def state(self) -> str | None:
        with self.hub.database.reading() as connection:
            return connections.states(connection, environment="test").get("vendor", {}).get("state")

    def alerts(self) -> list[dict[str, Any]]:
        with self.hub.database.reading() as connection:
            kinds = audit.c.kind == AuditKind.CONNECTION_PAUSED.value
            return [
                exact_json.loads(entry) for entry in connection.execute(select(audit.c.entry).where(kinds)).scalars()
            ]


async def test_a_stream_whose_credentials_are_refused_pauses_the_connection_with_one_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though two streams met it at once; both go on as soon as the connection is resumed, from where they were."""
    locked, told = Locked(tmp_path), CapturingLogger()
    monkeypatch.setattr(refusals, "log", told)
    async with locked.hub as hub:
        assert hub.polls.tick() == 2
        await locked.rest()
        (alert,) = locked.alerts()
        assert (alert["actor"], alert["subjects"]) == ("streams", {"connection": "vendor"})
        assert [(line.method_name, *line.args) for line in told.calls] == [("error", "connection.paused")]
        assert (locked.state(), hub.accounts["vendor"].paused) == ("paused", hub.row()["error"])
        locked.clock.leap(timedelta(days=1))
        assert hub.polls.tick() == 0
        await locked.mended()
        assert hub.polls.tick() == 2
        await locked.rest()
        assert hub.taken() == locked.names
        assert (hub.row()["error"], locked.state(), len(locked.alerts())) == (None, "active", 1)


async def test_resumed_too_early_it_is_paused_once_more_and_resumed_in_time_read_at_once(tmp_path: Path) -> None:
    """With the same account: whoever gave the rights at the vendor changes nothing here."""
    locked = Locked(tmp_path)
    async with locked.hub as hub:
        for number in range(2):
            assert hub.polls.tick() == 2
            await locked.rest()
            assert len(locked.alerts()) == number + 1
            await locked.orders.set_connection("vendor", active=True, reason="again", actor=ADA)
        locked.refuses = False
        assert hub.polls.tick() == 2
        await locked.rest()
        assert hub.taken() == locked.names


async def test_what_began_with_the_old_credentials_pauses_not_the_new_ones(tmp_path: Path) -> None:
    locked = Locked(tmp_path)
    async with locked.hub as hub:
        old, reached, goes = hub.accounts["vendor"], asyncio.Event(), asyncio.Event()

        async def ask() -> None:
            reached.set()
            await goes.wait()
            await old.send(Request(method="GET", url=f"{BASE}/look/x"))

        locked.list.before_page = lambda _page: ask()
        hub.polls.tick()
        await reached.wait()
        locked.fresh()
        goes.set()
        await locked.rest()
        assert (locked.state(), locked.alerts(), hub.accounts["vendor"].paused) == (None, [], None)
        locked.refuses, locked.list.before_page = False, lambda _page: None
        assert hub.polls.tick() == 2


def paused() -> HubError:
    return ConnectionPaused(connection="vendor", reason="people said so")


@pytest.mark.parametrize("error", [paused, lambda: HubError("Something else.")])
async def test_what_says_nothing_of_the_credentials_pauses_nothing(
    tmp_path: Path, error: Callable[[], HubError]
) -> None:
    """Somebody paused and resumed the connection while it was read."""
    locked = Locked(tmp_path)

    def raises(_page: int) -> None:
        raise error()

    locked.list.before_page = raises
    async with locked.hub as hub:
        hub.polls.tick()
        await locked.rest()
        assert locked.alerts() == []
        await pause_refused(
            hub.accounts, "vendor", paused(), committer=hub.committer, environment="test", actor="worker"
        )
        assert (locked.state(), hub.accounts["vendor"].paused) == (None, None)


async def test_runs_and_streams_that_meet_it_at_once_are_one_alert(tmp_path: Path) -> None:
    locked = Locked(tmp_path)
    async with locked.hub as hub:
        hub.polls.tick()
        refused = FixConnection(status=401)
        refused.account = hub.accounts["vendor"]
        await pause_refused(hub.accounts, "vendor", refused, committer=hub.committer, environment="test", actor="w")
        await locked.rest()
        assert len(locked.alerts()) == 1


async def test_a_back_fill_whose_credentials_are_refused_pauses_the_connection_and_goes_on_when_resumed(
    tmp_path: Path,
) -> None:
    locked = Locked(tmp_path)
    async with locked.hub as hub:
        since = locked.clock.now() - timedelta(hours=1)
        locked.clock.leap(timedelta(minutes=1))
        made = await hub.backfills.order("vendor", "told", since=since, until=None, actor=ADA, reason="again")
        assert hub.backfills.tick() == 1
        await hub.backfills.settle()
        assert (locked.state(), len(locked.alerts()), hub.backfills.tick()) == ("paused", 1, 0)
        await locked.mended()
        assert hub.backfills.tick() == 1
        await hub.backfills.settle()
        assert hub.taken() == locked.names
        with hub.database.reading() as connection:
            row = connection.execute(select(backfills).where(backfills.c.id == made)).one()
        assert (row.state, row.since) == ("done", to_micros(since))
