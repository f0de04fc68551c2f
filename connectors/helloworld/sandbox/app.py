"""The greeting service's sandbox: its calls, and what stands before them."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from aiohttp import web

from connectors.helloworld.sandbox.greetings import Greetings, Refusal
from hub.sandbox.exact_json import json_answer, loads
from hub.sandbox.limits import limited
from hub.sandbox.problem import Problem
from hub.sandbox.request_log import mark
from hub.sandbox.server import Sandbox
from hub.sandbox.world import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_BOOKS: web.AppKey[Greetings] = web.AppKey("books", Greetings)


def build(world: World) -> web.Application:
    """Make the service's application for one sandbox."""
    books = Greetings(world)
    world.books = books
    application = web.Application(middlewares=[_told(books), limited(books.limiter, _render), _front(books)])
    application[_BOOKS] = books
    application.on_cleanup.append(_close)
    application.add_routes(
        [
            web.get("/v1/ping", _ping),
            web.get("/v1/greetings/{id}", _read),
            web.put("/v1/greetings/{id}", _write),
            web.get("/v1/events", _events),
        ]
    )
    return application


def _told(books: Greetings) -> Any:
    @web.middleware
    async def stand(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if (left := books.limiter.left) is not None:
            answer.headers["RateLimit-Policy"] = f'"second";q={books.limiter.rate};w=1'
            answer.headers["RateLimit"] = f'"second";r={left};t=1'
        return answer

    return stand


def _front(books: Greetings) -> Any:
    @web.middleware
    async def stand(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            given = request.headers.get("Authorization", "").encode("utf-8", "replace")
            if not hmac.compare_digest(given, f"Bearer {books.api_key}".encode()):
                raise Refusal(401, "invalid_api_key", "The API key is not known.")
            return await handler(request)
        except Refusal as refusal:
            return _answer_refusal(refusal)

    return stand


async def _close(application: web.Application) -> None:
    await application[_BOOKS].sender.close()


async def _ping(request: web.Request) -> web.Response:
    return json_answer({"ok": True})


async def _read(request: web.Request) -> web.Response:
    return json_answer(request.app[_BOOKS].read(request.match_info["id"]))


async def _write(request: web.Request) -> web.Response:
    mark(request, request.match_info["id"])
    try:
        greeting = loads(await request.read())
    except ValueError:
        raise Refusal(400, "greeting_invalid", "The body is not JSON.") from None
    return json_answer(request.app[_BOOKS].write(request.match_info["id"], greeting))


async def _events(request: web.Request) -> web.Response:
    query = request.query
    try:
        since = datetime.fromisoformat(query["since"]) if "since" in query else None
        limit = min(max(int(query.get("limit", "100")), 1), 100)
        events, more = request.app[_BOOKS].events(last=query.get("after"), since=since, limit=limit)
    except (ValueError, TypeError) as error:
        raise Refusal(400, "query_invalid", f"The query cannot be read: {error}") from None
    return json_answer({"events": [event.body for event in events], "has_more": more})


def _answer_refusal(refusal: Refusal) -> web.Response:
    return json_answer({"error": {"code": refusal.code, "message": refusal.message}}, status=refusal.status)


def _render(problem: Problem) -> web.Response:
    answer = _answer_refusal(Refusal(problem.status, problem.reason, problem.detail))
    if problem.retry_after is not None:
        answer.headers["Retry-After"] = problem.retry_after
    return answer


sandbox = Sandbox(name="helloworld", build=build, render=_render)
