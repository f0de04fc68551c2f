"""What was changed in NetSuite, oldest first, by the time of its last change: SuiteQL instead of webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from connectors.netsuite.answers import rows
from connectors.netsuite.client import PAGE_ROWS, SERVER_TIME, settings_of, suiteql
from hub.sdk.answers import read_object
from hub.sdk.connector import Page, Stream
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.session import Session
from hub.sdk.values import InboundEvent, Request

#: A change is seen when its transaction ends, which may be later than the time it bears.
OVERLAP = timedelta(minutes=5)
#: The latest seconds are left for the next reading: within one second more changes may follow.
UNFINISHED = timedelta(seconds=2)
#: Where summer time ends, an hour comes twice; so far back a reading begins when that is near.
_AROUND_SHIFT = timedelta(hours=3)
_FORM = "%Y-%m-%d %H:%M:%S"
_QUERY = """
SELECT :columns, TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS changed FROM :table
WHERE lastmodifieddate >= TO_DATE(?, 'YYYY-MM-DD HH24:MI:SS') AND lastmodifieddate < TO_DATE(?, 'YYYY-MM-DD HH24:MI:SS')
AND (TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') > ?
    OR TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') = ? AND id > ?)
ORDER BY changed, id
"""
_Pull = Callable[[Session, str | None, datetime], AsyncIterator[Page]]

#: When a customer was made tells whether anybody has changed it since.
_MADE = "made"
CUSTOMER_COLUMNS = (
    "id",
    "externalid",
    "entityid",
    "companyname",
    "email",
    "isinactive",
    "terms",
    "creditholdoverride",
    f"TO_CHAR(datecreated, 'YYYY-MM-DD HH24:MI:SS') AS {_MADE}",
)
TRANSACTION_COLUMNS = (
    "id",
    "externalid",
    "type",
    "tranid",
    "trandate",
    "entity",
    "currency",
    "foreigntotal",
    "status",
    "postingperiod",
)


def changes(table: str, columns: tuple[str, ...]) -> _Pull:
    """Make the reading of one table's changes."""
    query = _QUERY.replace(":columns", ", ".join(columns)).replace(":table", table)

    async def pull(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
        """Yield changes up to a few seconds ago; the cursor is the time and the id of the last one read.

        Every page is the first one of a new query behind the last row, so that a record which is changed once more
        meanwhile moves no other out of sight.
        """
        zone = ZoneInfo(settings_of(session).time_zone)
        moment, last = _place(cursor, since)
        if _is_near_shift(moment, zone):
            moment, last = moment - _AROUND_SHIFT, "0"
        end = await _server_time(session) - UNFINISHED
        behind, until = _local(moment, zone), _local(end, zone)
        while True:
            response = await session.send(suiteql(settings_of(session), query, [behind, until, behind, behind, last]))
            page = rows(response)
            events = [_event(table, row, zone) for row in page]
            if events:
                if (page[-1]["changed"], int(page[-1]["id"])) <= (behind, int(last)):
                    raise OutcomeUnknown("The changes are not given in their order.", code="unreadable-answer")
                behind, last = page[-1]["changed"], page[-1]["id"]
                yield Page(events=events, cursor=f"{_utc(behind, zone):%Y-%m-%dT%H:%M:%SZ} {last}")
            if not read_object(response).get("hasMore"):
                return
            if len(page) != PAGE_ROWS:
                raise OutcomeUnknown("A page of changes came incomplete.", code="unreadable-answer")

    return pull


async def _server_time(session: Session) -> datetime:
    url = f"{settings_of(session).base_url}{SERVER_TIME}"
    told = read_object(await session.send(Request(method="GET", url=url))).get("serverTime")
    try:
        return datetime.fromisoformat(str(told)).astimezone(UTC)
    except ValueError as error:
        raise OutcomeUnknown("NetSuite's time cannot be read.", code="unreadable-answer") from error


def _event(table: str, row: dict[str, Any], zone: tzinfo) -> InboundEvent:
    try:
        id, changed = str(int(row["id"])), str(row["changed"])
        data = {name: value for name, value in row.items() if name not in ("changed", _MADE)}
        if _MADE in row:
            # In NetSuite's own words for true and false, as all other columns.
            data["as_made"] = "T" if row[_MADE] == changed else "F"
        return InboundEvent(
            external_id=f"{table}:{id}:{changed}",
            type=f"netsuite.{table}.changed",
            occurred_at=_utc(changed, zone),
            data=data,
            subject=id,
        )
    except (KeyError, ValueError) as error:
        raise OutcomeUnknown("A row of changes cannot be read.", code="unreadable-answer") from error


def _place(cursor: str | None, since: datetime) -> tuple[datetime, str]:
    if cursor is None:
        return since - timedelta(seconds=1), "0"
    moment, _, last = cursor.partition(" ")
    return datetime.fromisoformat(moment), last


def _local(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime(_FORM)


def _utc(text: str, zone: tzinfo) -> datetime:
    return datetime.strptime(text, _FORM).replace(tzinfo=zone).astimezone(UTC)


def _is_near_shift(moment: datetime, zone: tzinfo) -> bool:
    around = (moment - _AROUND_SHIFT, moment, moment + _AROUND_SHIFT)
    return len({one.astimezone(zone).utcoffset() for one in around}) > 1


STREAMS = (
    Stream(
        name="customers",
        title="Customers that were made or changed",
        pull=changes("customer", CUSTOMER_COLUMNS),
        overlap=OVERLAP,
    ),
    Stream(
        name="transactions",
        title="Transactions that were made or changed",
        pull=changes("transaction", TRANSACTION_COLUMNS),
        overlap=OVERLAP,
    ),
)
