"""Who has done something sees it: what a replica must have before it is read for somebody.

A request that changes something reads the database itself. Its answer says where the database's log ended then
(`Concord-Seen`, and a cookie for browsers), and what the same caller asks next is read from a replica only if that has
come so far. For those who send a token and neither of these, the process remembers it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.errors import HubError
from hub.store.replica import Replica, position, seen, written

HEADER: Final = "Concord-Seen"
COOKIE: Final = "concord-seen"
_SAFE = frozenset({"GET", "HEAD"})
#: So many callers are remembered, and so long a browser does (seconds): no replica that is read is further behind.
_CALLERS, _REMEMBERED = 10_000, 3600
#: No standby comes so far.
_NOWHERE = (1 << 64) - 1
#: Who sends no token: a browser, whose cookie says all.
_NOBODY = hashlib.sha256(b"").digest()


class Freshness:
    """The application, each request of which knows how far a replica must have come to be read for it.

    Callers are remembered by the hash of their token.
    """

    def __init__(self, app: ASGIApp, replica: Replica) -> None:
        """Stand before an application."""
        self._app = app
        self._replica = replica
        self._reached: OrderedDict[bytes, int] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request read where it may."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        caller = hashlib.sha256(headers.get("authorization", "").encode()).digest()
        if scope["method"] in _SAFE:
            seen.set(max(_told(headers), self._reached.get(caller, 0)))
            await self._app(scope, receive, send)
            return
        seen.set(None)

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._keep(caller, MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, tell)

    async def _keep(self, caller: bytes, headers: MutableHeaders) -> None:
        try:
            place = await asyncio.to_thread(self._replica.end)
        except HubError:
            # The database is away: this caller reads nowhere else until it has done something once more.
            place = _NOWHERE
        headers[HEADER] = written(place)
        cookie = f"{COOKIE}={written(place)}; Path=/; Max-Age={_REMEMBERED}; HttpOnly; SameSite=Strict"
        headers.append("Set-Cookie", cookie)
        if caller == _NOBODY:
            return
        self._reached[caller] = place
        self._reached.move_to_end(caller)
        while len(self._reached) > _CALLERS:
            self._reached.popitem(last=False)


def _told(headers: Headers) -> int:
    """Give what a caller says to have seen; what cannot be read counts as nothing."""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        cookie = None
    told = (headers.get(HEADER, ""), "" if cookie is None else cookie.value)
    return max(position(each) or 0 for each in told)
