"""Accounts in use: tokens are renewed once for all who need a new one, whether that works or not."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime

from hub.errors import RetryLater
from hub.model.ambient import Ambient
from hub.model.exchange import Request, Response
from hub.runtime.clock import SystemClock
from hub.sdk.auth import BearerToken


def ambient() -> Ambient:
    """Give the real clock and seeded chance."""
    return Ambient(clock=SystemClock(), random=random.Random(1))


async def test_requests_that_are_refused_together_renew_the_token_once() -> None:
    """Each of them may try again; a late refusal of the old token does not forget the new one."""
    fetched: list[int] = []

    async def send(_request: Request) -> Response:
        fetched.append(1)
        await asyncio.sleep(0)
        return Response(status=200)

    def ask(_now: datetime) -> Request:
        return Request(method="POST", url="https://vendor.example/token")

    token = BearerToken(ask=ask, read=lambda _response: (f"token{len(fetched)}", 3600.0))
    now, request = ambient().now(), Request(method="GET", url="https://vendor.example/")
    old = await token.headers(request, send, now)
    refused = Response(status=401)
    assert token.refused(refused, old)
    assert token.refused(refused, old)
    new, same = await asyncio.gather(token.headers(request, send, now), token.headers(request, send, now))
    assert new == same != old
    assert token.refused(refused, old)
    assert await token.headers(request, send, now) == new
    assert len(fetched) == 2


async def test_a_fetching_that_fails_is_shared_by_all_who_waited_for_it() -> None:
    """Hundreds of runs that need a token ask a failing endpoint once, and the next comes through."""
    fetched: list[int] = []
    works = False

    async def send(_request: Request) -> Response:
        fetched.append(1)
        await asyncio.sleep(0.01)
        return Response(status=200 if works else 503)

    token = BearerToken(
        ask=lambda _now: Request(method="POST", url="https://vendor.example/token"),
        read=lambda _response: ("token", 3600.0),
    )
    now, request = ambient().now(), Request(method="GET", url="https://vendor.example/")
    asked = await asyncio.gather(*(token.headers(request, send, now) for _ in range(400)), return_exceptions=True)
    assert all(isinstance(each, RetryLater) for each in asked)
    assert len(fetched) == 1
    works = True
    given = await asyncio.gather(*(token.headers(request, send, now) for _ in range(400)))
    assert given == [{"authorization": "Bearer token"}] * 400
    assert len(fetched) == 2
