"""Outside writes: an intent is durable before the request goes out, and an unknown outcome is found out, never guessed.

One effect is one HTTP write. What is recorded is sent, also after a crash: the request is formed once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.audit.kinds import AuditKind
from hub.connections.accounts import Account
from hub.engine.journal import Journal
from hub.errors import (
    FixConnection,
    FixData,
    HubError,
    LimitReached,
    OutcomeParked,
    OutcomeUnknown,
    Refused,
    RetryLater,
)
from hub.model.ambient import Ambient, of_micros, to_micros
from hub.model.effect import EffectKey, EffectState, Idempotency
from hub.model.exchange import Request, Response
from hub.sdk import exact_json
from hub.sdk.connector import WriteOperation

Row = Mapping[str, Any]

#: What a target says about a request itself, and would say again.
_REFUSALS = (FixData, Refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a write goes and what it means: account, operation, and the names of the effect."""

    account: Account
    operation: WriteOperation
    key: EffectKey
    environment: str
    business_key: str
    path: str
    generation: int
    undoes: str | None = None


class Effects:
    """The writes of one run."""

    def __init__(
        self,
        *,
        run_id: str,
        journal: Journal,
        ambient: Ambient,
        attempts: Mapping[str, int],
        limited: Mapping[str, int],
        at_work: Callable[[str], bool],
    ) -> None:
        """Continue the numbering of attempts where earlier workers left off.

        `limited` is how many of them a limit turned away; `at_work` tells if a run still goes on.
        """
        self._at_work = at_work
        self._run_id = run_id
        self._journal = journal
        self._ambient = ambient
        self._attempts = dict(attempts)
        self._limited = dict(limited)

    def record_in(self, journal: Journal) -> None:
        """Record in another journal from here on."""
        self._journal = journal

    def know(self, *, attempts: Mapping[str, int], limited: Mapping[str, int]) -> None:
        """Continue the numbering of the attempts of these paths too."""
        self._attempts.update(attempts)
        self._limited.update(limited)

    def attempts(self, path: str) -> int:
        """Give how often a step was tried; waiting for a limit is no failure and does not count."""
        return self._attempts.get(path, 0) - self._limited.get(path, 0)

    async def perform(self, target: Target, form: Callable[[], Mapping[str, Any]], standing: Row | None) -> Any:
        """Make the write happen once, and give its output.

        `form` makes the operation's input and is asked only when there is no recorded request. `standing` is what is
        known of the effect from before. Raises the error of the attempt; the effect's state says whether it may be
        tried again.
        """
        if standing is not None and standing["state"] == EffectState.DONE:
            return exact_json.loads(standing["output"])
        async with target.account.permit():
            row = standing
            if row is None or row["state"] == EffectState.FAILED:
                intent = self._intent(target, form())
                row = await self._journal.intend(intent)
                if row is None:
                    return await self._send(target, intent, first=True)
            return await self._resume(target, row)

    async def _resume(self, target: Target, row: Row) -> Any:
        state = EffectState(row["state"])
        if state is EffectState.DONE:
            return exact_json.loads(row["output"])
        if state is EffectState.PARKED:
            raise _for_a_person(target)
        if row["run_id"] != self._run_id and not await self._take_over(row):
            raise RetryLater("Another run is making this write.", code="another-run", after=1.0, run=row["run_id"])
        return await self.resolve(target, row)

    async def _take_over(self, row: Row) -> bool:
        # Of several runs that find a write left half-way, only one may go on with it.
        return not self._at_work(row["run_id"]) and await self._journal.take_over(row)

    async def resolve(self, target: Target, row: Row) -> Any:
        """Find out an unknown outcome by the operation's idempotency kind."""
        match target.operation.idempotency:
            case Idempotency.NATIVE if not _forgotten(target, row, self._ambient.now()):
                return await self._send(target, row, first=False)
            case Idempotency.UPSERT:
                return await self._send(target, row, first=False)
            case Idempotency.PROBE:
                return await self._look(target, row)
            case Idempotency.NATIVE | Idempotency.UNSAFE:
                self._journal.outcome(_settled(row["key"], EffectState.PARKED, reason="outcome-unknown"))
                self._note(AuditKind.EFFECT_PARKED, row)
                raise _for_a_person(target)

    async def find_out(self, target: Target, row: Row) -> None:
        """Find out an unknown outcome of a run that is to end: nothing is sent again that can be looked up.

        What only the same sending can tell (`native`, `upsert`) is sent again; afterwards it is done. Raises the error
        that keeps the outcome from being known.
        """
        async with target.account.permit():
            if target.operation.idempotency is not Idempotency.PROBE:
                try:
                    await self.resolve(target, row)
                except _REFUSALS:
                    # Refused is known too.
                    await self._journal.settle()
                return
            if await self._found(target, row) is not None:
                await self._journal.settle()
                return
            left = _settling(target, row, self._ambient.now())
            if left > 0:
                raise RetryLater("The write may still appear at the target.", code="settling", after=left)
            self._note(AuditKind.EFFECT_RESOLVED, row, facts={"found": False})
            self._journal.outcome(_settled(row["key"], EffectState.FAILED, reason="not-applied"))
            await self._journal.settle()

    async def _look(self, target: Target, row: Row) -> Any:
        output = await self._found(target, row)
        if output is not None:
            return output
        left = _settling(target, row, self._ambient.now())
        if left > 0:
            raise RetryLater("The write may still appear at the target.", code="settling", after=left)
        self._note(AuditKind.EFFECT_RESOLVED, row, facts={"found": False})
        try:
            return await self._send(target, row, first=False)
        except _REFUSALS as refusal:
            # A target may refuse the second because the first has come through after all.
            output = await self._found(target, row)
            if output is None:
                self._journal.outcome(_settled(row["key"], EffectState.FAILED, reason=refusal.code))
                raise
            return output

    async def _found(self, target: Target, row: Row) -> Any:
        operation, account = target.operation, target.account
        assert operation.look is not None
        assert operation.found is not None
        await self._journal.settle()
        started = self._ambient.now()
        request = operation.look(account.settings, target.key)
        try:
            response = await account.attempt(request)
            refusal = account.understand(response)
            if refusal is not None:
                raise refusal
            output = operation.found(response)
        except HubError as error:
            self._tried(target.path, "look", started, _outcome(error), detail=str(error))
            account.learn(error)
            if isinstance(error, FixConnection):
                raise
            # Looking changes nothing: whatever went wrong with it, it can be tried again.
            after = error.after if isinstance(error, RetryLater) else None
            raise RetryLater("The outcome could not be looked up yet.", after=after, reason=error.code) from error
        self._tried(target.path, "look", started, "found" if output is not None else "absent", response=response)
        if output is not None:
            self._note(AuditKind.EFFECT_RESOLVED, row, facts={"found": True})
            self._done(row, output)
        return output

    async def _send(self, target: Target, row: Row, *, first: bool) -> Any:
        account = target.account
        await self._journal.settle()
        started = self._ambient.now()
        if not first:
            # After a crash it counts from this sending, not from the first, how long the write may still appear.
            self._note(AuditKind.EFFECT_RESENT, row)
            self._journal.outcome(
                _settled(row["key"], EffectState.UNKNOWN, reason=row.get("reason"), sent_at=to_micros(started))
            )
            await self._journal.send_again()
        try:
            response = await account.attempt(recorded_request(row))
            refusal = account.understand(response)
            if refusal is not None:
                raise refusal
            output = target.operation.result(response)
        except OutcomeUnknown as error:
            account.learn(error)
            self._failed(target, row, started, error, EffectState.UNKNOWN)
            raise
        except HubError as error:
            account.learn(error)
            self._failed(target, row, started, error, _after_refusal(target, error, first=first))
            raise
        self._tried(target.path, "send", started, "done", response=response)
        self._done(row, output, sent=started)
        return output

    def _intent(self, target: Target, record: Mapping[str, Any]) -> dict[str, Any]:
        request = target.operation.request(target.account.settings, record, target.key)
        now = to_micros(self._ambient.now())
        body_hash = hashlib.sha256(request.body).hexdigest()
        row: dict[str, Any] = {
            "key": target.key,
            "environment": target.environment,
            "connection": target.account.name,
            "operation": target.operation.name,
            "idempotency": target.operation.idempotency.value,
            "business_key": target.business_key,
            "path": target.path,
            "generation": target.generation,
            "run_id": self._run_id,
            "state": EffectState.INTENT.value,
            "method": request.method,
            "url": request.url,
            "headers": exact_json.dumps(dict(request.headers)).decode(),
            "body": request.body,
            "body_hash": body_hash,
            "sent_at": now,
            "undoes": target.undoes,
            "created_at": now,
        }
        return row

    def _done(self, row: Row, output: Any, *, sent: datetime | None = None) -> None:
        self._journal.outcome(
            _settled(
                row["key"],
                EffectState.DONE,
                output=exact_json.dumps(output).decode(),
                sent_at=to_micros(sent) if sent else row["sent_at"],
                finished_at=to_micros(self._ambient.now()),
            )
        )
        self._note(AuditKind.EFFECT_DONE, row)

    def _failed(self, target: Target, row: Row, started: datetime, error: HubError, state: EffectState) -> None:
        self._tried(target.path, "send", started, _outcome(error), detail=str(error), status=_status(error))
        self._journal.outcome(_settled(row["key"], state, reason=error.code, sent_at=to_micros(started)))
        kind = AuditKind.EFFECT_UNKNOWN if state is EffectState.UNKNOWN else AuditKind.EFFECT_FAILED
        self._note(kind, row, facts={"reason": error.code})

    def _tried(
        self,
        path: str,
        kind: str,
        started: datetime,
        outcome: str,
        *,
        response: Response | None = None,
        status: int | None = None,
        detail: str | None = None,
    ) -> None:
        number = self._attempts[path] = self._attempts.get(path, 0) + 1
        if outcome == LimitReached.code:
            self._limited[path] = self._limited.get(path, 0) + 1
        self._journal.attempt(
            path=path,
            number=number,
            kind=kind,
            started=started,
            finished=self._ambient.now(),
            outcome=outcome,
            status=response.status if response is not None else status,
            detail=detail[:2000] if detail else None,
        )

    async def read(self, account: Account, path: str, reading: Callable[[], Any]) -> Any:
        """Make a read as one attempt of a step; a failed one is recorded and raised."""
        await self._journal.settle()
        started = self._ambient.now()
        try:
            output = await reading()
        except HubError as error:
            self._tried(path, "read", started, _outcome(error), detail=str(error), status=_status(error))
            raise
        self._tried(path, "read", started, "done")
        return output

    def _note(self, kind: AuditKind, row: Row, facts: Mapping[str, Any] | None = None) -> None:
        self._journal.note(kind, subjects={"effect": row["key"]}, facts=facts)


def recorded_request(row: Row) -> Request:
    """Give the request as it was recorded: byte for byte what went out, or would have."""
    return Request(
        method=row["method"], url=row["url"], headers=exact_json.loads(row["headers"]), body=bytes(row["body"])
    )


def _after_refusal(target: Target, error: HubError, *, first: bool) -> EffectState:
    """Say how an effect stands once the target has refused a sending.

    This sending surely did nothing, but an earlier one may have. A refusal of the same request for its content tells
    that the earlier one was refused as well, unless the target can be looked at, which is surer.
    """
    looked_at = target.operation.idempotency is Idempotency.PROBE
    if first or (isinstance(error, _REFUSALS) and not looked_at):
        return EffectState.FAILED
    return EffectState.UNKNOWN


def _settled(
    key: str,
    state: EffectState,
    *,
    output: str | None = None,
    reason: str | None = None,
    sent_at: int | None = None,
    finished_at: int | None = None,
) -> dict[str, Any]:
    return {
        "effect_key": key,
        "state": state.value,
        "sent_at": sent_at,
        "output": output,
        "reason": reason,
        "finished_at": finished_at,
    }


def _settling(target: Target, row: Row, now: datetime) -> float:
    settle = target.account.settings.settle
    seconds = target.operation.settle if settle is None else settle
    ends = of_micros(row["sent_at"] or row["created_at"]) + timedelta(seconds=seconds)
    return (ends - now).total_seconds()


def _forgotten(target: Target, row: Row, now: datetime) -> bool:
    return now - of_micros(row["created_at"]) > timedelta(seconds=target.operation.remembers)


def _for_a_person(target: Target) -> OutcomeParked:
    return OutcomeParked(connection=target.account.name, operation=target.operation.name, effect=target.key)


def _outcome(error: HubError) -> str:
    # Vendors have many names for a limit; the count of attempts must know them by one.
    return LimitReached.code if isinstance(error, LimitReached) else error.code


def _status(error: HubError) -> int | None:
    status = error.facts.get("status")
    return status if isinstance(status, int) else None
