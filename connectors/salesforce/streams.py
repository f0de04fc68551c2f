"""What was changed in Salesforce, oldest first, by the time of its last change.

Every page is a new query behind the last row, so that a record that is changed once more meanwhile moves no other out
of sight, and no cursor of Salesforce's can end. What lies in the recycle bin is asked for too: a deletion is a change.
What does not lie there any more is told by the log of deletions alone (`deletions`), under the same name.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.salesforce.amounts import CURRENCY
from connectors.salesforce.answers import is_id, moment, plain, rows_of
from connectors.salesforce.client import settings_of
from connectors.salesforce.describing import columns, with_currency
from connectors.salesforce.expected import assert_expected
from connectors.salesforce.kinds import KINDS, Kind
from connectors.salesforce.settings import SalesforceSettings
from connectors.salesforce.soql import asked, select, text
from hub.sdk.answers import read_object
from hub.sdk.connector import Page, Stream
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import canonical, dumps, loads
from hub.sdk.session import Session
from hub.sdk.values import InboundEvent

#: A change is seen when its transaction ends, which may take minutes, and bears the time at which it was saved.
OVERLAP = timedelta(minutes=10)
#: Rows of one page; Salesforce gives fewer where they are wide.
PAGE_ROWS = 2000
_MERGED = "MasterRecordId"
#: What leads to whoever did something, and to nobody's business.
_NO_PARENTS = frozenset({_MERGED, "OwnerId", "CreatedById", "LastModifiedById", "ActivatedById", "RecordTypeId"})
_Pull = Callable[[Session, str | None, datetime], AsyncIterator[Page]]
#: How far an object was read: the time of the last row, and its id.
Place = tuple[str, str]


async def page_of(
    session: Session, object: str, place: Place, *, deleted: bool = True, made: bool = False
) -> tuple[list[dict[str, Any]], Mapping[str, str], bool]:
    """Read one page of an object behind a place; gives rows, the fields that were read, and whether it was the last.

    Rows come by the time of their last change, with `made` by that of their making. What the object has is asked again
    behind them, and they are read anew until that is what they were asked for: a new field stands in the first change
    that has it, and an amount that names no currency is in the org's own for as long as the org has no other.
    """
    learned = settings_of(session).learned
    for _ in range(3):
        fresh = object not in learned.columns
        if fresh:
            learned.columns[object] = await columns(session, object)
        fields = learned.columns[object]
        try:
            rows, last = await _ask(session, object, fields, place, deleted=deleted, made=made)
        except FixData as error:
            if error.facts.get("error") != "INVALID_FIELD" or fresh:
                raise
            # A field was taken away, or hidden from the user, since it was asked what there is.
            del learned.columns[object]
            continue
        if rows:
            learned.columns[object] = await columns(session, object)
        if not rows or learned.columns[object] == fields:
            return rows, fields, last
    raise OutcomeUnknown("The object changes while it is read.", code="object-changes", object=object)


def changes(kind: Kind) -> _Pull:
    """Make the reading of one object's changes."""

    async def pull(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
        """Yield changes as they are now; the cursor is the time and the id of the last one read."""
        place = _begun(since) if cursor is None else _place(cursor)
        last = False
        while not last:
            rows, fields, last = await page_of(session, kind.object, place)
            if rows:
                place = behind(rows, place)
                events = [await _event(session, row, kind.object, kind, fields) for row in rows]
                yield Page(events=events, cursor=" ".join(place))

    return pull


async def own_objects(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    """Yield changes of the custom objects that the settings name; the cursor has a place in each of them.

    Raises `FixData` as `expected-field-gone` before an event lacks what the settings expect.
    """
    places: dict[str, Place] = {} if cursor is None else {name: _place(at) for name, at in loads(cursor).items()}
    for object in settings_of(session).objects:
        place, last = places.get(object, _begun(since)), False
        while not last:
            rows, fields, last = await page_of(session, object, place)
            assert_expected(settings_of(session), object, fields)
            if rows:
                places[object] = place = behind(rows, place)
                events = [await _event(session, row, object, None, fields) for row in rows]
                marked = dumps({name: " ".join(at) for name, at in sorted(places.items())}).decode()
                yield Page(events=events, cursor=marked)


def behind(rows: Sequence[Mapping[str, Any]], place: Place, *, by: str = "SystemModstamp") -> Place:
    """Give the place behind a page; raises where its rows are not in their order, or lead nowhere."""
    times = [moment(row[by]) for row in rows]
    if times != sorted(times) or len({row["Id"] for row in rows}) < len(rows):
        raise OutcomeUnknown("The changes are not given in their order.", code="unreadable-answer")
    found = (written(times[-1]), str(rows[-1]["Id"]))
    if found == place or found[0] < place[0]:
        raise OutcomeUnknown("A page of changes came again.", code="unreadable-answer")
    return found


def written(at: datetime) -> str:
    """Give a time as it stands in a query."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


async def _ask(
    session: Session, object: str, fields: Mapping[str, str], place: Place, *, deleted: bool, made: bool
) -> tuple[list[dict[str, Any]], bool]:
    by = "CreatedDate" if made else "SystemModstamp"
    at, id = place
    where = f"{by} > {at}" if not id else f"({by} > {at} OR ({by} = {at} AND Id > {text(id)}))"
    query = select(fields, object, where=where, order=f"{by}, Id", limit=PAGE_ROWS)
    response = await session.send(asked(settings_of(session), query, deleted=deleted))
    answer = read_object(response)
    rows = [plain(row) for row in rows_of(answer, status=response.status)]
    if any(not is_id(row.get("Id")) or by not in row for row in rows):
        raise OutcomeUnknown("A row of changes cannot be read.", code="unreadable-answer")
    if (answer["done"] and len(rows) != answer["totalSize"]) or not (rows or answer["done"]):
        raise OutcomeUnknown("A page of changes came incomplete.", code="unreadable-answer")
    # A page may be cut because its rows are wide: the next one is asked for behind it.
    return rows, answer["done"] and len(rows) < PAGE_ROWS


def deletion(
    settings: SalesforceSettings,
    object: str,
    name: str,
    id: str,
    at: datetime,
    *,
    row: Mapping[str, Any] | None = None,
    fields: Mapping[str, str] | None = None,
) -> InboundEvent:
    """Tell of a deletion; whoever tells of it, by the list of changes or by the log of deletions, names it alike.

    `row` is the record as it lies in the recycle bin, with its `fields` by their types; of one that is there no longer
    nobody knows what it led to (`parents` is null), nor which id it had elsewhere.
    """
    data: dict[str, Any] = {"object": object, "id": id, "merged_into": None, "external_id": None, "parents": None}
    if row is not None:
        data["merged_into"] = row.get(_MERGED)
        data["external_id"] = row.get(settings.external_id_of(object))
        data["parents"] = {field: row.get(field) for field in leads(fields or {})}
    return InboundEvent(
        external_id=f"{object}:{id}:{written(at)}:deleted",
        type=f"salesforce.{name}.deleted",
        occurred_at=at,
        subject=id,
        data=data,
    )


def leads(fields: Mapping[str, str]) -> list[str]:
    """Give the fields of an object that lead to other business records."""
    return sorted(name for name, type in fields.items() if type == "reference" and name not in _NO_PARENTS)


async def _event(
    session: Session, row: dict[str, Any], object: str, kind: Kind | None, fields: Mapping[str, str]
) -> InboundEvent:
    changed, name = moment(row["SystemModstamp"]), object.lower() if kind is None else kind.name
    if row.get("IsDeleted") is True:
        return deletion(settings_of(session), object, name, row["Id"], changed, row=row, fields=fields)
    # Within one second a record may change more than once.
    content = hashlib.sha256(canonical(row)).hexdigest()[:16]
    money = "currency" in fields.values() or (kind is not None and kind.money)
    record = await with_currency(session, row, named=CURRENCY in fields) if money else row
    as_made = row.get("CreatedDate") == row.get("SystemModstamp")
    return InboundEvent(
        external_id=f"{object}:{row['Id']}:{written(changed)}:{content}",
        type=f"salesforce.{name}.changed",
        occurred_at=changed,
        subject=row["Id"],
        data={"object": object, "id": row["Id"], "as_made": as_made, "record": record},
        schema=None if kind is None else kind.schema,
        record=record,
    )


def _begun(since: datetime) -> Place:
    return written(since - timedelta(seconds=1)), ""


def _place(cursor: str) -> Place:
    at, _, id = cursor.partition(" ")
    return at, id


def _plural(kind: Kind) -> str:
    return "price_book_entries" if kind.name == "price_book_entry" else f"{kind.name}s".replace("ys", "ies")


STREAMS = (
    *(
        Stream(
            name=_plural(kind),
            title=f"Changes of {kind.object}, and what lies in the recycle bin",
            pull=changes(kind),
            overlap=OVERLAP,
        )
        for kind in KINDS
    ),
    Stream(name="own_objects", title="Changes of the org's own objects", pull=own_objects, overlap=OVERLAP),
)
