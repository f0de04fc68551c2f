"""Tests cannot reach another machine."""

from __future__ import annotations

import asyncio
import socket

import pytest


def test_no_other_machine_can_be_reached() -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match="may not connect"):
        client.connect(("192.0.2.1", 80))
    with pytest.raises(RuntimeError, match="may not look up"):
        socket.getaddrinfo("vendor.example", 443)


async def test_no_event_loop_reaches_another_machine() -> None:
    with pytest.raises(RuntimeError, match="may not connect"):
        await asyncio.open_connection("192.0.2.1", 80)


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()[:2]) as client:
        assert client.getpeername()[0] == "127.0.0.1"
