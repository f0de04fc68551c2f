"""All business partners as they stand, for who has them all carried over: behind a number, one page after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime

from connectors.s4hana.client import settings_of
from connectors.s4hana.marks import number
from connectors.s4hana.moments import joined
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.literals import all_of, condition
from connectors.s4hana.odata.values import shown_entity
from connectors.s4hana.partners import DEEP, PARTNERS, SCHEMA
from hub.sdk.connector import Listing, Page, Record
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.session import Session
from hub.sdk.values import InboundEvent

PAGE_ROWS = 100
#: Gateway's days begin then.
_FIRST = date(1753, 1, 1)
_EVENT = "s4hana.business_partner.listed"


async def partners(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    """Yield the partners that were made since a day, in the order of their numbers; the cursor is the last number.

    Every page is the first one of a new query behind the last number, so that none moves another out of sight.
    """
    base, last = settings_of(session).base_url, cursor or ""
    made = condition(PARTNERS, "CreationDate", "ge", max(since.date(), _FIRST))
    while True:
        wanted = all_of([made, condition(PARTNERS, "BusinessPartner", "gt", last)])
        asked = requests.many(base, PARTNERS, filter=wanted, order="BusinessPartner", top=PAGE_ROWS, deep=DEEP)
        page = answers.page(PARTNERS, await session.send(asked), asked.url, answers.expanded(shown_entity))
        keys = [str(row["BusinessPartner"]) for row in page.rows]
        if len(set(keys)) != len(keys) or last in keys:
            raise OutcomeUnknown("A partner came twice.", code="unreadable-answer")
        if page.count is None or page.count < len(keys):
            raise OutcomeUnknown("How many partners there are is not told.", code="unreadable-answer")
        cut = page.next is not None or len(keys) == PAGE_ROWS
        if not cut and page.count != len(keys):
            raise OutcomeUnknown("A page of partners came incomplete.", code="unreadable-answer")
        if keys:
            last = keys[-1]
            yield Page(events=[_event(row) for row in page.rows], cursor=last)
        if page.count == len(keys) or not keys:
            return


def _event(row: Record) -> InboundEvent:
    key = number(row["BusinessPartner"])
    return InboundEvent(
        external_id=key,
        type=_EVENT,
        occurred_at=joined(PARTNERS, row, "Creation"),
        data={"BusinessPartner": row["BusinessPartner"], "Customer": row.get("Customer", "")},
        subject=key,
        schema=SCHEMA,
        record=row,
    )


LISTINGS = (
    Listing(name="all_business_partners", title="All business partners as they stand", event=_EVENT, pull=partners),
)
