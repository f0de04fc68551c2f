"""The pages of schedules and streams: what they show, who may order what, and that alarms are seen."""

from __future__ import annotations

from datetime import timedelta

from hub.queries import alarms, schedules, streams
from tests.ui import timed
from tests.ui.stage import ADMIN, OPERATOR, VIEWER, Stage
from tests.ui.visitors import SignIn, order

PAGE = f"/schedules/{timed.FLOW}"


async def test_a_schedule_shows_its_next_start_its_firings_and_its_state(set_up: Stage, sign_in: SignIn) -> None:
    """In the time of its zone and in UTC, with the run of each firing and why one was skipped."""
    await timed.pass_days(set_up)
    visitor = await sign_in(VIEWER)
    listed = (await visitor.get("/schedules")).text
    assert timed.FLOW in listed and "10 * * * *" in listed and ":10 UTC" in listed
    page = (await visitor.get(PAGE)).text
    for words in ("skipped", "missed", "ordered", "was open", "all are made up for"):
        assert words in page, words
    # The viewer looks and orders nothing.
    assert "Start now" not in page and "Hold it" not in page
    refused = await order(visitor, "/", f"{PAGE}/run")
    assert refused.status_code == 403
    assert (await visitor.get("/schedules/none")).status_code == 404


async def test_a_schedule_is_started_held_and_resumed(set_up: Stage, sign_in: SignIn) -> None:
    """Each order needs its right, a hold needs a reason, and the page says what came of it."""
    operator = await sign_in(OPERATOR)
    started = await order(operator, PAGE, f"{PAGE}/run")
    assert started.headers["location"] == f"{PAGE}?said=started"
    console = set_up.console
    shown = schedules.detail(console.view, console.bundle(), (), timed.FLOW)
    assert [firing.state for firing in shown.firings] == ["ordered"]
    without = await order(operator, PAGE, f"{PAGE}/hold", reason=" ")
    assert without.status_code == 422
    held = await order(operator, PAGE, f"{PAGE}/hold", reason="The <books> move")
    assert held.headers["location"] == f"{PAGE}?said=schedule-held"
    page = (await operator.get(PAGE)).text
    assert "The &lt;books&gt; move" in page and "by Olu Adeyemi" in page and "none while it is held" in page
    assert "held" in (await operator.get("/schedules")).text
    again = await order(operator, PAGE, f"{PAGE}/hold", reason="Again")
    assert again.status_code == 409
    resumed = await order(operator, PAGE, f"{PAGE}/resume", reason="They have moved")
    assert resumed.headers["location"] == f"{PAGE}?said=schedule-resumed"
    assert "none while it is held" not in (await operator.get(PAGE)).text


async def test_a_stream_shows_what_fails_and_what_is_missing_until_it_is_settled(
    set_up: Stage, sign_in: SignIn
) -> None:
    """What a vendor says is only ever text; the first page has the alarm as well."""
    await timed.pass_days(set_up)
    await timed.lose_events(set_up)
    visitor, viewer = await sign_in(ADMIN), await sign_in(VIEWER)
    page = (await visitor.get("/streams")).text
    assert "4 readings failed" in page and "The API key &lt;is&gt; not known" in page and "Too old" in page
    assert "<longer>" not in page
    kinds = {alarm.kind.value for alarm in alarms.listing(set_up.console.view, set_up.console.watched)}
    assert kinds >= {"stream-gap", "stream-silent"}
    overview = (await visitor.get("/")).text
    assert "Stream gap: stripe/events" in overview and "Stream silent: stripe/events" in overview
    assert "Settle what may be missing" not in (await viewer.get("/streams")).text
    settled = await order(visitor, "/streams", "/streams/stripe/events/settle-gap", reason="Compared: two test events")
    assert settled.headers["location"] == "/streams?said=gap-settled"
    assert "Too old" not in (await visitor.get("/streams")).text
    nothing = await order(visitor, "/streams", "/streams/stripe/events/settle-gap", reason="Again")
    assert nothing.status_code == 409


async def test_a_span_is_ordered_and_cancelled(set_up: Stage, sign_in: SignIn) -> None:
    """By the browser's own field for a time, which is UTC; what cannot be read is told."""
    operator = await sign_in(OPERATOR)
    now = set_up.ambient.now()
    begin = (now - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    place = "/streams/stripe/events/backfill"
    made = await order(operator, "/streams", place, since=begin, until="", reason="The endpoint was wrong")
    assert made.headers["location"] == "/streams?said=backfill-ordered"
    (backfill,) = streams.backfills(set_up.console.view)
    assert backfill.since.strftime("%Y-%m-%dT%H:%M") == begin and backfill.by_name == "Olu Adeyemi"
    second = await order(operator, "/streams", place, since=begin, until="", reason="Once more")
    assert second.status_code == 409
    page = (await operator.get("/streams")).text
    assert "under way" in page and "Cancel it" in page
    wrong = await order(operator, "/streams", place, since="yesterday", until="", reason="Why")
    assert wrong.status_code == 422
    ended = await order(operator, "/streams", f"/backfills/{backfill.id}/cancel", reason="Enough")
    assert ended.headers["location"] == "/streams?said=backfill-cancelled"
    assert "cancelled" in (await operator.get("/streams")).text
    viewer = await sign_in(VIEWER)
    assert (await order(viewer, "/", place, since=begin, reason="No")).status_code == 403
