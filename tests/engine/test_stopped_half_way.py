"""What a run leaves half-way is gone on with once, however late and by however many; nothing else stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hub.model.ambient import of_micros
from hub.model.effect import Idempotency
from hub.model.exchange import Request, Response
from hub.store.tables import audit, effects, metadata, runs
from tests.engine.house import FastClock, House, bundle
from tests.engine.test_once import FILES, ONE_WRITE, exceptions, one_write, things
from tests.engine.vendor import Vendor

HASTY = "policy: patient\nkind: retry\nattempts: 1\n"


class LookedAtSlowly(Vendor):
    """Takes its time to answer a look, so that several look at the same state."""

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Serve one request."""
        response = await Vendor.send(self, request, headers, timeout)
        if request.method == "GET":
            await asyncio.sleep(0.1)
        return response


def of_one_thing(**files: str) -> Any:
    """Compile a flow with one probe write, in which events of two keys may mean the same thing."""
    flow = ONE_WRITE.format(kind="probe").replace("business_key: data.id", "business_key: data.thing")
    return bundle(flow, **FILES, **files)


def all_rows(house: House, table: Any) -> list[Any]:
    """Read a table."""
    with house.database.reading() as connection:
        return list(connection.execute(select(table)))


async def test_of_two_runs_that_find_an_open_write_one_goes_on_with_it(tmp_path: Path) -> None:
    """A run stops while its write is unknown; its replay and another event's run look at the same time."""
    vendor = LookedAtSlowly(fault=lambda request, number: "lost-before" if number == 1 else None)
    house = House(tmp_path, vendor, of_one_thing(**{"policies__patient.yaml": HASTY}))
    await house.start()
    await house.give({"id": "t1", "key": "k1", "thing": "x", "value": "1"})
    assert await house.settled() == {"parked": 1}
    (run,) = all_rows(house, runs)
    await asyncio.gather(
        house.run_orders.replay(run.id, actor="person:p_1"),
        house.give({"id": "t2", "key": "k2", "thing": "x", "value": "1"}),
    )
    await house.settled()
    assert len(vendor.documents) == 1
    await house.stop()


async def test_a_repeat_is_recorded_before_it_goes_out(tmp_path: Path) -> None:
    """After a crash the time in which it may still appear counts from the repeat, and the audit tells of it."""
    seen: list[tuple[Any, list[str]]] = []

    def fault(request: Request, number: int) -> str | None:
        if request.method == "POST":
            (effect,) = all_rows(house, effects)
            seen.append((effect.sent_at, [entry.kind for entry in all_rows(house, audit)]))
        return "lost-before" if number == 1 else None

    vendor = Vendor(fault=fault)
    house = House(tmp_path, vendor, one_write(Idempotency.PROBE))
    await house.start()
    await house.give(*things(1))
    assert await house.settled() == {"succeeded": 1}
    (first, _), (second, told) = seen
    assert of_micros(second) - of_micros(first) > timedelta(seconds=0.05)
    assert "effect.resent" in told
    await house.stop()


async def test_a_key_that_the_vendor_may_have_forgotten_is_not_sent_again(tmp_path: Path) -> None:
    """Two days later the vendor would take the repeat for a new write, so a person must look."""
    clock = FastClock()
    vendor = Vendor(fault=lambda request, number: "lost-after" if number == 1 else None)
    flow = bundle(ONE_WRITE.format(kind="native"), **FILES, **{"policies__patient.yaml": HASTY})
    house = House(tmp_path, vendor, flow, clock=clock)
    await house.start()
    await house.give(*things(1))
    assert await house.settled() == {"parked": 1}
    clock.leap(timedelta(days=2))
    (case,) = exceptions(house)
    await house.run_orders.replay_case(case.id, actor="person:p_1")
    assert await house.settled() == {"parked": 1}
    assert [case.reason for case in exceptions(house)] == ["outcome-unknown"]
    assert vendor.seen["native"] == 1
    await house.stop()


async def test_a_look_with_refused_credentials_pauses_the_connection(tmp_path: Path) -> None:
    """The run waits instead of using up its attempts, and finds its write when somebody resumes it."""
    refusing = True

    def fault(request: Request, number: int) -> str | None:
        if number == 1:
            return "lost-after"
        return "401" if refusing else None

    vendor = Vendor(fault=fault)
    house = House(tmp_path, vendor, one_write(Idempotency.PROBE))
    await house.start()
    await house.give(*things(1))
    await house.settled(waiting=["connection"])
    assert exceptions(house) == ()
    refusing = False
    await house.orders.set_connection("vendor", active=True, reason="renewed", actor="person:p_1")
    assert await house.settled() == {"succeeded": 1}
    assert len(vendor.documents) == 1
    await house.stop()


async def test_a_closed_exception_holds_nobody_back(tmp_path: Path) -> None:
    """What was settled outside the hub lets the later events of its key go on."""
    vendor = Vendor()
    house = House(tmp_path, vendor, one_write(Idempotency.UPSERT))
    await house.start()
    await house.give({"id": "t1", "key": "k1", "value": "bad"})
    assert await house.settled() == {"parked": 1}
    await house.give({"id": "t2", "key": "k1", "value": "good"})
    (case,) = exceptions(house)
    await house.orders.close_case(case.id, resolution="posted by hand", actor="person:p_1")
    assert await house.settled() == {"parked": 1, "succeeded": 1}
    await house.stop()


async def test_an_amount_that_no_column_holds_stops_neither_run_nor_hub(tmp_path: Path) -> None:
    """The run is recorded without its money at risk."""
    vendor = Vendor()
    flow = ONE_WRITE.format(kind="upsert").replace("steps:", "money: data.total\nsteps:")
    house = House(tmp_path, vendor, bundle(flow, **FILES))
    await house.start()
    for number, minor in enumerate((10**30, "12", True)):
        total = {"minor": minor, "currency": "EUR"}
        await house.give({"id": f"t{number}", "key": f"k{number}", "value": "1", "total": total})
    assert await house.settled() == {"succeeded": 3}
    await house.stop()


async def test_a_credential_that_the_vendor_says_back_is_not_kept(tmp_path: Path) -> None:
    """Neither in the history nor in the case."""
    vendor = Vendor(fault=lambda request, number: "says-it-back")
    house = House(tmp_path, vendor, one_write(Idempotency.UPSERT))
    house.accounts["vendor"].redactor.register("Bearer test")
    await house.start()
    await house.give(*things(1))
    assert await house.settled() == {"parked": 1}
    (case,) = exceptions(house)
    assert "[secret]" in case.detail
    kept = [all_rows(house, table) for table in metadata.sorted_tables]
    assert "Bearer test" not in str(kept)
    await house.stop()
