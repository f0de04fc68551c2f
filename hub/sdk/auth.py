"""How each attempt is signed anew: fixed headers, or a bearer token that is fetched once and renewed in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from hub.errors import FixConnection, HubError, NotSent, RetryLater
from hub.model.exchange import Request, Response

#: Sends a request as it stands (no signing, no limits) and gives the answer; raises `NotSent` or `OutcomeUnknown`.
Send = Callable[[Request], Awaitable[Response]]
#: Keeps secret fields that a vendor has given in the place of others: it is given those that were used, and the new
#: ones, and returns when these are durable.
Keep = Callable[[Mapping[str, str], Mapping[str, str]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a login gave: a token and for how many seconds it lasts; sessions of one secret are numbered from 1."""

    token: str = field(repr=False)
    seconds: float
    number: int = 0


@dataclass(slots=True, kw_only=True)
class Turn:
    """One's turn to sign in with a secret that several processes have.

    - `session` is what another one has made meanwhile: no login is needed.
    - `stored` are the newest secret fields, to sign in with. `broken_off` says that a login before this one ended in
      the middle, so that the vendor may have replaced them without anybody knowing by what.
    - `sent` is to be set when the login goes out, `made` when it has given a session and what it brought is durable.
      `number` is that of the session, when the turn is over.
    """

    session: Session | None
    stored: Mapping[str, str] = field(repr=False)
    broken_off: bool
    sent: bool = False
    made: Session | None = None
    number: int = 0


#: Waits for one's turn, or for a session whose number is higher than the given one.
Alone = Callable[[int], AbstractAsyncContextManager[Turn]]


class Authorizer(Protocol):
    """Signs the attempts of one connection; what it adds is never recorded."""

    async def headers(self, request: Request, send: Send, now: datetime) -> Mapping[str, str]:
        """Give the headers that authorise this attempt."""
        ...

    def refused(self, response: Response, headers: Mapping[str, str]) -> bool:
        """Forget what was refused; True when one more attempt with fresh credentials makes sense.

        `headers` are those that were given for the attempt.
        """
        ...


@runtime_checkable
class Renewing(Protocol):
    """An authorizer to whom the vendor gives new secrets in the place of the stored ones."""

    def keep_with(self, keep: Keep) -> None:
        """Take what makes a renewed secret durable; without it, one lasts as long as the process."""
        ...

    def alone_with(self, alone: Alone) -> None:
        """Take what lets one process at a time sign in; without it, this one is the only one."""
        ...


class FixedHeaders:
    """Credentials that do not expire: an API key or a basic authorisation."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Take the headers as they go out."""
        self._headers = dict(headers)

    async def headers(self, request: Request, send: Send, now: datetime) -> Mapping[str, str]:
        """Give the same headers each time."""
        return self._headers

    def refused(self, response: Response, headers: Mapping[str, str]) -> bool:
        """Nothing fresher is to be had."""
        return False


class BearerToken:
    """A short-lived token: fetched by one caller while the others wait, renewed before it ends and once after a 401.

    `ask(now)` forms the token request, `read(response)` gives the token and its life in seconds, and
    `refusal(response, now)` says what an answer above 399 means. `renewed(response)` is awaited before the token is
    used: what else the answer brought is durable then. `ended(response)` tells whether a 401 says that the token has
    ended; and `lock` is given where several share what they ask with. Where several processes do, `begin(turn)` takes
    the newest of that before it is used.
    """

    def __init__(
        self,
        *,
        ask: Callable[[datetime], Request],
        read: Callable[[Response], tuple[str, float]],
        refusal: Callable[[Response, datetime], HubError] | None = None,
        margin: float = 60.0,
        renewed: Callable[[Response], Awaitable[None]] | None = None,
        ended: Callable[[Response], bool] | None = None,
        lock: asyncio.Lock | None = None,
        begin: Callable[[Turn], None] | None = None,
    ) -> None:
        """Take the pure functions, and how many seconds before its end a token is renewed."""
        self._begin = begin
        #: What lets one process at a time fetch a token, where several share what they ask with.
        self.alone: Alone | None = None
        self._number = 0
        self._renewed = renewed
        self._ended = ended
        self._ask = ask
        self._read = read
        self._refusal = refusal
        self._margin = timedelta(seconds=margin)
        self._token: str | None = None
        self._ends: datetime | None = None
        self._lock = lock or asyncio.Lock()
        self._failures = 0
        self._failure: HubError | None = None

    async def headers(self, request: Request, send: Send, now: datetime) -> Mapping[str, str]:
        """Give the bearer header, fetching a token when there is none that lasts."""
        if not self._lasts(now):
            await self._renew(send, now)
        return {"authorization": f"Bearer {self._token}"}

    def refused(self, response: Response, headers: Mapping[str, str]) -> bool:
        """Forget the token on 401; the next attempt fetches a new one."""
        if response.status != 401 or (self._ended is not None and not self._ended(response)):
            return False
        # Of many requests that are refused at once, only the first finds its token still in use.
        if headers.get("authorization") == f"Bearer {self._token}":
            self._token = None
        return True

    async def _renew(self, send: Send, now: datetime) -> None:
        """Fetch a token, or share in what came of the fetching that was under way."""
        failures = self._failures
        async with self._lock:
            if self._lasts(now):
                return
            if self._failures != failures and self._failure is not None:
                # Who waited for a fetching that failed does not try by itself: all would do so one after the other.
                raise copy(self._failure)
            try:
                if self.alone is None:
                    await self._fetch(send, now)
                else:
                    await self._fetch_alone(self.alone, send, now)
            except HubError as error:
                self._failures, self._failure = self._failures + 1, copy(error)
                raise

    def _lasts(self, now: datetime) -> bool:
        return self._token is not None and self._ends is not None and now < self._ends

    async def _fetch_alone(self, alone: Alone, send: Send, now: datetime) -> None:
        """Fetch a token in one's turn, or take the one that another process has fetched."""
        async with alone(self._number) as turn:
            if turn.session is not None:
                self._number = turn.session.number
                self._use(turn.session.token, turn.session.seconds, now)
                return
            if self._begin is not None:
                self._begin(turn)

            async def counted(request: Request) -> Response:
                turn.sent = True
                try:
                    return await send(request)
                except NotSent:
                    turn.sent = False
                    raise

            try:
                seconds = await self._fetch(counted, now)
            except FixConnection as error:
                if turn.broken_off:
                    error.facts = {
                        **error.facts,
                        "broken_off": "the answer to an earlier login is lost",
                    }
                raise
            assert self._token is not None
            turn.made = Session(token=self._token, seconds=seconds)
        self._number = turn.number

    async def _fetch(self, send: Send, now: datetime) -> float:
        """Fetch a token; gives for how many seconds it lasts."""
        try:
            response = await send(self._ask(now))
        except FixConnection:
            # A certificate that does not hold, or a host that may not be reached, is not mended by waiting.
            raise
        except HubError as error:
            # No business write happened: whatever befell the token request, trying again is safe.
            raise RetryLater("The token could not be fetched.", reason=error.code) from error
        if response.status in (429, 500, 502, 503, 504):
            raise RetryLater("The token endpoint is not available.", status=response.status)
        if response.status >= 400 and self._refusal is not None:
            raise self._refusal(response, now)
        if response.status >= 400:
            raise FixConnection("The credentials were refused.", status=response.status)
        token, seconds = self._read(response)
        if self._renewed is not None:
            await self._renewed(response)
        self._use(token, seconds, now)
        return seconds

    def _use(self, token: str, seconds: float, now: datetime) -> None:
        self._token = token
        self._ends = now + timedelta(seconds=seconds) - min(self._margin, timedelta(seconds=seconds / 2))
