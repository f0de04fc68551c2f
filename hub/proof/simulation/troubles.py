"""What may go wrong in a trial, drawn from its seed as a list of single troubles, so that a list can be shortened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from hub.proof.simulation.committing import AtCommit


class AtCall(StrEnum):
    """What befalls one request to a vendor."""

    NOT_SENT = "not_sent"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after_commit"
    REFUSED_AGAIN = "reset_after_commit_then_404"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after_commit"
    LATE = "commits_after_timeout"
    HALF_ANSWER = "half_answer"
    LOGIN_PAGE = "login_page_with_200"
    ERROR_BEFORE = "500_before"
    ERROR_AFTER = "500_after_commit"
    GATEWAY = "502_after_commit"
    UNAVAILABLE = "503"
    TOO_MANY = "429"
    SLOW = "slow"
    KILLED_BEFORE = "killed_before_send"
    KILLED_AFTER = "killed_after_send"


class Weather(StrEnum):
    """What befalls every request to a vendor for a while."""

    OUTAGE = "outage"
    REVOKED = "credential_revoked"
    STORM = "429_storm"
    SLOW = "slow_vendor"


class AtDelivery(StrEnum):
    """What befalls the delivery of one event."""

    TWICE = "webhook_duplicate"
    LATE = "webhook_late"
    LOST = "webhook_lost"
    TORN = "webhook_torn"
    FORGED = "webhook_forged"
    OTHER_CONTENT = "webhook_other_content"
    DEAF = "acknowledgement_lost"


class AtProcess(StrEnum):
    """What befalls the process or its machine at a moment."""

    KILLED = "killed"
    OVERSLEPT = "slept_past_takeover"
    CLOCK = "clock_leap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """The `call`-th request to a vendor meets this; `amount` draws its size."""

    kind: AtCall
    vendor: str
    call: int
    amount: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """All requests to a vendor meet this for some seconds."""

    kind: Weather
    vendor: str
    begins: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitTrouble:
    """The `group`-th commit meets this; `amount` draws its size."""

    kind: AtCommit
    group: int
    amount: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTrouble:
    """The `event`-th event's delivery meets this; `amount` draws its size."""

    kind: AtDelivery
    event: int
    amount: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessTrouble:
    """At this second the process meets this; `amount` draws its size."""

    kind: AtProcess
    at: float
    amount: float


Trouble = Strike | Spell | CommitTrouble | DeliveryTrouble | ProcessTrouble

#: Every kind of trouble by its name; a set of seeds must have met each.
KINDS = tuple(
    str(kind)
    for kinds in (AtCall, Weather, AtCommit, AtDelivery, AtProcess)
    for kind in kinds
    if kind is not AtCommit.NOTHING
)
_COMMITS = tuple(kind for kind in AtCommit if kind is not AtCommit.NOTHING)


def draw(
    dice: Random, *, vendors: Sequence[str], events: int, moment: Callable[[Random], float]
) -> tuple[Trouble, ...]:
    """Draw the troubles of one trial; some trials have hardly any, some many. `moment` draws when something strikes."""
    # Every event is told, so that this one strikes for certain.
    found: list[Trouble] = [_delivery(dice, events)]
    for _ in range(dice.choice((1, 2, 3, 4, 6, 9))):
        match dice.choices(("call", "spell", "commit", "delivery", "process"), (11, 2, 4, 2, 3))[0]:
            case "call":
                found.append(_strike(dice, vendors, events))
            case "spell":
                kind = dice.choice(tuple(Weather))
                begins, lasts = moment(dice), dice.choice((2.0, 20.0, 120.0))
                found.append(Spell(kind=kind, vendor=dice.choice(vendors), begins=begins, seconds=lasts))
            case "commit":
                at = dice.randint(2, 10 + 8 * events)
                found.append(CommitTrouble(kind=dice.choice(_COMMITS), group=at, amount=dice.random()))
            case "delivery":
                found.append(_delivery(dice, events))
            case _:
                kind_at = dice.choice(tuple(AtProcess))
                found.append(ProcessTrouble(kind=kind_at, at=moment(dice), amount=dice.random()))
    return tuple(found)


def _delivery(dice: Random, events: int) -> DeliveryTrouble:
    kind = dice.choice(tuple(AtDelivery))
    return DeliveryTrouble(kind=kind, event=dice.randrange(events), amount=dice.random())


def _strike(dice: Random, vendors: Sequence[str], events: int) -> Strike:
    return Strike(
        # This one shows only where the same request is sent once more.
        kind=dice.choice((*AtCall, AtCall.REFUSED_AGAIN, AtCall.REFUSED_AGAIN)),
        # The last vendor is the one that money goes to; it is struck most.
        vendor=dice.choice((*vendors, vendors[-1], vendors[-1])),
        call=dice.randint(1, 3 * events),
        amount=dice.random(),
    )
