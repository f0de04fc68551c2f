"""The services beside records: tokens, RESTlets, governance limits."""

from __future__ import annotations

from aiohttp import web

from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.governance import RESTLET, TOKEN
from connectors.netsuite.sandbox.problems import ScriptError
from connectors.netsuite.sandbox.rendering import moment
from connectors.netsuite.sandbox.tokens import TokenRefused
from hub.sandbox.exact_json import json_answer, loads
from hub.sandbox.request_log import mark


class Services:
    """Handlers of one account's smaller services."""

    def __init__(self, account: Account) -> None:
        """Take the account that is served."""
        self._account = account

    def routes(self) -> list[web.RouteDef]:
        """Give the addresses."""
        return [
            web.post(TOKEN, self.token),
            web.post(RESTLET, self.restlet),
            web.get("/services/rest/system/v1/governanceLimits", self.limits),
            web.get("/services/rest/system/v1/serverTime", self.time),
        ]

    async def token(self, request: web.Request) -> web.Response:
        """Issue a bearer token; the reason of a refusal stands only in the Login Audit Trail."""
        if request.content_type != "application/x-www-form-urlencoded":
            return json_answer({"error": "invalid_request"}, status=400)
        form = {name: str(value) for name, value in (await request.post()).items()}
        audience = (f"{self._account.world.url}{TOKEN}", f"{request.scheme}://{request.host}{TOKEN}")
        try:
            token, life = self._account.tokens.issue(form, audience)
        except TokenRefused as refused:
            self._account.refuse_login("oauth2", f"{refused.error}: {refused}")
            return json_answer({"error": refused.error}, status=400)
        told = str(life) if self._account.tokens.life_as_text else life
        return json_answer({"access_token": token, "expires_in": told, "token_type": "Bearer"})

    async def restlet(self, request: web.Request) -> web.Response:
        """Run a script; it answers 200 unless it throws."""
        try:
            body = loads(await request.read() or b"null")
        except ValueError as error:
            raise ScriptError("INVALID_REQUEST", f"The request could not be read: {error}") from error
        account = self._account
        answer = account.restlets.call(request.query, body, account.clock.now())
        script = request.query["script"]
        mark(request, script)
        account.accept("call", "restlet", str(len(account.restlets.calls)), None, script)
        return json_answer(answer)

    async def limits(self, request: web.Request) -> web.Response:
        """Tell the account's concurrency limit, to a role that may see it."""
        self._account.refuse_denied("governanceLimits")
        limit = self._account.concurrency
        return json_answer(
            {
                "accountConcurrencyLimit": limit,
                "accountUnallocatedConcurrencyLimit": limit,
                "integrationLimitType": "accountLimit",
            }
        )

    async def time(self, request: web.Request) -> web.Response:
        """Tell the time."""
        return json_answer({"serverTime": moment(self._account.clock.now())})
