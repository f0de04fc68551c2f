"""What stands before every service: bearer token, the account's concurrency limit, and errors in the right words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from connectors.netsuite.sandbox.account import ACCOUNT_ID, Account
from connectors.netsuite.sandbox.problems import Refusal, ScriptError, render, too_many
from hub.sandbox.limits import LimitExceeded
from hub.sandbox.problem import Problem

TOKEN = "/services/rest/auth/oauth2/v1/token"  # an address
RESTLET = "/app/site/hosting/restlet.nl"
_BEARER_REFUSED = f'Bearer realm="{ACCOUNT_ID}", error="invalid_token", error_description="Invalid login attempt."'


def govern(account: Account) -> Any:
    """Make the middleware that every request passes; the token endpoint needs no token and counts for no limit."""

    @web.middleware
    async def stand(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path == TOKEN:
            return await handler(request)
        restlet = request.path == RESTLET
        allowed = account.tokens.allows(
            request.headers.get("Authorization", ""), "restlets" if restlet else "rest_webservices"
        )
        if not allowed:
            return _refused(allowed=allowed, restlet=restlet)
        try:
            with account.limiter.hold():
                if account.latency:
                    await asyncio.sleep(account.latency)
                return await handler(request)
        except LimitExceeded:
            return _limit(restlet=restlet)
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


def _refused(*, allowed: bool | None, restlet: bool) -> web.Response:
    if allowed is not None:
        detail = "The token's scope does not cover this service."
        if restlet:
            return ScriptError("INSUFFICIENT_PERMISSION", detail, status=403).answer()
        return Refusal(detail, code="INSUFFICIENT_PERMISSION", status=403).answer()
    if restlet:
        answer = ScriptError("INVALID_LOGIN_ATTEMPT", "Invalid login attempt.", status=401).answer()
    else:
        detail = "Invalid login attempt. For more details, see the Login Audit Trail."
        answer = Refusal(detail, code="INVALID_LOGIN", status=401).answer()
    answer.headers["WWW-Authenticate"] = _BEARER_REFUSED
    return answer


def _limit(*, restlet: bool) -> web.Response:
    if restlet:
        # RESTlets answer 400 where the other services answer 429.
        return ScriptError("SSS_REQUEST_LIMIT_EXCEEDED", "Request Limit Exceeded").answer()
    return too_many().answer()
