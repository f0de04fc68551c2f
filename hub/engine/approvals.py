"""Approvals of one run: people are asked before it goes on, and what they gave is looked at again before each write.

Nothing is ever approved by itself: an error of the policy, a deadline, or an approver who has left keep the write from
going out. What no longer holds is void with its reason, and people are asked anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from hub.engine import demands
from hub.engine.demands import Demand, Money
from hub.engine.gates import work_scope
from hub.engine.journal import Journal
from hub.engine.outputs import Output
from hub.engine.parts import Parts
from hub.engine.readings import RECORD
from hub.engine.routing import stored_scope
from hub.engine.values import Scope, lenient, money_at_stake
from hub.errors import ApprovalPending, NotApproved
from hub.model.ambient import of_micros, to_micros
from hub.model.approval import LIVE_STATES, ApprovalState, Lapse, Verdict
from hub.model.flow import Approve
from hub.policy.decision import decide
from hub.policy.rules import Decision
from hub.sdk import exact_json
from hub.store import approvals
from hub.store.claims import ClaimedRun
from hub.store.committer import Transaction, Work
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)

Row = Mapping[str, Any]
Differs = Callable[[Row], Lapse | None]

#: Before the path of what was asked for in the place of an approval of a calling flow.
CALLER = "^"


@dataclass(slots=True, kw_only=True)
class _Passed:
    """A step that has what it asked for: the approval, or None where the policy asked for nobody.

    `record_hash` and `money` are what nobody was asked for; None when that was decided by an earlier worker.
    """

    bundle: Bundle
    action: Approve
    path: str
    scope: Scope
    free: bool
    approval: str | None = None
    record_hash: str | None = None
    money: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What is asked about: the record of a step, and the amount as it is known at this point of the run."""

    bundle: Bundle
    action: Approve
    path: str
    scope: Scope
    record: Any
    record_hash: str
    money: Money
    journal: Journal

    def differs(self, row: Row) -> Lapse | None:
        """Tell why an approval does not cover it; None when it does."""
        return demands.lapse_of(row, record_hash=self.record_hash, money=self.money)


class Approvals:
    """The approvals of one run, shared by all its lanes."""

    def __init__(self, parts: Parts, claimed: ClaimedRun) -> None:
        """Take the collaborators."""
        self._parts = parts
        self._claimed = claimed
        self._run = claimed.run
        self._passed: dict[str, _Passed] = {}

    async def ask(self, bundle: Bundle, action: Approve, path: str, scope: Scope, journal: Journal) -> Output:
        """Give a step's output once it has what its policy asks for.

        Raises `ApprovalPending` until then; `NotApproved` (`approval-refused`, `approval-expired`) when it never will.
        """
        subject = self._subject(bundle, action, path, scope, scope, journal)
        row = await self._agreed_to(subject, None)
        self._passed[path] = _Passed(
            bundle=bundle,
            action=action,
            path=path,
            scope=scope,
            free=row is None,
            approval=None if row is None else row["id"],
            record_hash=subject.record_hash,
            money=subject.money,
        )
        by = [] if row is None else self._agreed(row)
        return Output(
            value={"approved": True, "by": by, "hash": subject.record_hash},
            input={"of": action.of.text if action.of is not None else RECORD},
            rule=None if row is None else row["rule"],
        )

    def passed(self, bundle: Bundle, action: Approve, path: str, scope: Scope, output: Any) -> None:
        """Take note of a step that an earlier worker passed, or the run that this one replays."""
        free = not isinstance(output, Mapping) or not output.get("by")
        self._passed[path] = _Passed(bundle=bundle, action=action, path=path, scope=scope, free=free)

    def forget(self, prefix: str) -> None:
        """Forget what is inside an item of a loop that is done."""
        for path in [path for path in self._passed if path.startswith(prefix)]:
            del self._passed[path]

    async def standing(self, path: str, scope: Scope, journal: Journal) -> tuple[str, ...]:
        """Give the approvals under which a write at a path may go out, all of which hold now.

        Raises what `ask` raises when one no longer does.
        """
        called_under = exact_json.loads(self._run["approvals"]) if self._run["approvals"] else []
        ids = [await self._inherited(id) for id in called_under]
        for passed in [each for each in self._passed.values() if demands.governs(each.path, path)]:
            found = await self._still(passed, scope, journal)
            ids.extend([found] if found is not None else [])
        return tuple(ids)

    async def _still(self, passed: _Passed, scope: Scope, journal: Journal) -> str | None:
        subject = self._subject(passed.bundle, passed.action, passed.path, passed.scope, scope, journal)
        if passed.free:
            if (passed.record_hash, passed.money) == (subject.record_hash, subject.money):
                return None
            if self._asked(subject)[1].needed == 0:
                passed.record_hash, passed.money = subject.record_hash, subject.money
                return None
        found = await self._agreed_to(subject, passed.approval)
        passed.free, passed.approval = found is None, None if found is None else found["id"]
        passed.record_hash, passed.money = subject.record_hash, subject.money
        return passed.approval

    async def _inherited(self, approval_id: str) -> str:
        """Give what a calling flow was approved for, or what was asked in its place since it lapsed."""
        looking = self._parts.database.looking
        given = approvals.find(looking, approval_id)
        assert given is not None
        path = f"{CALLER}{given['path']}"

        asked = demands.asked_again(given, to_micros(self._parts.ambient.now()))
        edited = self._claimed.event["edited_from"] is not None
        if edited:
            # Who agreed to what the caller gave has not seen what this run was given in its place.
            record = stored_scope(self._claimed.event)[RECORD]
            asked |= {"record": demands.shown(record, self._scrubs()), "record_hash": demands.hash_of(record)}

        async def anew() -> Row:
            before = await self._from_before(path, asked["record_hash"], enough=lambda _: True, differs=lambda _: None)
            return before or await self._open({**asked, **self._names(), "path": path})

        row = approvals.latest(looking, self._run["id"], path)
        # What the caller was given stays the caller's; whoever agreed to it and ordered this run approves nothing here.
        if row is None and not edited and not self._began() & set(self._agreed(given)):
            row = given
        found = await self._settled(row, differs=lambda _: None, anew=anew)
        assert found is not None
        return str(found["id"])

    # --- what a step asks for ---

    def _subject(self, bundle: Bundle, action: Approve, path: str, at: Scope, now: Scope, journal: Journal) -> _Subject:
        """Make the record anew in the scope of its step (`at`), and the amount in that of the write (`now`)."""
        record = at[RECORD] if action.of is None else action.of(at)
        return _Subject(
            bundle=bundle,
            action=action,
            path=path,
            scope=now,
            record=record,
            record_hash=demands.hash_of(record),
            money=money_at_stake(bundle.flows[self._run["flow"]], now),
            journal=journal,
        )

    def _asked(self, subject: _Subject) -> tuple[Decision, Demand, datetime]:
        bundle, now = subject.bundle, self._parts.ambient.now()
        flow = bundle.flows[self._run["flow"]]
        decision = decide(bundle.policies[subject.action.policy], work_scope(self._run, flow, subject.scope, now))
        return decision, demands.demand_of(decision, now), now

    async def _agreed_to(self, subject: _Subject, approval_id: str | None) -> Row | None:
        """Give a step's approval once it is there and holds; None when the policy asks for nobody."""
        looking = self._parts.database.looking
        row = None if approval_id is None else approvals.find(looking, approval_id)
        return await self._settled(
            row or approvals.latest(looking, self._run["id"], subject.path),
            differs=subject.differs,
            anew=lambda: self._anew(subject),
        )

    async def _settled(
        self,
        row: Row | None,
        *,
        differs: Differs,
        anew: Callable[[], Awaitable[Row | None]],
    ) -> Row | None:
        while True:
            state = ApprovalState.VOID if row is None else ApprovalState(row["state"])
            if row is None or state is ApprovalState.VOID:
                row = await anew()
                if row is None:
                    return None
                continue
            if state in LIVE_STATES:
                lapse = differs(row) or (self._lapse(row) if state is ApprovalState.APPROVED else None)
                if lapse is not None:
                    row = await self._void(row, lapse)
                elif state is ApprovalState.APPROVED:
                    return row
                else:
                    row = await self._waited(row)
                continue
            raise self._ended(row)

    async def _anew(self, subject: _Subject) -> Row | None:
        """Ask the policy, then the people; what they gave a run that this one replays counts if it is enough."""
        decision, demand, now = self._asked(subject)
        subject.journal.decision(
            decision,
            id=self._parts.ambient.new_id("decision"),
            environment=self._run["environment"],
            bundle=subject.bundle.id,
            at=now,
            path=subject.path,
        )
        if demand.needed == 0:
            return None
        given = await self._from_before(
            subject.path,
            subject.record_hash,
            enough=lambda row: demands.covers(row, approvals.roles_of(row), demand),
            differs=subject.differs,
        )
        if given is not None:
            return given
        # What was decided is durable before anybody is asked because of it.
        await subject.journal.flush()
        entity = lenient(subject.bundle.flows[self._run["flow"]].entity, subject.scope)
        asked = {
            "path": subject.path,
            "bundle": subject.bundle.id,
            "entity": None if entity is None else str(entity),
            "record": demands.shown(subject.record, self._scrubs()),
            "record_hash": subject.record_hash,
        }
        return await self._open({**asked, **subject.money, **demand.columns(), **self._names()})

    async def _from_before(
        self, path: str, record_hash: str, *, enough: Callable[[Row], bool], differs: Differs
    ) -> Row | None:
        """Give what a run that this one replays was approved for, if that is as much as is asked for now."""
        replayed = self._line(callers=False)[1:]
        runs = [run["id"] for run in replayed if run["generation"] == self._run["generation"]]
        for row in approvals.given_before(self._parts.database.looking, runs, path, record_hash):
            if not enough(row):
                continue
            lapse = self._lapse(row) or differs(row)
            if lapse is None and self._began() & set(self._agreed(row)):
                lapse = Lapse.APPROVER_ORDERED
            if lapse is None:
                return row
            await self._void(row, lapse)
        return None

    async def _open(self, columns: Row) -> Row:
        row = {**columns, "id": self._parts.ambient.new_id("approval")}
        epoch, began, worker = self._run["epoch"], self._began(), self._parts.worker
        return await self._change(lambda tx: approvals.ask(tx, row, epoch=epoch, began=began, actor=worker))

    def _names(self) -> dict[str, Any]:
        names = ("environment", "flow", "business_key")
        return {**{name: self._run[name] for name in names}, "run_id": self._run["id"]}

    def _line(self, *, callers: bool) -> list[Row]:
        return approvals.line_of(self._parts.database.looking, self._run, callers=callers)

    def _began(self) -> set[str]:
        """Name who ordered this run, or one that it goes back to."""
        return {run["ordered_by"] for run in self._line(callers=True) if run["ordered_by"] is not None}

    def _scrubs(self) -> list[Callable[[Any], Any]]:
        redactors = {id(account.redactor): account.redactor for account in self._parts.accounts.values()}
        return [redactor.scrub_json for redactor in redactors.values()]

    # --- what became of it ---

    async def _waited(self, row: Row) -> Row:
        """Give an approval that was settled meanwhile; raises `ApprovalPending` while it is not."""
        now, worker = to_micros(self._parts.ambient.now()), self._parts.worker
        id, due, escalates = row["id"], row["deadline_at"], row["escalate_at"]
        if due is not None and due <= now:
            row = await self._change(lambda tx: approvals.expire(tx, id, actor=worker))
        elif escalates is not None and escalates <= now and row["escalated_at"] is None:
            log.warning("approval.escalated", approval=id, run=row["run_id"], to=row["escalate_to"])
            row = await self._change(lambda tx: approvals.escalate(tx, id, actor=worker))
        if row["state"] != ApprovalState.PENDING:
            return row
        times = [due, escalates if row["escalated_at"] is None else None]
        until = min((time for time in times if time is not None), default=None)
        raise ApprovalPending(
            f"{row['needed']} must agree ({' or '.join(approvals.roles_of(row))}); the policy `{row['policy']}` asks.",
            on=approvals.topic(id),
            until=None if until is None else of_micros(until),
            come=lambda connection: approvals.settled(connection, [id]),
            approval=id,
        )

    def _lapse(self, row: Row) -> Lapse | None:
        now = to_micros(self._parts.ambient.now())
        return approvals.lapses(self._parts.database.looking, [row["id"]], now).get(row["id"])

    def _agreed(self, row: Row) -> list[str]:
        cast = approvals.votes(self._parts.database.looking, [row["id"]])[row["id"]]
        return [vote["actor"] for vote in cast if vote["verdict"] == Verdict.AGREED]

    async def _void(self, row: Row, lapse: Lapse) -> Row:
        log.warning("approval.voided", approval=row["id"], run=self._run["id"], reason=lapse.value)
        id, worker = row["id"], self._parts.worker
        return await self._change(lambda tx: approvals.void(tx, id, lapse=lapse, actor=worker))

    def _ended(self, row: Row) -> NotApproved:
        if row["state"] == ApprovalState.EXPIRED:
            return NotApproved(
                "The deadline passed before enough people had agreed.",
                code="approval-expired",
                approval=row["id"],
                policy=row["policy"],
                deadline=f"{of_micros(row['deadline_at']):%Y-%m-%d %H:%M:%S} UTC",
            )
        cast = approvals.votes(self._parts.database.looking, [row["id"]])[row["id"]]
        by = next((vote["actor"] for vote in cast if vote["verdict"] == Verdict.REFUSED), "")
        return NotApproved(
            "It was refused.",
            code="approval-refused",
            approval=row["id"],
            policy=row["policy"],
            by=by,
            reason=row["reason"] or "",
        )

    async def _change(self, work: Callable[[Transaction], Row]) -> Row:
        row: Row = await self._parts.committer.commit(Work(work))
        return row
