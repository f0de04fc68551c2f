"""Deliveries in one transaction: what is all new goes as columns, and nobody can tell it from what went one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import insert, select

from hub.errors import HubError
from hub.sdk import exact_json
from hub.store import events as stored
from hub.store.audit import entries
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.deliveries import AcceptDelivery, Unrouted, bound
from hub.store.events import Accept
from hub.store.outbox_tables import outbox
from hub.store.tables import events, runs

Store = tuple[Database, Committer]


def delivery(place: int, names: Sequence[str], *, sender: str = "usage", content: str = "0", at: int = 1) -> Any:
    """Give a delivery that no flow wants."""
    common: dict[str, Any] = {"environment": "test", "connection": sender, "received_at": at, "via": "api"}
    common |= {"state": "unrouted", "deliveries": 1}
    columns: dict[str, list[Any]] = {
        "id": [f"event_{place}_{number:03}" for number in range(len(names))],
        "external_id": list(names),
        "type": ["sent.usage.recorded"] * len(names),
        "subject": [f"of {name}" for name in names],
        "occurred_at": list(range(len(names))),
        "data": [f'{{"a\\n\\\\":"{name}\\t%s"}}' for name in names],
        "record_key": ["data" if number % 2 else None for number in range(len(names))],
        "body_hash": [content] * len(names),
    }
    return AcceptDelivery(
        connection=sender, actor=f"sender:{sender}", unrouted=Unrouted(common=common, columns=columns)
    )


def one_by_one(delivery: AcceptDelivery) -> AcceptDelivery:
    """Give the same as single events."""
    accepts = [one for alone in delivery.apart() for one in alone.accepts]
    return AcceptDelivery(connection=delivery.connection, actor=delivery.actor, accepts=accepts)


async def taken(
    committer: Committer, *batch: AcceptDelivery, tells: bool = False, ahead: bool = True
) -> list[list[str]]:
    """Write deliveries in one transaction, prepared `ahead` as a committer has them; gives what became of each event.

    What cannot be prepared is written as it is, with what it meets.
    """

    def work(transaction: Transaction) -> list[list[Any]]:
        transaction.tells = tells
        some = [one.prepared(transaction.connection.dialect.name) for one in batch] if ahead else batch
        return [list(each) for each in AcceptDelivery.apply(some, transaction)]

    found: list[list[Any]] = await committer.commit(Work(work))
    return [[each.value for each in told] for told in found]


def rows(database: Database) -> list[dict[str, Any]]:
    """Give all events in their order."""
    with database.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(select(events).order_by(events.c.position))]


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("count", [1, 3, 70])
async def test_columns_are_the_rows_that_single_events_are(store: Store, count: int, ahead: bool) -> None:  # noqa: FBT001
    """However many there are, and whatever stands in them."""
    database, committer = store
    names = [f"e{number}\\" for number in range(count)]
    assert await taken(committer, delivery(1, names), ahead=ahead) == [["new"] * count]
    assert await taken(committer, one_by_one(delivery(2, names, sender="other"))) == [["new"] * count]
    found = rows(database)
    assert [row["position"] for row in found] == list(range(1, 2 * count + 1))
    told = [{**row, "connection": "", "id": "", "position": 0} for row in found]
    assert told[:count] == told[count:]
    assert found[0]["data"] == '{"a\\n\\\\":"e0\\\\t%s"}'


@pytest.mark.parametrize("ahead", [True, False])
async def test_each_event_is_taken_once_in_whichever_delivery_it_comes(store: Store, ahead: bool) -> None:  # noqa: FBT001
    """What another delivery of the group has, or was there before, is seen; each sender's ids are its own."""
    database, committer = store
    await taken(committer, delivery(0, ["old"]))
    told = await taken(
        committer,
        delivery(1, ["a", "b"]),
        delivery(2, ["a", "b", "c"], sender="other", at=2),
        one_by_one(delivery(3, ["c", "d"])),
        delivery(4, ["d", "e"], content="1"),
        delivery(5, ["f", "f"]),
        delivery(6, ["g", "old"]),
        delivery(7, ["a", "h"]),
        delivery(8, ["i"]),
        ahead=ahead,
    )
    assert told == [
        ["new", "new"],
        ["new", "new", "new"],
        ["new", "new"],
        ["conflicting", "new"],
        ["new", "repeated"],
        ["new", "repeated"],
        ["repeated", "new"],
        ["new"],
    ]
    found = rows(database)
    assert [row["position"] for row in found] == list(range(1, 15))
    assert {row["external_id"]: row["deliveries"] for row in found if row["connection"] == "usage"} == {
        **dict.fromkeys(["b", "c", "d", "e", "g", "h", "i", "d#1"], 1),
        **dict.fromkeys(["old", "a", "f"], 2),
    }
    assert {row["received_at"] for row in found if row["connection"] == "other"} == {2}
    with database.reading() as connection:
        entered = [exact_json.loads(link.leaf) for link in entries(connection, "main")]
    accepted = [entry["facts"] for entry in entered if entry["kind"] == "delivery.accepted"]
    assert sum(facts["events"] for facts in accepted) == len(found)
    for facts in accepted:
        places = range(facts["position"], facts["position"] + facts["events"])
        assert facts["content"] == bound(row for row in found if row["position"] in places)


async def test_what_is_written_as_columns_is_told_to_feeds_and_to_those_who_wait(store: Store) -> None:
    """As of any other event."""
    database, committer = store
    topic = stored.topic(environment="test", type="sent.usage.recorded", subject="of b")
    row: dict[str, Any] = {"id": "run_1", "position": 1, "environment": "test", "flow": "f", "bundle": "b"}
    row |= {"event_id": "event_0", "key": "k", "business_key": "k", "state": "waiting", "blocking": True}
    row |= {"wait_kind": "event", "wait_on": topic, "epoch": 1, "generation": 0, "created_at": 1, "updated_at": 1}
    await committer.commit(Work(lambda transaction: transaction.connection.execute(insert(runs), row)))
    await taken(committer, delivery(1, ["a"]), delivery(2, ["x", "y"], sender="other"), tells=True)
    with database.reading() as connection:
        assert connection.execute(select(runs.c.state)).scalar() == "waiting"
    await taken(committer, delivery(3, ["b"]), tells=True)
    with database.reading() as connection:
        assert connection.execute(select(runs.c.state)).scalar() == "queued"
        told = connection.execute(select(outbox.c.event_id, outbox.c.id).order_by(outbox.c.position)).all()
    assert [tuple(each) for each in told] == [
        ("event_1_000", "a"),
        ("event_2_000", "x"),
        ("event_2_001", "y"),
        ("event_3_000", "b"),
    ]


async def test_what_does_not_fit_harms_only_itself_once_it_is_alone(store: Store) -> None:
    """A delivery is put apart into its events where the database refuses the whole."""
    database, committer = store
    fits = delivery(1, ["a", "b"])
    too_large: Accept = fits.apart()[1].accepts[0]
    wrong = {**too_large.event, "occurred_at": 1 << 70}
    columns = {**fits.unrouted.columns, "occurred_at": [0, wrong["occurred_at"]]}
    whole = AcceptDelivery(
        connection="usage", actor="sender:usage", unrouted=Unrouted(common=fits.unrouted.common, columns=columns)
    )
    with pytest.raises(HubError):
        await committer.commit(whole)
    assert rows(database) == []
    first, second = whole.apart()
    assert [each.value for each in await committer.commit(first)] == ["new"]
    with pytest.raises(HubError):
        await committer.commit(second)
    assert [row["external_id"] for row in rows(database)] == ["a"]
