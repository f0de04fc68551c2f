"""Steps of every kind, and steps within steps: what a file says is what the engine gets."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.model.flow import (
    Approve,
    Branch,
    Call,
    CatchUp,
    Emit,
    Failures,
    Flow,
    Foreach,
    OnFailure,
    Overlap,
    Parallel,
    Schedule,
    Step,
    Subflow,
    Wait,
)
from hub.model.run import Priority
from hub.workspace.bundle import Bundle
from hub.workspace.compilation import compile_bundle
from tests.workspace import composed
from tests.workspace.conftest import CATALOGUE, FILES, encoded


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    compiled, lints = compile_bundle(encoded({**FILES, **composed.FILES}), CATALOGUE)
    assert [str(lint) for lint in lints] == []
    assert compiled is not None
    return compiled


@pytest.fixture(scope="module")
def whole(bundle: Bundle) -> Flow:
    return bundle.flows["whole"]


def step(flow: Flow, id: str) -> Step:
    return next(each for each in flow.steps if each.id == id)


def test_a_flow_says_its_priority_its_failures_and_its_output(whole: Flow, bundle: Bundle) -> None:
    assert (whole.priority, whole.on_failure) == (Priority.HIGH, OnFailure.COMPENSATE)
    output = bundle.flows["inner"].output
    assert output is not None
    assert output({"data": {"record": {"id": "T1"}}}) == {"things": [{"id": "T1"}]}


def test_approvals_and_waits(whole: Flow) -> None:
    ok = step(whole, "ok")
    assert isinstance(ok.action, Approve)
    assert (ok.action.policy, ok.timeout, ok.on_failure) == ("large", None, None)
    assert ok.action.of is not None
    assert ok.action.of({"invoice": 7}) == 7
    pause = step(whole, "pause")
    assert (pause.action, pause.timeout) == (Wait(duration=timedelta(hours=1)), timedelta(days=3))
    until = step(whole, "month_end").action
    assert isinstance(until, Wait)
    assert until.until is not None
    assert (until.until.text, until.case) == ("data.object.due", "event-did-not-come")
    paid = step(whole, "paid").action
    assert isinstance(paid, Wait)
    assert (paid.event, paid.timeout, paid.case) == ("billing.payment.settled", timedelta(days=7), "not-settled")
    assert paid.subject is not None
    assert paid.subject({"data": {"object": {"id": "T1"}}}) == "T1"


def test_a_loop_has_its_item_its_steps_and_what_it_keeps(whole: Flow) -> None:
    loop = step(whole, "lines").action
    assert isinstance(loop, Foreach)
    assert (loop.name, loop.concurrency, loop.failures) == ("line", 4, Failures.CONTINUE)
    assert loop.each({"invoice": {"lines": [1]}}) == [1]
    assert loop.by is not None
    assert loop.by({"line": {"number": 3}}) == 3
    (kept,) = loop.steps
    assert (kept.id, kept.on_failure) == ("kept", OnFailure.CONTINUE)
    assert loop.collect is not None
    assert loop.collect({"line": {"number": 3}, "kept": {"id": "E"}}) == {"number": 3, "id": "E"}


def test_a_branch_has_its_arms_in_order(whole: Flow) -> None:
    way = step(whole, "way").action
    assert isinstance(way, Branch)
    assert [(arm.name, arm.when is None, [inner.id for inner in arm.steps]) for arm in way.arms] == [
        ("domestic", False, ["post"]),
        ("other", True, ["chosen", "looked"]),
    ]
    post = way.arms[0].steps[0].action
    assert isinstance(post, Call)
    assert post.undo is not None
    assert (post.undo.operation, post.undo.shape) == ("invoice.adjust", "erp/reversal")
    assert post.undo.of is not None
    assert (post.undo.of.text, list(post.undo.given)) == ("post", ["why"])


def test_steps_at_the_same_time_say_what_they_need(whole: Flow) -> None:
    both = step(whole, "both").action
    assert isinstance(both, Parallel)
    assert [(inner.id, inner.needs) for inner in both.steps] == [("a", ()), ("b", ("a",)), ("c", ("a", "b"))]
    undo = both.steps[1].action
    assert isinstance(undo, Call)
    assert undo.undo is not None
    assert undo.undo.by is not None
    assert undo.undo.by({"b": {"id": "E2"}}) == "E2"


def test_events_flows_and_calls_for_many(whole: Flow) -> None:
    told = step(whole, "told").action
    assert isinstance(told, Emit)
    assert (told.type, told.shape) == ("concord.invoice.posted", None)
    child = step(whole, "child").action
    assert isinstance(child, Subflow)
    assert (child.flow, child.of is not None) == ("inner", True)
    posts = step(whole, "posts").action
    assert isinstance(posts, Call)
    assert (posts.failures, posts.undo is not None) == (Failures.CONTINUE, True)
    assert posts.each is not None
    assert posts.item is not None
    assert (posts.each.text, posts.item({"id": "T9"})) == ("child.things", "T9")


def test_what_starts_a_flow(bundle: Bundle) -> None:
    nightly, inner = bundle.flows["nightly"], bundle.flows["inner"]
    assert (nightly.event, inner.event) == ("concord.schedule.nightly", "concord.flow.inner")
    assert inner.called == "canonical.thing@1"
    assert nightly.schedule == Schedule(
        cron="0 6 * * MON-FRI",
        zone="Europe/Vienna",
        catch_up=CatchUp.ALL,
        overlap=Overlap.SKIP,
        dead_man=timedelta(hours=80),
    )
    assert (nightly.priority, bundle.flows["listening"].priority) == (Priority.LOW, Priority.NORMAL)
    assert [flow.name for flow in bundle.flows_for("concord.invoice.posted")] == ["listening"]
