"""Walks a shipped flow by hand against running sandboxes: each step once, without engine, history or retries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hub.connections.registry import load_connectors
from hub.engine.checks import check
from hub.engine.gates import work_scope
from hub.errors import LimitReached, NoSuchRecord, NotMapped
from hub.mapping.compiled import apply
from hub.model.effect import effect_key
from hub.model.flow import (
    Approve,
    Branch,
    Call,
    Decide,
    Emit,
    Flow,
    Foreach,
    Link,
    Lookup,
    Map,
    Match,
    OnFailure,
    Parallel,
    Step,
    Subflow,
    Wait,
)
from hub.policy.decision import decide
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.connector import Connector, ReadOperation
from hub.sdk.testing.embedded import MemoryTransport
from hub.sdk.testing.sending import Connected
from hub.workspace.bundle import Bundle


@dataclass(slots=True, kw_only=True)
class Walk:
    """The sandboxes by connection, the connections to them, and the crossrefs made so far."""

    bundle: Bundle
    sandboxes: Mapping[str, Running]
    connected: Mapping[str, Connected]
    connectors: Mapping[str, Connector]
    crossrefs: dict[tuple[str, str, str, str], str] = field(default_factory=dict)
    events: int = 0

    async def flow(self, name: str, record: Mapping[str, Any], *, event: str | None = None) -> dict[str, Any]:
        """Go through a flow for one business object of Stripe's; gives the scope with every step's output.

        `event` is what has happened to it: what starts the flow first, when not named.
        """
        flow = self.bundle.flows[name]
        self.events += 1
        told = {"id": f"evt_{self.events}", "connection": "stripe", "type": event or flow.event}
        scope: dict[str, Any] = {"event": told, "data": {"object": record}, "record": record}
        await self._line(flow, flow.steps, scope, "")
        return scope

    async def heard(self, name: str, data: Mapping[str, Any], *, connection: str, subject: str) -> dict[str, Any]:
        """Go through a flow for what another vendor than Stripe has told; gives the scope with every step's output."""
        flow = self.bundle.flows[name]
        self.events += 1
        told = {"id": f"evt_{self.events}", "connection": connection, "type": flow.event, "subject": subject}
        scope: dict[str, Any] = {"event": told, "data": data, "record": data}
        await self._line(flow, flow.steps, scope, "")
        return scope

    async def at(self, name: str, due: datetime) -> dict[str, Any]:
        """Go through a flow that starts by itself, as if it was due then; gives the scope."""
        flow = self.bundle.flows[name]
        data = {
            "schedule": name,
            "due_at": due.isoformat(),
            "fired_at": due.isoformat(),
            "zone": "UTC",
            "date": due.date().isoformat(),
            "missed": 0,
            "ordered": False,
        }
        scope: dict[str, Any] = {"event": {"connection": "concord", "type": flow.event}, "data": data, "record": data}
        await self._line(flow, flow.steps, scope, "")
        return scope

    async def _line(self, flow: Flow, steps: Sequence[Step], scope: dict[str, Any], around: str) -> None:
        """Go through steps in order; what each gave is in the scope then."""
        for step in steps:
            output = None
            if step.when is None or step.when(scope):
                try:
                    output = await self._step(flow, step, scope, around + step.id)
                except NotMapped:
                    if step.on_failure is not OnFailure.CONTINUE:
                        raise
            scope[step.id] = output
            if step.expect is not None and output is not None:
                check(step.expect, scope, output)

    def _found(self, lookup: Lookup, scope: Mapping[str, Any]) -> dict[str, str] | None:
        key = (lookup.crossref, lookup.system(scope), lookup.id(scope), lookup.want(scope))
        if key not in self.crossrefs and lookup.optional:
            return None
        if key not in self.crossrefs:
            raise NotMapped(code="crossref-missing", key=key)
        return {"id": self.crossrefs[key]}

    async def _step(self, flow: Flow, step: Step, scope: dict[str, Any], path: str) -> Any:
        match step.action:
            case Foreach() | Branch() | Parallel():
                return await self._within(flow, step, scope, path)
            case Approve() | Wait():
                # Nobody is asked here, and nothing is waited for.
                return {"approved": True, "by": [], "hash": "", "at": "2026-01-01T00:00:00Z"}
            case Emit(shape=shape, of=of, given=given) | Subflow(shape=shape, of=of, given=given):
                source = scope["record"] if of is None else of(scope)
                record = source if shape is None else self._shape(shape, of, given, scope)
                if isinstance(step.action, Emit):
                    return {"id": path}
                return await self._called(self.bundle.flows[step.action.flow], record)
            case Map(mapping=mapping, of=of, given=given):
                return self._shape(mapping, of, given, scope)
            case Decide(policy=policy):
                decided = self.bundle.policies[policy]
                own = decided.kind.scope is None
                seen = scope if own else work_scope({"environment": "test"}, flow, scope, datetime.now(UTC))
                return decide(decided, seen).output
            case Lookup() as lookup:
                return self._found(lookup, scope)
            case Match():
                # Nobody else is there whom it could be.
                return {"thing": path, "known": False, "merged": []}
            case Call() as call:
                return await self._call(flow, call, scope, path)
            case Link(entity=entity, ids=ids):
                pairs = [(system(scope), id(scope)) for system, id in ids]
                for system, identifier in pairs:
                    for other, wanted in pairs:
                        self.crossrefs[(entity, system, identifier, other)] = wanted
                return dict(pairs)

    async def _within(self, flow: Flow, step: Step, scope: dict[str, Any], path: str) -> Any:
        inner = dict(scope)
        match step.action:
            case Foreach() as loop:
                kept = []
                for number, item in enumerate(loop.each(scope)):
                    own = {**scope, loop.name: item}
                    name = number if loop.by is None else loop.by(own)
                    await self._line(flow, loop.steps, own, f"{path}[{name}].")
                    kept.append(None if loop.collect is None else loop.collect(own))
                return {"count": len(kept), "succeeded": len(kept), "failed": 0, "collected": kept}
            case Branch(arms=arms):
                arm = next((arm for arm in arms if arm.when is None or arm.when(scope)), None)
                if arm is None:
                    return {"taken": None}
                await self._line(flow, arm.steps, inner, f"{path}.")
                return {"taken": arm.name, **{each.id: inner[each.id] for each in arm.steps}}
            case Parallel(steps=steps):
                for each in sorted(steps, key=lambda each: len(each.needs)):
                    await self._line(flow, (each,), inner, f"{path}.")
                return {each.id: inner[each.id] for each in steps}
            case action:
                raise AssertionError(action)

    async def _called(self, flow: Flow, record: Any) -> Any:
        event = {"connection": "concord", "type": flow.event}
        scope: dict[str, Any] = {"event": event, "data": {"record": record}, "record": record}
        await self._line(flow, flow.steps, scope, "")
        return None if flow.output is None else flow.output(scope)

    async def _call(self, flow: Flow, call: Call, scope: dict[str, Any], path: str) -> Any:
        name = call.connection(scope)
        given = (
            self._shape(call.shape, call.of, call.given, scope)
            if call.shape is not None
            else {"id": call.by(scope) if call.by is not None else None}
        )
        operation = self.connectors[name].operation(call.operation)
        assert operation is not None
        if isinstance(operation, ReadOperation):
            try:
                output: Any = await _waiting(lambda: operation.read(self.connected[name], given))
            except NoSuchRecord:
                if not call.optional:
                    raise
                return None
        else:
            key = effect_key(
                environment="test",
                connection=name,
                operation=operation.name,
                business_key=flow.business_key(scope),
                path=path,
            )
            output = await _waiting(lambda: self.connected[name].write(operation, given, key))
        if call.into is not None:
            output = self._fits(call.into, apply(self.bundle.mappings[call.into], output))
        return output

    def _shape(self, name: str, of: Any, given: Mapping[str, Any], scope: Mapping[str, Any]) -> Any:
        source = scope["record"] if of is None else of(scope)
        values = {key: term(scope) for key, term in given.items()}
        return self._fits(name, apply(self.bundle.mappings[name], source, values))

    def _fits(self, name: str, record: Any) -> Any:
        assert self.bundle.validate(self.bundle.mappings[name].target, record) == []
        return record


@asynccontextmanager
async def walking(bundle: Bundle, *more: str) -> AsyncIterator[Walk]:
    """Serve the three sandboxes, and `more` by the names of their connections, and connect to them."""
    connectors = load_connectors()
    async with AsyncExitStack() as stack:
        sandboxes = {
            name: await stack.enter_async_context(running(find(_CONNECTORS.get(name, name))))
            for name in ("stripe", "netsuite", "tax", *more)
        }
        named = {name: connectors[_CONNECTORS.get(name, name)] for name in sandboxes}
        connected = {}
        for name, served in sandboxes.items():
            if name == "salesforce":
                await served.world.books.seed({"currency": "EUR"})
            settings = {key: value for key, value in served.announcement.items() if key in _SETTINGS[name]}
            settings |= {"base_url": served.url, **bundle.connections[name].settings, **_FIXED[name]}
            connector = named[name]
            connected[name] = Connected(connector, connector.settings.model_validate(settings))
            stack.push_async_callback(connected[name].close)
        named["tax-table"] = connectors["taxtable"]
        connected["tax-table"] = _within(bundle, named["tax-table"])
        yield Walk(bundle=bundle, sandboxes=sandboxes, connected=connected, connectors=named)


def _within(bundle: Bundle, connector: Connector) -> Connected:
    """Connect to the engine that has no network, with the files and the settings of the bundle."""
    settings = connector.settings.model_validate(bundle.connections["tax-table"].settings)
    assert connector.embedded is not None
    return Connected(connector, settings, MemoryTransport(connector.embedded, settings, bundle.files))


#: Connection → its connector, where that has another name.
_CONNECTORS = {"tax": "avatax"}
_SETTINGS = {
    "stripe": {"api_key"},
    "netsuite": {"account", "client_id", "certificate_id", "private_key", "algorithm"},
    "tax": {"account_id", "license_key", "company_code"},
    "s4hana": {"user", "password"},
    "salesforce": {"consumer_key", "username", "private_key", "audience", "organization_id", "api_version"},
}
_FIXED: Mapping[str, Mapping[str, str]] = {
    "stripe": {"webhook_secret": "whsec_test"},
    "netsuite": {},
    "tax": {},
    "s4hana": {"webhook_secret": "shown-by-the-sender"},
    "salesforce": {"currency": "EUR"},
}


async def _waiting(call: Callable[[], Awaitable[Any]]) -> Any:
    """Make a call, and where a limit is reached once more after a while, as a hub does: nothing was done then."""
    for after in (0.2, 0.5, 1.0, 2.0):
        try:
            return await call()
        except LimitReached:
            await asyncio.sleep(after)
    return await call()
