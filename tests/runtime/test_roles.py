"""Roles as they are written, and the duty that one process at a time has."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.errors import Refused
from hub.model.ambient import Ambient
from hub.runtime.leading import Leading
from hub.runtime.roles import ALL, Role, assert_possible, named, roles_of
from hub.store import duties
from hub.store.committer import Committer
from hub.store.database import Database

LEASE = 10.0


class Clock:
    """A clock that stands until it is moved; both kinds of time are its."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 5, tzinfo=UTC)
        self.seconds = 100.0

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.move(seconds)

    def move(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        self.seconds += seconds


class Company:
    """Two processes that want the duty, on one database."""

    def __init__(self, committer: Committer, ambient: Ambient, clock: Clock) -> None:
        self.clock = clock
        self.told: list[str] = []
        self.one, self.other = (self._made(name, committer, ambient) for name in ("one", "other"))

    def _made(self, name: str, committer: Committer, ambient: Ambient) -> Leading:
        made = Leading(
            environment="test",
            committer=committer,
            ambient=ambient,
            holder=name,
            seconds=LEASE,
            shared=True,
            monotonic=lambda: self.clock.seconds,
        )

        async def lost() -> None:
            self.told.append(f"{name} lost")

        made.on_taken = lambda: self.told.append(f"{name} taken")
        made.on_lost = lost
        return made

    @property
    def leads(self) -> list[bool]:
        return [self.one.leads, self.other.leads]


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    clock = Clock()
    ambient = Ambient(clock=clock, random=random.Random(1))
    database = Database(tmp_path)
    committer = Committer(database, ambient)
    committer.start()
    yield Company(committer, ambient, clock)
    await committer.stop()
    database.close()


async def test_the_first_has_the_duty_as_long_as_it_prolongs_it(company: Company) -> None:
    await company.one.try_once()
    await company.other.try_once()
    assert company.leads == [True, False]
    for _ in range(10):
        company.clock.move(LEASE / 4)
        await company.one.try_once()
        await company.other.try_once()
    assert company.leads == [True, False]
    assert company.told == ["one taken"]


async def test_a_duty_that_is_not_prolonged_is_taken_and_is_never_two_processes(company: Company) -> None:
    await company.one.try_once()
    company.clock.move(LEASE - 0.1)
    await company.other.try_once()
    assert company.leads == [True, False]
    company.clock.move(0.2)
    # Its own clock tells the first one, before anybody else has the duty.
    assert company.leads == [False, False]
    await company.other.try_once()
    assert company.leads == [False, True]
    await company.one.try_once()
    assert company.leads == [False, True]
    assert company.told == ["one taken", "other taken", "one lost"]


async def test_who_ends_in_order_leaves_the_duty_to_others_at_once(company: Company) -> None:
    await company.one.try_once()
    await company.other.give_up()
    assert company.leads == [True, False]
    await company.one.give_up()
    await company.other.try_once()
    assert company.leads == [False, True]
    # What is another's by now is not given up.
    await company.one.give_up()
    await company.one.try_once()
    assert company.leads == [False, True]


async def test_who_is_alone_with_its_data_has_the_duty_and_writes_nothing(tmp_path: Path) -> None:
    clock = Clock()
    ambient = Ambient(clock=clock, random=random.Random(1))
    database = Database(tmp_path)
    committer = Committer(database, ambient)
    alone = Leading(environment="test", committer=committer, ambient=ambient, holder="one", seconds=LEASE, shared=False)
    assert alone.leads
    await alone.run()
    await alone.give_up()
    assert alone.leads
    with database.reading() as connection:
        assert duties.find(connection, environment="test", duty=duties.SCHEDULER) is None
    database.close()


def test_roles_are_read_in_any_order_and_written_in_one() -> None:
    assert roles_of("scheduler, api") == {Role.API, Role.SCHEDULER}
    assert named(roles_of("scheduler,api")) == "api,scheduler"
    assert named(ALL) == "api,worker,scheduler"


@pytest.mark.parametrize(("text", "word"), [("apis", "`apis`"), ("", "at least one"), (" , ", "at least one")])
def test_what_is_no_role_is_refused_with_those_that_are(text: str, word: str) -> None:
    with pytest.raises(Refused, match=r"api, worker, scheduler") as refused:
        roles_of(text)
    assert word in refused.value.detail


def test_a_part_of_the_roles_needs_a_database_that_others_share() -> None:
    assert_possible(ALL, None)
    assert_possible(frozenset({Role.WORKER}), "postgresql://somewhere/concord")
    with pytest.raises(Refused, match=r"--database") as refused:
        assert_possible(frozenset({Role.WORKER}), None)
    assert refused.value.code == "roles-need-database"
