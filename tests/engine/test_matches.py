"""Records that may be about one thing: the second one waits for a person, and what they say counts for good."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.errors import Conflict, FixData, NotFound
from hub.model.run import RunState
from hub.model.thing import PairState
from hub.store import crossrefs, things
from hub.store.pairs import waiting
from hub.store.tables import runs
from tests.engine.house import House
from tests.engine.test_lanes import Hut, exceptions, flow, told
from tests.engine.test_once import FILES

ADA = "person:p_ada"
POLICY = """
policy: duplicates
kind: match
version: 1
entity: customer
record: vendor.customer@1
keys:
  - name: tax number
    of: [alphanumeric(tax)]
  - name: name
    of: [company_name(name), city]
"""
SCHEMA = """{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {
  "tax": {"type": "string"}, "name": {"type": "string"}, "city": {"type": "string"}}}"""
FLOW = flow("""
  - id: same
    match: { policy: duplicates, of: "data.customer", system: billing, id: data.id }
  - id: known
    lookup: { crossref: customer, system: billing, id: data.id, want: erp, optional: true }
  - id: post
    when: "!known"
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
    retry: patient
  - id: link
    when: "!known"
    crossref: { entity: customer, ids: { billing: =data.id, erp: =post.id } }
""")


def hut(directory: Path, policy: str = POLICY, text: str = FLOW) -> Hut:
    more = {"policies__duplicates.yaml": policy, "schemas__vendor.customer@1.json": SCHEMA}
    return Hut(directory, text, {**FILES, **more})


def customer(id: str, key: str = "", **record: str) -> dict[str, Any]:
    return {"id": id, "key": key or id, "value": "v", "customer": record}


def states(house: House) -> dict[str, str]:
    """Give the state of the newest run of each customer."""
    with house.database.reading() as connection:
        rows = connection.exec_driver_sql("select business_key, state from runs where replaced_by is null").all()
    return {row.business_key: row.state for row in rows}


def open_pairs(house: House) -> list[dict[str, Any]]:
    with house.database.reading() as connection:
        return [dict(row) for row in waiting(connection, "test", entity=None, state=PairState.OPEN, limit=99)]


def erp_id(house: House, id: str, want: str = "erp") -> str | None:
    with house.database.reading() as connection:
        return crossrefs.find(connection, environment="test", entity="customer", system="billing", id=id, want=want)


async def replay(house: House, key: str) -> None:
    with house.database.reading() as connection:
        run = connection.execute(
            select(runs.c.id).where(runs.c.business_key == key, runs.c.replaced_by.is_(None))
        ).scalar_one()
    await house.run_orders.replay(run, actor=ADA)
    await house.settled()


async def two(directory: Path, policy: str = POLICY) -> tuple[Hut, House]:
    """Give a house in which a second customer with the tax number of the first one waits."""
    made = hut(directory, policy)
    house = await made.open()
    await house.give(customer("c1", tax="DE 1", name="Müller GmbH", city="Berlin"))
    await house.settled()
    await house.give(customer("c2", tax="de-1", name="Mueller"))
    await house.settled()
    return made, house


async def test_the_second_one_stops_before_anything_is_written(tmp_path: Path) -> None:
    made, house = await two(tmp_path)
    assert states(house) == {"c1": RunState.SUCCEEDED, "c2": RunState.PARKED}
    assert [case.reason for case in exceptions(house)] == ["possible-duplicate"]
    assert len(made.vendor.documents) == 1
    (pair,) = open_pairs(house)
    assert (pair["id"], pair["other_id"], pair["keys"]) == ("c2", "c1", '["tax number"]')
    # Nothing that was said of neither of them lets it go on.
    await replay(house, "c2")
    assert states(house)["c2"] == RunState.PARKED
    assert (len(made.vendor.documents), len(open_pairs(house))) == (1, 1)
    await house.stop()


async def test_of_one_thing_the_replay_finds_what_is_there(tmp_path: Path) -> None:
    made, house = await two(tmp_path)
    (pair,) = open_pairs(house)
    await house.orders.things.decide(pair["pair"], same=True, actor=ADA, reason="one company, two accounts")
    assert erp_id(house, "c2") == erp_id(house, "c1") == "doc_1"
    # An alias finds the thing, and what is wanted is the primary id.
    assert (erp_id(house, "c2", "billing"), erp_id(house, "c1", "billing")) == ("c1", "c1")
    await replay(house, "c2")
    assert states(house)["c2"] == RunState.SUCCEEDED
    assert (len(made.vendor.documents), exceptions(house)) == (1, ())
    with pytest.raises(Conflict):
        await house.orders.things.decide(pair["pair"], same=True, actor=ADA, reason="again")
    await house.stop()


async def test_what_is_different_is_never_asked_again(tmp_path: Path) -> None:
    made, house = await two(tmp_path)
    (pair,) = open_pairs(house)
    await house.orders.things.decide(pair["pair"], same=False, actor=ADA, reason="a branch of its own")
    await replay(house, "c2")
    assert states(house)["c2"] == RunState.SUCCEEDED
    assert len(made.vendor.documents) == 2
    assert erp_id(house, "c1") != erp_id(house, "c2")
    for number, id in enumerate(("c1", "c2")):
        await house.give({**customer(id, tax="DE-1"), "id": id, "value": f"again {number}"})
    await house.settled()
    assert (open_pairs(house), exceptions(house)) == ([], ())
    await house.stop()


async def test_the_one_that_was_first_goes_on_while_the_second_waits(tmp_path: Path) -> None:
    made, house = await two(tmp_path)
    await house.give(customer("c1", "later", tax="DE1", name="Müller"))
    await house.settled()
    assert [case.reason for case in exceptions(house)] == ["possible-duplicate"]
    assert len(made.vendor.documents) == 1
    await house.stop()


async def test_what_is_known_where_it_goes_does_not_wait_but_people_are_told(tmp_path: Path) -> None:
    text = FLOW.replace("id: data.id }\n", "id: data.id, unless: \"contains(data.id, 'old')\" }\n", 1)
    made = hut(tmp_path, text=text)
    house = await made.open()
    for id in ("c1", "old2", "c3"):
        await house.give(customer(id, tax="1"))
        await house.settled()
    assert states(house) == {"c1": RunState.SUCCEEDED, "old2": RunState.SUCCEEDED, "c3": RunState.PARKED}
    assert sorted((pair["id"], pair["other_id"]) for pair in open_pairs(house)) == [
        ("c3", "c1"),
        ("c3", "old2"),
        ("old2", "c1"),
    ]
    await house.stop()


async def test_of_many_at_once_one_passes(tmp_path: Path) -> None:
    made = hut(tmp_path)
    house = await made.open()
    await asyncio.gather(*(house.give(customer(f"c{number}", tax="DE1")) for number in range(8)))
    await house.settled()
    assert sorted(states(house).values()) == [RunState.PARKED] * 7 + [RunState.SUCCEEDED]
    assert len(made.vendor.documents) == 1
    await house.stop()


async def test_a_pair_that_is_asked_anew_has_no_word_yet(tmp_path: Path) -> None:
    """What was said of ids that have named other things since counts no more, and that it is asked anew is logged."""
    _, house = await two(tmp_path)
    (pair,) = open_pairs(house)
    await house.orders.things.decide(pair["pair"], same=True, actor=ADA, reason="looks so")
    await house.orders.things.untie("customer", system="billing", id="c2", actor=ADA, reason="it was not")
    await house.give({**customer("c2", tax="DE 1"), "value": "again"})
    await house.settled()
    await replay(house, "c2")
    (again,) = open_pairs(house)
    assert again["pair"] == pair["pair"]
    assert (again["decided_at"], again["decided_by"], again["reason"]) == (None, None, None)
    with house.database.reading() as connection:
        found = "select count(*) from audit where kind = 'duplicate.found'"
        assert connection.exec_driver_sql(found).scalar_one() == 2
    await house.stop()


async def test_a_split_takes_the_merge_back_and_is_remembered(tmp_path: Path) -> None:
    made, house = await two(tmp_path)
    (pair,) = open_pairs(house)
    await house.orders.things.decide(pair["pair"], same=True, actor=ADA, reason="looks so")
    with house.database.reading() as connection:
        rows = things.history(connection, "test")
    (merge,) = {row["change"] for row in rows if row["what"] == "merged"}
    await house.orders.things.split("customer", merge, actor=ADA, reason="it was not")
    assert (erp_id(house, "c1"), erp_id(house, "c2"), open_pairs(house)) == ("doc_1", None, [])
    with pytest.raises(Conflict):
        await house.orders.things.split("customer", merge, actor=ADA, reason="once more")
    with pytest.raises(NotFound):
        await house.orders.things.split("customer", "merge_0", actor=ADA, reason="no such")
    await replay(house, "c2")
    assert (states(house)["c2"], len(made.vendor.documents)) == (RunState.SUCCEEDED, 2)
    await house.stop()


async def test_an_exact_key_may_decide_by_itself_and_says_so_in_the_history(tmp_path: Path) -> None:
    sure = POLICY.replace("of: [alphanumeric(tax)]", "of: [alphanumeric(tax)]\n    then: same")
    made, house = await two(tmp_path, sure)
    assert states(house) == {"c1": RunState.SUCCEEDED, "c2": RunState.SUCCEEDED}
    assert (len(made.vendor.documents), open_pairs(house)) == (1, [])
    with house.database.reading() as connection:
        merged = [row for row in things.history(connection, "test") if row["what"] == "merged"]
    assert [(row["id"], row["reason"], row["path"]) for row in merged] == [
        ("c2", "duplicates version 1: tax number", "same")
    ]
    # By a key that is not sure, a person is asked all the same.
    await house.give(customer("c3", name="MULLER", city="Berlin"))
    await house.settled()
    assert [(pair["id"], pair["keys"]) for pair in open_pairs(house)] == [("c3", '["name"]')]
    await house.stop()


async def test_what_is_still_being_written_is_not_made_again_for_another(tmp_path: Path) -> None:
    """The second one would find nothing yet, and make the same once more."""
    made = hut(tmp_path)
    made.vendor.fault = lambda request, number: "400" if request.method == "POST" else None
    house = await made.open()
    for id in ("c1", "c2"):
        await house.give({**customer(id, tax="1"), "value": "bad" if id == "c1" else "v"})
        await house.settled()
    assert states(house) == {"c1": RunState.PARKED, "c2": RunState.PARKED}
    (pair,) = open_pairs(house)
    with pytest.raises(Conflict) as refused:
        await house.orders.things.decide(pair["pair"], same=True, actor=ADA, reason="one company")
    assert refused.value.code == "run-under-way"
    assert len(open_pairs(house)) == 1
    first = next(case for case in exceptions(house) if case.reason != "possible-duplicate")
    await house.orders.close_case(first.id, resolution="entered by hand", actor=ADA)
    await house.orders.things.decide(pair["pair"], same=True, actor=ADA, reason="one company")
    await house.stop()


@pytest.mark.parametrize("word", ["continue", "park", "compensate"])
async def test_nothing_goes_past_it(tmp_path: Path, word: str) -> None:
    made = hut(tmp_path, text=FLOW.replace("id: data.id }\n", f"id: data.id }}\n    on_failure: {word}\n", 1))
    house = await made.open()
    for id in ("c1", "c2"):
        await house.give(customer(id, tax="1"))
        await house.settled()
    assert len(made.vendor.documents) == 1
    assert states(house)["c2"] == (RunState.COMPENSATED if word == "compensate" else RunState.PARKED)
    await house.stop()


async def test_a_record_without_an_id_and_an_unsaid_reason_are_refused(tmp_path: Path) -> None:
    made = hut(tmp_path, text=FLOW.replace("system: billing, id: data.id }\n", "system: billing, id: data.no }\n", 1))
    house = await made.open()
    await house.give(customer("c1", tax="1"))
    await house.settled()
    assert [case.reason for case in exceptions(house)] == ["no-id"]
    with pytest.raises(FixData):
        await house.orders.things.split("customer", "merge_1", actor=ADA, reason=" ")
    await house.stop()


TREE = flow("""
  - id: link
    crossref: { entity: customer, ids: { crm: =data.id, erp: "=join('', ['e', data.id])" }, parent: { crm: =data.key } }
""")
ASKED = flow("""
  - id: found
    lookup: { crossref: customer, system: crm, id: data.value, want: erp, above: WHOSE }
    missing: { wait: P30D, case: nobody-above }
""")


@pytest.mark.parametrize(("whose", "expected"), [("parent", "ep"), ("top", "et")])
async def test_a_look_up_finds_what_is_above_and_waits_for_it(tmp_path: Path, whose: str, expected: str) -> None:
    made = Hut(tmp_path, ASKED.replace("WHOSE", whose))
    house = await made.open()
    await house.give({"id": "asking", "key": "k", "value": "c"})
    await house.settled(waiting=["event"])
    assert states(house) == {"asking": RunState.WAITING}
    orders = house.orders

    async def tie(id: str, *ids: str) -> None:
        await orders.link("customer", [{"crm": id, **dict(zip(("erp", "billing"), ids, strict=False))}], actor=ADA)
        await house.settled(waiting=["event"])

    def thing(id: str) -> str:
        with house.database.reading() as connection:
            found = things.named(connection, environment="test", entity="customer", system="crm", id=id)
        assert found is not None
        return found

    await orders.link("customer", [{"crm": "c", "billing": "bc"}], actor=ADA)
    await orders.link("customer", [{"crm": "p", "billing": "bp"}, {"crm": "t", "billing": "bt"}], actor=ADA)
    await house.settled(waiting=["event"])
    assert states(house) == {"asking": RunState.WAITING}
    await orders.things.move("customer", thing("c"), parent=thing("p"), actor=ADA, reason="so it is")
    await house.settled(waiting=["event"])
    await orders.things.move("customer", thing("p"), parent=thing("t"), actor=ADA, reason="so it is")
    await house.settled(waiting=["event"])
    assert states(house) == {"asking": RunState.WAITING}
    await tie("p", "ep")
    await tie("t", "et")
    assert states(house) == {"asking": RunState.SUCCEEDED}
    assert told(house)["found"] == {"id": expected}
    await house.stop()


async def test_what_comes_before_its_parent_stands_below_it_all_the_same(tmp_path: Path) -> None:
    made = Hut(tmp_path, TREE)
    house = await made.open()
    await house.give({"id": "c", "key": "p", "value": ""})
    await house.settled()
    await house.give({"id": "p", "key": "t", "value": ""})
    await house.settled()
    with house.database.reading() as connection:
        names = {row.thing: row.id for row in connection.exec_driver_sql("select * from crossrefs where system='crm'")}
        tree = {names[row.thing]: names[row.parent] for row in connection.exec_driver_sql("select * from parents")}
    assert tree == {"c": "p", "p": "t"}
    # Nothing stands above itself, and what a run cannot tie so, it does not tie at all.
    await house.give({"id": "t", "key": "c", "value": ""})
    await house.settled()
    assert [case.reason for case in exceptions(house)] == ["hierarchy-circle"]
    with house.database.reading() as connection:
        assert (
            crossrefs.find(connection, environment="test", entity="customer", system="crm", id="t", want="erp") is None
        )
    await house.stop()
