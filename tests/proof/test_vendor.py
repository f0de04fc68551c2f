"""The vendor of the simulation notes what its caller was told, and nothing kinder than that."""

from random import Random

from hub.model.exchange import Request
from hub.proof.simulation.vendor import LAGS, Received, Vendor

POST = Request(method="POST", url="https://ledger.example/entries", headers={}, body=b'{"mark": "m1", "name": "sale0"}')
LOOK = Request(method="GET", url="https://ledger.example/entries?mark=m1", headers={}, body=b"")


class Account:
    """A vendor at a time of one's own."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.vendor = Vendor("ledger", lambda: self.now, Random(1))

    def refused(self) -> Received:
        """Have the write refused for what it says, and give what the vendor noted of that."""
        self.vendor.refuses.add("sale0")
        assert self.vendor.serve(POST).status == 400
        return self.vendor.received[-1]


def test_a_refusal_settles_what_was_looked_for_late_enough() -> None:
    account = Account()
    account.vendor.note_unanswered(POST)
    account.now += LAGS
    account.vendor.serve(LOOK)
    assert account.refused().settles


def test_a_refusal_settles_nothing_that_could_still_appear() -> None:
    account = Account()
    account.vendor.note_unanswered(POST)
    account.now += LAGS - 1
    account.vendor.serve(LOOK)
    assert not account.refused().settles


def test_a_refusal_without_a_look_settles_nothing() -> None:
    account = Account()
    account.vendor.note_unanswered(POST)
    account.now += LAGS
    assert not account.refused().settles


def test_what_came_after_the_look_is_as_open_as_before() -> None:
    account = Account()
    account.vendor.serve(LOOK)
    account.now += LAGS
    account.vendor.note_unanswered(POST)
    assert not account.refused().settles


def test_being_turned_away_settles_nothing() -> None:
    account = Account()
    account.vendor.note_unanswered(POST)
    account.now += LAGS
    account.vendor.serve(LOOK)
    account.vendor.turn_away(POST, 429)
    assert not account.vendor.received[-1].settles
