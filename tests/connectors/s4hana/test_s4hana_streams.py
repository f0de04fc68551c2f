"""Changes are told oldest first, each once, however many bear one moment, and none is lost between two pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.s4hana import streams
from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.samples import ORDER
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
