"""The way out: only where it may, and with the truth about what surely was not sent."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from hub.errors import FixConnection, NotSent, OutcomeUnknown
from hub.model.exchange import Request
from hub.sandbox.certificates import issue
from hub.sdk.transport import Transport, may_connect

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve raw bytes on a free port."""
    going: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        going.add(asyncio.current_task())
        try:
            await answer(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*filter(None, going), return_exceptions=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "0.0.0.0",  # noqa: S104 - an address that must be refused
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fc00::1",
        "fe80::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::",
    ],
)
def test_addresses_inside_are_not_reached(address: str) -> None:
    """Also not in the forms in which an IPv4 address hides in an IPv6 one."""
    assert not may_connect(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111"])
def test_public_addresses_are_reached(address: str) -> None:
    """Vendors live there."""
    assert may_connect(address)


async def test_a_host_that_no_environment_names_gets_no_packet() -> None:
    """Refused before a connection is made, by address and by name."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(10))

    async with serving(answer) as port:
        transport = Transport()
        with pytest.raises(FixConnection):
            await transport.send(Request(method="GET", url=f"http://127.0.0.1:{port}/"))
        with pytest.raises(NotSent):
            await transport.send(Request(method="GET", url=f"http://localhost:{port}/"))
        await transport.close()
    assert asked == []


@pytest.mark.parametrize(
    ("ahead", "more", "told"),
    [(0, "", 0), (300, "", 300), (-300, "", -300), (-300, "age: 300\r\n", None), (None, "", None)],
)
async def test_an_answer_tells_how_far_the_clock_there_is_ahead(ahead: int | None, more: str, told: int | None) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        there = datetime.now(UTC) + timedelta(seconds=ahead or 0)
        date = "yesterday" if ahead is None else format_datetime(there, usegmt=True)
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: 0\r\ndate: {date}\r\n{more}\r\n".encode())
        await writer.drain()

    async with serving(answer) as port:
        transport = Transport(private_hosts=["127.0.0.1"], now=lambda: datetime.now(UTC))
        await transport.send(Request(method="GET", url=f"http://127.0.0.1:{port}/"))
        await transport.close()
    found = {host: skew.total_seconds() for host, skew in transport.skews().items()}
    assert found.keys() == (set() if told is None else {"127.0.0.1"})
    assert all(abs(skew - (told or 0)) < 3 for skew in found.values())


async def test_no_connection_means_that_nothing_was_sent() -> None:
    """So even an unsafe write may be tried again."""
    async with serving(lambda _reader, _writer: asyncio.sleep(0)) as port:
        pass
    transport = Transport(private_hosts=["127.0.0.1"])
    with pytest.raises(NotSent):
        await transport.send(Request(method="POST", url=f"http://127.0.0.1:{port}/", body=b"{}"))
    await transport.close()


@pytest.mark.parametrize(
    ("bytes_back", "seconds"),
    [
        (b"", 5.0),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", 5.0),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", 5.0),
        (b"not http at all\r\n\r\n", 5.0),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope", 5.0),
        (None, 0.3),
    ],
)
async def test_everything_after_the_first_byte_is_unknown(bytes_back: bytes | None, seconds: float) -> None:
    """No answer, half an answer, no HTTP, broken compression, and no answer in time."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        if bytes_back is None:
            await asyncio.sleep(1.0)
        else:
            writer.write(bytes_back)
            await writer.drain()

    async with serving(answer) as port:
        transport = Transport(private_hosts=["127.0.0.1"])
        with pytest.raises(OutcomeUnknown):
            await transport.send(Request(method="PUT", url=f"http://127.0.0.1:{port}/", body=b"{}"), timeout=seconds)
        await transport.close()


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    """A target cannot send the hub's credentials elsewhere."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async with serving(answer) as port:
        transport = Transport(private_hosts=["127.0.0.1"])
        found = await transport.send(Request(method="GET", url=f"http://127.0.0.1:{port}/"))
        await transport.close()
    assert found.status == 302


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    """Trusted only once the environment names its authority."""
    context, authority = issue(tmp_path, "127.0.0.1")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    async with serving(answer, context) as port:
        url = f"https://127.0.0.1:{port}/"
        strict = Transport(private_hosts=["127.0.0.1"])
        with pytest.raises(FixConnection):
            await strict.send(Request(method="GET", url=url))
        await strict.close()
        trusting = Transport(private_hosts=["127.0.0.1"], ca_file=str(authority))
        assert (await trusting.send(Request(method="GET", url=url))).status == 204
        await trusting.close()
