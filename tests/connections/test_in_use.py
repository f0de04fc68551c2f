"""Accounts in use: tokens are renewed once for all who were refused, and a long pause holds nobody's hands."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime

import pytest

from hub.connections.limiter import Limiter
from hub.errors import LimitReached
from hub.model.ambient import Ambient
from hub.model.exchange import Request, Response
from hub.runtime.clock import SystemClock
from hub.sdk.auth import BearerToken
from hub.sdk.connector import Limits


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


async def test_a_long_pause_turns_away_and_a_short_one_is_waited_for() -> None:
    """The run comes back by a durable timer; meanwhile its worker has a hand free for others."""
    limiter = Limiter(Limits(), ambient())
    limiter.refused(0.01)
    async with limiter.permit():
        assert limiter.in_flight == 1
    limiter.refused(60.0)
    with pytest.raises(LimitReached) as turned_away:
        async with limiter.permit():
            pass
    assert turned_away.value.after == pytest.approx(60.0, abs=1.0)
    assert limiter.in_flight == 0
