"""An upsert never overwrites something newer: whoever changed it, whenever, and whatever became of the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.errors import Fatal
from hub.model.effect import EffectState
from hub.operate.runs import From
from hub.queries.standing import standing
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport
from hub.store import runs
from hub.store.committer import Committer, Write
from hub.store.history import Record
from hub.store.tables import audit, effects
from tests.engine.guarded import LOOKING, Shelf, connector
from tests.engine.house import House, bundle_for
from tests.engine.target import PATIENCE
from tests.engine.test_every_answer import FAULTS, finished, kept, living, scripted
from tests.engine.test_once import FILES, ONE_WRITE, THING, exceptions, things

NOW, SOON, LATER = "2026-07-01T00:00:00+00:00", "2026-07-02T00:00:00+00:00", "2026-07-03T00:00:00+00:00"
START = From()


def flow(kind: str) -> Any:
    """Compile the flow with one guarded write."""
    return bundle_for(connector, ONE_WRITE.format(kind=kind), **FILES)


def careless(kind: str) -> Any:
    """Compile it so that it goes on without the write when that fails."""
    text = ONE_WRITE.replace("    retry: patient", "    retry: patient\n    on_failure: continue")
    return bundle_for(connector, text.format(kind=kind), **FILES)


ABOUT_ONE = THING.replace("key: id", "key: name")


def about_one(kind: str) -> Any:
    """Compile a flow whose events are about a thing that they name, so that several write the same one."""
    return bundle_for(connector, ONE_WRITE.format(kind=kind), **{**FILES, "mappings__vendor__thing.yaml": ABOUT_ONE})


def about(id: str, value: str, at: str) -> dict[str, Any]:
    """Make an event about the thing `t`."""
    return {"id": id, "key": id, "name": "t", "value": value, "at": at}


def reasons(house: House) -> list[str]:
    """Give the reasons of the open cases."""
    return [case.reason for case in exceptions(house)]


def told(house: House) -> list[str]:
    """Give the kinds of what the audit log tells."""
    return [entry.kind for entry in kept(house, audit)]


async def ordered(house: House, run: str) -> str:
    """Have a person order what was refused; gives the new run."""
    with house.database.reading() as connection:
        row = runs.find(connection, run)
        assert row is not None
        keys = [each.key for each in standing(connection, row, {}).repeatable if each.refused]
    assert len(keys) == 1
    return await house.run_orders.replay(run, actor="person:p_1", start=START, reason="it is ours", confirmed=keys)


@pytest.mark.parametrize("kind", LOOKING)
async def test_what_the_hub_wrote_itself_is_written_over(tmp_path: Path, kind: str) -> None:
    """Nobody else changed it, and what comes happened later."""
    shelf = Shelf()
    async with shelf.serving(), living(tmp_path, shelf, about_one(kind), connector) as house:
        for id, value, at in (("e1", "one", NOW), ("e2", "two", SOON), ("e3", "three", SOON)):
            await house.give(about(id, value, at))
            await finished(house)
        assert (await house.settled(), reasons(house)) == ({"succeeded": 3}, [])
    assert (shelf.things["t"]["value"], shelf.writes["t"]) == ("three", 3)


@pytest.mark.parametrize("kind", LOOKING)
async def test_what_somebody_else_changed_since_is_left_and_told_of(tmp_path: Path, kind: str) -> None:
    """Nothing is sent; a person who has been told may order it all the same, for what was told and nothing newer."""
    shelf = Shelf()
    async with shelf.serving(), living(tmp_path, shelf, about_one(kind), connector) as house:
        await house.give(about("e1", "one", NOW))
        await finished(house)
        shelf.put("t", "theirs")
        await house.give(about("e2", "two", SOON))
        assert await finished(house) == {"succeeded": 1, "parked": 1}
        assert (reasons(house), shelf.things["t"]["value"], shelf.writes["t"]) == (["newer-at-target"], "theirs", 1)
        (case,) = exceptions(house)
        await house.run_orders.replay_case(case.id, actor="person:p_1")
        await finished(house)
        assert (reasons(house), shelf.writes["t"]) == (["newer-at-target"], 1)
        (case,) = exceptions(house)
        shelf.put("t", "theirs again")
        run = await ordered(house, case.run_id)
        await finished(house)
        assert (reasons(house), shelf.writes["t"]) == (["newer-at-target"], 1)
        await ordered(house, run)
        await finished(house)
        assert (reasons(house), shelf.things["t"]["value"]) == ([], "two")


@pytest.mark.parametrize("kind", LOOKING)
async def test_what_was_written_already_is_known_before_anybody_looks(tmp_path: Path, kind: str) -> None:
    """Another event about the same business key writes nothing, so that what somebody changed since is no matter."""
    shelf = Shelf()
    text = ONE_WRITE.format(kind=kind).replace("business_key: data.id", "business_key: data.name")
    compiled = bundle_for(connector, text, **{**FILES, "mappings__vendor__thing.yaml": ABOUT_ONE})
    async with shelf.serving(), living(tmp_path, shelf, compiled, connector) as house:
        await house.give(about("e1", "one", NOW))
        await finished(house)
        shelf.put("t", "theirs")
        await house.give(about("e2", "one", SOON))
        assert (await finished(house), reasons(house)) == ({"succeeded": 2}, [])
    assert (shelf.things["t"]["value"], shelf.writes["t"]) == ("theirs", 1)


@pytest.mark.parametrize("kind", LOOKING)
async def test_what_happened_earlier_does_not_go_over_what_happened_later(tmp_path: Path, kind: str) -> None:
    """Events may come in any order; each says when it happened."""
    shelf = Shelf()
    async with shelf.serving(), living(tmp_path, shelf, about_one(kind), connector) as house:
        for id, at in (("e1", LATER), ("e2", NOW)):
            await house.give(about(id, id, at))
            await finished(house)
        assert reasons(house) == ["newer-at-target"]
    assert (shelf.things["t"]["value"], shelf.writes["t"]) == ("e1", 1)


@pytest.mark.parametrize("kind", LOOKING)
@pytest.mark.parametrize(("changed", "value"), [(NOW, "ours"), (LATER, "theirs")])
async def test_what_the_hub_never_wrote_is_older_only_if_the_target_says_so(
    tmp_path: Path, kind: str, changed: str, value: str
) -> None:
    shelf = Shelf()
    shelf.put("t", "theirs", at=changed)
    async with shelf.serving(), living(tmp_path, shelf, about_one(kind), connector) as house:
        await house.give(about("e1", "ours", SOON))
        await finished(house)
        assert reasons(house) == ([] if value == "ours" else ["newer-at-target"])
    assert shelf.things["t"]["value"] == value


@pytest.mark.parametrize("kind", LOOKING)
async def test_what_was_taken_away_is_not_put_back(tmp_path: Path, kind: str) -> None:
    shelf = Shelf()
    async with shelf.serving(), living(tmp_path, shelf, about_one(kind), connector) as house:
        await house.give(about("e1", "one", NOW))
        await finished(house)
        del shelf.things["t"]
        await house.give(about("e2", "two", SOON))
        await finished(house)
        assert reasons(house) == ["newer-at-target"]
    assert shelf.things == {}


def once(moment: str, at: int = 1) -> Callable[[Shelf, str], None]:
    """Let somebody else write at the n-th such moment."""
    left = [at]

    def meanwhile(shelf: Shelf, now: str) -> None:
        if now == moment:
            left[0] -= 1
            if left[0] == 0:
                shelf.put("t0", "theirs")

    return meanwhile


@pytest.mark.parametrize(
    ("kind", "moment", "reason", "value"),
    [
        # After the write: the second look shows it.
        ("plain", "written", "overwritten-by-other", "theirs"),
        ("counted", "written", "overwritten-by-other", "theirs"),
        # Between the look and the write: where changes are counted, it is told of; where they are compared, refused.
        ("counted", "writing", "overwritten-by-other", "0"),
        ("bound", "writing", "newer-at-target", "theirs"),
    ],
)
async def test_what_somebody_else_wrote_at_the_same_time_is_told_of(
    tmp_path: Path, kind: str, moment: str, reason: str, value: str
) -> None:
    shelf = Shelf(meanwhile=once(moment))
    async with shelf.serving(), living(tmp_path, shelf, flow(kind), connector) as house:
        await house.give({**things(1)[0], "at": NOW})
        assert await finished(house) == {"parked": 1}
        assert reasons(house) == [reason]
        assert ("effect.overwritten" in told(house)) == (reason == "overwritten-by-other")
        assert shelf.things["t0"]["value"] == value
        (case,) = exceptions(house)
        if reason == "overwritten-by-other":
            # Whoever has looked after it lets the run go on; nothing is written again.
            await house.run_orders.replay_case(case.id, actor="person:p_1")
            assert await finished(house) == {"succeeded": 1}
            assert (shelf.writes["t0"], shelf.things["t0"]["value"]) == (1, value)


@pytest.mark.parametrize("kind", [*LOOKING, "meant"])
async def test_an_unknown_outcome_is_found_out_by_what_stands(tmp_path: Path, kind: str) -> None:
    """Whatever the answer was: what stands is what was written, and nothing is told of."""
    shelf = Shelf(plan=scripted({f"t{number}": [fault] for number, fault in enumerate(FAULTS)}))
    async with shelf.serving(), living(tmp_path, shelf, flow(kind), connector) as house:
        await house.give(*({**thing, "at": NOW} for thing in things(len(FAULTS))))
        assert await finished(house) == {"succeeded": len(FAULTS)}
    assert {thing["value"] for thing in shelf.things.values()} == {str(number) for number in range(len(FAULTS))}
    for number, fault in enumerate(FAULTS):
        assert shelf.writes[f"t{number}"] == (2 if fault.startswith("before") else 1), fault


@pytest.mark.parametrize("kind", LOOKING)
@pytest.mark.parametrize("fault", ["before:reset", "after:reset"])
async def test_an_unknown_outcome_is_not_resent_over_somebody_elses_change(
    tmp_path: Path, kind: str, fault: str
) -> None:
    """The answer was lost, and somebody else wrote: whether ours came before that, nobody can tell or go past."""
    meanwhile = once("writing" if fault.startswith("before") else "written")
    shelf = Shelf(plan=scripted({"t0": [fault]}), meanwhile=meanwhile)
    async with shelf.serving(), living(tmp_path, shelf, careless(kind), connector) as house:
        await house.give({**things(1)[0], "at": NOW})
        assert await finished(house) == {"parked": 1}
        assert reasons(house) == ["newer-at-target"]
        (effect,) = kept(house, effects)
        assert effect.state == EffectState.UNKNOWN
        assert (shelf.things["t0"]["value"], shelf.writes["t0"]) == ("theirs", 1)
        await house.effect_orders.settle(
            effect.key, done=True, evidence="in its history", output={"id": "id-t0"}, actor="person:p_1"
        )
        assert await finished(house) == {"succeeded": 1}
    assert shelf.writes["t0"] == 1


async def test_what_a_write_ends_is_known_by_its_version_too(tmp_path: Path) -> None:
    """What stands is as the write leaves it, but it is another one than the write meant: nobody can tell."""
    shelf = Shelf(plan=scripted({"t0": ["after:reset"]}))
    shelf.put("t0", "theirs")
    async with shelf.serving(), living(tmp_path, shelf, flow("ended"), connector) as house:
        await house.give({**things(1)[0], "at": NOW})
        assert await finished(house) == {"parked": 1}
        assert reasons(house) == ["newer-at-target"]
    assert (shelf.things["t0"]["value"], shelf.writes["t0"]) == ("0", 1)


async def test_a_change_between_the_look_and_a_lost_answer_is_told_of_too(tmp_path: Path) -> None:
    """What stands is ours, but one change more was counted than the hub made."""
    shelf = Shelf(plan=scripted({"t0": ["after:reset"]}), meanwhile=once("writing"))
    async with shelf.serving(), living(tmp_path, shelf, flow("counted"), connector) as house:
        await house.give({**things(1)[0], "at": NOW})
        assert await finished(house) == {"parked": 1}
        assert reasons(house) == ["overwritten-by-other"]
        assert told(house).count("effect.overwritten") == 1


async def test_a_refusal_of_the_repeat_does_not_say_that_the_first_did_nothing(tmp_path: Path) -> None:
    """The target compares versions: the answer was lost, somebody wrote a higher one, and the repeat is refused."""

    def meanwhile(shelf: Shelf, now: str) -> None:
        if now == "written" and shelf.writes["t"] == 1:
            shelf.put("t", "theirs")
            shelf.things["t"]["version"] = "9"

    text = ONE_WRITE.replace("    retry: patient", "    retry: patient\n    on_failure: continue")
    files = {**FILES, "mappings__vendor__thing.yaml": f"{ABOUT_ONE}  version: version\n"}
    shelf = Shelf(plan=scripted({"t": ["after:reset"]}), meanwhile=meanwhile)
    compiled = bundle_for(connector, text.format(kind="versioned"), **files)
    async with shelf.serving(), living(tmp_path, shelf, compiled, connector) as house:
        await house.give({**about("e1", "ours", NOW), "version": "2"})
        assert await finished(house) == {"parked": 1}
        assert reasons(house) == ["newer-at-target"]
        (effect,) = kept(house, effects)
        assert effect.state == EffectState.UNKNOWN
    assert shelf.things["t"]["value"] == "theirs"


async def test_the_target_itself_refuses_what_is_older(tmp_path: Path) -> None:
    """What it says of it is told in the same words as what the hub sees by itself."""
    files = {**FILES, "mappings__vendor__thing.yaml": f"{ABOUT_ONE}  version: version\n"}
    compiled = bundle_for(connector, ONE_WRITE.format(kind="versioned"), **files)
    shelf = Shelf(plan=scripted({"t": ["after:reset", "before:reset"]}))
    async with shelf.serving(), living(tmp_path, shelf, compiled, connector) as house:
        await house.give({**about("e1", "two", NOW), "version": "2"})
        await finished(house)
        await house.give({**about("e2", "three", NOW), "version": "3"})
        await finished(house)
        await house.give({**about("e3", "one", NOW), "version": "1"})
        assert await finished(house) == {"succeeded": 2, "parked": 1}
        assert reasons(house) == ["newer-at-target"]
    assert shelf.things["t"]["value"] == "three"


@pytest.mark.parametrize("kind", LOOKING)
async def test_two_runs_about_the_same_thing_do_not_meet(tmp_path: Path, kind: str) -> None:
    """Both have looked before either has written: the second looks again, and the later happening stands in the end."""
    shelf = Shelf()
    async with shelf.serving(), living(tmp_path, shelf, about_one(kind), connector) as house:
        await house.give(
            *(about(f"e{number}", str(number), f"2026-07-0{number}T00:00:00+00:00") for number in (2, 1, 3))
        )
        await finished(house)
        assert set(reasons(house)) <= {"newer-at-target"}
        assert "effect.overwritten" not in told(house)
    assert shelf.things["t"]["value"] == "3"


class _Dying(Committer):
    """Dies when an effect's outcome is durable, before what it left was looked at."""

    def submit(self, write: Write) -> Any:
        future = super().submit(write)
        if isinstance(write, Record) and any(outcome["state"] == "done" for outcome in write.outcomes):
            raise Fatal
        return future


@pytest.mark.parametrize("theirs", [False, True])
async def test_a_crash_after_the_answer_keeps_nobody_from_looking(tmp_path: Path, *, theirs: bool) -> None:
    """The write is known to be made, and what it has left is looked at in the next life."""
    shelf = Shelf()
    async with shelf.serving():
        transport = Transport(private_hosts=["127.0.0.1"])
        at = Settings(base_url=shelf.url, timeout=PATIENCE)
        house = House(tmp_path, transport, flow("plain"), connector=connector, settings=at, committer=_Dying)
        await house.start()
        await house.give({**things(1)[0], "at": NOW})
        with pytest.raises((Fatal, TimeoutError)):
            await house.settled(seconds=0.3)
        await house.crash()
        await transport.close()
        if theirs:
            shelf.put("t0", "theirs")
        async with living(tmp_path, shelf, flow("plain"), connector) as house:
            await finished(house)
            assert reasons(house) == (["overwritten-by-other"] if theirs else [])
            (effect,) = kept(house, effects)
            assert (effect.state, effect.version is None) == (EffectState.DONE, False)
    assert shelf.writes["t0"] == 1
