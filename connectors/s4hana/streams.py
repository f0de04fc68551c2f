"""What was changed in S/4HANA, oldest first: by the moment of the last change, or for partners by its day and time.

Where documents change while they are read, pages that count rows would leave some out. So every page is the first one
of a new query from the last row's moment on, and rows of that moment are known by their key.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote, unquote

from connectors.s4hana.client import pages_behind, settings_of
from connectors.s4hana.ledger import ACCOUNTS
from connectors.s4hana.marks import key_part, number
from connectors.s4hana.moments import MOMENT, changed_at, is_exact, latest, moment_of
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.literals import all_of, any_of, condition
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
#: So many partners are held at once, and brought into the order of their changes.
MOST_AT_ONCE = 10_000
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The changes of one set: what its events are called (`sales_order`), and the set."""

    called: str
    entity: EntitySet

    async def pull(self, session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
        """Yield changes up to now; the cursor is the moment and the key of the last one read."""
        moment, last, _ = _place(cursor, since)
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
    """Yield partners that were made or changed since a day, oldest first; known ones of that day are left out.

    More of them than one look holds are read span by span, as short as it takes: of days, and then of times of day. So
    many of one second come in the order of their numbers, and the cursor names the last one of them too.

    One that does not tell its time of day may have been changed up to the end of it: it is given at each look, as the
    same event while it stands as it is, and never moves the cursor beyond others of that day.
    """
    reached = _Reached(*_place(cursor, since))
    begin, width = reached.moment.replace(microsecond=0), _DAY
    if reached.number:
        async for page in _second(session, reached, begin, reached.number):
            yield page
        begin += _SECOND
    while (rows := await _few(session, begin, None)) is None:
        end = _end(begin, width)
        while (rows := await _few(session, begin, end)) is None and end - begin > _SECOND:
            width = max((end - begin) // 2 // _SECOND * _SECOND, _SECOND)
            end = _end(begin, width)
        if rows is None:
            async for page in _second(session, reached, begin):
                yield page
        else:
            for page in reached.pages(rows, begin, end):
                yield page
        begin, width = end, 2 * width
    for page in reached.pages(rows, begin, None):
        yield page


@dataclass(slots=True)
class _Reached:
    """How far partners were read: the moment and the event of the last one, and its number within one second."""

    moment: datetime
    last: str
    number: str = ""

    @property
    def cursor(self) -> str:
        """Give the cursor that says so."""
        return f"{told(self.moment)}{'>' if self.number else ''}{quote(self.number)} {self.last}"

    def pages(self, rows: Sequence[Record], begin: datetime, end: datetime | None) -> Iterator[Page]:
        """Give the partners that may have been changed last within a span, oldest first."""
        begin = max(begin, self.moment)
        found = [_partner(row) for row in rows if _may_be_of(row, begin, end)]
        events = sorted(found, key=lambda event: (event.occurred_at, event.external_id))
        events = [event for event in events if event.external_id != self.last]
        for place in range(0, len(events), PAGE_ROWS):
            part = events[place : place + PAGE_ROWS]
            if part[-1].occurred_at >= self.moment:
                self.moment, self.last, self.number = part[-1].occurred_at, part[-1].external_id, ""
            yield Page(events=part, cursor=self.cursor)


async def _second(session: Session, reached: _Reached, begin: datetime, number: str = "") -> AsyncIterator[Page]:
    """Yield the partners of one second in the order of their numbers, behind the one that was reached in it."""
    async for page in _behind(session, begin, begin + _SECOND, number):
        if not all(_is_of(row, begin.date().isoformat()) for row in page.rows):
            raise OutcomeUnknown("A partner came that was not asked for.", code="foreign-answer")
        events = [_partner(row) for row in page.rows if _may_be_of(row, begin, begin + _SECOND)]
        if events:
            reached.moment, reached.last = begin, events[-1].external_id
            reached.number = str(page.rows[-1]["BusinessPartner"])
            yield Page(events=events, cursor=reached.cursor)


async def _few(session: Session, begin: datetime, end: datetime | None) -> list[Record] | None:
    """Read the partners of a span; None where there are more than one look holds."""
    found: list[Record] = []
    async with aclosing(_behind(session, begin, end)) as pages:
        async for page in pages:
            if len(found) + (page.count or 0) > MOST_AT_ONCE:
                return None
            found += page.rows
    return found


def _behind(
    session: Session, begin: datetime, end: datetime | None, number: str = ""
) -> AsyncGenerator[answers.Page, None]:
    either = [_changed(kind, begin, end) for kind in ("LastChange", "Creation")]
    return pages_behind(session, PARTNERS, number, wanted=any_of(either), rows=PAGE_ROWS, read=_shown)


def _changed(kind: str, begin: datetime, end: datetime | None) -> str:
    """Form the condition on a day, and within one day on its times; what has no end is asked for by its day alone."""
    day, time = f"{kind}Date", f"{kind}Time"
    if end is None:
        return condition(PARTNERS, day, "ge", begin.date())
    if end - begin >= _DAY:
        return all_of([condition(PARTNERS, day, "ge", begin.date()), condition(PARTNERS, day, "lt", end.date())])
    return all_of(
        [
            condition(PARTNERS, day, "eq", begin.date()),
            condition(PARTNERS, time, "ge", f"{begin:PT%HH%MM%SS}"),
            condition(PARTNERS, time, "le", f"{end - _SECOND:PT%HH%MM%SS}"),
        ]
    )


def _end(begin: datetime, width: timedelta) -> datetime:
    """Give the end of a span: of whole days from a midnight on, else within the day."""
    midnight = begin.replace(hour=0, minute=0, second=0) + _DAY
    if begin == midnight - _DAY and width >= _DAY:
        return begin + width // _DAY * _DAY
    return min(begin + width, midnight)


def _shown(entity: EntitySet, value: Any) -> dict[str, Any]:
    """Show a partner with a change that is shown as none, which is another thing than one that is not shown."""
    nothing = {name: None for name in NONE_YET if isinstance(value, Mapping) and value.get(name, "") is None}
    return shown_entity(entity, value) | nothing


def _may_be_of(row: Record, begin: datetime, end: datetime | None) -> bool:
    """Tell whether a partner may have been changed last within a span, or does not tell when."""
    changed, first = latest(PARTNERS, row), changed_at(PARTNERS, row)
    if changed is None or first is None or "LastChangeDate" not in row:
        return True
    return changed >= begin and (end is None or first < end)


def _is_of(row: Record, day: str) -> bool:
    """Tell whether a partner was made or changed last on a day, or does not tell."""
    return "LastChangeDate" not in row or day in (row["LastChangeDate"], row.get("CreationDate"))


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


def _place(cursor: str | None, since: datetime) -> tuple[datetime, str, str]:
    """Read a cursor: the moment, the last event, and the number of its partner where others of its second follow."""
    if cursor is None:
        # Gateway's dates begin in 1753.
        return max(since, datetime(1970, 1, 1, tzinfo=UTC)), "", ""
    place, _, last = cursor.partition(" ")
    moment, _, number = place.partition(">")
    return datetime.fromisoformat(moment), last, unquote(number)


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
