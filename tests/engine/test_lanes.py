"""Steps that have steps of their own, and waits: what runs, what is skipped, and what a crash leaves to be done."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.model.exchange import Request
from hub.model.run import RunState
from hub.queries import cases
from hub.queries.view import View
from hub.sdk import exact_json
from hub.store import history, runs
from tests.engine.house import FastClock, House, bundle, loop
from tests.engine.test_once import FILES
from tests.engine.vendor import Vendor

HEAD = """
flow: tested
title: Steps of steps
owner: team:tests
on: { event: vendor.thing.made }
key: data.key
business_key: data.id
"""
LINES = """
  - id: lines
    foreach:
      each: data.lines
      as: line
      by: line.id
      concurrency: 4
      failures: FAILURES
      collect: line.value
      steps:
        - id: write
          call: { connection: vendor, operation: KIND.write, with: vendor/thing, of: line }
          retry: patient
"""


class Hut:
    """A house that can be opened again on the same data."""

    def __init__(self, directory: Path, flow: str, files: Mapping[str, str] = FILES, **more: Any) -> None:
        self.vendor = Vendor(**more)
        self.clock = FastClock()
        self.bundle = bundle(flow, **files)
        self.directory = directory
        self.lives = 0

    async def open(self) -> House:
        self.lives += 1
        house = House(self.directory, self.vendor, self.bundle, clock=self.clock, seed=self.lives)
        await house.start()
        return house


def flow(steps: str, head: str = HEAD) -> str:
    return f"{head}steps:\n{steps}"


def told(house: House) -> dict[str, Any]:
    """Give the outputs of the steps of the only run, by path."""
    with house.database.reading() as connection:
        run_id = connection.exec_driver_sql("select id from runs where flow='tested' order by created_at desc").scalar()
        assert run_id is not None
        rows = history.of_run(connection, run_id)["steps"]
    return {row["path"]: exact_json.loads(row["output"]) if row["output"] else row["rule"] for row in rows}


def state(house: House) -> Mapping[str, Any]:
    with house.database.reading() as connection:
        row = connection.exec_driver_sql("select * from runs where flow='tested' order by created_at desc").first()
    assert row is not None
    return dict(row._mapping)


def exceptions(house: House) -> tuple[cases.CaseRow, ...]:
    return cases.listing(View(environment="test", database=house.database, ambient=house.ambient)).cases


async def once(hut: Hut, event: Mapping[str, Any], act: Callable[[House], Any] | None = None) -> House:
    house = await hut.open()
    await house.give(event)
    if act is not None:
        await act(house)
    await house.settled()
    return house


BRANCH = flow("""
  - id: way
    branch:
      - name: red
        when: data.value == 'red'
        steps:
          - id: write
            call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
            retry: patient
      - name: other
        steps:
          - id: mapped
            map: vendor/thing
            of: data
  - id: after
    map: vendor/thing
    of: "{id: way.write.id || 'none', value: way.taken}"
""")


@pytest.mark.parametrize(("value", "taken", "id"), [("red", "red", "doc_1"), ("blue", "other", "none")])
async def test_one_arm_is_taken_and_its_outputs_are_read_through_the_branch(
    tmp_path: Path, value: str, taken: str, id: str
) -> None:
    house = await once(Hut(tmp_path, BRANCH), {"id": "a", "key": "k", "value": value})
    assert told(house)["after"] == {"key": id, "value": taken}
    assert state(house)["state"] == RunState.SUCCEEDED
    await house.stop()


async def test_an_arm_may_be_called_as_a_step_that_is_left_out(tmp_path: Path) -> None:
    steps = """
  - id: way
    branch:
      - name: skipped
        steps:
          - id: mapped
            map: vendor/thing
            of: "{id: 'inner', value: data.value}"
  - id: pause
    wait: { for: PT1S }
  - id: after
    map: vendor/thing
    of: "{id: 'x', value: way.taken || 'lost'}"
"""
    house = await once(Hut(tmp_path, flow(steps)), {"id": "a", "key": "k", "value": "1"})
    assert told(house)["after"]["value"] == "skipped"
    await house.stop()


PARALLEL = flow("""
  - id: both
    parallel:
      - id: third
        needs: [first, second]
        map: vendor/thing
        of: "{id: first.id, value: second.id}"
      - id: first
        call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
        retry: patient
      - id: second
        call: { connection: vendor, operation: probe.write, with: vendor/thing, of: data }
        retry: patient
  - id: after
    map: vendor/thing
    of: "{id: both.third.key, value: both.second.id}"
""")


async def test_parallel_steps_begin_when_what_they_need_is_there(tmp_path: Path) -> None:
    house = await once(Hut(tmp_path, PARALLEL), {"id": "a", "key": "k", "value": "1"})
    outputs = told(house)
    assert outputs["after"] == {"key": outputs["both.first"]["id"], "value": outputs["both.second"]["id"]}
    await house.stop()


async def test_one_of_two_parallel_steps_waits_and_the_other_is_done_once(tmp_path: Path) -> None:
    def fault(request: Request, number: int) -> str | None:
        return "lost-after" if request.url.endswith("probe") and number < 6 else None

    hut = Hut(tmp_path, PARALLEL, fault=fault)
    house = await once(hut, {"id": "a", "key": "k", "value": "1"})
    assert Counter(document["kind"] for document in hut.vendor.documents) == {"native": 1, "probe": 1}
    await house.stop()


def lines(failures: str = "park", kind: str = "native") -> str:
    return flow(
        LINES.replace("FAILURES", failures).replace("KIND", kind)
        + """
  - id: after
    map: vendor/thing
    of: "{id: 'sum', value: join(',', lines.collected)}"
"""
    )


def of_lines(count: int, *bad: int) -> dict[str, Any]:
    made = [{"id": f"l{number}", "value": "bad" if number in bad else str(number)} for number in range(count)]
    return {"id": "a", "key": "k", "lines": made}


async def test_a_loop_does_every_item_once_and_collects_in_order(tmp_path: Path) -> None:
    hut = Hut(tmp_path, lines())
    house = await once(hut, of_lines(250))
    assert len(hut.vendor.documents) == 250
    assert told(house)["after"]["value"] == ",".join(str(number) for number in range(250))
    await house.stop()


async def test_items_that_fail_stop_no_other_and_a_replay_does_only_them(tmp_path: Path) -> None:
    hut = Hut(tmp_path, lines())
    house = await once(hut, of_lines(120, 3, 77))
    [case] = exceptions(house)
    assert (case.reason, len(hut.vendor.documents)) == ("fix-data", 118)
    assert "2 of 120 items failed" in case.detail
    sent = dict(hut.vendor.seen)
    hut.vendor.fault = lambda request, _number: None
    await house.run_orders.replay_case(case.id, actor="person:p_1")
    await house.settled()
    # The two are refused again, and nothing else is sent.
    assert hut.vendor.seen["native"] == sent["native"] + 2
    await house.stop()


async def test_a_loop_goes_on_without_failed_items_where_it_may(tmp_path: Path) -> None:
    hut = Hut(tmp_path, lines(failures="continue"))
    house = await once(hut, of_lines(30, 0, 29))
    outputs = told(house)
    assert outputs["lines"] | {"collected": None} == {"count": 30, "succeeded": 28, "failed": 2, "collected": None}
    assert state(house)["state"] == RunState.SUCCEEDED
    await house.stop()


@pytest.mark.parametrize("kind", ["native", "upsert", "probe"])
async def test_a_loop_that_is_killed_again_and_again_does_nothing_twice(tmp_path: Path, kind: str) -> None:
    hut = Hut(tmp_path, lines(kind=kind))
    house = await hut.open()
    await house.give(of_lines(300))
    for _ in range(6):
        # A run that dies again and again and gets nowhere is stopped; on a busy machine a moment of time gets nowhere.
        written = len(hut.vendor.documents)
        async with asyncio.timeout(60):
            while len(hut.vendor.documents) < written + 10:
                await asyncio.sleep(0.001)
        await house.crash()
        house = await hut.open()
    await house.settled()
    assert state(house)["state"] == RunState.SUCCEEDED
    assert hut.lives == 7
    assert len(hut.vendor.documents) == 300
    assert len({document["key"] for document in hut.vendor.documents}) == 300
    await house.stop()


@pytest.mark.parametrize("count", [3, 103])
async def test_two_items_of_one_name_are_a_mistake_before_anything_is_sent(tmp_path: Path, count: int) -> None:
    """Also where a hundred others, which are looked at together, stand between them."""
    hut = Hut(tmp_path, lines())
    event = of_lines(count)
    event["lines"][-1]["id"] = "l0"
    house = await once(hut, event)
    assert [case.reason for case in exceptions(house)] == ["item-named-twice"]
    assert hut.vendor.documents == []
    await house.stop()


async def test_items_that_failed_are_not_sent_again_while_others_wait(tmp_path: Path) -> None:
    item = """
- id: write
  call: { connection: vendor, operation: probe.write, with: vendor/thing, of: line }
  retry: patient
- id: pause
  wait: { for: PT1S }
"""
    hut = Hut(tmp_path, flow(loop(item, failures="continue")))
    house = await once(hut, of_lines(4, 0))
    assert hut.vendor.seen["probe"] == 4
    await house.stop()


WAIT = flow("""
  - id: pause
    wait: { for: PT1H }
  - id: write
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
""")


async def test_a_wait_outlives_a_crash_and_counts_from_its_beginning(tmp_path: Path) -> None:
    hut = Hut(tmp_path, WAIT)
    house = await hut.open()
    await house.give({"id": "a", "key": "k", "value": "1"})
    await house.settled(waiting=["timer"])
    hut.clock.leap(timedelta(minutes=40))
    await house.crash()
    house = await hut.open()
    await asyncio.sleep(0.1)
    assert hut.vendor.documents == []
    hut.clock.leap(timedelta(minutes=21))
    house.worker.wake()
    await house.settled()
    assert len(hut.vendor.documents) == 1
    await house.stop()


TIMEOUT = flow("""
  - id: write
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
    retry: patient
    timeout: PT2S
    on_failure: continue
  - id: after
    map: vendor/thing
    of: "{id: write.id || 'none', value: 'after'}"
""")


async def test_a_step_that_takes_too_long_fails_and_the_flow_may_go_on_without_it(tmp_path: Path) -> None:
    # Three attempts: more would open the breaker, and the time for which that is waited does not count.
    slow = {**FILES, "policies__patient.yaml": "policy: patient\nkind: retry\nfirst: 1\nfactor: 1\njitter: 0\n"}
    hut = Hut(tmp_path, TIMEOUT, slow, fault=lambda _request, _number: "refused-connection")
    house = await once(hut, {"id": "a", "key": "k", "value": "1"})
    assert told(house)["after"] == {"key": "none", "value": "after"}
    await house.stop()


EVENT = flow("""
  - id: paid
    wait: { event: vendor.thing.paid, subject: data.id, timeout: P1D, case: never-paid }
  - id: after
    map: vendor/thing
    of: "{id: paid.subject, value: paid.data.value}"
""")


async def test_an_awaited_event_that_never_comes_becomes_a_case(tmp_path: Path) -> None:
    hut = Hut(tmp_path, EVENT)
    house = await hut.open()
    await house.give({"id": "a", "key": "k"})
    await house.settled(waiting=["event"])
    hut.clock.leap(timedelta(days=1, minutes=1))
    house.worker.wake()
    await house.settled()
    assert [case.reason for case in exceptions(house)] == ["never-paid"]
    await house.stop()


async def test_only_the_first_of_a_key_works_and_the_next_goes_when_it_ends(tmp_path: Path) -> None:
    hut = Hut(tmp_path, WAIT)
    house = await hut.open()
    await house.give(*({"id": f"a{number}", "key": "k", "value": "1"} for number in range(5)))
    await house.settled(waiting=["timer"], behind=True)
    with house.database.reading() as connection:
        kinds = Counter(connection.exec_driver_sql("select wait_kind from runs").scalars())
    assert kinds == {"timer": 1, "order": 4}
    for number in range(1, 6):
        await house.settled(waiting=["timer"], behind=True)
        hut.clock.leap(timedelta(hours=1, seconds=1))
        house.worker.wake()
        async with asyncio.timeout(60):
            while len(hut.vendor.documents) < number:
                await asyncio.sleep(0.01)
    await house.settled()
    assert [document["key"] for document in hut.vendor.documents] == [f"a{number}" for number in range(5)]
    with house.database.reading() as connection:
        assert runs.counts(connection, environment="test")["tested"] == {"succeeded": 5}
    await house.stop()


async def test_items_that_wait_for_events_of_their_own_go_on_when_they_come(tmp_path: Path) -> None:
    """The run waits for several things at once, and whoever tells an event must find it all the same."""
    item = "- id: paid\n  wait: { event: vendor.thing.paid, subject: line.id, timeout: P7D }"
    hut = Hut(tmp_path, flow(loop(item)))
    house = await hut.open()
    await house.give(of_lines(3))
    await house.settled(waiting=["event"])
    for number in range(3):
        await house.pay(f"l{number}")
    async with asyncio.timeout(60):
        while not told(house).get("lines"):
            await asyncio.sleep(0.01)
    await house.stop()
