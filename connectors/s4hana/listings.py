"""All business partners as they stand, for who has them all carried over: behind a number, one page after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime

from connectors.s4hana.client import pages_behind
from connectors.s4hana.marks import number
from connectors.s4hana.moments import joined
from connectors.s4hana.odata import answers
from connectors.s4hana.odata.literals import condition
from connectors.s4hana.odata.values import shown_entity
from connectors.s4hana.partners import DEEP, PARTNERS, SCHEMA
from hub.sdk.connector import Listing, Page, Record
from hub.sdk.session import Session
from hub.sdk.values import InboundEvent

PAGE_ROWS = 100
#: Gateway's days begin then.
_FIRST = date(1753, 1, 1)
_EVENT = "s4hana.business_partner.listed"


async def partners(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    """Yield the partners that were made since a day, in the order of their numbers; the cursor is the last number."""
    made = condition(PARTNERS, "CreationDate", "ge", max(since.date(), _FIRST))
    reading = answers.expanded(shown_entity)
    async for page in pages_behind(
        session, PARTNERS, cursor or "", wanted=made, rows=PAGE_ROWS, read=reading, deep=DEEP
    ):
        yield Page(events=[_event(row) for row in page.rows], cursor=str(page.rows[-1]["BusinessPartner"]))


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
