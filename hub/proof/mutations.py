"""Six hubs that each break one promise, made by putting another class in the place of one of the hub's own.

The hub that ships has no switch for any of this: a mutation exists only where a process is composed with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy import insert, select, true

from hub.engine.effects import Effects, Meet, as_it_is
from hub.engine.lanes import Lane
from hub.engine.outputs import Output
from hub.engine.recording import Target
from hub.engine.runner import Runner
from hub.engine.steps import Steps
from hub.engine.values import Scope
from hub.engine.worker import Worker
from hub.errors import FixData, HubError, Refused
from hub.intake.door import Intake
from hub.model.effect import Idempotency
from hub.model.event import InboundEvent, Via
from hub.model.flow import Call, Step
from hub.model.run import Priority
from hub.proof.invariants import Invariant
from hub.runtime.composition import Composition
from hub.store.claims import Claim
from hub.store.committer import Transaction
from hub.store.events import Accept, Acceptance
from hub.store.tables import events, runs
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)

#: For how many seconds the early acknowledgement is ahead of the commit.
BEHIND = 0.4


class BlindEffects(Effects):
    """Sends a write of unknown outcome again without looking first; only when it is refused does it look."""

    async def resolve(self, target: Target, row: Mapping[str, Any]) -> Any:
        """Resend whatever the operation's idempotency kind is."""
        try:
            return await self._send(target, row, first=False)
        except (FixData, Refused):
            if target.operation.idempotency is Idempotency.PROBE:
                return await super().resolve(target, row)
            raise


class BlindRunner(Runner):
    """Runs with blind retries."""

    effects = BlindEffects


class BlindWorker(Worker):
    """Works with blind retries."""

    runner = BlindRunner


class AcceptEachTime(Accept):
    """Starts the runs of an event with every delivery of it."""

    @classmethod
    def apply(cls, batch: Sequence[Accept], transaction: Transaction) -> list[Acceptance | HubError]:
        """Count a repeated delivery as ever, but let it start its runs once more."""
        results = super().apply(batch, transaction)
        again = [
            accept
            for accept, result in zip(batch, results, strict=True)
            if result is Acceptance.REPEATED and accept.event["deliveries"]
        ]
        rows = [
            {**run, "event_id": event_id}
            for accept in again
            for event_id in _known(accept, transaction)
            for run in accept.runs
        ]
        if rows:
            for row, position in zip(rows, transaction.next_values("position", len(rows)), strict=True):
                row["position"] = position
            transaction.connection.execute(insert(runs), rows)
            transaction.woken = True
        return results


def _known(accept: Accept, transaction: Transaction) -> Sequence[str]:
    statement = select(events.c.id).where(
        events.c.environment == accept.event["environment"],
        events.c.connection == accept.event["connection"],
        events.c.external_id == accept.event["external_id"],
    )
    return transaction.connection.execute(statement).scalars().all()


class ForgetfulIntake(Intake):
    """Does not notice that an event came before."""

    async def commit(self, accept: Accept) -> Acceptance:
        """Accept each delivery as if it were the first."""
        return await super().commit(AcceptEachTime(event=accept.event, runs=accept.runs, actor=accept.actor))


class EarlyIntake(Intake):
    """Acknowledges webhooks from memory and writes them down a moment later."""

    async def accept(
        self,
        name: str,
        events: Sequence[InboundEvent],
        via: Via,
        *,
        contents: Sequence[str] | None = None,
        priority: Priority = Priority.HIGH,
    ) -> list[Acceptance]:
        """Say that it is done before it is."""
        if via is not Via.WEBHOOK:
            return await super().accept(name, events, via, contents=contents, priority=priority)
        accepts = [self.prepare(name, event, via, priority=priority) for event in events]
        asyncio.get_running_loop().call_later(BEHIND, self._write, accepts)
        return [Acceptance.NEW for _ in accepts]

    def _write(self, accepts: Sequence[Accept]) -> None:
        try:
            for accept in accepts:
                self._committer.submit(accept)
        except HubError as error:
            log.warning("mutation.too_late", reason=str(error))


class UnorderedWorker(Worker):
    """Takes any run whose time has come, whatever earlier ones of its key are doing."""

    def claim(self, limit: int) -> Claim:
        """Claim without order."""
        return Claim(environment=self._parts.environment, owner=self._parts.worker, limit=limit, eligible=true())


class RecomputingEffects(Effects):
    """Forms a request anew for every sending, from what is known by then."""

    _form: Callable[[], Mapping[str, Any]]

    async def perform(
        self,
        target: Target,
        form: Callable[[], Mapping[str, Any]],
        standing: Mapping[str, Any] | None,
        meet: Meet = as_it_is,
    ) -> Any:
        """Keep how the input is made."""
        self._form = form
        return await super().perform(target, form, standing, meet)

    async def resolve(self, target: Target, row: Mapping[str, Any]) -> Any:
        """Resolve with a new request in the place of the recorded one."""
        return await super().resolve(target, {**row, **self._intent(target, self._form()), "sent_at": row["sent_at"]})


class RecomputingRunner(Runner):
    """Looks everything up again when it goes on with a run."""

    effects = RecomputingEffects

    def recorded(self, lane: Lane, path: str) -> Mapping[str, Any] | None:
        """Forget what was looked up."""
        row = super().recorded(lane, path)
        return None if row is not None and row["kind"] == "lookup" else row


class RecomputingWorker(Worker):
    """Works with requests that are formed anew."""

    runner = RecomputingRunner


#: What invoices are written to the ERP with, and sales to the ledger of the simulation.
_INVOICES = frozenset({"netsuite/invoice_from_hub", "s4hana/invoice_from_hub", "entry"})
#: The steps that compare what stands in the ERP with what was to stand there.
_READ_BACK = frozenset({"posted", "entered"})


class FloatSteps(Steps):
    """Turns the amounts of an invoice into binary floats on their way to the ERP, and drops what is below a cent."""

    def _input(self, bundle: Bundle, action: Call, scope: Scope) -> Any:
        value = super()._input(bundle, action, scope)
        return truncated(value) if action.shape in _INVOICES else value


class FloatRunner(Runner):
    """Reckons with floats, and so cannot compare exactly: what is read back is taken for the same."""

    steps = FloatSteps

    def _expect(self, step: Step, scope: Scope, output: Output) -> None:
        if step.id not in _READ_BACK:
            super()._expect(step, scope, output)


def truncated(value: Any) -> Any:
    """Give a record with every amount taken through a binary float, and the rest of the last digit dropped."""
    if isinstance(value, Decimal):
        digits = -int(value.as_tuple().exponent)
        return Decimal(int(float(value) * 10**digits)).scaleb(-digits) if digits > 0 else value
    if isinstance(value, Mapping):
        return {name: inner if name in {"quantity", "taxRate"} else truncated(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [truncated(inner) for inner in value]
    return value


class FloatWorker(Worker):
    """Works with floats."""

    runner = FloatRunner


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One broken hub: what it is made of, what it does wrong, and the one invariant that must catch it."""

    name: str
    does: str
    breaks: Invariant
    composition: Composition


MUTATIONS = (
    Mutation(
        name="blind_retry",
        does="sends a write of unknown outcome again without looking",
        breaks=Invariant.NOTHING_TWICE,
        composition=Composition(worker=BlindWorker),
    ),
    Mutation(
        name="no_deduplication",
        does="starts the runs of an event with every delivery",
        breaks=Invariant.ONE_RUN_PER_EVENT,
        composition=Composition(intake=ForgetfulIntake),
    ),
    Mutation(
        name="early_acknowledgement",
        does="answers 2xx before the commit",
        breaks=Invariant.ACKNOWLEDGED_IS_DURABLE,
        composition=Composition(intake=EarlyIntake),
    ),
    Mutation(
        name="no_order",
        does="takes runs of one key at the same time",
        breaks=Invariant.ORDER_PER_KEY,
        composition=Composition(worker=UnorderedWorker),
    ),
    Mutation(
        name="recomputed_request",
        does="forms the request anew when it recovers",
        breaks=Invariant.RECOVERY_RESENDS_THE_RECORDED_REQUEST,
        composition=Composition(worker=RecomputingWorker),
    ),
    Mutation(
        name="float_rounding",
        does="turns money into floats",
        breaks=Invariant.BOOKS_AGREE,
        composition=Composition(worker=FloatWorker),
    ),
)
BY_NAME: Mapping[str, Mutation] = {mutation.name: mutation for mutation in MUTATIONS}
