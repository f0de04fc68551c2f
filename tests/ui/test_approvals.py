"""The pages of approvals: who sees what, who may say what, and what becomes of it."""

from __future__ import annotations

import re
from decimal import Decimal

from hub.model.approval import Verdict
from hub.queries import approvals
from tests.ui import consent
from tests.ui.stage import ADMIN, OPERATOR, PASSWORD, VIEWER, Stage
from tests.ui.visitors import SignIn, csrf_of, order
from ui import records


def plain(html: str) -> str:
    """Give the words of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


async def test_what_waits_is_listed_with_its_money_its_end_and_who_has_agreed(set_up: Stage, sign_in: SignIn) -> None:
    asked = await consent.asked(set_up, PASSWORD)
    page = (await (await sign_in(consent.APPROVER)).get("/approvals")).text
    words = plain(page)
    for told in (
        "R-31177",
        "298,000.00 EUR",
        "0 of 2",
        "escalated",
        "ends in 4 h",
        "1 of 2",
        "large-invoices · very large",
    ):
        assert told in words, told
    assert "362,120.50 EUR 10,020,000 JPY 412,900.00 USD" in words
    # What ends first is at the top.
    order_of = [page.index(f'/approvals/{each}"') for each in (asked.late, asked.one, asked.two)]
    assert order_of == sorted(order_of)
    assert f"/approvals/{asked.own}#decide" not in page and "You began it" in words
    mine = plain((await (await sign_in(consent.CONTROLLER)).get("/approvals?show=mine")).text)
    assert "R-31177" in mine and "R-31207" not in mine


async def test_the_badge_counts_what_waits_for_the_person(set_up: Stage, sign_in: SignIn) -> None:
    await consent.asked(set_up, PASSWORD)
    for email, number, quiet in ((consent.APPROVER, 3, False), (consent.SECOND, 3, False), (OPERATOR, 4, True)):
        badge = (await (await sign_in(email)).get("/badge/approvals")).text
        assert f">{number}</span>" in badge and ("badge-quiet" in badge) is quiet


async def test_a_person_agrees_as_themselves_and_with_their_password(set_up: Stage, sign_in: SignIn) -> None:
    asked = await consent.asked(set_up, PASSWORD)
    visitor = await sign_in(consent.APPROVER)
    path = f"/approvals/{asked.two}"
    wrong = await order(visitor, path, f"{path}/agree", password="guess", reason="Looks <right>.")
    assert wrong.status_code == 403
    assert "The password is wrong; nothing was done." in plain(wrong.text)
    assert 'value="Looks &lt;right&gt;."' in wrong.text
    assert approvals.detail(set_up.console.view, asked.two, payloads=False).agreed == 1
    done = await order(visitor, path, f"{path}/agree", password=PASSWORD, reason="Looks <right>.")
    assert done.status_code == 303 and done.headers["location"] == f"{path}?said=approved"
    page = plain((await visitor.get(done.headers["location"])).text)
    assert "It is approved, and the run goes on." in page and "Ines Okafor (you) agreed Looks" in page
    assert "2 more wait for you." in page
    row = approvals.detail(set_up.console.view, asked.two, payloads=False)
    assert [(vote.actor, vote.verdict) for vote in row.votes][-1] == ("person:p_ine", Verdict.AGREED)
    again = await visitor.post(
        f"{path}/agree", data={"csrf": csrf_of((await visitor.get("/")).text), "password": PASSWORD}
    )
    assert again.status_code == 409


async def test_one_refusal_with_its_reason_is_enough(set_up: Stage, sign_in: SignIn) -> None:
    asked = await consent.asked(set_up, PASSWORD)
    visitor = await sign_in(consent.APPROVER)
    path = f"/approvals/{asked.two}"
    assert (await order(visitor, path, f"{path}/refuse", reason=" ")).status_code == 422
    done = await order(visitor, path, f"{path}/refuse", reason="Not our customer.")
    assert done.headers["location"] == f"{path}?said=refused"
    assert "It was refused. Not our customer." in plain((await visitor.get(path)).text)
    decided = plain((await visitor.get("/approvals?show=decided")).text)
    assert "Ines Okafor: Not our customer." in decided


async def test_the_page_says_why_somebody_may_not(set_up: Stage, sign_in: SignIn) -> None:
    asked = await consent.asked(set_up, PASSWORD)
    for email, approval, words in (
        (consent.APPROVER, asked.own, "You began this work"),
        (consent.SECOND, asked.two, "You have agreed. 1 more person must agree"),
        (consent.CONTROLLER, asked.one, "An approver decides this. Your role is controller. You may agree too"),
        (OPERATOR, asked.one, "whoever orders work approves none"),
        (VIEWER, asked.one, "your role approves nothing"),
    ):
        visitor = await sign_in(email)
        page = await visitor.get(f"/approvals/{approval}")
        assert words in plain(page.text), email
        assert "Your decision" not in page.text
        token = csrf_of(page.text)
        for what in ("agree", "refuse"):
            form = {"csrf": token, "password": PASSWORD, "reason": "x"}
            answer = await visitor.post(f"/approvals/{approval}/{what}", data=form)
            assert answer.status_code in {403, 409}, (email, what)
    view = set_up.console.view
    assert [approvals.detail(view, each, payloads=False).agreed for each in (asked.own, asked.two, asked.one)] == [
        0,
        1,
        0,
    ]


async def test_a_record_is_shown_only_to_who_may_see_it(set_up: Stage, sign_in: SignIn) -> None:
    asked = await consent.asked(set_up, PASSWORD)
    seen = (await (await sign_in(consent.APPROVER)).get(f"/approvals/{asked.one}")).text
    assert (
        "Łódź &amp; Söhne &lt;GmbH&gt;" in seen and "Customer address · City" in seen and "Usage above the plan" in seen
    )
    for path in (f"/approvals/{asked.one}", "/approvals", "/approvals?show=decided", "/"):
        hidden = (await (await sign_in(VIEWER)).get(path)).text
        assert "Söhne" not in hidden and "R-312" not in hidden, path


async def test_it_is_told_what_goes_out_and_what_a_refusal_does(set_up: Stage, sign_in: SignIn) -> None:
    asked = await consent.asked(set_up, PASSWORD)
    page = plain((await (await sign_in(consent.APPROVER)).get(f"/approvals/{asked.one}")).text)
    follows = page[page.index("If it is agreed to") : page.index("If it is refused")]
    for step in (
        "tax Call tax.commit",
        "post Call invoice.upsert on netsuite",
        "write_back Call invoice.annotate on stripe",
    ):
        assert step in follows
    assert "invoice.read" not in follows
    assert "becomes an exception" in page and "taken back" not in page


async def test_a_run_and_the_overview_lead_to_what_they_wait_for(set_up: Stage, sign_in: SignIn) -> None:
    asked = await consent.asked(set_up, PASSWORD)
    visitor = await sign_in(ADMIN)
    run = approvals.detail(set_up.console.view, asked.two, payloads=False).run_id
    page = (await visitor.get(f"/runs/{run}")).text
    assert "It waits for consent: 1 of 2 have agreed" in plain(page) and f'href="/approvals/{asked.two}"' in page
    over = (await visitor.get("/")).text
    assert "4 things wait for consent" in plain(over) and f'href="/approvals/{asked.late}"' in over


async def test_what_was_decided_last_is_at_the_top_and_pages_go_on_from_there(set_up: Stage) -> None:
    asked = await consent.asked(set_up, PASSWORD)
    await consent.vote(set_up, asked.two, "p_ine")
    view = set_up.console.view
    order_of = [asked.two, asked.void, asked.refused, asked.approved]
    assert [each.id for each in approvals.decided(view).approvals] == order_of
    first = approvals.decided(view, limit=3)
    assert first.next == asked.refused
    assert [each.id for each in approvals.decided(view, before=first.next).approvals] == [asked.approved]


def test_a_record_is_told_in_plain_facts_and_tables() -> None:
    money = {"minor": 1050, "currency": "EUR"}
    told = records.told(
        {
            "id": "x",
            "total": money,
            "ok": True,
            "none": None,
            "tags": ["a", "b"],
            "address": {"city": "Graz", "geo": {"lat": Decimal("47.07")}},
            "lines": [{"id": str(line), "amount": money, "note": "<b>"} for line in range(20)],
        }
    )
    facts = {fact.name: str(fact.value) for fact in told.facts}
    assert facts["address.city"] == "Graz" and facts["address.geo.lat"] == "47.07" and facts["tags"] == "a, b"
    assert facts["ok"] == "yes" and "none" not in facts and "10.50" in facts["total"]
    (lines,) = told.lists
    assert (lines.name, lines.columns, lines.more, len(lines.rows)) == ("lines", ("id", "amount", "note"), 8, 12)
    assert str(lines.rows[0][2]) == "&lt;b&gt;" and lines.numbers == {"amount"}


def test_a_long_or_odd_record_stays_readable() -> None:
    told = records.told({f"field_{number}": "x" * 500 for number in range(40)})
    assert (len(told.facts), told.more) == (records.MOST_FACTS, 16)
    assert len(told.facts[0].value) == records.LONGEST
    assert [str(fact.value) for fact in records.told([1, 2]).facts] == ["1, 2"]
    assert records.name_of({"number": "", "name": "Otto"}) == "Otto" and records.name_of(["x"]) is None
    many = records.told({"rows": [{f"c{column}": column for column in range(9)}]}).lists[0]
    assert len(many.columns) == records.MOST_COLUMNS
