"""What reads give is compared with its schema; what the connection's policy keeps back is told as an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from hub.connections.accounts import Account
from hub.engine.drift import Action, Seen, refusal
from hub.engine.exchanges import Exchanges
from hub.engine.journal import Journal
from hub.engine.parts import Parts
from hub.errors import HubError, OutcomeUnknown
from hub.model.exchange import Request, Response
from hub.sdk.connector import ReadOperation, Record
from hub.sdk.session import Session
from hub.sdk.settings import Settings
from hub.store.claims import ClaimedRun
from hub.store.drift import CountDrift


class Compared:
    """Makes the reads of one lane of a run."""

    def __init__(self, parts: Parts, claimed: ClaimedRun, journal: Journal) -> None:
        """Take the collaborators."""
        self._parts = parts
        self._claimed = claimed
        self._journal = journal

    async def read(
        self, account: Account, reading: ReadOperation, given: Any, exchanges: Exchanges, path: str, event: Any
    ) -> Any:
        """Make a read and give what came; raises `AnswerDrifted` when the connection's policy refuses it.

        What the vendor itself said counts before what the connector made of it: where that cannot be read, because a
        field of it is gone or is another thing now, the difference says why.
        """
        heard = _Overheard(account.asked_by(exchanges.asker), reading.claim)
        try:
            came = await exchanges.read(path, lambda: reading.ask(heard, given))
        except HubError:
            self._compare_all(heard, account, reading.name, path, event)
            raise
        compared = self._compare_all(heard, account, reading.name, path, event)
        schema = reading.schema(account.settings)
        if schema not in compared:
            self._compare(account, reading.name, path, event, schema, came)
        return came

    def _compare_all(
        self, heard: _Overheard, account: Account, operation: str, path: str, event: Any
    ) -> frozenset[str | None]:
        """Compare each answer with what it is said to be; gives the schemas, so that nothing counts twice."""
        claims = heard.claims()
        for schema, answer in claims:
            self._compare(account, operation, path, event, schema, answer)
        return frozenset(schema for schema, _ in claims)

    def _compare(
        self, account: Account, operation: str, path: str, event: Mapping[str, Any], schema: str | None, came: Any
    ) -> None:
        """Count how an answer differs from its schema.

        Like a hold, this is asked of the revision that serves now: what a vendor changes is met by mending it there.
        """
        judged = self._parts.drift.judge(
            self._parts.current(),
            schema,
            came,
            Seen(
                connection=account.name,
                event=event,
                event_id=self._claimed.event["id"],
                scrub=account.redactor.scrub,
                run_id=self._claimed.run["id"],
                path=path,
                expected=account.expected(schema),
            ),
        )
        if judged.sightings:
            self._parts.committer.leave(CountDrift(seen=judged.sightings))
        self._journal.decided(judged.decisions)
        if judged.action is not Action.ACCEPT:
            raise refusal(judged, connection=account.name, operation=operation)


class _Overheard:
    """A session that remembers what was answered, where an operation says of what shape that is."""

    def __init__(self, session: Session, claim: Callable[[Response], tuple[str, Record]] | None) -> None:
        self._session = session
        self._claim = claim
        self._answers: list[Response] = []

    @property
    def settings(self) -> Settings:
        return self._session.settings

    async def send(self, request: Request) -> Response:
        response = await self._session.send(request)
        if self._claim is not None:
            self._answers.append(response)
        return response

    def claims(self) -> list[tuple[str, Record]]:
        """Give what each answer is to be compared with, and what it says; one that is no record says nothing."""
        if self._claim is None:
            return []
        found = []
        for answer in self._answers:
            # That it cannot be read at all is said by the operation itself.
            with suppress(OutcomeUnknown):
                found.append(self._claim(answer))
        return found
