"""What each kind of step does: map, decide, look up, call, tie ids together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.connections.accounts import Account
from hub.engine.drift import Action, Seen, refusal
from hub.engine.effects import Effects, Target
from hub.engine.gates import Gates, work_scope
from hub.engine.journal import Journal
from hub.engine.parts import Parts
from hub.engine.readings import answer_of
from hub.engine.values import Scope, call_input, call_output, linked_ids, lookup_question, mapped
from hub.errors import FixData, HubDefect, NotMapped, WaitFor
from hub.model.ambient import of_micros
from hub.model.effect import EffectState, effect_key
from hub.model.flow import Call, Decide, Link, Lookup, Map, Step
from hub.model.run import RunState
from hub.policy.decision import decide
from hub.sdk.connector import ReadOperation, WriteOperation
from hub.store import crossrefs, history, runs
from hub.store.drift import CountDrift
from hub.store.runs import ClaimedRun
from hub.workspace.bundle import Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a step gives: its output, what it was given (for people), and the rule that decided.

    `answer` is what came from outside where the output was made of it, and `schema` the version it came in.
    """

    value: Any
    input: Any = None
    rule: str | None = None
    answer: Any = None
    schema: str | None = None


class Steps:
    """The steps of one run.

    `connection` names the one that the present step speaks to, and `awaited` the look-up that it waits for.
    """

    def __init__(self, parts: Parts, claimed: ClaimedRun, journal: Journal, effects: type[Effects]) -> None:
        """Take the collaborators; `effects` is the class that makes the run's writes."""
        self._parts = parts
        self._run = claimed.run
        self._claimed = claimed
        self._journal = journal
        self._gates = Gates(parts, claimed, journal)
        self.connection: str | None = None
        self.awaited: dict[str, str] | None = None
        self.effects = effects(
            run_id=self._run["id"],
            journal=journal,
            ambient=parts.ambient,
            attempts=claimed.attempts,
            limited=claimed.limited,
            at_work=self._at_work,
        )

    async def act(self, bundle: Bundle, step: Step, scope: Scope) -> Output:
        """Do what a step says."""
        match step.action:
            case Map() as action:
                return self._map(bundle, action, scope)
            case Decide() as action:
                return self._decide(bundle, step, action, scope)
            case Lookup() as action:
                return self._lookup(step, action, scope)
            case Call() as action:
                return await self._call(bundle, step, action, scope)
            case Link() as action:
                return await self._link(action, scope)
            case action:
                raise HubDefect(f"A step of the kind {type(action).__name__} cannot be done.", code="internal-error")

    def _map(self, bundle: Bundle, action: Map, scope: Scope) -> Output:
        value = mapped(bundle, action, scope)
        return Output(value=value, input={"of": action.of.text if action.of is not None else "record"})

    def _decide(self, bundle: Bundle, step: Step, action: Decide, scope: Scope) -> Output:
        policy, now = bundle.policies[action.policy], self._parts.ambient.now()
        asked = scope
        if policy.kind.scope is not None:
            asked = work_scope(self._run, bundle.flows[self._run["flow"]], scope, now)
        decision = decide(policy, asked)
        self._journal.decision(
            decision,
            id=self._parts.ambient.new_id("decision"),
            environment=self._run["environment"],
            bundle=bundle.id,
            at=now,
            path=step.id,
        )
        return Output(value=decision.output, rule=decision.rule)

    def _lookup(self, step: Step, action: Lookup, scope: Scope) -> Output:
        given = lookup_question(action, scope)
        wanted = {"environment": self._run["environment"], **given}
        found = crossrefs.find(self._parts.database.looking, **wanted)
        if found is not None:
            return Output(value={"id": found}, input=given)
        missing = NotMapped(
            f"{wanted['system']} {action.crossref} {wanted['id']} has no crossref to {wanted['want']}.",
            code="crossref-missing",
            **given,
        )
        if step.missing is None or step.missing.wait is None:
            raise missing
        until = self._deadline(step.id, step.missing.wait)
        if self._parts.ambient.now() >= until:
            raise missing
        self.awaited = wanted
        raise WaitFor(missing.detail, on=crossrefs.topic(**wanted), until=until)

    def _deadline(self, path: str, wait: timedelta) -> datetime:
        first = self._claimed.steps.get(path)
        began = of_micros(first["started_at"]) if first is not None else self._parts.ambient.now()
        return began + wait

    async def _call(self, bundle: Bundle, step: Step, action: Call, scope: Scope) -> Output:
        name = str(action.connection(scope))
        account = self._parts.accounts.get(name)
        if account is None:
            raise FixData("The environment has no such connection.", code="unknown-connection", connection=name)
        operation = account.connector.operation(action.operation)
        if operation is None:
            raise FixData(
                "The connector has no such operation.",
                code="unknown-operation",
                connection=name,
                operation=action.operation,
            )
        self.connection, schema = name, None
        match operation:
            case ReadOperation() as reading:
                given = self._input(bundle, action, scope)
                came = await self.effects.read(account, step.id, lambda: reading.read(account, given))
                flow, schema = bundle.flows[self._run["flow"]], reading.schema(account.settings)
                self._compare(account, reading.name, step, scope, schema, came)
                answer = answer_of(bundle, flow, step, came, given=schema, declared=reading.declared)
            case WriteOperation() as writing:
                given, came = await self._write(bundle, step, action, scope, name, writing)
                answer = came
        self.connection = None
        # What came is kept as it came, so that it can be read anew by other versions of the workspace.
        kept = came if action.into is not None or answer is not came else None
        return Output(value=call_output(bundle, action, answer, scope), input=given, answer=kept, schema=schema)

    def _compare(
        self, account: Account, operation: str, step: Step, scope: Scope, schema: str | None, came: Any
    ) -> None:
        """Count how an answer differs from its schema; raises `AnswerDrifted` when the connection's policy refuses it.

        Like a hold, this is asked of the revision that serves now: what a vendor changes is met by mending it there.
        """
        event = self._claimed.event
        judged = self._parts.drift.judge(
            self._parts.current(),
            schema,
            came,
            Seen(
                connection=account.name,
                event=scope["event"],
                event_id=event["id"],
                scrub=account.redactor.scrub,
                run_id=self._run["id"],
                path=step.id,
            ),
        )
        if judged.sightings:
            # Nobody waits for a count.
            self._parts.committer.submit(CountDrift(seen=judged.sightings))
        self._journal.decided(judged.decisions)
        if judged.action is not Action.ACCEPT:
            raise refusal(judged, connection=account.name, operation=operation)

    async def _write(
        self, bundle: Bundle, step: Step, action: Call, scope: Scope, name: str, operation: WriteOperation
    ) -> tuple[Any, Any]:
        key = effect_key(
            environment=self._run["environment"],
            connection=name,
            operation=operation.name,
            business_key=self._run["business_key"],
            path=step.id,
            generation=self._run["generation"],
        )
        target = Target(
            account=self._parts.accounts[name],
            operation=operation,
            key=key,
            environment=self._run["environment"],
            business_key=self._run["business_key"],
            path=step.id,
            generation=self._run["generation"],
        )
        formed: list[Any] = []

        def form() -> Any:
            if not formed:
                formed.append(self._input(bundle, action, scope))
            return formed[0]

        standing = self.standing(step.id, key)
        if standing is None or standing["state"] == EffectState.FAILED:
            flow = bundle.flows[self._run["flow"]]
            self._gates.pass_hold(target.account, operation.name, key, step, flow, scope, form)
        value = await self.effects.perform(target, form, standing)
        return (formed[0] if formed else None), value

    def standing(self, path: str, key: str) -> Mapping[str, Any] | None:
        """Give what is known of an effect from before: made by this run earlier, or by the run that it replays."""
        known = self._claimed.effects.get(path)
        if known is not None:
            return known
        if self._run["replay_of"] is None:
            return None
        return history.effect(self._parts.database.looking, key)

    def _input(self, bundle: Bundle, action: Call, scope: Scope) -> Any:
        return call_input(bundle, action, scope)

    async def _link(self, action: Link, scope: Scope) -> Output:
        ids = linked_ids(action, scope)
        # The outcome of a write must not hang on whether ids can be tied together.
        await self._journal.settle()
        self._journal.link(
            crossrefs.Link(
                environment=self._run["environment"],
                entity=action.entity,
                ids=ids,
                thing=self._parts.ambient.new_id("thing"),
                actor=self._parts.worker,
            )
        )
        await self._journal.settle()
        return Output(value=ids, input=ids)

    def _at_work(self, run_id: str) -> bool:
        row = runs.find(self._parts.database.looking, run_id)
        return row is not None and row["state"] in (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)
