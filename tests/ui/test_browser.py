"""The console in a real browser: live rows, keys, replays, and what assistive technology meets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from hub.model.hold import HoldKind
from hub.operate.holds import Held
from hub.queries import cases, runs
from hub.queries.runs import RunFilter
from hub.runtime.changes import Changes
from tests.ui import alike, believable, consent, timed
from tests.ui.looped import looped_run
from tests.ui.stage import ADMIN, OPERATOR, PASSWORD, Stage, stage

ColorScheme = Literal["light", "dark"]

# One loop, because one browser serves all: to start it takes longer than most of what is tested in it.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(chromium: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield opened
        await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(started: Browser, address: str) -> AsyncIterator[Browser]:
    """Give a browser that knows nothing of the tests before."""
    yield started
    for context in started.contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def set_up(tmp_path: Path, written_into: None) -> AsyncIterator[Stage]:
    async with stage(tmp_path, count=32) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def address(set_up: Stage) -> AsyncIterator[str]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(set_up.app, lifespan="off", log_config=None, timeout_graceful_shutdown=1, ws="none")
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    changes = set_up.console.changes
    assert isinstance(changes, Changes)
    changes.close()
    await serving
    listening.close()


async def arrive(
    browser: Browser,
    address: str,
    email: str = OPERATOR,
    *,
    scheme: ColorScheme = "light",
    width: int = 1440,
    script: bool = True,
) -> Page:
    """Open a page and sign in; whatever the page complains of fails the test."""
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
    )
    page = await context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.set_default_timeout(20_000)
    await page.goto(f"{address}/login")
    await page.get_by_label("Mail address").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    return page


async def test_runs_are_filtered_and_opened(browser: Browser, address: str, set_up: Stage) -> None:
    page = await arrive(browser, address)
    await page.get_by_role("link", name="Runs", exact=True).click()
    await page.get_by_label("State").select_option("parked")
    await page.get_by_role("button", name="Filter").click()
    await expect(page).to_have_url(f"{address}/runs?text=&flow=&state=parked")
    parked = cases.open_count(set_up.console.view)
    await expect(page.locator("#run-rows tbody tr")).to_have_count(parked)
    await page.locator("#run-rows [data-open]").first.click()
    await expect(page.locator(".summary-state")).to_contain_text("parked")
    await expect(page.get_by_role("button", name="Replay from the start")).to_be_visible()


async def test_an_exception_is_replayed_with_its_sentence_before(browser: Browser, address: str, set_up: Stage) -> None:
    page = await arrive(browser, address)
    before = cases.open_count(set_up.console.view)
    await page.goto(f"{address}/exceptions")
    await page.get_by_role("link", name="Replay…").first.click()
    await expect(page.locator("#replay")).to_contain_text("Nothing that was written is written again.")
    await page.locator("[data-replay]").click()
    await expect(page.get_by_role("status").filter(has_text="This is the new run.")).to_be_visible()
    await expect(page.locator("#badge")).to_have_text(str(before - 1))


async def test_a_new_run_appears_by_itself_and_waits_while_somebody_reads(
    browser: Browser, address: str, set_up: Stage
) -> None:
    page = await arrive(browser, address)
    await page.goto(f"{address}/runs")
    await expect(page.locator("#live")).to_have_class("live")
    story = replace(believable.stories(set_up.ambient.now(), 8)[0], number=2000)

    first = await set_up.happen(story)
    await expect(page.locator(f'[data-key="{first}"]')).to_be_visible()

    await page.keyboard.press("j")
    await page.keyboard.press("j")
    held = await page.evaluate("document.activeElement.getAttribute('href')")
    second = await set_up.happen(replace(story, number=2001))
    pill = page.locator(".pill")
    await expect(pill).to_have_text("1 new")
    await expect(page.locator(f'[data-key="{second}"]')).to_have_count(0)
    assert await page.evaluate("document.activeElement.getAttribute('href')") == held
    await pill.click()
    await expect(page.locator(f'[data-key="{second}"]')).to_be_visible()
    await expect(pill).to_have_count(0)


async def test_a_row_changes_in_place(browser: Browser, address: str, set_up: Stage) -> None:
    waiting = next(run for run in runs.listing(set_up.console.view, RunFilter()).runs if run.state.value == "waiting")
    page = await arrive(browser, address)
    await page.goto(f"{address}/runs/{waiting.id}")
    folded = page.locator("#step-full > details")
    await folded.locator("summary").first.click()
    await set_up.console.run_orders.cancel(waiting.id, actor="local", reason="test")
    await expect(page.locator(".summary-state")).to_contain_text("cancelled")
    await expect(folded).to_have_attribute("open", "")


async def press(page: Page, key: str, effect: Locator) -> None:
    """Press a key, and again as a person would when the page was just being renewed and nothing came of it."""
    for _ in range(5):
        await page.keyboard.press(key)
        with contextlib.suppress(AssertionError):
            await expect(effect).to_be_visible(timeout=2000)
            return
    await expect(effect).to_be_visible()


async def test_the_keyboard_is_enough(browser: Browser, address: str, set_up: Stage) -> None:
    page = await arrive(browser, address)
    await page.keyboard.press("g")
    await page.keyboard.press("e")
    await expect(page).to_have_url(f"{address}/exceptions")
    # The keys are there once the page's modules have run, which is before it counts as loaded.
    await page.wait_for_load_state()
    await page.keyboard.press("j")
    await page.keyboard.press("a")
    await expect(page.locator(".owner").first).to_contain_text("You")
    await page.wait_for_load_state()
    await press(page, "j", page.locator("[data-open]:focus"))
    await press(page, "Enter", page.get_by_role("heading", name="What happened"))
    await page.wait_for_load_state()
    await page.keyboard.press("r")
    await expect(page.locator("[data-replay]")).to_be_focused()
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#keys")).to_be_hidden()

    case = cases.listing(set_up.console.view).cases[0]
    for opener in ("/", "Control+k"):
        await page.keyboard.press(opener)
        await expect(page.locator("#palette")).to_be_visible()
        await page.keyboard.type(case.business_key)
        await expect(page.locator("#hits [data-hit]")).to_have_count(2)
        if opener == "/":
            await page.keyboard.press("Escape")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{address}/runs/{case.run_id}")
    await page.wait_for_load_state()
    # It is dark at once, and kept a moment later.
    async with page.expect_response("**/theme"):
        await press(page, "t", page.locator("html[data-theme=dark]"))
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_everything_works_without_scripts(browser: Browser, address: str, set_up: Stage) -> None:
    page = await arrive(browser, address, script=False)
    case = cases.listing(set_up.console.view).cases[0]
    await page.get_by_role("link", name="Search or jump to").click()
    await page.get_by_label("Any id, business key or flow").fill(case.business_key)
    await page.get_by_role("main").get_by_role("button", name="Search").click()
    await page.locator(f'a[href="/exceptions/{case.id}"]').click()
    await page.get_by_role("button", name="Assign to me").click()
    await expect(page.get_by_role("status").filter(has_text="The exception is yours.")).to_be_visible()
    await page.get_by_role("button", name="Replay from the start").click()
    await expect(page.get_by_role("status").filter(has_text="This is the new run.")).to_be_visible()


async def test_a_table_that_folds_names_its_facts(browser: Browser, address: str, set_up: Stage) -> None:
    """On a telephone there are no columns to tell what each is."""
    page = await arrive(browser, address, ADMIN, scheme="light", width=390)
    await timed.pass_days(set_up)
    await timed.lose_events(set_up)
    run = runs.listing(set_up.console.view, RunFilter()).runs[0]
    for active in (False, True):
        act = set_up.console.hold_orders.resume if active else set_up.console.hold_orders.hold
        await act(Held(kind=HoldKind.FLOW, name=run.flow), reason="for the test", actor="x")
    for path, least in (("/schedules", 4), (f"/schedules/{timed.FLOW}", 2), ("/streams", 3), ("/holds", 4)):
        await page.goto(address + path)
        facts = page.locator(".rows tbody tr:first-child td:not(:first-child)")
        names = await facts.evaluate_all("all => all.map(each => getComputedStyle(each, '::before').content)")
        assert len(names) >= least and "none" not in names, (path, names)


#: What may hold in one colour scheme and width and not in another; the rest of a page is the same in all.
_AS_SHOWN = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")


async def test_nothing_is_in_the_way_of_assistive_technology(browser: Browser, address: str, set_up: Stage) -> None:
    page = await arrive(browser, address, ADMIN, width=390)
    case = cases.listing(set_up.console.view).cases[0]
    settled = next(run for run in runs.listing(set_up.console.view, RunFilter()).runs if run.seconds is not None)
    kept = await set_up.keep()
    looped = await looped_run(set_up, items=60)
    await timed.pass_days(set_up)
    await timed.lose_events(set_up)
    asked = await consent.asked(set_up, PASSWORD)
    pair = await alike.happen(set_up)
    found = []
    for path in (
        "/",
        "/flows",
        "/flows/invoice-to-erp",
        "/flows/invoice-to-erp/lineage",
        "/runs",
        f"/runs/{settled.id}",
        f"/runs/{case.run_id}",
        f"/runs/{looped}",
        f"/runs/{looped}/items?of=lines&page=2",
        f"/runs/{looped}/items?of=lines&state=failed",
        f"/runs/{looped}/items?of=undo:",
        "/flows/invoices-agree",
        "/exceptions",
        f"/exceptions/{case.id}",
        f"/exceptions/alike/{case.fingerprint}",
        "/approvals",
        "/approvals?show=decided",
        *(f"/approvals/{each}" for each in (asked.late, asked.approved, asked.refused, asked.void)),
        "/connections",
        "/connections/stripe",
        "/connectors",
        "/connectors/netsuite",
        "/connect",
        "/connect/netsuite?name=netsuite",
        "/schedules",
        f"/schedules/{timed.FLOW}",
        "/streams",
        "/events?state=rejected",
        f"/events/{settled.event_id}",
        *(f"/events/{event}" for event in kept),
        "/schemas",
        "/crossrefs",
        "/crossrefs/duplicates",
        f"/crossrefs/duplicates/{pair}",
        f"/crossrefs/things/customer/{alike.thing(set_up, '001A', 'salesforce')}",
        "/audit",
        "/search?q=in_1",
        "/nowhere",
    ):
        await page.goto(address + path)
        if path == f"/runs/{settled.id}":
            await page.locator("[id='step-booked.post'] summary").first.click()
        found += await _in_the_way(page, path, 390, {})
        await page.emulate_media(color_scheme="dark")
        await page.set_viewport_size({"width": 1440, "height": 900})
        found += await _in_the_way(page, path, 1440, {"runOnly": _AS_SHOWN})
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size({"width": 390, "height": 900})
    assert found == []


async def _in_the_way(page: Page, path: str, width: int, options: dict[str, Any]) -> list[str]:
    assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
    found = (await Axe().run(page, options={"resultTypes": ["violations"]} | options)).response["violations"]
    return [f"{path}: {width}: {each['id']}: {each['nodes'][0]['html'][:160]}" for each in found]


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1440)])
async def test_an_approver_decides_by_keyboard(
    browser: Browser, address: str, set_up: Stage, scheme: ColorScheme, width: int
) -> None:
    asked = await consent.asked(set_up, PASSWORD)
    page = await arrive(browser, address, consent.APPROVER, scheme=scheme, width=width)
    await page.keyboard.press("g")
    await page.keyboard.press("a")
    await expect(page).to_have_url(f"{address}/approvals")
    await page.wait_for_load_state()
    await expect(page.locator("#asked")).to_have_text("3")
    await press(page, "j", page.locator("[data-open]:focus"))
    await press(page, "Enter", page.get_by_role("heading", name="Your decision"))
    await page.wait_for_load_state()
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert (await Axe().run(page)).response["violations"] == []
    await page.keyboard.press("d")
    await expect(page.get_by_label("Your password, once more")).to_be_focused()
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator(".votes")).to_contain_text("Ines Okafor (you) agreed")
    await expect(page.locator("#asked")).to_have_text("2")
    # What another says meanwhile shows without a reload, and what was typed stays.
    await page.goto(f"{address}/approvals/{asked.two}")
    await page.get_by_label("Why not").fill("Wrong customer.")
    await consent.disable(set_up, "p_tom")
    await expect(page.locator(".votes")).to_contain_text("no longer counts")
    await page.get_by_role("button", name="Refuse").click()
    await expect(page.get_by_role("status").filter(has_text="It is refused.")).to_be_visible()
    await expect(page.locator(".votes")).to_contain_text("Wrong customer.")


async def test_the_gate_is_accessible(browser: Browser, address: str) -> None:
    page = await browser.new_page(color_scheme="dark")
    await page.goto(f"{address}/login")
    assert (await Axe().run(page)).violations_count == 0
