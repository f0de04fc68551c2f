"""The desk where plans are asked for and revisions published: one job at a time, each in a thread of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import structlog

from hub.errors import Conflict, FixData, HubError, NotFound
from hub.model.ambient import Ambient
from hub.release.plan import Named, Plan, make_plan
from hub.release.shadow import MOST_EVENTS, Bounds, Cancelled, Progress
from hub.sdk import exact_json
from hub.store import bundles, holds, revisions
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.store.revisions import How, NewRevision
from hub.workspace.bundle import Bundle, bundle_id
from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle
from hub.workspace.compiled_files import EnvironmentFile
from hub.workspace.origin import Origin
from hub.workspace.source.lint import Lint, Severity

log = structlog.get_logger(__name__)

PUBLISHED = "published"
#: As many jobs are remembered, and as many may wait for their turn.
_MOST_JOBS = 20
#: A publish replays at least as many, so that it cannot be made blind.
LEAST_PUBLISHED = Bounds().events
_NUMBER = re.compile(r"[0-9]{1,6}")
_BUNDLE = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A revision that is asked for: by a word that the hub knows, or with its files."""

    word: str
    files: Mapping[str, bytes] | None = None
    origin: Origin | None = None


class JobState(StrEnum):
    """Where a job stands; a publish is `held` when it must be confirmed first."""

    WORKING = "working"
    DONE = "done"
    HELD = "held"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(slots=True, kw_only=True)
class Job:
    """A plan or a publish under way, or its result; `number` is the revision that was published."""

    id: str
    state: JobState = JobState.WORKING
    progress: Progress = field(default_factory=Progress)
    plan: Plan | None = None
    number: int | None = None
    how: How | None = None
    problem: HubError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a person says to a publish that must be confirmed."""

    confirmed: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    name: Named
    files: Mapping[str, bytes]
    origin: Origin | None
    fresh: bool = False


class Desk:
    """Plans and publishes for one environment; lives in the hub's event loop."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        database: Database,
        committer: Committer,
        catalogue: Catalogue,
        limits: Callable[[], EnvironmentFile],
        switch: Callable[[Bundle], None],
    ) -> None:
        """Take the collaborators.

        `limits()` gives the environment as it serves now, and `switch` lets a published bundle serve.
        """
        self._environment = environment
        self._ambient = ambient
        self._database = database
        self._committer = committer
        self._catalogue = catalogue
        self._limits = limits
        self._switch = switch
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()

    def plan(self, before: Wanted, after: Wanted, *, events: int) -> Job:
        """Begin to compare two revisions."""

        async def work(job: Job) -> None:
            old, new = self._resolve(before), self._resolve(after)
            job.plan, _ = await self._compare(job, old, new, events, publishing=False)

        return self._begin(work)

    def publish(self, wanted: Wanted, confirmation: Confirmation, *, actor: str, events: int) -> Job:
        """Begin to publish a revision; the job is `held` when something must be confirmed and was not."""

        async def work(job: Job) -> None:
            new = self._resolve(wanted)
            with self._database.reading() as connection:
                standing = revisions.current(connection, environment=self._environment)
                served_before = revisions.was_published(
                    connection, environment=self._environment, bundle=new.name.bundle
                )
            if standing is None:
                raise NotFound(
                    f"Nothing is published in {self._environment} yet; the first start publishes the folder.",
                    code="nothing-published",
                )
            if standing["bundle"] == new.name.bundle:
                raise Conflict(
                    f"This is what is published already, as revision {standing['number']}.",
                    code="published-already",
                )
            old = self._resolve(Wanted(word=PUBLISHED))
            job.plan, bundle = await self._compare(job, old, new, max(events, LEAST_PUBLISHED), publishing=True)
            if bundle is None:
                job.state = JobState.FAILED
                return
            reason = (confirmation.reason or "").strip() or None
            if job.plan.concerns and not (confirmation.confirmed and reason):
                job.state = JobState.HELD
                return
            how = How.ROLLBACK if served_before else How.PUBLISH
            revision = NewRevision(
                environment=self._environment,
                bundle=bundle.id,
                files=bundle.files,
                how=how,
                actor=actor,
                commit=new.origin.commit if new.origin is not None else None,
                dirty=new.origin.dirty if new.origin is not None else False,
                reason=reason,
                report=exact_json.dumps(job.plan).decode(),
            )
            job.number = await self._committer.commit(
                Work(lambda tx: revisions.add(tx, revision, after=standing["number"]))
            )
            job.how = how
            # From here on it is durable; what comes next is handled by it without a restart.
            self._switch(bundle)
            await self._committer.commit(Work(holds.ask_again))

        return self._begin(work)

    def job(self, job_id: str) -> Job:
        """Give a job; raises `NotFound` once it is forgotten."""
        try:
            return self._jobs[job_id]
        except KeyError:
            raise NotFound("There is no such plan any more; ask for it again.", job=job_id) from None

    def cancel(self, job_id: str) -> Job:
        """End a job at the next event; what was published stays published."""
        job = self.job(job_id)
        job.progress.cancelled = True
        return job

    def close(self) -> None:
        """End all jobs."""
        for job in self._jobs.values():
            job.progress.cancelled = True

    def _begin(self, work: Callable[[Job], Awaitable[None]]) -> Job:
        waiting = sum(job.state is JobState.WORKING for job in self._jobs.values())
        if waiting >= _MOST_JOBS:
            raise Conflict("Too many plans are under way; wait for one to end.", code="too-many-plans")
        job = Job(id=self._ambient.new_id("plan"))
        ended = [known for known, one in self._jobs.items() if one.state is not JobState.WORKING]
        for known in ended[: max(0, len(self._jobs) + 1 - _MOST_JOBS)]:
            del self._jobs[known]
        self._jobs[job.id] = job

        async def run() -> None:
            try:
                async with self._turn:
                    if job.progress.cancelled:
                        raise Cancelled
                    await work(job)
                if job.state is JobState.WORKING:
                    job.state = JobState.DONE
            except Cancelled:
                job.state = JobState.CANCELLED
            except HubError as error:
                job.state, job.problem = JobState.FAILED, error
            except Exception as error:  # a defect met by one plan must not leave it working for ever
                log.exception("plan.defect", job=job.id)
                job.state = JobState.FAILED
                job.problem = FixData(
                    "The plan met a defect of the hub.", code="internal-error", reason=type(error).__name__
                )

        task = asyncio.get_running_loop().create_task(run())
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))
        return job

    async def _compare(
        self, job: Job, old: _Resolved, new: _Resolved, events: int, *, publishing: bool
    ) -> tuple[Plan, Bundle | None]:
        before = await self._compiled(old)
        # What was right when it was published stays right; what is new must be right today.
        today = self._ambient.now().date() if new.fresh else None
        after, lints = await asyncio.to_thread(compile_bundle, new.files, self._catalogue, today=today)
        environment = self._limits()
        if after is None:
            errors = tuple(lint for lint in lints if lint.severity is Severity.ERROR)
            plan = Plan(environment=self._environment, before=old.name, after=new.name, errors=errors)
            return plan, None
        after = replace(after, origin=new.origin)
        plan = await asyncio.to_thread(
            make_plan,
            names=(old.name, new.name),
            bundles=(before, after),
            warnings=tuple(lints),
            environment=environment,
            catalogue=self._catalogue,
            database=self._database,
            bounds=Bounds(events=min(events, MOST_EVENTS)),
            progress=job.progress,
            publishing=publishing,
        )
        return plan, after

    async def _compiled(self, revision: _Resolved) -> Bundle:
        found, lints = await asyncio.to_thread(compile_bundle, revision.files, self._catalogue)
        if found is None:
            raise FixData(
                f"The revision `{revision.name.word}` that it is compared with does not compile here.",
                code="workspace-invalid",
                first=_first_error(lints),
            )
        return found

    def _resolve(self, wanted: Wanted) -> _Resolved:
        if wanted.files is not None:
            origin = wanted.origin
            name = Named(
                word=wanted.word,
                bundle=bundle_id(wanted.files),
                commit=origin.commit if origin is not None else None,
                dirty=origin.dirty if origin is not None else False,
            )
            return _Resolved(name=name, files=wanted.files, origin=origin, fresh=True)
        with self._database.reading() as connection:
            found, number = self._stored(connection, wanted.word)
            files = bundles.files(connection, found)
            commit = bundles.origin(connection, found)
        if files is None:
            raise NotFound("The revision's files are not stored here.", code="unknown-revision", revision=wanted.word)
        origin = None if commit is None else Origin(commit=commit[0], dirty=commit[1])
        name = Named(
            word=wanted.word,
            bundle=found,
            number=number,
            commit=origin.commit if origin is not None else None,
            dirty=origin.dirty if origin is not None else False,
        )
        return _Resolved(name=name, files=files, origin=origin)

    def _stored(self, connection: Any, word: str) -> tuple[str, int | None]:
        """Find the bundle that a word means: `published`, a revision's number, or the beginning of a bundle's id."""
        if word == PUBLISHED:
            row = revisions.current(connection, environment=self._environment)
            if row is None:
                raise NotFound(
                    f"Nothing is published in {self._environment} yet; the first start publishes the folder.",
                    code="nothing-published",
                )
            return row["bundle"], row["number"]
        if _NUMBER.fullmatch(word):
            row = revisions.find(connection, environment=self._environment, number=int(word))
            if row is None:
                raise NotFound(f"There is no revision {word} in {self._environment}.", code="unknown-revision")
            return row["bundle"], row["number"]
        found = bundles.matching(connection, word) if _BUNDLE.fullmatch(word) else []
        if len(found) != 1:
            trouble = "several bundles begin so; write more of the id" if found else "no bundle that is kept begins so"
            raise NotFound(f"`{word[:80]}` names no revision: {trouble}.", code="unknown-revision")
        return found[0], None


def _first_error(lints: list[Lint]) -> str:
    return next((str(lint) for lint in lints if lint.severity is Severity.ERROR), "")
