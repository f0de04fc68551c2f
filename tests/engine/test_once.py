"""Writes happen once: whatever the vendor does with the answers, and wherever the process dies."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from hub.errors import Fatal
from hub.model.effect import Idempotency
from hub.model.exchange import Request
from hub.queries import cases
from hub.queries.view import View
from hub.store.committer import Committer, Write
from tests.engine.house import FastClock, House, bundle
from tests.engine.vendor import Vendor

ONE_WRITE = """
flow: tested
title: One write
owner: team:tests
on: {{ event: vendor.thing.made }}
key: data.key
business_key: data.id
steps:
  - id: write
    call: {{ connection: vendor, operation: {kind}.write, with: vendor/thing, of: data }}
    retry: patient
"""

THREE_WRITES = """
flow: tested
title: Three writes of three kinds
owner: team:tests
on: { event: vendor.thing.made }
key: data.key
business_key: data.id
steps:
  - id: first
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
    retry: patient
  - id: second
    call: { connection: vendor, operation: upsert.write, with: vendor/thing, of: data }
    retry: patient
  - id: third
    call: { connection: vendor, operation: probe.write, with: vendor/thing, of: data }
    retry: patient
  - id: look
    call: { connection: vendor, operation: document.read, by: =third.id }
    retry: patient
"""

THING = """
mapping: vendor/thing
version: 1
from: vendor.thing@1
to: vendor.thing@1
fields:
  key: id
  value: value
"""

SCHEMA = '{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}'

FILES = {"mappings__vendor__thing.yaml": THING, "schemas__vendor.thing@1.json": SCHEMA}


def things(count: int, keys: int = 1000) -> list[dict[str, Any]]:
    """Make events of things; every key has several."""
    return [{"id": f"t{number}", "key": f"k{number % keys}", "value": str(number)} for number in range(count)]


def exceptions(house: House) -> tuple[cases.CaseRow, ...]:
    """Give the open cases."""
    return cases.listing(View(environment="test", database=house.database, ambient=house.ambient)).cases


def one_write(kind: Idempotency) -> Any:
    """Compile the flow with one write."""
    return bundle(ONE_WRITE.format(kind=kind.value), **FILES)


@pytest.mark.parametrize("kind", list(Idempotency))
@pytest.mark.parametrize("fault", ["lost-after", "lost-before", "500-after", "garbage-after"])
async def test_an_unknown_outcome_is_resolved_by_kind(tmp_path: Path, kind: Idempotency, fault: str) -> None:
    """Native, upsert and probe end with one document; unsafe is sent once and stops for a person."""
    vendor = Vendor(fault=lambda request, number: fault if number == 1 else None)
    house = House(tmp_path, vendor, one_write(kind))
    await house.start()
    await house.give(*things(1))
    counted = await house.settled()
    if kind is Idempotency.UNSAFE:
        assert counted == {"parked": 1}
        assert vendor.seen["unsafe"] == (0 if fault == "lost-before" else 1)
        assert [case.reason for case in exceptions(house)] == ["outcome-unknown"]
    else:
        assert counted == {"succeeded": 1}
        assert len(vendor.documents) == 1
        assert all(len(set(bodies)) == 1 for bodies in vendor.bodies.values())
    await house.stop()


async def test_a_write_that_came_through_late_is_found_when_its_repeat_is_refused(tmp_path: Path) -> None:
    """The look was too early and the repeat was refused: looking once more tells why."""
    vendor = Vendor(fault=lambda request, number: "works-on-it" if number == 1 else None)
    house = House(tmp_path, vendor, one_write(Idempotency.PROBE))
    await house.start()
    await house.give(*things(1))
    assert await house.settled() == {"succeeded": 1}
    assert len(vendor.documents) == 1
    assert exceptions(house) == ()
    await house.stop()


@pytest.mark.parametrize("fault", ["refused-connection", "429"])
async def test_what_was_surely_not_done_is_tried_again(tmp_path: Path, fault: str) -> None:
    """Also for an unsafe write: nothing was done, so trying again repeats nothing."""
    vendor = Vendor(fault=lambda request, number: fault if number <= 3 else None)
    house = House(tmp_path, vendor, one_write(Idempotency.UNSAFE))
    await house.start()
    await house.give(*things(1))
    assert await house.settled() == {"succeeded": 1}
    assert len(vendor.documents) == 1
    await house.stop()


async def test_waiting_for_a_limit_uses_up_no_attempts(tmp_path: Path) -> None:
    """A limit that lasts long leaves all of the policy's attempts for what really fails afterwards."""
    faults = ["429"] * 6 + ["refused-connection"] * 2
    vendor = Vendor(fault=lambda request, number: faults[number - 1] if number <= len(faults) else None)
    hasty = "policy: patient\nkind: retry\nattempts: 4\nfirst: 0.02\nfactor: 1\nceiling: 0.02\njitter: 0.5\n"
    flow = bundle(ONE_WRITE.format(kind="native"), **FILES, **{"policies__patient.yaml": hasty})
    house = House(tmp_path, vendor, flow)
    await house.start()
    await house.give(*things(1))
    assert await house.settled() == {"succeeded": 1}
    await house.stop()


async def test_refused_data_becomes_a_case_and_the_mended_one_is_replayed(tmp_path: Path) -> None:
    """A replay keeps the effect key and may form a new request, because the old one surely did nothing."""
    vendor = Vendor()
    house = House(tmp_path, vendor, one_write(Idempotency.NATIVE))
    await house.start()
    await house.give({"id": "t1", "key": "k1", "value": "bad"})
    assert await house.settled() == {"parked": 1}
    (case,) = exceptions(house)
    assert case.reason == "fix-data"
    await house.run_orders.replay_case(case.id, actor="person:p_1")
    assert await house.settled() == {"parked": 1}
    await house.stop()


async def test_a_refused_credential_pauses_the_connection_once(tmp_path: Path) -> None:
    """Its runs wait instead of becoming cases, and go on when somebody resumes it."""
    refusing = True
    vendor = Vendor(fault=lambda request, number: "401" if refusing else None)
    house = House(tmp_path, vendor, one_write(Idempotency.UPSERT))
    await house.start()
    await house.give(*things(20))
    await house.settled(waiting=["connection"])
    assert house.accounts["vendor"].paused is not None
    assert exceptions(house) == ()
    refusing = False
    await house.orders.set_connection("vendor", active=True, reason="renewed", actor="person:p_1")
    assert await house.settled() == {"succeeded": 20}
    assert len(vendor.documents) == 20
    await house.stop()


async def test_runs_of_one_key_keep_their_order_through_retries(tmp_path: Path) -> None:
    """Every key's documents are written in the order their events were accepted."""
    chance = random.Random(7)
    vendor = Vendor(fault=lambda request, number: chance.choice([None, None, "lost-after", "429", "500-before"]))
    house = House(tmp_path, vendor, one_write(Idempotency.PROBE))
    await house.start()
    await house.give(*things(60, keys=6))
    assert await house.settled() == {"succeeded": 60}
    written = [document["key"] for document in vendor.documents]
    assert len(set(written)) == 60
    for key in range(6):
        order = [int(name[1:]) for name in written if int(name[1:]) % 6 == key]
        assert order == sorted(order)
    await house.stop()


async def test_a_repeated_event_starts_nothing(tmp_path: Path) -> None:
    """The same id with the same content is counted; with other content it is kept as rejected."""
    vendor = Vendor()
    house = House(tmp_path, vendor, one_write(Idempotency.UNSAFE))
    await house.start()
    thing = things(1)[0]
    await house.give(thing, thing, {**thing, "value": "forged"}, thing)
    assert await house.settled() == {"succeeded": 1}
    assert len(vendor.documents) == 1
    await house.stop()


class Dying(Committer):
    """Dies after a number of writes were made durable, without telling anybody that they were."""

    left = 0

    def submit(self, write: Write) -> asyncio.Future[Any]:
        if self.left <= 0:
            raise Fatal
        self.left -= 1
        future = super().submit(write)
        if self.left == 0:
            # Durable, but the process never learns of it.
            return asyncio.get_running_loop().create_future()
        return future


async def _live(directory: Path, vendor: Vendor, compiled: Any, events: list[dict[str, Any]], points: int) -> bool:
    """Live until the death at the given point; tells whether all was done before."""
    clock = FastClock()
    house = House(directory, vendor, compiled, clock=clock, committer=Dying)
    assert isinstance(house.committer, Dying)
    house.committer.left = points
    try:
        async with asyncio.timeout(1.0):
            await house.start()
            await house.give(*events)
            await house.settled()
            finished = True
    except (Fatal, TimeoutError):
        finished = False
    await house.crash()
    return finished


@pytest.mark.parametrize("point", range(1, 30))
async def test_a_crash_at_every_durable_point_loses_and_repeats_nothing(tmp_path: Path, point: int) -> None:
    """The process dies after its n-th durable write; the next one finishes, and the books hold each document once."""

    def fault(request: Request, number: int) -> str | None:
        return "lost-after" if number % 3 == 0 else None

    vendor = Vendor(fault=fault)
    compiled = bundle(THREE_WRITES, **FILES)
    events = things(2)
    await _live(tmp_path, vendor, compiled, events, point)
    house = House(tmp_path, vendor, compiled)
    await house.start()
    await house.give(*events)
    assert await house.settled() == {"succeeded": 2}
    per_kind = [(document["kind"], document["key"]) for document in vendor.documents]
    assert sorted(per_kind) == sorted((kind, key) for kind in ("native", "probe", "upsert") for key in ("t0", "t1"))
    assert all(len(set(bodies)) == 1 for bodies in vendor.bodies.values())
    await house.stop()
