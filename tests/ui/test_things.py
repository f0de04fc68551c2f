"""Pages of one thing and of two that may be one: what they show, and what people order there."""

from __future__ import annotations

import re

import pytest

from hub.model.thing import PairState
from hub.queries import things
from hub.store import shared_keys
from hub.store.committer import Transaction, Work
from hub.store.thing_tables import match_keys
from hub.store.things import By
from tests.ui import alike
from tests.ui.believable import ENVIRONMENT
from tests.ui.stage import OPERATOR, VIEWER, Stage
from tests.ui.visitors import SignIn, order
from ui.pages import things as pages


async def test_two_that_may_be_one_stand_side_by_side(set_up: Stage, sign_in: SignIn) -> None:
    pair = await alike.happen(set_up)
    visitor = await sign_in(OPERATOR)
    listed = (await visitor.get("/crossrefs/duplicates")).text
    assert pair in listed and "tax number" in listed
    assert "MUELLER SOEHNE" in listed and "Müller &amp; Söhne GmbH" in listed
    assert "Duplicates (1)" in (await visitor.get("/crossrefs")).text
    page = (await visitor.get(f"/crossrefs/duplicates/{pair}")).text
    assert "MUELLER SOEHNE" in page and "Müller &amp; Söhne GmbH" in page
    # Names, numbers, mail and postal codes differ, and the ids do; kind, country and register do not.
    assert page.count(">differs<") == 5
    address = f"/crossrefs/duplicates/{pair}"
    assert (await order(visitor, address, address, verdict="same", reason="")).status_code == 422
    assert (await order(visitor, address, address, verdict="perhaps", reason="x")).status_code == 422
    done = await order(visitor, address, address, verdict="same", reason="one company")
    assert done.headers["location"] == f"{address}?said=said-same"
    assert alike.thing(set_up, "cus_Qr12St") == alike.thing(set_up, "cus_Mn90Op")
    said = (await visitor.get(f"{address}?said=said-same")).text
    assert "one company" in said and "They are one thing now." in said
    shown = (await visitor.get(f"/crossrefs/things/customer/{alike.thing(set_up, 'cus_Mn90Op')}")).text
    assert "Several records in stripe stand for it." in shown


async def test_a_list_that_is_longer_than_the_page_says_so(
    set_up: Stage, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alike.happen(set_up)
    visitor = await sign_in(OPERATOR)
    assert "longest" not in (await visitor.get("/crossrefs/duplicates")).text
    monkeypatch.setattr(pages, "_MOST", 0)
    page = (await visitor.get("/crossrefs/duplicates")).text
    assert "Here are 0 of 1, those that wait longest." in page
    assert "Nobody waits for a word" not in page


async def test_a_key_that_too_many_have_is_told_of(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(VIEWER)
    assert "passed over" not in (await visitor.get("/crossrefs/duplicates")).text

    def work(transaction: Transaction) -> None:
        by = By(environment=ENVIRONMENT, entity="customer", actor="worker_1", run_id="run_1", path="same")
        for id in ("cus_Mn90Op", "cus_Qr12St"):
            record = ("stripe", id)
            shared_keys.tell(transaction, by, policy="duplicates", key="tax number", hash="0" * 64, record=record)
        of = {
            "environment": ENVIRONMENT,
            "entity": "customer",
            "hash": "0" * 64,
            "system": "stripe",
            "key": "tax number",
        }
        rows = [{**of, "id": f"cus_{number}"} for number in range(shared_keys.MOST_ALIKE + 1)]
        transaction.connection.execute(match_keys.insert(), rows)

    await set_up.committer.commit(Work(work))
    page = (await visitor.get("/crossrefs/duplicates")).text
    assert "Keys that are passed over" in page and page.count("tax number (duplicates)") == 1
    assert "stripe cus_Mn90Op" in page and "cus_Qr12St" not in page


async def test_who_may_see_no_payloads_sees_no_records_and_decides_nothing(set_up: Stage, sign_in: SignIn) -> None:
    pair = await alike.happen(set_up)
    visitor = await sign_in(VIEWER)
    page = (await visitor.get(f"/crossrefs/duplicates/{pair}")).text
    assert "Your role does not show records." in page
    assert "MUELLER" not in page and "They are the same" not in page
    assert "MUELLER" not in (await visitor.get("/crossrefs/duplicates")).text
    for id, system in (("cus_Mn90Op", "stripe"), ("001A", "salesforce")):
        page = (await visitor.get(f"/crossrefs/things/customer/{alike.thing(set_up, id, system)}")).text
        assert "Untie" not in page and "Müller" not in page


async def test_a_thing_shows_its_place_and_what_became_of_it(set_up: Stage, sign_in: SignIn) -> None:
    await alike.happen(set_up)
    visitor = await sign_in(OPERATOR)
    head = alike.thing(set_up, "001A", "salesforce")
    gone = next(row.other for row in things.show(set_up.console.view, "customer", head).history if row.other)  # type: ignore[union-attr]
    address = f"/crossrefs/things/customer/{head}"
    page = (await visitor.get(address)).text
    for words in ("one company, entered twice", "the group&#39;s own list", "salesforce", "001B", "Take it back"):
        assert words in page, words
    # It is called as its record that was compared says, also where it stands in the tree.
    assert re.search(r"netsuite 1050</a>\s*Müller &amp; Söhne GmbH</li>", page)
    own = (await visitor.get(f"/crossrefs/things/customer/{alike.thing(set_up, 'cus_Mn90Op')}")).text
    assert '<h1 class="wrap">Müller &amp; Söhne GmbH</h1>' in own
    # What came with the thing that it named is not said to have come from itself.
    words = " ".join(re.sub("<[^>]*>", "", page).split())
    assert "netsuite 2002 came with the thing that it named before in a merge" in words
    assert "netsuite 2002 came from netsuite 2002" not in words
    (merge,) = things.show(set_up.console.view, "customer", head).merges  # type: ignore[union-attr]
    assert merge.gone
    became = (await visitor.get(f"/crossrefs/things/customer/{merge.gone}")).text
    assert "It is another thing now." in became and head in became and gone is not None
    changed = {"system": "netsuite", "id": "2002"}
    await order(visitor, address, f"{address}/prefer", **changed, reason="the one with documents")
    ids = {(each.system, each.id): each.alias for each in things.show(set_up.console.view, "customer", head).ids}  # type: ignore[union-attr]
    assert (ids["netsuite", "2002"], ids["netsuite", "2001"]) == (False, True)
    await order(visitor, address, f"{address}/split", merge=merge.merge, reason="two after all")
    assert alike.thing(set_up, "001B", "salesforce") == merge.gone
    words = " ".join(re.sub("<[^>]*>", "", (await visitor.get(address)).text).split())
    assert "netsuite 2002 went to the thing that it names now in a split" in words
    assert "netsuite 2002 went to netsuite 2002" not in words
    below = f"/crossrefs/things/customer/{alike.thing(set_up, 'cus_Mn90Op')}"
    circle = await order(visitor, address, f"{address}/parent", system="stripe", id="cus_Mn90Op", reason="x")
    assert circle.status_code == 409
    await order(visitor, below, f"{below}/parent", reason="sold")
    assert "Nothing stands above or below it." in (await visitor.get(below)).text
    await order(visitor, below, f"{below}/untie", system="netsuite", id="1050", reason="gone there")
    assert things.thing_of(set_up.console.view, entity="customer", system="netsuite", id="1050") is None


@pytest.mark.parametrize("address", ["/crossrefs/things/customer/nothing", "/crossrefs/duplicates/pair_0"])
async def test_what_is_not_there_is_told(sign_in: SignIn, address: str) -> None:
    assert (await (await sign_in(OPERATOR)).get(address)).status_code == 404


async def test_pairs_are_listed_by_what_was_said(set_up: Stage, sign_in: SignIn) -> None:
    pair = await alike.happen(set_up)
    visitor = await sign_in(OPERATOR)
    address = f"/crossrefs/duplicates/{pair}"
    await order(visitor, address, address, verdict="different", reason="a branch")
    assert pair not in (await visitor.get("/crossrefs/duplicates")).text
    assert pair in (await visitor.get("/crossrefs/duplicates?show=different")).text
    assert pair not in (await visitor.get("/crossrefs/duplicates?show=same")).text
    assert things.waiting(set_up.console.view, state=PairState.DIFFERENT)[0].reason == "a branch"
