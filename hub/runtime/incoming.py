"""What comes in without being sent: schedules that fire, streams that are read; and its pulse."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from hub.connections.accounts import Account
from hub.intake.backfills import Backfills
from hub.intake.door import Intake
from hub.intake.polls import Polls
from hub.intake.schedules import Schedules
from hub.intake.streams import Streams
from hub.model.ambient import Ambient
from hub.model.pulse import Pulse
from hub.queries.alarms import Watched
from hub.runtime.triggers import of_schedule
from hub.store.committer import Committer
from hub.store.database import Database
from hub.workspace.bundle import Bundle


class Incoming:
    """The schedules, streams and back-fills of one environment, wired to one store and one door."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        database: Database,
        committer: Committer,
        accounts: Mapping[str, Account],
        bundle: Callable[[], Bundle],
        intake: Intake,
        poll_seconds: float,
    ) -> None:
        """Wire them; `poll_seconds` is the interval of streams whose file names none."""
        every = timedelta(seconds=poll_seconds)
        self.schedules = Schedules(
            environment=environment,
            ambient=ambient,
            database=database,
            committer=committer,
            bundle=bundle,
            triggers=of_schedule,
            prepare=intake.prepare,
        )
        self.streams = Streams(
            environment=environment, ambient=ambient, database=database, committer=committer, intake=intake
        )
        self.polls = Polls(
            ambient=ambient,
            accounts=accounts,
            bundle=bundle,
            streams=self.streams,
            every=every,
        )
        self.backfills = Backfills(
            environment=environment,
            ambient=ambient,
            database=database,
            committer=committer,
            accounts=accounts,
            streams=self.streams,
            bundle=bundle,
        )

        self.pulse = Pulse(started_at=ambient.now(), seconds=time.monotonic)
        self.watched = Watched(bundle=bundle, accounts=accounts, pulse=self.pulse, every=every)

    async def stop(self) -> None:
        """Leave off reading; everything goes on from its place at the next start."""
        await self.polls.stop()
        await self.backfills.stop()
