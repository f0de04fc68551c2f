"""One call with many items: results by name, partial failure by item, and nothing twice whatever befalls a request."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hub.model.effect import EffectState, Idempotency
from hub.model.run import StepState
from hub.sdk import exact_json
from hub.store.tables import attempts, audit, batches, cases, effects, runs, steps
from tests.engine.house import bundle_for
from tests.engine.target import BULK_SIZE, Target, connector
from tests.engine.test_every_answer import finished, kept, living, scripted
from tests.engine.test_once import FILES, exceptions

FLOW = """
flow: tested
title: One call with many items
owner: team:tests
on: {{ event: vendor.thing.made }}
key: data.key
business_key: data.id
steps:
  - id: posts
    call:
      connection: vendor
      operation: {operation}
      with: vendor/line
      each: data.lines
      item: id
      failures: {failures}
    retry: patient
  - id: after
    call: {{ connection: vendor, operation: native.write, with: vendor/told, of: posts }}
    retry: patient
"""
LINE = """
mapping: vendor/line
version: 1
from: vendor.thing@1
to: vendor.thing@1
fields:
  key: id
  value: value
"""
TOLD = """
mapping: vendor/told
version: 1
from: vendor.thing@1
to: vendor.thing@1
fields:
  key: "'after'"
  value: "join(':', [to_string(count), to_string(succeeded), to_string(failed)])"
"""
RESOLVED = (Idempotency.NATIVE, Idempotency.UPSERT, Idempotency.PROBE)


def flow(operation: str, failures: str = "park", **files: str) -> Any:
    """Compile the flow."""
    more = {"mappings__vendor__line.yaml": LINE, "mappings__vendor__told.yaml": TOLD}
    return bundle_for(connector, FLOW.format(operation=operation, failures=failures), **FILES, **more, **files)


def lines(count: int, **values: str) -> list[dict[str, Any]]:
    """Make the lines of one event; `values` are those of single lines, by name."""
    total = {"minor": 1000, "currency": "EUR"}
    return [
        {"id": f"l{number}", "value": values.get(f"l{number}", str(number)), "total": total} for number in range(count)
    ]


def event(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make the event."""
    return {"id": "e1", "key": "k1", "lines": items}


def bulk_documents(target: Target) -> list[str]:
    """Give the keys of what was made for lines."""
    return sorted(document["key"] for document in target.documents if document["key"] != "after")


def told(target: Target) -> list[str]:
    """Give what the step after the call was told."""
    return [document["value"] for document in target.documents if document["key"] == "after"]


@pytest.mark.parametrize("kind", list(Idempotency))
async def test_many_items_go_in_few_requests(tmp_path: Path, kind: Idempotency) -> None:
    """Each has an effect, a path and a result of its own."""
    target = Target()
    async with target.serving(), living(tmp_path, target, flow(f"{kind}.bulk")) as house:
        await house.give(event(lines(120)))
        assert await finished(house) == {"succeeded": 1}
        made = [effect for effect in kept(house, effects) if effect.batch]
        rows = {step.path: step for step in kept(house, steps)}
    assert target.requests == [50, 50, 20]
    assert bulk_documents(target) == sorted(f"l{number}" for number in range(120))
    assert Counter(effect.state for effect in made) == {EffectState.DONE: 120}
    assert rows["posts[l7]"].state == StepState.SUCCEEDED
    assert exact_json.loads(rows["posts"].output)["results"]["l7"] == exact_json.loads(rows["posts[l7]"].output)
    assert told(target) == ["120:120:0"]


@pytest.mark.parametrize("kind", RESOLVED)
@pytest.mark.parametrize("way", ["shuffled", "missing", "doubled", "foreign"])
async def test_results_are_told_by_name_and_never_by_place(tmp_path: Path, kind: Idempotency, way: str) -> None:
    """Of 200 rows one is bad; the others come in any order, one is left out, doubled, or somebody else's."""
    chance = random.Random(3)
    spoilt = iter([True])

    def rows(answered: list[dict[str, Any]]) -> list[dict[str, Any]]:
        chance.shuffle(answered)
        if way == "shuffled" or not next(spoilt, False):
            return answered
        if way == "missing":
            return answered[1:]
        if way == "doubled":
            return [*answered, {**answered[0], "id": "doc_999"}]
        return [{**answered[0], "ref": "of-somebody-else"}, *answered[1:]]

    target = Target(rows=rows)
    async with target.serving(), living(tmp_path, target, flow(f"{kind}.bulk", "continue")) as house:
        await house.give(event(lines(200, l77="bad")))
        assert await finished(house) == {"succeeded": 1}
        outputs = {
            effect.path: exact_json.loads(effect.output)
            for effect in kept(house, effects)
            if effect.batch and effect.output
        }
        alarms = [entry for entry in kept(house, audit) if entry.kind == "effect.mismatched"]
        (step,) = [each for each in kept(house, steps) if each.path == "posts"]
    by_id = {document["id"]: document["key"] for document in target.documents}
    assert len(outputs) == 199
    assert all(f"posts[{by_id[output['id']]}]" == path for path, output in outputs.items())
    assert bulk_documents(target) == sorted(f"l{number}" for number in range(200) if number != 77)
    assert len(alarms) == (1 if way in {"doubled", "foreign"} else 0)
    assert exact_json.loads(step.output)["failures"] == [{"item": "l77", "code": "row-refused", "detail": "bad value"}]
    assert told(target) == ["200:199:1"]


@pytest.mark.parametrize("kind", RESOLVED)
async def test_what_befalls_requests_makes_nothing_twice(tmp_path: Path, kind: Idempotency) -> None:
    """Lost answers, gateways' failures and pauses, one after the other."""
    faults = ["after:reset", "before:503", "after:504", "after:html", "before:429", "", "after:half", "before:reset"]
    target = Target(plan=scripted({"bulk": faults}))
    async with target.serving(), living(tmp_path, target, flow(f"{kind}.bulk")) as house:
        await house.give(event(lines(130)))
        assert await finished(house) == {"succeeded": 1}
        sent = kept(house, batches)
    assert bulk_documents(target) == sorted(f"l{number}" for number in range(130))
    assert all(len(set(bodies)) == 1 for bodies in target.bodies.values())
    if kind is Idempotency.NATIVE:
        assert all(count == 1 for key, count in target.seen.items() if key.startswith("l"))
        assert len(sent) <= 4


async def test_an_unsafe_request_in_doubt_is_left_to_a_person_once_all_others_are_done(tmp_path: Path) -> None:
    """Each item of it is, and none is sent again."""
    target = Target(plan=scripted({"bulk": ["", "after:reset"]}))
    async with target.serving(), living(tmp_path, target, flow("unsafe.bulk", "continue")) as house:
        await house.give(event(lines(120)))
        assert await finished(house) == {"parked": 1}
        (case,) = exceptions(house)
        states = Counter(effect.state for effect in kept(house, effects))
    assert case.reason == "outcome-unknown"
    assert "Of 50 of 120 items" in case.detail
    assert states == {EffectState.DONE: 70, EffectState.PARKED: 50}
    assert target.requests == [50, 50, 20]


async def test_a_request_that_is_refused_for_one_item_is_taken_apart(tmp_path: Path) -> None:
    """The others go through, and the one is named with its money."""
    target = Target()
    async with target.serving(), living(tmp_path, target, flow("upsert.bulk")) as house:
        await house.give(event(lines(50, l9="poison", l30="bad")))
        assert await finished(house) == {"parked": 1}
        (case,) = exceptions(house)
        facts = exact_json.loads(kept(house, cases)[0].facts)
    assert bulk_documents(target) == sorted(f"l{number}" for number in range(50) if number not in {9, 30})
    assert case.reason == "items-failed"
    assert (
        facts == {"failed": "2", "succeeded": "48", "items": "l30, l9", "money": "2000 EUR"}
        or facts["items"] == "l9, l30"
    )
    assert len(target.requests) <= 2 * 6 + 1


async def test_an_item_of_which_no_request_can_be_made_keeps_no_other_back(tmp_path: Path) -> None:
    target = Target()
    async with target.serving(), living(tmp_path, target, flow("native.bulk", "continue")) as house:
        await house.give(event(lines(20, l3="unformed")))
        assert await finished(house) == {"succeeded": 1}
    assert bulk_documents(target) == sorted(f"l{number}" for number in range(20) if number != 3)


@pytest.mark.parametrize(
    ("change", "reason"), [({"value": "of another amount"}, "written-differently"), ({"id": "new"}, "left-standing")]
)
@pytest.mark.parametrize("operation", ["upsert.bulk", "native.bulk", "probe.bulk"])
async def test_a_replay_that_would_write_an_item_otherwise_writes_none(
    tmp_path: Path, operation: str, change: Mapping[str, str], reason: str
) -> None:
    target = Target()
    items = lines(8, l5="bad")
    async with target.serving(), living(tmp_path, target, flow(operation, "continue")) as house:
        await house.give(event(items))
        await finished(house)
        before = bulk_documents(target)
        [run] = kept(house, runs)
        edited = {
            **event(items),
            "lines": [{**items[0], **change}, *items[1:5], {**items[5], "value": "5"}, *items[6:]],
        }
        await house.run_orders.replay(run.id, actor="person:p_1", record=edited, reason="mistyped")
        await finished(house)
        assert [row.reason for row in kept(house, runs) if row.replay_of] == [reason]
        assert bulk_documents(target) == before


@pytest.mark.parametrize("operation", ["upsert.bulk", "native.bulk", "probe.bulk", "probe.write"])
async def test_a_replay_goes_on_with_the_failed_ones_only(tmp_path: Path, operation: str) -> None:
    """What is done is not sent again, by whatever run."""
    target = Target()
    items = lines(60, l5="bad", l6="bad")
    async with target.serving(), living(tmp_path, target, flow(operation)) as house:
        await house.give(event(items))
        assert await finished(house) == {"parked": 1}
        before = Counter(target.seen)
        (case,) = exceptions(house)
        await house.run_orders.replay_case(case.id, actor="person:p_1")
        assert await finished(house) == {"parked": 1}
        (row,) = [each for each in kept(house, runs) if each.replay_of]
        again = [each.path for each in kept(house, steps) if each.run_id == row.id and each.state == StepState.FAILED]
    assert sorted(again) == ["posts", "posts[l5]", "posts[l6]"]
    assert Counter(target.seen) - before == {"l5": 1, "l6": 1}
    assert len(bulk_documents(target)) == 58


async def test_items_go_one_by_one_where_the_operation_takes_only_one(tmp_path: Path) -> None:
    """Some at a time, each with its own attempts and end."""
    faults = {f"l{number}": ["after:reset"] for number in range(0, 60, 7)}
    target = Target(plan=scripted(faults))
    async with target.serving(), living(tmp_path, target, flow("probe.write", "continue")) as house:
        await house.give(event(lines(60, l8="bad")))
        assert await finished(house) == {"succeeded": 1}
    assert bulk_documents(target) == sorted(f"l{number}" for number in range(60) if number != 8)
    assert told(target) == ["60:59:1"]


async def test_an_item_that_never_gets_through_fails_by_itself(tmp_path: Path) -> None:
    """The retry policy ends for it alone; the others are done long before."""
    hasty = "policy: patient\nkind: retry\nattempts: 3\nfirst: 0.02\nfactor: 1\nceiling: 0.02\njitter: 0.5\n"
    for operation, name in (("native.bulk", "bulk"), ("native.write", "write")):
        target = Target()
        compiled = flow(operation, "continue", **{"policies__patient.yaml": hasty})
        if name == "write":
            target.plan = lambda key, _number: "before:reset" if key == "l2" else None
        async with target.serving(), living(tmp_path / name, target, compiled) as house:
            await house.give(event(lines(30, l2="busy" if name == "bulk" else "2")))
            counted = await finished(house)
            found = exceptions(house)
        if name == "bulk":
            assert counted == {"succeeded": 1}
            assert told(target) == ["30:29:1"]
        else:
            # Nobody knows of it, so that it does not go on.
            assert counted == {"parked": 1}
            assert [case.reason for case in found] == ["connection-broken-too-often"]


@pytest.mark.parametrize("operation", ["upsert.bulk", "native.write"])
async def test_items_of_the_same_name_are_refused_before_anything_goes_out(tmp_path: Path, operation: str) -> None:
    target = Target()
    async with target.serving(), living(tmp_path, target, flow(operation)) as house:
        await house.give(event([*lines(3), {"id": "l1", "value": "again"}]))
        assert await finished(house) == {"parked": 1}
        assert [case.reason for case in exceptions(house)] == ["same-item-name"]
    assert target.documents == []


@pytest.mark.parametrize("operation", ["upsert.bulk", "native.write"])
async def test_an_item_whose_name_fits_in_no_path_is_refused_before_anything_goes_out(
    tmp_path: Path, operation: str
) -> None:
    target = Target()
    async with target.serving(), living(tmp_path, target, flow(operation)) as house:
        await house.give(event([*lines(3), {"id": "l[9]", "value": "again"}]))
        assert await finished(house) == {"parked": 1}
        assert [case.reason for case in exceptions(house)] == ["item-badly-named"]
    assert target.documents == []


async def test_thousands_of_items_leave_a_small_output_and_are_all_counted(tmp_path: Path) -> None:
    target = Target()
    async with target.serving(), living(tmp_path, target, flow("upsert.bulk")) as house:
        await house.give(event(lines(3000)))
        assert await finished(house) == {"succeeded": 1}
        (step,) = [each for each in kept(house, steps) if each.path == "posts"]
        # On a busy machine a request may time out and go out again; each is answered once.
        answered = [each for each in kept(house, attempts) if each.path == "posts" and each.status is not None]
    output = exact_json.loads(step.output)
    assert (output["count"], output["succeeded"], len(output["results"])) == (3000, 3000, 1000)
    assert len(answered) == 3000 / BULK_SIZE
    assert len(bulk_documents(target)) == 3000


@pytest.mark.parametrize("kind", RESOLVED)
@pytest.mark.parametrize("fault", ["after:reset", "before:reset"])
async def test_a_run_that_is_cancelled_finds_out_what_its_requests_did(
    tmp_path: Path, kind: Idempotency, fault: str
) -> None:
    """Nothing of it stays in doubt, and no item is there twice."""
    slow = "policy: patient\nkind: retry\nfirst: 86400\nceiling: 86400\njitter: 0\n"
    target = Target(plan=scripted({"bulk": [fault]}))
    compiled = flow(f"{kind}.bulk", **{"policies__patient.yaml": slow})
    async with target.serving(), living(tmp_path, target, compiled) as house:
        await house.give(event(lines(20)))
        await house.settled(waiting=["timer"])
        (run,) = kept(house, runs)
        await house.run_orders.cancel(run.id, actor="person:p_1", reason="test")
        assert await finished(house) == {"cancelled": 1}
        states = Counter(effect.state for effect in kept(house, effects))
    done = fault == "after:reset" or kind is not Idempotency.PROBE
    assert states == {EffectState.DONE if done else EffectState.FAILED: 20}
    assert bulk_documents(target) == (sorted(f"l{number}" for number in range(20)) if done else [])


async def test_items_are_taken_back_one_by_one(tmp_path: Path) -> None:
    """Each by the undo of the call, with what its own result gave."""
    undone = FLOW.format(operation="upsert.bulk", failures="park").replace(
        "    retry: patient\n  - id: after",
        "    retry: patient\n    undo: { operation: native.write, with: vendor/back }\n  - id: after",
    )
    back = (
        LINE.replace("vendor/line", "vendor/back")
        .replace("key: id", "key: id")
        .replace("value: value", "value: \"'back'\"")
    )
    more = {
        "mappings__vendor__line.yaml": LINE,
        "mappings__vendor__told.yaml": TOLD,
        "mappings__vendor__back.yaml": back,
    }
    compiled = bundle_for(connector, undone.replace("steps:", "on_failure: compensate\nsteps:", 1), **FILES, **more)
    target = Target()
    async with target.serving(), living(tmp_path, target, compiled) as house:
        await house.give(event(lines(12, l3="bad")))
        assert await finished(house) == {"compensated": 1}
    made = {document["id"] for document in target.documents if document["kind"] == "upsert"}
    taken = [document["key"] for document in target.documents if document["value"] == "back"]
    assert len(made) == 11
    assert sorted(taken) == sorted(made)
