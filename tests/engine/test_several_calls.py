"""A write that takes two calls is one write: each call is done once whatever befalls it, and half is never given up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.errors import HubError
from hub.model.effect import EffectState, Idempotency
from hub.model.exchange import Request, Response
from hub.sdk.calls import Calls, half_way
from hub.sdk.connector import Connector, WriteOperation
from hub.store.tables import effects
from tests.engine.house import House
from tests.engine.test_once import exceptions, one_write, things
from tests.engine.vendor import Vendor, connector


def two_calls(_settings: Any, request: Request) -> Calls:
    """Make a first document under a key of its own, then the one that counts."""
    key = request.headers["idempotency-key"]
    yield replace(request, headers={**request.headers, "idempotency-key": f"{key}-first"})
    try:
        return (yield request)
    except HubError as error:
        raise half_way(error) from error


def twofold() -> Connector:
    """Give the vendor's connector, whose native write takes two calls."""
    native = connector.operation("native.write")
    assert isinstance(native, WriteOperation)
    others = [operation for operation in connector.operations if operation is not native]
    return replace(connector, operations=(*others, replace(native, calls=two_calls)))


def states(house: House) -> list[str]:
    with house.database.reading() as reading:
        return list(reading.execute(select(effects.c.state)).scalars())


def marks(vendor: Vendor) -> list[str]:
    return sorted(str(document["mark"])[32:] for document in vendor.documents)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("fault", ["lost-after", "lost-before", "500-after", "500-before", "garbage-after"])
async def test_an_answer_that_is_lost_doubles_neither(tmp_path: Path, fault: str, number: int) -> None:
    vendor = Vendor(fault=lambda _request, count: fault if count == number else None)
    house = House(tmp_path, vendor, one_write(Idempotency.NATIVE), connector=twofold())
    await house.start()
    await house.give(*things(1))
    assert await house.settled() == {"succeeded": 1}
    assert marks(vendor) == ["", "-first"]
    assert states(house) == [EffectState.DONE]
    await house.stop()


async def test_what_refuses_the_first_has_done_nothing_and_what_refuses_the_second_leaves_half(tmp_path: Path) -> None:
    """Half of a write counts as unknown, whatever refused the rest: nobody goes on past it."""
    for number, state, documents in ((1, EffectState.FAILED, 0), (2, EffectState.UNKNOWN, 1)):

        def fault(_request: Request, count: int, at: int = number) -> str | None:
            return "says-it-back" if count == at else None

        vendor = Vendor(fault=fault)
        house = House(tmp_path / str(number), vendor, one_write(Idempotency.NATIVE), connector=twofold())
        await house.start()
        await house.give(*things(1))
        assert await house.settled() == {"parked": 1}
        assert states(house) == [state]
        assert len(vendor.documents) == documents
        (case,) = exceptions(house)
        await house.run_orders.replay_case(case.id, actor="person:p_1")
        assert (await house.settled())["succeeded"] == 1
        assert len(vendor.documents) == 2
        await house.stop()


@dataclass(slots=True)
class Slow(Vendor):
    """Does not answer the second call until it may."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    may: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        if len(self.documents) == 1:
            self.reached.set()
            await self.may.wait()
        return await Vendor.send(self, request, headers, timeout)


async def test_a_process_that_dies_between_the_calls_leaves_all_to_the_next(tmp_path: Path) -> None:
    vendor = Slow()
    house = House(tmp_path, vendor, one_write(Idempotency.NATIVE), connector=twofold())
    await house.start()
    await house.give(*things(1))
    await vendor.reached.wait()
    await house.crash()
    assert marks(vendor) == ["-first"]
    vendor.may.set()
    house = House(tmp_path, vendor, one_write(Idempotency.NATIVE), connector=twofold())
    await house.start()
    assert await house.settled() == {"succeeded": 1}
    assert marks(vendor) == ["", "-first"]
    # The same calls again: of what was recorded, and under the same keys.
    assert {len(bodies) for bodies in vendor.bodies.values()} == {1, 2}
    await house.stop()
