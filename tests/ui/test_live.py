"""The stream that tells pages of changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from fastapi.sse import ServerSentEvent
from starlette.requests import Request

from hub.runtime.changes import Changes
from tests.ui.stage import OPERATOR, Stage
from tests.ui.visitors import SignIn
from ui import live


async def _never() -> dict[str, str]:
    await asyncio.Event().wait()
    return {}


def asking(cookie: str, last: str | None = None) -> Request:
    headers = [(b"cookie", cookie.encode()), *([(b"last-event-id", last.encode())] if last else [])]
    return Request({"type": "http", "method": "GET", "path": "/live", "headers": headers, "query_string": b""}, _never)


async def following(stream: AsyncIterator[ServerSentEvent]) -> ServerSentEvent:
    return await asyncio.wait_for(anext(stream), 5)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_REST_SECONDS", 0.01)
    monkeypatch.setattr(live, "_LOOK_SECONDS", 0.05)


async def test_a_change_is_told_once_with_its_number(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(OPERATOR)
    cookie = f"concord-session={visitor.cookies['concord-session']}"
    stream = live.changes(set_up.console, asking(cookie))
    assert (await following(stream)).comment == "open"
    changes = set_up.console.changes
    assert isinstance(changes, Changes)
    changes.advance()
    told = await following(stream)
    assert (told.event, told.raw_data, told.id) == ("changed", str(changes.version), str(changes.version))

    back = live.changes(set_up.console, asking(cookie, last=str(changes.version - 1)))
    assert (await following(back)).comment == "open"
    assert (await following(back)).id == str(changes.version)

    changes.close()
    with pytest.raises(StopAsyncIteration):
        await following(back)


async def test_the_stream_ends_with_the_session(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(OPERATOR)
    cookie = f"concord-session={visitor.cookies['concord-session']}"
    stream = live.changes(set_up.console, asking(cookie))
    await following(stream)
    person = await set_up.console.directory.person_by_email(OPERATOR)
    assert person is not None
    await set_up.console.directory.change_person(replace(person, disabled=True), actor="local")
    while (told := await following(stream)).event == "changed":
        pass
    assert told.event == "ended"
    with pytest.raises(StopAsyncIteration):
        await following(stream)
