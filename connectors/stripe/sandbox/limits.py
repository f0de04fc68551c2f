"""What an account allows: requests a second and at once, in all and for each endpoint; meter events apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from typing import Any

from aiohttp import web

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.problems import render
from hub.sandbox.limits import Limiter, LimitExceeded
from hub.sandbox.problem import Problem

#: What Stripe allows a second of an account that moves money, and of one for trials: in all, of each endpoint, and of
#: all searches together. Source: Stripe's page on rate limits.
STATED: Mapping[str, Mapping[str, int]] = {
    "live": {"rate": 100, "endpoint_rate": 25, "search_rate": 20},
    "sandbox": {"rate": 25, "endpoint_rate": 25, "search_rate": 20},
}
_SEARCH = "/search"
#: Endpoints with a rate of their own, which count for no other: switch of the rate by the path.
_APART = {
    "/v1/billing/meter_events": "meter_event_rate",
    "/v2/billing/meter_events": "meter_event_rate",
    "/v2/billing/meter_event_stream": "meter_stream_rate",
}


class Limits:
    """Counts the requests of one platform; what comes over a limit is refused before anything else looks at it."""

    def __init__(self, account: Account) -> None:
        """Start with nothing counted."""
        self._account = account
        self._endpoints: dict[tuple[str, str], Limiter] = {}

    @property
    def refused(self) -> int:
        """Count what was turned away."""
        return self._account.limiter.refused + sum(limiter.refused for limiter in self._endpoints.values())

    def clear(self) -> None:
        """Forget what was counted for each endpoint."""
        self._endpoints.clear()

    def middleware(self) -> Any:
        """Make the middleware that refuses what comes over the limits."""

        @web.middleware
        async def stand(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            resource = request.match_info.route.resource
            path = request.path if resource is None else resource.canonical
            with ExitStack() as held:
                if path not in _APART:
                    try:
                        held.enter_context(self._account.limiter.hold())
                    except LimitExceeded as exceeded:
                        return render(exceeded.problem)
                try:
                    held.enter_context(self._endpoint(request.method, path).hold())
                except LimitExceeded as exceeded:
                    reason = f"endpoint-{exceeded.problem.reason}"
                    return render(Problem(status=429, reason=reason, detail=exceeded.problem.detail))
                return await handler(request)

        return stand

    def _endpoint(self, method: str, path: str) -> Limiter:
        switches = self._account.switches
        if path.endswith(_SEARCH) and switches.search_rate is not None:
            method, path = "GET", _SEARCH
        limiter = self._endpoints.setdefault((method, path), Limiter(clock=self._account.world.clock))
        apart = _APART.get(path)
        limiter.rate = switches.endpoint_rate if apart is None else getattr(switches, apart)
        if path == _SEARCH:
            limiter.rate = switches.search_rate
        limiter.concurrency = switches.endpoint_concurrency
        return limiter
