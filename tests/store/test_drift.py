"""Counts of drift: in the transaction of the event, once for each new event, and bounded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as some

from hub.runtime.clock import system_ambient
from hub.store import drift
from hub.store.committer import Committer
from hub.store.database import Database
from hub.store.drift import MANY, MOST_FINDINGS, CountDrift, Sighting
from hub.store.events import Accept, Acceptance

SIGHTING = Sighting(
    environment="test",
    connection="vendor",
    schema="vendor.thing@1",
    kind="unknown-field",
    path="memo",
    detail="string",
    example="hello",
    event_id="event_1",
    action="accept",
)


def arrival(number: int, *drift: Sighting, content: str = "") -> Accept:
    """Give an event's acceptance with what was seen in it."""
    event = {
        "id": f"event_{number}_{content}",
        "environment": "test",
        "connection": "vendor",
        "external_id": f"evt_{number}",
        "type": "vendor.made",
        "subject": "",
        "schema": "vendor.thing@1",
        "occurred_at": 1,
        "received_at": 1,
        "via": "webhook",
        "state": "accepted",
        "deliveries": 1,
        "data": "{}",
        "record_key": None,
        "body_hash": f"hash{content}",
        "entity": None,
        "reason": None,
        "flags": None,
    }
    seen = [replace(sighting, event_id=str(event["id"])) for sighting in drift]
    return Accept(event=event, runs=[], actor="connection:vendor", drift=seen)


def rows(database: Database) -> list[dict[str, object]]:
    """List what is counted."""
    with database.reading() as connection:
        return [dict(row) for row in drift.listing(connection, environment="test")]


async def test_a_repeated_delivery_does_not_count_again(store: tuple[Database, Committer]) -> None:
    """Neither in the same group nor later; another event does, and its example is the latest."""
    database, committer = store
    first = [committer.commit(arrival(1, SIGHTING)) for _ in range(5)]
    assert sorted(await asyncio.gather(*first)) == [Acceptance.NEW, *[Acceptance.REPEATED] * 4]
    await committer.commit(arrival(1, SIGHTING))
    (row,) = rows(database)
    assert (row["count"], row["event_id"]) == (1, "event_1_")
    began = row["first_seen"]

    await committer.commit(arrival(2, replace(SIGHTING, example="later", action="quarantine")))

    (row,) = rows(database)
    assert (row["count"], row["example"], row["event_id"]) == (2, "later", "event_2_")
    assert row["action"] == "quarantine"
    assert row["first_seen"] == began and row["last_seen"] > began  # type: ignore[operator]


async def test_other_content_under_a_known_id_is_kept_and_counted_once(store: tuple[Database, Committer]) -> None:
    """It is a payload like any other, although it starts nothing."""
    database, committer = store
    for _ in range(3):
        await committer.commit(arrival(1, SIGHTING))
        await committer.commit(arrival(1, SIGHTING, content="forged"))
    assert [row["count"] for row in rows(database)] == [2]


@settings(max_examples=20, deadline=None)
@given(some.lists(some.lists(some.tuples(some.integers(0, 12), some.integers(0, 3)), max_size=12), max_size=6))
def test_counts_are_the_number_of_events_however_they_are_grouped(groups: Sequence[Sequence[tuple[int, int]]]) -> None:
    """Each new event counts once for each of its findings."""

    async def play(folder: Path) -> list[dict[str, object]]:
        database = Database(folder)
        committer = Committer(database, system_ambient(1))
        committer.start()
        for group in groups:
            # What an event has is a matter of its number, so that a repetition says the same.
            await asyncio.gather(
                *(committer.commit(arrival(number, *_of(number))) for number, times in group for _ in range(times))
            )
        found = rows(database)
        await committer.stop()
        database.close()
        return found

    with TemporaryDirectory() as folder:
        found = asyncio.run(play(Path(folder)))
    came = {number for group in groups for number, times in group if times}
    wanted = Counter(sighting.path for number in came for sighting in _of(number))
    assert {row["path"]: row["count"] for row in found} == wanted


def _of(number: int) -> list[Sighting]:
    return [replace(SIGHTING, path=f"field_{part}") for part in range(number % 4)]


async def test_names_made_of_data_do_not_fill_the_table(store: tuple[Database, Committer]) -> None:
    """What is over the limit is summed by kind; what is known already goes on being counted."""
    database, committer = store
    many = [replace(SIGHTING, path=f"metadata.{number}") for number in range(MOST_FINDINGS + 30)]
    await committer.commit(CountDrift(seen=many[:300]))
    await committer.commit(CountDrift(seen=many[300:]))
    await committer.commit(CountDrift(seen=[many[0], replace(SIGHTING, path="new", kind="new-value")]))

    found = {(row["kind"], row["path"]): row["count"] for row in rows(database)}

    assert len(found) == MOST_FINDINGS + 2
    assert found["unknown-field", MANY] == 30 and found["new-value", MANY] == 1
    assert found["unknown-field", "metadata.0"] == 2
    elsewhere = replace(SIGHTING, connection="other", path="new")
    await committer.commit(CountDrift(seen=[elsewhere]))
    assert len(rows(database)) == MOST_FINDINGS + 3
