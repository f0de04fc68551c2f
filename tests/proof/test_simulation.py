"""The simulation: seeds hold, the same seed does the same, and a broken hub is caught by name."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter

import pytest

from hub.proof.simulation import campaign, trial
from hub.proof.simulation.campaign import Totals
from hub.proof.simulation.memory import MemoryDatabase
from hub.proof.simulation.troubles import KINDS
from hub.store.migrating import NEWEST

#: Few enough for some seconds; thousands are `concord prove`'s.
SEEDS = 20

_DIGESTS = """
from hub.proof.simulation import campaign, trial
campaign.be_quiet()
for seed in range(40, 42):
    found = trial.run(trial.draw(seed))
    print(seed, found.digest, found.steps, found.commits, found.calls)
"""


def test_seeds_hold_and_are_worth_it() -> None:
    totals = campaign.run(range(SEEDS))
    assert totals.violations == []
    assert totals.missed() == []
    assert totals.trials == SEEDS
    assert totals.lives > SEEDS


def test_a_seed_does_the_same_in_every_process() -> None:
    """The order in which a process keeps its sets must not show."""
    told = subprocess.run(
        [sys.executable, "-c", _DIGESTS],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": ":".join(sys.path)},
    ).stdout.splitlines()
    here = [trial.run(trial.draw(seed)) for seed in (40, 41)]
    assert told == [f"{one.seed} {one.digest} {one.steps} {one.commits} {one.calls}" for one in here]


def test_different_seeds_do_different_things() -> None:
    assert len({trial.run(trial.draw(seed)).digest for seed in range(3)}) == 3


def test_a_kept_story_changes_nothing() -> None:
    kept, plain = (trial.run(trial.draw(7), kept=kept) for kept in (True, False))
    assert (kept.digest, kept.steps) == (plain.digest, plain.steps)
    assert len(kept.story) > 10
    assert plain.story == []


def test_the_database_in_memory_is_what_the_migrations_make() -> None:
    database = MemoryDatabase()
    assert database.file.execute("SELECT version_num FROM alembic_version").fetchone() == (NEWEST,)
    database.file.execute("INSERT INTO marks VALUES ('a', 'b', 1)")
    database.begin_anew()
    assert database.file.execute("SELECT name FROM marks").fetchall() == [("tables",)]


def test_a_full_disk_is_a_real_one() -> None:
    database = MemoryDatabase()
    database.fill()
    with pytest.raises(sqlite3.OperationalError, match="full"):
        database.file.execute("INSERT INTO marks VALUES ('before', ?, 1)", ("x" * 50_000,))
    database.make_room()
    database.file.execute("INSERT INTO marks VALUES ('after', ?, 1)", ("x" * 50_000,))


def test_what_did_nothing_is_a_violation() -> None:
    totals = Totals()
    done = trial.run(trial.draw(3))
    totals.add(done)
    assert totals.violations == []
    idle = trial.Trial(
        seed=9, findings=(), struck={}, covered={}, steps=1, commits=1, calls=0, events=1, lives=1, seconds=0, digest=""
    )
    totals.add(idle)
    assert {violation.invariant for violation in totals.violations} == {"idle"}
    assert len(totals.violations) == len(campaign.LEAST)
    assert totals.broken_seeds == [9]


def test_a_large_set_must_have_met_everything() -> None:
    totals = Totals(trials=campaign.ENOUGH)
    assert len(totals.missed()) == len(KINDS) + len(campaign.MUST_COVER) + 1
    totals.struck = Counter(dict.fromkeys(KINDS, campaign.ENOUGH))
    totals.covered = Counter(campaign.MUST_COVER)
    assert totals.missed() == []
    totals.struck[KINDS[3]] = 0
    assert totals.missed() == [f"no trial met {KINDS[3]}"]
    totals.struck = Counter(KINDS)
    (told,) = totals.missed()
    assert told.startswith(f"{len(KINDS)} troubles struck")


@pytest.mark.parametrize(("trials", "kinds"), [(19, 0), (20, 12), (99, 12), (100, 28), (999, 28), (1000, len(KINDS))])
def test_a_smaller_set_must_have_met_as_much_as_is_stated(trials: int, kinds: int) -> None:
    assert campaign.least_kinds(trials)[0] == kinds
    totals = Totals(trials=trials, covered=Counter(campaign.MUST_COVER))
    totals.struck = Counter(dict.fromkeys(KINDS[:kinds], trials))
    assert totals.missed() == []
    if kinds:
        totals.struck[KINDS[0]] = 0
        assert f"no trial met {KINDS[0]}" in totals.missed()


def test_processes_share_the_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "CHUNK", 1)
    alone, shared = (campaign.spread(first=5, seeds=2, jobs=jobs) for jobs in (1, 2))
    assert (alone.trials, alone.steps, alone.struck) == (shared.trials, shared.steps, shared.struck)
