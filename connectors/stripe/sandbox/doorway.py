"""What every request passes: the key, the API version, the idempotency key, and the shape of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from aiohttp import web

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.credentials import account_for
from connectors.stripe.sandbox.events import Cause
from connectors.stripe.sandbox.expansion import expand
from connectors.stripe.sandbox.form import decode
from connectors.stripe.sandbox.idempotency import Keys
from connectors.stripe.sandbox.lengths import longest
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.rendering import render
from connectors.stripe.sandbox.versions import VERSIONS, has_path
from hub.sandbox.exact_json import dumps
from hub.sandbox.request_log import mark

#: Does the work: the account, the id in the path (empty when there is none), and the parameters.
Operation = Callable[[Account, str, Parameters], Any]

#: A fault of Stripe's own: a failure that its idempotency layer keeps, and a lock that is not to be had.
KINDS = frozenset({"stored_500", "lock_timeout"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One request that has passed the door: whose objects it is about, what it wants, and under which names."""

    account: Account
    request: web.Request
    operation: Operation
    body: bytes
    tree: dict[str, Any]
    version: str
    id: str
    key: str | None


class Doorway:
    """Turns HTTP requests into operations on the account and back."""

    def __init__(self, account: Account) -> None:
        """Guard one account."""
        self._account = account
        #: Connected account, None for the platform → its idempotency keys.
        self.keys: dict[str | None, Keys] = {}
        self._locks: WeakValueDictionary[tuple[str | None, str], asyncio.Lock] = WeakValueDictionary()

    def handler(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Make the HTTP handler of an operation."""

        async def handle(request: web.Request) -> web.Response:
            return await self._answer(request, operation)

        return handle

    @property
    def remembered(self) -> int:
        """Count the idempotency keys that are remembered."""
        return sum(len(keys) for keys in self.keys.values())

    async def unknown(self, request: web.Request) -> web.Response:
        """Answer for paths that do not exist."""
        error = _unrecognized(request)
        return _response(error.status, dumps(error.body), {"Request-Id": self._account.identifiers.short("req")})

    async def _answer(self, request: web.Request, operation: Operation) -> web.Response:
        request_id = self._account.identifiers.short("req")
        headers = {"Request-Id": request_id}
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        try:
            account = account_for(self._account, request)
            account.catch_up()
            version = self._version(request)
            headers["Stripe-Version"] = version
            resource = request.match_info.route.resource
            if resource is not None and not has_path(resource.canonical, version):
                raise _unrecognized(request)
            if key:
                headers["Idempotency-Key"] = key
                mark(request, key)
            if request.method == "POST" and self._account.world.faults.hit(
                "lock_timeout", method=request.method, path=request.path
            ):
                raise _locked()
            body = await request.read()
            asked = _Asked(
                account=account,
                request=request,
                operation=operation,
                body=body,
                tree=decode(body.decode("utf-8", "replace") if request.method == "POST" else request.query_string),
                version=version,
                id=request_id,
                key=key or None,
            )
            if not key:
                return _response(200, await self._alone(asked), headers)
            keys = self.keys.setdefault(account.id, Keys(account.world.clock))
            earlier = keys.begin(key, path=request.path, parameters=asked.tree, request_id=request_id)
            if earlier is not None:
                headers |= {"Idempotent-Replayed": "true", "Original-Request": earlier.request_id}
                return _response(earlier.status, earlier.body or b"", headers)
            return await self._first(asked, keys, key, headers)
        except ApiError as error:
            if error.status == 409:
                headers["Stripe-Should-Retry"] = "true"
            if error.body["error"].get("code") == "lock_timeout":
                headers |= {"Stripe-Rate-Limited-Reason": "resource-specific", "Stripe-Should-Retry": "true"}
            error.body["error"]["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
            return _response(error.status, dumps(error.body), headers)

    async def _first(self, asked: _Asked, keys: Keys, key: str, headers: dict[str, str]) -> web.Response:
        headers["Original-Request"] = asked.id
        done = False
        try:
            method, path = asked.request.method, asked.request.path
            if self._account.world.faults.hit("stored_500", method=method, path=path, body=asked.body):
                raise ApiError("An unknown error occurred", status=500, kind="api_error", stored=True)
            answer = await self._alone(asked)
            keys.end(key, 200, answer)
            done = True
            return _response(200, answer, headers)
        except ApiError as error:
            if error.stored:
                keys.end(key, error.status, dumps(error.body))
                done = True
            raise
        finally:
            if not done:
                keys.release(key)

    async def _alone(self, asked: _Asked) -> bytes:
        """Do the work while no other write is at the same object; waits for it a while, as Stripe does."""
        identifier = _held(asked)
        if asked.request.method == "GET" or not identifier:
            return await _run(asked)
        # A lock lives as long as somebody holds it or waits for it.
        name = (asked.account.id, identifier)
        lock = self._locks.get(name) or asyncio.Lock()
        self._locks[name] = lock
        try:
            async with asyncio.timeout(asked.account.switches.lock_wait):
                await lock.acquire()
        except TimeoutError:
            raise _locked() from None
        try:
            return await _run(asked)
        finally:
            lock.release()

    def _version(self, request: web.Request) -> str:
        version = request.headers.get("Stripe-Version") or self._account.switches.api_version
        if version not in VERSIONS:
            raise ApiError.invalid(f"Invalid Stripe API version: {version[:40]}.")
        return version


async def _run(asked: _Asked) -> bytes:
    account, request = asked.account, asked.request
    if account.switches.latency:
        await asyncio.sleep(account.switches.latency)
    resource = request.match_info.route.resource
    lengths = longest("" if resource is None else resource.canonical)
    parameters = Parameters(asked.tree, version=asked.version, lengths=lengths)
    paths = parameters.texts("expand") or []
    account.cause = Cause(request=asked.id, idempotency_key=asked.key)
    try:
        answer = asked.operation(account, request.match_info.get("id", ""), parameters)
    finally:
        account.cause = Cause()
    try:
        return dumps(expand(account, render(account, answer, asked.version), paths, asked.version))
    except ApiError as error:
        error.stored = True  # The work is done by now; only the answer is refused.
        raise


def _held(asked: _Asked) -> str:
    """Name what a write holds while it runs: the object in its path; of a meter event, the customer and the meter."""
    if asked.request.path != "/v1/billing/meter_events":
        return asked.request.match_info.get("id", "")
    payload = asked.tree.get("payload")
    customer = payload.get("stripe_customer_id") if isinstance(payload, dict) else None
    return f"{asked.tree.get('event_name')}:{customer}"


def _unrecognized(request: web.Request) -> ApiError:
    return ApiError(
        f"Unrecognized request URL ({request.method}: {request.path}). Please see "
        "https://stripe.com/docs or we can help at https://support.stripe.com/.",
        status=404,
    )


def _locked() -> ApiError:
    return ApiError(
        "This object cannot be accessed right now because another API request or Stripe process is currently "
        "accessing it.",
        status=429,
        code="lock_timeout",
    )


def _response(status: int, body: bytes, headers: dict[str, str]) -> web.Response:
    return web.Response(status=status, body=body, headers=headers, content_type="application/json")
