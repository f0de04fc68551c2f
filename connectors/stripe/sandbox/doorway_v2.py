"""The second API: JSON both ways, keys under which failed work may be tried again, and streams of meter events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.credentials import account_for, key_of
from connectors.stripe.sandbox.events import Cause
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.v2 import BodyV2, meter_session
from connectors.stripe.sandbox.versions import VERSIONS
from hub.sandbox.exact_json import dumps, loads
from hub.sandbox.request_log import mark

#: Does the work: the account, the id in the path, and the body (or the query of a read).
OperationV2 = Callable[[Account, str, BodyV2], Any]
#: For how many seconds a key is remembered.
LIFE = 30 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    path: str
    body: bytes
    at: float
    answer: bytes


class DoorwayV2:
    """Turns JSON requests into operations on an account and back."""

    def __init__(self, account: Account) -> None:
        """Guard one platform and its connected accounts."""
        self._account = account
        #: Account and key → what was done under it. What failed is not kept: the same key may try again.
        self._done: dict[tuple[str | None, str], _Done] = {}

    def clear(self) -> None:
        """Forget all keys."""
        self._done.clear()

    def handler(self, operation: OperationV2) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Make the HTTP handler of an operation."""

        async def handle(request: web.Request) -> web.Response:
            request_id = self._account.identifiers.short("req")
            headers = {"Request-Id": request_id}
            try:
                account = account_for(self._account, request, "Stripe-Context")
                account.catch_up()
                headers["Stripe-Version"] = _version(request)
                return await self._answer(request, operation, account, request_id, headers)
            except ApiError as error:
                return _refused(error, headers)

        return handle

    def stream(self, operation: OperationV2) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Make the HTTP handler of a stream, which knows the token of a session and no key."""

        async def handle(request: web.Request) -> web.Response:
            headers = {"Request-Id": self._account.identifiers.short("req")}
            try:
                account = meter_session(self._account, key_of(request))
                account.catch_up()
                operation(account, "", _body(await request.read()))
                return web.Response(status=200, body=b"{}", headers=headers, content_type="application/json")
            except ApiError as error:
                return _refused(error, headers)

        return handle

    async def _answer(
        self, request: web.Request, operation: OperationV2, account: Account, request_id: str, headers: dict[str, str]
    ) -> web.Response:
        body = await request.read()
        key = request.headers.get("Idempotency-Key") if request.method != "GET" else None
        if key:
            mark(request, key)
            headers["Idempotency-Key"] = key
            earlier = self._earlier(account, key, request.path, body)
            if earlier is not None:
                headers["Idempotent-Replayed"] = "true"
                return web.Response(body=earlier.answer, headers=headers, content_type="application/json")
        account.cause = Cause(request=request_id, idempotency_key=key)
        try:
            values = BodyV2(_query(request)) if request.method == "GET" else _body(body)
            answer = dumps(operation(account, request.match_info.get("id", ""), values))
        finally:
            account.cause = Cause()
        if key:
            now = account.world.clock.now().timestamp()
            self._done[account.id, key] = _Done(path=request.path, body=body, at=now, answer=answer)
        return web.Response(body=answer, headers=headers, content_type="application/json")

    def _earlier(self, account: Account, key: str, path: str, body: bytes) -> _Done | None:
        earlier = self._done.get((account.id, key))
        if earlier is None or account.world.clock.now().timestamp() - earlier.at >= LIFE:
            return None
        if (earlier.path, earlier.body) != (path, body):
            raise ApiError(
                "Keys for idempotent requests can only be used with the same parameters they were first used with.",
                kind="idempotency_error",
            )
        return earlier


def _version(request: web.Request) -> str:
    version = request.headers.get("Stripe-Version", VERSIONS[-1])
    if version not in VERSIONS:
        raise ApiError.invalid(f"Invalid Stripe API version: {version[:40]}.")
    return version


def _query(request: web.Request) -> Mapping[str, Any]:
    """Read a query, whose lists have numbered places: `include[0]=…`."""
    found: dict[str, Any] = {}
    for name, value in request.query.items():
        start, bracket, _ = name.partition("[")
        if bracket:
            found.setdefault(start, []).append(value)
        else:
            found[name] = value
    return found


def _body(body: bytes) -> BodyV2:
    try:
        value = loads(body) if body else {}
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ApiError("The request body is not a JSON object.", code="invalid_request_body")
    return BodyV2(value)


def _refused(error: ApiError, headers: dict[str, str]) -> web.Response:
    """Give an error in the second API's shape, which tells a person's sentence apart."""
    inner = {name: value for name, value in error.body["error"].items() if name not in {"doc_url", "param"}}
    kind = inner.pop("type", "invalid_request_error")
    inner = {"code": kind, **inner, "type": kind, "user_message": None}
    return web.Response(
        status=error.status, body=dumps({"error": inner}), headers=headers, content_type="application/json"
    )
