"""One login at a time over all processes that share a database, whose session the others take from it."""

from __future__ import annotations

import asyncio
import secrets as entropy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from hub.connections.keys import VaultKey
from hub.connections.redaction import Redactor
from hub.connections.vault import Binding, pack, seal, unpack, unseal
from hub.errors import FixConnection, HubError, NotDurable, RetryLater
from hub.model.ambient import Ambient
from hub.sdk.auth import Alone, Session, Turn
from hub.store import logins
from hub.store.committer import Committer, Transaction, Work

log = structlog.get_logger(__name__)

#: Seconds that a login takes at the most, with all its waiting; who has not ended by then is taken to be gone.
LEASE = 90.0
#: Who has the turn stops so many seconds before the others take it.
_MARGIN = 10.0
#: Seconds between two looks whether the other one has ended.
_LOOK = 0.2


class Logins:
    """The turns of one process; sessions are sealed as secrets are, and open only for the same connector and hosts."""

    def __init__(
        self,
        *,
        committer: Committer,
        ambient: Ambient,
        key: Callable[[], VaultKey],
        redactor: Redactor,
        lease: float = LEASE,
    ) -> None:
        """Take the collaborators; `lease` is for how many seconds a login keeps the others waiting at the most."""
        self._committer = committer
        self._ambient = ambient
        self._key = key
        self._redactor = redactor
        self._lease = lease

    def alone(self, binding: Callable[[], Binding], stored: Callable[[Binding], dict[str, str]]) -> Alone:
        """Give what lets a connection sign in alone; `stored` opens the newest of its secret."""

        @asynccontextmanager
        async def turn(after: int) -> AsyncIterator[Turn]:
            bound, holder = binding(), self._ambient.new_id("login")
            login, now = await self._turn(bound, holder, after)
            if login.holder != holder:
                yield Turn(session=self._opened(bound, login, now), stored={}, broken_off=False)
                return
            taken = Turn(session=None, stored=stored(bound), broken_off=login.broken_off)
            try:
                async with asyncio.timeout(max(self._lease - _MARGIN, self._lease / 2)):
                    yield taken
            except FixConnection:
                # The vendor has said no: nothing was replaced.
                await self._give_up(bound, holder, broken_off=login.broken_off)
                raise
            except TimeoutError as error:
                await self._give_up(bound, holder, broken_off=True)
                raise RetryLater("The login has not ended in time.", code="login-too-long") from error
            except HubError:
                await self._give_up(bound, holder, broken_off=login.broken_off or taken.sent)
                raise
            except BaseException:
                # Nobody waits any more for what it was to bring; the others must not wait for its lease.
                self._committer.leave(Work(_giving_up(bound, holder, broken_off=login.broken_off or taken.sent)))
                raise
            if taken.made is not None:
                await self._tell(bound, holder, login.number + 1, taken.made)
                taken.number = login.number + 1

        return turn

    async def _turn(self, bound: Binding, holder: str, after: int) -> tuple[logins.Login, int]:
        """Wait for a session or for the turn."""

        def work(transaction: Transaction) -> tuple[logins.Login, int]:
            return logins.take(
                transaction,
                environment=bound.environment,
                name=bound.name,
                holder=holder,
                after=after,
                seconds=self._lease,
            )

        while True:
            login, now = await self._committer.commit(Work(work))
            if login.holder in {holder, None} or (login.number > after and login.sealed and login.ends > now):
                if login.broken_off and login.holder == holder:
                    log.warning("login.after_a_broken_one", secret=bound.name)
                return login, now
            await self._ambient.clock.sleep(_LOOK)

    async def _tell(self, bound: Binding, holder: str, number: int, session: Session) -> None:
        sealed = seal(
            {"token": session.token},
            binding=_of_session(bound),
            version=number,
            key=self._key(),
            random=entropy.token_bytes,
            now=self._ambient.now(),
        )

        def work(transaction: Transaction) -> None:
            logins.tell(
                transaction,
                environment=bound.environment,
                name=bound.name,
                holder=holder,
                number=number,
                sealed=pack(sealed).decode(),
                seconds=session.seconds,
            )

        await self._end(work)

    async def _give_up(self, bound: Binding, holder: str, *, broken_off: bool) -> None:
        await self._end(_giving_up(bound, holder, broken_off=broken_off))

    async def _end(self, work: Callable[[Transaction], None]) -> None:
        try:
            await self._committer.commit(Work(work))
        except NotDurable as error:
            # The others wait until the lease is over.
            log.warning("login.not_told", reason=str(error))

    def _opened(self, bound: Binding, login: logins.Login, now: int) -> Session:
        assert login.sealed is not None
        opened = unseal(unpack(login.sealed.encode()), binding=_of_session(bound), key=self._key())
        self._redactor.register(opened["token"])
        return Session(token=opened["token"], seconds=(login.ends - now) / 1_000_000, number=login.number)


def _giving_up(bound: Binding, holder: str, *, broken_off: bool) -> Callable[[Transaction], None]:
    def work(transaction: Transaction) -> None:
        logins.give_up(
            transaction, environment=bound.environment, name=bound.name, holder=holder, broken_off=broken_off
        )

    return work


def _of_session(bound: Binding) -> Binding:
    """Bind a session as the secret that it was made with is bound."""
    return replace(bound, name=f"{bound.name} session")
