"""What every request passes: who it is, what it may do, limits, sessions and CSRF tokens; then its service answers."""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, unquote_plus

from aiohttp import web

from connectors.s4hana.sandbox.edm.model import Service
from connectors.s4hana.sandbox.odata.batch import Batch
from connectors.s4hana.sandbox.odata.errors import FORBIDDEN, NO_SERVICE, Refusal, Scene, in_v2, in_v4, page, plain
from connectors.s4hana.sandbox.odata.exchange import Call, Reply, json_reply
from connectors.s4hana.sandbox.odata.v2 import ROOT as ROOT_V2
from connectors.s4hana.sandbox.odata.v2 import ServiceV2, service_name
from connectors.s4hana.sandbox.odata.v4 import ROOT as ROOT_V4
from connectors.s4hana.sandbox.odata.v4 import ServiceV4
from connectors.s4hana.sandbox.sessions import CONTEXT, COOKIE, Session
from connectors.s4hana.sandbox.soap import service as soap
from connectors.s4hana.sandbox.tenant import Tenant, being_processed
from connectors.s4hana.sandbox.users import TOKEN_SECONDS, User
from hub.sandbox.limits import LimitExceeded
from hub.sandbox.problem import Problem
from hub.sandbox.request_log import mark

#: Faults of requests that are SAP's own; `match.path` is compared with the address.
KINDS = frozenset({"csrf_lost", "locked"})
TOKEN = "/sap/bc/sec/oauth2/token"
_CHALLENGE = {"www-authenticate": 'Basic realm="SAP NetWeaver Application Server [CCC/100]"'}
#: What a journal entry bears so that its sender finds it again.
_REFERENCE = re.compile(rb"<Reference1InDocumentHeader>(\w{1,20})<")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Front:
    """The one handler of all addresses."""

    def __init__(self, tenant: Tenant) -> None:
        """Stand before a tenant."""
        self._tenant = tenant

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        tenant = self._tenant
        tenant.inbox.work()
        tenant.events.work()
        path, _, query = request.raw_path.partition("?")
        call = Call(
            method=request.method,
            path=path,
            query=query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        if path == TOKEN:
            return _sent(self._token(call))
        if (named := _REFERENCE.search(call.body)) is not None:
            mark(request, named[1].decode())
        user = self._user(request, call)
        if user is None:
            text = "Logon failed: user name or password is incorrect, or the user is locked."
            return _sent(page(401, "Unauthorized", text, _CHALLENGE))
        try:
            with tenant.limiter.hold():
                if tenant.settings.latency:
                    await asyncio.sleep(tenant.settings.latency)
                return _sent(self._of_user(request, call, user))
        except LimitExceeded as exceeded:
            wait = str(tenant.settings.limit_seconds)
            return render(replace(exceeded.problem, status=tenant.settings.limit_status, retry_after=wait))

    def _of_user(self, request: web.Request, call: Call, user: User) -> Reply:
        """Answer a user, in its session."""
        tenant = self._tenant
        tenant.user = user.id
        tenant.take_warnings()
        life = tenant.settings.session_seconds
        session = tenant.sessions.find(_cookie(request), user.name, life)
        token = call.headers.get("x-csrf-token", "")
        fetching = token.lower() == "fetch"
        path = unquote(call.path)
        if path.startswith(soap.ROOT + "/"):
            return self._soap(call, user, path)
        headers: dict[str, str] = {}
        if fetching:
            if session is None:
                session = tenant.sessions.open(user.name, life)
                secure = " secure;" if tenant.world.url.startswith("https") else ""
                headers["set-cookie"] = f"{COOKIE}={session.id}; path=/;{secure} HttpOnly"
            headers["x-csrf-token"] = session.token
        if call.method not in _SAFE and tenant.world.faults.hit("csrf_lost", method=call.method, path=call.path):
            tenant.sessions.end_all()
            session = None
        if call.method not in _SAFE and not _protected(session, token):
            return plain(403, "CSRF token validation failed", {"x-csrf-token": "Required"})
        reply = self._service(call, user, path)
        return Reply(status=reply.status, headers={**reply.headers, **headers}, body=reply.body)

    def _soap(self, call: Call, user: User, path: str) -> Reply:
        if soap.SCENARIO not in user.scenarios:
            return soap.fault(f"User {user.name} is not authorised for this service.", status=403)
        return soap.answer(self._tenant, path[len(soap.ROOT) + 1 :].strip("/"), _as(call, call.path, user))

    def _service(self, call: Call, user: User, path: str) -> Reply:
        tenant = self._tenant
        if path.startswith(ROOT_V4 + "/"):
            rest = path[len(ROOT_V4) + 1 :]
            for service in tenant.services.values():
                if service.v4 and (rest + "/").startswith(service.path + "/"):
                    root = f"{ROOT_V4}/{service.path}"
                    return self._v4(service, _as(call, _below(call.path, root), user), user, root)
            return in_v4(_unknown(rest), tenant.scene(None))
        if not path.startswith(ROOT_V2 + "/"):
            return page(404, "Not found", "The requested resource does not exist.")
        segment = path[len(ROOT_V2) + 1 :].partition("/")[0]
        try:
            known = tenant.services.get(service_name(segment))
        except Refusal as refusal:
            return in_v2(refusal, tenant.scene(None))
        if known is None or known.v4:
            return in_v2(_unknown(segment), tenant.scene(None))
        root = f"{ROOT_V2}/{segment}"
        return self._v2(known, _as(call, _below(call.path, root), user), user, root)

    def _v2(self, service: Service, call: Call, user: User, root: str) -> Reply:
        tenant = self._tenant
        handler = ServiceV2(tenant, service)
        try:
            _refuse_unless_arranged(service, user)
            if call.path == "$batch":
                if call.method != "POST":
                    raise Refusal("A batch is sent with POST.", status=405)
                reply = Batch(tenant, handler, root, call).multipart(status=202)
                return Reply(status=202, headers={"dataserviceversion": "2.0", **reply.headers}, body=reply.body)
            self._refuse_locked(service, call)
            if call.method == "POST" and call.headers.get("requestid"):
                if service.name in tenant.settings.repeatability:
                    return self._repeatable(handler, call)
                reply = handler.answer(call)
                return Reply(
                    status=reply.status,
                    headers={**reply.headers, "repeatabilityresult": "unsupported"},
                    body=reply.body,
                )
            return handler.answer(call)
        except Refusal as refusal:
            return handler.refuse(refusal, call)

    def _repeatable(self, handler: ServiceV2, call: Call) -> Reply:
        tenant = self._tenant
        kept = tenant.repeats.kept(call)
        if kept is not None:
            return kept
        try:
            reply = handler.answer(call)
        except Refusal as refusal:
            reply = handler.refuse(refusal, call)
        return tenant.repeats.keep(call, reply, tenant.settings.repeatability_seconds)

    def _v4(self, service: Service, call: Call, user: User, root: str) -> Reply:
        tenant = self._tenant
        handler = ServiceV4(tenant, service)
        try:
            _refuse_unless_arranged(service, user)
            if call.path == "$batch":
                if call.method != "POST":
                    raise Refusal("A batch is sent with POST.", status=405)
                batch = Batch(tenant, handler, root, call)
                json = call.headers.get("content-type", "").startswith("application/json")
                reply = batch.json() if json else batch.multipart(status=200)
                return Reply(status=200, headers={"odata-version": "4.0", **reply.headers}, body=reply.body)
            self._refuse_locked(service, call)
            return handler.answer(call)
        except Refusal as refusal:
            return handler.refuse(refusal, call)

    def _refuse_locked(self, service: Service, call: Call) -> None:
        """Refuse a write as if somebody else worked on the same thing, where a fault says so."""
        faults = self._tenant.world.faults
        if call.method not in _SAFE and faults.hit(
            "locked", method=call.method, path=f"/{service.name}/{call.path}", body=call.body
        ):
            found = re.match(r"(\w+)(?:\('?(\w*))?", unquote(call.path))
            named = service.sets.get(found[1]) if found is not None else None
            number = (found[2] if found is not None else None) or ""
            raise being_processed("" if named is None else named.table, number, "ASMITH")

    def _user(self, request: web.Request, call: Call) -> User | None:
        users = self._tenant.users
        authorization = call.headers.get("authorization", "")
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() == "basic":
            return users.of_basic(authorization)
        if scheme.lower() == "bearer":
            return users.of_token(rest.strip())
        endpoint = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
        if isinstance(endpoint, ssl.SSLObject | ssl.SSLSocket):
            shown = endpoint.getpeercert() or {}
            subject: Any = shown.get("subject", ())
            names = [str(pair[1]) for part in subject for pair in part if pair[0] == "commonName"]
            return users.of_certificate(names[0]) if names else None
        return None

    def _token(self, call: Call) -> Reply:
        """Give an access token to a client that signs in as the communication user."""
        form = dict(part.partition("=")[::2] for part in call.body.decode("latin-1").split("&"))
        user = self._tenant.users.of_basic(call.headers.get("authorization", ""))
        if call.method != "POST" or user is None:
            return json_reply({"error": "invalid_client"}, status=401, headers=_CHALLENGE)
        if unquote_plus(form.get("grant_type", "")) != "client_credentials":
            return json_reply({"error": "unsupported_grant_type"}, status=400)
        answer = {"token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return json_reply({"access_token": self._tenant.users.give_token(user), **answer})


def render(problem: Problem) -> web.Response:
    """Put what the kit refuses into words: JSON for a bad request, the front server's page for all else."""
    headers = {} if problem.retry_after is None else {"retry-after": problem.retry_after}
    if problem.status in (400, 404, 409, 410):
        refusal = Refusal(problem.detail, code="/IWBEP/CM_MGW_RT/022", status=problem.status)
        reply = in_v2(refusal, Scene())
        return _sent(Reply(status=reply.status, headers={**reply.headers, **headers}, body=reply.body))
    titles = {401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests", 503: "Service Unavailable"}
    title = titles.get(problem.status, "Internal Server Error" if problem.status == 500 else "Error")
    if problem.status == 401:
        headers |= _CHALLENGE
    return _sent(page(problem.status, title, problem.detail, headers))


def _protected(session: Session | None, token: str) -> bool:
    return session is not None and token == session.token


def _cookie(request: web.Request) -> str | None:
    return request.cookies.get(COOKIE)


def _unknown(name: str) -> Refusal:
    return Refusal(f"No service found for namespace '', name '{name}', version '0001'", code=NO_SERVICE, status=404)


def _refuse_unless_arranged(service: Service, user: User) -> None:
    if service.scenario not in user.scenarios:
        text = (
            f"You are not authorised to use service {service.name}: {service.scenario} is in none of your arrangements"
        )
        raise Refusal(text, code=FORBIDDEN, status=403)


def _below(path: str, root: str) -> str:
    """Give what stands below a root in a path that may be encoded otherwise than the root."""
    depth = root.strip("/").count("/") + 1
    return "/".join(path.strip("/").split("/")[depth:])


def _as(call: Call, path: str, user: User) -> Call:
    return Call(method=call.method, path=path, query=call.query, headers=call.headers, body=call.body, user=user.name)


def _sent(reply: Reply) -> web.Response:
    answer = web.Response(status=reply.status, body=reply.body)
    for name, value in reply.headers.items():
        if name != "set-cookie":
            answer.headers[name] = value
    answer.headers["sap-server"] = "true"
    answer.headers.add("set-cookie", f"{CONTEXT}=sap-client=100; path=/")
    if "set-cookie" in reply.headers:
        answer.headers.add("set-cookie", reply.headers["set-cookie"])
    return answer
