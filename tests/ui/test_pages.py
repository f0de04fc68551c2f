"""The pages as a visitor without scripts meets them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import insert

from hub.model.ambient import to_micros
from hub.model.effect import EffectState
from hub.model.run import RunState
from hub.queries import approvals, cases, connections, crossrefs, effects, events, runs, timeline
from hub.queries.runs import RunFilter
from hub.store import control_tables, marks
from tests.ui import believable, consent
from tests.ui.looped import looped_run
from tests.ui.stage import ADMIN, OPERATOR, PASSWORD, VIEWER, Stage
from tests.ui.visitors import SignIn, order


@pytest.mark.usefixtures("written_into")
async def test_every_page_can_be_seen(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(ADMIN)
    view = set_up.console.view
    case = cases.listing(view).cases[0]
    asked = await consent.asked(set_up, PASSWORD)
    pages = [
        "/",
        "/flows",
        *(f"/flows/{name}" for name in set_up.bundle.flows),
        *(f"/flows/{name}/lineage" for name in set_up.bundle.flows),
        "/flows/invoice-to-erp/lineage?of=canonical.invoice.total",
        "/runs",
        *(f"/runs/{run.id}" for run in runs.listing(view, RunFilter()).runs),
        "/exceptions",
        "/exceptions?show=mine",
        "/exceptions?show=closed",
        *(f"/exceptions/{each.id}" for each in cases.listing(view).cases),
        f"/exceptions/alike/{case.fingerprint}",
        "/exceptions/alike/gone",
        "/connections",
        *(f"/connections/{name}" for name in set_up.console.accounts),
        "/connect",
        *(
            f"/connect/{name}"
            for name in ("stripe", "salesforce", "netsuite", "s4hana", "avatax", "taxtable", "helloworld")
        ),
        "/connect/netsuite?name=netsuite",
        "/connectors",
        *(
            f"/connectors/{name}"
            for name in ("stripe", "salesforce", "netsuite", "s4hana", "avatax", "taxtable", "helloworld")
        ),
        "/approvals",
        "/approvals?show=mine",
        "/approvals?show=decided",
        f"/approvals?show=decided&before={asked.refused}",
        *(f"/approvals/{each.id}" for each in approvals.listing(view, state=None).approvals),
        "/holds",
        "/schedules",
        "/schedules/invoices-agree",
        "/streams",
        "/effects",
        f"/effects/{effects.listing(view, states=tuple(EffectState), limit=1).effects[0].key}",
        f"/runs/{case.run_id}/edit",
        f"/runs/{case.run_id}/repeat",
        f"/runs/{case.run_id}/repeat?from=full",
        "/events",
        "/events?state=rejected",
        "/schemas",
        f"/events/{events.listing(view, payloads=True).events[0].id}",
        "/crossrefs",
        "/crossrefs?id=1042",
        "/crossrefs?id=nothing",
        "/revisions",
        "/revisions?before=3",
        "/revisions/1",
        "/revisions/2",
        "/revisions/3",
        "/audit",
        "/audit?before=3",
        "/search",
        "/search?q=in_1",
    ]
    for page in pages:
        answer = await visitor.get(page)
        assert answer.status_code == 200, page
        assert answer.text.count("<h1") == 1 and "</html>" in answer.text
        part = await visitor.get(page, headers={"HX-Request": "true"})
        assert part.status_code == 200


async def test_what_a_vendor_sends_is_only_ever_text(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(ADMIN)
    event = events.listing(set_up.console.view, payloads=True).events[0]

    page = (await visitor.get(f"/events/{event.id}")).text
    assert "Söhne &lt;GmbH&gt;" in page and "<GmbH>" not in page
    run = runs.listing(set_up.console.view, RunFilter(state=RunState.SUCCEEDED), limit=1).runs[0]
    page = (await visitor.get(f"/runs/{run.id}")).text
    assert "&lt;/script&gt;&lt;b&gt;&amp;" in page and "<b>" not in page
    assert "user:hidden" not in page
    for path in ("/search?q=<img src=x>", "/runs?text=%22%3E<img src=x>", "/nothing/<img src=x>"):
        assert "<img" not in (await visitor.get(path)).text


async def test_errors_say_what_to_do(sign_in: SignIn) -> None:
    visitor = await sign_in(ADMIN)
    missing = await visitor.get("/runs/run_nothing")
    assert missing.status_code == 404 and "There is no such run." in missing.text and "run_nothing" in missing.text
    wrong = await visitor.get("/runs?state=sideways")
    assert wrong.status_code == 422 and "parked" in wrong.text
    assert (await visitor.get("/nowhere")).status_code == 404
    assert (await visitor.get("/api/nowhere")).headers["content-type"] == "application/json"


async def test_runs_are_filtered_and_paged_by_links(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(ADMIN)
    parked = runs.listing(set_up.console.view, RunFilter(state=RunState.PARKED)).runs
    page = (await visitor.get("/runs?state=parked")).text
    assert set(re.findall(r'href="/runs/(run_\w+)"', page)) == {run.id for run in parked}
    one = parked[0]
    page = (await visitor.get(f"/runs?text={one.business_key}")).text
    assert re.findall(r'data-key="(run_\w+)"', page) == [one.id]
    for number in range(30):
        await set_up.happen(_more(set_up, number))
    first = (await visitor.get("/runs")).text
    older = re.search(r'href="(/runs\?before=[^"]+)" rel="next"', first)
    assert older is not None
    second = (await visitor.get(older[1])).text
    assert not set(re.findall(r'data-key="(run_\w+)"', first)) & set(re.findall(r'data-key="(run_\w+)"', second))
    assert "sse:changed" not in second.partition('id="run-rows"')[2][:200]


def _more(set_up: Stage, number: int) -> believable.Story:
    return replace(believable.stories(set_up.ambient.now(), 40)[number], number=1000 + number)


@pytest.mark.parametrize("start", ["customer", ""])
async def test_an_exception_is_replayed(set_up: Stage, sign_in: SignIn, start: str) -> None:
    visitor = await sign_in(OPERATOR)
    case = next(case for case in cases.listing(set_up.console.view).cases if case.path == "customer")
    page = (await visitor.get(f"/exceptions/{case.id}")).text
    assert "Keeps the recorded results of 3 steps and goes on with customer." in page

    answer = await order(visitor, f"/exceptions/{case.id}", f"/exceptions/{case.id}/replay", **{"from": start})

    run_id = answer.headers["location"].removeprefix("/runs/").partition("?")[0]
    found = timeline.detail(set_up.console.view, run_id, payloads=True)
    assert found.run.replay_of == case.run_id
    assert [step.path for step in found.steps] == (["full", "invoice", "route"] if start else [])
    assert case.id not in {each.id for each in cases.listing(set_up.console.view).cases}
    assert "This is the new run." in (await visitor.get(answer.headers["location"])).text
    again = await order(visitor, "/runs", f"/exceptions/{case.id}/replay", **{"from": start})
    assert again.status_code == 409 and "replayed already" in again.text


async def test_a_group_is_replayed_together(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(OPERATOR)
    group = cases.groups(set_up.console.view)[0]
    path = f"/exceptions/alike/{group.fingerprint}"
    assert f"Replay {group.count} runs" in (await visitor.get(path)).text

    answer = await order(visitor, path, f"{path}/replay")

    assert f"{group.count} of {group.count} runs are replayed." in answer.text
    assert group.fingerprint not in {each.fingerprint for each in cases.groups(set_up.console.view)}


async def test_an_exception_is_taken_given_back_and_closed(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(OPERATOR)
    case = cases.listing(set_up.console.view).cases[0]
    path = f"/exceptions/{case.id}"
    await order(visitor, path, f"{path}/assign")
    assert case.business_key in (await visitor.get("/exceptions?show=mine")).text
    await order(visitor, path, f"{path}/assign", release="yes")
    assert case.business_key not in (await visitor.get("/exceptions?show=mine")).text
    blank = await order(visitor, path, f"{path}/close", resolution="  ")
    assert blank.status_code == 422 and "Say how" in blank.text
    await order(visitor, path, f"{path}/close", resolution="booked by hand as 8841")
    assert "booked by hand as 8841" in (await visitor.get("/exceptions?show=closed")).text
    assert "/replay" not in (await visitor.get(path)).text


async def test_a_run_is_cancelled_with_a_reason(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(OPERATOR)
    waiting = runs.listing(set_up.console.view, RunFilter(state=RunState.WAITING)).runs[0]
    path = f"/runs/{waiting.id}"
    assert (await order(visitor, path, f"{path}/cancel", reason="")).status_code == 422
    assert (await order(visitor, path, f"{path}/cancel", reason="test data")).status_code == 303
    assert timeline.detail(set_up.console.view, waiting.id, payloads=False).run.state is RunState.CANCELLED


async def test_a_connection_is_paused_and_resumed(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(OPERATOR)

    def paused() -> str | None:
        listed = connections.listing(set_up.console.view, set_up.console.accounts)
        return next(each.paused for each in listed if each.name == "netsuite")

    assert (await order(visitor, "/connections", "/connections/netsuite/pause", reason="")).status_code == 422
    await order(visitor, "/connections", "/connections/netsuite/pause", reason="close of the period")
    assert paused() == "close of the period"
    assert "close of the period" in (await visitor.get("/")).text
    await order(visitor, "/connections", "/connections/netsuite/resume")
    assert paused() is None


async def test_ids_are_tied_together(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(OPERATOR)
    form = {"entity": "customer", "system": "stripe", "id": "cus_Qx81Lw", "other_system": "netsuite"}
    assert (await order(visitor, "/crossrefs", "/crossrefs", **form)).status_code == 422
    done = await order(visitor, "/crossrefs", "/crossrefs", **form, other_id="2001")
    assert done.headers["location"] == "/crossrefs?said=linked&id=cus_Qx81Lw"
    assert dict(crossrefs.find(set_up.console.view, id="2001")[0].ids) == {"stripe": "cus_Qx81Lw", "netsuite": "2001"}


async def test_the_theme_is_kept(sign_in: SignIn) -> None:
    visitor = await sign_in(ADMIN)
    assert 'data-theme="auto"' in (await visitor.get("/")).text
    answer = await order(visitor, "/", "/theme", theme="dark", back="/runs")
    assert answer.headers["location"] == "/runs"
    assert 'data-theme="dark"' in (await visitor.get("/")).text
    assert (await order(visitor, "/", "/theme", theme="x", back="//evil.example")).headers["location"] == "/"


async def test_a_run_with_thousands_of_items_has_a_page_of_few_and_pages_with_all(
    sign_in: SignIn, set_up: Stage
) -> None:
    run = await looped_run(set_up)
    visitor = await sign_in(VIEWER)
    page = (await visitor.get(f"/runs/{run}")).text
    assert len(page) < 200_000
    assert "5,000 items" in page and page.count("il_") < 60
    assert f"/runs/{run}/items?of=lines&amp;state=failed" in page
    listed = (await visitor.get(f"/runs/{run}/items", params={"of": "lines", "page": "200"})).text
    assert "page 200 of 200" in listed and 'rel="prev"' in listed and 'rel="next"' not in listed
    failed = (await visitor.get(f"/runs/{run}/items", params={"of": "lines", "state": "failed"})).text
    assert failed.count('class="plan-icon icon-item"') == 3
    assert (await visitor.get(f"/runs/{run}/items", params={"of": "nothing"})).status_code == 404
    assert (await visitor.get(f"/runs/{run}/items", params={"of": "lines", "state": "odd"})).status_code == 422
    assert (await visitor.get(f"/runs/{run}/items", params={"of": "lines", "page": "201"})).status_code == 200


async def test_every_page_tells_of_a_restore_while_runs_of_before_go_on(set_up: Stage, sign_in: SignIn) -> None:
    """Who looks at any page must know that the data was brought back."""
    visitor = await sign_in(VIEWER)
    assert "Restored" not in (await visitor.get("/runs")).text
    database = set_up.database
    at = "2026-01-31T06:00:00+00:00"
    value = f'{{"backup_at":"{at}","unknown_from":"{at}","file":"hub.tar","sha256":"00"}}'
    with database.writer.begin() as connection:
        mark = {"name": marks.RESTORED, "value": value, "at": to_micros(set_up.console.view.now())}
        connection.execute(insert(control_tables.marks), mark)
    for page in ("/", "/runs", "/connections"):
        text = (await visitor.get(page)).text
        assert "with the data of" in text
        assert re.search(r"\d+ runs? of before still go", text)
