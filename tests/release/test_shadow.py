"""Shadow replay of recorded runs through two versions: what differs, what it costs, and what cannot be told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.release.report import Shadow
from hub.release.shadow import Bounds, Cancelled, Progress, Versions, replay
from hub.store.database import Database
from hub.workspace.bundle import Bundle
from tests.engine.house import House
from tests.engine.vendor import Vendor
from tests.release.company import CATALOGUE, FILES, changed, compiled, half_even, invoice

#: What either version may say otherwise; any of them may be combined.
CHANGES = (
    ("mappings/company/invoice.yaml", "half_up", "half_even"),
    ("mappings/company/invoice.yaml", "product: product", "product: join('', [product, '!'])"),
    ("mappings/tables/entities.csv", "DE,DE01", "DE,DE02"),
    ("mappings/tables/entities.csv", "US,US01\n", ""),
    ("policies/routing.yaml", "`100000`", "`5000`"),
    ("flows/tested.yaml", "when: invoice.total.minor > `10000`", "when: invoice.total.minor > `90000`"),
    ("flows/tested.yaml", "on: { event: vendor.thing.made }", "on: { event: vendor.thing.gone }"),
    ("flows/tested.yaml", "by: =post.id", "by: \"=join('-', [post.id, 'x'])\""),
    ("flows/tested.yaml", "join(':', ['invoice', data.id])", "join(':', ['order', data.id])"),
    ("mappings/company/posting.yaml", "value: major(total)", "value: multiply(major(total), `2`)"),
    ("mappings/company/posting.yaml", "key: number", "key: id"),
    ("flows/tested.yaml", "system: vendor, id: data.customer", "system: vendor, id: data.number"),
)
LINES = (("p", "3", "0.335"), ("q", "5", "0.125"), ("r", "1", "100"))


async def _recorded(folder: Path) -> None:
    house = House(folder, Vendor(), compiled(FILES))
    await house.start()
    await house.orders.link("customer", [{"vendor": "cus_1", "books": "C1"}], actor="local")
    await house.give(
        *(invoice(number, *LINES[: 1 + number % 3]) for number in range(6)),
        *(invoice(number, LINES[0], country="US", currency="USD") for number in range(6, 9)),
        invoice(9, LINES[2], country="FR"),
        {**invoice(10, LINES[2]), "customer": "cus_unknown"},
        {**invoice(11, LINES[2]), "id": 11, "lines": []},
    )
    await house.settled()
    await house.stop()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Give what a small house recorded: invoices posted, without entity, of an unknown customer, and without a name."""
    folder = tmp_path_factory.mktemp("recorded")
    asyncio.run(_recorded(folder))
    opened = Database(folder)
    yield opened
    opened.close()


def compare(database: Database, before: Bundle, after: Bundle, **bounds: Any) -> Shadow:
    versions = Versions(before=before, after=after, flows={"tested"}, catalogue=CATALOGUE)
    return replay(database, "test", versions, Bounds(**bounds), Progress())


def against(database: Database, *changes: tuple[str, str, str]) -> Shadow:
    return compare(database, compiled(FILES), compiled(changed(*changes)))


def untold(found: Shadow) -> set[tuple[str, str]]:
    return {(one.step, one.what) for one in found.untold}


def test_a_rounding_rule_moves_cents_and_names_their_invoices(database: Database) -> None:
    found = compare(database, compiled(FILES), compiled(half_even()))
    assert (found.events, found.runs) == (12, 11)
    assert {one.currency: (one.amount, one.runs) for one in found.money} == {
        "EUR": (Decimal("0.10"), 6),
        "USD": (Decimal("0.03"), 3),
    }
    by_name = {one.name: one for one in found.moved}
    largest = by_name["INV-0001"]
    assert largest.about == "invoice:in_1"
    assert largest.amount == Decimal("0.01") + Decimal("0.01")
    assert {line.account: line.difference for line in largest.lines} == {
        "receivable": Decimal("-0.02"),
        "revenue p": Decimal("-0.01"),
        "revenue q": Decimal("-0.01"),
    }
    assert [one.amount for one in found.moved] == sorted((one.amount for one in found.moved), reverse=True)
    nets = {(one.currency, one.entity, one.account): one.difference for one in found.net}
    euros = [line for one in found.moved if one.currency == "EUR" for line in one.lines]
    assert nets["EUR", "DE01", "receivable"] == sum(one.difference for one in euros if one.account == "receivable")
    assert {(one.step, one.what) for one in found.fields} == {
        ("invoice", "output: total.minor"),
        ("invoice", "output: lines[].amount.minor"),
        ("post", "input: value"),
    }
    assert found.failures == found.rules == found.routing == found.untold == ()


def test_a_cent_that_goes_to_another_account_counts_though_the_total_stays(database: Database) -> None:
    found = against(
        database, ("mappings/company/invoice.yaml", "product: product", "product: join('', [product, '!'])")
    )
    moved = {one.name: one for one in found.moved}
    assert moved["INV-0000"].amount == Decimal("1.01")
    assert {line.account: line.difference for line in moved["INV-0000"].lines} == {
        "revenue p!": Decimal("1.01"),
        "revenue p": Decimal("-1.01"),
    }


def test_a_total_that_stands_in_several_records_counts_once(database: Database) -> None:
    found = against(database, ("mappings/tables/entities.csv", "DE,DE01", "DE,DE02"))
    (euros,) = found.money
    # Six posted invoices, and the one of an unknown customer, which is mapped all the same.
    assert euros.amount == sum(one.amount for one in found.moved)
    assert {line.entity for one in found.moved for line in one.lines} == {"DE01", "DE02"}
    assert {one.entity: one.difference for one in found.net if one.account == "receivable"}["DE02"] > 0


def test_rules_that_decide_otherwise_are_told(database: Database) -> None:
    found = against(database, ("policies/routing.yaml", "`100000`", "`5000`"))
    (rule,) = found.rules
    assert (rule.step, rule.what) == ("route", "everything else → large")
    assert found.money == ()


def test_a_step_that_is_left_out_is_told(database: Database) -> None:
    found = against(
        database, ("flows/tested.yaml", "when: invoice.total.minor > `10000`", "when: invoice.total.minor > `90000`")
    )
    (step,) = found.steps
    assert (step.step, step.what) == ("note", "done → skipped")
    found = against(
        database, ("flows/tested.yaml", "when: invoice.total.minor > `10000`", "when: invoice.total.minor > `1`")
    )
    (untold,) = [one for one in found.untold if one.step == "note"]
    assert untold.what == "it was never asked"


def test_failures_that_appear_and_vanish_are_told_with_what_they_cost(database: Database) -> None:
    appears = against(database, ("mappings/tables/entities.csv", "US,US01\n", ""))
    (failure,) = appears.failures
    assert (failure.step, failure.what, failure.count) == ("invoice", "None → not-in-table", 3)
    assert appears.appearing == 3
    (dollars,) = appears.money
    assert (dollars.currency, dollars.amount) == ("USD", Decimal("3.03"))
    vanishes = against(database, ("mappings/tables/entities.csv", "US,US01\n", "US,US01\nFR,FR01\n"))
    (failure,) = vanishes.failures
    assert failure.what == "not-in-table → None"
    assert vanishes.appearing == 0
    (untold,) = vanishes.untold
    assert (untold.step, untold.what) == ("customer", "it was never asked")


def test_a_check_of_the_flow_itself_is_recomputed(database: Database) -> None:
    found = against(database, ("flows/tested.yaml", "invoice.total]", "\"money(`1`, 'EUR')\"]"))
    # The one of an unknown customer does not come as far as its look-up any more.
    assert {one.what for one in found.failures} == {"None → does-not-add-up", "customer-not-mapped → None"}


def test_a_check_on_an_answer_to_another_input_is_not_taken_for_a_failure(database: Database) -> None:
    check = "    expect: { equal: [post.id, post.id], else: { case: strange } }\n"
    before = changed(("flows/tested.yaml", "  - id: read\n", f"{check}  - id: read\n"))
    tighter = ("flows/tested.yaml", "[post.id, post.id]", "[post.id, \"'nothing'\"]")
    surely = compare(database, compiled(before), compiled(changed(tighter, files=before)))
    assert {one.what for one in surely.failures} == {"None → strange"}
    assert surely.unsure == ()
    perhaps = compare(database, compiled(before), compiled(changed(tighter, CHANGES[0], files=before)))
    assert {(one.step, one.what) for one in perhaps.unsure} == {("post", "strange")}


def test_events_that_start_otherwise_are_told(database: Database) -> None:
    gone = against(database, CHANGES[6])
    assert {one.what: one.count for one in gone.routing} == {
        "starts → does not start": 11,
        "cannot begin (invalid-type) → does not start": 1,
    }
    assert {one.currency for one in gone.money} == {"EUR", "USD"}
    renamed = against(database, CHANGES[8])
    (routing,) = renamed.routing
    assert (routing.what, routing.example.before, routing.example.after) == (
        "business key",
        "invoice:in_10",
        "order:in_10",
    )


def test_what_was_never_answered_cannot_be_told(database: Database) -> None:
    assert ("read", "it reads something else than was recorded") in untold(against(database, CHANGES[7]))
    found = against(database, CHANGES[11])
    assert ("customer", "it looks up something else than was recorded") in untold(found)
    assert found.money == ()


def test_an_answer_is_read_anew_by_another_mapping(database: Database) -> None:
    found = against(database, ("mappings/company/read.yaml", "{ found: found }", "{ found: upper(found) }"))
    assert found.untold == ()
    assert found.differing == 0, "the vendor finds nothing, and nothing in capitals is nothing"
    found = against(database, ("mappings/company/read.yaml", "found: found", "found: \"coalesce(found, 'none')\""))
    (field,) = found.fields
    assert (field.step, field.what) == ("read", "output: found")


def test_bounds_are_kept_and_told(database: Database) -> None:
    one = compiled(FILES)
    assert compare(database, one, compiled(half_even()), events=3).events == 3
    stopped = compare(database, one, compiled(half_even()), seconds=-1.0)
    assert stopped.events == 0
    assert stopped.stopped is not None
    assert "12 events left" in stopped.stopped
    versions = Versions(before=one, after=one, flows={"tested"}, catalogue=CATALOGUE)
    with pytest.raises(Cancelled):
        replay(database, "test", versions, Bounds(), Progress(cancelled=True))
    assert compare(database, one, one).events == 12


def _versions() -> st.SearchStrategy[tuple[int, ...]]:
    chosen = st.lists(st.integers(0, len(CHANGES) - 1), max_size=4, unique=True)
    return chosen.map(lambda numbers: tuple(sorted(numbers)))


_compiled: dict[tuple[int, ...], Bundle] = {}


def _version(numbers: tuple[int, ...]) -> Bundle:
    if numbers not in _compiled:
        _compiled[numbers] = compiled(changed(*(CHANGES[number] for number in numbers)))
    return _compiled[numbers]


LAWS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@LAWS
@given(_versions())
def test_against_itself_nothing_ever_differs(database: Database, numbers: tuple[int, ...]) -> None:
    version = _version(numbers)
    found = compare(database, version, version)
    assert (found.differing, found.records, found.money, found.net, found.moved) == (0, 0, (), (), ())
    assert found.fields == found.rules == found.steps == found.failures == found.routing == found.unsure == ()


@LAWS
@given(_versions(), _versions())
def test_there_and_back_are_opposites(database: Database, one: tuple[int, ...], other: tuple[int, ...]) -> None:
    there = compare(database, _version(one), _version(other))
    back = compare(database, _version(other), _version(one))
    assert there.money == back.money
    moved = [[(run.event, run.currency, run.amount) for run in found.moved] for found in (there, back)]
    assert moved[0] == moved[1]
    turned = {(line.currency, line.entity, line.account): -line.difference for line in back.net}
    assert {(line.currency, line.entity, line.account): line.difference for line in there.net} == turned
    assert (there.differing, there.records) == (back.differing, back.records)
    assert sorted((f.step, f.count) for f in there.failures) == sorted((f.step, f.count) for f in back.failures)
    assert sorted((f.step, f.what, f.count) for f in there.untold) == sorted(
        (f.step, f.what, f.count) for f in back.untold
    )


def test_what_the_newer_version_hides_is_counted(database: Database) -> None:
    other = changed(("connections/vendor.yaml", "connection: vendor", "connection: other"))["connections/vendor.yaml"]
    before = {**FILES, "connections/other.yaml": other}
    moved = changed(
        ("policies/routing.yaml", "then: { connection: vendor }", "then: { connection: other }"), files=before
    )
    found = compare(database, compiled(before), compiled(moved))
    assert untold(found) == {("post", "it calls another operation than was recorded")}
    assert found.money == ()
    assert found.unknown == 9, "all that were posted; one has no customer, and one no entity"
    # What is not known of either version, such as a run that waits or failed, hides nothing.
    assert compare(database, compiled(FILES), compiled(half_even())).unknown == 0
    vanishes = against(database, ("mappings/tables/entities.csv", "US,US01\n", "US,US01\nFR,FR01\n"))
    assert (len(vanishes.untold), vanishes.unknown) == (1, 0)
    assert against(database, CHANGES[11]).unknown == 10
    assert back_and_forth(database) == 0


def back_and_forth(database: Database) -> int:
    """Count what is hidden between two versions that ask what was never answered."""
    version = compiled(changed(CHANGES[11]))
    return compare(database, version, version).unknown
