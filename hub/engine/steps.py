"""What each kind of single step does: map, decide, look up, call, tie ids together, wait, tell, call another flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.connections.accounts import Account
from hub.engine import waits
from hub.engine.approvals import Approvals
from hub.engine.children import Children, Under
from hub.engine.compared import Compared
from hub.engine.earlier import Earlier
from hub.engine.effects import Effects, as_it_is
from hub.engine.gates import Gates, work_scope
from hub.engine.journal import Journal
from hub.engine.outputs import Output
from hub.engine.parts import Parts
from hub.engine.readings import answer_of
from hub.engine.recording import Target, another_run
from hub.engine.suspicion import suspicion_of
from hub.engine.values import (
    Scope,
    call_input,
    call_output,
    compared_keys,
    linked_ids,
    linked_parent,
    lookup_question,
    mapped,
    match_question,
    once,
)
from hub.errors import ApprovalLapsed, FixData, HubDefect, NotMapped, WaitFor
from hub.model.ambient import of_micros
from hub.model.effect import EffectKey, EffectState, effect_key
from hub.model.flow import Approve, Call, Decide, Emit, Link, Lookup, Map, Match, Step, Subflow, Wait
from hub.model.flow_steps import UNDOING, gone_before, step_at
from hub.model.limits import Asker
from hub.model.run import GOING_STATES
from hub.policy.decision import decide, holds
from hub.policy.matching import in_words
from hub.sdk import exact_json
from hub.sdk.connector import Operation, ReadOperation, WriteOperation
from hub.store import crossrefs, hierarchy, matches, runs
from hub.store import effects as stored_effects
from hub.store.claims import ClaimedRun
from hub.store.hierarchy import Above
from hub.store.lineage import replayed
from hub.store.things import By
from hub.workspace.bundle import Bundle


class Steps:
    """The steps of one lane of a run; `connection` names the one that the present step speaks to."""

    def __init__(
        self,
        parts: Parts,
        claimed: ClaimedRun,
        journal: Journal,
        effects: type[Effects],
        approvals: Approvals,
        earlier: Earlier,
    ) -> None:
        """Take the collaborators; `effects` is the class that makes the run's writes.

        `approvals` are the run's, and `earlier` is what the runs have made that it replays.
        """
        self._parts = parts
        self._run = claimed.run
        self._claimed = claimed
        self._journal = journal
        self._gates = Gates(parts, claimed, journal)
        self._compared = Compared(parts, claimed, journal)
        self.approvals = approvals
        self.earlier = earlier
        asker = Asker(priority=self._run["priority"], flow=self._run["flow"], key=self._run["key"])
        self.connection: str | None = None
        self.effects = effects(
            run_id=self._run["id"],
            event_id=self._run["event_id"],
            journal=journal,
            ambient=parts.ambient,
            attempts={},
            limited={},
            at_work=self._at_work,
            asker=asker,
            database=parts.database,
            moment=max(claimed.event["occurred_at"], self._run["created_at"] if self._run["generation"] else 0),
            ordered=self._run["generation"] > 0,
            suspicion=suspicion_of(parts.database, parts.restored, self._run, claimed.event),
        )
        self._known: Mapping[str, Mapping[str, Any]] = {}
        self._begun: Mapping[str, Mapping[str, Any]] = {}

    def know(
        self,
        *,
        steps: Mapping[str, Mapping[str, Any]],
        effects: Mapping[str, Mapping[str, Any]],
        attempts: Mapping[str, int],
        limited: Mapping[str, int],
    ) -> None:
        """Take what is recorded of this lane from before."""
        self._begun, self._known = steps, effects
        self.effects.know(attempts=attempts, limited=limited)

    def forget(self, paths: Iterable[str]) -> None:
        """Forget what was known of writes from before; it is read again when it is asked for."""
        gone = set(paths)
        self._known = {path: row for path, row in self._known.items() if path not in gone}

    async def act(self, bundle: Bundle, step: Step, path: str, scope: Scope) -> Output:
        """Do what a step says; steps that have steps of their own are not done here."""
        match step.action:
            case Map() as action:
                return self._map(bundle, action, scope)
            case Decide() as action:
                return self._decide(bundle, path, action, scope)
            case Lookup() as action:
                return self._lookup(step, path, action, scope)
            case Match() as action:
                return await self._match(bundle, path, action, scope)
            case Call() as action:
                return await self._call(bundle, step, path, action, scope)
            case Link() as action:
                return await self._link(action, path, scope)
            case Wait() as action:
                return await self._wait(bundle, path, action, scope)
            case Emit() as action:
                children = Children(parts=self._parts, run=self._run, earlier=self.earlier)
                return await children.emit(bundle, path, action, scope, self._under_durably(path, scope))
            case Subflow() as action:
                children = Children(parts=self._parts, run=self._run, earlier=self.earlier)
                return await children.call(bundle, path, action, scope, self._under_durably(path, scope))
            case Approve() as action:
                return await self.approvals.ask(bundle, action, path, scope, self._journal)
            case action:
                raise HubDefect(f"A step of the kind {type(action).__name__} cannot be done.", code="internal-error")

    def _map(self, bundle: Bundle, action: Map, scope: Scope) -> Output:
        value = mapped(bundle, action, scope)
        return Output(value=value, input={"of": action.of.text if action.of is not None else "record"})

    def _decide(self, bundle: Bundle, path: str, action: Decide, scope: Scope) -> Output:
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
            path=path,
        )
        return Output(value=decision.output, rule=decision.rule)

    def _lookup(self, step: Step, path: str, action: Lookup, scope: Scope) -> Output:
        given = lookup_question(action, scope)
        environment = self._run["environment"]
        found, topic = _found(self._parts.database.looking, environment, given)
        if found is not None:
            return Output(value={"id": found}, input=given)
        whose = "" if action.above is None else _ABOVE[Above(action.above)]
        missing = NotMapped(
            f"{whose}{given['system']} {action.crossref} {given['id']} has no crossref to {given['want']}.",
            code="crossref-missing",
            **given,
        )
        wait = None if step.missing is None else step.missing.wait
        until = None if wait is None else self._began(path) + wait
        if until is None or self._parts.ambient.now() >= until:
            if action.optional:
                return Output(value=None, input=given)
            raise missing
        raise WaitFor(
            missing.detail,
            on=topic,
            until=until,
            # What it hangs on may have become another thing meanwhile.
            come=lambda connection: _found(connection, environment, given) != (None, topic),
        )

    async def _match(self, bundle: Bundle, path: str, action: Match, scope: Scope) -> Output:
        policy, asked = bundle.matches[action.policy], match_question(action, scope)
        record, values = compared_keys(policy, action, scope)
        matched = await self._journal.match(
            matches.Match(
                by=By(
                    environment=self._run["environment"],
                    entity=policy.entity,
                    actor=self._parts.worker,
                    run_id=self._run["id"],
                    path=path,
                ),
                policy=policy.name,
                version=policy.version,
                **asked,
                record=record,
                keys=[matches.Key(name=each.key.name, value=each.value, same=each.key.same) for each in values],
                thing=self._parts.ambient.new_id("thing"),
                change=self._parts.ambient.new_id("merge"),
                waits=action.unless is None or not holds(action.unless(scope)),
            )
        )
        given = {**asked, "policy": policy.name, "keys": in_words(values)}
        value = {"thing": matched.thing, "known": matched.known, "merged": list(matched.merged)}
        return Output(value=value, input=given)

    def _began(self, path: str) -> datetime:
        first, now = self._begun.get(path), self._parts.ambient.now()
        # A clock that was ahead may have put it into the future.
        return now if first is None else min(of_micros(first["started_at"]), now)

    async def _wait(self, bundle: Bundle, path: str, action: Wait, scope: Scope) -> Output:
        now, began = self._parts.ambient.now(), self._began(path)
        if action.event is None:
            return waits.for_time(action, scope, began=began, now=now)
        before = gone_before(bundle.flows[self._run["flow"]].steps, path)
        earlier = [at for at, step in before if isinstance(step.action, Wait) and step.action.event == action.event]
        if earlier:
            # What they have waited for is read from what is recorded.
            await self._journal.flush()
        return waits.for_event(
            self._parts.database.looking,
            action,
            scope,
            run=self._run,
            event=self._claimed.event,
            earlier=earlier,
            began=began,
            now=now,
        )

    async def _call(self, bundle: Bundle, step: Step, path: str, action: Call, scope: Scope) -> Output:
        account, operation = self.where(action, scope)
        self.connection = account.name
        output = await self.exchange(
            bundle, step, path, action, scope, account, operation, lambda: self._input(bundle, action, scope)
        )
        self.connection = None
        return output

    def where(self, action: Call, scope: Scope) -> tuple[Account, Operation]:
        """Give what a call speaks to; `FixData` when there is no such connection or operation."""
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
        return account, operation

    async def exchange(
        self,
        bundle: Bundle,
        step: Step,
        path: str,
        action: Call,
        scope: Scope,
        account: Account,
        operation: Operation,
        form: Callable[[], Any],
    ) -> Output:
        """Make one read or write with what `form` gives as its input."""
        schema = None
        match operation:
            case ReadOperation() as reading:
                self.earlier.assert_none_inside(path)
                given, schema = form(), reading.schema(account.settings)
                came = await self._compared.read(account, reading, given, self.effects.exchanges, path, scope["event"])
                flow = bundle.flows[self._run["flow"]]
                answer = answer_of(bundle, flow, step, came, given=schema, declared=reading.declared)
            case WriteOperation() as writing:
                formed = once(form)
                target = self._taking_back(bundle, account.name, writing, path, action.undoes)
                answer = came = await self.write(bundle, target, formed, step, scope)
                given = formed.given()
        # What came is kept as it came, so that it can be read anew by other versions of the workspace.
        kept = came if action.into is not None or answer is not came else None
        return Output(value=call_output(bundle, action, answer, scope), input=given, answer=kept, schema=schema)

    async def write(self, bundle: Bundle, target: Target, form: Callable[[], Any], step: Step, scope: Scope) -> Any:
        """Make a write happen once, after its gates; gives its output."""
        standing = self.standing(target)
        meet = as_it_is if target.undoes is not None else partial(self._as_now, form)
        if standing is not None:
            standing = await meet(target, standing)
            target = target.of(standing)
        if standing is not None and standing["state"] != EffectState.FAILED:
            return await self.effects.perform(target, form, standing, meet)
        if target.undoes is None:
            self.earlier.assert_none_elsewhere(target.path, target.key, bundle.flows[self._run["flow"]].steps)
        # What takes something back needs nobody's leave: otherwise who has left would keep it from being mended.
        if target.undoes is None:
            target = msgspec.structs.replace(target, approvals=await self.leave(target.path, scope))
        self.gate(bundle, target, form, scope)
        try:
            return await self.effects.perform(target, form, standing, meet)
        except ApprovalLapsed:
            # It lapsed between the look and the intent: it is void now and asked for anew, or holds again by chance.
            await self.leave(target.path, scope)
            raise

    async def _as_now(self, form: Callable[[], Any], target: Target, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give what is known of a write by now; raises `StandsAlready` when it was made, and not as it would be now.

        One of unknown outcome that would be written otherwise is found out first, and not sent again for its own sake.
        """
        state, earlier, target = row["state"], self.earlier, target.of(row)
        if state in (EffectState.FAILED, EffectState.PARKED) or not earlier.is_other(row):
            return row
        if earlier.is_as_now(target, row, form):
            return row
        if state != EffectState.DONE:
            if row["run_id"] != self._run["id"] and not await self.effects.take_over(row):
                raise another_run(row)
            await self.effects.find_out(target, row)
            self.forget([target.path])
            found = stored_effects.effect(self._parts.database.looking, target.key)
            assert found is not None
            row = found
        if row["state"] == EffectState.DONE:
            raise earlier.written_differently(target.path, row)
        return row

    async def leave(self, path: str, scope: Scope) -> str | None:
        """Give the approvals under which a write may begin, as JSON; None when it needs none."""
        approvals = await self._under(path, scope)()
        return exact_json.dumps(list(approvals)).decode() if approvals else None

    def _under(self, path: str, scope: Scope) -> Under:
        return lambda: self.approvals.standing(path, scope, self._journal)

    def _under_durably(self, path: str, scope: Scope) -> Under:
        async def under() -> tuple[str, ...]:
            approvals = await self.approvals.standing(path, scope, self._journal)
            # What led here is durable before others hear of it.
            await self._journal.flush()
            return approvals

        return under

    def gate(self, bundle: Bundle, target: Target, form: Callable[[], Any], scope: Scope) -> None:
        """Let a write pass that has not begun; raises what holds it back."""
        flow = bundle.flows[self._run["flow"]]
        self._gates.pass_hold(
            target.account, target.operation.name, target.key, target.path, self._begun, flow, scope, form
        )

    def target(
        self,
        connection: str,
        operation: WriteOperation,
        path: str,
        *,
        undoes: str | None = None,
        key: EffectKey | None = None,
        generation: int | None = None,
    ) -> Target:
        """Say where a write goes and what it means; `undoes` names the effect it takes back, `key` itself if known."""
        named = {
            "environment": self._run["environment"],
            "business_key": self._run["business_key"],
            "path": path,
            "generation": self._claimed.generation(path) if generation is None else generation,
        }
        key = key or effect_key(connection=connection, operation=operation.name, **named)
        return Target(account=self._parts.accounts[connection], operation=operation, key=key, undoes=undoes, **named)

    def _taking_back(
        self, bundle: Bundle, connection: str, operation: WriteOperation, path: str, undoes: str | None
    ) -> Target:
        """Say where a step's write goes; one that takes another step's back is the same effect as that one's undo.

        Whichever comes first makes it, and the other takes it for its own: the key is the one that an order to take
        that step back would form.
        """
        taken = None if undoes is None else step_at(bundle.flows[self._run["flow"]].steps, undoes)
        if undoes is None or taken is None or not isinstance(taken.action, Call):
            return self.target(connection, operation, path)
        made = self._parts.accounts[connection].connector.operation(taken.action.operation)
        assert isinstance(made, WriteOperation)
        wanted = self.target(connection, made, undoes)
        found = stored_effects.answering(self._parts.database.looking, [wanted.named()]).get(wanted.key)
        generation = wanted.generation if found is None else found["generation"]
        back = self.target(
            connection,
            operation,
            UNDOING + undoes,
            undoes=wanted.key if found is None else found["key"],
            generation=generation,
        )
        return msgspec.structs.replace(back, path=path)

    def standing(self, target: Target) -> Mapping[str, Any] | None:
        """Give what is known of an effect from before: made by this run earlier, or by the run that it replays."""
        known = self._known.get(target.path)
        if known is not None:
            return known
        if self._run["replay_of"] is None:
            return None
        return stored_effects.answering(self._parts.database.looking, [target.named()]).get(target.key)

    def _input(self, bundle: Bundle, action: Call, scope: Scope) -> Any:
        return call_input(bundle, action, scope)

    async def _link(self, action: Link, path: str, scope: Scope) -> Output:
        ids, above = linked_ids(action, scope), linked_parent(action, scope)
        # The outcome of a write must not hang on whether ids can be tied together.
        await self._journal.settle()
        self._journal.link(
            crossrefs.Link(
                environment=self._run["environment"],
                entity=action.entity,
                ids=ids,
                thing=self._parts.ambient.new_id("thing"),
                actor=self._parts.worker,
                line=[self._run["id"], *replayed(self._parts.database.looking, self._run["replay_of"])],
                path=path,
                places=action.parent is not None,
                parent=above,
                parent_thing="" if above is None else self._parts.ambient.new_id("thing"),
            )
        )
        await self._journal.settle()
        told = ids if above is None else {**ids, "above": {above[0]: above[1]}}
        return Output(value=ids, input=told)

    def _at_work(self, run_id: str) -> bool:
        row = runs.find(self._parts.database.looking, run_id)
        return row is not None and row["state"] in GOING_STATES


#: Whose id a look-up does not find, beside that of the thing itself.
_ABOVE = {Above.PARENT: "What stands straight above ", Above.TOP: "What stands at the top above "}


def _found(connection: Connection, environment: str, question: Mapping[str, str]) -> tuple[str | None, str]:
    """Give what a look-up finds, and the topic of which to wait where that is nothing."""
    wanted = {"environment": environment, **{name: word for name, word in question.items() if name != "above"}}
    if "above" in question:
        return hierarchy.find_above(connection, **wanted, above=Above(question["above"]))
    return crossrefs.find(connection, **wanted), crossrefs.topic(**wanted)
