"""What an agreement lets out is read from the flow: what goes out after it, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hub.model.flow import Call, Flow, Foreach, OnFailure, Step
from hub.queries.consequences import consequences
from hub.workspace.source.terms import text_term
from tests.ui.stage import shipped_bundle

READS = {"invoice.read", "journal_entry.read"}


@pytest.fixture(scope="module")
def shipped() -> Flow:
    return shipped_bundle().flows["invoice-to-erp"]


def looped(shipped: Flow) -> Flow:
    """Give the shipped flow whose approval and tax stand in a loop."""
    steps = {step.id: step for step in shipped.steps}
    approval, tax = steps["approval"], steps["tax"]
    assert shipped.entity is not None
    loop = Step(id="lines", action=Foreach(each=shipped.entity, steps=(steps["taxable"], approval, tax)))
    rest = tuple(step for step in shipped.steps if step.id not in {"taxable", "approval", "tax"})
    return replace(shipped, steps=(loop, *rest))


def test_what_is_written_after_it_is_told_in_the_order_of_the_flow(shipped: Flow) -> None:
    found = consequences(shipped, "approval", reads=READS)
    assert found is not None and not found.takes_back
    assert [each.place for each in found.follows] == ["tax", "booked.post", "booked.entry", "write_back"]
    assert found.follows[0].sentence.startswith("Call tax.commit on the connection that taxing gives")


def test_what_is_not_known_to_change_nothing_is_told_too(shipped: Flow) -> None:
    found = consequences(shipped, "approval", reads=())
    assert found is not None
    assert [each.place for each in found.follows] == [
        "tax",
        "booked.post",
        "booked.posted",
        "booked.entry",
        "booked.entered",
        "write_back",
    ]


def test_what_is_asked_for_an_item_lets_out_that_item_alone(shipped: Flow) -> None:
    found = consequences(looped(shipped), "lines[il_1.a].approval", reads=READS)
    assert found is not None
    assert [each.place for each in found.follows] == ["lines[].tax"]


def test_a_refusal_takes_back_where_the_flow_says_so(shipped: Flow) -> None:
    undoing = replace(shipped, on_failure=OnFailure.COMPENSATE)
    found = consequences(undoing, "approval", reads=READS)
    assert found is not None and found.takes_back


def test_an_approval_of_a_calling_flow_has_no_step_here(shipped: Flow) -> None:
    assert consequences(shipped, "^approval", reads=READS) is None


def test_connections_are_named_as_far_as_they_are_known(shipped: Flow) -> None:
    """Who agrees reads a name, or who will choose it, never an expression that may come out otherwise later on."""

    def told(flow: Flow, known: Mapping[str, Any]) -> list[str]:
        found = consequences(flow, "approval", reads=READS, known=known)
        assert found is not None
        return [each.sentence.partition(" on ")[2].partition(" with ")[0] for each in found.follows]

    route = {"connection": "netsuite", "system": "netsuite"}
    known = {"event": {"connection": "stripe"}, "route": route, "taxing": {"connection": "tax"}}
    # Where it goes is decided by then, so that the other system's arm is not told.
    assert told(shipped, known) == ["tax", "netsuite", "stripe"]
    japan = {"connection": "s4hana-jp", "system": "s4hana"}
    assert told(shipped, {**known, "route": japan}) == ["tax", "s4hana-jp", "stripe"]
    assert told(shipped, {}) == [
        "the connection that taxing gives",
        "the connection that route gives",
        "the connection that route gives",
        "the connection that event gives",
    ]
    tax = next(step for step in shipped.steps if step.id == "tax")
    assert isinstance(tax.action, Call)
    either = text_term("=taxable.connection || taxing.connection", {})
    changed = replace(tax, action=replace(tax.action, connection=either))
    later = replace(shipped, steps=tuple(changed if step.id == "tax" else step for step in shipped.steps))
    assert told(later, known)[0] == "the connection that the run chooses"
