"""Replays with the files of now: what was written is recognised, and later runs of the key go on behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hub.engine.worker import Worker
from hub.errors import Conflict
from hub.operate.runs import FAILURE, START, From
from hub.store.replays import written
from hub.workspace.bundle import Bundle
from tests.engine.house import House, bundle
from tests.engine.test_lanes import flow
from tests.engine.test_once import FILES
from tests.engine.vendor import Vendor
from tests.operate.test_replays import rows
from tests.operate.test_run_orders import ADA

WRITE = """
  - id: NAME
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
"""
BEFORE = """
  - id: before
    map: vendor/thing
    of: data
"""


def second(of: str) -> str:
    """Write the step that comes last in all of them."""
    return f"""
  - id: second
    call: {{ connection: vendor, operation: probe.write, with: vendor/thing, of: "{of}" }}
"""


OLD = flow(WRITE.replace("NAME", "first") + second("{id: data.id, value: 'bad'}"))
NEW = flow(BEFORE + WRITE + second("{id: NAME.id, value: before.value}"))
GONE = flow(second("data"))


async def stopped(tmp_path: Path, new: str) -> tuple[House, Vendor]:
    """Give a house in which a run stopped behind its first write, another waits behind it, and the files are new."""
    vendor, compiled = Vendor(), {"old": bundle(OLD, **FILES), "new": bundle(new, **FILES)}
    house = House(tmp_path, vendor, compiled["old"])

    async def shelf(id: str) -> Bundle:
        return next(each for each in compiled.values() if each.id == id)

    house.parts = replace(house.parts, bundle=shelf)
    house.worker = Worker(house.parts)
    await house.start()
    await house.give({"id": "a", "key": "k", "value": "1"}, {"id": "b", "key": "k", "value": "2"})
    assert await house.settled(behind=True) == {"parked": 1, "queued": 1}
    house.bundle = compiled["new"]
    return house, vendor


def books(vendor: Vendor) -> list[tuple[str, str, str]]:
    return [(each["kind"], each["key"], each["value"]) for each in vendor.documents]


@pytest.mark.parametrize("start", [START, FAILURE])
async def test_what_was_written_is_recognised_by_the_files_of_now(tmp_path: Path, start: From) -> None:
    house, vendor = await stopped(tmp_path, NEW.replace("NAME", "first"))
    await house.run_orders.replay(rows(house)[0].id, actor=ADA, current=True, start=start)
    # The one behind it has the old files, and goes when its turn has come.
    assert await house.settled() == {"parked": 1, "succeeded": 1}
    assert books(vendor) == [("native", "a", "1"), ("probe", "doc_1", "1"), ("native", "b", "2")]
    await house.stop()


@pytest.mark.parametrize("start", [START, FAILURE])
async def test_a_step_that_was_renamed_writes_nothing_a_second_time(tmp_path: Path, start: From) -> None:
    house, vendor = await stopped(tmp_path, NEW.replace("NAME", "posted"))
    with pytest.raises(Conflict) as refused:
        await house.run_orders.replay(rows(house)[0].id, actor=ADA, current=True, start=start)
    assert (refused.value.code, refused.value.facts["step"]) == ("step-renamed", "first")
    assert books(vendor) == [("native", "a", "1")]
    await house.stop()


async def test_what_a_step_has_written_that_is_gone_is_confirmed_before_anything_else_is_written(
    tmp_path: Path,
) -> None:
    house, vendor = await stopped(tmp_path, GONE)
    await house.run_orders.replay(rows(house)[0].id, actor=ADA, current=True)
    await house.settled(behind=True)
    assert books(vendor) == [("native", "a", "1")]
    [run] = [row for row in rows(house) if row.reason == "left-standing"]
    with house.database.reading() as connection:
        [key] = [row["key"] for row in written(connection, run._mapping)]
    await house.run_orders.replay(run.id, actor=ADA, start=FAILURE, confirmed=[key], reason="it may stay")
    await house.settled()
    assert books(vendor) == [("native", "a", "1"), ("probe", "a", "1"), ("native", "b", "2")]
    await house.stop()
