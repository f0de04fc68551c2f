"""The shipped workspace in a simulation: its flows with the real connectors against the real sandboxes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from hub.connections.accounts import Account
from hub.connections.bounds import Bound, of_vendor
from hub.connections.budgets import Budgets
from hub.connections.registry import load_connectors
from hub.errors import OutcomeUnknown, WorkspaceInvalid
from hub.model.ambient import Ambient
from hub.model.exchange import Request, Response
from hub.proof.simulation.sandboxed import Sandboxed
from hub.sdk.connector import Connector, Limits
from hub.sdk.transport import Transport
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import read_files, shipped

#: The environment whose policies guard the connections; it ships as the example to copy.
ENVIRONMENT = "example"

#: The one currency of the CRM's org.
CRM_CURRENCY = "EUR"


@cache
def connectors() -> Mapping[str, Connector]:
    """Give the connectors that ship."""
    return load_connectors()


_ENGINES = "policies/tax-engine.yaml"
_ONE_ENGINE = """policy: tax-engine
kind: route
version: 1
title: Which tax engine an invoice belongs to
owner: team:tax
match: first
rules: [{{ name: every company of the group, when: invoice.entity, then: {{ connection: {engine} }} }}]
"""


@cache
def compiled(engine: str = "tax", *moved: tuple[str, bytes, bytes]) -> Bundle:
    """Compile the workspace that ships, once for a process; with another `engine`, that one taxes everything.

    Each of `moved` is a file, what stands in it, and what stands there instead.
    """
    files = dict(read_files(next(shipped())))
    for path, old, new in moved:
        assert old in files[path]
        files[path] = files[path].replace(old, new)
    if engine != "tax":
        files[_ENGINES] = _ONE_ENGINE.format(engine=engine).encode()
        files.pop(_ENGINES.replace(".yaml", "_examples.yaml"), None)
    bundle, lints = compile_bundle(files, catalogue_of(list(connectors().values())))
    if bundle is None:
        raise WorkspaceInvalid("\n".join(map(str, lints)))
    return bundle


def settings(vendor: str, told: Mapping[str, Any], *, url: str, webhook_secret: str) -> dict[str, Any]:
    """Give a connection's settings from what a sandbox has told about itself."""
    match vendor:
        case "stripe":
            return {"base_url": url, "api_key": told["api_key"], "webhook_secret": webhook_secret}
        case "netsuite":
            known = ("account", "client_id", "certificate_id", "algorithm", "private_key")
            return {"base_url": url, "restlet_base_url": url, **{name: told[name] for name in known}}
        case "s4hana":
            return {
                "base_url": url,
                "webhook_secret": webhook_secret,
                **{name: told[name] for name in ("user", "password")},
            }
        case "salesforce":
            told_of = ("consumer_key", "username", "private_key", "audience", "organization_id", "api_version")
            # A login names the address at which it was asked for, and here no TLS stands before the sandbox.
            own = {"base_url": url.replace("https:", "http:"), "currency": CRM_CURRENCY}
            return {**own, **{name: told[name] for name in told_of}}
        case _:
            signs_in = ("company_code", "account_id", "license_key")
            return {"base_url": url, **{name: told[name] for name in signs_in}}


def accounts(
    given: Mapping[str, Mapping[str, Any]], ambient: Ambient, transport: Transport, budgets: Budgets, bundle: Bundle
) -> dict[str, Account]:
    """Make the accounts of all vendors; `given` are their settings."""
    made: dict[str, Account] = {}
    for name, values in given.items():
        connector = connectors()[bundle.connections[name].connector]
        made[name] = Account(
            name=name,
            connector=connector,
            settings=connector.settings.model_validate({**bundle.connections[name].settings, **values}),
            limiter=budgets.limiter(name, name, _only(connector.limits, name)),
            transport=transport,
            ambient=ambient,
        )
    return made


def _only(limits: Limits, name: str) -> Callable[[datetime], Sequence[Bound]]:
    bounds = [of_vendor(limits, f"vendor of {name}")]
    return lambda _now: bounds


class SandboxWire(Transport):
    """The way to the sandboxes; `around` goes round every request, so that a process can die before or after it."""

    def __init__(
        self,
        sandboxes: Mapping[str, Sandboxed],
        around: Callable[[str, Callable[[], Awaitable[Response]]], Awaitable[Response]],
    ) -> None:
        """Take the sandboxes by host."""
        super().__init__()
        self._sandboxes = sandboxes
        self._around = around

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Send one request to the sandbox of its host."""
        url = urlsplit(request.url)
        sandbox = self._sandboxes[url.hostname or ""]

        async def answered() -> Response:
            try:
                async with asyncio.timeout(timeout):
                    return await sandbox.answer(request, headers)
            except TimeoutError as error:
                raise OutcomeUnknown("No answer came in time.", code="timeout", seconds=timeout) from error

        return await self._around(f"{request.method} {url.path} at {sandbox.name}", answered)

    async def close(self) -> None:
        """Nothing is open."""
