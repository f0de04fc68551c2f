"""Walks a shipped flow by hand against running sandboxes: each step once, without engine, history or retries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hub.connections.registry import load_connectors
from hub.engine.checks import check
from hub.errors import NotMapped
from hub.mapping.compiled import apply
from hub.model.effect import effect_key
from hub.model.flow import Call, Decide, Flow, Link, Lookup, Map, Step
from hub.policy.decision import decide
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.connector import Connector, ReadOperation
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

    async def flow(self, name: str, record: Mapping[str, Any]) -> dict[str, Any]:
        """Go through a flow for one business object of Stripe's; gives the scope with every step's output."""
        flow = self.bundle.flows[name]
        event = {"connection": "stripe", "type": flow.event}
        scope: dict[str, Any] = {"event": event, "data": {"object": record}, "record": record}
        for step in flow.steps:
            output = await self._step(flow, step, scope)
            scope[step.id] = output
            if step.expect is not None:
                check(step.expect, scope, output)
        return scope

    async def _step(self, flow: Flow, step: Step, scope: dict[str, Any]) -> Any:
        match step.action:
            case Map(mapping=mapping, of=of, given=given):
                return self._shape(mapping, of, given, scope)
            case Decide(policy=policy):
                return decide(self.bundle.policies[policy], scope).output
            case Lookup() as lookup:
                key = (lookup.crossref, lookup.system(scope), lookup.id(scope), lookup.want(scope))
                if key not in self.crossrefs:
                    raise NotMapped(code="crossref-missing", key=key)
                return {"id": self.crossrefs[key]}
            case Call() as call:
                return await self._call(flow, step, call, scope)
            case Link(entity=entity, ids=ids):
                pairs = [(system(scope), id(scope)) for system, id in ids]
                for system, identifier in pairs:
                    for other, wanted in pairs:
                        self.crossrefs[(entity, system, identifier, other)] = wanted
                return dict(pairs)
            case action:
                raise AssertionError(action)

    async def _call(self, flow: Flow, step: Step, call: Call, scope: dict[str, Any]) -> Any:
        name = call.connection(scope)
        given = (
            self._shape(call.shape, call.of, call.given, scope)
            if call.shape is not None
            else {"id": call.by(scope) if call.by is not None else None}
        )
        operation = self.connectors[name].operation(call.operation)
        assert operation is not None
        if isinstance(operation, ReadOperation):
            output: Any = await operation.read(self.connected[name], given)
        else:
            key = effect_key(
                environment="test",
                connection=name,
                operation=operation.name,
                business_key=flow.business_key(scope),
                path=step.id,
            )
            output = await self.connected[name].write(operation, given, key)
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
async def walking(bundle: Bundle) -> AsyncIterator[Walk]:
    """Serve the three sandboxes and connect to them."""
    connectors = load_connectors()
    async with AsyncExitStack() as stack:
        sandboxes = {
            name: await stack.enter_async_context(running(find(name))) for name in ("stripe", "netsuite", "tax")
        }
        connected = {}
        for name, served in sandboxes.items():
            settings = {key: value for key, value in served.announcement.items() if key in _SETTINGS[name]}
            settings |= {"base_url": served.url, **_FIXED[name]}
            connected[name] = Connected(connectors[name], connectors[name].settings.model_validate(settings))
            stack.push_async_callback(connected[name].close)
        named = {name: connectors[name] for name in sandboxes}
        yield Walk(bundle=bundle, sandboxes=sandboxes, connected=connected, connectors=named)


_SETTINGS = {
    "stripe": {"api_key"},
    "netsuite": {"account", "client_id", "certificate_id", "private_key", "algorithm"},
    "tax": {"account_id", "license_key", "company_code"},
}
_FIXED: Mapping[str, Mapping[str, str]] = {"stripe": {"webhook_secret": "whsec_test"}, "netsuite": {}, "tax": {}}
