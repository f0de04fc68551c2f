"""Nothing that needs agreement goes out without it: the oracle counts the votes, who began it, and who was away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.proof.evidence import Approval, Consent, Evidence, Vote
from hub.proof.invariants import Invariant
from hub.proof.oracle import judge
from tests.proof.books import world

KEY = "stripe:inpay_in_good_0"


def agreed(
    *votes: Vote,
    away: tuple[tuple[float, float], ...] = (),
    people: int = 1,
    digest: str = "aa",
    began: float | None = None,
) -> Evidence:
    """Give the sound world in which a payment needs agreement, was intended at 10, and these votes were cast."""
    sound = world()
    effect = replace(sound.hub.effects[0], approvals=["ap_1"], intended=[10.0])
    approval = Approval(id="ap_1", record_hash="aa", votes=votes)
    hub = replace(sound.hub, effects=[effect], approvals=[approval])
    ordered = {} if began is None else {"bob": began}
    consents = {KEY: Consent(people=people, record_hashes=frozenset({digest} if digest else ()), began=ordered)}
    return replace(sound.evidence, hub=hub, consents=consents, away={"bob": away})


BOB, CYD = (Vote(actor=name, verdict="agreed", at=at) for name, at in (("bob", 5.0), ("cyd", 6.0)))


@pytest.mark.parametrize(
    ("evidence", "holds"),
    [
        (agreed(BOB), True),
        (agreed(), False),
        (agreed(BOB, people=2), False),
        (agreed(BOB, CYD, people=2), True),
        (agreed(replace(BOB, at=11.0)), False),
        (agreed(replace(BOB, verdict="refused")), False),
        (agreed(BOB, Vote(actor="bob", verdict="began", at=1.0)), False),
        (agreed(BOB, digest="other"), False),
        (agreed(BOB, away=((7.0, 20.0),)), False),
        (agreed(BOB, away=((6.0, 8.0), (12.0, 13.0))), True),
        (agreed(BOB, began=4.0), False),
        (agreed(BOB, began=11.0), True),
        (agreed(BOB, CYD, began=4.0), True),
    ],
)
def test_nothing_goes_out_without_agreement(evidence: Evidence, *, holds: bool) -> None:
    broken = [] if holds else [Invariant.APPROVED_BEFORE]
    assert [name for name, held in judge(evidence).holds.items() if not held] == broken
