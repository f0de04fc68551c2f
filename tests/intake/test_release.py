"""Kept events: released once, by the revision of now, whole and in order; one flow's trouble harms no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.connections.accounts import Account
from hub.errors import Conflict, FixData, NotFound, UnreadableWebhook
from hub.intake.door import Intake
from hub.model.event import EventFilter, EventState, InboundEvent, Via
from hub.operate.events import EventOrders
from hub.queries import events
from hub.queries.view import View
from hub.sdk import exact_json
from hub.sdk.connector import Webhook
from hub.store import audit
from hub.store.tables import runs
from hub.workspace.bundle import Bundle
from tests.engine.house import House, bundle
from tests.engine.vendor import Vendor

FLOW = """
flow: {name}
title: Look at a thing
owner: team:tests
on: {{ event: {event} }}
key: {key}
business_key: data.id
steps:
  - id: copy
    map: vendor/thing
    of: data
"""
THING = """
mapping: vendor/thing
version: 1
from: vendor.thing@1
to: vendor.thing@1
fields:
  id: id
  value: value
"""


def workspace(*, key: str = "data.key", other: str | None = "data.other", event: str = "vendor.thing.made") -> Bundle:
    """Give a workspace with one flow, and a second one that reads another key."""
    schema = '{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}'
    files = {"mappings__vendor__thing.yaml": THING, "schemas__vendor.thing@1.json": schema}
    if other is not None:
        files["flows__other.yaml"] = FLOW.format(name="other", event=event, key=other)
    return bundle(FLOW.format(name="tested", event=event, key=key), **files)


def _parse(body: bytes) -> Sequence[InboundEvent]:
    try:
        read = exact_json.loads(body)
    except FixData as error:
        raise UnreadableWebhook("It is not JSON.") from error
    return [_event(read["id"], read)]


def _event(name: str, data: Mapping[str, Any]) -> InboundEvent:
    return InboundEvent(
        external_id=name, type="vendor.thing.made", occurred_at=datetime(2026, 1, 1, tzinfo=UTC), data=data
    )


class Desk:
    """An intake and the orders on its events; the current bundle and the connector's reading can be changed."""

    def __init__(self, house: House) -> None:
        """Begin with the bundle of the house."""
        self.house = house
        self.bundle = house.bundle
        known = house.accounts["vendor"]
        webhook = Webhook(verify=lambda *_given: None, parse=_parse)
        self.accounts: dict[str, Account] = {
            "vendor": replace(known, connector=replace(known.connector, webhook=webhook))
        }
        self.intake = Intake(
            environment="test",
            ambient=house.ambient,
            committer=house.committer,
            accounts=self.accounts,
            bundle=lambda: self.bundle,
        )
        self.orders = EventOrders(
            environment="test",
            ambient=house.ambient,
            database=house.database,
            committer=house.committer,
            accounts=self.accounts,
            bundle=lambda: self.bundle,
            take=self.intake.read_again,
        )
        self.view = View(environment="test", database=house.database, ambient=house.ambient)

    async def give(self, name: str, **data: Any) -> events.EventRow:
        """Let an event come; gives it as a list shows it."""
        await self.intake.accept("vendor", [_event(name, {"id": name, **data})], Via.WEBHOOK)
        return self.find(name)

    def find(self, name: str) -> events.EventRow:
        """Find an event by the vendor's id."""
        return next(row for row in events.listing(self.view, payloads=True).events if row.external_id == name)

    def flows(self, name: str) -> list[str]:
        """Name the flows that have a run of an event."""
        found = events.detail(self.view, self.find(name).id, payloads=True)
        return sorted(run.flow for run in found.runs)

    def read_as(self, parse: Any) -> None:
        """Install another reading of webhooks."""
        known = self.accounts["vendor"]
        webhook = Webhook(verify=lambda *_given: None, parse=parse)
        self.accounts["vendor"] = replace(known, connector=replace(known.connector, webhook=webhook))

    def audited(self, kind: str) -> list[Mapping[str, Any]]:
        """Give the audit entries of a kind, the oldest first."""
        with self.house.database.reading() as connection:
            rows = audit.recent(connection, limit=1000)
        read = [exact_json.loads(row["entry"]) for row in reversed(rows) if row["kind"] == kind]  # type: ignore[arg-type]
        return sorted(read, key=lambda entry: entry["sequence"])


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a desk over an empty store."""
    house = House(tmp_path, Vendor(), workspace())
    house.committer.start()
    yield Desk(house)
    await house.committer.stop()
    house.database.close()


async def test_one_flow_without_a_key_keeps_no_other_from_beginning(desk: Desk) -> None:
    """The event is taken and flagged with the flow that failed; released by a mended flow, only that one begins."""
    event = await desk.give("e1", key="k", value=1)
    assert event.state is EventState.ACCEPTED and event.releasable
    assert [(flag.flow, flag.code) for flag in event.flows_failed] == [("other", "no-key")]
    assert desk.flows("e1") == ["tested"]
    with pytest.raises(FixData, match="mend the flow's file") as caught:
        await desk.orders.release(event.id, actor="local", reason="try")
    assert caught.value.facts["flow"] == "other"

    desk.bundle = workspace(other="data.key")
    done = await desk.orders.release(event.id, actor="local", reason="the key is mended")

    assert len(done.runs) == 1 and not done.already
    assert desk.flows("e1") == ["other", "tested"]
    mended = desk.find("e1")
    assert mended.flows_failed == () and not mended.releasable and mended.released


async def test_an_event_no_flow_can_begin_with_is_rejected_and_released_once(desk: Desk) -> None:
    """Ten orders at the same time start one run of each flow, and exactly one of them did it."""
    event = await desk.give("e1", value=1)
    assert (event.state, event.reason) == (EventState.REJECTED, "no-key")
    desk.bundle = workspace(key="data.id", other="data.id")

    done = await asyncio.gather(*(desk.orders.release(event.id, actor="local", reason="mended") for _ in range(10)))

    assert sorted(one.already for one in done) == [False] + [True] * 9
    assert desk.flows("e1") == ["other", "tested"]
    again = await desk.orders.release(event.id, actor="local", reason="mended")
    assert again.already and again.state is EventState.ACCEPTED
    assert len(desk.audited("event.released")) == 1
    (queued, _) = [entry for entry in desk.audited("run.queued") if entry["actor"] == "local"]
    assert queued["facts"]["bundle"] == desk.bundle.id


async def test_a_release_keeps_who_why_and_what_before(desk: Desk) -> None:
    """The reason stands with the event; the audit log holds its hash, because people write names."""
    event = await desk.give("e1", value=1)
    desk.bundle = workspace(key="data.id", other=None)
    await desk.orders.release(event.id, actor="person:p_1", reason="Ada said so")
    found = events.detail(desk.view, event.id, payloads=True).release
    assert found is not None
    assert (found.by, found.reason, found.before) == ("person:p_1", "Ada said so", EventState.REJECTED)
    (entry,) = desk.audited("event.released")
    assert entry["actor"] == "person:p_1" and entry["subjects"] == {"event": event.id}
    # Who lets a run begin cannot approve what it does.
    with desk.view.database.reading() as connection:
        assert connection.execute(select(runs.c.ordered_by)).scalars().all() == ["person:p_1"]
    assert "Ada" not in str(entry) and len(entry["facts"]["reason"]) == 64


async def test_an_unrouted_event_starts_what_wants_it_now(desk: Desk) -> None:
    """While nothing wants it, a release changes nothing and says so."""
    desk.bundle = workspace(event="vendor.other.made")
    event = await desk.give("e1", key="k", other="o", value=1)
    assert event.state is EventState.UNROUTED
    nothing = await desk.orders.release(event.id, actor="local", reason="try")
    assert (nothing.state, nothing.runs, nothing.already) == (EventState.UNROUTED, (), False)
    assert desk.audited("event.released") == []
    desk.bundle = workspace()
    assert len((await desk.orders.release(event.id, actor="local", reason="a flow came")).runs) == 2


async def test_bytes_are_read_again_by_the_connector_of_now(desk: Desk) -> None:
    """Whatever the bytes, they are had back exactly; what was delivered meanwhile is not made twice."""
    for body in (b'{"id": "e1", "key": "k", "other": "o"', b'\xff\xfe{"id": "e2"}', b"\\xff is text"):
        await desk.intake.webhook("vendor", {}, body)
    kept = [row for row in events.listing(desk.view, payloads=True).events if row.type == "unreadable"]
    assert [(row.state, row.reason) for row in kept] == [(EventState.REJECTED, "webhook-unreadable")] * 3
    with pytest.raises(FixData, match="still cannot read") as caught:
        await desk.orders.release(kept[0].id, actor="local", reason="try")
    assert caught.value.code == "still-unreadable"
    seen: list[bytes] = []

    def patient(body: bytes) -> Sequence[InboundEvent]:
        seen.append(body)
        return [_event("e1", {"id": "e1", "key": "k", "other": "o"})]

    desk.read_as(patient)
    first, *others = [await desk.orders.release(row.id, actor="local", reason="mended") for row in kept]
    assert sorted(seen) == sorted([b'{"id": "e1", "key": "k", "other": "o"', b'\xff\xfe{"id": "e2"}', b"\\xff is text"])
    assert first.became == (desk.find("e1").id,) and all(one.became == first.became for one in others)
    assert desk.flows("e1") == ["other", "tested"]
    assert (await desk.orders.release(kept[0].id, actor="local", reason="again")).already


async def test_many_are_released_in_the_order_in_which_they_came(desk: Desk) -> None:
    """Filters say which; another content under a known id goes only when it is asked for by its reason."""
    for number in range(7):
        await desk.give(f"e{number}", value=number)
    await desk.intake.accept("vendor", [_event("e3", {"id": "e3", "forged": True})], Via.WEBHOOK)
    desk.bundle = workspace(key="join('', ['one', 'key'])", other=None)
    with pytest.raises(FixData, match="Say which events"):
        await desk.orders.release_all(EventFilter(), actor="local", reason="mended")
    none = await desk.orders.release_all(EventFilter(connection="nobody"), actor="local", reason="mended")
    assert (none.seen, none.released, none.next) == (0, 0, None)

    rejected = EventFilter(state=EventState.REJECTED)
    first = await desk.orders.release_all(rejected, actor="local", reason="mended", limit=4)
    assert (first.seen, first.released, first.runs) == (4, 4, 4)
    rest = await desk.orders.release_all(rejected, actor="local", reason="mended", after=first.next, limit=4)
    assert (rest.seen, rest.released, rest.next) == (3, 3, None)

    with desk.house.database.reading() as connection:
        statement = "SELECT business_key FROM runs WHERE flow = 'tested' ORDER BY position"
        assert list(connection.exec_driver_sql(statement).scalars()) == [f"e{number}" for number in range(7)]
    forged = EventFilter(reason="same-id-other-content")
    assert (await desk.orders.release_all(forged, actor="local", reason="it is right")).released == 1


async def test_what_was_taken_when_it_came_is_not_released(desk: Desk) -> None:
    """The message says to replay a run instead; an unknown event and a missing reason are refused."""
    event = await desk.give("e1", key="k", other="o", value=1)
    assert not event.releasable
    with pytest.raises(Conflict, match="replay one of its runs"):
        await desk.orders.release(event.id, actor="local", reason="again")
    with pytest.raises(NotFound):
        await desk.orders.release("event_nope", actor="local", reason="x")
    with pytest.raises(FixData, match="Say why"):
        await desk.orders.release(event.id, actor="local", reason=" ")


async def test_who_released_an_event_has_caused_its_runs(desk: Desk) -> None:
    """Also what kept bytes are read as by now; so nobody approves what they let go themselves."""

    def orderers() -> set[str | None]:
        with desk.house.database.reading() as connection:
            return set(connection.exec_driver_sql("select ordered_by from runs").scalars())

    await desk.intake.webhook("vendor", {}, b"not json")
    (kept,) = events.listing(desk.view, payloads=True).events
    good = _event("later", {"id": "later", "key": "k", "value": "1"})
    desk.read_as(lambda _body: [good])
    await desk.orders.release(kept.id, actor="person:p_1", reason="mended")
    assert desk.flows("later") and orderers() == {"person:p_1"}
