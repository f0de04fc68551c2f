"""The certification of listings can fail: one that loses, repeats or misnames what it lists is caught."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

import pytest

from connectors.helloworld.client import address, settings_of
from connectors.helloworld.connector import CONNECTOR
from connectors.helloworld.samples import GREETING, SAMPLES
from connectors.helloworld.webhook import read_event
from hub.connections.registry import load_connectors
from hub.proof.certification.catalogue import Side, Verdict
from hub.proof.certification.certify import NOTHING, State, Trial, faults_of, samples_of, subjects_of, try_subject
from hub.proof.certification.judging import Listed, Read, judge_listing
from hub.queries.connectors import connector_view, view_as_json
from hub.sdk.answers import read_object
from hub.sdk.connector import Connector, Listing, Page
from hub.sdk.errors import FixConnection, OutcomeUnknown
from hub.sdk.session import Session
from hub.sdk.testing.samples import ListingSample
from hub.sdk.values import Request

#: So many are on a page, and so many there are in all: three pages.
PAGE, ALL = 4, 10
RISING = count(1)
Pull = Callable[[Session, str | None, datetime], AsyncIterator[Page]]

SAMPLED = replace(
    SAMPLES,
    listings=(
        ListingSample(
            listing="changes",
            records=lambda books: [event["id"] for event in books["events"]],
            seed={"greetings": [{**GREETING, "id": f"g-{number}"} for number in range(2, ALL + 1)]},
        ),
    ),
)


async def changes(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    """List all that ever was changed, page by page."""
    while True:
        query = {"limit": str(PAGE)} | ({"after": cursor} if cursor else {"since": since.isoformat()})
        url = address(settings_of(session), "events", query=query)
        answer = read_object(await session.send(Request(method="GET", url=url)))
        try:
            events = [read_event(value) for value in answer["events"]]
        except (KeyError, TypeError, ValueError) as error:
            raise OutcomeUnknown("The page cannot be read.", code="unreadable-answer") from error
        if events:
            cursor = events[-1].external_id
            yield Page(events=events, cursor=cursor)
        if not answer.get("has_more") or not events:
            return


async def losing_a_page(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    """Leave out the second page each time, so that all looks alike."""
    number = 0 if cursor is None else 1
    async for page in changes(session, cursor, since):
        number += 1
        if number != 2:
            yield page


async def repeating_a_page(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    async for page in changes(session, cursor, since):
        yield page
        yield page


async def leading_too_far(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    """Give a cursor behind the record that comes after the page's last one."""
    async for page in changes(session, cursor, since):
        yield replace(page, cursor=f"evt_{int(page.cursor.removeprefix('evt_')) + 1:06}")


async def of_another_content_each_time(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    """Tell how often it was asked, so that a record listed twice is two."""
    async for page in changes(session, cursor, since):
        yield replace(page, events=[replace(one, data={**one.data, "asked": next(RISING)}) for one in page.events])


async def taking_a_refusal_for_the_end(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    """List nothing where the credentials are refused."""
    try:
        async for page in changes(session, cursor, since):
            yield page
    except FixConnection:
        return


def listing(pull: Pull = changes) -> Connector:
    shown = Listing(name="changes", title="All changes", event="helloworld.greeting.changed", pull=pull)
    return replace(CONNECTOR, listings=(shown,))


async def trials_of(connector: Connector, *faults: str) -> dict[str, Trial]:
    (subject,) = (one for one in subjects_of(connector, SAMPLED) if one.side is Side.LISTING)
    chosen = [fault for fault in faults_of(Side.LISTING) if fault.name in faults]
    return {trial.fault: trial for trial in await try_subject(connector, SAMPLED, subject, chosen)}


#: What is wrong → the listing, the fault under which it is caught, and what is told.
MUTANTS: dict[str, tuple[Pull, str, str]] = {
    "a page lost": (losing_a_page, NOTHING, "lost: evt_000005"),
    "a page repeated": (repeating_a_page, NOTHING, "duplicate: evt_000001"),
    "a cursor that leads too far": (leading_too_far, NOTHING, "does not lead behind it: evt_000005"),
    "a record that is another one each time": (of_another_content_each_time, NOTHING, "wrong outcome: evt_000001"),
    "a refusal taken for the end": (taking_a_refusal_for_the_end, "credential-revoked", "lost: evt_000001"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_wrong_listing_is_caught(mutant: str) -> None:
    pull, fault, told = MUTANTS[mutant]
    trial = (await trials_of(listing(pull), fault))[fault]
    assert trial.state is State.BROKEN, trial
    assert any(told in sentence for sentence in trial.told), trial.told


async def test_the_right_listing_holds() -> None:
    """Where it is broken off, where its place is refused or forgotten, and where credentials are."""
    faults = ("credential-revoked", "cursor-gone", "page-repeated", "rows-missing", "rows-doubled", "clock-behind")
    trials = await trials_of(listing(), *faults)
    assert {fault: trial.state for fault, trial in trials.items()} == dict.fromkeys((NOTHING, *faults), State.HOLDS)


async def test_a_listing_without_a_sample_does_not_hold() -> None:
    (subject,) = (one for one in subjects_of(listing(), SAMPLES) if one.side is Side.LISTING)
    (trial,) = await try_subject(listing(), SAMPLES, subject, ())
    assert (trial.state, trial.told) == (State.BROKEN, ("changes has no sample, so that nothing is known of it",))


async def test_the_last_page_of_stripes_customers_may_lack_a_row() -> None:
    """It looks like the end, and fewer were listed than were counted."""
    connector = load_connectors().connector("stripe")
    samples = samples_of(connector)
    (subject,) = (one for one in subjects_of(connector, samples) if one.side is Side.LISTING)
    trials = await try_subject(connector, samples, subject, faults_of(Side.LISTING, ["rows-missing"]))
    assert {trial.state for trial in trials} == {State.HOLDS}, trials


RIGHT = Listed(
    read=Read(lost=(), wrong=(), kept=0, events=10, runs=10, pauses=0, strayed=0),
    twice=(), astray=(), pages=3, done=True, error=None,
)  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"twice": ("evt_1",)},
        {"astray": ("evt_1",)},
        {"pages": 1},
        {"done": False, "error": "no answer"},
        {"read": replace(RIGHT.read, lost=("evt_1",))},
        {"read": replace(RIGHT.read, wrong=("evt_1",))},
        {"read": replace(RIGHT.read, runs=11)},
    ],
)
def test_the_judge_finds_what_is_wrong_with_a_listing(changes: dict[str, Any]) -> None:
    assert judge_listing(RIGHT, Verdict.DONE) == []
    assert judge_listing(replace(RIGHT, **changes), Verdict.MENDED)


def test_what_can_be_listed_is_shown() -> None:
    assert view_as_json(connector_view(load_connectors().connector("stripe")))["listings"] == ["customers"]
