"""The sandbox's lists of what was changed or deleted in a span of time, and how far back its log of deletions goes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

DAY = 86_400


async def deleted(plain: Any, *, back: float = 3600, name: str = "Account") -> Any:
    """Ask for what was deleted in the last seconds, up to now."""
    await plain.sign_in()  # a session ends after two hours
    now = plain.served.world.clock.now()
    begin = now - timedelta(seconds=back)
    return await plain.get(
        f"/sobjects/{name}/deleted/?start={begin:%Y-%m-%dT%H:%M:%S}Z&end={now:%Y-%m-%dT%H:%M:%S}%2B00:00"
    )


def ids(answer: Any) -> list[str]:
    """Give the ids of an answer."""
    assert answer.status == 200, answer.body
    return [one["id"] for one in answer.body["deletedRecords"]]


async def made_and_deleted(plain: Any, *names: str) -> list[str]:
    """Make accounts and delete them, two minutes ago."""
    made = [await plain.make("Account", Name=name) for name in names]
    await plain.seed(delete=made)
    await plain.advance(120)
    return made


async def test_what_has_left_the_bin_stays_in_the_log_and_what_is_back_does_not(plain: Any) -> None:
    binned, purged, back = await made_and_deleted(plain, "Binned", "Purged", "Back")
    await plain.seed(purge=[purged], undelete=[back])
    assert ids(await deleted(plain)) == [binned, purged]
    rows = (await plain.query("SELECT SystemModstamp FROM Account WHERE IsDeleted = true", resource="queryAll")).body
    [stamp] = [row["SystemModstamp"] for row in rows["records"]]
    told = (await deleted(plain)).body["deletedRecords"]
    assert [one["deletedDate"] for one in told] == [stamp, stamp]
    assert ids(await deleted(plain, name="Contact")) == []


async def test_the_log_is_whole_only_behind_the_minute_of_what_left_it(plain: Any) -> None:
    id = await plain.make("Account", Name="Acme")
    now = plain.served.world.clock.now()
    # What is deleted in the first second of a minute has that minute's beginning as its time.
    await plain.advance(60 - now.second - now.microsecond / 1_000_000)
    gone = plain.served.world.clock.now()
    await plain.seed(delete=[id], empty_bin=True)
    await plain.advance(180)
    answer = await deleted(plain, back=90)
    assert answer.body["earliestDateAvailable"] == f"{gone + timedelta(minutes=1):%Y-%m-%dT%H:%M}:00.000+0000"


async def test_what_is_taken_back_was_never_deleted(plain: Any) -> None:
    id = await plain.make("Account", Name="Acme")
    held = await plain.make("Account", Name="Held")
    await plain.make("Usage__c", Account__c=held, Metric__c="seats", Quantity__c=1)
    refused = await plain.call("DELETE", f"/composite/sobjects?ids={id},{held}&allOrNone=true")
    assert {one["success"] for one in refused.body} == {False}
    await plain.advance(120)
    assert ids(await deleted(plain)) == []


@pytest.mark.parametrize("what", ["updated", "deleted"])
async def test_a_span_has_whole_minutes_more_than_one_and_is_not_older_than_thirty_days(plain: Any, what: str) -> None:
    clock = plain.served.world.clock
    clock.advance(60 - clock.now().second)
    minute = clock.now().replace(second=0)

    async def ask(begin: timedelta, end: timedelta) -> Any:
        span = "&".join(f"{name}={minute + at:%Y-%m-%dT%H:%M:%S}Z" for name, at in (("start", begin), ("end", end)))
        return await plain.get(f"/sobjects/Account/{what}?{span}")

    none, second, one = timedelta(), timedelta(seconds=1), timedelta(minutes=1)
    assert (await ask(-one, none)).code == "INVALID_REPLICATION_DATE"
    # 59 seconds more count for nothing.
    assert (await ask(-one, 59 * second)).code == "INVALID_REPLICATION_DATE"
    assert (await ask(none, -5 * one)).code == "INVALID_REPLICATION_DATE"
    assert (await ask(-timedelta(days=31), none)).code == "INVALID_REPLICATION_DATE"
    answer = await ask(-3 * one + 40 * second, -one + 30 * second)
    assert answer.status == 200
    assert answer.body["latestDateCovered"] == f"{minute - one:%Y-%m-%dT%H:%M:%S}.000+0000"


async def test_the_log_goes_back_fifteen_days(plain: Any) -> None:
    await made_and_deleted(plain, "Old")
    await plain.advance(10 * DAY)
    assert len(ids(await deleted(plain, back=12 * DAY))) == 1
    await plain.advance(6 * DAY)
    answer = await deleted(plain, back=29 * DAY)
    assert ids(answer) == []
    earliest = plain.served.world.clock.now() - timedelta(days=15)
    assert answer.body["earliestDateAvailable"] == f"{earliest:%Y-%m-%dT%H:%M}:00.000+0000"


async def test_who_asks_for_what_was_before_the_bin_was_emptied_is_refused(plain: Any) -> None:
    await made_and_deleted(plain, "Gone")
    await plain.seed(empty_bin=True)
    answer = await deleted(plain)
    assert (answer.status, answer.code) == (400, "INVALID_REPLICATION_DATE")
    assert (await deleted(plain, name="Contact")).status == 200
    await plain.advance(600)
    assert ids(await deleted(plain, back=500)) == []
    gone = await plain.query("SELECT Id FROM Account WHERE IsDeleted = true", resource="queryAll")
    assert gone.body["totalSize"] == 0


async def test_a_log_that_is_too_long_forgets_the_oldest_after_two_hours(plain: Any) -> None:
    await plain.seed(settings={"delete_log_entries": 2})
    _, second, third = [(await made_and_deleted(plain, name))[0] for name in ("First", "Second", "Third")]
    assert len(ids(await deleted(plain, back=600))) == 3
    await plain.advance(7200)
    assert (await deleted(plain, back=9000)).code == "INVALID_REPLICATION_DATE"
    assert ids(await deleted(plain, back=7200 + 270)) == [second, third]


async def test_what_a_long_transaction_deletes_lies_behind_what_is_covered(plain: Any) -> None:
    id = await plain.make("Account", Name="Late")
    await plain.advance(900)
    await plain.seed(settings={"open_transaction_seconds": 600})
    now = plain.served.world.clock.now()
    answer = (await deleted(plain)).body
    assert answer["latestDateCovered"] <= f"{now - timedelta(minutes=10):%Y-%m-%dT%H:%M:%S}.000+0000"
    await plain.seed(late_deletes=[{"id": id, "seconds": 540}], settings={"open_transaction_seconds": 0})
    (late,) = (await deleted(plain)).body["deletedRecords"]
    assert late["id"] == id
    assert late["deletedDate"] >= answer["latestDateCovered"]


async def test_more_ids_than_one_answer_has_are_refused(plain: Any) -> None:
    await made_and_deleted(plain, "One", "Two")
    await plain.seed(settings={"replication_ids": 1})
    assert (await deleted(plain)).code == "EXCEEDED_ID_LIMIT"


async def test_answers_bear_the_time_of_the_org(plain: Any) -> None:
    await plain.advance(5 * DAY)
    expected = f"{plain.served.world.clock.now():%a, %d %b %Y %H:}"
    for token in (await plain.by_assertion(), await plain.ask_token(grant_type="password")):
        assert token.headers["Date"].startswith(expected)
    await plain.sign_in()
    for path in ("/services/data", "/limits", "/sobjects/Account/001x"):
        assert (await plain.get(path)).headers["Date"].startswith(expected)
