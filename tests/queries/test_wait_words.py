"""What a run waits for is said in words, whatever stands in the names of things."""

from __future__ import annotations

import pytest

from hub.model.run import WaitKind
from hub.queries.wait_words import waits_in_words
from hub.store import approvals, connections, crossrefs, events
from hub.store.history import child_topic


@pytest.mark.parametrize(
    ("kind", "topic", "words"),
    [
        (
            WaitKind.EVENT,
            events.topic(environment="test", type="stripe.invoice.paid", subject="in:1"),
            "the event stripe.invoice.paid about in:1",
        ),
        (
            WaitKind.EVENT,
            crossrefs.topic(environment="test", entity="invoice", system="stripe", id="in:1", want="netsuite"),
            "the netsuite id of the stripe invoice in:1",
        ),
        (WaitKind.CONNECTION, connections.topic(environment="test", name="erp"), "the connection erp to be resumed"),
        (
            WaitKind.CHILD,
            child_topic("run_1", "lines[a:b].agrees"),
            "the flow that its step lines[a:b].agrees has called",
        ),
        (WaitKind.APPROVAL, approvals.topic("approval_1"), "people who approve"),
        (WaitKind.HOLD, "hold:flow:invoice-to-erp", "a hold to be lifted"),
    ],
)
def test_each_topic_has_its_words(kind: WaitKind, topic: str, words: str) -> None:
    assert waits_in_words(kind, [topic]) == (words,)


@pytest.mark.parametrize("kind", list(WaitKind))
def test_without_a_topic_the_kind_says_it(kind: WaitKind) -> None:
    (words,) = waits_in_words(kind, [])
    assert words


def test_several_things_are_said_once_each() -> None:
    one, other = child_topic("run_1", "a"), child_topic("run_1", "b")
    assert len(waits_in_words(WaitKind.CHILD, [one, other, one])) == 2
    assert waits_in_words(None, [one]) == ()
