"""One trial: a fault is put in while work is under way, and it is measured how soon that goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from hub.proof.outside import percentile
from hub.proof.real.fault import Fault, Noticed
from hub.proof.real.scene import Scene
from hub.proof.real.watching import Look, Recovery, recovery

#: After a crash is noticed, the first work goes on within so many seconds in 95 of 100 trials.
FIRST_WITHIN = 2.0
#: After any fault, all that was under way goes on within so many leases.
WHOLE_WITHIN = 2.0
#: So many seconds longer a trial waits before it says that something does not go on at all.
_WAITS = 20.0
#: So many seconds what a process has sent may take.
_ARRIVES = 0.1
#: So many seconds all processes have to be there again before the next trial.
_CALM_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a fault came to: how often it struck, what was under way then, how soon that went on.

    `wrong` says what did not come back at all. One that counts has struck something.
    """

    fault: str
    struck: int
    under_way: int
    recovery: Recovery
    wrong: str = ""

    @property
    def missed(self) -> str:
        """Say why it does not count; empty where it does."""
        if not self.under_way:
            return "nothing was under way"
        return "" if self.struck else "the fault took no effect"


def attempt(scene: Scene, fault: Fault) -> Trial:
    """Put a fault in, measure, end it, and wait until all processes are there again."""
    if fault.crash:
        # Who was cut off from the database takes nothing back for a lease; that is not what is measured here.
        time.sleep(scene.lease)
    scene.load()
    scene.mark()
    worker = fault.worker(scene)
    owner = scene.before.owners[worker] if worker else ""
    before = scene.look(owner if fault.crash else "")
    began = time.monotonic()
    fault.strike(scene, worker)

    def end() -> int:
        _wait_until(began + fault.lasts(scene))
        struck = fault.struck(scene, worker)
        fault.undo(scene, worker)
        return struck

    match fault.noticed:
        case Noticed.BACK:
            _wait_until(began + fault.lasts(scene))
            # One that still answers, and takes no changes, is asked what it holds up.
            before = scene.watcher.glance() or before
            struck = end()
            under_way = list(before.runs)
            measured = _measured(scene, before.at, _answers(scene), under_way)
        case Noticed.OVER:
            struck, under_way = end(), list(before.runs)
            measured = _after_its_end(scene, before)
        case Noticed.LEASE:
            rows = scene.watcher.ask("SELECT lease_until FROM workers WHERE id = %s", owner)
            # What it has sent may still be made durable by the server.
            time.sleep(_ARRIVES)
            since, under_way = scene.watcher.now(), scene.watcher.hands(owner)
            measured = _measured(scene, since, int(rows[0][0]), under_way)
            struck = end()
        case Noticed.AT_ONCE:
            under_way = list(before.runs)
            measured = _measured(scene, before.at, before.at, under_way)
            struck = end()
    wrong = _calm(scene)
    if measured.whole is None:
        wrong = f"of {len(under_way)} runs under way not all went on; {wrong}".rstrip("; ")
    return Trial(fault=fault.name, struck=struck, under_way=len(under_way), recovery=measured, wrong=wrong)


def _after_its_end(scene: Scene, before: Look) -> Recovery:
    """Measure what is slowed down all the time: the first from the fault on, and all from its end on."""
    lasted = (scene.watcher.now() - before.at) / 1_000_000
    found = _measured(scene, before.at, before.at, list(before.runs))
    return Recovery(first=found.first, whole=None if found.whole is None else max(0.0, found.whole - lasted))


def _answers(scene: Scene) -> int | None:
    """Wait until the database takes changes; one that has ended is started, as whoever looks after it does."""
    found = scene.watcher.answered(_WAITS / 2)
    if found is None and not scene.company.postgres_runs:
        scene.company.start_postgres()
    return found or scene.watcher.answered(_WAITS)


def _measured(scene: Scene, since: int, noticed: int | None, runs: Sequence[str]) -> Recovery:
    if noticed is None:
        return Recovery(first=None, whole=None)
    until = None
    while True:
        resting = scene.watcher.resting(runs)
        # Something can be recorded and at rest between the two looks: what rests is asked first.
        found = recovery(noticed=noticed, runs=runs, progress=scene.watcher.progress(since), resting=resting)
        now = scene.watcher.now()
        until = until or max(now, noticed) + int((WHOLE_WITHIN * scene.lease + _WAITS) * 1_000_000)
        if found.whole is not None or now > until:
            return found
        time.sleep(0.05)


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _calm(scene: Scene) -> str:
    """Wait until the hub answers and every process has a lease; gives what is not there in time."""
    until = time.monotonic() + _CALM_WITHIN
    wanted = len(scene.company.workers) + 1
    while time.monotonic() < until:
        if scene.watcher.living() >= wanted and scene.stage.hub.summary() is not None:
            return ""
        time.sleep(0.1)
    return f"of {wanted} processes {scene.watcher.living()} have a lease {_CALM_WITHIN:g} s later"


def unproved(trials: Sequence[Trial], faults: Sequence[str], crashes: Sequence[str]) -> list[str]:
    """Give which faults have had no trial that counts, in words, and after which crashes nothing was seen to go on."""
    found = []
    for name in faults:
        mine = [trial for trial in trials if trial.fault == name]
        counted = [trial for trial in mine if not trial.missed]
        if not counted:
            why = ", ".join(dict.fromkeys(trial.missed for trial in mine)) or "it was not put in"
            found.append(f"no trial: {name} never struck while work was under way: {why}")
        elif name in crashes and all(trial.recovery.first is None for trial in counted):
            found.append(f"no trial: nothing was seen to go on after {name}")
    return found


def late(trials: Sequence[Trial], crashes: Sequence[str], lease: float) -> list[str]:
    """Give what took longer than is promised, in words."""
    found = []
    counted = [trial for trial in trials if not trial.missed]
    firsts = [trial.recovery.first for trial in counted if trial.fault in crashes and trial.recovery.first is not None]
    if (share := percentile(firsts, 0.95)) > FIRST_WITHIN:
        found.append(f"late: after crashes the first work goes on within {share:.2f} s (p95), not {FIRST_WITHIN:g}")
    for trial in counted:
        # Where both count from the same moment all takes longer than the first; of a slow disk they do not.
        for what, seconds in (("all goes", trial.recovery.whole), ("the first goes", trial.recovery.first)):
            if seconds is not None and seconds > WHOLE_WITHIN * lease:
                told = f"{what} on only after {seconds:.2f} s, not within {WHOLE_WITHIN:g} leases"
                found.append(f"late: {trial.fault}: {told}")
                break
    return found
