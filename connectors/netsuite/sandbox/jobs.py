"""Asynchronous jobs: requests that were accepted, are carried out a little later, and keep their answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from connectors.netsuite.sandbox.errands import Errand
from connectors.netsuite.sandbox.problems import Refusal
from hub.sandbox.clock import Clock

ASYNC = "/services/rest/async/v1/job"
#: The most records of one batch.
LARGEST_BATCH = 100
#: Seconds from a job's acceptance to its end, unless a seed says otherwise.
SECONDS = 0.2
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_KEY_HEADER = "X-NetSuite-Idempotency-Key"


@dataclass(slots=True, kw_only=True)
class Task:
    """One request of a job, and its answer once it was carried out."""

    id: str
    errand: Errand
    answer: web.Response | None = None
    begun: datetime | None = None
    ended: datetime | None = None

    @property
    def progress(self) -> str:
        """Tell how far it is."""
        if self.answer is None:
            return "pending"
        return "succeeded" if self.answer.status < 400 else "failed"


@dataclass(slots=True, kw_only=True)
class Job:
    """Tasks that were accepted together; carried out at `due`."""

    id: str
    due: datetime
    tasks: Sequence[Task]

    @property
    def completed(self) -> bool:
        """Tell whether every task was carried out."""
        return all(task.answer is not None for task in self.tasks)

    @property
    def progress(self) -> str:
        """Tell how far it is; one failed task makes the whole job a failed one."""
        if not self.completed:
            return "pending"
        return "failed" if any(task.progress == "failed" for task in self.tasks) else "succeeded"


class Jobs:
    """All jobs of the account, and the idempotency keys they came with.

    Nothing runs in the background: what is due is carried out before the next request or look at the books.
    """

    def __init__(self, clock: Clock) -> None:
        """Start without jobs; `perform` is set once the record service is there."""
        self.perform: Callable[[Errand], web.Response] | None = None
        self.seconds = SECONDS
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._open: list[Job] = []
        self._by_key: dict[str, Job] = {}

    def forget(self) -> None:
        """Forget all jobs and keys."""
        self._jobs.clear()
        self._open.clear()
        self._by_key.clear()
        self.seconds = SECONDS

    def accept(self, errands: Sequence[Errand], key: str | None) -> Job:
        """Take requests on as one job; refuses a key that came before, and names that job."""
        if key is not None and not _UUID.fullmatch(key):
            raise Refusal(f"The idempotency key {key} is not a UUID.", code="INVALID_HEADER", header=_KEY_HEADER)
        known = self._by_key.get(key.lower()) if key is not None else None
        if known is not None:
            raise Refusal(
                f"A request with the idempotency key {key} was received before.",
                code="IDEMPOTENCY_ERROR",
                title="Conflict",
                header=_KEY_HEADER,
                headers={"Location": f"{ASYNC}/{known.id}"},
            )
        job = Job(
            id=str(len(self._jobs) + 1),
            due=self._clock.now() + timedelta(seconds=self.seconds),
            tasks=[Task(id=str(place), errand=errand) for place, errand in enumerate(errands, start=1)],
        )
        self._jobs[job.id] = job
        self._open.append(job)
        if key is not None:
            self._by_key[key.lower()] = job
        return job

    def find(self, id: str) -> Job | None:
        """Find a job."""
        return self._jobs.get(id)

    def all(self) -> Sequence[Job]:
        """Give all jobs in the order they were accepted."""
        return list(self._jobs.values())

    def work(self) -> None:
        """Carry out what is due, in the order it was accepted."""
        now = self._clock.now()
        if not self._open or self.perform is None:
            return
        due = [job for job in self._open if job.due <= now]
        self._open = [job for job in self._open if job.due > now]
        for job in due:
            for task in job.tasks:
                task.begun = now
                task.answer = self.perform(task.errand)
                task.ended = now
