"""What stands before every service: who signs in and how, the account's concurrency limit, and errors in its words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from aiohttp import web

from connectors.netsuite.sandbox.account import ACCOUNT_ID, Account
from connectors.netsuite.sandbox.problems import Refusal, ScriptError, render, too_many
from connectors.netsuite.sandbox.signatures import LoginRefused
from hub.sandbox.limits import LimitExceeded
from hub.sandbox.problem import Problem

TOKEN = "/services/rest/auth/oauth2/v1/token"  # an address
RESTLET = "/app/site/hosting/restlet.nl"
_BEARER_REFUSED = f'Bearer realm="{ACCOUNT_ID}", error="invalid_token", error_description="Invalid login attempt."'
_UNREADABLE = f'Bearer realm="{ACCOUNT_ID}", error="invalid_request", error_description="Invalid request."'
_SIGNATURE_REFUSED = f'OAuth realm="{ACCOUNT_ID}"'


def govern(account: Account) -> Any:
    """Make the middleware that every request passes; the token endpoint needs no token and counts for no limit."""

    @web.middleware
    async def stand(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        account.jobs.work()
        answer = await served(request, handler)
        # What a caller's clock is compared with.
        answer.headers["Date"] = formatdate(account.clock.timestamp(), usegmt=True)
        return answer

    async def served(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path == TOKEN:
            return await handler(request)
        try:
            _let_in(account, request)
            with account.limiter.hold():
                if account.latency:
                    await asyncio.sleep(account.latency)
                return await handler(request)
        except LimitExceeded:
            return _limit(restlet=request.path == RESTLET)
        except (Refusal, ScriptError) as refusal:
            return refusal.answer()
        except web.HTTPMethodNotAllowed:
            return Refusal("The method is not allowed.", code="METHOD_NOT_ALLOWED", status=405).answer()
        except web.HTTPNotFound:
            return Refusal("The resource does not exist.", code="INVALID_REQUEST", status=404).answer()
        except Exception as error:  # whatever breaks is a 500 in the vendor's words
            request.app.logger.exception("the sandbox failed at %s %s", request.method, request.path)
            return render(Problem(status=500, reason="crash", detail=repr(error)))

    return stand


def _let_in(account: Account, request: web.Request) -> None:
    """Let a signed request or one with a bearer token in, when its role and scope open this service."""
    restlet = request.path == RESTLET
    scope = "restlets" if restlet else "rest_webservices"
    authorization = request.headers.get("Authorization", "")
    scheme, _, credentials = authorization.partition(" ")
    if authorization and (scheme.lower() not in ("oauth", "bearer") or not credentials.strip()):
        raise _login(_UNREADABLE, restlet=restlet, status=400)
    if scheme.lower() == "oauth":
        url = f"{request.scheme}://{request.host}{request.raw_path}"
        try:
            account.signatures.verify(method=request.method, url=url, authorization=authorization)
        except LoginRefused as refused:
            account.refuse_login("tba", str(refused))
            raise _login(_SIGNATURE_REFUSED, restlet=restlet) from refused
    else:
        allowed = account.tokens.allows(authorization, scope)
        if allowed is None:
            raise _login(_BEARER_REFUSED, restlet=restlet)
        if not allowed:
            raise _forbidden("The token's scope does not cover this service.", restlet=restlet)
    if scope in account.denied:
        raise _forbidden("Your current role does not have permission to perform this action.", restlet=restlet)


def _forbidden(detail: str, *, restlet: bool) -> Refusal | ScriptError:
    if restlet:
        return ScriptError("INSUFFICIENT_PERMISSION", detail, status=403)
    return Refusal(detail, code="INSUFFICIENT_PERMISSION", status=403)


def _login(challenge: str, *, restlet: bool, status: int = 401) -> Refusal | ScriptError:
    headers = {"WWW-Authenticate": challenge}
    if restlet:
        return ScriptError("INVALID_LOGIN_ATTEMPT", "Invalid login attempt.", status=status, headers=headers)
    detail = "Invalid login attempt. For more details, see the Login Audit Trail."
    return Refusal(detail, code="INVALID_LOGIN", status=status, headers=headers)


def _limit(*, restlet: bool) -> web.Response:
    if restlet:
        # RESTlets answer 400 where the other services answer 429.
        return ScriptError("SSS_REQUEST_LIMIT_EXCEEDED", "Request Limit Exceeded").answer()
    return too_many().answer()
