"""Visitors of a console, without a browser."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import httpx2

from tests.ui.stage import Stage

ADDRESS = "http://console.test"

#: Gives a visitor who is signed in with this address.
SignIn = Callable[[str], Awaitable[httpx2.AsyncClient]]


def stranger(set_up: Stage, address: str = ADDRESS) -> httpx2.AsyncClient:
    """Give a visitor who is not signed in."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(set_up.app), base_url=address, headers={"Origin": address})


def csrf_of(html: str) -> str:
    """Give the token that a page's forms carry."""
    found = re.search(r'name="csrf" value="([^"]+)"', html)
    assert found is not None
    return found[1]


async def order(visitor: httpx2.AsyncClient, page: str, path: str, **form: str) -> httpx2.Response:
    """Send a form with the token of the page it stands on."""
    token = csrf_of((await visitor.get(page)).text)
    return await visitor.post(path, data={"csrf": token, **form})
