"""Streams of the connector: nothing lost and nothing doubled, deletions, merges, and objects whose fields change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.salesforce import streams
from connectors.salesforce.samples import ACCOUNT, OTHER_ACCOUNT, USED
from connectors.salesforce.streams import STREAMS
from hub.sdk.connector import Page, Stream
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import dumps
from hub.sdk.values import InboundEvent, Request, Response
from tests.connectors.salesforce.connected import Org, org

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def stream(name: str) -> Stream:
    """Give a stream by name."""
    return next(one for one in STREAMS if one.name == name)


async def pages(here: Org, name: str, cursor: str | None = None) -> list[Page]:
    """Read a stream to its present end."""
    return [page async for page in stream(name).pull(here.connected, cursor, LONG_AGO)]


async def told(here: Org, name: str, cursor: str | None = None) -> list[InboundEvent]:
    """Give the events of a stream."""
    return [event for page in await pages(here, name, cursor) for event in page.events]


def names(events: Sequence[InboundEvent]) -> list[str]:
    """Give the events' ids."""
    return [event.external_id for event in events]


async def test_records_of_one_second_are_parted_by_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PAGE_ROWS", 7)
    async with org({"generate": {"accounts": 60}}) as here:
        found = await pages(here, "accounts")
        events = [event for page in found for event in page.events]
        assert len(events) == len({event.subject for event in events}) == 60
        assert len(found) == 9
        for place, page in enumerate(found):
            rest = [event for later in found[place + 1 :] for event in later.events]
            assert names(await told(here, "accounts", page.cursor)) == names(rest)


async def test_a_page_that_is_cut_because_its_rows_are_wide_loses_none() -> None:
    async with org({"settings": {"rows_per_page": 200}, "generate": {"accounts": 450}}) as here:
        found = await pages(here, "accounts")
        assert [len(page.events) for page in found] == [200, 200, 50]
        assert not any("/query/" in asked for asked in here.connected.asked)


async def test_a_change_while_pages_are_read_moves_no_other_out_of_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PAGE_ROWS", 5)
    async with org({"generate": {"accounts": 20}}) as here:
        seen: list[InboundEvent] = []
        async for page in stream("accounts").pull(here.connected, None, LONG_AGO):
            if not seen:
                here.sandbox.world.clock.advance(10)
                await here.seed({"changes": [{"type": "Account", "id": page.events[0].subject, "Site": "moved"}]})
            seen.extend(page.events)
        assert len({event.subject for event in seen}) == 20
        assert len(seen) == len(set(names(seen))) == 21
        assert seen[-1].subject == seen[0].subject


async def test_deletions_come_as_changes_and_so_does_what_is_taken_out_of_the_bin() -> None:
    async with org() as here:
        cursor = (await pages(here, "accounts"))[-1].cursor
        here.sandbox.world.clock.advance(10)
        await here.seed({"delete": [OTHER_ACCOUNT]})
        [gone] = await told(here, "accounts", cursor)
        assert (gone.type, gone.subject, gone.schema) == ("salesforce.account.deleted", OTHER_ACCOUNT, None)
        parents = {"ParentId": None}
        told_of = {"object": "Account", "id": OTHER_ACCOUNT, "external_id": "cus_2", "parents": parents}
        assert gone.data == {**told_of, "merged_into": None}
        cursor = (await pages(here, "accounts", cursor))[-1].cursor
        here.sandbox.world.clock.advance(10)
        await here.seed({"undelete": [OTHER_ACCOUNT]})
        [back] = await told(here, "accounts", cursor)
        assert (back.type, back.record is not None) == ("salesforce.account.changed", True)


async def test_two_changes_within_a_second_are_two_events() -> None:
    async with org() as here:
        [first] = [event for event in await told(here, "accounts") if event.subject == ACCOUNT]
        await here.seed({"changes": [{"type": "Account", "id": ACCOUNT, "Site": "moved"}]})
        [second] = [event for event in await told(here, "accounts") if event.subject == ACCOUNT]
        assert first.external_id != second.external_id
        assert names(await told(here, "accounts")) == names(await told(here, "accounts"))


async def test_who_made_a_record_is_told_from_who_changed_it() -> None:
    async with org() as here:
        [made] = [event for event in await told(here, "accounts") if event.subject == ACCOUNT]
        here.sandbox.world.clock.advance(10)
        await here.seed({"changes": [{"type": "Account", "id": ACCOUNT, "Site": "moved"}]})
        [changed] = [event for event in await told(here, "accounts") if event.subject == ACCOUNT]
        assert (made.data["as_made"], changed.data["as_made"]) == (True, False)


async def test_a_field_that_is_new_is_read_before_ten_minutes_of_changes_are_over() -> None:
    async with org() as here:
        cursor = (await pages(here, "accounts"))[-1].cursor
        await here.seed({"fields": [{"object": "Account", "name": "Churn_Risk__c", "type": "string"}]})
        here.sandbox.world.clock.advance(601)
        await here.seed({"changes": [{"type": "Account", "id": ACCOUNT, "Churn_Risk__c": "high"}]})
        [event] = await told(here, "accounts", cursor)
        assert event.record is not None
        assert event.record["Churn_Risk__c"] == "high"


async def test_a_field_that_is_taken_away_stops_no_stream() -> None:
    async with org() as here:
        assert "Region__c" in (await told(here, "accounts"))[0].data["record"]
        await here.seed({"remove_fields": ["Account.Region__c"]})
        assert "Region__c" not in (await told(here, "accounts"))[0].data["record"]


async def test_an_object_that_the_user_may_not_see_is_named() -> None:
    async with org(objects=("Nothing__c",)) as here:
        with pytest.raises(FixData) as refusal:
            await told(here, "own_objects")
        assert refusal.value.facts["object"] == "Nothing__c"


async def test_own_objects_share_one_stream_each_with_its_own_place() -> None:
    async with org(objects=("Usage__c", "Entitlement__c")) as here:
        ent = {"type": "Entitlement__c", "Key__c": "e_1", "Account__c": ACCOUNT}
        await here.seed({"records": [ent]})
        found = await pages(here, "own_objects")
        events = [event for page in found for event in page.events]
        assert [event.type for event in events] == ["salesforce.usage__c.changed", "salesforce.entitlement__c.changed"]
        assert await told(here, "own_objects", found[-1].cursor) == []
        here.sandbox.world.clock.advance(10)
        await here.seed({"records": [{**USED, "type": "Usage__c", "Key__c": "use_9"}]})
        [event] = await told(here, "own_objects", found[-1].cursor)
        assert event.data["record"]["Key__c"] == "use_9"


def answering(rows: list[dict[str, Any]], *, total: int | None = None, done: bool = True) -> Any:
    """Make a session's `send` that knows an object of few fields and gives these rows."""
    fields = [{"name": name, "type": "string"} for name in ("Id", "SystemModstamp", "IsDeleted", "MasterRecordId")]

    async def send(request: Request) -> Response:
        if request.url.endswith("/describe"):
            return Response(status=200, body=dumps({"name": "Contact", "fields": fields}))
        whole = [{"attributes": {"type": "Contact"}, **row} for row in rows]
        following = {} if done else {"nextRecordsUrl": "/services/data/v68.0/query/0r8-2"}
        body = {"totalSize": len(rows) if total is None else total, "done": done, "records": whole, **following}
        return Response(status=200, body=dumps(body))

    return send


def row(number: int, seconds: int, **more: Any) -> dict[str, Any]:
    """Give a row that was changed so many seconds past twelve."""
    at = datetime(2026, 1, 31, 12, 0, tzinfo=UTC) + timedelta(seconds=seconds)
    return {"Id": f"00301000000000{number}AAA", "SystemModstamp": f"{at:%Y-%m-%dT%H:%M:%S}.000+0000", **more}


async def test_a_merge_tells_where_a_record_went(monkeypatch: pytest.MonkeyPatch) -> None:
    async with org() as here:
        merged = row(1, 1, IsDeleted=True, MasterRecordId="003010000000002AAA")
        monkeypatch.setattr(here.connected, "send", answering([merged]))
        [event] = await told(here, "contacts")
        assert (event.type, event.data["merged_into"]) == ("salesforce.contact.deleted", "003010000000002AAA")


@pytest.mark.parametrize(
    ("rows", "total", "done"),
    [
        ([row(1, 2), row(2, 1)], None, True),
        ([row(1, 1), row(1, 1)], None, True),
        ([row(1, 1)], 2, True),
        ([], 2, False),
        ([row(1, 1, Id="nothing")], None, True),
        ([row(1, 1, SystemModstamp="yesterday")], None, True),
    ],
    ids=["disordered", "doubled", "lacking", "empty", "nameless", "timeless"],
)
async def test_a_page_that_cannot_be_right_is_not_taken(
    rows: list[dict[str, Any]], total: int | None, *, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with org() as here:
        monkeypatch.setattr(here.connected, "send", answering(rows, total=total, done=done))
        with pytest.raises(OutcomeUnknown):
            await told(here, "contacts")
