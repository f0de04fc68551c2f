"""Things over the API: what names them, what became of them, and what people say of two."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from hub.access.permissions import GRANTS, Permission, Principal, Role
from hub.api import security, things
from tests.api.test_orders import TOKEN, app_of
from tests.engine.house import House
from tests.engine.test_matches import ADA, customer, hut, open_pairs, replay, states, two

WHY = {"reason": "one company"}


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    _, made = await two(tmp_path)
    yield made
    await made.stop()


@pytest.fixture
def as_role(monkeypatch: pytest.MonkeyPatch) -> Callable[[Role], None]:
    def become(role: Role) -> None:
        monkeypatch.setattr(security, "LOCAL", Principal(actor=f"person:p_{role.value}", role=role, name=role.value))

    return become


def client_of(house: House) -> httpx2.AsyncClient:
    app = app_of(house)
    app.include_router(things.router)
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://hub.test", headers={"authorization": f"Bearer {TOKEN}"}
    )


ORDERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/api/things/customer/merge", {"into": "thing_a", "gone": "thing_b", **WHY}),
    ("/api/things/customer/split", {"merge": "merge_0", **WHY}),
    ("/api/things/customer/prefer", {"system": "erp", "id": "none", **WHY}),
    ("/api/things/customer/thing_a/parent", {"parent": None, **WHY}),
    ("/api/duplicates/pair_0", {"verdict": "same", **WHY}),
)


@pytest.mark.parametrize("role", Role)
async def test_each_role_may_do_exactly_what_is_meant(
    house: House, as_role: Callable[[Role], None], role: Role
) -> None:
    as_role(role)
    (pair,) = open_pairs(house)
    async with client_of(house) as client:
        for path, body in ORDERS:
            answer = await client.post(path, json=body)
            assert answer.status_code == (404 if Permission.WRITE_CROSSREF in GRANTS[role] else 403), (
                path,
                answer.text,
            )
        shown = (await client.get(f"/api/duplicates/{pair['pair']}")).json()
        assert (shown["fields"] is not None) is (Permission.VIEW_PAYLOADS in GRANTS[role])
        assert (await client.get("/api/things", params={"id": "c1"})).status_code == 200
    assert len(open_pairs(house)) == 1


async def test_a_part_of_the_pairs_says_how_many_there_are(house: House) -> None:
    await house.give(customer("c3", tax="DE 1"))
    await house.settled()
    async with client_of(house) as client:
        listed = (await client.get("/api/duplicates", params={"limit": 1})).json()
        assert (len(listed["pairs"]), listed["total"]) == (1, 3)
        assert (await client.get("/api/duplicates", params={"limit": 1, "entity": "item"})).json()["total"] == 0


async def test_two_records_stand_side_by_side_and_become_one(house: House) -> None:
    async with client_of(house) as client:
        listed = (await client.get("/api/duplicates")).json()
        assert (listed["total"], listed["shared_keys"]) == (1, [])
        (pair,) = listed["pairs"]
        assert (pair["one"]["id"], pair["other"]["id"], pair["keys"]) == ("c2", "c1", ["tax number"])
        assert {field["path"]: (field["one"], field["other"]) for field in pair["fields"]} == {
            "tax": ("de-1", "DE 1"),
            "name": ("Mueller", "Müller GmbH"),
            "city": (None, "Berlin"),
        }
        unsaid = await client.post(f"/api/duplicates/{pair['pair']}", json={"verdict": "same", "reason": ""})
        assert unsaid.status_code == 422
        wrong = {"verdict": "same", "primary": {"erp": "nobody's"}, **WHY}
        refused = await client.post(f"/api/duplicates/{pair['pair']}", json=wrong)
        assert (refused.status_code, refused.json()["code"]) == (422, "not-its-id")
        assert len(open_pairs(house)) == 1
        done = await client.post(
            f"/api/duplicates/{pair['pair']}", json={"verdict": "same", "primary": {"billing": "c2"}, **WHY}
        )
        thing = done.json()["thing"]
        assert thing == pair["other"]["thing"]
        shown = (await client.get(f"/api/things/customer/{thing}")).json()
        assert [(each["system"], each["id"], each["alias"]) for each in shown["ids"]] == [
            ("billing", "c2", False),
            ("billing", "c1", True),
            ("erp", "doc_1", False),
        ]
        assert (shown["doubles"], shown["pairs"]) == (["billing"], [])
        (merge,) = shown["merges"]
        assert (merge["gone"], merge["actor"], merge["reason"]) == (pair["one"]["thing"], "local", "one company")
        gone = (await client.get(f"/api/things/customer/{merge['gone']}")).json()
        assert (gone["ids"], gone["became"]) == ([], thing)
        await client.post("/api/things/customer/prefer", json={"system": "billing", "id": "c1", **WHY})
        await client.post("/api/things/customer/split", json={"merge": merge["merge"], **WHY})
        apart = (await client.get("/api/things", params={"id": "c2"})).json()["things"]
        now = [each for each in apart if each["ids"]]
        assert {each["thing"]: [id["id"] for id in each["ids"]] for each in now} == {
            thing: ["c1", "doc_1"],
            merge["gone"]: ["c2"],
        }
        (said,) = (await client.get("/api/duplicates", params={"state": "different"})).json()["pairs"]
        assert said["pair"] == pair["pair"]
    await replay(house, "c2")
    assert states(house) == {"c1": "succeeded", "c2": "succeeded"}


async def test_what_was_true_at_a_moment_can_be_asked(tmp_path: Path) -> None:
    made = hut(tmp_path)
    house = await made.open()
    moments = []
    for ids in ({"crm": "a", "erp": "1"}, {"crm": "a", "erp": "2"}):
        await house.orders.link("customer", [ids], actor=ADA, replace=True)
        moments.append(made.clock.now())
        made.clock.leap(timedelta(days=1))
    await house.orders.things.untie("customer", system="erp", id="2", actor=ADA, reason="gone there")
    async with client_of(house) as client:
        told = []
        for moment in (*moments, None):
            params = {"id": "a"} | ({} if moment is None else {"at": moment.isoformat()})
            (thing,) = (await client.get("/api/things", params=params)).json()["things"]
            told.append([(id["system"], id["id"]) for id in thing["ids"]])
        assert told == [[("crm", "a"), ("erp", "1")], [("crm", "a"), ("erp", "2")], [("crm", "a")]]
        before = (moments[0] - timedelta(days=1)).isoformat()
        assert (await client.get("/api/things", params={"id": "a", "at": before})).json()["things"] == []
        # What an id named once is found by it for ever.
        (thing,) = (await client.get("/api/things", params={"id": "1"})).json()["things"]
        assert [(row["what"], row["system"], row["id"], row["reason"]) for row in thing["history"]] == [
            ("untied", "erp", "2", "gone there"),
            ("tied", "erp", "2", None),
            ("untied", "erp", "1", None),
            *(("tied", system, id, None) for system, id in (("erp", "1"), ("crm", "a"))),
        ]
    await house.stop()


async def test_a_tree_is_shown_and_no_thing_stands_above_itself(tmp_path: Path) -> None:
    made = hut(tmp_path)
    house = await made.open()
    names = "abcd"
    await house.orders.link("customer", [{"crm": name, "erp": f"e{name}"} for name in names], actor=ADA)
    async with client_of(house) as client:
        things_of = {
            name: (await client.get("/api/things", params={"id": name})).json()["things"][0]["thing"] for name in names
        }
        for child, parent in zip(names[1:], names, strict=False):
            path = f"/api/things/customer/{things_of[child]}/parent"
            done = await client.post(path, json={"system": "crm", "id": parent, **WHY})
            assert done.json() == {"thing": things_of[child], "parent": things_of[parent]}
        shown = (await client.get(f"/api/things/customer/{things_of['c']}")).json()
        assert [(each["ids"][0]["id"], each["level"]) for each in shown["tree"]] == [
            *(("a", -2), ("b", -1), ("c", 0), ("d", 1)),
        ]
        path = f"/api/things/customer/{things_of['a']}/parent"
        circle = await client.post(path, json={"parent": things_of["d"], **WHY})
        assert (circle.status_code, circle.json()["code"]) == (409, "hierarchy-circle")
        within = {"into": things_of["a"], "gone": things_of["c"], **WHY}
        refused = await client.post("/api/things/customer/merge", json=within)
        assert (refused.status_code, refused.json()["code"]) == (409, "merge-within-tree")
        half = await client.post(path, json={"system": "crm", **WHY})
        assert (half.status_code, half.json()["code"]) == (422, "half-an-id")
    await house.stop()


async def test_an_exception_names_the_pair(house: House) -> None:
    (pair,) = open_pairs(house)
    with house.database.reading() as connection:
        facts = connection.exec_driver_sql("select facts, detail from cases").one()
    assert pair["pair"] in facts.facts
    assert "billing customer c2 may be the same as billing c1 (agree in: tax number)" in facts.detail
    await house.give(customer("c4", tax="another"))
    await house.settled()
    assert states(house)["c4"] == "succeeded"
