"""Runs that wait for an account are let go a few at a time, also where other processes take those that were let go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from hub.connections.recall import COMING, COMING_TO_IDLE, Recall
from hub.model.limits import Portion
from hub.model.turns import Turns


class Waiting:
    """So many runs wait in the database; who lets some go has them taken by another process."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.asked: list[int] = []

    async def reserve(self, budget: str, wanted: Sequence[Portion]) -> Sequence[tuple[int, int]]:
        raise NotImplementedError

    def give_back(self, budget: str, unused: Sequence[Portion]) -> None:
        raise NotImplementedError

    def keep(self, budget: str, learned: Mapping[str, Any] | None) -> None:
        raise NotImplementedError

    async def wake(self, topic: str, count: int, turns: Turns) -> int:
        self.asked.append(count)
        gone = min(count, self.left)
        self.left -= gone
        return gone


async def turned(recall: Recall, now: int, *, hands: int, room: int = 10) -> None:
    recall.let_go(now, room=room, hands=hands)
    await asyncio.sleep(0)
    await asyncio.sleep(0)


@pytest.mark.parametrize(("others", "patience"), [(True, COMING_TO_IDLE), (False, COMING)])
async def test_who_has_nothing_in_hand_soon_takes_it_that_others_have_what_it_let_go(
    others: bool,  # noqa: FBT001 - as pytest calls it
    patience: int,
) -> None:
    """A process that is alone knows that they come to it, however busy it is."""
    store = Waiting(25)
    recall = Recall(store, "limit:test:a", lambda: None, others=others)
    await turned(recall, 0, hands=0)
    assert recall.next(hands=0) == patience
    await turned(recall, patience - 1, hands=0)
    assert store.asked == [10]
    await turned(recall, patience, hands=0)
    assert store.asked == [10, 10] and store.left == 5


async def test_who_has_something_in_hand_lets_those_come_that_it_let_go() -> None:
    """They may be on their way; what is in hand comes to its end, and then it looks again."""
    store = Waiting(25)
    recall = Recall(store, "limit:test:a", lambda: None, others=True)
    await turned(recall, 0, hands=0)
    await turned(recall, COMING - 1, hands=1)
    assert store.asked == [10] and recall.next(hands=1) == COMING
    await turned(recall, COMING - 1, hands=0)
    assert store.asked == [10, 10]


async def test_all_that_were_let_go_have_come() -> None:
    store = Waiting(25)
    recall = Recall(store, "limit:test:a", lambda: None, others=True)
    await turned(recall, 0, hands=0)
    for _ in range(10):
        recall.came()
    await turned(recall, 1, hands=5)
    assert store.asked == [10, 5]
    await turned(recall, 2, hands=6)
    assert store.asked == [10, 5]
