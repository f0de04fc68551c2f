"""Retention: payloads of what is long over go, what proves or names it stays, and nothing open is touched."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Insert, Update, delete, insert, inspect, update

from hub.audit.verification import verify_chain
from hub.errors import Conflict
from hub.model.event import InboundEvent, Via
from hub.model.retention import Retention
from hub.operate.retention import Pruning
from hub.queries import contents, timeline
from hub.queries.view import View
from hub.store import audit, recorded, replays, retention, run_orders
from hub.store.committer import Transaction, Work
from hub.store.control_tables import firings, schedules
from hub.store.database import Database
from hub.store.replays import Replay
from hub.store.retention import Pruned
from hub.store.tables import attempts, cases, effects, events, runs, steps
from tests.engine.house import FastClock, House, bundle
from tests.engine.test_matches import ADA, customer, hut, open_pairs
from tests.engine.test_once import FILES, THREE_WRITES, exceptions, things
from tests.engine.vendor import Vendor
from tests.store.test_committer import intent, run

POLICY = Retention(payloads=timedelta(days=30), answers=timedelta(days=90))
#: What nobody may find any more after the time is over.
WORDS = "a-payload-of-the-business"


def opened(directory: Path, vendor: Vendor, clock: FastClock) -> House:
    return House(directory, vendor, bundle(THREE_WRITES, **FILES), clock=clock)


def pruning(house: House, policy: Retention | None = POLICY) -> Pruning:
    return Pruning(
        environment="test",
        database=house.database,
        committer=house.committer,
        ambient=house.ambient,
        policy=lambda: policy,
    )


def rows(house: House, statement: str) -> list[tuple[Any, ...]]:
    with house.database.reading() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def words(house: House) -> int:
    """Count the places of the whole database in which the payload can be read."""
    found = 0
    with house.database.reading() as connection:
        tables = inspect(connection).get_table_names()
        for table in tables:
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}"):  # noqa: S608 - the database's own names
                for value in row:
                    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    found += WORDS in text
    return found


def marked(count: int) -> list[dict[str, Any]]:
    return [{**thing, "value": f"{WORDS}-{thing['id']}"} for thing in things(count)]


async def told(house: House, external_id: str) -> None:
    """Let another event about the first thing arrive."""
    data = marked(1)[0]
    event = InboundEvent(
        external_id=external_id, type="vendor.thing.made", occurred_at=house.ambient.now(), data={**data, "more": 1}
    )
    await house.intake.accept("vendor", [event], Via.API)


async def over(tmp_path: Path, count: int = 3) -> tuple[House, FastClock]:
    """Give a house in which some runs have ended."""
    clock = FastClock()
    house = opened(tmp_path, Vendor(), clock)
    await house.start()
    await house.give(*marked(count))
    assert await house.settled() == {"succeeded": count}
    return house, clock


async def test_payloads_go_and_what_proves_them_stays(tmp_path: Path) -> None:
    """Ids, hashes, states, money, keys and the audit log are as before."""
    house, clock = await over(tmp_path)
    kept = (
        "SELECT id, environment, connection, external_id, type, subject, received_at, state, body_hash FROM events",
        "SELECT id, flow, state, key, business_key, money_minor, money_currency, epoch, finished_at FROM runs",
        "SELECT key, connection, operation, business_key, run_id, state, url, body_hash, output FROM effects",
        "SELECT run_id, path, kind, state, rule FROM steps",
        "SELECT run_id, path, number, kind, outcome, status FROM attempts",
    )
    before = [sorted(rows(house, statement)) for statement in kept]
    assert words(house) > 10
    assert asdict((await pruning(house).outlook()).due) == {
        "runs": 0,
        "events": 0,
        "answers": 0,
        "examples": 0,
        "firings": 0,
        "records": 0,
    }
    clock.leap(timedelta(days=31))
    assert (await pruning(house).outlook()).due.runs == 3
    assert await pruning(house).prune(actor="local") == Pruned(runs=3, events=3)
    # What the targets answered is kept longer.
    assert words(house) == sum(WORDS in str(row) for row in rows(house, "SELECT output FROM effects"))
    assert [sorted(rows(house, statement)) for statement in kept] == before
    with house.database.reading() as connection:
        (head,) = audit.logs(connection)
        assert verify_chain(audit.entries(connection, "main"), head) == []
        assert contents.compare(connection).wrong == ()
        assert recorded.newest(connection, environment="test", types=["vendor.thing.made"], limit=9) == []
    (entry,) = rows(house, "SELECT entry FROM audit WHERE kind = 'data.pruned'")
    assert b'"runs":3' in entry[0]
    assert await pruning(house).prune(actor="local") == Pruned()
    clock.leap(timedelta(days=60))
    assert await pruning(house).prune(actor="local") == Pruned(answers=9)
    assert words(house) == 0
    await house.stop()


async def test_nothing_open_is_touched(tmp_path: Path) -> None:
    """Parked, unknown, waiting: whatever its age, all that was recorded is still needed."""
    clock = FastClock()
    vendor = Vendor(fault=lambda request, number: "500-before" if b'"t1"' in request.body else None)
    house = opened(tmp_path, vendor, clock)
    await house.start()
    await house.give(*marked(2))
    end = clock.now() + timedelta(seconds=60)
    while clock.now() < end:
        await clock.sleep(1)
    before = words(house)
    (state,) = rows(house, "SELECT state FROM runs WHERE business_key = 't1'")
    assert state[0] in {"waiting", "queued", "running", "parked"}
    clock.leap(timedelta(days=500))
    done = await pruning(house).prune(actor="local")
    assert (done.runs, done.events) == (1, 1)
    assert 0 < words(house) < before
    ((data,),) = rows(house, "SELECT data FROM events WHERE external_id = 't1'")
    assert WORDS in data
    await house.crash()


async def test_a_pruned_run_is_shown_as_such_and_cannot_be_gone_on_with(tmp_path: Path) -> None:
    house, clock = await over(tmp_path, 1)
    clock.leap(timedelta(days=31))
    await pruning(house).prune(actor="local")
    ((run_id,),) = rows(house, "SELECT id FROM runs")
    view = View(environment="test", database=house.database, ambient=house.ambient)
    detail = timeline.detail(view, run_id, payloads=True)
    assert detail.run.pruned_at is not None
    assert detail.event is not None
    assert detail.event.pruned_at is not None
    assert not detail.replayable
    for order in (
        lambda tx: replays.replay(tx, run_id, Replay(new_id="run_new", actor="person:p")),
        lambda tx: run_orders.take_back(tx, run_id, actor="person:p", reason="test"),
    ):
        with pytest.raises(Conflict, match="pruned on 20") as refused:
            await house.committer.commit(Work(order))
        assert refused.value.code == "payload-pruned"
    await house.stop()


async def test_a_write_that_was_made_long_ago_is_not_made_again(tmp_path: Path) -> None:
    """While its answer is kept a new run is given it; after that the run stops for a person."""
    house, clock = await over(tmp_path, 1)
    vendor = house.vendor
    assert isinstance(vendor, Vendor)
    made = len(vendor.documents)
    clock.leap(timedelta(days=31))
    await pruning(house).prune(actor="local")
    await told(house, "again")
    assert (await house.settled())["succeeded"] == 2
    assert len(vendor.documents) == made
    clock.leap(timedelta(days=91))
    await pruning(house).prune(actor="local")
    await told(house, "once-more")
    assert (await house.settled())["parked"] == 1
    assert len(vendor.documents) == made
    assert [case.reason for case in exceptions(house)] == ["answer-pruned"]
    await house.stop()


async def test_without_a_policy_nothing_goes_and_once_a_day_is_enough(tmp_path: Path) -> None:
    house, clock = await over(tmp_path, 1)
    clock.leap(timedelta(days=1000))
    with pytest.raises(Conflict, match="no `retention:`"):
        await pruning(house, None).prune(actor="local")
    await pruning(house, None).tick()
    assert rows(house, "SELECT count(*) FROM runs WHERE pruned_at IS NULL") == [(1,)]
    regular = pruning(house)
    await regular.tick()
    assert rows(house, "SELECT count(*) FROM runs WHERE pruned_at IS NULL") == [(0,)]
    await house.give({**marked(2)[1]})
    await house.settled()
    await regular.tick()
    assert (await regular.outlook()).due == Pruned()
    await house.stop()


#: States of a run, of its write, of the run that replaced it, of its caller and of a run that it called; over or not.
#: One that is `settled` is parked, and a person closed its exception by hand: long ago, or (`lately`) not yet so long.
STANDINGS: list[tuple[str, str | None, str | None, str | None, str | None, bool]] = [
    ("succeeded", None, None, None, None, True),
    ("cancelled", "done", None, None, None, True),
    ("compensated", "failed", None, None, None, True),
    ("parked", None, None, None, None, False),
    ("queued", None, None, None, None, False),
    ("running", None, None, None, None, False),
    ("waiting", None, None, None, None, False),
    ("compensating", None, None, None, None, False),
    ("succeeded", "intent", None, None, None, False),
    ("succeeded", "unknown", None, None, None, False),
    ("cancelled", "parked", None, None, None, False),
    ("parked", None, "succeeded", None, None, True),
    ("parked", None, "waiting", None, None, False),
    ("parked", None, "parked", None, None, False),
    ("succeeded", None, None, "waiting", None, False),
    ("succeeded", None, None, "succeeded", None, True),
    ("succeeded", None, None, None, "parked", False),
    ("succeeded", None, None, None, "succeeded", True),
    ("settled", None, None, None, None, True),
    ("lately", None, None, None, None, False),
    ("settled", "parked", None, None, None, False),
    ("settled", None, None, "waiting", None, False),
    ("settled", None, None, None, "waiting", False),
    ("settled", None, None, "settled", None, True),
    ("settled", None, None, "lately", None, False),
    ("succeeded", None, None, None, "settled", True),
    ("parked", None, "lately", None, None, False),
]


@pytest.mark.parametrize(("state", "effect", "newer", "parent", "child", "over"), STANDINGS)
async def test_what_is_over_is_decided_with_all_that_may_look_back(
    tmp_path: Path,
    state: str,
    effect: str | None,
    newer: str | None,
    parent: str | None,
    child: str | None,
    over: object,
) -> None:
    database = Database(tmp_path)
    own: dict[str, Any] = {**run(1), "state": state, "replaced_by": newer and "run_2"}
    own["parent_run"] = parent and "run_3"
    others = [
        {**run(number), "state": other, "parent_run": "run_1" if number == 4 else None, "replaced_by": None}
        for number, other in ((2, newer), (3, parent), (4, child))
        if other is not None
    ]
    with database.writer.begin() as connection:
        for place, row in enumerate([own, *others]):
            closed_at = {"settled": 1, "lately": 2}.get(row["state"])
            if closed_at is not None:
                row |= {"state": "parked", "blocking": False}
                connection.execute(insert(cases), {**a_case(row["id"]), "state": "closed", "closed_at": closed_at})
            connection.execute(insert(runs), {**row, "position": place, "finished_at": None})
        if effect is not None:
            connection.execute(insert(effects), {**intent(1).intents[0], "state": effect})
    with database.reading() as connection:
        found = {name for name, _ in retention.next_runs(connection, "test", 2, after=-1, limit=9)}
    assert ("run_1" in found) is over
    database.close()


def a_case(run_id: str) -> dict[str, Any]:
    texts = ("flow", "path", "business_key", "reason", "fingerprint", "detail", "facts")
    named = {"id": f"case_{run_id}", "environment": "test", "run_id": run_id}
    return {**dict.fromkeys(texts, "x"), **named, "state": "open", "opened_at": 1}


DAY = timedelta(days=1) // timedelta(microseconds=1)


def fired(flow: str, ages: range, now: int) -> list[dict[str, Any]]:
    common = {"environment": "test", "flow": flow, "state": "fired", "missed": 0}
    return [{**common, "due_at": now - age * DAY, "at": now, "event_id": f"{flow}{age}"} for age in ages]


async def test_old_firings_go_but_the_newest_of_each_schedule_and_none_that_could_come_again(tmp_path: Path) -> None:
    """A schedule that seldom fires keeps its last success; one that stands still keeps what it has not come past."""
    house, clock = await over(tmp_path, 1)
    now = int(clock.now().timestamp() * 1_000_000)
    standing = {"environment": "test", "spec": "{}", "held": False, "created_at": now, "updated_at": now}
    many = retention.KEPT_FIRINGS

    def fill(transaction: Transaction) -> None:
        rows = [
            *fired("daily", range(many + 300), now),
            *fired("yearly", range(1, 3000, 365), now),
            *fired("stood", range(many + 300), now),
            *fired("gone", range(many + 300), now),
        ]
        transaction.connection.execute(insert(firings), rows)
        nexts = {"daily": now + DAY, "yearly": now + 300 * DAY, "stood": now - (many + 250) * DAY}
        flows = [{**standing, "flow": flow, "next_at": due} for flow, due in nexts.items()]
        transaction.connection.execute(insert(schedules), flows)

    await house.committer.commit(Work(fill))
    audited = rows(house, "SELECT entry FROM audit ORDER BY sequence")
    prune = pruning(house)
    due = (await prune.outlook()).due.firings
    done = await prune.prune(actor="person:p_ada")
    assert done.firings == due == 300 + 300 + 49
    left = dict(rows(house, "SELECT flow, count(*) FROM firings GROUP BY flow"))
    assert left == {"daily": many, "yearly": 9, "stood": many + 300 - 49, "gone": many}
    oldest = dict(rows(house, "SELECT flow, min(due_at) FROM firings GROUP BY flow"))
    assert oldest["stood"] >= now - (many + 250) * DAY
    assert (await prune.prune(actor="person:p_ada")).firings == 0
    assert rows(house, "SELECT entry FROM audit ORDER BY sequence")[: len(audited)] == audited
    await house.stop()


async def test_firings_that_are_young_stay_however_many_there_are(tmp_path: Path) -> None:
    house, clock = await over(tmp_path, 1)
    now = int(clock.now().timestamp() * 1_000_000)
    minutes = [{**row, "due_at": now - place * 60_000_000} for place, row in enumerate(fired("often", range(900), now))]
    await house.committer.commit(Work(lambda tx: tx.connection.execute(insert(firings), minutes)))
    assert (await pruning(house).prune(actor="person:p_ada")).firings == 0
    await house.stop()


def due(database: Database) -> list[str]:
    with database.reading() as connection:
        return [name for name, _ in retention.next_runs(connection, "test", 2, after=-1, limit=9)]


def change(database: Database, *statements: Insert | Update) -> None:
    with database.writer.begin() as connection:
        for statement in statements:
            connection.execute(statement)


async def test_a_run_stays_whole_while_an_exception_of_it_is_open(tmp_path: Path) -> None:
    """One that took back what it did has ended; whoever sees to it may order it anew, which needs its payloads."""
    database = Database(tmp_path)
    case = a_case("run_1")
    ended = {**run(1), "state": "compensated", "replaced_by": None, "position": 1, "finished_at": None}
    change(database, insert(runs).values(ended), insert(cases).values(case))
    assert due(database) == []
    change(database, update(cases).values(state="closed"))
    assert due(database) == ["run_1"]
    database.close()


async def test_a_run_replayed_twice_stays_until_the_last_replay_is_over(tmp_path: Path) -> None:
    database = Database(tmp_path)
    for place, (name, state, newer) in enumerate(
        (("run_1", "parked", "run_2"), ("run_2", "parked", "run_3"), ("run_3", "waiting", None))
    ):
        row = {**run(1), "id": name, "state": state, "replaced_by": newer, "position": place, "finished_at": None}
        change(database, insert(runs).values(row))
    assert due(database) == []
    change(database, update(runs).where(runs.c.id == "run_3").values(state="succeeded"))
    assert due(database) == ["run_2", "run_3"]
    change(database, update(runs).where(runs.c.id == "run_2").values(pruned_at=3))
    assert due(database) == ["run_1", "run_3"]
    database.close()


async def test_records_that_were_compared_go_unless_somebody_has_to_look_at_them(tmp_path: Path) -> None:
    made = hut(tmp_path)
    house = await made.open()
    for id, tax in (("c1", "1"), ("c2", "1"), ("c3", "3")):
        await house.give(customer(id, tax=tax))
        await house.settled()
    made.clock.leap(timedelta(days=400))
    prune = pruning(house)
    assert ((await prune.outlook()).due.records, (await prune.prune(actor="schedule")).records) == (1, 1)
    left = "SELECT id FROM matched_records WHERE record IS NOT NULL ORDER BY id"
    assert [id for (id,) in rows(house, left)] == ["c1", "c2"]
    (pair,) = open_pairs(house)
    await house.orders.things.decide(pair["pair"], same=False, actor=ADA, reason="two branches")
    assert (await prune.prune(actor="schedule")).records == 2
    # Their keys are compared all the same, and what was said is remembered.
    await house.give(customer("c4", tax="3"))
    await house.settled()
    assert [(pair["id"], pair["other_id"]) for pair in open_pairs(house)] == [("c4", "c3")]
    await house.stop()


async def test_a_run_whose_month_is_gone_is_shown_without_event_and_steps(tmp_path: Path) -> None:
    """What is left is the run itself and its writes; nothing of it can be ordered anew."""
    house, clock = await over(tmp_path, count=1)
    clock.leap(timedelta(days=31))
    await pruning(house).prune(actor="local")
    ((run_id,),) = rows(house, "SELECT id FROM runs")
    with house.database.writer.begin() as connection:
        for table in (steps, attempts, events):
            connection.execute(delete(table))
    view = View(environment="test", database=house.database, ambient=house.ambient)
    shown = timeline.detail(view, run_id, payloads=True)
    assert shown.event is None and shown.run.state == "succeeded"
    assert shown.steps == () and not shown.replayable
    ordered = Work(lambda tx: replays.replay(tx, run_id, Replay(new_id="run_new", actor="person:p")))
    with pytest.raises(Conflict, match="pruned"):
        await house.committer.commit(ordered)
    # What was written is known, so that it is not written again.
    assert rows(house, "SELECT count(*) FROM effects WHERE state = 'done'") == [(3,)]
    await house.stop()
