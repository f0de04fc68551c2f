"""What stands in a vendor's way during a trial: hosts that are not the vendor, and what its sandbox is told to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hub.errors import HubError
from hub.proof.certification.catalogue import DATE, TRAP
from hub.proof.certification.stand import Stand
from hub.sandbox.certificates import Flaw, issue

#: So often a name is looked up in vain.
_VAIN_LOOKUPS = 3
#: By what requests for tokens are known, and all others.
TOKENS, NO_TOKENS = {"path": r"(?i)/[^?]*token"}, {"path": r"(?i)^(?!/[^?]*token)"}


class NotStruck(Exception):
    """The fault cannot strike here, so that nothing is shown by it."""


def told(hub: Stand, entry: Mapping[str, Any], match: Mapping[str, str], elsewhere: str) -> Mapping[str, Any]:
    """Give an entry of a plan as the sandbox takes it, with the date and the address that stand in it."""
    given = {name: value for name, value in entry.items() if value is not None}
    if given.get("retry_after") == DATE:
        given["retry_after"] = format_datetime(hub.ambient.now() + timedelta(seconds=30), usegmt=True)
    if given.get("to") == TRAP:
        given["to"] = elsewhere
    return {**given, "match": match}


async def warm_up(hub: Stand) -> None:
    """Fetch the token beforehand, so that a fault strikes the call and not what comes before it."""
    try:
        await hub.connector.ping(hub.account)
    except HubError:
        return  # A clock that differs may be all it takes; the trial shows what comes of it.


class Trap:
    """Another host, to which nothing may come."""

    def __init__(self) -> None:
        """Begin with no visitors, and without an address."""
        self.visitors = 0
        self.url = ""

    async def take(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count a visitor and turn away."""
        self.visitors += 1
        writer.close()


@asynccontextmanager
async def trap() -> AsyncIterator[Trap]:
    """Listen as another host."""
    place = Trap()
    server = await asyncio.start_server(place.take, "127.0.0.1", 0)
    place.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/elsewhere"
    async with server:
        yield place


@asynccontextmanager
async def flawed(hub: Stand, flaw: Flaw) -> AsyncIterator[str]:
    """Listen with a certificate that must not be trusted; gives the address."""
    with TemporaryDirectory(prefix="concord-certify-") as folder:
        context, authority = issue(Path(folder), "127.0.0.1", flaw=flaw)
        hub.transport.rely_on(None if flaw is Flaw.SELF_SIGNED else str(authority))
        server = await asyncio.start_server(_silent, "127.0.0.1", 0, ssl=context)
        async with server:
            yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@contextmanager
def nameless() -> Iterator[None]:
    """Let names be looked up in vain for a while."""
    loop: Any = asyncio.get_running_loop()
    resolve, left = loop.getaddrinfo, _VAIN_LOOKUPS

    async def in_vain(*given: Any, **more: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise OSError(-3, "Temporary failure in name resolution")
        return await resolve(*given, **more)

    loop.getaddrinfo = in_vain
    try:
        yield
    finally:
        del loop.getaddrinfo
