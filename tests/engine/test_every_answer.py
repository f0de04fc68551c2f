"""Whatever a target answers over real HTTP, and in whatever order: each write is there once, or a person is asked."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from hub.model.effect import EffectState
from hub.operate.effects import EffectOrders
from hub.sdk.connector import Connector
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport
from hub.store.tables import attempts, audit, effects
from tests.engine.guarded import Shelf
from tests.engine.house import FastClock, House, bundle_for
from tests.engine.target import AFTER, BEFORE, PATIENCE, Target, connector
from tests.engine.test_once import FILES, ONE_WRITE, exceptions, things

ONCE = ("native", "keyed", "upsert", "probe")
FAULTS = tuple(f"before:{fault}" for fault in BEFORE) + tuple(f"after:{fault}" for fault in AFTER)
#: Those that do not take their time.
QUICK = [fault for fault in FAULTS if not fault.endswith(("timeout", "endless"))]
#: What a target answers of which even an unsafe write may be sent again: it did nothing.
SURE = ("before:429",)


def one_write(kind: str, **files: str) -> Any:
    """Compile the flow with one write of a kind."""
    return bundle_for(connector, ONE_WRITE.format(kind=kind), **FILES, **files)


def scripted(faults: Mapping[str, Sequence[str]]) -> Any:
    """Give a plan with faults for the first writes of each key."""

    def plan(key: str, number: int) -> str | None:
        wanted = faults.get(key, ())
        return wanted[number - 1] if number <= len(wanted) else None

    return plan


@asynccontextmanager
async def living(
    directory: Path, target: Target | Shelf, compiled: Any, connector: Connector = connector, **more: Any
) -> AsyncIterator[House]:
    """Run a hub that speaks to the target."""
    transport = Transport(private_hosts=["127.0.0.1"])
    at = Settings(base_url=target.url, timeout=PATIENCE)
    house = House(directory, transport, compiled, connector=connector, settings=at, **more)
    await house.start()
    try:
        yield house
    finally:
        await house.stop()
        await transport.close()


async def finished(house: House) -> dict[str, int]:
    """Wait for the end, and resume the connection as often as something pauses it."""
    while True:
        counted = await house.settled(waiting=["connection"])
        if not counted.get("waiting"):
            return counted
        await house.orders.set_connection("vendor", active=True, reason="looked after", actor="person:p_1")


def kept(house: House, table: Any) -> list[Any]:
    """Read a table."""
    with house.database.reading() as connection:
        return list(connection.execute(select(table)))


def one_each(faults: Sequence[Sequence[str]]) -> dict[str, Sequence[str]]:
    """Give each thing its own faults."""
    return {f"t{number}": each for number, each in enumerate(faults)}


@pytest.mark.parametrize("kind", ONCE)
async def test_one_bad_answer_makes_nothing_twice(tmp_path: Path, kind: str) -> None:
    """What can be told apart from a new write is done once, and nobody had to look."""
    target = Target(plan=scripted(one_each([[fault] for fault in FAULTS])))
    async with target.serving(), living(tmp_path, target, one_write(kind)) as house:
        await house.give(*things(len(FAULTS)))
        assert await finished(house) == {"succeeded": len(FAULTS)}
    assert sorted(document["key"] for document in target.documents) == sorted(
        thing["id"] for thing in things(len(FAULTS))
    )
    assert all(len(set(bodies)) == 1 for bodies in target.bodies.values())


async def test_an_unsafe_write_goes_out_once_unless_it_surely_did_nothing(tmp_path: Path) -> None:
    """A gateway's 503, a redirect, a login page: none of them says that the target behind it did nothing."""
    target = Target(plan=scripted(one_each([[fault] for fault in FAULTS])))
    async with target.serving(), living(tmp_path, target, one_write("unsafe")) as house:
        await house.give(*things(len(FAULTS)))
        await finished(house)
        stands = {effect.business_key: effect.state for effect in kept(house, effects)}
        reasons = {case.reason for case in exceptions(house)}
    for thing, fault in zip(things(len(FAULTS)), FAULTS, strict=True):
        sure = fault in SURE
        assert stands[thing["id"]] == (EffectState.DONE if sure else EffectState.PARKED), fault
        assert target.seen[thing["id"]] == (2 if sure else 1), fault
    assert reasons == {"outcome-unknown"}


@settings(max_examples=10)
@example(kind="probe", faults=[["before:503", "after:503", "before:reset"]])
@example(kind="keyed", faults=[["after:500"] * 4, ["before:500"] * 7])
@given(kind=st.sampled_from([*ONCE, "unsafe"]), faults=st.lists(st.lists(st.sampled_from(QUICK)), max_size=12))
async def test_any_sequence_of_answers_makes_nothing_twice(kind: str, faults: list[list[str]]) -> None:
    """However long it goes on: one document each, the same bytes under one key, and no blind repeat."""
    target = Target(plan=scripted(one_each(faults)))
    with tempfile.TemporaryDirectory() as folder:
        async with target.serving(), living(Path(folder), target, one_write(kind)) as house:
            await house.give(*things(len(faults)))
            counted = await finished(house)
    assert all(len(set(bodies)) == 1 for bodies in target.bodies.values())
    keys = [document["key"] for document in target.documents]
    assert len(keys) == len(set(keys))
    if kind == "unsafe":
        stopped = [each for each in faults if any(fault not in SURE for fault in each)]
        assert counted.get("parked", 0) == len(stopped)
        for thing, each in zip(things(len(faults)), faults, strict=True):
            sure = next((place for place, fault in enumerate(each) if fault not in SURE), len(each))
            assert target.seen[thing["id"]] == sure + 1
    else:
        assert counted.get("succeeded", 0) == len(faults) == len(keys)


async def test_a_failure_that_the_target_keeps_under_a_key_is_got_around_once_it_is_surely_absent(
    tmp_path: Path,
) -> None:
    """The key is looked up, nothing is there, and the same content goes out under another key."""
    target = Target(plan=scripted({"t0": ["stuck:500"]}))
    async with target.serving(), living(tmp_path, target, one_write("keyed")) as house:
        await house.give(*things(1))
        assert await finished(house) == {"succeeded": 1}
        (effect,) = kept(house, effects)
        told = [entry.kind for entry in kept(house, audit)]
        looks = [attempt.outcome for attempt in kept(house, attempts) if attempt.kind == "look"]
    # Once, and where it could still have appeared then, once more when it would have.
    assert 1 <= looks.count("absent") <= 2
    assert target.seen["t0"] == 4
    assert [document["mark"] == effect.key for document in target.documents] == [False]
    assert len({bytes(body) for bodies in target.bodies.values() for body in bodies}) == 1
    assert effect.renewals == 1
    assert told.count("effect.renewed") == 1


async def test_a_failure_that_is_kept_for_something_done_is_found(tmp_path: Path) -> None:
    """The target did it and failed afterwards, and says so for ever: the look tells."""
    target = Target(plan=scripted({"t0": ["after:500", "stuck:500"]}))
    async with target.serving(), living(tmp_path, target, one_write("keyed")) as house:
        await house.give(*things(1))
        assert await finished(house) == {"succeeded": 1}
        (effect,) = kept(house, effects)
    assert [document["mark"] for document in target.documents] == [effect.key]
    assert effect.renewals == 0


async def test_without_a_look_a_kept_failure_becomes_an_exception(tmp_path: Path) -> None:
    """Another key could double the write, so that a person is asked once the policy's patience ends."""
    hasty = "policy: patient\nkind: retry\nattempts: 5\nfirst: 0.02\nfactor: 1\nceiling: 0.02\njitter: 0.5\n"
    target = Target(plan=scripted({"t0": ["stuck:500"]}))
    compiled = one_write("native", **{"policies__patient.yaml": hasty})
    async with target.serving(), living(tmp_path, target, compiled) as house:
        await house.give(*things(1))
        assert await finished(house) == {"parked": 1}
        assert [case.reason for case in exceptions(house)] == ["outcome-unknown-too-often"]
    assert target.documents == []


async def test_what_was_refused_under_a_key_goes_out_under_another_once_it_is_mended(tmp_path: Path) -> None:
    """A target that keeps its refusal under the key would refuse the mended request too."""
    target = Target(plan=scripted({"t0": ["stuck:400"]}))
    async with target.serving(), living(tmp_path, target, one_write("native")) as house:
        await house.give(*things(1))
        assert await finished(house) == {"parked": 1}
        (case,) = exceptions(house)
        await house.run_orders.replay_case(case.id, actor="person:p_1")
        assert await finished(house) == {"succeeded": 1}
        (effect,) = kept(house, effects)
    assert len(target.documents) == 1
    assert effect.renewals == 1


@pytest.mark.parametrize(("kind", "ends"), [("keyed", "succeeded"), ("native", "parked")])
@pytest.mark.parametrize("fault", ["before:reset", "after:reset"])
async def test_a_key_that_may_be_forgotten_is_looked_up_or_left_to_a_person(
    tmp_path: Path, kind: str, ends: str, fault: str
) -> None:
    """A month later a repeat would be a new write at the target."""
    clock = FastClock()
    hasty = "policy: patient\nkind: retry\nattempts: 1\n"
    target = Target(plan=scripted({"t0": [fault]}))
    compiled = one_write(kind, **{"policies__patient.yaml": hasty})
    async with target.serving(), living(tmp_path, target, compiled, clock=clock) as house:
        await house.give(*things(1))
        assert await finished(house) == {"parked": 1}
        clock.leap(timedelta(days=30))
        (case,) = exceptions(house)
        await house.run_orders.replay_case(case.id, actor="person:p_1")
        assert await finished(house) == {ends: 1}
        assert [case.reason for case in exceptions(house)] == ([] if ends == "succeeded" else ["outcome-unknown"])
    assert len(target.documents) == (1 if ends == "succeeded" or fault == "after:reset" else 0)
    assert target.seen["t0"] == (2 if ends == "succeeded" and fault == "before:reset" else 1)


async def test_an_error_inside_a_success_is_a_refusal(tmp_path: Path) -> None:
    """With 200 and an error in the body nothing was done, and the data is to be mended."""
    target = Target()
    async with target.serving(), living(tmp_path, target, one_write("unsafe")) as house:
        await house.give({"id": "t0", "key": "k0", "value": "wrong"})
        assert await finished(house) == {"parked": 1}
        assert [case.reason for case in exceptions(house)] == ["refused-inside"]
        (effect,) = kept(house, effects)
        (attempt,) = kept(house, attempts)
    assert effect.state == EffectState.FAILED
    assert attempt.status == 200


async def test_what_a_person_says_was_not_done_goes_out_under_another_key(tmp_path: Path) -> None:
    """The target would go on to say the failure that it keeps under the old one."""
    hasty = "policy: patient\nkind: retry\nattempts: 4\nfirst: 0.02\nfactor: 1\nceiling: 0.02\njitter: 0.5\n"
    target = Target(plan=scripted({"t0": ["stuck:500"]}))
    async with (
        target.serving(),
        living(tmp_path, target, one_write("native", **{"policies__patient.yaml": hasty})) as house,
    ):
        await house.give(*things(1))
        assert await finished(house) == {"parked": 1}
        (effect,) = kept(house, effects)
        orders = EffectOrders(
            environment="test",
            ambient=house.ambient,
            database=house.database,
            committer=house.committer,
            accounts=house.accounts,
            bundle=lambda: house.bundle,
        )
        await orders.settle(effect.key, done=False, evidence="not in the books", output=None, actor="person:p_1")
        assert await finished(house) == {"succeeded": 1}
    assert [document["mark"] == effect.key for document in target.documents] == [False]
