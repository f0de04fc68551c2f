"""A repeat that is refused says nothing of the first sending: what that has done is found out, or a person is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hub.model.effect import REFUSED_IN_DOUBT, EffectState
from hub.store.tables import effects
from tests.engine.house import House, bundle_for
from tests.engine.target import Target, connector
from tests.engine.test_every_answer import finished, kept, living, one_write, scripted
from tests.engine.test_once import FILES, ONE_WRITE, exceptions, things

ADA = "person:p_ada"
#: Done, and the answer lost; then a gateway, or what the first one has changed, refuses the repeat.
DONE_AND_REFUSED = [["after:reset", "before:400"], ["after:500", "before:404"], ["after:502", "before:409"]]
#: Not done either.
LOST_AND_REFUSED = ["before:reset", "before:422"]
BACK = """
    undo: { operation: unsafe.write, with: vendor/thing, of: data }
    on_failure: compensate"""
MANY = """
flow: tested
title: Many
owner: team:tests
on: { event: vendor.thing.made }
key: data.id
business_key: data.id
steps:
  - id: posts
    call: { connection: vendor, operation: KIND.bulk, with: vendor/item, each: data.things, item: id }
    retry: patient
"""
ITEM = {"mappings__vendor__item.yaml": FILES["mappings__vendor__thing.yaml"].replace("vendor/thing", "vendor/item", 1)}


def stands(house: House) -> list[tuple[str, int]]:
    """Give the state of each write, and how often its key was changed."""
    return [(effect.state, effect.renewals) for effect in kept(house, effects)]


@pytest.mark.parametrize("faults", DONE_AND_REFUSED)
@pytest.mark.parametrize("kind", ["keyed", "probe"])
async def test_where_there_is_a_look_it_tells_that_the_first_was_done(
    tmp_path: Path, kind: str, faults: Sequence[str]
) -> None:
    target = Target(plan=scripted({"t0": faults}))
    async with target.serving(), living(tmp_path, target, one_write(kind)) as house:
        await house.give(*things(1))
        assert await finished(house) == {"succeeded": 1}
        assert stands(house) == [(EffectState.DONE, 0)]
    assert len(target.documents) == 1


@pytest.mark.parametrize("faults", DONE_AND_REFUSED)
@pytest.mark.parametrize("kind", ["native", "upsert"])
async def test_without_one_it_stays_unknown_and_a_replay_sends_the_same_again(
    tmp_path: Path, kind: str, faults: Sequence[str]
) -> None:
    """Under its own key, which the target knows: a new one would make it twice."""
    target = Target(plan=scripted({"t0": faults}))
    async with target.serving(), living(tmp_path, target, one_write(kind)) as house:
        await house.give(*things(1))
        assert await finished(house) == {"parked": 1}
        [case] = exceptions(house)
        assert case.reason == REFUSED_IN_DOUBT
        assert stands(house) == [(EffectState.UNKNOWN, 0)]
        await house.run_orders.replay_case(case.id, actor=ADA)
        assert await finished(house) == {"succeeded": 1}
        assert stands(house) == [(EffectState.DONE, 0)]
    assert len(target.documents) == 1


async def test_a_person_says_that_it_was_not_done_and_it_goes_out_under_another_key(tmp_path: Path) -> None:
    """The target may keep its refusal under the key that it was said of."""
    target = Target(plan=scripted({"t0": LOST_AND_REFUSED}))
    async with target.serving(), living(tmp_path, target, one_write("native")) as house:
        await house.give(*things(1))
        assert await finished(house) == {"parked": 1}
        [effect] = kept(house, effects)
        await house.effect_orders.settle(effect.key, done=False, evidence="looked", output=None, actor=ADA)
        assert await finished(house) == {"succeeded": 1}
        assert stands(house) == [(EffectState.DONE, 1)]
    assert len(target.documents) == 1


async def test_what_surely_was_not_done_is_refused_and_mended_as_ever(tmp_path: Path) -> None:
    target = Target(plan=scripted({"t0": LOST_AND_REFUSED}))
    async with target.serving(), living(tmp_path, target, one_write("keyed")) as house:
        await house.give(*things(1))
        assert await finished(house) == {"parked": 1}
        assert stands(house) == [(EffectState.FAILED, 1)]
        [case] = exceptions(house)
        assert case.reason == "fix-data"
        await house.run_orders.replay_case(case.id, actor=ADA)
        assert await finished(house) == {"succeeded": 1}
    assert len(target.documents) == 1


@pytest.mark.parametrize(("kind", "ends", "states"), [
    ("native", {"parked": 1}, {"native": EffectState.UNKNOWN}),
    ("upsert", {"parked": 1}, {"upsert": EffectState.UNKNOWN}),
    ("keyed", {"succeeded": 1}, {"keyed": EffectState.DONE}),
])  # fmt: skip
async def test_a_run_is_not_taken_back_past_what_may_have_been_done(
    tmp_path: Path, kind: str, ends: dict[str, int], states: dict[str, EffectState]
) -> None:
    """Else it would be told that there was nothing to take back, and the document would stand."""
    flow = ONE_WRITE.format(kind=kind).replace("    retry: patient", "    retry: patient" + BACK)
    target = Target(plan=scripted({"t0": DONE_AND_REFUSED[0]}))
    async with target.serving(), living(tmp_path, target, bundle_for(connector, flow, **FILES)) as house:
        await house.give(*things(1))
        assert await finished(house) == ends
        assert {each.operation.partition(".")[0]: each.state for each in kept(house, effects)} == states
    assert len(target.documents) == 1


@pytest.mark.parametrize(("kind", "refusals"), [("native", 1), ("upsert", 5)])
async def test_many_by_one_request_stay_unknown_together(tmp_path: Path, kind: str, refusals: int) -> None:
    """The same state may be written once more in smaller requests, until it is known for which item it is refused."""
    faults = iter(["after:reset", *["before:400"] * refusals])
    target = Target(plan=lambda key, _number: next(faults, None) if key == "bulk" else None)
    compiled = bundle_for(connector, MANY.replace("KIND", kind), **FILES, **ITEM)
    async with target.serving(), living(tmp_path, target, compiled) as house:
        await house.give({"id": "e1", "things": [{"id": f"i{number}", "value": "1"} for number in range(3)]})
        assert await finished(house) == {"parked": 1}
        assert {state for state, _renewals in stands(house)} == {EffectState.UNKNOWN}
        [case] = exceptions(house)
        await house.run_orders.replay_case(case.id, actor=ADA)
        assert await finished(house) == {"succeeded": 1}
    assert sorted(document["key"] for document in target.documents) == ["i0", "i1", "i2"]
