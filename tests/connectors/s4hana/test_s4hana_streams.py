"""Changes are told oldest first, each once, however many bear one moment, and none is lost between two pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.s4hana import streams
from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.samples import ORDER
from hub.schemas.drift import compile_drift
from hub.sdk.connector import Page
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.exact_json import dumps
from hub.sdk.values import EffectKey, InboundEvent, Request, Response
from tests.connectors.s4hana.linking import Link, linked

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


async def pulled(link: Any, name: str, cursor: str | None = None) -> tuple[list[InboundEvent], str | None]:
    stream = next(each for each in CONNECTOR.streams if each.name == name)
    events: list[InboundEvent] = []
    async for page in stream.pull(link, cursor, LONG_AGO):
        events += page.events
        cursor = page.cursor
    return events, cursor


async def orders(link: Link, count: int) -> None:
    for place in range(count):
        await link.write("sales_order.create", ORDER, EffectKey(f"{place:032x}"))


@pytest.mark.parametrize("server", [2, 1000])
async def test_orders_come_page_by_page(server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PAGE_ROWS", 3)
    async with linked() as link:
        await orders(link, 9)
        await link.seed(settings={"page_size": server})
        events, cursor = await pulled(link.connected, "sales_orders")
        assert sorted(int(event.subject) for event in events) == list(range(1, 12))
        assert [event.occurred_at for event in events] == sorted(event.occurred_at for event in events)
        await link.write("sales_order.update", {"SalesOrder": "4", "CustomerPaymentTerms": "0002"})
        further, _ = await pulled(link.connected, "sales_orders", cursor)
        known = {event.external_id for event in events}
        assert [event.subject for event in further if event.external_id not in known] == ["4"]


async def test_many_rows_of_one_moment_all_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PAGE_ROWS", 4)
    async with linked() as link:
        # All accounts bear the moment at which the tenant began.
        events, _ = await pulled(link.connected, "gl_accounts")
        count = (await link.read("odata.query", service=ACCOUNTS[0], set=ACCOUNTS[1]))["items"]
        assert len({event.subject for event in events}) == len(count) > 8


ACCOUNTS = ("API_GLACCOUNTINCHARTOFACCOUNTS_SRV", "A_GLAccountInChartOfAccounts")


async def test_partners_come_in_the_order_of_their_changes() -> None:
    async with linked() as link:
        events, cursor = await pulled(link.connected, "business_partners")
        assert len(events) == 5
        await link.write("business_partner.update", {"BusinessPartner": "10100001", "SearchTerm1": "NEW"})
        further, _ = await pulled(link.connected, "business_partners", cursor)
        known = {event.external_id for event in events}
        assert [event.subject for event in further if event.external_id not in known] == ["10100001"]


async def pages(link: Link, cursor: str | None = None) -> list[Page]:
    stream = next(each for each in CONNECTOR.streams if each.name == "business_partners")
    return [page async for page in stream.pull(link.connected, cursor, LONG_AGO)]


def subjects(found: list[Page]) -> list[str]:
    return [event.subject for page in found for event in page.events]


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one look hold few rows, and a page fewer."""
    monkeypatch.setattr(streams, "MOST_AT_ONCE", 20)
    monkeypatch.setattr(streams, "PAGE_ROWS", 6)


@pytest.mark.usefixtures("narrow")
async def test_more_partners_than_one_look_holds_come_span_by_span_oldest_first() -> None:
    """Each page is a place to go on from, behind which nothing is left out."""
    async with linked() as link:
        # Their changes are spread over a year.
        await link.seed(generate={"customers": 150})
        there = {row["BusinessPartner"] for row in link.rows("A_BusinessPartner")} | {
            str(number) for number in range(2_000_000, 2_000_150)
        }
        found = await pages(link)
        assert sorted(subjects(found)) == sorted(there)
        times = [event.occurred_at for page in found for event in page.events]
        assert times == sorted(times)
        for place in (0, 7, len(found) - 2):
            rest = await pages(link, found[place].cursor)
            assert set(subjects(found[place + 1 :])) <= set(subjects(rest))


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(
    "after",
    [[0] * 90, range(90), range(0, 54_000, 600), [1] * 45 + [0] * 45],
    ids=("one second", "seconds", "hours", "two seconds"),
)
async def test_a_mass_change_of_one_day_comes_through_however_short_it_was(after: Sequence[int]) -> None:
    """What a job has changed within one second comes in the order of numbers, and is gone on with behind one."""
    async with linked() as link:
        await link.seed(customers=[{"number": str(number), "name": "Z"} for number in range(1_500_000, 1_500_090)])
        begun = datetime(2026, 1, 31, 14, tzinfo=UTC)
        moments = [begun + timedelta(seconds=each) for each in after]
        await link.seed(
            changes=[
                {
                    "table": "A_BusinessPartner",
                    "key": [str(1_500_000 + place)],
                    "set": {"LastChangeDate": moment.date(), "LastChangeTime": moment.time()},
                    "raw": True,
                }
                for place, moment in enumerate(moments)
            ]
        )
        found = await pages(link)
        numbers = [str(1_500_000 + place) for place in sorted(range(90), key=lambda place: (after[place], place))]
        assert [subject for subject in subjects(found) if subject in numbers] == numbers
        assert len(set(subjects(found))) == len(subjects(found)) == 95
        for place in (0, len(found) // 2, len(found) - 2):
            rest = await pages(link, found[place].cursor)
            assert set(subjects(found[place + 1 :])) <= set(subjects(rest))
            # Only what bears the last moment may come once more.
            assert len(subjects(rest)) <= len(subjects(found[place + 1 :])) + 20
        # What is changed while it is read comes later, at its new place.
        await link.write("business_partner.update", {"BusinessPartner": "1500001", "SearchTerm1": "NEW"})
        assert subjects(await pages(link, found[-1].cursor))[-1] == "1500001"


@pytest.mark.usefixtures("narrow")
async def test_partners_that_were_never_changed_are_told_of_by_their_creation() -> None:
    async with linked() as link:
        await link.seed(customers=[{"number": str(number), "name": "Z"} for number in range(1_500_000, 1_500_050)])
        found = await pages(link)
        assert len(set(subjects(found))) == len(subjects(found)) == 55


DAY = "/Date(1769817600000)/"
AFTERNOON = "2026-01-31T14:00:00Z business_partner:1:2026-01-31T14:00:00Z:"
MADE = {"CreationDate": "/Date(1577836800000)/", "CreationTime": "PT08H00M00S"}


class Shown:
    """Answers with these partners."""

    settings = CONNECTOR.settings.model_validate({"base_url": "https://x", "user": "U", "password": "p"})

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = [{"BusinessPartner": str(place), **MADE, **row} for place, row in enumerate(rows, 7)]

    async def send(self, request: Request) -> Response:
        return Response(status=200, body=dumps({"d": {"results": self.rows, "__count": str(len(self.rows))}}))


def gone(event: InboundEvent) -> set[str]:
    """Name what the schema of an event's record misses."""
    found = compile_drift(CONNECTOR.schemas[str(event.schema)])(event.record)
    return {one.path for one in found if one.kind == "missing-field" and "Change" in one.path}


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"LastChangeDate": DAY}, {"LastChangeTime"}),
        ({"LastChangeDate": DAY, "LastChangeTime": None}, set()),
        ({}, {"LastChangeDate", "LastChangeTime"}),
        ({"LastChangeTime": "PT15H00M00S"}, {"LastChangeDate"}),
    ],
    ids=("no time", "a time of none", "neither", "no day"),
)
async def test_a_partner_that_does_not_tell_when_it_was_changed_is_never_left_out(
    change: dict[str, Any], missing: set[str]
) -> None:
    """It is one event while it stands as it is, another when it does not, and what it lacks is named."""
    (event,), cursor = await pulled(Shown(change), "business_partners", AFTERNOON)
    assert (event.subject, gone(event)) == ("7", missing)
    # Others of that day, changed after the last one that was seen, are still to come.
    assert cursor == AFTERNOON
    (again,), _ = await pulled(Shown(change), "business_partners", cursor)
    assert again.external_id == event.external_id
    (other,), _ = await pulled(Shown({**change, "SearchTerm1": "NEW"}), "business_partners", cursor)
    assert other.external_id != event.external_id


@pytest.mark.usefixtures("narrow")
async def test_who_gives_all_partners_whatever_is_asked_for_is_not_asked_for_ever() -> None:
    whole = {"LastChangeDate": DAY, "LastChangeTime": "PT15H00M00S"}
    with pytest.raises(OutcomeUnknown) as refusal:
        await pulled(Shown(*[whole] * 25), "business_partners")
    assert refusal.value.code == "foreign-answer"


async def test_a_partner_without_its_time_never_hides_another_one_of_that_day() -> None:
    whole = {"LastChangeDate": DAY, "LastChangeTime": "PT15H00M00S"}
    events, cursor = await pulled(Shown({"LastChangeDate": DAY}, whole), "business_partners", AFTERNOON)
    assert [event.subject for event in events] == ["7", "8"]
    assert str(cursor).startswith("2026-01-31T15:00:00Z business_partner:8:")


async def test_what_was_surely_not_changed_since_is_left_out() -> None:
    """A partner that was never changed says so, by a day of none."""
    never = {"LastChangeDate": None, "LastChangeTime": None}
    known = {"LastChangeDate": DAY, "LastChangeTime": "PT13H00M00S"}
    before = {"LastChangeDate": "/Date(1769731200000)/"}
    assert await pulled(Shown(never, known, before), "business_partners", AFTERNOON) == ([], AFTERNOON)
    (event,), _ = await pulled(Shown(never), "business_partners")
    assert gone(event) == set()


class Shuffled:
    """Answers with rows that are not in their order."""

    settings = CONNECTOR.settings.model_validate({"base_url": "https://x", "user": "U", "password": "p"})

    def __init__(self, *moments: int) -> None:
        self.moments = moments

    async def send(self, request: Request) -> Response:
        rows = [
            {"SalesOrder": str(place), "LastChangeDateTime": f"/Date({moment}+0000)/"}
            for place, moment in enumerate(self.moments)
        ]
        return Response(status=200, body=dumps({"d": {"results": rows, "__count": str(len(rows))}}))


async def test_rows_out_of_order_are_nobody_s_answer() -> None:
    with pytest.raises(OutcomeUnknown):
        await pulled(Shuffled(1769817600000, 1769817500000), "sales_orders")


async def test_a_page_that_lacks_a_row_is_nobody_s_answer() -> None:
    class Short(Shuffled):
        async def send(self, request: Request) -> Response:
            whole = await super().send(request)
            return Response(status=200, body=whole.body.replace(b'"__count":"1"', b'"__count":"2"'))

    with pytest.raises(OutcomeUnknown):
        await pulled(Short(1769817600000), "sales_orders")


async def test_all_partners_are_listed_once_whatever_their_numbers() -> None:
    (listing,) = CONNECTOR.listings
    async with linked() as link:
        customers = [{"number": str(number), "name": "Z"} for number in (7, 80, 900, *range(1_500_000, 1_500_205))]
        await link.seed(customers=customers)
        pages = [page async for page in listing.pull(link.connected, None, LONG_AGO)]
        subjects = [event.subject for page in pages for event in page.events]
        assert sorted(subjects) == sorted(row["BusinessPartner"] for row in link.rows("A_BusinessPartner"))
        assert len(pages) == 3
        further = [page async for page in listing.pull(link.connected, pages[1].cursor, LONG_AGO)]
        assert [page.cursor for page in further] == [pages[2].cursor]
