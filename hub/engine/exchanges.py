"""Exchanges with an account for one lane of a run: each is an attempt, numbered by its step and recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hub.connections.accounts import Account
from hub.engine import outcomes
from hub.engine.journal import Journal
from hub.errors import FixConnection, HubError, LimitReached, NotSent, OutcomeUnknown, RetryLater
from hub.model.ambient import Ambient
from hub.model.exchange import Request, Response
from hub.model.limits import Asker
from hub.sdk.calls import Calls, Course, carried

#: So often it is recorded anew that a request goes out, before the run makes room and comes back.
_ANEW = 10


class Announced(msgspec.Struct, frozen=True, kw_only=True):
    """When it was recorded that a request goes out, and what records that anew for another moment."""

    at: datetime
    anew: Callable[[datetime], Awaitable[None]]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a sending: its output or its error; `answered` is the status of the answer, None without one.

    `started` is when it left, unless it was `withheld` by what its announcement met.
    """

    started: datetime
    answered: int | None = None
    withheld: bool = False
    output: Any = None
    error: HubError | None = None


class Exchanges:
    """Sends, looks and reads; before each, every outcome so far is durable."""

    def __init__(self, journal: Journal, ambient: Ambient, asker: Asker) -> None:
        """Number attempts from the beginning; `asker` is who asks the accounts for places."""
        self.asker = asker
        self.journal = journal
        self.ambient = ambient
        self._attempts: dict[str, int] = {}
        self._limited: dict[str, int] = {}

    def know(self, *, attempts: Mapping[str, int], limited: Mapping[str, int]) -> None:
        """Continue the numbering of these paths; `limited` is how many of them a limit turned away."""
        self._attempts.update(attempts)
        self._limited.update(limited)

    def attempts(self, path: str) -> int:
        """Give how often a step was tried; waiting for a limit is no failure and does not count."""
        return self._attempts.get(path, 0) - self._limited.get(path, 0)

    async def send(self, account: Account, calls: Calls, read: Callable[[Response], Any], announced: Announced) -> Sent:
        """Make the calls of a write and read its answer; what went wrong is given and not raised.

        The caller holds the permit, for all of them.

        A process may sleep for as long as it likes between the record of a write and its sending, and another one look
        for the write meanwhile and make it. So what leaves late is recorded anew first, which only the run's owner can.
        """
        await self.journal.settle()
        started, told = self.ambient.now(), announced.at
        answered, refusal, withheld, tries = None, None, None, _ANEW

        async def leave() -> None:
            nonlocal started, told, withheld, tries
            took = timedelta()
            while tries:
                started = self.ambient.now()
                if outcomes.leaves_in_time(told, started):
                    return
                tries -= 1
                # On a slow disk it is late already by the time that it is recorded.
                told = started + took
                try:
                    await announced.anew(told)
                except HubError as error:
                    withheld = error
                    raise
                took = self.ambient.now() - started
            withheld = NotSent("The request was held up until its time had passed, again and again.", code="held-up")
            raise withheld

        async def call(request: Request) -> Response:
            nonlocal answered, refusal, tries
            answered, tries = None, _ANEW
            response = await account.attempt(request, leave=leave)
            answered, refusal = response.status, account.understand(response)
            if refusal is not None:
                raise refusal
            return response

        try:
            output = read(await carried(calls, call))
        except HubError as error:
            if error is not refusal and error is not withheld:
                account.learn(error)
            return Sent(started=started, answered=answered, withheld=error is withheld, error=error)
        return Sent(started=started, answered=answered, output=output)

    async def find(
        self,
        account: Account,
        path: str,
        search: Course[Any],
        *,
        absent: bool = False,
        there: Callable[[Any], bool] = lambda output: output is not None,
    ) -> Any:
        """Go through the reads that find a write; whatever goes wrong with them can be tried again.

        With `absent`, a 404 is an answer too: that nothing is there is what was asked.
        """
        await self.journal.settle()
        started, met, status = self.ambient.now(), None, None

        async def call(request: Request) -> Response:
            nonlocal met, status
            try:
                # Only the first may be turned away: what was read so far would be read again.
                response = await account.ask(request, self.asker, patient=status is not None, absent=absent)
            except HubError as error:
                met = error
                raise
            status = response.status
            return response

        try:
            output = await carried(search, call)
        except HubError as error:
            if error is not met:
                account.learn(error)
            if error is met or isinstance(error, OutcomeUnknown):
                raise self._unseen(path, error, started) from error
            # What is there is no answer, whenever it is looked at again.
            self.tried(path, "look", started, outcomes.named(error), status=status, detail=str(error))
            raise
        self.tried(path, "look", started, "found" if there(output) else "absent", status=status)
        return output

    def _unseen(self, path: str, error: HubError, started: datetime) -> HubError:
        self.tried(path, "look", started, outcomes.named(error), detail=str(error))
        if isinstance(error, FixConnection | LimitReached):
            return error
        after = outcomes.wait_of(error)
        unseen = OutcomeUnknown("The outcome could not be looked up yet.", after=after, reason=error.code)
        unseen.on = error.on if isinstance(error, RetryLater | OutcomeUnknown) else None
        return unseen

    async def read(self, path: str, reading: Callable[[], Awaitable[Any]]) -> Any:
        """Make a read as one attempt of a step; a failed one is recorded and raised."""
        await self.journal.settle()
        started = self.ambient.now()
        try:
            output = await reading()
        except HubError as error:
            named = outcomes.named(error)
            self.tried(path, "read", started, named, detail=str(error), status=outcomes.status_of(error))
            if isinstance(error, OutcomeUnknown):
                # Reading changes nothing: whatever befell it, it can be tried again.
                later = RetryLater(error.detail, after=error.after, code=error.code, **error.facts)
                later.on = error.on
                raise later from error
            raise
        self.tried(path, "read", started, "done")
        return output

    def tried(
        self,
        path: str,
        kind: str,
        started: datetime,
        outcome: str,
        *,
        status: int | None = None,
        detail: str | None = None,
    ) -> None:
        """Record one attempt of a step."""
        number = self._attempts[path] = self._attempts.get(path, 0) + 1
        if outcome == LimitReached.code:
            self._limited[path] = self._limited.get(path, 0) + 1
        self.journal.attempt(
            path=path,
            number=number,
            kind=kind,
            started=started,
            finished=self.ambient.now(),
            outcome=outcome,
            status=status,
            detail=detail[:2000] if detail else None,
        )
