"""Reaching a host step by step, to say at which one it fails: its name, the connection, and its certificate."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from hub.errors import FixConnection
from hub.sdk.transport import may_connect

#: Seconds for each step.
PATIENCE = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A host and port, whether it is spoken to over TLS, and the setting that names it."""

    host: str
    port: int
    tls: bool
    setting: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What a step found: a sentence, facts, and when the host's certificate ends."""

    found: str
    facts: Mapping[str, str] = field(default_factory=dict)
    ends: datetime | None = None


#: One step: it is given the place, the hosts that may be private, and the authorities that are trusted.
Look = Callable[[Place, frozenset[str], ssl.SSLContext], Awaitable[Reached]]


async def resolve(place: Place, private_hosts: frozenset[str], _trust: ssl.SSLContext) -> Reached:
    """Find the host's addresses; raises `FixConnection` where there are none that may be connected to."""
    addresses = await _addresses(place)
    allowed = _allowed(place, addresses, private_hosts)
    if not allowed:
        raise FixConnection(
            f"{place.host} leads to {', '.join(addresses)}, which is not on the public internet.",
            code="host-not-allowed",
            advice=f"If it is meant, write `private_hosts: [{place.host}]` in the environment's file.",
            setting=place.setting,
        )
    if allowed == [place.host]:
        return Reached(found=f"{place.host} is an address")
    return Reached(found=f"{place.host} is {', '.join(allowed[:4])}")


async def connect(place: Place, private_hosts: frozenset[str], _trust: ssl.SSLContext) -> Reached:
    """Open a connection and close it again; raises `FixConnection` where none can be made."""
    last: Exception | None = None
    for address in _allowed(place, await _addresses(place), private_hosts):
        try:
            async with asyncio.timeout(PATIENCE):
                _, writer = await asyncio.open_connection(address, place.port)
        except (OSError, TimeoutError) as error:
            last = error
            continue
        await _close(writer)
        return Reached(found=f"port {place.port} of {place.host} takes connections")
    if isinstance(last, ConnectionRefusedError):
        told, advice = "refuses connections", "Look whether the port is right and the service runs."
    elif isinstance(last, TimeoutError):
        told, advice = "does not answer", "A firewall may drop what goes there: let this machine out to it."
    else:
        told, advice = "cannot be reached", "Look at this machine's network and at the firewalls on the way."
    raise FixConnection(
        f"Port {place.port} of {place.host} {told}.",
        code="no-connection",
        advice=advice,
        setting=place.setting,
        reason=getattr(last, "strerror", None) or "",
    )


async def greet(place: Place, private_hosts: frozenset[str], trust: ssl.SSLContext) -> Reached:
    """Make the TLS handshake as every request does; raises `FixConnection` with the certificate's facts."""
    if not place.tls:
        return Reached(found="the setting says http: nothing is encrypted")
    address = _allowed(place, await _addresses(place), private_hosts)[0]
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(
                address, place.port, ssl=trust, server_hostname=place.host, ssl_handshake_timeout=PATIENCE
            )
    except ssl.SSLCertVerificationError as error:
        facts, _ends = await _shown(place, address)
        told, advice = _trouble(error, place.host, facts)
        raise FixConnection(told, code="bad-certificate", advice=advice, setting=place.setting, **facts) from error
    except (OSError, TimeoutError) as error:
        raise FixConnection(
            f"{place.host} takes the connection and makes no TLS with it.",
            code="no-tls",
            advice="Look whether the port speaks TLS, and whether a proxy stands in between.",
            setting=place.setting,
            reason=str(error)[:200] or type(error).__name__,
        ) from error
    secured = writer.get_extra_info("ssl_object")
    facts, ends = facts_of(secured.getpeercert(binary_form=True))
    version = secured.version()
    await _close(writer)
    return Reached(
        found=f"{version}, certificate of {facts['subject']} by {facts['issuer']}, until {facts['until']}",
        facts=facts,
        ends=ends,
    )


def facts_of(certificate: bytes | None) -> tuple[dict[str, str], datetime | None]:
    """Give what a certificate (DER) says of itself: whose it is, for which names, by whom, and from when until when."""
    if not certificate:
        return {}, None
    try:
        read = x509.load_der_x509_certificate(certificate)
    except ValueError:
        return {"certificate": "cannot be read"}, None
    names: list[str] = []
    with suppress(x509.ExtensionNotFound, ValueError):
        for name in read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value:
            names.append(str(name.value))
    facts = {
        "subject": _common(read.subject) or (names[0] if names else "nobody"),
        "names": ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else ""),
        "issuer": _common(read.issuer) or read.issuer.rfc4514_string()[:100],
        "from": f"{read.not_valid_before_utc:%Y-%m-%d}",
        "until": f"{read.not_valid_after_utc:%Y-%m-%d}",
    }
    return facts, read.not_valid_after_utc


def _trouble(error: ssl.SSLCertVerificationError, host: str, facts: Mapping[str, str]) -> tuple[str, str]:
    """Say what is wrong with a certificate by OpenSSL's verdict (x509_vfy.h)."""
    match error.verify_code:
        case 10:
            told = f"The certificate of {host} has expired, on {facts.get('until', 'an earlier day')}."
            return told, "Ask whoever runs the host to renew it; look at this machine's clock if it should still hold."
        case 9:
            told = f"The certificate of {host} holds only from {facts.get('from', 'a later day')} on."
            return told, "Look at this machine's clock; else ask whoever runs the host."
        case 62 | 64:
            told = (
                f"The certificate is not for {host}, but for {facts.get('names') or facts.get('subject', 'another')}."
            )
            return told, "Look whether the setting names the right host, and whether a proxy stands in between."
        case 18 | 19 | 20 | 21:
            told = (
                f"The certificate of {host} is by an authority that is not trusted: {facts.get('issuer', 'unknown')}."
            )
            return (
                told,
                "If it is your own authority, name its file as `ca_file` in the environment; else do not go on.",
            )
        case _:
            return f"The certificate of {host} does not hold: {error.verify_message}.", "Ask whoever runs the host."


async def _shown(place: Place, address: str) -> tuple[dict[str, str], datetime | None]:
    """Read the certificate of a host that is not trusted, to say what is wrong with it; nothing is sent to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(address, place.port, ssl=context, server_hostname=place.host)
    except (OSError, TimeoutError):
        return {}, None
    found = facts_of(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    await _close(writer)
    return found


async def _addresses(place: Place) -> list[str]:
    try:
        async with asyncio.timeout(PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise FixConnection(
            f"The name {place.host} leads nowhere.",
            code="unknown-host",
            advice=f"Look whether `{place.setting}` is spelt right, and whether this machine can ask its name server.",
            setting=place.setting,
            reason=getattr(error, "strerror", None) or type(error).__name__,
        ) from error
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _allowed(place: Place, addresses: list[str], private_hosts: frozenset[str]) -> list[str]:
    return addresses if place.host in private_hosts else [each for each in addresses if may_connect(each)]


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(1.0):
            await writer.wait_closed()


def _common(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""
