"""Broken hubs: each breaks what its name says, nothing of it stays behind, and what is not broken is not caught."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.errors import Refused
from hub.proof import hunts
from hub.proof.invariants import Invariant
from hub.proof.simulation import campaign, hunting, mutants
from hub.proof.simulation.breaking import Mutant, broken
from hub.proof.simulation.cases import CASES
from hub.proof.simulation.mutants import BY_NAME, MUTANTS

#: Mutants that show within a few seeds or crashes.
QUICK = ("limits_of_their_own", "undone_forward", "cursor_first")


@pytest.fixture(autouse=True)
def quiet() -> None:
    campaign.be_quiet()


def test_each_mutant_has_a_name_and_a_place_where_it_shows() -> None:
    assert len(BY_NAME) == len(MUTANTS)
    assert {mutant.crashed for mutant in MUTANTS} <= {None, *(case.name for case in CASES)}
    # What was broken once in the demo is broken here too.
    assert BY_NAME.keys() >= {"blind_retry", "no_order", "float_rounding", "recomputed_request"}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_nothing_of_a_mutant_stays_behind(mutant: Mutant) -> None:
    before = [getattr(swap.owner, swap.name) for swap in mutant.swaps]
    with broken(mutant):
        assert [getattr(swap.owner, swap.name) for swap in mutant.swaps] == [swap.by for swap in mutant.swaps]
    assert [getattr(swap.owner, swap.name) for swap in mutant.swaps] == before


def test_the_documents_name_every_mutant_and_what_counts() -> None:
    told = (Path(__file__).parents[2] / "docs/proof.md").read_text()
    for mutant in MUTANTS:
        assert f"| `{mutant.name}` | {mutant.does} | `{mutant.breaks.value}` |" in told
    assert f"in none of {hunting.MOST_SEEDS} seeds" in told
    for name, least in campaign.LEAST.items():
        assert f"{least} {'trouble' if name == 'troubles' else name}" in told
    for trials, (kinds, done) in campaign.LEAST_KINDS.items():
        row = next(line for line in told.splitlines() if line.startswith(f"| {trials} trials or more"))
        assert f"{kinds} " in row
        assert f"{done} " in row


@pytest.mark.parametrize("name", QUICK)
def test_a_broken_hub_is_caught_by_the_invariant_it_names(name: str) -> None:
    """All of them are `concord prove --mutants`'s."""
    hunted = hunting.hunt(BY_NAME[name], seeds=20)
    assert hunted.caught
    assert hunted.breaks is BY_NAME[name].breaks
    assert hunted.tries <= 20


def test_the_hub_itself_is_never_caught() -> None:
    sound = Mutant(name="sound", does="keeps its promises", breaks=Invariant.NOTHING_TWICE)
    hunted = hunting.hunt(sound, seeds=2)
    assert (hunted.caught, hunted.tries, hunted.where, hunted.beside) == (False, 2, None, {})


def test_what_the_hub_itself_breaks_there_catches_nobody() -> None:
    unsound = hunting.Hunted(name="x", does="x", breaks=Invariant.FENCED, tries=1, where="seed 0", sound=False)
    assert not unsound.caught


def test_a_mutant_is_asked_for_by_its_name() -> None:
    assert mutants.named(None) is None
    assert mutants.named("no_fence") is BY_NAME["no_fence"]
    with pytest.raises(Refused, match="no_fence"):
        mutants.named("no_such")


def test_the_hunt_succeeds_only_when_every_mutant_is_caught(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hunts, "MUTANTS", (BY_NAME["no_deduplication"],))
    assert hunts.run_hunts(jobs=1, first=0, seeds=1, json=False) == 0
    told = capsys.readouterr().out
    assert "1 of 1 mutants were caught" in told
    assert "concord prove --mutant no_deduplication --seed 0 --trace" in told
    monkeypatch.setattr(hunts, "MUTANTS", (BY_NAME["no_deduplication"], BY_NAME["ended_in_doubt"]))
    assert hunts.run_hunts(jobs=1, first=0, seeds=1, json=True) == 1
    found = json.loads(capsys.readouterr().out)
    assert [each["caught"] for each in found["mutants"]] == [True, False]
    monkeypatch.setattr(hunts, "MUTANTS", (BY_NAME["ended_in_doubt"],))
    assert hunts.run_hunts(jobs=1, first=0, seeds=1, json=False) == 1
    assert "one_state held at each of 1 seeds" in capsys.readouterr().out
