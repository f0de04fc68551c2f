"""Executes batches of both versions: parts one after the other, change sets together or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from connectors.s4hana.sandbox.edm.model import Service
from connectors.s4hana.sandbox.odata.errors import Refusal
from connectors.s4hana.sandbox.odata.exchange import Call, Reply, json_reply
from connectors.s4hana.sandbox.odata.multipart import ChangeSet, Request, malformed, read_batch, write_batch
from hub.sandbox.exact_json import dumps, loads

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

_REFERENCE = re.compile(r"/?\$([^/?(]+)")


class Handler(Protocol):
    """What executes one request of a service."""

    @property
    def service(self) -> Service:
        """Give the service's description."""
        ...

    def answer(self, call: Call) -> Reply:
        """Execute it; raises `Refusal`."""
        ...

    def refuse(self, refusal: Refusal, call: Call) -> Reply:
        """Put a refusal into words."""
        ...


class _SetFailed(Exception):
    """One request of a change set failed, so that nothing of it is kept."""

    def __init__(self, reply: Reply, identity: str) -> None:
        super().__init__()
        self.reply = reply
        self.identity = identity


class Batch:
    """One batch under way; `root` is the path of the service."""

    def __init__(self, tenant: Tenant, service: Handler, root: str, call: Call) -> None:
        """Take who asks from the batch itself: its parts are signed in with it."""
        self._tenant = tenant
        self._service = service
        self._root = root.rstrip("/")
        self._call = call
        self._made: dict[str, str] = {}

    def multipart(self, *, status: int) -> Reply:
        """Execute a multipart batch; raises `Refusal` when it cannot be read."""
        kind = self._call.headers.get("content-type", "")
        parts = read_batch(self._call.body, kind, named=self._service.service.v4)
        answers: list[tuple[Reply, str] | list[tuple[Reply, str]]] = []
        stopped = status == 200 and "continue-on-error" not in self._call.headers.get("prefer", "")
        for part in parts:
            if isinstance(part, Request):
                answers.append((self._one(part), part.content_id))
            else:
                answers.append(self._together(part))
            last = answers[-1]
            # v4 stops at the first error unless told otherwise; v2 goes through all parts.
            if stopped and isinstance(last, tuple) and last[0].status >= 400:
                break
        boundary = self._tenant.guid().replace("-", "").upper()
        headers = {"content-type": f"multipart/mixed; boundary={boundary}"}
        return Reply(status=status, headers=headers, body=write_batch(answers, boundary))

    def _together(self, changes: ChangeSet) -> tuple[Reply, str] | list[tuple[Reply, str]]:
        try:
            with self._tenant.unit_of_work():
                answers = []
                for each in changes.requests:
                    reply = self._one(each)
                    if reply.status >= 400:
                        raise _SetFailed(reply, each.content_id)
                    answers.append((reply, each.content_id))
                return answers
        except _SetFailed as failed:
            return failed.reply, failed.identity

    def _one(self, request: Request) -> Reply:
        call = Call(method=request.method, path="", headers=request.headers, user=self._call.user)
        try:
            path, query = self._resolved(request.url)
            headers = {"accept": self._call.headers.get("accept", "*/*"), **request.headers}
            call = Call(
                method=request.method, path=path, query=query, headers=headers, body=request.body, user=self._call.user
            )
            if path.strip("/") == "$batch":
                raise malformed("a batch cannot contain a batch")
            reply = self._service.answer(call)
        except Refusal as refusal:
            return self._service.refuse(refusal, call)
        if request.content_id and "location" in reply.headers:
            self._made[request.content_id] = urlsplit(reply.headers["location"]).path
        return reply

    def _resolved(self, url: str) -> tuple[str, str]:
        """Give path below the root and query of a part's address, with what it refers to put in."""
        found = _REFERENCE.match(url)
        if found is not None and found[1] in self._made:
            url = self._made[found[1]] + url[found.end() :]
        elif found is not None and found[1] not in ("metadata", "batch"):
            raise Refusal(f"Content-ID reference ${found[1]} cannot be resolved.", code="/IWFND/CM_MGW/593")
        split = urlsplit(url)
        path = split.path
        if split.scheme or path.startswith("/"):
            if unquote(path) != self._root and not unquote(path).startswith(f"{self._root}/"):
                raise malformed(f"{url!r} is not below the service")
            path = path[len(self._root) :]
        return path.strip("/"), split.query

    def json(self) -> Reply:
        """Execute a JSON batch of v4; raises `Refusal` when it cannot be read."""
        requests = self._json_requests()
        answers: dict[str, dict[str, Any]] = {}
        place = 0
        while place < len(requests):
            group = requests[place].get("atomicityGroup")
            together = [requests[place]]
            while group and place + len(together) < len(requests):
                following = requests[place + len(together)]
                if following.get("atomicityGroup") != group:
                    break
                together.append(following)
            place += len(together)
            failed = self._group(together, answers, atomic=bool(group))
            if failed and "continue-on-error" not in self._call.headers.get("prefer", ""):
                break
        return json_reply({"responses": list(answers.values())}, headers={"odata-version": "4.0"})

    def _json_requests(self) -> list[Mapping[str, Any]]:
        try:
            requests = loads(self._call.body)["requests"]
        except (ValueError, KeyError, TypeError):
            raise malformed("it is no JSON object with requests") from None
        known: set[str] = set()
        for each in requests if isinstance(requests, list) else [None]:
            if not isinstance(each, dict) or not {"id", "method", "url"} <= each.keys() or str(each["id"]) in known:
                raise malformed("a request needs an id of its own, a method and a url")
            if not isinstance(each.get("headers") or {}, dict) or not isinstance(each.get("dependsOn") or [], list):
                raise malformed("headers are an object, and dependsOn is a list")
            known.add(str(each["id"]))
        return list(requests)

    def _group(self, requests: list[Mapping[str, Any]], answers: dict[str, dict[str, Any]], *, atomic: bool) -> bool:
        made: dict[str, dict[str, Any]] = {}

        def run() -> None:
            for each in requests:
                answer = self._json_one(each, answers | made)
                made[str(each["id"])] = answer
                if atomic and answer["status"] >= 400:
                    raise _SetFailed(Reply(status=answer["status"]), str(each["id"]))

        if not atomic:
            run()
        else:
            try:
                with self._tenant.unit_of_work():
                    run()
            except _SetFailed as failed:
                for each in requests:
                    identity = str(each["id"])
                    if identity != failed.identity:
                        made[identity] = {"id": identity, "status": 424}
        answers |= made
        return any(each["status"] >= 400 for each in made.values())

    def _json_one(self, request: Mapping[str, Any], answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        identity = str(request["id"])
        needed = request.get("dependsOn") or []
        if any(str(each) not in answers or answers[str(each)]["status"] >= 400 for each in needed):
            return {"id": identity, "status": 424}
        headers = {str(name).lower(): str(value) for name, value in (request.get("headers") or {}).items()}
        body = dumps(request["body"]) if "body" in request else b""
        headers.setdefault("content-type", "application/json")
        reply = self._one(
            Request(
                method=str(request["method"]).upper(),
                url=str(request["url"]),
                headers={"accept": "application/json", **headers},
                body=body,
                content_id=identity,
            )
        )
        shown: dict[str, Any] = {"id": identity, "status": reply.status, "headers": dict(reply.headers)}
        if reply.body:
            json = "json" in reply.headers.get("content-type", "")
            shown["body"] = loads(reply.body) if json else reply.body.decode("utf-8", "replace")
        return shown
