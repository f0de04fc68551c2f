"""The watch: tells alarms once, and sets going again what has stopped; it is no part of the scheduler it watches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from hub.errors import Fatal, HubError
from hub.model.ambient import Ambient, to_micros
from hub.model.pulse import Pulse
from hub.queries import alarms
from hub.queries.alarms import Alarm, Watched
from hub.queries.view import View
from hub.store import alarms as stored
from hub.store import runs
from hub.store.committer import Committer, Work

log = structlog.get_logger(__name__)

#: How often it looks, in seconds.
EVERY = 10.0
#: A tick that is this late is set going again, in seconds.
LATE = 20.0
#: A clock that goes back by more than this was put back.
BACK = timedelta(seconds=1)


class Watch:
    """Looks at what should have happened, until it is stopped."""

    def __init__(
        self,
        *,
        view: View,
        watched: Watched,
        committer: Committer,
        ambient: Ambient,
        pulse: Pulse,
        actor: str,
        tells: Callable[[], bool] = lambda: True,
    ) -> None:
        """Take the collaborators; `actor` is the process, as the audit names it.

        `tells` says whether it is this process that tells alarms now, where several share the data.
        """
        self._view = view
        self._watched = watched
        self._committer = committer
        self._ambient = ambient
        self._pulse = pulse
        self._actor = actor
        self._tells = tells
        self._counted: tuple[float, int] | None = None
        self._told: frozenset[tuple[str, str]] | None = None
        self._latest = ambient.now()

    async def run(self, revive: Callable[[], None]) -> None:
        """Look again and again; whatever goes wrong with one look, the next one comes.

        `revive` lets every regular work be done now.
        """
        while True:
            await self._ambient.clock.sleep(EVERY)
            try:
                if self._pulse.silent(at_least=LATE):
                    # A clock that was put back makes a scheduler wait until it is as late as it was.
                    log.warning("watch.revived_ticks", works=sorted(self._pulse.silent(at_least=LATE)))
                    revive()
                await self.look_at_clock()
                if self._tells():
                    await self.look()
            except Fatal:
                raise
            except HubError as error:
                log.warning("watch.failed", reason=str(error))
            except Exception:  # what watches must not stop because of what it sees
                log.exception("watch.defect")

    async def number(self) -> int:
        """Count the alarms as they stand now, at most once in a second however often it is asked."""
        now = time.monotonic()
        if self._counted is None or now - self._counted[0] >= 1.0:
            found = await asyncio.to_thread(alarms.listing, self._view, self._watched)
            self._counted = (now, len(found))
        return self._counted[1]

    async def look_at_clock(self) -> None:
        """Let runs go that were queued while the clock was ahead, once it is put back."""
        before, self._latest = self._latest, self._ambient.now()
        if self._latest >= before - BACK:
            return
        environment = self._view.environment
        moved = await self._committer.commit(Work(lambda tx: runs.call_forward(tx, environment=environment)))
        log.warning("watch.clock_put_back", seconds=round((before - self._latest).total_seconds()), runs=moved)

    async def look(self) -> tuple[Alarm, ...]:
        """Tell what is new and clear what is over; gives the alarms as they stand."""
        found = await asyncio.to_thread(alarms.listing, self._view, self._watched)
        names = frozenset((alarm.kind.value, alarm.subject) for alarm in found)
        if names == self._told and all(alarm.told_at is not None for alarm in found):
            return found
        rows = [
            {
                "kind": alarm.kind.value,
                "subject": alarm.subject,
                "detail": alarm.detail,
                "since": to_micros(alarm.since),
            }
            for alarm in found
        ]
        environment = self._view.environment
        await self._committer.commit(Work(lambda tx: stored.tell(tx, rows, environment=environment, actor=self._actor)))
        for alarm in found:
            if alarm.told_at is None:
                log.error("alarm.raised", kind=alarm.kind.value, of=alarm.subject, detail=alarm.detail)
        for kind, subject in sorted((self._told or frozenset()) - names):
            log.info("alarm.cleared", kind=kind, of=subject)
        self._told = names
        return found
