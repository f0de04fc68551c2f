"""The address that answers SuiteQL."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from connectors.netsuite.sandbox import paging
from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.errands import RESOURCE
from connectors.netsuite.sandbox.problems import Refusal
from connectors.netsuite.sandbox.suiteql.run import run
from connectors.netsuite.sandbox.suiteql.syntax import parse
from hub.sandbox.exact_json import json_answer, loads

SUITEQL = "/services/rest/query/v1/suiteql"


class SuiteQl:
    """Handler of one account's queries."""

    def __init__(self, account: Account) -> None:
        """Take the account that is queried."""
        self._account = account

    def routes(self) -> list[web.RouteDef]:
        """Give the address."""
        return [web.post(SUITEQL, self.query)]

    async def query(self, request: web.Request) -> web.Response:
        """Answer one page of a query."""
        self._account.refuse_denied("suiteql")
        preferences = [part.strip().lower() for part in request.headers.get("Prefer", "").split(",")]
        if "transient" not in preferences:
            raise Refusal(
                "The required request header 'Prefer' is missing or is not 'transient'.",
                code="INVALID_HEADER",
                header="Prefer",
            )
        try:
            body = loads(await request.read())
        except ValueError as error:
            raise Refusal(f"Invalid JSON: {error}", code="INVALID_CONTENT") from error
        if not isinstance(body, Mapping) or not isinstance(body.get("q"), str) or set(body) - {"q", "params"}:
            raise Refusal("The body must have a query in 'q'.", code="INVALID_CONTENT", path="q")
        params = body.get("params", [])
        if not isinstance(params, list) or not all(isinstance(param, str | int) for param in params):
            raise Refusal("Parameters are a list of texts.", code="INVALID_CONTENT", path="params")
        limit, offset = paging.window(request.query)
        rows = run(self._account, parse(body["q"], [str(param) for param in params]))
        page = paging.collection(f"{self._account.world.url}{SUITEQL}", {}, rows, limit, offset)
        page["items"] = [{"links": [], **row} for row in page["items"]]
        answer = json_answer(page)
        answer.headers["Content-Type"] = f"{RESOURCE}; type=collection"
        return answer
