"""What the engine asks of the database costs the same however much is recorded: no statement reads a table through."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

from sqlalchemy import Connection, Index, PrimaryKeyConstraint, UniqueConstraint

from hub.queries.events import counts
from hub.queries.view import View
from hub.store.tables import metadata
from tests.engine.house import House
from tests.engine.test_lanes import LINES, Hut, flow
from tests.engine.test_matches import ADA, FLOW, customer, hut, open_pairs, replay
from tests.store.asked import asked

#: The tables that grow with every event.
GROWING = frozenset(
    {
        *("events", "event_names", "runs", "steps", "attempts", "effects", "audit", "decisions", "cases"),
        *("crossrefs", "thing_history", "parents", "matched_records", "match_keys", "match_pairs"),
    }
)
STEPS = (
    LINES.replace("KIND", "native").replace("FAILURES", "continue")
    + """
  - id: later
    wait: { for: PT1H }
  - id: post
    call: { connection: vendor, operation: probe.write, with: vendor/thing, of: "{id: data.id, value: 'x'}" }
    retry: patient
"""
)


def read_through(house: House, statements: set[str]) -> list[tuple[str, str]]:
    """Give what reads a growing table from one end to the other: the step of the plan, and the statement."""
    found = []
    with house.database.writer.connect() as connection:
        if house.database.dialect == "postgresql":
            # What the server has counted of rows that were there before decides otherwise; this is rolled back.
            connection.exec_driver_sql(f"TRUNCATE {', '.join(sorted(GROWING))} CASCADE")
            connection.exec_driver_sql(
                "SET enable_seqscan = off; SET enable_mergejoin = off; SET enable_hashjoin = off"
            )
        for statement in statements:
            if not re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT|WITH)", statement):
                continue
            for plan, scanned in PLANS[house.database.dialect](connection, statement):
                aliases = set(re.findall(rf"(\w+) AS {scanned}\b", statement))
                if ({scanned} | aliases) & GROWING:
                    found.append((plan, statement))
    return found


def of_sqlite(connection: Connection, statement: str) -> Iterator[tuple[str, str]]:
    """Give each step that goes through a table, with the table's name."""
    cursor = connection.connection.cursor()
    cursor.execute(f"EXPLAIN QUERY PLAN {statement}", (None,) * statement.count("?"))
    for *_, plan in cursor.fetchall():
        scanned = re.match(r"SCAN (\w+)(?! USING)", plan)
        if scanned and "USING" not in plan:
            yield plan, scanned.group(1)


def of_postgresql(connection: Connection, statement: str) -> Iterator[tuple[str, str]]:
    """Give the same; small tables are gone through by choice, so it is told to do that only where nothing else is left.

    A whole index is as long as its table, but for one that has only what is rare.
    """
    numbers = count(1)
    sql = re.sub(r"%s|%\(\w+\)s", lambda _mark: f"${next(numbers)}", statement).replace("%%", "%")
    whole: dict[str, str] = {each.part: each.whole for each in connection.exec_driver_sql(WHOLE)}
    lines = [row[0] for row in connection.exec_driver_sql(f"EXPLAIN (GENERIC_PLAN) {sql}".replace("%", "%%"), ())]
    for place, line in enumerate(lines):
        scanned = re.search(r"(?:Seq Scan|Index (?:Only )?Scan using (\w+)) on (\w+)", line)
        further = "".join(lines[place + 1 : place + 2])
        if scanned and whole.get(scanned.group(1)) not in PARTIAL and not _begins(whole.get(scanned.group(1)), further):
            yield line.strip(), whole.get(scanned.group(2), scanned.group(2))


def _begins(index: str | None, condition: str) -> bool:
    """Tell whether an index is gone into at its first column; by a later one alone it is read from end to end."""
    return index in LEADING and re.search(rf"Index Cond: .*\b{LEADING[index]}\b", condition) is not None


#: The first column of every index, also of those that keys make.
LEADING = {
    made.name: made.columns[0].name
    for table in metadata.tables.values()
    for made in (*table.indexes, *table.constraints)
    if isinstance(made, Index | PrimaryKeyConstraint | UniqueConstraint)
}
#: Indexes of some rows only; one that is gone through has been chosen by the statement's very words.
PARTIAL = {
    index.name
    for table in metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["postgresql"]["where"] is not None
}
#: Of what each table or index is a part; what is none is its own.
WHOLE = (
    "SELECT part.relname AS part, coalesce(parent.relname, part.relname) AS whole FROM pg_class AS part "
    "LEFT JOIN pg_inherits ON inhrelid = part.oid LEFT JOIN pg_class AS parent ON parent.oid = inhparent"
)
PLANS = {"sqlite": of_sqlite, "postgresql": of_postgresql}


async def test_no_statement_of_a_run_reads_a_table_that_grows(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(STEPS), fault=lambda _request, number: "lost-after" if number % 5 == 4 else None)
    lines = [{"id": f"l{number}", "key": "k", "value": "1"} for number in range(6)]
    house = await hut.open()
    with asked() as statements:
        await house.give(*({"id": f"a{n}", "key": f"k{n % 2}", "value": "1", "lines": lines} for n in range(6)))
        async with asyncio.timeout(60):
            while len([each for each in hut.vendor.documents if each["kind"] == "probe"]) < 6:
                hut.clock.leap(timedelta(minutes=20))
                house.worker.wake()
                await asyncio.sleep(0.05)
        await house.settled()
        # What the test itself asks, to see whether all is at rest, is not the engine's.
        mine = {each for each in statements if "count(" in each}
    assert len(statements) > 30
    assert read_through(house, statements - mine) == []
    await house.stop()


async def test_no_statement_of_master_data_reads_a_table_that_grows(tmp_path: Path) -> None:
    """What compares, ties, merges, splits and moves, and what people order of it."""
    tree = "\n  - id: payer\n    lookup: { crossref: customer, system: billing, id: data.id, want: erp, above: top }\n"
    made = hut(tmp_path, text=FLOW + tree)
    house = await made.open()
    things = house.orders.things
    with asked() as statements:
        for id, tax in (("c1", "1"), ("c2", "1"), ("c3", "3"), ("c4", "1")):
            await house.give(customer(id, tax=tax))
            await house.settled()
        for pair in open_pairs(house):
            same = (pair["id"], pair["other_id"]) == ("c4", "c1")
            await things.decide(pair["pair"], same=same, actor=ADA, reason="said")
        await replay(house, "c2")
        names = house_things(house)
        await things.move("customer", names["c2"], parent=names["c1"], actor=ADA, reason="group")
        merge = await things.merge("customer", into=names["c1"], gone=names["c3"], actor=ADA, reason="one")
        await things.split("customer", merge, actor=ADA, reason="two")
        await things.prefer("customer", system="billing", id="c4", actor=ADA, reason="that one")
        await things.untie("customer", system="billing", id="c4", actor=ADA, reason="gone")
        mine = {each for each in statements if "count(" in each or re.search(r"business_key = [?%]", each)}
        # People list what waits, and that is what there is of it.
        mine |= {each for each in statements if re.search(r"match_pairs.state = [?%]", each) and "UPDATE" not in each}
    assert len(statements) > 60
    assert read_through(house, statements - mine) == []
    await house.stop()


async def test_what_was_kept_back_is_counted_without_reading_all_events(tmp_path: Path) -> None:
    """What no flow wanted too, which may be next to nothing among millions that were taken."""
    house = await Hut(tmp_path, flow(STEPS)).open()
    view = View(environment="test", database=house.database, ambient=house.ambient)
    with asked() as statements:
        assert counts(view) == {}
    assert len([each for each in statements if "events" in each]) == 2
    assert read_through(house, statements) == []
    await house.stop()


def house_things(house: House) -> dict[str, str]:
    with house.database.reading() as connection:
        rows = connection.exec_driver_sql("select id, thing from crossrefs where system = 'billing'").all()
    return {row.id: row.thing for row in rows}
