"""Fields are followed through steps within steps, into events of the hub's own and into other flows, and back."""

from __future__ import annotations

import pytest

from hub.workspace.compilation import compile_bundle
from hub.workspace.lineage.edges import Field, Lineage, Purpose
from hub.workspace.lineage.tracing import trace
from tests.workspace import composed
from tests.workspace.conftest import CATALOGUE, FILES, encoded

THING, SENT = "canonical.thing@1", "erp.invoice@1"


@pytest.fixture(scope="module")
def lineage() -> Lineage:
    bundle, lints = compile_bundle(encoded({**FILES, **composed.FILES}), CATALOGUE)
    assert bundle is not None, lints
    return trace(bundle, CATALOGUE).within("whole")


@pytest.fixture(scope="module")
def others() -> Lineage:
    bundle, _ = compile_bundle(encoded({**FILES, **composed.FILES}), CATALOGUE)
    assert bundle is not None
    return trace(bundle, CATALOGUE)


def edges(lineage: Lineage) -> set[tuple[str, str, str]]:
    """Give from where to where values go, and in which step."""
    return {(str(edge.source), str(edge.target), step.step) for edge in lineage.edges for step in edge.steps}


def uses(lineage: Lineage, purpose: Purpose) -> set[tuple[str, str]]:
    return {(str(use.source), use.step.step) for use in lineage.uses if use.purpose is purpose}


@pytest.mark.parametrize(
    "edge",
    [
        # A given value of an item is a field of the list that the loop goes through.
        (f"{THING}.lines[].number", f"{SENT}.customer", "lines[].kept"),
        (f"{THING}.id", f"{SENT}.externalId", "way.post"),
        (f"{THING}.id", f"{SENT}.customer", "both.b"),
        # What a loop keeps, what is told, what is handed over, and what came of it.
        (f"{THING}.lines[].number", "collected.whole.lines", "lines"),
        (THING, "event.concord.invoice.posted.record", "told"),
        ("flow.inner.things[]", THING, "posts"),
        # An undo makes its input of what the call answered.
        ("answer.invoice.upsert", SENT, "way.post"),
        (f"{THING}.id", f"{THING}.id", "way.post"),
    ],
)
def test_values_are_followed_through_steps_within_steps(lineage: Lineage, edge: tuple[str, str, str]) -> None:
    assert edge in edges(lineage), sorted(edges(lineage))


def test_it_tells_what_is_decided_by_a_value(lineage: Lineage) -> None:
    assert uses(lineage, Purpose.APPROVE) == {(THING, "ok")}
    assert uses(lineage, Purpose.EACH) >= {(f"{THING}.lines", "lines"), (f"{THING}.lines[].number", "lines")}
    assert ("flow.inner.things", "posts") in uses(lineage, Purpose.EACH)
    assert (f"{THING}.kind", "way") in uses(lineage, Purpose.WHEN)
    assert uses(lineage, Purpose.UNDO) == {("answer.invoice.upsert.id", "both.b")}
    event = "event.billing.invoice.paid.data.object"
    assert uses(lineage, Purpose.WAIT) == {(f"{event}.due", "month_end"), (f"{event}.id", "paid")}
    assert uses(lineage, Purpose.SUBJECT) == {(f"{event}.id", "told")}
    assert (f"{THING}.id", "way.looked") in {
        (str(edge.source), step.step)
        for edge in lineage.edges
        for step in edge.steps
        if edge.target == Field(record="crossref.customer", path="id")
    }


def test_a_flow_that_others_run_gives_what_it_has_been_given(others: Lineage) -> None:
    assert (THING, "flow.inner", "") in edges(others.within("inner"))
    assert ("event.concord.invoice.posted.subject", "post") in uses(others.within("listening"), Purpose.BY)
