"""What stands before every call: who calls, which version, the org's limits, and errors in its words."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiohttp import web

from connectors.salesforce.sandbox.logins import LoginRefused
from connectors.salesforce.sandbox.org_api import versions
from connectors.salesforce.sandbox.refusals import Refusal, gateway_page, missing_resource, render, session_invalid
from connectors.salesforce.sandbox.wire import NEWEST, Call, Reply, Router, dumps
from hub.sandbox.exact_json import json_answer
from hub.sandbox.problem import Problem

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

#: Faults that only this vendor has: a row that is locked, a query that takes too long, a page of a gateway's.
KINDS = frozenset({"unable_to_lock_row", "query_timeout", "gateway_html"})
_ADDRESS = re.compile(r"/services/data/v(\d+)\.0(/.*)?")
#: The longest address, in characters.
_LONGEST = 16_384
_SMALLEST_ZIPPED = 1024
#: Where the users of all orgs sign in.
_SHARED = ("login.salesforce.com", "test.salesforce.com")


class Front:
    """The org's doors: OAuth, the list of versions, and everything below a version."""

    def __init__(self, org: Org, router: Router) -> None:
        """Take the org that is served, and the table by which calls find their handlers."""
        self._org = org
        self._router = router

    def routes(self) -> list[web.RouteDef]:
        """Give the addresses."""
        return [
            web.post("/services/oauth2/token", self.token),
            web.post("/services/oauth2/revoke", self.revoke),
            web.get("/services/oauth2/revoke", self.revoke),
            web.post("/services/oauth2/introspect", self.introspect),
            web.get("/services/oauth2/userinfo", self.userinfo),
            web.get("/id/{organization}/{user}", self.userinfo),
            web.get("/services/data", self.versions),
            web.get("/services/data/", self.versions),
            web.route("*", "/{rest:.*}", self.call),
        ]

    async def token(self, request: web.Request) -> web.Response:
        """Open a session."""
        form = dict(parse_qsl((await request.read()).decode("utf-8", "replace"), keep_blank_values=True))
        form |= {name: value for name, value in request.query.items() if name not in form}
        try:
            answer = self._org.logins.token(
                form, host=request.host, authorization=request.headers.get("Authorization", "")
            )
        except LoginRefused as refused:
            body = {"error": refused.error, "error_description": refused.description}
            return json_answer(body, status=refused.status, headers=self._dated())
        if not request.host.startswith(_SHARED):
            # An org that is asked at a host of its own names that one.
            answer = {**answer, "instance_url": f"{request.scheme}://{request.host}"}
        return json_answer(answer, headers={"Cache-Control": "no-store", **self._dated()})

    async def revoke(self, request: web.Request) -> web.Response:
        """End a token."""
        form = dict(parse_qsl((await request.read()).decode("utf-8", "replace")))
        if self._org.logins.revoke(form.get("token") or request.query.get("token", "")):
            return web.Response(status=200)
        return json_answer({"error": "unsupported_token_type", "error_description": "invalid token"}, status=400)

    async def introspect(self, request: web.Request) -> web.Response:
        """Tell whether a token is good."""
        form = dict(parse_qsl((await request.read()).decode("utf-8", "replace")))
        session = self._org.logins.session(f"Bearer {form.get('token', '')}")
        if session is None:
            return json_answer({"active": False})
        user = self._org.store.get(session.user)
        name = user.get("Username") if user else ""
        told = {"active": True, "scope": "api", "client_id": session.app, "username": name, "sub": session.user}
        return json_answer({**told, "token_type": "access_token", "exp": session.ends // 1000})

    async def userinfo(self, request: web.Request) -> web.Response:
        """Tell who is signed in."""
        session = self._org.logins.session(request.headers.get("Authorization", ""))
        user = self._org.store.get(session.user) if session else None
        if session is None or user is None:
            return web.Response(text="Bad_OAuth_Token", status=403)
        return json_answer(
            {
                "sub": f"https://login.salesforce.com/id/{self._org.organization_id}/{user.id}",
                "user_id": user.id,
                "organization_id": self._org.organization_id,
                "preferred_username": user.get("Username"),
                "username": user.get("Username"),
                "name": user.get("Name"),
                "email": user.get("Email"),
                "active": user.get("IsActive"),
                "urls": {"rest": f"{self._org.world.url}/services/data/v{{version}}/"},
            }
        )

    async def versions(self, request: web.Request) -> web.Response:
        """List the versions; nobody needs to be signed in, and it counts for nothing."""
        del request
        return json_answer(versions(self._org.settings.oldest_version), headers=self._dated())

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Answer one call below a version."""
        counted = False
        try:
            version, path = self._address(request)
            authorization = request.headers.get("Authorization", "")
            session = self._org.logins.session(authorization)
            if session is None:
                raise session_invalid() if _is_token(authorization) else _no_token()
            if not self._org.settings.api_enabled:
                raise Refusal("API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.", status=403)
            if version < self._org.settings.oldest_version:
                raise Refusal("GONE", "The requested resource is no longer available", status=410)
            self._org.usage.count()
            counted = True
            with self._org.usage.under_way():
                if self._org.settings.latency:
                    await asyncio.sleep(self._org.settings.latency)
                body = _unzipped(await request.read(), request.headers.get("Content-Encoding", ""))
                spoilt = self._fault(request, body)
                if spoilt is not None:
                    return spoilt
                reply = self._answer(_call(request, version, path, session.user, body))
        except Refusal as refusal:
            reply = Reply(status=refusal.status, body=refusal.body(), headers=refusal.headers)
        except Exception as error:  # whatever breaks is a 500 in the vendor's words
            request.app.logger.exception("the sandbox failed at %s %s", request.method, request.path)
            return render(Problem(status=500, reason="crash", detail=repr(error)))
        answer = _response(request, reply)
        answer.headers.update(self._dated())
        if counted or reply.status == 403:
            answer.headers["Sforce-Limit-Info"] = self._org.usage.header()
        return answer

    def _dated(self) -> dict[str, str]:
        """Give the time by the org's own clock, which answers bear."""
        return {"Date": formatdate(self._org.clock.timestamp(), usegmt=True)}

    def _answer(self, call: Call) -> Reply:
        self._org.acting = call.user
        with self._org.store.all_or_nothing():
            return self._router.dispatch(call)

    def _address(self, request: web.Request) -> tuple[int, str]:
        raw = request.rel_url.raw_path
        if len(request.path_qs) > _LONGEST:
            raise Refusal("URI_TOO_LONG", "The URI is longer than the server takes.", status=414)
        found = _ADDRESS.fullmatch(raw)
        if found is None or int(found[1]) > NEWEST:
            raise missing_resource()
        return int(found[1]), found[2] or ""

    def _fault(self, request: web.Request, body: bytes) -> web.Response | None:
        faults, method, path = self._org.world.faults, request.method, request.path_qs
        if faults.hit("gateway_html", method=method, path=path, body=body):
            return gateway_page(503)
        writes = method in ("POST", "PATCH", "DELETE")
        if writes and faults.hit("unable_to_lock_row", method=method, path=path, body=body):
            raise Refusal(
                "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records", fields=[]
            )
        if "/query" in path and faults.hit("query_timeout", method=method, path=path, body=body):
            raise Refusal("QUERY_TIMEOUT", "Your query request was running for too long.")
        return None


def _is_token(authorization: str) -> bool:
    return not authorization or authorization.partition(" ")[0].lower() in ("bearer", "oauth")


def _no_token() -> Refusal:
    return Refusal("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", status=401, headers={"WWW-Authenticate": "Token"})


def _call(request: web.Request, version: int, path: str, user: str, body: bytes) -> Call:
    headers: Mapping[str, str] = {name.lower(): value for name, value in request.headers.items()}
    query = dict(request.query)
    method = request.method
    if method == "POST" and "_HttpMethod" in query:
        # What proxies do not let through may be named in the address.
        method = query.pop("_HttpMethod").upper()
    return Call(method=method, path=path, version=version, query=query, headers=headers, user=user, body=body)


def _unzipped(body: bytes, encoding: str) -> bytes:
    if encoding.lower() != "gzip" or not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return gzip.decompress(body)
    except (OSError, EOFError) as error:
        raise Refusal("JSON_PARSER_ERROR", "The body is no gzip.") from error


def _response(request: web.Request, reply: Reply) -> web.Response:
    headers: dict[str, Any] = dict(reply.headers)
    if reply.text is not None:
        content: bytes | None = reply.text
    else:
        content = None if reply.body is None else dumps(reply.body)
    if content is None:
        return web.Response(status=reply.status, headers=headers)
    if len(content) >= _SMALLEST_ZIPPED and "gzip" in request.headers.get("Accept-Encoding", "").lower():
        content = gzip.compress(content, compresslevel=1)
        headers["Content-Encoding"] = "gzip"
    return web.Response(
        body=content, status=reply.status, headers=headers, content_type=reply.content_type, charset="utf-8"
    )
