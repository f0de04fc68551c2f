"""What is about real money starts nothing at a test account, nor the other way round."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hub.errors import FixData
from hub.model.event import EventState, Via
from hub.operate.events import EventOrders
from hub.store.tables import events, runs
from tests.intake.listed import Reader, VendorList, event_of, reading, with_streams
from tests.intake.standing_clock import StandingClock


@pytest.mark.parametrize(
    ("account", "event", "state"),
    [
        (False, True, EventState.REJECTED),
        (True, False, EventState.REJECTED),
        (True, True, EventState.ACCEPTED),
        (False, False, EventState.ACCEPTED),
        (None, True, EventState.ACCEPTED),
        (True, None, EventState.ACCEPTED),
    ],
)
async def test_an_event_of_the_other_kind_is_kept_and_starts_nothing(
    tmp_path: Path,
    account: bool | None,  # noqa: FBT001 - what is tried
    event: bool | None,  # noqa: FBT001
    state: EventState,
) -> None:
    clock = StandingClock("2026-01-05T12:00")
    told = VendorList(clock=clock)
    told.happen(timedelta())
    async with Reader(tmp_path, clock, with_streams(reading(told))) as hub:
        hub.accounts["vendor"].production = account
        await hub.intake.accept("vendor", [replace(event_of(told.entries[0]), production=event)], Via.WEBHOOK)
        with hub.database.reading() as connection:
            row = connection.execute(events.select()).one()._mapping
            started = len(connection.execute(runs.select()).all())
        foreign = state is EventState.REJECTED
        assert (row["state"], row["reason"], started) == (state, "mixed-kinds" if foreign else None, int(not foreign))
        if foreign:
            orders = EventOrders(
                environment="test",
                ambient=hub.ambient,
                database=hub.database,
                committer=hub.committer,
                accounts=hub.accounts,
                bundle=lambda: hub.bundle,
                take=hub.intake.read_again,
            )
            with pytest.raises(FixData, match="belongs to") as caught:
                await orders.release(row["id"], actor="person:p_ada", reason="I want it")
            assert caught.value.code == "mixed-kinds"
