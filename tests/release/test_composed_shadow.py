"""Shadow replay of flows with steps within steps: what differs in them, what it costs, and what cannot be told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hub.release.report import Shadow
from hub.release.shadow import Bounds, Progress, Versions, replay
from hub.store.database import Database
from hub.store.recorded import NewestEvent, portions
from hub.workspace.bundle import Bundle
from tests.engine.house import House
from tests.engine.vendor import Vendor
from tests.release.company import CATALOGUE, MONEY, changed, compiled, invoice
from tests.release.company import FILES as COMPANY

FLOW = """
flow: tested
title: Post each line by itself
owner: team:tests
on: { event: vendor.thing.made }
key: data.id
business_key: join(':', ['invoice', data.id])
entity: invoice.entity
money: invoice.total
steps:
  - id: invoice
    map: company/invoice
  - id: ok
    approve: large
    of: invoice
  - id: pause
    wait: { for: PT1S }
  - id: day
    wait: { until: event.occurred_at }
  - id: way
    branch:
      - name: large
        when: invoice.total.minor >= `10000`
        steps:
          - id: noted
            call: { connection: vendor, operation: native.write, with: company/note, of: invoice }
      - name: small
        steps:
          - id: copied
            map: company/copy
            of: invoice
  - id: lines
    foreach:
      each: invoice.lines
      as: line
      by: line.product
      failures: continue
      collect: posted.id
      steps:
        - id: posted
          call:
            connection: vendor
            operation: native.write
            with: company/line
            of: line
            given: { number: invoice.number }
          missing: { case: line-not-mapped }
        - id: after
          map: company/copy
          of: invoice
  - id: both
    parallel:
      - id: first
        map: company/copy
        of: invoice
      - id: second
        needs: [first]
        call: { connection: vendor, operation: native.write, with: company/note, of: first }
        on_failure: continue
  - id: told
    emit: { type: concord.company.posted, subject: invoice.id, with: company/copy, of: invoice }
  - id: child
    flow: { flow: inner, with: company/copy, of: invoice }
  - id: posts
    call:
      connection: vendor
      operation: native.write
      with: company/line
      given: { number: child.number }
      each: invoice.lines
      item: product
  - id: last
    call: { connection: vendor, operation: native.write, with: company/note, of: invoice }
    expect: { equal: [lines.count, both.second && posts.count], else: { case: not-all } }
"""
INNER = """
flow: inner
title: Run by the other
owner: team:tests
on: { called: company.invoice@1 }
key: record.id
business_key: join(':', ['inner', record.id])
output: "{ number: record.number }"
steps:
  - id: copied
    map: company/copy
"""
LINE = """
mapping: company/line
version: 1
from: company.line@1
to: books.line@1
given: [number]
fields:
  key: join('-', [given('number'), table('products', product)])
  value: major(amount)
"""
COPY = """
mapping: company/copy
version: 1
from: company.invoice@1
to: company.invoice@1
rest: keep
fields: { id: id }
"""
LARGE = """
policy: large
kind: approve
version: 1
match: first
rules:
  - name: very large
    when: money.minor > `5000000`
    then: { approvals: 1 }
"""
SCHEMAS: dict[str, dict[str, Any]] = {
    "company.line@1": {"type": "object", "properties": {"product": {"type": "string"}, "amount": MONEY}},
    "books.line@1": {
        "type": "object",
        "properties": {"key": {"type": "string"}, "value": {}},
        "x-name": "key",
        "x-postings": [{"account": "revenue", "amount": "value"}],
    },
}
FILES = {
    **{path: text for path, text in COMPANY.items() if path not in {"flows/tested.yaml", "policies/routing.yaml"}},
    "flows/tested.yaml": FLOW,
    "flows/inner.yaml": INNER,
    "mappings/company/line.yaml": LINE,
    "mappings/company/copy.yaml": COPY,
    "mappings/tables/products.csv": "key,value\np,P\nq,Q\nr,R\n",
    "policies/large.yaml": LARGE,
    **{f"schemas/{name}.json": json.dumps(schema) for name, schema in SCHEMAS.items()},
}
LINES = (("p", "3", "0.335"), ("q", "5", "0.125"), ("r", "1", "100"))


async def _recorded(folder: Path) -> None:
    house = House(folder, Vendor(), compiled(FILES))
    await house.start()
    await house.give(
        *(invoice(number, *LINES[: 1 + number % 3]) for number in range(6)),
        # A product of no table: the item fails, and the flow goes on without it.
        invoice(7, LINES[0], ("x", "1", "1"), LINES[1]),
    )
    await house.settled()
    await house.stop()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("recorded")
    asyncio.run(_recorded(folder))
    opened = Database(folder)
    yield opened
    opened.close()


def compare(database: Database, before: Bundle, after: Bundle, *flows: str) -> Shadow:
    versions = Versions(before=before, after=after, flows=set(flows or ("tested",)), catalogue=CATALOGUE)
    return replay(database, "test", versions, Bounds(), Progress())


def against(database: Database, *changes: tuple[str, str, str], flows: tuple[str, ...] = ()) -> Shadow:
    return compare(database, compiled(FILES), compiled(changed(*changes, files=FILES)), *flows)


def told(found: tuple[Any, ...]) -> set[tuple[str, str]]:
    return {(one.step, one.what) for one in found}


def test_the_same_is_the_same_and_everything_can_be_told(database: Database) -> None:
    found = against(database)
    assert (found.events, found.runs) == (7, 7)
    assert found.fields == found.rules == found.steps == found.failures == found.untold == found.unsure == ()
    assert found.money == ()
    assert found.unknown == 0


def test_what_each_item_moves_otherwise_adds_up(database: Database) -> None:
    found = against(database, ("mappings/company/line.yaml", "value: major(amount)", "value: add(major(amount), `1`)"))
    by_name = {one.about: one.amount for one in found.moved}
    # Each line is written by the loop and once more by the call for many: that is the same money.
    assert by_name["invoice:in_2"] == Decimal("3.00")
    assert by_name["invoice:in_0"] == Decimal("1.00")
    assert by_name["invoice:in_7"] == Decimal("2.00")
    assert {one.step for one in found.fields} == {"lines[].posted", "posts[]"}


def test_another_arm_is_told_with_what_cannot_be_told_in_it(database: Database) -> None:
    found = against(database, ("flows/tested.yaml", "`10000`", "`100`"))
    assert ("way", "small → large") in told(found.rules)
    assert ("way.noted", "it was never asked") in told(found.untold)
    other = against(database, ("flows/tested.yaml", "`10000`", "`100000`"))
    assert ("way", "large → small") in told(other.rules)
    assert {("way.copied", "None → done"), ("way.noted", "done → None")} <= told(other.steps)
    assert other.untold == ()


def test_what_fails_in_an_item_ends_the_item_alone(database: Database) -> None:
    found = against(database, ("mappings/tables/products.csv", "q,Q\n", ""))
    assert ("lines[].posted", "None → line-not-mapped") in told(found.failures)
    # The other items go on, and so does the flow; the call for many stops it.
    assert not any(one.step.startswith("lines[p]") for one in (*found.steps, *found.failures))
    assert {("posts[]", "None → not-in-table"), ("posts", "None → not-in-table")} <= told(found.failures)


def test_an_item_that_begins_to_be_mapped_cannot_be_told_and_the_others_can(database: Database) -> None:
    found = against(
        database,
        ("mappings/tables/products.csv", "r,R\n", "r,R\nx,X\n"),
        ("mappings/company/line.yaml", "value: major(amount)", "value: add(major(amount), `1`)"),
    )
    assert ("lines[].posted", "line-not-mapped → None") not in told(found.failures)
    assert any(step == "lines[].posted" for step, _ in told(found.untold))
    moved = {one.about: one.amount for one in found.moved}
    # One more for each of two lines, and the two of the line that was not written before.
    assert moved["invoice:in_7"] == Decimal("4.00")
    assert found.unknown == 1


def test_an_event_of_the_hub_s_own_is_a_record_too(database: Database) -> None:
    found = against(database, ("mappings/company/copy.yaml", "fields: { id: id }", "fields: { id: number }"))
    assert ("told", "event: id") in told(found.fields)
    assert ("child", "input: id") in told(found.fields)
    assert ("child", "it asks something else than before") in told(found.untold)


def test_what_a_changed_flow_gives_cannot_be_told_to_who_runs_it(database: Database) -> None:
    changes = ("flows/inner.yaml", "{ number: record.number }", "{ number: record.id }")
    alone = against(database, changes)
    assert alone.untold == ()
    both = against(database, changes, flows=("tested", "inner"))
    assert told(both.untold) == {("child", "the flow inner that it runs has changed")}
    assert both.unknown == 7


def test_who_would_have_to_approve_cannot_be_told_to_have_done_so(database: Database) -> None:
    found = against(database, ("policies/large.yaml", "`5000000`", "`10`"))
    assert ("ok", "None → very large") not in told(found.steps)
    assert told(found.untold) == {("ok", "nobody was asked")}
    assert found.unknown == 7


def test_a_wait_for_another_time_is_computed_and_for_another_moment_too(database: Database) -> None:
    found = against(database, ("flows/tested.yaml", "wait: { for: PT1S }", "wait: { for: PT9S }"))
    assert found.untold == found.failures == ()


def test_a_step_that_may_fail_ends_itself_alone(database: Database) -> None:
    found = against(
        database,
        (
            "flows/tested.yaml",
            "with: company/note, of: first }",
            "with: company/note, of: first }\n        expect: { equal: [first.id, first.number], else: { case: odd } }",
        ),
    )
    # What follows is computed with nothing in its place.
    assert ("both.second", "None → odd") in told(found.failures)
    assert ("last", "None → not-all") in told(found.failures) | told(found.unsure)
    assert not any(one.step == "posts" for one in found.steps)


def test_runs_with_many_steps_are_read_a_few_at_a_time() -> None:
    sizes = [10, 4000, 900, 200, 7000, 1, 1]
    found = [NewestEvent(event={"id": str(size)}, runs={}, steps=size) for size in sizes]
    parts = [[one.steps for one in portion] for portion in portions(found, 5000)]
    assert parts == [[10, 4000, 900], [200], [7000], [1, 1]]
    assert portions([], 5000) == []
