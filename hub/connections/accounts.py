"""One account in use: every request to it is limited, signed anew, sent, and understood in one place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from hub.connections.limiter import ANYBODY, Limiter
from hub.connections.redaction import Redactor
from hub.connections.turns import Permit
from hub.errors import ConnectionPaused, FixConnection, HubError, LimitReached, NotSent, OutcomeUnknown, RetryLater
from hub.model.ambient import Ambient
from hub.model.exchange import Request, Response
from hub.model.limits import Asker
from hub.sdk.auth import Alone, Authorizer, Keep, Renewing
from hub.sdk.connector import Connector
from hub.sdk.limit_headers import dated, retry_after
from hub.sdk.session import Session
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport


@dataclass(slots=True, kw_only=True)
class Health:
    """What the last exchanges of an account showed."""

    last_success: datetime | None = None
    last_failure: datetime | None = None
    last_error: str | None = None
    failing_since: datetime | None = None
    successes: int = 0
    failures: int = 0


@dataclass(slots=True, kw_only=True)
class Account:
    """A connection with its connector, settings and secrets, as a process uses it.

    `production` is whether it moves real money; None where neither its environment nor its settings tell. `keep` makes
    secrets durable that the vendor gives in the place of the stored ones, and `alone` lets one process at a time sign
    in.
    """

    name: str
    connector: Connector
    settings: Settings
    limiter: Limiter
    transport: Transport
    ambient: Ambient
    redactor: Redactor = field(default_factory=Redactor, repr=False)
    paused: str | None = None
    production: bool | None = None
    health: Health = field(default_factory=Health)
    keep: Keep | None = None
    alone: Alone | None = None

    _authorizer: Authorizer = field(init=False)
    _expected: Mapping[str, Sequence[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Make the authorizer that lives as long as the account."""
        self._authorizer = self.connector.authorizer(self.settings)
        if self.connector.expects is not None:
            told = self.connector.expects(self.settings)
            self._expected = {schema.partition("@")[0]: paths for schema, paths in told.items()}
        if self.keep is not None and isinstance(self._authorizer, Renewing):
            self._authorizer.keep_with(self.keep)
        if self.alone is not None and isinstance(self._authorizer, Renewing):
            self._authorizer.alone_with(self.alone)

    def expected(self, schema: str | None) -> Sequence[str]:
        """Give the paths of the fields that the settings say records of a schema have, whatever its version."""
        return () if schema is None else self._expected.get(schema.partition("@")[0], ())

    def permit(self, asker: Asker = ANYBODY, *, patient: bool = False) -> Permit:
        """Hold a place among the account's requests; raises `ConnectionPaused` while it takes no work.

        Raises `LimitReached` when it is better to come back later; see `Limiter.permit`.
        """
        return self.limiter.permit(asker, patient=patient, look=self._assert_active)

    async def attempt(
        self, request: Request, *, probe: bool = False, leave: Callable[[], Awaitable[None]] | None = None
    ) -> Response:
        """Sign and send once, and once more with fresh credentials when the old ones had ended.

        A 401 says that nothing was done, so the second sending repeats nothing. Raises what the transport raises, and
        `LimitReached` when nothing goes out any more; a breaker's `probe` goes past the row. `leave` is awaited when
        nothing stands between the request and its way any more; it goes nowhere when that raises, and is limited anew
        when that takes long.
        """
        try:
            answer, headers = await self._signed(request, probe=probe, leave=leave)
            if self._authorizer.refused(answer, headers):
                answer, _ = await self._signed(request, probe=probe, leave=leave)
        except HubError as error:
            self._own(error)
            raise
        return answer

    def understand(self, response: Response) -> HubError | None:
        """Give the error an answer stands for; health and limits have learned from it when it came."""
        error = response.error if isinstance(response, Answer) else self.connector.classify(response)
        if error is not None:
            self._own(error)
        self.learn(error)
        return error

    def learn(self, error: HubError | None) -> None:
        """Keep what an exchange showed; who was turned away before anything was sent has seen nothing."""
        if isinstance(error, LimitReached) and "status" not in error.facts:
            return
        if error is None:
            self.health.last_success, self.health.failing_since = self.ambient.now(), None
            self.health.successes += 1
        else:
            self.health.last_failure = self.ambient.now()
            self.health.failing_since = self.health.failing_since or self.health.last_failure
            self.health.last_error = str(error)[:300]
            self.health.failures += 1

    async def send(self, request: Request) -> Response:
        """Make one read: limited, signed, sent; raises the error its answer stands for."""
        return await self.ask(request, ANYBODY, patient=True)

    async def ask(self, request: Request, asker: Asker, *, patient: bool, absent: bool = False) -> Response:
        """Make one read for somebody, as `send` does; see `Limiter.permit` for who is patient.

        With `absent`, a 404 is an answer: that there is no such thing.
        """
        async with self.permit(asker, patient=patient):
            try:
                response = await self.attempt(request)
            except HubError as error:
                self.learn(error)
                raise
            if absent and response.status == 404:
                self.learn(None)
                return response
            refusal = self.understand(response)
        if refusal is not None:
            raise refusal
        return response

    def asked_by(self, asker: Asker) -> Session:
        """Give the account to one reading of a run, whose turn it takes in the row.

        Only its first request may be turned away: what was read so far would be read again.
        """
        return _Reading(self, asker)

    async def _signed(
        self, request: Request, *, probe: bool, leave: Callable[[], Awaitable[None]] | None
    ) -> tuple[Response, Mapping[str, str]]:
        async def plain(token_request: Request) -> Response:
            return await self._exchange(token_request, {}, _of_tokens, probe=probe)

        headers = await self._authorizer.headers(request, plain, self.ambient.now())
        return await self._exchange(request, headers, self.connector.classify, probe=probe, leave=leave), headers

    async def _exchange(
        self,
        request: Request,
        headers: Mapping[str, str],
        classify: Callable[[Response], HubError | None],
        *,
        probe: bool,
        leave: Callable[[], Awaitable[None]] | None = None,
    ) -> Answer:
        """Send at the moment the limits let it, and let them learn from what comes."""
        async with self.limiter.sending(probe=probe, leave=leave) as start:
            try:
                response = await self.transport.send(request, headers, self.settings.timeout)
            except (NotSent, OutcomeUnknown) as error:
                self.limiter.failed(start, error, self._ping)
                raise
            headers = dated(response.headers, self.ambient.now())
            if headers is not response.headers:
                response = replace(response, headers=headers)
            refusal = classify(response)
            seen = self.connector.limits_seen(response)
            if seen is not None:
                self.limiter.saw(start, seen)
            if isinstance(refusal, LimitReached):
                self.limiter.refused(start, refusal)
            elif refusal is not None and response.status >= 500:
                self.limiter.failed(start, refusal, self._ping, after=retry_after(response.headers))
            else:
                self.limiter.served(start)
        return Answer(status=response.status, headers=response.headers, body=response.body, error=refusal)

    async def _ping(self) -> None:
        """Find out whether the target serves; a paused connection is asked nothing."""
        if self.paused is None:
            await self.connector.ping(_Probe(self))

    def _own(self, error: HubError) -> None:
        if isinstance(error, FixConnection):
            error.account = self
        # Vendors may say back what they were sent; what an error tells goes into the history and the cases.
        error.detail = self.redactor.scrub(error.detail)
        error.facts = self.redactor.scrub_json(error.facts)

    def _assert_active(self) -> None:
        if self.paused is not None:
            raise ConnectionPaused(connection=self.name, reason=self.paused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Response):
    """An answer with the error it stands for, of which the account's limits have learned."""

    error: HubError | None = None


class _Reading:
    """The account as one reading of a run uses it."""

    def __init__(self, account: Account, asker: Asker) -> None:
        self._account = account
        self._asker = asker
        self._begun = False

    @property
    def settings(self) -> Settings:
        return self._account.settings

    async def send(self, request: Request) -> Response:
        response = await self._account.ask(request, self._asker, patient=self._begun)
        self._begun = True
        return response


class _Probe:
    """The account as the breaker's probe uses it: past the row, because nobody else may send."""

    def __init__(self, account: Account) -> None:
        self._account = account

    @property
    def settings(self) -> Settings:
        return self._account.settings

    async def send(self, request: Request) -> Response:
        answer = await self._account.attempt(request, probe=True)
        refusal = self._account.understand(answer)
        if refusal is not None:
            raise refusal
        return answer


def _of_tokens(response: Response) -> HubError | None:
    """Understand a token endpoint as far as limits must: what else it says the authorizer knows."""
    after = retry_after(response.headers)
    if response.status == 429:
        return LimitReached(after=after, status=response.status)
    return RetryLater(after=after, status=response.status) if response.status >= 500 else None
