"""A step that takes another one's write back is the same effect as that one's undo: whoever comes first makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hub.model.run import RunState
from tests.engine.house import House
from tests.engine.test_compensation import reversals
from tests.engine.test_lanes import HEAD, Hut, exceptions, flow

ADA, WHY = "person:p_ada", "not wanted"
BY_KEY = HEAD.replace("business_key: data.id", "business_key: data.key")
#: The first event makes it, and one that names what was made takes it back.
BOTH = flow(
    """
  - id: way
    branch:
      - name: made
        when: data.value == 'make'
        steps:
          - id: post
            call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
            undo: thing.reverse
            retry: patient
          - id: link
            crossref: { entity: thing, ids: { vendor: =data.key, books: =post.id } }
      - name: gone
        steps:
          - id: back
            undoes: way.post
            call: { connection: vendor, operation: thing.reverse, by: =data.value }
            retry: patient
          - id: told
            crossref: { entity: gone, ids: { vendor: =data.key, books: =back.id } }
""",
    BY_KEY,
)


def runs(house: House) -> list[dict[str, Any]]:
    with house.database.reading() as connection:
        rows = connection.exec_driver_sql("select * from runs where flow = 'tested' order by position")
        return [dict(row._mapping) for row in rows]


def ties(house: House) -> set[str]:
    with house.database.reading() as connection:
        return set(connection.exec_driver_sql("select entity from crossrefs").scalars())


async def made(hut: Hut) -> tuple[House, str]:
    house = await hut.open()
    await house.give({"id": "a", "key": "k", "value": "make"})
    await house.settled()
    (document,) = hut.vendor.documents
    return house, str(document["id"])


async def gone(house: House, id: str) -> None:
    await house.give({"id": "b", "key": "k", "value": id})
    await house.settled()


async def taken_back(house: House, number: int) -> None:
    await house.run_orders.take_back(runs(house)[number]["id"], actor=ADA, reason=WHY)
    await house.settled()


@pytest.mark.parametrize("first", ["order", "step"])
@pytest.mark.parametrize("fault", [None, "lost-after"])
async def test_it_is_taken_back_once_in_either_order(tmp_path: Path, first: str, fault: str | None) -> None:
    lost: list[object] = []

    def once_lost(request: Any, _number: int) -> str | None:
        # The first answer of a reversal is lost, so that it is found out by its key.
        if fault is None or lost or b"doc_" not in (request.body or b""):
            return None
        lost.append(request)
        return fault

    hut = Hut(tmp_path, BOTH, fault=once_lost)
    house, id = await made(hut)
    if first == "order":
        await taken_back(house, 0)
        await gone(house, id)
    else:
        await gone(house, id)
        await taken_back(house, 0)
    assert [run["state"] for run in runs(house)] == [RunState.COMPENSATED, RunState.SUCCEEDED]
    assert reversals(hut.vendor) == [id]
    assert bool(lost) == (fault is not None)
    assert exceptions(house) == ()
    assert ties(house) == {"gone"}
    await house.stop()


async def test_what_a_step_took_back_stays_when_its_own_run_is_taken_back(tmp_path: Path) -> None:
    """It has no way back itself, so that it stands, and with it the ids that were tied to what it gave."""
    hut = Hut(tmp_path, BOTH)
    house, id = await made(hut)
    await gone(house, id)
    await taken_back(house, 1)
    assert reversals(hut.vendor) == [id]
    assert ties(house) == {"thing", "gone"}
    with house.database.reading() as connection:
        undone = connection.execute(text("select path from steps where path like 'undo:%'")).scalars()
        assert list(undone) == []
    await house.stop()


async def test_a_replay_of_what_a_step_took_back_makes_nothing(tmp_path: Path) -> None:
    hut = Hut(tmp_path, BOTH)
    house, id = await made(hut)
    await gone(house, id)
    for number in (1, 0):
        await house.run_orders.replay(runs(house)[number]["id"], actor=ADA)
        await house.settled()
    assert len(hut.vendor.documents) == 2
    assert [case.reason for case in exceptions(house)] == ["taken-back"]
    await house.stop()


async def test_what_was_ordered_once_more_is_what_is_taken_back_then(tmp_path: Path) -> None:
    hut = Hut(tmp_path, BOTH)
    house, id = await made(hut)
    await taken_back(house, 0)
    with house.database.reading() as connection:
        (key,) = connection.exec_driver_sql("select key from effects where path = 'way.post'").scalars()
    await house.run_orders.replay(runs(house)[0]["id"], actor=ADA, confirmed=[key], reason=WHY)
    await house.settled()
    again = str(hut.vendor.documents[-1]["id"])
    assert again != id
    await gone(house, again)
    assert reversals(hut.vendor) == [id, again]
    await house.stop()
