"""Faults of real processes: their table, how recovery and stale writes are judged, and some of them for real."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from hub.cli.proving import outside
from hub.errors import Refused
from hub.proof.invariants import Invariant
from hub.proof.outside import Cannot, Proved
from hub.proof.processes import CONCORD, SANDBOX, Processes
from hub.proof.real import campaign, stale, table, trials
from hub.proof.real.fault import Noticed
from hub.proof.real.machine import Machine, family
from hub.proof.real.stale import Entry
from hub.proof.real.trials import Trial
from hub.proof.real.watching import Recovery, recovery
from tests.proof.conftest import forked_launch

_DOCS = Path(__file__).parents[2] / "docs" / "proof.md"
SECOND = 1_000_000
NOTHING: dict[str, Any] = {"kills": 0, "power_cuts": 0, "invoices": 0, "timeouts": 30, "restores": 0, "seed": 1}


def test_each_fault_has_a_name_of_its_own_and_is_told_in_the_docs() -> None:
    names = [fault.name for fault in table.FAULTS]
    assert len(names) == len(set(names)) == 15
    documented = _DOCS.read_text()
    assert [name for name in names if f"| `{name}` |" not in documented] == []
    assert {fault.noticed for fault in table.FAULTS} == set(Noticed)
    assert all(fault.does and fault.undone for fault in table.FAULTS)


def test_the_order_is_the_seeds_and_each_round_has_each_fault() -> None:
    number = len(table.FAULTS)
    first = [fault.name for fault in itertools.islice(table.order(table.FAULTS, 7), 2 * number)]
    assert first == [fault.name for fault in itertools.islice(table.order(table.FAULTS, 7), 2 * number)]
    assert first != [fault.name for fault in itertools.islice(table.order(table.FAULTS, 8), 2 * number)]
    assert set(first[:number]) == set(first[number:]) == {fault.name for fault in table.FAULTS}


def test_a_fault_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    assert [fault.name for fault in table.chosen(["nats-away", "hub-killed", "nats-away"])] == [
        "nats-away",
        "hub-killed",
    ]
    with pytest.raises(Refused, match="no fault `meteor`; there are hub-killed, worker-killed"):
        table.chosen(["meteor"])


def test_it_is_asked_for_alone() -> None:
    assert outside(**NOTHING, real=True) is not None
    with pytest.raises(Refused, match="--real or --kills"):
        outside(**{**NOTHING, "kills": 3}, real=True)
    with pytest.raises(Refused, match="goes with `--real`"):
        outside(**NOTHING, faults=["hub-killed"])


def test_recovery_counts_from_when_a_fault_could_be_noticed() -> None:
    """The first that goes on, and the last; what did before that took no time; who rests has gone on."""
    progress = [(9 * SECOND, "run_1"), (12 * SECOND, "run_2"), (13 * SECOND, "run_2"), (14 * SECOND, "run_other")]
    found = recovery(noticed=10 * SECOND, runs=["run_1", "run_2"], progress=progress, resting={})
    assert found == Recovery(first=0.0, whole=2.0)
    found = recovery(noticed=10 * SECOND, runs=["run_2", "run_3"], progress=progress, resting={"run_3": 11 * SECOND})
    assert found == Recovery(first=1.0, whole=2.0)


def test_what_does_not_go_on_is_not_taken_for_recovered() -> None:
    found = recovery(noticed=0, runs=["run_1", "run_2"], progress=[(SECOND, "run_1")], resting={})
    assert found == Recovery(first=1.0, whole=None)
    assert recovery(noticed=0, runs=[], progress=[], resting={}) == Recovery(first=None, whole=0.0)


def test_who_recorded_something_after_it_was_found_to_be_gone_wrote_stale() -> None:
    entries = [
        Entry(at=1, kind="effect.intended", actor="worker_a", run="run_1"),
        Entry(at=5, kind="worker.lost", actor="worker_b", worker="worker_a"),
        Entry(at=6, kind="effect.done", actor="worker_b", run="run_1"),
        Entry(at=6, kind="hub.stopped", actor="worker_a"),
    ]
    assert list(stale.find(entries)) == []
    late = Entry(at=7, kind="effect.done", actor="worker_a", run="run_1")
    (finding,) = stale.find([*entries, late])
    assert finding.invariant is Invariant.FENCED
    assert "worker_a recorded effect.done of run_1" in finding.detail


def _trial(fault: str, first: float | None, whole: float | None) -> Trial:
    return Trial(fault=fault, struck=1, under_way=2, recovery=Recovery(first=first, whole=whole))


def test_what_takes_longer_than_promised_is_told() -> None:
    quick = [_trial("worker-killed", 0.9, 1.2), _trial("nats-away", 4.0, 5.9)]
    assert trials.late(quick, ["worker-killed"], 3) == []
    (told,) = trials.late([*quick, _trial("worker-killed", 2.5, 2.5)], ["worker-killed"], 3)
    assert "2.50 s (p95)" in told
    (told,) = trials.late([*quick, _trial("disk-slow", None, 6.1)], ["worker-killed"], 3)
    assert "disk-slow: all goes on only after 6.10 s" in told


def test_a_machine_that_allows_nothing_says_why_and_its_faults_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "ip" else f"/bin/{name}")
    found = Machine.enter()
    assert found.why_not == "ip not there"
    scene: Any = SimpleNamespace(machine=found, disk=None, small=())
    skipped = {fault.name: why for fault in table.FAULTS if (why := fault.cannot(scene)) is not None}
    assert set(skipped) == {"postgres-disk-full", "disks-full", "disk-slow"}
    assert all("ip not there" in why for why in skipped.values())


def test_a_process_is_found_with_all_that_it_has_started(tmp_path: Path) -> None:
    program = (
        "import subprocess; inner = subprocess.Popen(['sleep', '60']);"
        "print('{\"inner\": %d}' % inner.pid, flush=True); inner.wait()"
    )
    with Processes(tmp_path) as processes:
        child = processes.start("outer", (CONCORD[0], "-c", program))
        assert family(child.process.pid) == [child.process.pid, child.hello["inner"]]
        os.kill(child.hello["inner"], signal.SIGKILL)


def _proved(monkeypatch: pytest.MonkeyPatch, *faults: str) -> Proved:
    """Prove without namespaces, with few processes, of which the hub and the sandboxes need not load."""
    monkeypatch.setattr(Machine, "enter", classmethod(lambda cls: cls("the tests stay in theirs")))
    monkeypatch.setattr(campaign, "WORKERS", 2)
    monkeypatch.setattr(campaign, "_A_TRIAL", 10.0)
    launch = Processes.launch

    def quick(self: Processes, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None) -> Any:
        known = tuple(command[: len(CONCORD)]) in (CONCORD, SANDBOX)
        return (forked_launch if known else launch)(self, name, command, environ)

    monkeypatch.setattr(Processes, "launch", quick)
    return campaign.prove(Console(stderr=True), minutes=0.01, seed=5, faults=faults)


@pytest.mark.long("concord prove --real")
@pytest.mark.timeout(240)
@pytest.mark.processes
def test_a_worker_the_leader_of_nats_and_commits_are_struck_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each has had its trial, and what this machine was not let do is told as skipped."""
    struck = ("nats-leader-killed", "ended-at-commit", "worker-cut-off")
    proved = _proved(monkeypatch, *struck, "disks-full")
    told = proved.figures
    assert [each for each in proved.findings if not each.startswith("late: ")] == []
    assert (told["violations"], told["stale_writes"], told["lost"], told["duplicates"]) == (0, 0, 0, 0)
    assert {row["fault"]: row["trials"] for row in told["faults"]} == dict.fromkeys(struck, 1) | {"disks-full": 0}
    assert told["skipped"] == {"disks-full": "processes have no disks of their own here (the tests stay in theirs)"}
    assert told["network_cut_by"] == "a proxy (the tests stay in theirs)"
    assert told["wanted"]["invoice"] == told["posted"]["invoice"] > 0


def test_a_mutant_that_no_worker_can_be_is_refused() -> None:
    with pytest.raises(Refused, match="No worker can be the mutant `fired_twice`; there is no_fence"):
        campaign.prove(Console(stderr=True), minutes=1, seed=1, mutant="fired_twice")


def test_nothing_is_proved_where_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "_NEEDED", ("no_such_package",))
    with pytest.raises(Cannot, match="no_such_package"):
        campaign.prove(Console(stderr=True), minutes=1, seed=1)
