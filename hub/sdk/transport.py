"""The one way out: an HTTP client that connects only where it may and tells what surely was not sent."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from hub.errors import FixConnection, NotSent, OutcomeUnknown
from hub.model.exchange import Request, Response
from hub.sdk.limit_headers import http_date

#: An answer larger than this is cut off and counts as unknown.
MAX_ANSWER = 32 * 1024 * 1024
_BEFORE_PATH = re.compile(r"[a-z]+://[^/?#]*")


def may_connect(address: str) -> bool:
    """Tell whether an address is on the public internet, also behind mapped, NAT64 and 6to4 forms."""
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            ip = inner
    shared = isinstance(ip, ipaddress.IPv4Address) and (
        ip in ipaddress.ip_network("100.64.0.0/10") or ip in ipaddress.ip_network("192.0.0.0/24")
    )
    return ip.is_global and not ip.is_multicast and not shared


class GuardedResolver(AbstractResolver):
    """Resolves a name once and gives only addresses that may be connected to; the connection uses exactly these."""

    def __init__(self, private_hosts: frozenset[str]) -> None:
        """Take the hosts that an environment names explicitly, so that sandboxes on loopback work."""
        self._private_hosts = private_hosts
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Resolve, then leave out every address that is not public unless the host is a named exception."""
        found = await self._resolver.resolve(host, port, family)
        if host in self._private_hosts:
            return found
        allowed = [result for result in found if may_connect(result["host"])]
        if not allowed:
            raise OSError(f"{host} does not resolve to a public address")
        return allowed

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._resolver.close()


class Transport:
    """Sends requests of all connections over pooled connections; redirects and environment proxies are ignored.

    `private_hosts` are the host names or addresses outside the public internet that an environment names.
    """

    def __init__(
        self,
        *,
        private_hosts: Sequence[str] = (),
        ca_file: str | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """Open nothing yet; `ca_file` adds a certificate authority, for sandboxes with a test CA.

        With `now`, the dates of answers are kept, to compare clocks by.
        """
        self._private_hosts = frozenset(private_hosts)
        self._ca_file = ca_file
        self._client: aiohttp.ClientSession | None = None
        self._reads_clock = now
        #: By host: when the last answer was asked for, when it had come, and when it says it was given.
        self._dates: dict[str, tuple[datetime, datetime, str]] = {}

    def trust(self) -> ssl.SSLContext:
        """Give the authorities that a host's certificate is checked against."""
        context = ssl.create_default_context()
        if self._ca_file is not None:
            context.load_verify_locations(self._ca_file)
        return context

    def skews(self) -> dict[str, timedelta]:
        """Tell by host how far a clock is ahead of ours, by its last answer; the time that this took counts for it."""
        found = {}
        for host, (asked, came, told) in list(self._dates.items()):
            date = http_date(told, came)
            if date is not None:
                # It has no parts of a second.
                earliest = asked - timedelta(seconds=1)
                found[host] = date - came if date > came else min(date - earliest, timedelta())
        return found

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Send one request and read the whole answer.

        Raises `NotSent` when no connection could be made, `FixConnection` for a host that may not be reached or
        whose certificate does not hold, and `OutcomeUnknown` for everything after the first byte went out.
        """
        client = self._ensure_client()
        host = _host(request.url)
        asked = None if self._reads_clock is None else self._reads_clock()
        if host not in self._private_hosts and _is_forbidden(host):
            raise FixConnection("This host may not be reached.", code="host-not-allowed", host=host)
        try:
            async with client.request(
                request.method,
                request.url,
                data=request.body or None,
                headers={**request.headers, **(headers or {})},
                allow_redirects=False,
                timeout=_limits(timeout),
            ) as answer:
                body = await _read(answer)
                # What comes from a cache says when it was given to that.
                if self._reads_clock is not None and asked is not None and "age" not in answer.headers:
                    self._dates[host] = (asked, self._reads_clock(), answer.headers.get("date", ""))
                return Response(status=answer.status, headers=_headers(answer), body=body)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise FixConnection("The host's certificate does not hold.", code="bad-certificate", host=host) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent("No connection could be made.", host=host, reason=_reason(error)) from error
        except TimeoutError as error:
            raise OutcomeUnknown("No answer came in time.", code="timeout", seconds=timeout) from error
        except (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError) as error:
            raise OutcomeUnknown("The connection broke.", code="connection-broken", reason=_reason(error)) from error

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _ensure_client(self) -> aiohttp.ClientSession:
        if self._client is None:
            context: Any = True
            if self._ca_file is not None:
                context = self.trust()
            connector = aiohttp.TCPConnector(
                limit=0, resolver=GuardedResolver(self._private_hosts), ssl=context, keepalive_timeout=20
            )
            self._client = aiohttp.ClientSession(
                connector=connector,
                middlewares=(_once,),
                auto_decompress=True,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent",),
                headers={"User-Agent": "concord-hub"},
            )
        return self._client


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    # On a broken kept-alive connection aiohttp sends a PUT or DELETE again by itself. Nobody may resend but the
    # engine, so the break leaves here as an error that aiohttp does not retry.
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise OutcomeUnknown("The connection broke.", code="connection-broken", reason=_reason(error)) from error


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    """Give the headers with lower-case names; cookies, of which each has a line of its own, are split by line ends."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if "set-cookie" in headers:
        headers["set-cookie"] = "\n".join(answer.headers.getall("set-cookie"))
    return headers


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    parts = bytearray()
    async for part in answer.content.iter_any():
        parts += part
        if len(parts) > MAX_ANSWER:
            raise OutcomeUnknown("The answer is too large.", code="answer-too-large")
    return bytes(parts)


@lru_cache(1000)
def _is_forbidden(host: str) -> bool:
    """Tell whether a host is an address outside the public internet; names are looked at when they are resolved."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return not may_connect(host)


def _host(url: str) -> str:
    # What stands before the path is the same for all requests of a connection.
    before = _BEFORE_PATH.match(url)
    return _host_of(url if before is None else before[0])


@lru_cache(1000)
def _host_of(origin: str) -> str:
    return urlsplit(origin).hostname or ""


@lru_cache(100)
def _limits(timeout: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, 10.0))


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
