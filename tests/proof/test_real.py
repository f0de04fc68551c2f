"""Faults of real processes: their table, how recovery and stale writes are judged, and some of them for real."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from hub.cli.proving import outside
from hub.errors import Refused
from hub.proof.invariants import Invariant
from hub.proof.outside import Cannot, Proved
from hub.proof.processes import CONCORD, SANDBOX, Processes
from hub.proof.real import campaign, of_servers, stale, table, trials
from hub.proof.real import scene as scenes
from hub.proof.real.fault import Fault, Noticed
from hub.proof.real.machine import Machine, family
from hub.proof.real.scene import Before, Scene
from hub.proof.real.stale import Entry
from hub.proof.real.trials import Trial
from hub.proof.real.watching import Look, Recovery, recovery
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


def _missing(fault: str, *, struck: int, under_way: int) -> Trial:
    return Trial(fault=fault, struck=struck, under_way=under_way, recovery=Recovery(first=None, whole=0.0))


def test_a_trial_that_met_nothing_or_did_nothing_does_not_count() -> None:
    """It says which; and a campaign in which a fault has no other trial does not hold."""
    nothing_there = _missing("worker-killed", struck=1, under_way=0)
    no_effect = _missing("nats-away", struck=0, under_way=3)
    assert (nothing_there.missed, no_effect.missed) == ("nothing was under way", "the fault took no effect")
    both = [nothing_there, no_effect]
    first, second, third = trials.unproved(both, ["worker-killed", "nats-away", "hub-killed"], ["worker-killed"])
    assert first == "no trial: worker-killed never struck while work was under way: nothing was under way"
    assert second == "no trial: nats-away never struck while work was under way: the fault took no effect"
    assert third == "no trial: hub-killed never struck while work was under way: it was not put in"
    struck = [*both, _trial("worker-killed", 0.5, 0.6), _trial("nats-away", 0.1, 0.1), _trial("hub-killed", 0.1, 0.1)]
    assert trials.unproved(struck, ["worker-killed", "nats-away", "hub-killed"], ["worker-killed"]) == []


def test_a_crash_after_which_nothing_was_seen_to_go_on_is_told() -> None:
    """No time at all is not a short one."""
    unseen = [_trial("worker-killed", None, 0.0), _trial("nats-away", None, 0.0)]
    assert trials.late(unseen, ["worker-killed"], 3) == []
    (told,) = trials.unproved(unseen, ["worker-killed", "nats-away"], ["worker-killed"])
    assert told == "no trial: nothing was seen to go on after worker-killed"


def test_what_does_not_count_is_not_late_either() -> None:
    slow = Trial(fault="worker-killed", struck=0, under_way=2, recovery=Recovery(first=9.0, whole=9.0))
    assert trials.late([slow], ["worker-killed"], 3) == []


def test_a_slow_disk_stops_nothing_while_it_lasts() -> None:
    """From the fault on the first must go on, though all of it counts from the fault's end."""
    (told,) = trials.late([_trial("disk-slow", 6.4, 0.2)], [], 3)
    assert told == "late: disk-slow: the first goes on only after 6.40 s, not within 2 leases"
    assert trials.late([_trial("disk-slow", 5.9, 5.9)], [], 3) == []


def test_what_takes_longer_than_promised_is_told() -> None:
    quick = [_trial("worker-killed", 0.9, 1.2), _trial("nats-away", 4.0, 5.9)]
    assert trials.late(quick, ["worker-killed"], 3) == []
    (told,) = trials.late([*quick, _trial("worker-killed", 2.5, 2.5)], ["worker-killed"], 3)
    assert "2.50 s (p95)" in told
    (told,) = trials.late([*quick, _trial("disk-slow", None, 6.1)], ["worker-killed"], 3)
    assert "disk-slow: all goes on only after 6.10 s" in told


class _Ask:
    """A database in which runs are under way, and leases as a test says."""

    def __init__(self, *looks: dict[str, str | None], over: bool = True, commits: Sequence[float] = ()) -> None:
        self._looks = list(looks)
        self._over = over
        self._commits = list(commits)

    def look(self) -> Look:
        return Look(at=0, runs=self._looks.pop(0) if len(self._looks) > 1 else self._looks[0])

    def lease(self, _first: str) -> None:
        return None

    def is_over(self, _worker: str) -> bool:
        return self._over

    def commits(self, _number: int) -> float:
        return self._commits.pop(0)


class _Beside:
    """A company of three nodes of NATS and two workers, of which a test says what is there."""

    nodes: Sequence[str] = ("node-0", "node-1", "node-2")
    workers: Sequence[str] = ("worker-1", "worker-2")
    postgres_pid = 1

    def __init__(self, *, there: Sequence[str] = (), running: bool = True, leads: str | None = "node-1") -> None:
        self._there = there
        self._running = running
        self._leads = leads
        self.killed: list[str] = []
        self.emptied = 3
        self.postgres_runs = self.postgres_listens = False

    def worker(self, name: str) -> Any:
        process = SimpleNamespace(pid=len(name))
        return SimpleNamespace(running=self._running, hello={"worker": f"{name}-a"}, process=process)

    def leader(self) -> str | None:
        return self._leads

    def kill_node(self, name: str) -> None:
        self.killed.append(name)

    def reachable(self, name: str) -> bool:
        return name in self._there

    def start_nodes(self, *, wiped: bool = False) -> int:
        return self.emptied if wiped else 0


class _Load:
    """Invoices, of which it is told when a wave of them begins, and whether none happen just now."""

    def __init__(self, waves: list[int]) -> None:
        self._waves = waves
        self.held: list[bool] = []

    def wave(self) -> None:
        self._waves.append(1)

    def hold(self) -> None:
        self.held.append(True)

    def go_on(self) -> None:
        self.held.append(False)


def _scene(company: _Beside, watcher: Any, **more: Any) -> Scene:
    waves = more.pop("waves", [])
    return Scene(
        stage=more.pop("stage", None),
        company=company,  # type: ignore[arg-type]
        machine=Machine(None),
        watcher=watcher,
        say=lambda _words: None,
        dice=Random(1),
        lease=3,
        loading=_Load(waves),  # type: ignore[arg-type]
        before=Before(owners={name: f"{name}-a" for name in company.workers}),
        **more,
    )


def _fault(name: str) -> Fault:
    return next(fault for fault in table.FAULTS if fault.name == name)


def test_a_fault_waits_for_a_few_runs_and_takes_fewer_when_a_second_wave_brings_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scenes, "_PATIENCE", 0.4)
    waves: list[int] = []
    one: dict[str, str | None] = {"run_1": "worker-1-a"}
    few: dict[str, str | None] = {f"run_{number}": "worker-2-a" for number in range(4)}
    scene = _scene(_Beside(), _Ask(one, one, few), waves=waves)
    assert (scene.look().runs, waves) == (few, [])
    scene = _scene(_Beside(), _Ask(one, one, few), waves=waves)
    assert (scene.busiest(), waves) == ("worker-2", [])
    scene = _scene(_Beside(), _Ask(one), waves=waves)
    assert (scene.busiest(), waves) == ("worker-1", [1])
    assert (scene.look().runs, waves) == (one, [1, 1])


def test_where_little_is_under_way_a_wave_begins_and_where_much_is_that_is_waited_for() -> None:
    waves: list[int] = []
    looks: list[dict[str, str | None]] = [{f"run_{each}": None for each in range(number)} for number in (20, 5, 3)]
    scene = _scene(_Beside(), _Ask(*looks), waves=waves)
    load: Any = scene.loading
    scene.load()
    assert (waves, load.held) == ([], [True, False])
    scene.load()
    assert (waves, load.held) == ([1], [True, False, False])


def test_a_worker_that_is_struck_has_lost_its_lease(tmp_path: Path) -> None:
    """One that is killed does not run; one that sleeps or is cut off does, and is heard of no more."""
    runs: dict[str, str | None] = {}
    for name, running in (("worker-killed", False), ("worker-stopped", True), ("worker-cut-off", True)):
        fault = _fault(name)
        assert fault.struck(_scene(_Beside(running=running), _Ask(runs)), "worker-1") == 1
        assert fault.struck(_scene(_Beside(running=running), _Ask(runs, over=False)), "worker-1") == 0
        assert fault.struck(_scene(_Beside(running=not running), _Ask(runs)), "worker-1") == 0


def test_workers_that_are_replaced_are_other_processes() -> None:
    scene = _scene(_Beside(), _Ask({}))
    scene.before.processes = {"worker-1": 1, "worker-2": 2}
    assert _fault("rolling-upgrade").struck(scene, "") == 2
    scene.before.processes["worker-2"] = len("worker-2")
    assert _fault("rolling-upgrade").struck(scene, "") == 0


def test_a_hub_and_a_server_that_are_struck_are_gone() -> None:
    def hub(*, running: bool, answers: bool) -> Any:
        return SimpleNamespace(hub=SimpleNamespace(running=running, summary=lambda: {} if answers else None))

    killed = _fault("hub-killed")
    assert killed.struck(_scene(_Beside(), _Ask({}), stage=hub(running=False, answers=False)), "") == 1
    assert killed.struck(_scene(_Beside(), _Ask({}), stage=hub(running=True, answers=False)), "") == 0
    assert killed.struck(_scene(_Beside(), _Ask({}), stage=hub(running=False, answers=True)), "") == 0
    company = _Beside()
    for name in ("postgres-killed", "postgres-restarted"):
        company.postgres_listens = False
        assert _fault(name).struck(_scene(company, _Ask({})), "") == 1
        company.postgres_listens = True
        assert _fault(name).struck(_scene(company, _Ask({})), "") == 0


def test_nodes_of_nats_that_are_struck_are_not_to_be_reached() -> None:
    for name, killed in (("nats-leader-killed", ["node-1"]), ("nats-away", ["node-0", "node-1", "node-2"])):
        fault = _fault(name)
        scene = _scene(company := _Beside(), _Ask({}))
        fault.strike(scene, "")
        assert (company.killed, fault.struck(scene, "")) == (killed, len(killed))
        scene = _scene(_Beside(there=["node-1"]), _Ask({}))
        fault.strike(scene, "")
        assert fault.struck(scene, "") == 0


def test_a_leader_that_there_is_not_is_not_struck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_servers, "_LEADS_WITHIN", 0.0)
    scene = _scene(company := _Beside(leads=None), _Ask({}))
    fault = _fault("nats-leader-killed")
    fault.strike(scene, "")
    assert (company.killed, fault.struck(scene, "")) == ([], 0)


def test_nats_is_wiped_when_all_were_away_and_all_disks_are_empty() -> None:
    fault = _fault("nats-wiped")
    for company, struck in ((_Beside(), 3), (_Beside(there=["node-2"]), 0)):
        scene = _scene(company, _Ask({}))
        fault.strike(scene, "")
        assert fault.struck(scene, "") == struck
    company = _Beside()
    company.emptied = 2
    scene = _scene(company, _Ask({}))
    fault.strike(scene, "")
    assert fault.struck(scene, "") == 0


def test_a_slow_disk_shows_in_commits() -> None:
    """They take as long as so many writes must, and longer than before."""
    fault = _fault("disk-slow")
    disk: Any = SimpleNamespace(slow=lambda *_given: None)
    for before, now, struck in ((0.02, 0.5, 1), (0.02, 0.2, 0), (0.4, 0.5, 0)):
        scene = _scene(_Beside(), _Ask({}, commits=[before, now]), disk=disk)
        fault.strike(scene, "")
        assert fault.struck(scene, "") == struck


class _Seen(_Ask):
    """A database whose one run went on some seconds after the fault; so many seconds have gone by when it has ended."""

    def __init__(self, *, went: int, ended: int) -> None:
        super().__init__({})
        self._went, self._ended = went, ended

    def now(self) -> int:
        return self._ended * SECOND

    def resting(self, _runs: Sequence[str]) -> dict[str, int]:
        return {}

    def progress(self, _since: int) -> list[tuple[int, str]]:
        return [(self._went * SECOND, "run_1")]


def test_after_what_slows_everything_down_all_counts_from_its_end() -> None:
    before = Look(at=0, runs={"run_1": None})
    for went, found in ((2, Recovery(first=2.0, whole=0.0)), (9, Recovery(first=9.0, whole=3.0))):
        assert trials._after_its_end(_scene(_Beside(), _Seen(went=went, ended=6)), before) == found


def _went_through(monkeypatch: pytest.MonkeyPatch, *made: Trial) -> list[Trial]:
    """Give the trials of one fault that is put in once, each of which comes to what is given."""
    to_come = list(made)
    monkeypatch.setattr(campaign, "attempt", lambda _scene, _fault: to_come.pop(0))
    seen = campaign._Seen()
    campaign._go_through(_scene(_Beside(), _Ask({})), [_fault("worker-killed")], 1, -1.0, seen)
    return seen.trials


def test_a_trial_that_does_not_count_is_made_again_three_times_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing, struck = _missing("worker-killed", struck=1, under_way=0), _trial("worker-killed", 0.1, 0.2)
    assert _went_through(monkeypatch, struck, nothing) == [struck]
    assert _went_through(monkeypatch, nothing, struck, nothing) == [nothing, struck]
    assert _went_through(monkeypatch, nothing, nothing, nothing, struck) == [nothing] * 3


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
