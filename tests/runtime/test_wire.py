"""The hub's HTTP over a raw socket: what is no HTTP, or has no end, is refused and kept nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from hub.runtime.wire import MAX_HEAD, Wire


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the size of what came."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"7")]})
    await send({"type": "http.response.body", "body": b"%07d" % size})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = uvicorn.Server(
        uvicorn.Config(answer, port=0, http=Wire, ws="none", lifespan="off", log_config=None, access_log=False)
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def said(port: int, *parts: bytes) -> tuple[bytes, int]:
    """Send parts one after the other; gives what is answered and how much of them could be sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = 0
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
            sent += len(part)
    except ConnectionError:
        pass
    try:
        async with asyncio.timeout(5):
            return await reader.read(), sent
    except ConnectionError:
        return b"", sent
    finally:
        writer.close()


GOOD = b"POST /hooks/x HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 5\r\n\r\n"


async def test_a_request_in_pieces_of_one_byte_is_whole(port: int) -> None:
    whole = GOOD + b"12345"
    answered, _ = await said(port, *(whole[at : at + 1] for at in range(len(whole))))
    assert answered.startswith(b"HTTP/1.1 200") and answered.endswith(b"0000005")


async def test_requests_on_one_connection_are_counted_each_by_itself(port: int) -> None:
    long = b"GET / HTTP/1.1\r\nhost: h\r\nx: " + b"a" * (MAX_HEAD * 2 // 3) + b"\r\n\r\n"
    answered, _ = await said(port, long, long, long, GOOD + b"12345")
    assert answered.count(b"HTTP/1.1 200") == 4


@pytest.mark.parametrize(
    "endless",
    [
        [b"GET / HTTP/1.1\r\nx: ", *[b"a" * 8192] * 4000],
        [b"GET /", *[b"a" * 8192] * 4000],
        [b"GET / HTTP/1.1\r\n", *[b"x: " + b"a" * 8000 + b"\r\n"] * 4000],
        [b"GET / HTTP/1.1\r\nx: " + b"a" * (MAX_HEAD + 1) + b"\r\n\r\n"],
    ],
    ids=["value", "line", "headers", "at-once"],
)
async def test_a_head_without_an_end_is_refused(port: int, endless: list[bytes]) -> None:
    answered, sent = await said(port, *endless)
    # Whoever still sends may find the connection gone before the answer is read.
    assert answered == b"" or answered.startswith(b"HTTP/1.1 400")
    assert sent < 16 * 1024 * 1024


@pytest.mark.parametrize(
    "wrong",
    [
        b"nonsense\r\n\r\n",
        b"POST /hooks/x HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /hooks/x HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n123456",
        b"POST /hooks/x HTTP/1.1\r\nhost : h\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: h\r\n\r\n",
    ],
    ids=["nonsense", "two-lengths-by-chunks", "two-lengths", "space-before-colon", "bytes-in-the-line"],
)
async def test_what_two_readers_could_read_in_two_ways_is_refused(port: int, wrong: bytes) -> None:
    answered, _ = await said(port, wrong)
    assert answered.startswith(b"HTTP/1.1 400")
