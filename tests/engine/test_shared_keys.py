"""A key that too many share tells nothing: nobody is asked about it, people are told once, other keys still count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select

from hub.store import shared_keys
from hub.store.committer import Work
from hub.store.shared_keys import MOST_ALIKE
from hub.store.tables import audit
from hub.store.thing_tables import match_keys, match_pairs
from tests.engine.house import House
from tests.engine.test_matches import customer, hut, open_pairs, replay, states

PLACEHOLDER = "DE000000000"


def rows(house: House) -> int:
    with house.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(match_pairs)).scalar_one()


def told(house: House) -> tuple[Sequence[shared_keys.SharedKey], int]:
    """Give the keys of which people were told, and how often they were."""
    with house.database.reading() as connection:
        notes = select(func.count()).select_from(audit).where(audit.c.kind == "duplicate.key_shared")
        return shared_keys.listing(connection, "test"), connection.execute(notes).scalar_one()


def placeholders(first: int, last: int) -> list[dict[str, Any]]:
    return [customer(f"c{n}", tax=PLACEHOLDER, name=f"Company {n}", city="Berlin") for n in range(first, last)]


async def test_what_each_record_costs_is_bounded(tmp_path: Path) -> None:
    """Hundreds of records with one placeholder: those behind the first few go on, and nobody is asked about them."""
    made = hut(tmp_path)
    house = await made.open()
    await house.give(*placeholders(0, MOST_ALIKE + 1))
    await house.settled()
    before = rows(house)
    assert before == MOST_ALIKE * (MOST_ALIKE + 1) // 2
    assert told(house) == ((), 0)
    await house.give(*placeholders(MOST_ALIKE + 1, 260))
    await house.settled()
    assert rows(house) == before
    ended = states(house)
    assert {ended[f"c{n}"] for n in range(MOST_ALIKE + 1, 260)} == {"succeeded"}
    [key], notes = told(house)
    assert (key.entity, key.key, key.policy, key.records, notes) == ("customer", "tax number", "duplicates", 260, 1)
    # The key tells nothing of those either that were asked about while few had it.
    assert ended["c1"] == "parked"
    await replay(house, "c1")
    assert states(house)["c1"] == "succeeded"
    assert (rows(house), told(house)[1]) == (before, 1)
    await house.stop()


async def test_a_value_that_few_have_again_is_no_longer_told_of(tmp_path: Path) -> None:
    """Once people have put the records right, those that are left are compared by it as by any other key."""
    house = await hut(tmp_path).open()
    await house.give(*placeholders(0, MOST_ALIKE + 3))
    await house.settled()
    ([key], notes) = told(house)
    assert (key.records, notes) == (MOST_ALIKE + 3, 1)
    mended = delete(match_keys).where(match_keys.c.id.in_(["c0", "c1", "c2"]))
    await house.committer.commit(Work(lambda tx: tx.connection.execute(mended).rowcount))
    assert told(house) == ((), 1)
    await house.give(customer("new", tax=PLACEHOLDER, name="New", city="Linz"))
    await house.settled()
    assert states(house)["new"] == "parked"
    await house.stop()


async def test_such_records_are_still_compared_by_their_other_keys(tmp_path: Path) -> None:
    made = hut(tmp_path)
    house = await made.open()
    await house.give(*placeholders(0, MOST_ALIKE + 10))
    await house.settled()
    last = f"c{MOST_ALIKE + 9}"
    await house.give(customer("new", tax=PLACEHOLDER, name=f"company {MOST_ALIKE + 9}", city="Berlin"))
    await house.settled()
    assert states(house)["new"] == "parked"
    (pair,) = [pair for pair in all_pairs(house) if pair["id"] == "new"]
    assert (pair["other_id"], pair["keys"]) == (last, '["name"]')
    await house.stop()


async def test_one_thing_with_many_records_is_no_reason_to_ask_nobody(tmp_path: Path) -> None:
    """It is things that are counted: a company may have many accounts, and all of them its number."""
    made = hut(tmp_path)
    house = await made.open()
    ids = [f"c{n}" for n in range(MOST_ALIKE + 2)]
    await house.give(customer(ids[0], tax="DE 1"))
    await house.settled()
    for id in ids[1:]:
        await house.give(customer(id, tax="DE 1"))
        await house.settled()
        (pair,) = open_pairs(house)
        await house.orders.things.decide(pair["pair"], same=True, actor="person:p_ada", reason="one company")
    await house.give(customer("other", tax="DE 1"))
    await house.settled()
    assert states(house)["other"] == "parked"
    assert told(house) == ((), 0)
    await house.stop()


def all_pairs(house: House) -> list[dict[str, Any]]:
    with house.database.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(select(match_pairs))]
