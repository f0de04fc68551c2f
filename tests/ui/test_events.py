"""The pages of events and schemas: what was kept, why, and its release."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hub.model.event import EventFilter
from hub.operate.events import EventOrders
from hub.queries import audit, events
from hub.store.drift import CountDrift, Sighting
from tests.ui.stage import ADMIN, OPERATOR, VIEWER, Stage
from tests.ui.visitors import SignIn, order


async def test_events_are_found_by_state_flag_and_words(set_up: Stage, sign_in: SignIn) -> None:
    """Each list shows what it says, and the tabs count what was kept back."""
    ids = await set_up.keep()
    rows = {event: events.detail(set_up.console.view, event, payloads=True).event for event in ids}
    visitor = await sign_in(VIEWER)

    async def listed(address: str) -> set[str]:
        answer = await visitor.get(address)
        assert answer.status_code == 200, address
        return set(re.findall(r'data-key="(event_\w+)"', answer.text))

    for state in ("quarantined", "rejected", "unrouted"):
        assert await listed(f"/events?state={state}") == {id for id in ids if rows[id].state == state}
    flagged = {id for id in ids if rows[id].drift or rows[id].flows_failed}
    assert await listed("/events?show=flagged") == flagged
    one = next(row for row in rows.values() if row.reason == "changed-type")
    assert await listed(f"/events?text={one.external_id[4:]}") == {one.id}
    assert one.id in await listed("/events?kind=changed-type&path=lines.data%5B%5D.amount")
    assert await listed("/events?kind=changed-type&path=lines") == set()
    assert await listed("/events?code=no%25") == set()
    assert "No event fits" in (await visitor.get("/events?text=nothing-like-it")).text
    page = (await visitor.get("/events")).text
    assert "Quarantined <span" in page and "Rejected <span" in page


async def test_an_event_is_released_by_who_may(set_up: Stage, sign_in: SignIn) -> None:
    """With a reason, once; a viewer sees what is known of it, but neither the payload nor the button."""
    ids = await set_up.keep()
    rows = [events.detail(set_up.console.view, id, payloads=True).event for id in ids]
    held = next(row for row in rows if row.state == "quarantined")
    viewer, operator = await sign_in(VIEWER), await sign_in(OPERATOR)
    page = (await viewer.get(f"/events/{held.id}")).text
    assert "string instead of integer" in page and "Release the event" not in page and "128410" not in page
    refused = await order(viewer, "/events", f"/events/{held.id}/release", reason="please")
    assert refused.status_code == 403
    page = (await operator.get(f"/events/{held.id}")).text
    assert "Release the event" in page and "128410" in page
    blank = await order(operator, f"/events/{held.id}", f"/events/{held.id}/release", reason=" ")
    assert blank.status_code == 422 and "Say why" in blank.text

    for said in ("event-released", "released-before"):
        answer = await order(
            operator, f"/events/{held.id}", f"/events/{held.id}/release", reason="Looked at <it> with the vendor"
        )
        assert answer.headers["location"] == f"/events/{held.id}?said={said}"

    page = (await operator.get(f"/events/{held.id}?said=event-released")).text
    assert "Looked at &lt;it&gt; with the vendor" in page and "Olu Adeyemi" in page
    # Two flows start with it, once each: the invoice is posted, and the CRM is told how it stands.
    assert len(re.findall(r'data-key="(run_\w+)"', page)) == 2
    assert "Release the event" not in page
    entries = [line for line in audit.recent(set_up.console.view) if line.kind == "event.released"]
    assert [(line.actor_name, line.subjects) for line in entries] == [("Olu Adeyemi", {"event": held.id})]


async def test_a_whole_list_is_released(set_up: Stage, sign_in: SignIn) -> None:
    """Only with a filter, and what cannot go stays in the list."""
    await set_up.keep()
    operator = await sign_in(OPERATOR)
    assert "Release all of these" not in (await operator.get("/events")).text
    assert "Release all of these" in (await operator.get("/events?state=rejected")).text
    nothing = await order(operator, "/events", "/events/release", reason="all")
    assert nothing.status_code == 422 and "Say which events" in nothing.text

    answer = await order(operator, "/events?state=rejected", "/events/release", state="rejected", reason="mended")

    assert answer.status_code == 200 and 'href="/events?state=rejected"' in answer.text
    assert "Webhook unreadable" in answer.text or "Still unreadable" in answer.text
    left = {row.reason for row in events.listing(set_up.console.view, payloads=True).events if row.state == "rejected"}
    assert left == {"webhook-unreadable", "same-id-other-content"}


async def test_schemas_show_versions_in_use_and_what_differs(set_up: Stage, sign_in: SignIn) -> None:
    """With the number of events, a link to those that show it, and the way to the next version."""
    await set_up.keep()
    admin, viewer = await sign_in(ADMIN), await sign_in(VIEWER)
    page = (await admin.get("/schemas")).text
    assert "never registered" in page and "concord schema infer stripe.invoice" in page
    assert "net_30" in page and "net_30" not in (await viewer.get("/schemas")).text
    links = re.findall(r'href="(/events\?[^"]*kind=changed-type[^"]*)"', page)
    assert len(links) == 1
    shown = (await admin.get(links[0].replace("&amp;", "&"))).text
    assert len(re.findall(r'data-key="(event_\w+)"', shown)) == 1
    part = await admin.get("/schemas", headers={"HX-Request": "true"})
    assert part.status_code == 200 and "</html>" not in part.text


async def test_what_is_released_is_what_is_listed(
    set_up: Stage, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order on the flagged events of a connection is not one on all that it kept."""
    await set_up.keep()
    asked: list[EventFilter] = []
    release_all = EventOrders.release_all

    async def listen(self: EventOrders, wanted: EventFilter, **order: Any) -> Any:
        asked.append(wanted)
        return await release_all(self, wanted, **order)

    monkeypatch.setattr(EventOrders, "release_all", listen)
    operator = await sign_in(OPERATOR)
    shown = "/events?show=flagged&connection=stripe"
    page = (await operator.get(shown)).text
    form = page[page.index('action="/events/release"') :]
    given = dict(re.findall(r'<input type="hidden" name="(show|connection|state)" value="([^"]*)">', form))
    await order(operator, shown, "/events/release", **given, reason="looked at")
    assert asked == [EventFilter(connection="stripe", flagged=True)]


async def test_a_schema_that_drifts_in_hundreds_of_ways_keeps_the_page_small(set_up: Stage, sign_in: SignIn) -> None:
    """What was seen last is shown, and where the others are."""
    seen = [
        Sighting(
            environment=set_up.console.view.environment,
            connection="stripe",
            schema="stripe.invoice@2025-09-30",
            kind="unknown-field",
            path="lines.data[]." + "long_name_" * 15 + str(number),
            detail="string",
            example="x" * 79,
            event_id="event_1",
            action="accept",
        )
        for number in range(700)
    ]
    await set_up.committer.commit(CountDrift(seen=seen))
    page = (await (await sign_in(OPERATOR)).get("/schemas")).text
    assert len(page) < 250_000
    assert re.search(r"The 100 seen last of 50\d", page)
