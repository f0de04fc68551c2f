"""What was deleted in Salesforce, by its log of deletions: also what has left the recycle bin, or never lay there.

The log tells ids and times, and goes back fifteen days, less where it has grown too long or an administrator has
emptied the bin. What lies before cannot be told any more; that is said of the object, so that people look after it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.salesforce.answers import is_id, moment
from connectors.salesforce.client import reading, settings_of
from connectors.salesforce.describing import columns
from connectors.salesforce.kinds import KINDS
from connectors.salesforce.soql import pages, select, text
from connectors.salesforce.streams import deletion, leads, written
from hub.sdk.answers import read_object
from hub.sdk.connector import Page, Stream
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import dumps, loads
from hub.sdk.limit_headers import http_date
from hub.sdk.session import Session
from hub.sdk.values import InboundEvent, Request

#: Salesforce tells of deletions for so long, counted from the day of the call.
KEPT = timedelta(days=15)
#: A reading that was longer ago than this has surely missed some, whatever the difference between two clocks.
MISSED = KEPT - timedelta(hours=1)
#: A span is longer than a minute, and its seconds count for nothing.
SHORTEST = timedelta(minutes=2)
#: How far back an object is read that the settings name since a moment ago.
FIRST_LOOK = timedelta(days=1)
#: A place at which nothing happens is moved on so often, that a reading does not begin ever further back.
MOVED_ON = timedelta(hours=1)
#: Events of one page, and ids that one query asks for.
PAGE_EVENTS = 400
_TOO_EARLY, _TOO_MANY = "INVALID_REPLICATION_DATE", "EXCEEDED_ID_LIMIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What the log told of a span: `id → when it was deleted`, and up to when nothing more can come of it.

    `begins_at` is given where the log no longer had what lay before it.
    """

    deleted: Mapping[str, datetime]
    covered: datetime
    begins_at: datetime | None = None


async def pull(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    """Yield deletions object by object; the cursor has a place in the log of each.

    An object that the org does not have, or that the user may not see, tells of nothing and keeps its place: the stream
    of its changes says so. Raises the first refusal of another kind once the other objects are read.
    """
    kept: dict[str, datetime] = {} if cursor is None else {name: moment(at) for name, at in loads(cursor).items()}
    now, refused = await _now(session), None
    names = {kind.object: kind.name for kind in KINDS}
    names = {name: name.lower() for name in settings_of(session).objects} | names
    places = dict.fromkeys(names, since if cursor is None else now - FIRST_LOOK) | kept
    for object, name in names.items():
        begin = places[object]
        try:
            span = await _read(session, object, begin, now)
        except FixData as error:
            if error.code != "not-found":
                refused = refused or error
            continue
        begins_at = span.begins_at
        async for events, is_last in _events(session, object, name, span):
            if is_last:
                places[object] = max(begin, span.covered)
            if events or begins_at:
                yield Page(events=events, cursor=_cursor(places), begins_at=begins_at, begins_of=object)
                kept, begins_at = dict(places), None
    if any(name not in kept or at - kept[name] > MOVED_ON for name, at in places.items()):
        yield Page(events=[], cursor=_cursor(places))
    if refused is not None:
        raise refused


async def _read(session: Session, object: str, begin: datetime, now: datetime) -> Span:
    """Read the log of an object from `begin` on; where it has no longer what lay there, from where it begins."""
    start = _floor(min(begin, now - SHORTEST))
    try:
        found, earliest = await _ask(session, object, max(start, _floor(now - KEPT)), now)
    except FixData as error:
        if error.facts.get("error") != _TOO_EARLY:
            raise
        # Where it begins is told with any span that it has.
        _, earliest = await _ask(session, object, _floor(now - SHORTEST), now)
        found, earliest = await _ask(session, object, max(start, earliest), now)
    earliest = max(earliest, _floor(now - KEPT))
    if earliest <= start:
        return found
    return Span(deleted=found.deleted, covered=found.covered, begins_at=earliest)


async def _ask(session: Session, object: str, begin: datetime, end: datetime) -> tuple[Span, datetime]:
    """Ask for one span, a part of it where that has too many; gives what was told, and where the log begins."""
    while True:
        query = {"start": written(begin), "end": written(end)}
        try:
            answer = read_object(
                await session.send(reading(settings_of(session), "sobjects", object, "deleted", query=query))
            )
        except (FixData, OutcomeUnknown) as error:
            too_many = error.facts.get("error") == _TOO_MANY or error.code == "answer-too-large"
            if not too_many or (end - begin) / 2 < SHORTEST:
                raise
            end = begin + (end - begin) / 2
            continue
        covered, earliest = moment(answer.get("latestDateCovered")), moment(answer.get("earliestDateAvailable"))
        rows = answer.get("deletedRecords")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and is_id(row.get("id")) for row in rows):
            raise OutcomeUnknown("The deletions cannot be read.", code="unreadable-answer", object=object)
        deleted = {str(row["id"]): moment(row.get("deletedDate")) for row in rows}
        if covered > end or len({id[:3] for id in deleted}) > 1:
            raise OutcomeUnknown("The deletions are not those of the span.", code="unreadable-answer", object=object)
        return Span(deleted=deleted, covered=covered), earliest


async def _events(
    session: Session, object: str, name: str, span: Span
) -> AsyncIterator[tuple[Sequence[InboundEvent], bool]]:
    """Tell of deletions part by part, by their time, and which part is the last; there is always one.

    What lies in the recycle bin is looked at, and what is back is left out.
    """
    if not span.deleted:
        yield [], True
        return
    settings, fields = settings_of(session), await columns(session, object)
    beside = ("IsDeleted", "MasterRecordId", settings.external_id_of(object))
    names = ["Id", "SystemModstamp", *(field for field in beside if field in fields), *leads(fields)]
    ids = sorted(span.deleted, key=lambda one: (span.deleted[one], one))
    for begin in range(0, len(ids), PAGE_EVENTS):
        part = ids[begin : begin + PAGE_EVENTS]
        rows = await _still_there(session, object, names, part)
        found: list[InboundEvent] = []
        for id in part:
            row = rows.get(id)
            if row is None:
                found.append(deletion(settings, object, name, id, span.deleted[id]))
            elif row.get("IsDeleted") is True:
                # By the time that the list of changes shows, so that both name it alike.
                at = moment(row.get("SystemModstamp"))
                found.append(deletion(settings, object, name, id, at, row=row, fields=fields))
        yield found, begin + PAGE_EVENTS >= len(ids)


async def _still_there(
    session: Session, object: str, names: Sequence[str], ids: Sequence[str]
) -> Mapping[str, Mapping[str, Any]]:
    query = select(names, object, where=f"Id IN ({', '.join(text(id) for id in ids)})")
    rows = [row async for page in pages(session, query, deleted=True) for row in page]
    if not {row.get("Id") for row in rows} <= set(ids):
        raise OutcomeUnknown("The answer is about other records.", code="foreign-answer", object=object)
    return {str(row["Id"]): row for row in rows}


async def _now(session: Session) -> datetime:
    """Ask for the time by the org's own clock; the list of versions bears it, and counts against no limit."""
    settings = settings_of(session)
    headers = {"accept": "application/json"}
    response = await session.send(Request(method="GET", url=f"{settings.base_url}/services/data", headers=headers))
    told = http_date(response.headers.get("date", ""))
    if told is None:
        raise OutcomeUnknown("The answer does not tell the time.", code="unreadable-answer", status=response.status)
    return told


def _floor(at: datetime) -> datetime:
    """Give the whole minute: the log tells no others."""
    return at.replace(second=0, microsecond=0)


def _cursor(places: Mapping[str, datetime]) -> str:
    return dumps({name: written(at) for name, at in sorted(places.items())}).decode()


DELETIONS = Stream(
    name="deletions",
    title="What was deleted, for good or into the recycle bin, in the last 15 days",
    pull=pull,
    keeps=MISSED,
)
