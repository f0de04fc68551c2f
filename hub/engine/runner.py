"""One run: its steps in order, from where the last worker left off, to the next state of the run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from hub.audit.kinds import AuditKind
from hub.engine import verdicts
from hub.engine.checks import check
from hub.engine.effects import Effects, Target
from hub.engine.journal import Journal
from hub.engine.parts import Parts
from hub.errors import Fatal, FixData, HubError, NotMapped, StaleLease, WaitFor
from hub.mapping.compiled import apply
from hub.model.ambient import of_micros, to_micros
from hub.model.effect import effect_key
from hub.model.flow import Call, Decide, Flow, Link, Lookup, Map, Step
from hub.model.run import RunState, StepState, WaitKind
from hub.policy.retry import RetryPolicy
from hub.policy.route import decide
from hub.sdk import exact_json
from hub.sdk.connector import ReadOperation, WriteOperation
from hub.store import connections, crossrefs, history, runs
from hub.store.committer import Work
from hub.store.runs import ClaimedRun
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)

Scope = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a step gives: its output, what it was given (for people), and the rule that decided."""

    value: Any
    input: Any = None
    rule: str | None = None


class Runner:
    """Goes through one claimed run."""

    effects: type[Effects] = Effects

    def __init__(self, parts: Parts, claimed: ClaimedRun) -> None:
        """Prepare; nothing is recorded yet."""
        self._parts = parts
        self._run = claimed.run
        self._claimed = claimed
        self._journal = Journal(parts.committer, run_id=self._run["id"], epoch=self._run["epoch"], worker=parts.worker)
        self._effects = self.effects(
            run_id=self._run["id"],
            journal=self._journal,
            ambient=parts.ambient,
            attempts=claimed.attempts,
            at_work=self._at_work,
        )
        self._awaited: dict[str, str] | None = None
        self._connection: str | None = None
        self._produced: Output | None = None
        self._bundle: Bundle | None = None

    async def run(self) -> None:
        """Go on until the run ends, waits, or parks; whatever happens is recorded."""
        scope: Scope = {}
        flow: Flow | None = None
        step: Step | None = None
        ordinal, started = 0, self._parts.ambient.now()
        try:
            bundle = self._bundle = await self._parts.bundle(self._run["bundle"])
            flow = bundle.flows[self._run["flow"]]
            scope = self.scope()
            for ordinal, step in enumerate(flow.steps):
                started = self._parts.ambient.now()
                await self._pass(bundle, step, ordinal, scope, started)
            await self._succeed(flow, scope)
        except StaleLease:
            log.info("run.taken_over", run=self._run["id"])
        except Fatal:
            raise
        except HubError as error:
            await self._stop(flow, step, ordinal, scope, started, error)
        except Exception as error:  # a defect of the hub must not lose the run or stop the others
            log.exception("run.defect", run=self._run["id"])
            defect = FixData("The hub failed on this run; this is a defect of the hub.", code="internal-error")
            defect.facts = {"reason": f"{type(error).__name__}: {error}"[:300]}
            await self._stop(flow, step, ordinal, scope, started, defect)

    def scope(self) -> Scope:
        """Give what expressions see before the first step: the event, its data, its record."""
        event = self._claimed.event
        data = exact_json.loads(event["data"])
        record = data[event["record_key"]] if event["record_key"] else data
        envelope = {
            "id": event["external_id"],
            "type": event["type"],
            "connection": event["connection"],
            "subject": event["subject"],
            "occurred_at": of_micros(event["occurred_at"]).isoformat(),
            "received_at": of_micros(event["received_at"]).isoformat(),
            "environment": event["environment"],
        }
        return {"event": envelope, "data": data, "record": record}

    def recorded(self, path: str) -> Mapping[str, Any] | None:
        """Give a step that was finished by an earlier worker."""
        row = self._claimed.steps.get(path)
        return row if row is not None and row["state"] == StepState.SUCCEEDED else None

    async def _pass(self, bundle: Bundle, step: Step, ordinal: int, scope: Scope, started: datetime) -> None:
        before = self.recorded(step.id)
        if before is not None:
            scope[step.id] = None if before["output"] is None else exact_json.loads(before["output"])
            return
        self._connection = None
        self._produced = None
        if step.when is not None and not step.when(scope):
            output = Output(value=None, rule="skipped")
        else:
            output = self._produced = await self.act(bundle, step, scope)
            if step.expect is not None:
                self._expect(step, scope, output)
        scope[step.id] = output.value
        self._journal.step(
            path=step.id,
            ordinal=ordinal,
            kind=type(step.action).__name__.lower(),
            state=StepState.SUCCEEDED,
            started=started,
            finished=self._parts.ambient.now(),
            input=output.input,
            output=output.value,
            rule=output.rule,
        )

    def _expect(self, step: Step, scope: Scope, output: Output) -> None:
        assert step.expect is not None
        try:
            check(step.expect, {**scope, step.id: output.value}, output.value)
        except FixData as error:
            self._journal.note(AuditKind.CHECK_FAILED, facts={"step": step.id, "reason": error.code})
            raise

    async def act(self, bundle: Bundle, step: Step, scope: Scope) -> Output:
        """Do what a step says."""
        match step.action:
            case Map() as action:
                return self._map(bundle, action, scope)
            case Decide() as action:
                decision = decide(bundle.policies[action.policy], scope)
                self._journal.note(
                    AuditKind.POLICY_DECIDED, facts={"policy": action.policy, "rule": _code(decision.rule)}
                )
                return Output(value=decision.output, rule=decision.rule)
            case Lookup() as action:
                return self._lookup(step, action, scope)
            case Call() as action:
                return await self._call(bundle, step, action, scope)
            case Link() as action:
                return await self._link(action, scope)

    def _map(self, bundle: Bundle, action: Map, scope: Scope) -> Output:
        source = action.of(scope) if action.of is not None else scope["record"]
        value = self._shape(bundle, action.mapping, source, action.given, scope)
        return Output(value=value, input={"of": action.of.text if action.of is not None else "record"})

    def _shape(self, bundle: Bundle, name: str, source: Any, given: Mapping[str, Any], scope: Scope) -> Any:
        mapping = bundle.mappings[name]
        value = apply(mapping, source, {key: term(scope) for key, term in given.items()})
        faults = bundle.validate(mapping.target, value)
        if faults:
            raise FixData(
                f"What the mapping {name} gave does not fit {mapping.target}.",
                code="schema-mismatch",
                faults="; ".join(faults[:5]),
            )
        return value

    def _lookup(self, step: Step, action: Lookup, scope: Scope) -> Output:
        wanted = {
            "environment": self._run["environment"],
            "entity": action.crossref,
            "system": str(action.system(scope)),
            "id": str(action.id(scope)),
            "want": str(action.want(scope)),
        }
        with self._parts.database.reading() as connection:
            found = crossrefs.find(connection, **wanted)
        given = {name: wanted[name] for name in ("entity", "system", "id", "want")}
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
        self._awaited = wanted
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
        self._connection = name
        match operation:
            case ReadOperation() as reading:
                given = self._input(bundle, action, scope)
                value = await self._effects.read(account, step.id, lambda: reading.read(account, given))
            case WriteOperation() as writing:
                given, value = await self._write(bundle, step, action, scope, name, writing)
        self._connection = None
        if action.into is not None:
            value = self._shape(bundle, action.into, value, {}, scope)
        return Output(value=value, input=given)

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
            formed.append(self._input(bundle, action, scope))
            return formed[0]

        value = await self._effects.perform(target, form, self._standing(step.id, key))
        return (formed[0] if formed else None), value

    def _standing(self, path: str, key: str) -> Mapping[str, Any] | None:
        known = self._claimed.effects.get(path)
        if known is not None:
            return known
        if self._run["replay_of"] is None:
            return None
        with self._parts.database.reading() as connection:
            return history.effect(connection, key)

    def _input(self, bundle: Bundle, action: Call, scope: Scope) -> Any:
        if action.shape is not None:
            source = action.of(scope) if action.of is not None else scope["record"]
            return self._shape(bundle, action.shape, source, action.given, scope)
        return {"id": action.by(scope)} if action.by is not None else {}

    async def _link(self, action: Link, scope: Scope) -> Output:
        ids = {str(system(scope)): str(id(scope)) for system, id in action.ids}
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

    async def _succeed(self, flow: Flow, scope: Scope) -> None:
        self._journal.note(AuditKind.RUN_SUCCEEDED)
        await self._journal.end(
            {
                "state": RunState.SUCCEEDED.value,
                "blocking": False,
                "finished_at": to_micros(self._parts.ambient.now()),
                **self._about(flow, scope),
            }
        )

    async def _stop(
        self, flow: Flow | None, step: Step | None, ordinal: int, scope: Scope, started: datetime, error: HubError
    ) -> None:
        path = step.id if step is not None else "start"
        verdict = verdicts.decide(
            error,
            step=step,
            connection=self._connection,
            policy=self._retry_policy(step),
            attempt=max(self._effects.attempts(path), 1),
            draw=self._parts.ambient.random.random(),
        )
        self._fail_step(step, ordinal, started, error, waiting=not isinstance(verdict, verdicts.Park))
        now = self._parts.ambient.now()
        about = self._about(flow, scope)
        try:
            match verdict:
                case verdicts.Retry(after=after):
                    await self._wait(WaitKind.TIMER, now + timedelta(seconds=after), error.code, about)
                case verdicts.Await(on=on, until=until):
                    await self._wait(WaitKind.EVENT, until, error.code, about, on=on)
                case verdicts.Pause(connection=connection, already=already):
                    if not already:
                        await self._pause(connection, error)
                    topic = f"connection:{self._run['environment']}:{connection}"
                    await self._wait(WaitKind.CONNECTION, None, error.code, about, on=topic)
                case verdicts.Park(reason=reason):
                    await self._park(flow, path, reason, error, about)
        except StaleLease:
            log.info("run.taken_over", run=self._run["id"])

    def _retry_policy(self, step: Step | None) -> RetryPolicy:
        if self._bundle is None or step is None:
            return RetryPolicy()
        return self._bundle.retry(step.retry)

    async def _wait(
        self, kind: WaitKind, until: datetime | None, reason: str, about: Mapping[str, Any], *, on: str | None = None
    ) -> None:
        moment = to_micros(until) if until is not None else None
        await self._journal.end(
            {
                "state": RunState.WAITING.value,
                "wait_kind": kind.value,
                "wait_on": on,
                "wait_until": moment,
                "claimable_at": moment,
                "reason": reason,
                **about,
            },
            awaited=self._awaited,
        )

    async def _pause(self, name: str, error: HubError) -> None:
        account = self._parts.accounts[name]
        if account.paused is not None:
            return
        account.paused = str(error)
        log.error("connection.paused", connection=name, reason=str(error))
        environment, worker = self._run["environment"], self._parts.worker
        await self._parts.committer.commit(
            Work(
                lambda transaction: connections.set_state(
                    transaction,
                    environment=environment,
                    name=name,
                    state=connections.PAUSED,
                    reason=str(error),
                    actor=worker,
                )
            )
        )

    async def _park(self, flow: Flow | None, path: str, reason: str, error: HubError, about: Mapping[str, Any]) -> None:
        now = to_micros(self._parts.ambient.now())
        case_id = self._parts.ambient.new_id("case")
        fingerprint = hashlib.sha256(f"{self._run['flow']}|{path}|{reason}|{error.code}".encode()).hexdigest()[:16]
        self._journal.note(AuditKind.RUN_PARKED, facts={"reason": _code(reason)})
        self._journal.note(AuditKind.CASE_OPENED, subjects={"case": case_id}, facts={"reason": _code(reason)})
        await self._journal.end(
            {"state": RunState.PARKED.value, "reason": reason, **about},
            case={
                "id": case_id,
                "environment": self._run["environment"],
                "entity": about.get("entity"),
                "flow": self._run["flow"],
                "run_id": self._run["id"],
                "path": path,
                "business_key": self._run["business_key"],
                "reason": reason,
                "fingerprint": fingerprint,
                "detail": error.detail,
                "facts": exact_json.dumps({name: str(fact) for name, fact in error.facts.items()}).decode(),
                "runbook": flow.runbook if flow is not None else None,
                "owner": None,
                "money_minor": about.get("money_minor"),
                "money_currency": about.get("money_currency"),
                "state": "open",
                "opened_at": now,
            },
        )

    def _fail_step(
        self,
        step: Step | None,
        ordinal: int,
        started: datetime,
        error: HubError,
        *,
        waiting: bool,
    ) -> None:
        if step is None:
            return
        before, output = self._claimed.steps.get(step.id), self._produced
        self._journal.step(
            path=step.id,
            ordinal=ordinal,
            kind=type(step.action).__name__.lower(),
            state=StepState.WAITING if waiting else StepState.FAILED,
            # A step that waits keeps the time it began, because its deadline counts from there.
            started=of_micros(before["started_at"]) if before is not None else started,
            finished=self._parts.ambient.now(),
            input=output.input if output is not None else None,
            output=output.value if output is not None else None,
            error={"code": error.code, "detail": error.detail, "facts": {k: str(v) for k, v in error.facts.items()}},
        )

    def _about(self, flow: Flow | None, scope: Scope) -> dict[str, Any]:
        about: dict[str, Any] = {"entity": None, "money_minor": None, "money_currency": None}
        if flow is None:
            return about
        if flow.entity is not None:
            entity = _lenient(flow.entity, scope)
            about["entity"] = str(entity) if entity is not None else None
        money = _lenient(flow.money, scope) if flow.money is not None else None
        if isinstance(money, Mapping):
            about["money_minor"], about["money_currency"] = money.get("minor"), money.get("currency")
        return about

    def _at_work(self, run_id: str) -> bool:
        with self._parts.database.reading() as connection:
            row = runs.find(connection, run_id)
        return row is not None and row["state"] in (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)


def _lenient(term: Any, scope: Scope) -> Any:
    # What describes a run for people must not stop it: before its step has run there is nothing to say.
    try:
        return term(scope)
    except HubError:
        return None


def _code(text: str) -> str:
    return "".join(char if "!" <= char <= "~" else "-" for char in text)[:200] or "-"
