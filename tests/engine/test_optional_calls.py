"""A call about what may be gone: with `optional` the run goes on where the target has no such record."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.model.exchange import Request
from tests.engine.test_lanes import Hut, exceptions, flow, once, state, told
from tests.engine.test_unsettled import effects_of

EVENT = {"id": "a", "key": "k", "value": "1"}
WRITES = "operation: {kind}.write, with: vendor/thing, of: data"
READS = "operation: piece.read, by: =data.id"


def _flow(call: str, *, optional: bool) -> str:
    more = ", optional: true" if optional else ""
    return flow(f"""
  - id: asked
    call: {{ connection: vendor, {call}{more} }}
  - id: after
    when: "!asked"
    map: vendor/thing
    of: data
""")


@pytest.mark.parametrize("call", [READS, *(WRITES.format(kind=kind) for kind in ("upsert", "native", "probe"))])
async def test_what_the_target_has_not_is_gone_past(tmp_path: Path, call: str) -> None:
    house = await once(Hut(tmp_path, _flow(call, optional=True), fault=lambda *_: "gone"), EVENT)
    assert (state(house)["state"], exceptions(house)) == ("succeeded", ())
    assert told(house)["after"]
    assert set(effects_of(house).values()) <= {"failed"}
    await house.stop()


@pytest.mark.parametrize("call", [READS, WRITES.format(kind="upsert")])
async def test_without_it_a_person_is_told(tmp_path: Path, call: str) -> None:
    house = await once(Hut(tmp_path, _flow(call, optional=False), fault=lambda *_: "gone"), EVENT)
    assert [each.reason for each in exceptions(house)] == ["not-found"]
    await house.stop()


async def test_another_refusal_stops_the_run_all_the_same(tmp_path: Path) -> None:
    hut = Hut(tmp_path, _flow(WRITES.format(kind="upsert"), optional=True), fault=lambda *_: "says-it-back")
    house = await once(hut, EVENT)
    assert state(house)["state"] == "parked"
    await house.stop()


async def test_a_write_in_doubt_is_not_gone_past(tmp_path: Path) -> None:
    """Its first attempt may have been done, and nobody can say: what is not there now may have been there then."""

    def fault(request: Request, number: int) -> str | None:
        return "lost-before" if number == 1 else "gone"

    house = await once(Hut(tmp_path, _flow(WRITES.format(kind="unsafe"), optional=True), fault=fault), EVENT)
    assert state(house)["state"] == "parked"
    await house.stop()
