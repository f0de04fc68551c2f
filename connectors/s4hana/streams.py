"""What was changed in S/4HANA, oldest first: by the moment of the last change, or for partners by its day and time.

Where documents change while they are read, pages that count rows would leave some out. So every page is the first one
of a new query from the last row's moment on, and rows of that moment are known by their key.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from connectors.s4hana.client import read_all, settings_of
from connectors.s4hana.ledger import ACCOUNTS
from connectors.s4hana.marks import key_part, number
from connectors.s4hana.moments import MOMENT, changed_at, is_exact, latest, moment_of
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.literals import any_of, condition
from connectors.s4hana.odata.model import EntitySet, entity_set
from connectors.s4hana.odata.values import shown_entity, told
from connectors.s4hana.partners import PARTNERS
from connectors.s4hana.products import PRODUCTS
from connectors.s4hana.shapes import NONE_YET, head_of
from hub.sdk.connector import Page, Record, Stream
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.exact_json import canonical
from hub.sdk.session import Session
from hub.sdk.values import InboundEvent

#: A change is seen when its transaction ends, which may be later than the time it bears.
OVERLAP = timedelta(minutes=5)
PAGE_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The changes of one set: what its events are called (`sales_order`), and the set."""

    called: str
    entity: EntitySet

    async def pull(self, session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
        """Yield changes up to now; the cursor is the moment and the key of the last one read."""
        moment, last = _place(cursor, since)
        seen, skip = {last}, 0
        while True:
            rows, whole = await self._page(session, moment, skip)
            events = [event for row in rows if (event := self.event(row)).external_id not in seen]
            if any(one.occurred_at > other.occurred_at for one, other in pairwise(events)):
                raise OutcomeUnknown("The changes are not given in their order.", code="unreadable-answer")
            if events:
                newest = events[-1].occurred_at
                skip = skip + len(rows) if newest == moment else 0
                seen = {event.external_id for event in events} | (seen if newest == moment else set())
                moment = newest
                yield Page(events=events, cursor=f"{told(moment)} {events[-1].external_id}")
            else:
                skip += len(rows)
            if whole or not rows:
                return

    async def _page(self, session: Session, moment: datetime, skip: int) -> tuple[list[dict[str, Any]], bool]:
        """Read the first rows from a moment on; also tells whether they are all there are."""
        request = requests.many(
            settings_of(session).base_url,
            self.entity,
            filter=condition(self.entity, MOMENT, "ge", moment),
            order=",".join((MOMENT, *self.entity.keys)),
            top=PAGE_ROWS,
            skip=skip,
        )
        # What a row shows is compared when its event is taken in: who reads it strictly would lose what others tell.
        page = answers.page(self.entity, await session.send(request), request.url, shown_entity)
        short = page.next is None and len(page.rows) < PAGE_ROWS
        if short and page.count not in (None, skip + len(page.rows)):
            raise OutcomeUnknown("A page of changes came incomplete.", code="unreadable-answer", set=self.entity.name)
        return page.rows, short

    def event(self, row: Record) -> InboundEvent:
        """Make the event of a row; what a flow needs of it, it reads back."""
        key = "/".join(key_part(name, row.get(name, "")) for name in self.entity.keys)
        occurred = moment_of(self.entity, row)
        return InboundEvent(
            external_id=f"{self.called}:{key}:{told(occurred)}",
            type=f"s4hana.{self.called}.changed",
            occurred_at=occurred,
            data=row,
            subject=key,
            schema=head_of(self.called),
            record=row,
        )


async def partners(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    """Yield partners that were made or changed since a day, which is all that can be asked; known ones are left out.

    One that does not tell its time of day may have been changed up to the end of it: it is given at each look, as the
    same event while it stands as it is, and never moves the cursor beyond others of that day.
    """
    moment, last = _place(cursor, since)
    day = moment.date().isoformat()
    wanted = any_of([condition(PARTNERS, name, "ge", day) for name in ("LastChangeDate", "CreationDate")])
    rows = await read_all(session, PARTNERS, filter=wanted, order="BusinessPartner", read=_shown)
    found = [_partner(row) for row in rows if _may_be_new(row, moment)]
    events = sorted(found, key=lambda event: (event.occurred_at, event.external_id))
    events = [event for event in events if event.external_id != last]
    for place in range(0, len(events), PAGE_ROWS):
        part = events[place : place + PAGE_ROWS]
        if part[-1].occurred_at >= moment:
            moment, last = part[-1].occurred_at, part[-1].external_id
        yield Page(events=part, cursor=f"{told(moment)} {last}")


def _shown(entity: EntitySet, value: Any) -> dict[str, Any]:
    """Show a partner with a change that is shown as none, which is another thing than one that is not shown."""
    nothing = {name: None for name in NONE_YET if isinstance(value, Mapping) and value.get(name, "") is None}
    return shown_entity(entity, value) | nothing


def _may_be_new(row: Record, moment: datetime) -> bool:
    changed = latest(PARTNERS, row)
    return changed is None or changed >= moment or "LastChangeDate" not in row


def _partner(row: Record) -> InboundEvent:
    occurred = changed_at(PARTNERS, row)
    if occurred is None:
        raise answers.unreadable(PARTNERS, "CreationDate", None, "When a partner was changed is not told.")
    key = number(row["BusinessPartner"])
    # Without its time, two changes of one day differ in nothing but what they made of the partner.
    state = "" if is_exact(row) else f":{hashlib.sha256(canonical(row)).hexdigest()[:16]}"
    return InboundEvent(
        external_id=f"business_partner:{key}:{told(occurred)}:{row.get('ETag', '')}{state}",
        type="s4hana.business_partner.changed",
        occurred_at=occurred,
        data=row,
        subject=key,
        schema=head_of("business_partner"),
        record=row,
    )


def _place(cursor: str | None, since: datetime) -> tuple[datetime, str]:
    if cursor is None:
        # Gateway's dates begin in 1753.
        return max(since, datetime(1970, 1, 1, tzinfo=UTC)), ""
    moment, _, last = cursor.partition(" ")
    return datetime.fromisoformat(moment), last


def _stream(name: str, title: str, pull: Callable[[Session, str | None, datetime], AsyncIterator[Page]]) -> Stream:
    return Stream(name=name, title=title, pull=pull, overlap=OVERLAP)


SALES_ORDERS = Changes(called="sales_order", entity=entity_set("API_SALES_ORDER_SRV", "A_SalesOrder"))
CREDIT_MEMO_REQUESTS = Changes(
    called="credit_memo_request", entity=entity_set("API_CREDIT_MEMO_REQUEST_SRV", "A_CreditMemoRequest")
)
BILLING_DOCUMENTS = Changes(
    called="billing_document", entity=entity_set("API_BILLING_DOCUMENT_SRV", "A_BillingDocument")
)
STREAMS = (
    _stream("business_partners", "Business partners that were made or changed", partners),
    _stream("sales_orders", "Sales orders that were made or changed", SALES_ORDERS.pull),
    _stream("credit_memo_requests", "Credit memo requests that were made or changed", CREDIT_MEMO_REQUESTS.pull),
    _stream("billing_documents", "Billing documents that were made or changed", BILLING_DOCUMENTS.pull),
    _stream("products", "Products that were made or changed", Changes(called="product", entity=PRODUCTS).pull),
    _stream(
        "gl_accounts", "G/L accounts that were made or changed", Changes(called="gl_account", entity=ACCOUNTS).pull
    ),
)
