"""What happens regularly: schedules fire, streams are read, refusals are written down, the audit log is sealed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy.exc import SQLAlchemyError

from hub.errors import HubError
from hub.runtime.clock import machine_time
from hub.runtime.composition import Hub
from hub.runtime.roles import Role

log = structlog.get_logger(__name__)

SCHEDULES_SECONDS = 1
READING_SECONDS = 1
REFUSALS_SECONDS = 2
SEAL_SECONDS = 60
#: How often it is looked whether a day has gone by since payloads were pruned.
PRUNE_SECONDS = 600
#: A tick that takes longer has got stuck; the next one begins anew.
LONGEST_TICK = 60


def scheduler(hub: Hub) -> AsyncIOScheduler:  # noqa: C901 - one short function for each regular work
    """Give the scheduler of a hub, not started; a tick that is still going is not started a second time.

    What must happen once for all processes is done by the one that has the duty; the others look again at each tick.
    """
    pulse, sharing = hub.incoming.pulse, hub.sharing

    async def fire() -> None:
        if sharing.leads:
            async with asyncio.timeout(LONGEST_TICK):
                await hub.incoming.schedules.tick()
        pulse.beat("schedules")

    async def read() -> None:
        if sharing.leads:
            hub.incoming.polls.tick()
            hub.incoming.backfills.tick()
        pulse.beat("streams")

    async def refusals() -> None:
        try:
            await hub.intake.flush_refusals()
        except HubError as error:
            log.warning("tick.refusals_failed", reason=str(error))
        pulse.beat("refusals")

    async def prune() -> None:
        try:
            if sharing.leads:
                await hub.pruning.tick()
        except (HubError, SQLAlchemyError) as error:
            log.warning("tick.prune_failed", reason=str(error))
        pulse.beat("pruning")

    async def seal() -> None:
        try:
            if sharing.leads:
                await asyncio.to_thread(hub.sealer.seal)
        except OSError as error:
            log.warning("tick.seal_failed", reason=str(error))
        pulse.beat("seal")

    ticks = AsyncIOScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    # The scheduler itself goes by the machine's clock.
    now, often = machine_time(), max(min(READING_SECONDS, hub.settings.poll_seconds), 0.05)

    def every(seconds: float, name: str, work: Callable[[], Awaitable[None]], *, at_once: bool = False) -> None:
        pulse.expect(name, seconds)
        first = {"next_run_time": now} if at_once else {}
        ticks.add_job(work, IntervalTrigger(seconds=seconds, timezone="UTC"), **first)

    # What a door has turned away is counted by whoever has the door.
    every(REFUSALS_SECONDS, "refusals", refusals)
    if Role.SCHEDULER in hub.settings.roles:
        # The first reading is at once: it finds what the vendors sent while the hub was away.
        every(often, "streams", read, at_once=True)
        every(SCHEDULES_SECONDS, "schedules", fire, at_once=True)
        every(SEAL_SECONDS, "seal", seal)
        every(PRUNE_SECONDS, "pruning", prune)
    return ticks


def revive(ticks: AsyncIOScheduler) -> None:
    """Let every tick come now: a scheduler whose clock was put back would wait until it is as late as it was."""
    for job in ticks.get_jobs():
        job.modify(next_run_time=machine_time())
