"""Records that may be one, in the simulation: seeds hold and do something, and who is wrong about them is caught."""

from __future__ import annotations

from collections import Counter

import pytest

from hub.proof.simulation import alike, campaign, hunting
from hub.proof.simulation.mutants import BY_NAME

#: Few enough for some seconds.
SEEDS = 16


@pytest.fixture(autouse=True)
def quiet() -> None:
    campaign.be_quiet()


def test_seeds_hold_and_are_worth_it() -> None:
    covered, lives = Counter[str](), 0
    for seed in range(SEEDS):
        found = alike.run(alike.draw(seed))
        assert found.findings == [], seed
        covered.update(found.covered)
        lives += found.lives
    for what in ("failed possible-duplicate", "audit thing.merged", "audit duplicate.decided", "step match"):
        assert covered[what] > 5, what
    assert lives > SEEDS


def test_a_seed_does_the_same_twice() -> None:
    one, two = (alike.run(alike.draw(5), kept=kept) for kept in (True, False))
    assert (one.digest, one.steps, one.commits) == (two.digest, two.steps, two.commits)
    assert len(one.story) > 10


@pytest.mark.parametrize("name", ["compared_before", "alias_not_resolved", "merge_loses_a_tie", "merge_half_told"])
def test_who_is_wrong_about_what_is_one_is_caught(name: str) -> None:
    hunted = hunting.hunt(BY_NAME[name], seeds=20)
    assert hunted.caught
    assert hunted.breaks is BY_NAME[name].breaks


def test_a_history_that_does_not_fit_is_told() -> None:
    row = {"position": 1, "what": "untied", "system": "erp", "id": "a", "thing": "t", "was_rank": 0, "rank": None}
    assert alike.replayed([row]).torn == "row 1 of the history (untied ('erp', 'a')) does not fit None"
