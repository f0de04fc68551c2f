"""How a session reads: one entity, or all pages of a collection, in the declared properties."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.answers import Reading
from connectors.s4hana.odata.literals import all_of, condition
from connectors.s4hana.odata.model import EntitySet
from connectors.s4hana.odata.values import read_entity
from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.session import Session

#: The most rows that one read holds.
MOST_ROWS = 50_000


def settings_of(session: Session) -> S4HanaSettings:
    """Give a session's settings with their type."""
    return cast(S4HanaSettings, session.settings)


async def read_one(session: Session, entity: EntitySet, key: Mapping[str, Any]) -> dict[str, Any]:
    """Read an entity with all that is declared below it; `FixData` where its parts come in pages."""
    request = requests.one(settings_of(session).base_url, entity, key)
    response = await session.send(request)
    with _not_in_pages():
        return answers.expanded(read_entity)(entity, answers.raw_entity(entity, response))


@contextmanager
def _not_in_pages() -> Iterator[None]:
    """Let a read end at once where a record's parts come in pages: they would come so each time."""
    try:
        yield
    except OutcomeUnknown as error:
        if error.code != answers.IN_PAGES:
            raise
        raise FixData(error.detail, code=answers.IN_PAGES, **error.facts) from error


async def read_all(
    session: Session, entity: EntitySet, *, most: int = MOST_ROWS, read: Reading = read_entity, **asked: Any
) -> list[dict[str, Any]]:
    """Read all rows of a collection, page by page as Gateway cuts them.

    `FixData` where there are more than `most`, or what belongs to a row comes in pages, since a part is no answer;
    `OutcomeUnknown` where a page repeats or leaves out rows.
    """
    found: list[dict[str, Any]] = []
    request = requests.many(settings_of(session).base_url, entity, **asked)
    count: int | None = None
    while True:
        response = await session.send(request)
        with _not_in_pages():
            page = answers.page(entity, response, request.url, read)
        found.extend(page.rows)
        count = page.count if count is None else count
        if len(found) > most:
            raise FixData("There are more rows than one read takes.", code="too-many-rows", set=entity.name, most=most)
        if page.next is None:
            break
        request = requests.following(entity, page.next)
    if count not in (None, len(found)) or not is_distinct(entity, found):
        # Also when rows came and went meanwhile: it is read once more.
        raise OutcomeUnknown("The rows came incomplete, or twice.", code="unreadable-answer", set=entity.name)
    return found


async def pages_behind(
    session: Session,
    entity: EntitySet,
    last: str,
    *,
    wanted: str,
    rows: int,
    read: Reading,
    deep: Sequence[str] = (),
) -> AsyncGenerator[answers.Page, None]:
    """Yield the pages of a set of one key, in the order of that key, from behind `last`; none of them is empty.

    Every page is the first one of a new query behind the last key, so that no row moves another out of sight. A page's
    count is of all rows behind the one before it.
    """
    (key,) = entity.keys
    base = settings_of(session).base_url
    while True:
        filter = all_of([wanted, condition(entity, key, "gt", last)])
        asked = requests.many(base, entity, filter=filter, order=key, top=rows, deep=deep)
        page = answers.page(entity, await session.send(asked), asked.url, read)
        keys = [str(row[key]) for row in page.rows]
        if len(set(keys)) != len(keys) or last in keys:
            raise OutcomeUnknown("A row came twice.", code="unreadable-answer", set=entity.name)
        if page.count is None or page.count < len(keys):
            raise OutcomeUnknown("How many rows there are is not told.", code="unreadable-answer", set=entity.name)
        cut = page.next is not None or len(keys) == rows
        if not cut and page.count != len(keys):
            raise OutcomeUnknown("A page came incomplete.", code="unreadable-answer", set=entity.name)
        if keys:
            last = keys[-1]
            yield page
        if page.count == len(keys) or not keys:
            return


def is_distinct(entity: EntitySet, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether no row is there twice; rows of an aggregate have no key that lasts."""
    keys = {tuple(str(row.get(name)) for name in entity.keys) for row in rows}
    return entity.aggregate or len(keys) == len(rows)
