"""Processes that try things side by side, and what is told when one of them dies in the middle of a trial.

A pool of the standard library would only say that some process of it has ended. Here each worker tells which fault it
is about to try, so that whoever asked learns what the process was at when it died.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from hub.proof.lifeline import hold_in_pool

Task = TypeVar("Task")
Done = TypeVar("Done")

#: Does one task; it is given what to call with a word for each part of it before that begins.
Work = Callable[[Task, Callable[[str], None]], Done]


class WorkerDied(Exception):
    """A process ended in the middle of a task: which, at which part of it (None before the first), and how."""

    def __init__(self, task: object, part: str | None, status: int | None) -> None:
        """Take the exit status as `multiprocessing` gives it: below zero it is a signal's number."""
        super().__init__(f"a worker ended in the middle of {task}: {ending(status)}")
        self.task = task
        self.part = part
        self.status = status


def ending(status: int | None) -> str:
    """Say in words how a process has ended."""
    if status is None:
        return "it is not known how"
    if status >= 0:
        return f"it ended with the exit status {status}"
    try:
        return f"it was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"it was ended by signal {-status}"


@dataclass(slots=True, kw_only=True)
class _Worker(Generic[Task]):
    process: BaseProcess
    line: Connection
    task: Task | None = None
    part: str | None = None


def each(work: Work[Task, Done], tasks: Sequence[Task], jobs: int) -> Iterator[Done]:
    """Do tasks in so many processes; gives what each came to as soon as it is done.

    `work` must be found by name in a module. Raises `WorkerDied`, and what `work` raises; then nothing is under way.
    """
    left = deque(tasks)
    context = multiprocessing.get_context("spawn")
    workers: list[_Worker[Task]] = []
    try:
        for _ in range(min(jobs, len(tasks))):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(work, theirs), daemon=True)
            process.start()
            theirs.close()
            workers.append(_Worker(process=process, line=ours))
        for worker in workers:
            _hand(worker, left)
        while busy := {worker.line: worker for worker in workers if worker.task is not None}:
            heard = wait(list(busy))
            for worker in [worker for line, worker in busy.items() if line in heard]:
                kind, told = _hear(worker)
                if kind == "begins":
                    worker.part = told
                    continue
                if kind == "failed":
                    raise told
                _hand(worker, left)
                yield told
    finally:
        for worker in workers:
            worker.line.close()
            worker.process.kill()
            worker.process.join()


def _hand(worker: _Worker[Task], left: deque[Task]) -> None:
    worker.task, worker.part = left.popleft() if left else None, None
    if worker.task is not None:
        try:
            worker.line.send(worker.task)
        except OSError:
            # It is gone already; that is told when it is listened to.
            return


def _hear(worker: _Worker[Task]) -> tuple[str, Any]:
    try:
        kind, told = worker.line.recv()
    except (EOFError, OSError):
        worker.process.join()
        raise WorkerDied(worker.task, worker.part, worker.process.exitcode) from None
    return kind, told


def _serve(work: Work[Task, Done], line: Connection) -> None:
    hold_in_pool()
    while True:
        try:
            task = line.recv()
        except EOFError:
            return
        told: tuple[str, object]
        try:
            told = ("done", work(task, lambda part: line.send(("begins", part))))
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for it
            told = ("failed", error)
        line.send(told)
