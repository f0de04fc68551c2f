"""A certificate with a flaw differs from a right one in that flaw alone."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from hub.sandbox.certificates import Flaw, issue


async def shake_hands(folder: Path, flaw: Flaw | None) -> None:
    """Connect as a client that trusts the authority; raises what the handshake raises."""
    context, authority = issue(folder, "127.0.0.1", flaw=flaw)

    async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0, ssl=context) as server:
        trusting = ssl.create_default_context(cafile=None if flaw is Flaw.SELF_SIGNED else str(authority))
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        writer.close()


async def test_a_right_certificate_is_trusted(tmp_path: Path) -> None:
    await shake_hands(tmp_path, None)


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        (Flaw.EXPIRED, "expired"),
        (Flaw.OTHER_HOST, "mismatch|not valid for"),
        (Flaw.SELF_SIGNED, "self.signed|local issuer"),
    ],
)
async def test_a_flawed_one_is_not(tmp_path: Path, flaw: Flaw, reason: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        await shake_hands(tmp_path, flaw)
