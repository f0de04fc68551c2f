"""Deliveries of sent events: each event once, whoever sends it how often, and all of it in the books."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sqlalchemy import select, update

from hub.access.permissions import Permission
from hub.errors import Behind, NotAllowed, NotAuthenticated, RetryLater, Stopping, TooMuchAtOnce
from hub.intake import cloudevents
from hub.intake.deliveries import MOST_EVENTS, Deliveries, Result, TooManyEvents
from hub.intake.turns import Turns
from hub.sdk import exact_json
from hub.store.audit import entries
from hub.store.deliveries import bound
from hub.store.drift import listing
from hub.store.tables import events, runs
from tests.engine.house import House
from tests.intake.sending import OTHER_TOKEN, SOURCE, TOKEN, body_of, house, usage, waiting_house

Hub = tuple[House, Deliveries]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    made, deliveries = house(tmp_path)
    await made.start()
    yield made, deliveries
    await made.stop()


async def sent(deliveries: Deliveries, *given: object, token: str = TOKEN) -> list[str]:
    """Send a batch; gives what became of each event."""
    told = await deliveries.take(deliveries.sending(token), body_of(*given), batch=True)
    return [outcome.result.value for outcome in told]


def rows(made: House) -> list[dict[str, Any]]:
    """Give all events, in the order in which they were taken."""
    with made.database.reading() as connection:
        found = connection.execute(select(events).order_by(events.c.position))
        return [dict(row._mapping) for row in found]


def audited(made: House) -> list[dict[str, Any]]:
    """Give all entries of the audit log."""
    with made.database.reading() as connection:
        return [exact_json.loads(link.leaf) for link in entries(connection, "main")]


async def test_an_event_is_taken_once_and_its_repeats_are_told(hub: Hub) -> None:
    made, deliveries = hub
    assert await sent(deliveries, usage("a"), usage("b"), usage("a")) == ["accepted", "accepted", "duplicate"]
    assert await sent(deliveries, usage("b"), usage("c"), usage("a")) == ["duplicate", "accepted", "duplicate"]
    assert [(row["external_id"], row["deliveries"]) for row in rows(made)] == [
        (f"{SOURCE} a", 3),
        (f"{SOURCE} b", 2),
        (f"{SOURCE} c", 1),
    ]


async def test_other_content_is_told_and_kept_beside_and_never_replaces(hub: Hub) -> None:
    made, deliveries = hub
    first, other = usage("a"), usage("a", data={"meter": "calls", "quantity": 4})
    assert await sent(deliveries, first, other, first) == ["accepted", "conflicting", "duplicate"]
    assert await sent(deliveries, other, other) == ["conflicting", "conflicting"]
    kept, beside = rows(made)
    assert exact_json.loads(kept["data"]) == first
    assert (kept["state"], beside["state"], beside["reason"]) == ("unrouted", "rejected", "same-id-other-content")
    assert exact_json.loads(beside["data"]) == other
    with made.database.reading() as connection:
        assert connection.execute(select(runs.c.id)).all() == []


async def test_the_same_id_of_another_source_or_sender_is_another_event(hub: Hub) -> None:
    made, deliveries = hub
    assert await sent(deliveries, usage("a"), usage("a", source="/meters")) == ["accepted", "accepted"]
    assert await sent(deliveries, usage("a"), token=OTHER_TOKEN) == ["accepted"]
    assert [row["connection"] for row in rows(made)] == ["usage", "usage", "other"]


@settings(deadline=None, max_examples=15)
@given(deliveries=some.lists(some.lists(some.tuples(some.integers(0, 5), some.integers(0, 1)), max_size=8), max_size=6))
def test_whatever_comes_at_once_each_event_is_taken_once(
    deliveries: list[list[tuple[int, int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of each id the first content stands; every other one is told, in whichever requests they come."""

    async def check() -> None:
        made, door = house(tmp_path_factory.mktemp("hub"))
        await made.start()
        try:
            told = await asyncio.gather(
                *(sent(door, *(usage(str(name), data={"n": n}) for name, n in each)) for each in deliveries)
            )
            results: dict[tuple[int, int], Counter[str]] = {}
            for each, said in zip(deliveries, told, strict=True):
                for event, result in zip(each, said, strict=True):
                    results.setdefault(event, Counter())[result] += 1
            for name in {name for name, _ in results}:
                alike = {event: said for event, said in results.items() if event[0] == name}
                assert sum(said["accepted"] for said in alike.values()) == 1
                (winner,) = (event for event, said in alike.items() if said["accepted"])
                for event, counted in alike.items():
                    assert set(counted) <= ({"accepted", "duplicate"} if event == winner else {"conflicting"})
            stands = Counter(row["external_id"] for row in rows(made))
            assert set(stands.values()) <= {1}
            assert len(stands) == len(results)
        finally:
            await made.stop()

    asyncio.run(check())


async def test_a_flow_starts_for_what_it_wants_and_for_nothing_else(hub: Hub) -> None:
    made, deliveries = hub
    order = usage("o", type="order.placed", data={"order": "7"})
    assert await sent(deliveries, usage("a"), order, order) == ["accepted", "accepted", "duplicate"]
    with made.database.reading() as connection:
        (run,) = connection.execute(select(runs.c.key, runs.c.event_id)).all()
    states = {row["external_id"]: (row["state"], row["id"]) for row in rows(made)}
    assert states[f"{SOURCE} a"][0] == "unrouted"
    assert (run.key, states[f"{SOURCE} o"]) == ("7", ("accepted", run.event_id))


async def test_what_differs_from_its_schema_is_decided_by_the_senders_policy(hub: Hub) -> None:
    made, deliveries = hub
    good, bad = usage("g", type="session.ended"), usage("b", type="session.ended", data={"meter": "m"})
    assert await sent(deliveries, good, bad) == ["accepted", "accepted"]
    assert [(row["schema"], row["state"], row["reason"]) for row in rows(made)] == [
        ("session.ended@1", "unrouted", None),
        ("session.ended@1", "quarantined", "missing-field"),
    ]
    with made.database.reading() as connection:
        (seen,) = listing(connection, environment="test")
    assert (seen["connection"], seen["schema"], seen["path"]) == ("usage", "session.ended@1", "quantity")


async def test_one_entry_of_the_audit_binds_all_that_is_new_of_a_delivery(hub: Hub) -> None:
    """Its number, its place and what it is can be had again from the rows; what starts or is kept back is told too."""
    made, deliveries = hub
    order = usage("o", type="order.placed", data={"order": "7"})
    await sent(deliveries, usage("a"), usage("b"), order, usage("a", data=1))
    await sent(deliveries, usage("a"), usage("c"))
    await sent(deliveries, usage("a"))
    told = audited(made)
    assert Counter(entry["kind"] for entry in told) == {
        "delivery.accepted": 2,
        "event.accepted": 1,
        "run.queued": 1,
        "event.rejected": 1,
    }
    kept = rows(made)
    for entry in (entry for entry in told if entry["kind"] == "delivery.accepted"):
        facts = entry["facts"]
        places = range(facts["position"], facts["position"] + facts["events"])
        assert facts["content"] == bound(row for row in kept if row["position"] in places)
        assert (entry["actor"], facts["connection"]) == ("sender:usage/meter", "usage")
    assert sum(entry["facts"].get("events", 0) for entry in told) == len(kept)
    with made.database.writer.begin() as connection:
        connection.execute(update(events).where(events.c.position == 2).values(body_hash="0" * 64))
    first = next(entry["facts"] for entry in told if entry["kind"] == "delivery.accepted")
    assert first["content"] != bound(row for row in rows(made) if row["position"] <= first["events"])


async def test_what_is_refused_is_told_in_its_place_and_counted(hub: Hub) -> None:
    made, deliveries = hub
    given = (usage("a", source="/elsewhere"), usage("b"), 7, usage("c", type="invoice.paid"), usage("d", id=""))
    told = await deliveries.take(deliveries.sending(TOKEN), body_of(*given), batch=True)
    assert [outcome.refusal.code if outcome.refusal else outcome.result.value for outcome in told] == [
        "source-not-allowed",
        "accepted",
        "not-an-event",
        "type-not-allowed",
        "invalid-attribute",
    ]
    assert [outcome.id for outcome in told] == ["a", "b", None, "c", ""]
    await made.intake.flush_refusals()
    counted = [entry["facts"] for entry in audited(made) if entry["kind"] == "webhook.refused"]
    assert {(facts["connection"], facts["reason"], facts["count"]) for facts in counted} == {
        ("usage", "source-not-allowed", 1),
        ("usage", "not-an-event", 1),
        ("usage", "type-not-allowed", 1),
        ("usage", "invalid-attribute", 1),
    }


async def test_a_run_that_waits_for_an_event_goes_on_when_it_is_sent(tmp_path: Path) -> None:
    """Although no flow starts with it."""
    made, deliveries = waiting_house(tmp_path)
    await made.start()
    try:
        await sent(deliveries, usage("o", type="order.placed", data={"order": "7"}))
        assert await made.settled(waiting=["event"]) == {"waiting": 1}
        await sent(deliveries, usage("p", type="order.paid", subject="8"))
        assert await made.settled(waiting=["event"]) == {"waiting": 1}
        await sent(deliveries, usage("q", type="order.paid", subject="7"))
        assert await made.settled() == {"succeeded": 1}
    finally:
        await made.stop()


def test_a_token_opens_for_its_sender_and_for_sending_alone(tmp_path: Path) -> None:
    made, deliveries = house(tmp_path)
    sending = deliveries.sending(TOKEN)
    assert (sending.actor, sending.sender.name) == ("sender:usage/meter", "usage")
    sending.require(Permission.SEND_EVENT)
    for permission in set(Permission) - {Permission.SEND_EVENT}:
        with pytest.raises(NotAllowed):
            sending.require(permission)
    for token in ("", "x" * 50, TOKEN[:-1], TOKEN + "x", f" {TOKEN}", "\ud800" * 40, sending.sender.tokens["meter"]):
        with pytest.raises(NotAuthenticated):
            deliveries.sending(token)
    made.database.close()


async def test_more_events_than_are_taken_at_once_are_none(hub: Hub) -> None:
    made, deliveries = hub
    with pytest.raises(TooManyEvents):
        await sent(deliveries, *(usage(str(number)) for number in range(MOST_EVENTS + 1)))
    assert rows(made) == []
    assert set(await sent(deliveries, *(usage(str(number)) for number in range(MOST_EVENTS)))) == {"accepted"}
    assert len(rows(made)) == MOST_EVENTS


async def test_one_that_cannot_be_stored_keeps_no_other_from_being_taken(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason, which would be a defect: here its number is larger than any column's."""
    made, deliveries = hub
    monkeypatch.setattr(cloudevents, "_moment", lambda time: 2**70 if time.startswith("1999") else 0)
    given = (usage("a"), usage("b", time="1999-01-01T00:00:00Z"), usage("c"))
    told = await deliveries.take(deliveries.sending(TOKEN), body_of(*given), batch=True)
    assert [outcome.result.value for outcome in told] == ["accepted", "refused", "accepted"]
    assert told[1].refusal is not None
    assert told[1].refusal.code == "cannot-be-stored"
    assert [row["external_id"] for row in rows(made)] == [f"{SOURCE} a", f"{SOURCE} c"]


@pytest.fixture
def seen(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Note which deliveries, by the number of their events, are read and handed over to be committed."""
    made, _ = hub
    noted: list[tuple[str, int]] = []
    values_of, commit = cloudevents.values_of, made.committer.commit

    def read(body: bytes, *, batch: bool) -> list[Any]:
        values = values_of(body, batch=batch)
        noted.append(("read", len(values)))
        return values

    async def committed(write: Any) -> Any:
        noted.append(("handed over", len(write.unrouted.ids)))
        return await commit(write)

    monkeypatch.setattr("hub.intake.deliveries.values_of", read)
    monkeypatch.setattr(made.committer, "commit", committed)
    return noted


async def test_long_deliveries_are_read_one_after_the_other_and_a_short_one_waits_for_none(
    hub: Hub, seen: list[tuple[str, int]]
) -> None:
    """So the first is on its way to the disk while the next is read."""
    _, deliveries = hub
    told = await asyncio.gather(
        *(sent(deliveries, *(usage(f"{size}-{number}") for number in range(size))) for size in (900, 800, 3))
    )
    assert [set(each) for each in told] == [{"accepted"}] * 3
    long = [each for each in seen if each[1] != 3]
    assert long == [("read", 900), ("handed over", 900), ("read", 800), ("handed over", 800)]
    assert seen.index(("handed over", 3)) < seen.index(("handed over", 900))


async def test_short_deliveries_that_come_to_the_door_at_one_time_are_handed_over_together(
    hub: Hub, seen: list[tuple[str, int]]
) -> None:
    """So they share a commit, which costs as much for one event as for some."""
    _, deliveries = hub

    async def later() -> list[str]:
        await asyncio.sleep(0)
        return await sent(deliveries, usage("b"), usage("c"))

    one, two = await asyncio.gather(sent(deliveries, usage("a")), later())
    assert (one, two) == (["accepted"], ["accepted"] * 2)
    assert seen == [("read", 1), ("read", 2), ("handed over", 1), ("handed over", 2)]


async def test_a_hub_that_stops_takes_nothing_new(hub: Hub) -> None:
    made, deliveries = hub
    made.intake.close()
    with pytest.raises(Stopping):
        await sent(deliveries, usage("a"))
    with pytest.raises(Stopping), deliveries.holding(deliveries.sending(TOKEN), 1):
        pass
    assert rows(made) == []


async def test_who_comes_first_has_the_first_turn_and_nobody_waits_for_ever() -> None:
    turns, order = Turns(held=100, of_one=60, worked=10), list[int]()

    async def work(number: int, size: int) -> None:
        async with turns.working(size):
            order.append(number)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(work(number, size)) for number, size in enumerate([6, 6, 1, 50, 1, 4, 4])]
    await asyncio.sleep(0)
    tasks[2].cancel()
    tasks[4].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 1, 3, 5, 6]
    await work(9, 10)
    assert order[-1] == 9


def test_what_would_wait_too_long_is_turned_away_and_one_sender_leaves_room_for_others() -> None:
    turns = Turns(held=100, of_one=60, worked=10)
    with turns.holding("a", 50):
        with pytest.raises(TooMuchAtOnce) as mine, turns.holding("a", 11):
            pass
        with turns.holding("b", 50), pytest.raises(Behind) as everybody, turns.holding("c", 1):
            pass
        assert all(isinstance(each.value, RetryLater) and each.value.after for each in (mine, everybody))
    with turns.holding("a", 1000):
        pass


def test_results_are_the_words_of_the_page() -> None:
    assert [result.value for result in Result] == ["accepted", "duplicate", "conflicting", "refused"]
