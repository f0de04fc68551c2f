"""Faults of the hub's own processes: killed, stopped, with a wrong clock, replaced one after the other."""

from __future__ import annotations

import os
import signal
import time

from hub.proof.real.fault import Fault, Noticed
from hub.proof.real.program import LEAPT
from hub.proof.real.scene import Scene

#: By how much the clock of one worker leaps, in seconds: either way by an hour.
LEAP = 3600
#: A stopped worker sleeps for so many leases.
SLEEPS = 2.0


def _kill_hub(scene: Scene, _worker: str) -> None:
    scene.stage.hub.kill()


def _start_hub(scene: Scene, _worker: str) -> None:
    scene.stage.hub.start()


def _kill_worker(scene: Scene, worker: str) -> None:
    scene.company.kill_worker(worker)


def _start_worker(scene: Scene, worker: str) -> None:
    scene.company.start_worker(worker)


def _stop(scene: Scene, worker: str) -> None:
    scene.company.pause_worker(worker)


def _go_on(scene: Scene, worker: str) -> None:
    scene.company.resume_worker(worker)


def _hub_is_gone(scene: Scene, _worker: str) -> int:
    return int(not scene.stage.hub.running and scene.stage.hub.summary() is None)


def _worker_is_gone(scene: Scene, worker: str) -> int:
    return int(not scene.company.worker(worker).running and scene.lease_is_over(worker))


def _worker_sleeps(scene: Scene, worker: str) -> int:
    return int(scene.company.worker(worker).running and scene.lease_is_over(worker))


def _clock_is_wrong(scene: Scene, _worker: str) -> int:
    return scene.told((f"{LEAPT} {LEAP:g} ", f"{LEAPT} {-LEAP:g} "))


def _leap(scene: Scene, worker: str) -> None:
    scene.leap.write_text(str(scene.dice.choice((-LEAP, LEAP))))
    os.kill(scene.company.worker(worker).process.pid, signal.SIGUSR1)


def _leap_back(scene: Scene, worker: str) -> None:
    scene.leap.write_text("0")
    os.kill(scene.company.worker(worker).process.pid, signal.SIGUSR1)


def _replace_all(scene: Scene, _worker: str) -> None:
    for name in scene.company.workers:
        scene.company.end_worker(name)
        scene.company.start_worker(name)


def _all_are_new(scene: Scene, _worker: str) -> int:
    names = scene.company.workers
    return len(names) if all(scene.is_new(name) and scene.lease_is_over(name) for name in names) else 0


def _replace_hub(scene: Scene, _worker: str) -> None:
    scene.stage.hub.end()
    scene.stage.hub.start()
    # Who has just come up is not at once what it was; the others go on meanwhile.
    time.sleep(0.5)


FAULTS = (
    Fault(
        name="hub-killed",
        does="kill -9 of the hub (api and scheduler)",
        undone="it is started again",
        noticed=Noticed.AT_ONCE,
        strike=_kill_hub,
        undo=_start_hub,
        struck=_hub_is_gone,
    ),
    Fault(
        name="worker-killed",
        does="kill -9 of a worker that has runs in hand",
        undone="it is started again",
        noticed=Noticed.LEASE,
        worker=lambda scene: scene.busiest(),
        strike=_kill_worker,
        undo=_start_worker,
        struck=_worker_is_gone,
        crash=True,
    ),
    Fault(
        name="worker-stopped",
        does="SIGSTOP of a worker that has runs in hand, past its lease",
        undone="SIGCONT: it goes on as if nothing had happened",
        noticed=Noticed.LEASE,
        worker=lambda scene: scene.busiest(),
        strike=_stop,
        undo=_go_on,
        struck=_worker_sleeps,
        lasts=lambda scene: SLEEPS * scene.lease,
        crash=True,
    ),
    Fault(
        name="clock-leaps",
        does="the clock of one worker leaps by an hour, forwards or backwards",
        undone="it leaps back",
        noticed=Noticed.AT_ONCE,
        worker=lambda scene: scene.leaping,
        strike=_leap,
        undo=_leap_back,
        lasts=lambda scene: 2 * scene.lease,
        struck=_clock_is_wrong,
    ),
    Fault(
        name="rolling-upgrade",
        does="all workers are ended in order and replaced, one after the other",
        undone="the hub is replaced last",
        noticed=Noticed.AT_ONCE,
        strike=_replace_all,
        undo=_replace_hub,
        struck=_all_are_new,
    ),
)
