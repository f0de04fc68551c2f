"""How often a group goes to the server and back: everybody waits for that, and most when the server is far away."""

from __future__ import annotations

from typing import Any

import pytest

from hub.store.deliveries import AcceptDelivery, Unrouted
from tests.shared.desk import Desk, Put, PutBeside
from tests.shared.servers import Way

pytestmark = pytest.mark.processes


def delivery(first: int, count: int) -> AcceptDelivery:
    """Give a delivery that no flow wants."""
    numbers = range(first, first + count)
    common = {"environment": "test", "connection": "usage", "received_at": 1, "via": "api", "state": "unrouted"}
    columns: dict[str, list[Any]] = {
        "id": [f"event_{number:06}" for number in numbers],
        "external_id": [f"meter {number}" for number in numbers],
        "type": ["sent.usage.recorded"] * count,
        "subject": [""] * count,
        "occurred_at": [1] * count,
        "data": ["{}"] * count,
        "record_key": [None] * count,
        "body_hash": [str(number) for number in numbers],
    }
    return AcceptDelivery(
        connection="usage", actor="sender:usage", unrouted=Unrouted(common={**common, "deliveries": 1}, columns=columns)
    )


async def test_a_new_delivery_goes_there_and_back_six_times_however_many_events_it_has(desk: Desk, way: Way) -> None:
    """Begin and enter; what is stored, the places and who waits; the copy, its end; the entry; the head and commit."""
    async with desk.committing() as committer:
        # The first one takes a log, and begins the order; what is asked often is prepared, by ways of its own.
        for first in (0, 100, 200, 300):
            await committer.commit(delivery(first, 100))
        for first, count in ((1000, 100), (2000, 1000)):
            before = way.trips
            told = await committer.commit(delivery(first, count))
            assert len(told) == count
            assert way.trips - before == 6


@pytest.mark.parametrize("put", [Put, PutBeside])
async def test_a_group_goes_there_and_back_three_times_beside_what_it_does(
    desk: Desk, way: Way, put: type[Put]
) -> None:
    async with desk.committing() as committer:
        for number in range(4):
            await committer.commit(Put(number=number))
        before = way.trips
        await committer.commit(put(number=4))
        assert way.trips - before == 3 + 1
    assert desk.written() == dict.fromkeys(range(5), 1)
    assert desk.audited() == 5
