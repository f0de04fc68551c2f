"""What people may do in a trial: orders at moments drawn from the seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from hub.operate.runs import FAILURE, START, From


class Order(StrEnum):
    """What a person may order."""

    LINK = "link"
    MOVE = "move"
    REPLAY = "replay"
    EDIT = "edit"
    CANCEL = "cancel"
    TAKE_BACK = "take_back"
    PAUSE = "pause"
    RESUME = "resume"
    HOLD_RUN = "hold_run"
    HOLD_KEY = "hold_key"
    HOLD_FLOW = "hold_flow"
    LIFT = "lift"
    AGREE = "agree"
    REFUSE = "refuse"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One order at a second; `pick` draws what it is about, and `who` who gives it."""

    order: Order
    at: float
    pick: float
    who: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a run is made again: from where, and whether with the workspace of now."""

    start: From = START
    current: bool = False
    told: str = ""


#: The ways in which people have a run made again.
WAYS = (Way(), Way(start=FAILURE, told=" from where it stopped"), Way(current=True, told=" with the workspace of now"))


def draw(dice: Random, moment: Callable[[Random], float]) -> tuple[Act, ...]:
    """Draw what people do in one trial, often nothing; `moment` draws when."""
    number = dice.choice((0, 1, 2, 4, 7, 10))
    # Agreeing is what people do most.
    orders = (*Order, Order.AGREE, Order.AGREE, Order.AGREE, Order.LIFT, Order.MOVE, Order.MOVE)
    acts = [
        Act(order=dice.choice(orders), at=moment(dice), pick=dice.random(), who=dice.random()) for _ in range(number)
    ]
    return tuple(sorted(acts, key=lambda act: act.at))
