"""What happens regularly: schedules fire, streams are read, refusals are written down, the audit log is sealed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from hub.errors import HubError
from hub.runtime.composition import Hub

log = structlog.get_logger(__name__)

SCHEDULES_SECONDS = 1
READING_SECONDS = 1
REFUSALS_SECONDS = 2
SEAL_SECONDS = 60
#: How often it is looked whether a day has gone by since payloads were pruned.
PRUNE_SECONDS = 600
#: A tick that takes longer has got stuck; the next one begins anew.
LONGEST_TICK = 60


def scheduler(hub: Hub) -> AsyncIOScheduler:
    """Give the scheduler of a hub, not started; a tick that is still going is not started a second time."""
    pulse = hub.incoming.pulse

    async def fire() -> None:
        async with asyncio.timeout(LONGEST_TICK):
            await hub.incoming.schedules.tick()
        pulse.beat("schedules")

    async def read() -> None:
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
            await hub.pruning.tick()
        except HubError as error:
            log.warning("tick.prune_failed", reason=str(error))
        pulse.beat("pruning")

    async def seal() -> None:
        try:
            await asyncio.to_thread(hub.sealer.seal)
        except OSError as error:
            log.warning("tick.seal_failed", reason=str(error))
        pulse.beat("seal")

    ticks = AsyncIOScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    now, often = hub.ambient.now(), max(min(READING_SECONDS, hub.settings.poll_seconds), 0.05)
    for work, seconds in (
        ("schedules", SCHEDULES_SECONDS),
        ("streams", often),
        ("refusals", REFUSALS_SECONDS),
        ("seal", SEAL_SECONDS),
        ("pruning", PRUNE_SECONDS),
    ):
        pulse.expect(work, seconds)
    # The first reading is at once: it finds what the vendors sent while the hub was away.
    ticks.add_job(read, IntervalTrigger(seconds=often, timezone="UTC"), next_run_time=now)
    ticks.add_job(fire, IntervalTrigger(seconds=SCHEDULES_SECONDS, timezone="UTC"), next_run_time=now)
    ticks.add_job(seal, IntervalTrigger(seconds=SEAL_SECONDS, timezone="UTC"))
    ticks.add_job(prune, IntervalTrigger(seconds=PRUNE_SECONDS, timezone="UTC"))
    ticks.add_job(refusals, IntervalTrigger(seconds=REFUSALS_SECONDS, timezone="UTC"))
    return ticks


def revive(ticks: AsyncIOScheduler) -> None:
    """Let every tick come now: a scheduler whose clock was put back would wait until it is as late as it was."""
    for job in ticks.get_jobs():
        job.modify(next_run_time=datetime.now(UTC))
