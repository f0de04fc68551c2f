"""Bodies of requests: read and unpacked up to a bound, whatever their sender says of their length."""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from hub.api.problems import BodyTooLarge, TooSlow, WrongEncoding
from hub.errors import FixData

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: A sender hears the 413 only if its body is read to the end; beyond this many bytes the connection is just closed.
LONGEST_PATIENCE = 16 * 1024 * 1024
#: What a sender may pack a body with.
ENCODINGS = ("gzip", "zstd")
#: Unpacking asks for so much memory at most (zstd's window, as a power of two): that of `zstd -19` and less.
_WINDOW = 23
#: Both formats allow several packed parts behind each other; each costs time, however little is in it.
_MOST_PARTS = 16


async def parts(receive: Receive) -> AsyncIterator[bytes]:
    """Give the parts of a body as they come; raises `ClientDisconnect` when the sender goes away."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        yield message.get("body", b"")


async def in_time(stream: AsyncIterator[bytes], most: int, seconds: float) -> bytes:
    """Put a body together as `whole` does; raises `TooSlow` where it does not come within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            return await whole(stream, most)
    except TimeoutError:
        raise TooSlow(seconds=seconds) from None


async def whole(stream: AsyncIterator[bytes], most: int) -> bytes:
    """Put a body together; raises `BodyTooLarge` for one of more than so many bytes."""
    body, size = bytearray(), 0
    async for part in stream:
        size += len(part)
        if size <= most:
            body += part
        elif size > LONGEST_PATIENCE:
            break
    if size > most:
        raise BodyTooLarge(limit=most)
    return bytes(body)


def unpacked(body: bytes, encoding: str, most: int) -> bytes:
    """Unpack a body of a `Content-Encoding`; no more than `most` bytes are ever made of it.

    Raises `BodyTooLarge`, `WrongEncoding` for an encoding that nobody knows here, and `FixData` for what is damaged.
    """
    named = encoding.strip().lower()
    if named in ("", "identity"):
        return body
    make = _DECODERS.get(named)
    if make is None:
        raise WrongEncoding(encoding=named[:50], known=", ".join(ENCODINGS))
    try:
        return _unpacked(body, make, most)
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise FixData(f"The body is no {named}.", code="not-unpacked", reason=str(error)[:200]) from None


def _unpacked(body: bytes, make: Callable[[], Any], most: int) -> bytes:
    """Unpack one packed part after the other."""
    out, left = bytearray(), body
    for _ in range(_MOST_PARTS):
        decoder = make()
        out += decoder.decompress(left, most - len(out) + 1)
        if len(out) > most:
            raise BodyTooLarge(limit=most)
        if not decoder.eof:
            raise EOFError("it ends too early")
        left = decoder.unused_data
        if not left:
            return bytes(out)
    raise EOFError(f"it has more than {_MOST_PARTS} parts")


_DECODERS: Mapping[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "x-gzip": lambda: zlib.decompressobj(wbits=31),
    "zstd": lambda: zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW}),
}
