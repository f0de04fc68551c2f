"""A person settles what nobody could find out, and the run goes on from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, FixData, NotFound
from hub.model.effect import EffectState, Idempotency
from hub.model.run import Stopping
from hub.sdk import exact_json
from hub.store import stopping
from hub.store.committer import Work
from hub.store.tables import effects
from tests.engine.house import House, bundle
from tests.engine.test_held_by_people import vendor_of
from tests.engine.test_once import FILES, ONE_WRITE, one_write, things
from tests.engine.vendor import Vendor
from tests.operate.test_run_orders import ADA, OLU, entries, open_cases, opened, rows

SEEN = "Seen in the target's list, number 17"


async def in_doubt(tmp_path: Path, flow: Any = None) -> tuple[House, str]:
    """Give a house with a run that stopped because nobody knows whether its write was made, and the write's key."""
    vendor = Vendor(fault=lambda request, number: "lost-before" if number == 1 else None)
    house = await opened(tmp_path, flow or one_write(Idempotency.UNSAFE), vendor)
    await house.give(*things(1))
    assert await house.settled() == {"parked": 1}
    (effect,) = rows(house, effects)
    assert effect.state == EffectState.PARKED
    return house, effect.key


async def test_what_was_made_counts_as_done(tmp_path: Path) -> None:
    house, key = await in_doubt(tmp_path)
    for _ in range(2):
        settled = await house.effect_orders.settle(key, done=True, evidence=SEEN, output={"id": "17"}, actor=ADA)
    assert await house.settled() == {"succeeded": 1}
    (effect,) = rows(house, effects)
    assert (effect.state, exact_json.loads(effect.output)) == (EffectState.DONE, {"id": "17"})
    said = exact_json.loads(effect.settlement)
    assert (said["verdict"], said["by"], said["evidence"]) == ("done", ADA, SEEN)
    # It was never sent again.
    assert (vendor_of(house).seen["unsafe"], vendor_of(house).documents, open_cases(house)) == (0, [], ())
    replay = rows(house)[-1]
    assert (replay.id, replay.ordered_by) == (settled.run, ADA)
    (entry,) = entries(house, AuditKind.EFFECT_RESOLVED)
    assert (entry["actor"], entry["facts"]["found"]) == (ADA, True) and "17" not in entry["facts"].values()
    with pytest.raises(Conflict, match="known already"):
        await house.effect_orders.settle(key, done=False, evidence=SEEN, output=None, actor=OLU)
    await house.stop()


async def test_what_was_not_made_is_made(tmp_path: Path) -> None:
    house, key = await in_doubt(tmp_path)
    settled = await house.effect_orders.settle(key, done=False, evidence="Not in its list", output=None, actor=ADA)
    assert settled.still_in_doubt == 0
    assert await house.settled() == {"succeeded": 1}
    assert len(vendor_of(house).documents) == 1
    await house.stop()


async def test_a_run_goes_on_only_when_all_its_writes_are_known(tmp_path: Path) -> None:
    call = "call: {{ connection: vendor, operation: unsafe.write, with: vendor/thing, of: data }}"
    steps = f"  - id: both\n    parallel:\n      - id: a\n        {call}\n      - id: b\n        {call}\n"
    flow = ONE_WRITE.partition("steps:")[0] + "steps:\n" + steps
    vendor = Vendor(fault=lambda request, number: "lost-before" if number < 3 else None)
    house = await opened(tmp_path, bundle(flow.format(), **FILES), vendor)
    await house.give(*things(1))
    assert await house.settled() == {"parked": 1}
    first, second = rows(house, effects)
    half = await house.effect_orders.settle(first.key, done=True, evidence=SEEN, output={"id": "1"}, actor=ADA)
    assert half.still_in_doubt == 1
    assert await house.settled() == {"parked": 1}
    await house.effect_orders.settle(second.key, done=False, evidence=SEEN, output=None, actor=ADA)
    assert await house.settled() == {"succeeded": 1}
    assert len(vendor.documents) == 1
    await house.stop()


async def test_what_a_run_was_told_is_done_once_its_write_is_settled(tmp_path: Path) -> None:
    """It was to be cancelled while its write was on its way, and parked because nobody could know what became of it."""
    house, key = await in_doubt(tmp_path)
    (run,) = rows(house)
    order = {"actor": OLU, "reason": "wrong"}
    await house.committer.commit(Work(lambda tx: stopping.tell_to_stop(tx, run.id, Stopping.CANCEL, order)))
    assert await house.settled() == {"parked": 1}
    await house.effect_orders.settle(key, done=False, evidence="Not there", output=None, actor=ADA)
    assert await house.settled() == {"cancelled": 1}
    assert vendor_of(house).documents == []
    await house.stop()


async def test_what_is_wrong_is_refused(tmp_path: Path) -> None:
    house, key = await in_doubt(tmp_path)
    settle = house.effect_orders.settle
    with pytest.raises(FixData):
        await settle(key, done=True, evidence=" ", output={"id": "1"}, actor=ADA)
    with pytest.raises(FixData):
        await settle(key, done=True, evidence=SEEN, output=None, actor=ADA)
    with pytest.raises(FixData):
        await settle(key, done=False, evidence=SEEN, output={"id": "1"}, actor=ADA)
    with pytest.raises(FixData, match="not of type"):
        await settle(key, done=True, evidence=SEEN, output=["1"], actor=ADA)  # type: ignore[arg-type]
    for done, output in ((True, {"id": "1"}), (False, None)):
        with pytest.raises(NotFound):
            await settle("nope", done=done, evidence=SEEN, output=output, actor=ADA)
    assert rows(house, effects)[0].state == EffectState.PARKED
    await house.stop()


async def test_what_the_hub_still_finds_out_is_left_to_it(tmp_path: Path) -> None:
    vendor = Vendor(fault=lambda request, number: "lost-after")
    slow = {"policies__patient.yaml": "policy: patient\nkind: retry\nfirst: 3600\nceiling: 3600\njitter: 0\n"}
    house = await opened(tmp_path, bundle(ONE_WRITE.format(kind="probe"), **FILES, **slow), vendor)
    await house.give(*things(1))
    await house.settled(waiting=["timer"])
    (effect,) = rows(house, effects)
    with pytest.raises(Conflict) as caught:
        await house.effect_orders.settle(effect.key, done=True, evidence=SEEN, output={"id": "1"}, actor=ADA)
    assert caught.value.code == "still-finding-out"
    await house.stop()
