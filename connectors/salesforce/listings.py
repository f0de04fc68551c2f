"""All records of an object as they stand, by a bulk query: Salesforce makes the list once, and gives it page by page.

The cursor names the job and the page behind it, so that whoever is killed goes on with the same list. It stays for
seven days; where it is gone, it is made anew, and what was taken before is known by record and content.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from connectors.salesforce import csv_files
from connectors.salesforce.amounts import CURRENCY
from connectors.salesforce.answers import is_id, moment
from connectors.salesforce.client import reading, settings_of, writing
from connectors.salesforce.describing import columns, with_currencies
from connectors.salesforce.kinds import Kind, kind_of
from connectors.salesforce.logins import is_same_id
from connectors.salesforce.soql import select
from connectors.salesforce.streams import written
from hub.sdk.answers import read_object
from hub.sdk.connector import Listing, Page
from hub.sdk.errors import FixData, OutcomeUnknown, RetryLater
from hub.sdk.limit_headers import http_date
from hub.sdk.session import Session
from hub.sdk.values import InboundEvent, Request, Response

#: Rows of one page where nobody asks for more: few enough to be held at once, and many enough for a call of the day's.
PAGE_ROWS = 250
#: Seconds until a list that is still being made is asked for again: soon while it is young, and a quarter of its age
#: later then, so that a list of seconds is not waited for much longer, and one of hours does not cost a call a second.
FIRST_LOOK, LAST_LOOK = 0.25, 10.0
#: In a cursor, behind the last page.
_END = "end"
_MADE, _FAILED = "JobComplete", frozenset({"Failed", "Aborted"})


class Pull(Protocol):
    """Lists the records of one object, so many `rows` in a page or as many as it has by itself."""

    def __call__(
        self, session: Session, cursor: str | None, since: datetime, rows: int | None = None, /
    ) -> AsyncIterator[Page]:
        """Yield its pages."""
        ...


def all_of(kind: Kind) -> Pull:
    """Make the listing of an object."""

    async def pull(
        session: Session, cursor: str | None, since: datetime, rows: int | None = None, /
    ) -> AsyncIterator[Page]:
        """Yield all records that were made since then, in Salesforce's order, so many `rows` in a page.

        Raises `RetryLater` as `job-unfinished` while the list is being made; the page before, without events, has
        named it by then.
        """
        types = await columns(session, kind.object)
        job, _, locator = (cursor or "").partition(" ")
        if job and locator != _END and not await _is_there(session, job):
            job, locator = "", ""
        if not job:
            job = await _ordered(session, kind, types, since)
            yield Page(events=[], cursor=job)
        if locator == _END:
            return
        await _wait_for(session, job)
        while locator != _END:
            found, behind = await _page(session, job, locator, types, rows or PAGE_ROWS)
            if CURRENCY in types and any(CURRENCY not in record for record in found):
                # The list was ordered while the org had one currency.
                job, locator = await _ordered(session, kind, types, since), ""
                yield Page(events=[], cursor=job)
                await _wait_for(session, job)
                continue
            locator = behind
            money = kind.money or "currency" in types.values()
            records = await with_currencies(session, found, named=CURRENCY in types) if money else found
            yield Page(events=[_event(record, kind) for record in records], cursor=f"{job} {locator}")

    return pull


def count_of(kind: Kind) -> Callable[[Session, datetime, datetime], Awaitable[int]]:
    """Make the count of an object's records."""

    async def count(session: Session, since: datetime, until: datetime) -> int:
        """Count the records that were made in a span, both ends included."""
        # A query's times have three places, and the first moment is not before the span.
        begin = written(since + timedelta(microseconds=999))
        where = f"CreatedDate >= {begin} AND CreatedDate <= {written(until)}"
        query = select(["COUNT()"], kind.object, where=where)
        answer = read_object(await session.send(reading(settings_of(session), "query", query={"q": query})))
        total = answer.get("totalSize")
        if isinstance(total, bool) or not isinstance(total, int) or answer.get("records") != []:
            raise OutcomeUnknown("The answer is not a count.", code="unreadable-answer")
        return total

    return count


async def _ordered(session: Session, kind: Kind, types: Mapping[str, str], since: datetime) -> str:
    """Order the list; gives the job that makes it. One that is ordered twice is made twice, and harms nobody."""
    query = select(types, kind.object, where=f"CreatedDate >= {written(since)}")
    body = {
        "operation": "query",
        "query": query,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    job = read_object(await session.send(writing(settings_of(session), "POST", "jobs", "query", body=body)))
    if not is_id(job.get("id")):
        raise OutcomeUnknown("The answer is not a job.", code="unreadable-answer")
    return str(job["id"])


async def _is_there(session: Session, job: str) -> bool:
    try:
        return _state(await session.send(reading(settings_of(session), "jobs", "query", job)), job) not in _FAILED
    except FixData as error:
        if error.code != "not-found":
            raise
        return False


async def _wait_for(session: Session, job: str) -> None:
    response = await session.send(reading(settings_of(session), "jobs", "query", job))
    state = _state(response, job)
    if state in _FAILED:
        raise OutcomeUnknown("Salesforce could not make the list; it is ordered anew.", code="job-failed", job=job)
    if state != _MADE:
        raise RetryLater(
            "Salesforce has not finished the list.",
            code="job-unfinished",
            after=next_look(response),
            job=job,
            state=state,
        )


def next_look(response: Response) -> float:
    """Give in how many seconds a job is looked at again, by its age, which is told by Salesforce's own clock."""
    made, now = read_object(response).get("createdDate"), http_date(response.headers.get("date", ""))
    age = 0.0 if made is None or now is None else (now - moment(made)).total_seconds()
    return min(max(age / 4, FIRST_LOOK), LAST_LOOK)


def _state(response: Response, job: str) -> str:
    told = read_object(response)
    if not is_id(told.get("id")) or not isinstance(told.get("state"), str):
        raise OutcomeUnknown("The answer is not a job.", code="unreadable-answer")
    if not is_same_id(told["id"], job):
        raise OutcomeUnknown("The answer is about another job.", code="foreign-answer")
    return str(told["state"])


async def _page(
    session: Session, job: str, locator: str, types: Mapping[str, str], most: int
) -> tuple[list[dict[str, Any]], str]:
    """Read a page of a list and where the next one is; each begins with the names of its columns."""
    query = {"maxRecords": str(most), **({"locator": locator} if locator else {})}
    request = reading(settings_of(session), "jobs", "query", job, "results", query=query)
    headers = {**request.headers, "accept": "text/csv"}
    response = await session.send(Request(method="GET", url=request.url, headers=headers))
    names, rows = csv_files.read(response)
    count, following = response.headers.get("sforce-numberofrecords", ""), response.headers.get("sforce-locator", "")
    if not count.isdigit() or int(count) != len(rows) or not following or following == locator:
        raise OutcomeUnknown("A page of the list came incomplete.", code="unreadable-answer", job=job)
    if not {"Id", "CreatedDate"} <= set(names):
        raise OutcomeUnknown("The list has no ids.", code="unreadable-answer", job=job)
    found = csv_files.typed(names, rows, types)
    if len({row["Id"] for row in found}) < len(found):
        raise OutcomeUnknown("A page of the list has a record twice.", code="unreadable-answer", job=job)
    return found, _END if following == "null" else following


def _event(record: dict[str, Any], kind: Kind) -> InboundEvent:
    if not is_id(record.get("Id")):
        raise OutcomeUnknown("A record in the list cannot be read.", code="unreadable-answer")
    return InboundEvent(
        external_id=record["Id"],
        type=f"salesforce.{kind.name}.listed",
        occurred_at=moment(record.get("CreatedDate")),
        subject=record["Id"],
        data={"object": kind.object, "id": record["Id"], "record": record},
        schema=kind.schema,
        record=record,
    )


def _listing(name: str, kind: Kind) -> Listing:
    pull = all_of(kind)
    return Listing(
        name=f"all_{name}",
        title=f"All records of {kind.object} as they stand",
        event=f"salesforce.{kind.name}.listed",
        pull=pull,
        count=count_of(kind),
        sized=pull,
    )


LISTINGS = (
    _listing("accounts", kind_of("account")),
    _listing("contacts", kind_of("contact")),
    _listing("products", kind_of("product")),
    _listing("price_book_entries", kind_of("price_book_entry")),
)
