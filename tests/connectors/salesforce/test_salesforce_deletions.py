"""The stream of deletions: for good or not, told once, and never passed by in silence."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from connectors.salesforce import deletions
from connectors.salesforce.answers import moment
from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.deletions import DELETIONS
from connectors.salesforce.samples import ACCOUNT, OTHER_ACCOUNT, SAMPLES
from hub.proof.certification.flows import of_triggers
from hub.proof.certification.readings import streams_of
from hub.proof.certification.stand import stand
from hub.sdk.connector import Page
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import dumps, loads
from hub.sdk.values import InboundEvent, Response
from hub.store.account_tables import cursors
from hub.store.tables import events as kept
from tests.connectors.salesforce.connected import Org, org
from tests.connectors.salesforce.test_salesforce_changing import told as changes_told

DAY = 86_400


async def read(here: Org, cursor: str | None = None, *, back: float = DAY) -> list[Page]:
    """Read the stream to its present end, for the first time from a day ago."""
    since = here.sandbox.world.clock.now() - timedelta(seconds=back)
    return [page async for page in DELETIONS.pull(here.connected, cursor, since)]


def told(pages: list[Page], object: str = "Account") -> list[InboundEvent]:
    """Give the events about one object."""
    return [event for page in pages for event in page.events if event.data["object"] == object]


def place(cursor: str, object: str = "Account") -> datetime:
    """Give how far the log of an object was read."""
    return moment(loads(cursor)[object])


async def later(here: Org, seconds: float = 180) -> None:
    """Let time go by at the org."""
    here.sandbox.world.clock.advance(seconds)


async def test_what_was_deleted_for_good_is_told() -> None:
    async with org() as here:
        cursor = (await read(here))[-1].cursor
        await later(here)
        await here.seed({"delete": [OTHER_ACCOUNT], "purge": [OTHER_ACCOUNT]})
        await later(here)
        assert OTHER_ACCOUNT not in {event.subject for event in await changes_told(here, "accounts")}
        pages = await read(here, cursor)
        [gone] = told(pages)
        assert (gone.type, gone.subject) == ("salesforce.account.deleted", OTHER_ACCOUNT)
        unknown = dict.fromkeys(("merged_into", "external_id", "parents"))
        assert gone.data == {"object": "Account", "id": OTHER_ACCOUNT, **unknown}
        assert gone.occurred_at < here.sandbox.world.clock.now() - timedelta(seconds=150)
        assert all(page.begins_at is None for page in pages)
        await later(here)
        assert told(await read(here, pages[-1].cursor)) == []


async def test_both_streams_name_a_deletion_alike() -> None:
    """One event, whoever tells of it first, also once the record has left the bin."""
    async with org() as here:
        cursor = (await read(here))[-1].cursor
        await here.seed({"merge": [{"into": ACCOUNT, "gone": [OTHER_ACCOUNT]}]})
        await later(here)
        [merged] = told(await read(here, cursor))
        [listed] = [event for event in await changes_told(here, "accounts") if event.subject == OTHER_ACCOUNT]
        assert merged == listed
        assert merged.data["merged_into"] == ACCOUNT
        await here.seed({"purge": [OTHER_ACCOUNT]})
        [purged] = told(await read(here, cursor))
        assert purged.external_id == merged.external_id


async def test_what_a_record_led_to_is_told_as_long_as_the_bin_has_it() -> None:
    async with org() as here:
        cursor = (await read(here))[-1].cursor
        order = here.books["records"]["Order"][0]
        await here.seed({"delete": [order["Id"]]})
        await later(here)
        [gone] = told(await read(here, cursor), "Order")
        assert gone.data["external_id"] == "ord_1"
        assert gone.data["parents"]["ContractId"] == order["ContractId"]
        assert "OwnerId" not in gone.data["parents"]
        await here.seed({"purge": [order["Id"]]})
        [purged] = told(await read(here, cursor), "Order")
        assert (purged.external_id, purged.data["parents"]) == (gone.external_id, None)


async def test_what_is_back_is_not_told() -> None:
    """Also where it comes back between the log's answer and the look at the bin, which knows better."""
    async with org() as here:
        cursor = (await read(here))[-1].cursor
        await here.seed({"delete": [OTHER_ACCOUNT]})
        await later(here)
        send = here.connected.send

        async def undeleted_meanwhile(request: Any) -> Response:
            response = await send(request)
            if "/Account/deleted" in request.url:
                await here.seed({"undelete": [OTHER_ACCOUNT]})
            return response

        here.connected.send = undeleted_meanwhile  # type: ignore[method-assign]
        assert told(await read(here, cursor)) == []


async def test_a_transaction_that_ends_late_is_not_passed_by() -> None:
    async with org() as here:
        await here.seed({"settings": {"open_transaction_seconds": 600}})
        cursor = (await read(here))[-1].cursor
        await later(here, 3700)
        cursor = (await read(here, cursor))[-1].cursor
        await here.seed({"late_deletes": [{"id": OTHER_ACCOUNT, "seconds": 500}]})
        await later(here)
        [gone] = told(await read(here, cursor))
        assert gone.subject == OTHER_ACCOUNT


async def test_a_quiet_place_moves_on_every_hour_and_writes_nothing_in_between() -> None:
    async with org() as here:
        cursor = (await read(here))[-1].cursor
        await later(here)
        assert await read(here, cursor) == []
        await later(here, 3700)
        [page] = await read(here, cursor)
        assert page.events == []
        assert place(page.cursor) > place(cursor)


async def test_what_the_log_no_longer_has_is_said_of_its_object() -> None:
    async with org() as here:
        cursor = (await read(here))[-1].cursor
        await later(here)
        await here.seed({"delete": [OTHER_ACCOUNT], "empty_bin": True})
        await later(here)
        pages = await read(here, cursor)
        [gap] = [page for page in pages if page.begins_at is not None and page.begins_of == "Account"]
        assert gap.begins_at is not None
        assert place(cursor) < gap.begins_at <= here.sandbox.world.clock.now()
        assert not [page for page in pages if page.begins_of == "Contact"]
        await later(here)
        assert [page for page in await read(here, pages[-1].cursor) if page.begins_at] == []


async def test_who_was_away_for_longer_than_the_log_goes_back_is_told() -> None:
    async with org() as here:
        await here.seed({"settings": {"session_seconds": 30 * DAY}})
        cursor = (await read(here))[-1].cursor
        await later(here, 16 * DAY)
        await here.seed({"delete": [OTHER_ACCOUNT]})
        await later(here)
        pages = await read(here, cursor)
        assert [event.subject for event in told(pages)] == [OTHER_ACCOUNT]
        begins = {page.begins_of: page.begins_at for page in pages if page.begins_at}
        assert set(begins) == set(loads(cursor))
        assert begins["Account"] is not None
        away = here.sandbox.world.clock.now() - begins["Account"]
        assert timedelta(days=15) <= away < timedelta(days=15, minutes=1)


async def test_more_than_one_answer_has_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletions, "PAGE_EVENTS", 2)
    async with org() as here:
        made = await here.seed({"records": [{"type": "Account", "Name": f"A{number}"} for number in range(9)]})
        cursor = (await read(here))[-1].cursor
        for number, id in enumerate(made["records"], start=1):
            await here.seed({"late_deletes": [{"id": id, "seconds": number}]})
            await later(here, 300)
        await here.seed({"settings": {"replication_ids": 4}})
        found: list[InboundEvent] = []
        for _ in range(4):
            pages = await read(here, cursor)
            assert all(len(page.events) <= 2 for page in pages)
            found += told(pages)
            cursor = pages[-1].cursor if pages else cursor
        assert {event.subject for event in found} == {*made["records"]}


async def test_an_answer_that_is_larger_than_any_is_asked_for_in_shorter_spans() -> None:
    async with org() as here:
        cursor = (await read(here))[-1].cursor
        await here.seed({"delete": [OTHER_ACCOUNT]})
        await later(here, 3600)
        send, spans = here.connected.send, []

        async def large(request: Any) -> Response:
            if "/Account/deleted" in request.url:
                start, end = (
                    datetime.fromisoformat(one) for _, [one] in sorted(parse_qs(urlsplit(request.url).query).items())
                )
                spans.append(abs(start - end))
                if spans[-1] > timedelta(minutes=20):
                    raise OutcomeUnknown("The answer is too large.", code="answer-too-large")
            return await send(request)

        here.connected.send = large  # type: ignore[method-assign]
        [gone] = told(await read(here, cursor))
        assert gone.subject == OTHER_ACCOUNT
        assert spans == sorted(spans, reverse=True)
        assert len(spans) == 3


async def test_a_reading_that_breaks_off_leaves_no_object_behind() -> None:
    async with org() as here:
        await here.seed({"late_deletes": [{"id": OTHER_ACCOUNT, "seconds": 5 * DAY}]})
        begun = [page async for page in DELETIONS.pull(here.connected, None, moment("2000-01-01T00:00:00.000+0000"))]
        first = next(page for page in begun if page.begins_of != "Asset")
        rest = await read(here, first.cursor)
        assert {event.data["object"] for page in [first, *rest] for event in page.events} == {"Account", "Asset"}


async def test_an_object_that_is_not_there_keeps_no_other_from_being_read() -> None:
    async with org(objects=("Nothing__c",)) as here:
        pages = await read(here)
        assert told(pages, "Asset")
        await here.seed({"objects": {"Nothing__c": NOTHING}})
        made = await here.seed({"records": [{"type": "Nothing__c", "Name": "x"}]})
        await here.seed({"delete": made["records"], "purge": made["records"]})
        await later(here)
        [gone] = told(await read(here, pages[-1].cursor), "Nothing__c")
        assert gone.type == "salesforce.nothing__c.deleted"


NOTHING = {"label": "Nothing", "plural": "Nothings", "prefix": "a0Z", "fields": [{"name": "Name", "type": "string"}]}


async def test_a_refusal_of_one_object_is_raised_when_the_others_are_read() -> None:
    async with org() as here:
        send = here.connected.send

        async def refusing(request: Any) -> Response:
            if "/Account/deleted" in request.url:
                raise FixData("The user may not do this with the record.", code="insufficient-access")
            return await send(request)

        here.connected.send = refusing  # type: ignore[method-assign]
        reading = DELETIONS.pull(here.connected, None, here.sandbox.world.clock.now() - timedelta(days=1))
        page = await anext(reading)
        assert [event.data["object"] for event in page.events] == ["Asset", "Asset"]
        assert place(page.cursor) < place(page.cursor, "Contact")
        with pytest.raises(FixData):
            await anext(reading)


@pytest.mark.parametrize(
    "changed",
    [
        {"deletedRecords": None},
        {"deletedRecords": [{"id": "x", "deletedDate": "2026-01-31T12:00:00.000+0000"}]},
        {"deletedRecords": [{"id": ACCOUNT}]},
        {
            "deletedRecords": [
                {"id": ACCOUNT, "deletedDate": "2026-01-31T12:00:00.000+0000"},
                {"id": "003010000000002AAA", "deletedDate": "2026-01-31T12:00:00.000+0000"},
            ]
        },
        {"latestDateCovered": "2099-01-31T12:00:00.000+0000"},
        {"latestDateCovered": None},
        {"earliestDateAvailable": "soon"},
    ],
)
async def test_an_answer_that_cannot_be_right_is_not_taken(changed: dict[str, Any]) -> None:
    async with org() as here:
        send = here.connected.send

        async def spoilt(request: Any) -> Response:
            response = await send(request)
            if "/deleted" not in request.url:
                return response
            return Response(status=200, body=dumps({**loads(response.body), **changed}))

        here.connected.send = spoilt  # type: ignore[method-assign]
        with pytest.raises(OutcomeUnknown):
            await read(here)


async def test_a_hub_takes_a_deletion_once_and_tells_what_it_may_have_missed() -> None:
    async with stand(CONNECTOR, SAMPLES, of_triggers(CONNECTOR, ["salesforce.account.deleted"])) as hub:
        streams, by_name = streams_of(hub), {one.name: one for one in CONNECTOR.streams}

        async def poll(name: str) -> int:
            found = await streams.read(hub.account, by_name[name], overlap=by_name[name].overlap)
            return found.new

        await poll("accounts")
        await poll("deletions")
        await hub.sandbox.world.books.seed({"delete": [OTHER_ACCOUNT]})
        assert await poll("accounts") == 1
        hub.clock.leap(180)
        assert await poll("deletions") == 0
        with hub.database.reading() as reading:
            told = reading.execute(select(kept.c.type).where(kept.c.type.like("%.account.deleted"))).scalars().all()
        assert told == ["salesforce.account.deleted"]
        made = await hub.sandbox.world.books.seed({"records": [{"type": "Account", "Name": "Fir"}]})
        await hub.sandbox.world.books.seed({"delete": made["records"], "empty_bin": True})
        hub.clock.leap(300)
        await poll("deletions")
        with hub.database.reading() as reading:
            [gap] = reading.execute(select(cursors.c.gap).where(cursors.c.stream == "deletions")).scalars()
        assert "What was there of Account before is no longer given." in gap
