"""What other processes have changed is taken over, and what this one knows better is left alone."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.errors import WorkspaceInvalid
from hub.model.ambient import Ambient
from hub.runtime.following import Following
from hub.store import connections, revisions, secrets
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.revisions import How, NewRevision


class Clock:
    """A clock that stands."""

    def now(self) -> datetime:
        return datetime(2026, 1, 5, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing waits here")


@dataclass
class Process:
    """A process that follows, and the data that others change."""

    committer: Committer
    following: Following
    accounts: dict[str, Any]
    stored: dict[str, int]
    current: str = "first"
    broken: set[str] = field(default_factory=set)
    taken: list[str] = field(default_factory=list)
    reloads: int = 0

    async def change(self, work: Any) -> None:
        await self.committer.commit(Work(work))

    async def publish(self, bundle: str) -> None:
        def work(transaction: Transaction) -> None:
            before = revisions.current(transaction.connection, environment="test")
            new = NewRevision(environment="test", bundle=bundle, files={}, how=How.PUBLISH, actor="person:p")
            revisions.add(transaction, new, after=None if before is None else before["number"])

        await self.change(work)

    async def pause(self, reason: str | None) -> None:
        state = connections.ACTIVE if reason is None else connections.PAUSED
        order = {"environment": "test", "name": "erp", "state": state, "reason": reason or "", "actor": "person:p"}
        await self.change(lambda tx: connections.set_state(tx, **order))

    async def store(self, version: int) -> None:
        order: dict[str, Any] = {
            "environment": "test",
            "name": "erp",
            "version": version,
            "sealed": b"sealed",
            "actor": "person:p",
        }
        await self.change(lambda tx: secrets.add(tx, **order))


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    ambient = Ambient(clock=Clock(), random=random.Random(1))
    database = Database(tmp_path)
    committer = Committer(database, ambient)
    committer.start()
    accounts: dict[str, Any] = {"erp": SimpleNamespace(paused=None), "billing": SimpleNamespace(paused=None)}

    stored: dict[str, int] = {}

    async def shelf(bundle: str) -> Any:
        if bundle in made.broken:
            raise WorkspaceInvalid("It does not compile here.")
        return SimpleNamespace(id=bundle)

    following = Following(
        environment="test",
        database=database,
        ambient=ambient,
        accounts=accounts,
        current=lambda: cast(Any, SimpleNamespace(id=made.current)),
        shelf=shelf,
        stored=stored,
    )
    made = Process(committer, following, accounts, stored)

    def take(bundle: Any) -> None:
        made.current = bundle.id
        made.taken.append(bundle.id)

    def reload() -> None:
        made.reloads += 1

    following.on_revision, following.on_secrets = take, reload
    await made.publish("first")
    await following.note()
    await following.begin()
    yield made
    await committer.stop()
    database.close()


async def test_a_newer_revision_is_taken_once(process: Process) -> None:
    await process.following.look()
    assert process.taken == []
    await process.publish("second")
    await process.following.look()
    await process.following.look()
    assert process.taken == ["second"]


async def test_a_revision_of_before_this_process_published_its_own_is_not_gone_back_to(process: Process) -> None:
    # It has switched already; what is recorded is seen at the next look.
    process.current = "second"
    await process.following.look()
    assert process.current == "second"
    await process.publish("second")
    await process.following.look()
    assert process.taken == []


async def test_a_revision_that_does_not_compile_here_leaves_the_one_before(process: Process) -> None:
    process.broken.add("second")
    await process.publish("second")
    await process.following.look()
    assert process.current == "first"
    await process.publish("third")
    await process.following.look()
    assert process.taken == ["third"]


async def test_a_pause_and_its_end_are_taken_over(process: Process) -> None:
    await process.pause("the books are closed")
    await process.following.look()
    assert process.accounts["erp"].paused == "the books are closed"
    assert process.accounts["billing"].paused is None
    await process.pause(None)
    await process.following.look()
    assert process.accounts["erp"].paused is None


async def test_a_refusal_that_is_not_recorded_yet_stays(process: Process) -> None:
    process.accounts["billing"].paused = "refused a moment ago"
    await process.pause("the books are closed")
    await process.following.look()
    assert process.accounts["billing"].paused == "refused a moment ago"


async def test_a_newer_secret_makes_the_accounts_anew(process: Process) -> None:
    await process.store(1)
    await process.following.look()
    await process.following.look()
    assert process.reloads == 1
    await process.store(2)
    await process.following.look()
    assert process.reloads == 2


async def test_what_changes_while_the_process_begins_is_taken_over(process: Process) -> None:
    await process.following.note()
    await process.store(1)
    await process.publish("second")
    await process.pause("the books are closed")
    await process.following.begin()
    assert (process.reloads, process.taken) == (1, ["second"])
    assert process.accounts["erp"].paused == "the books are closed"


async def test_a_secret_that_this_process_has_renewed_itself_makes_nothing_anew(process: Process) -> None:
    await process.store(1)
    await process.following.look()
    process.stored["erp"] = 2
    await process.store(2)
    await process.following.look()
    assert process.reloads == 1
    await process.store(3)
    await process.following.look()
    assert process.reloads == 2


async def test_who_waits_for_an_account_is_told_only_where_somebody_does(process: Process) -> None:
    told: list[Collection[str]] = []
    process.following.on_waiting = told.append
    await process.following.look_at_rows()
    assert told == []
