"""What the environment variables say of NATS, read and checked before anything is connected to."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from hub.backbone.credentials import read_credentials
from hub.errors import Refused

SERVERS, CREDENTIALS, MONITOR = "CONCORD_NATS", "CONCORD_NATS_CREDENTIALS", "CONCORD_NATS_MONITOR"
AUTHORITY, CERTIFICATE, KEY = "CONCORD_NATS_CA", "CONCORD_NATS_CERT", "CONCORD_NATS_KEY"
REPLICAS, DAYS, MAX_BYTES = "CONCORD_NATS_REPLICAS", "CONCORD_FEED_DAYS", "CONCORD_FEED_MAX_BYTES"
#: What stands in the place of servers where a feed that was kept is to end.
OFF = "off"

DEFAULT_PORT = 4222
DEFAULT_DAYS = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server of NATS; only `place` may be shown."""

    place: str
    host: str
    tls: bool
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsSettings:
    """Where NATS is, who one is there, and what is asked of the stream of a feed.

    - `replicas` None takes what the number of servers allows: three from three on, else one.
    - `kept` is how long the stream and the outbox keep what was published; `max_bytes` None sets no other limit.
    - `monitors` are the addresses of the servers' monitoring, which alone tells how they sync.
    """

    servers: tuple[Server, ...]
    credentials: Path | None = None
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    replicas: int | None = None
    kept: timedelta = timedelta(days=DEFAULT_DAYS)
    max_bytes: int | None = None
    monitors: tuple[str, ...] = ()

    @property
    def places(self) -> str:
        """Give the servers as they may be shown."""
        return ", ".join(server.place for server in self.servers)

    @property
    def wanted_replicas(self) -> int:
        """Give of how many servers each keeps a copy of the feed."""
        return self.replicas or (3 if len(self.servers) >= 3 else 1)

    def encrypts(self, server: Server) -> bool:
        """Tell whether the way to a server is encrypted: its address says so, or a file that serves nothing else."""
        return server.tls or self.authority is not None or self.certificate is not None

    def encryption(self, server: Server) -> ssl.SSLContext | None:
        """Give how the way to a server is encrypted; None where it is not. Raises `Refused` for a wrong file."""
        if not self.encrypts(server):
            return None
        try:
            context = ssl.create_default_context(cafile=None if self.authority is None else str(self.authority))
        except (ssl.SSLError, OSError):
            raise _wrong(f"{AUTHORITY}: {self.authority} holds no certificate in PEM.") from None
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key)
            except (ssl.SSLError, OSError):
                told = f"{self.certificate} and {self.key} are no certificate and its key in PEM, or not of each other"
                raise _wrong(f"{CERTIFICATE} and {KEY}: {told}.") from None
        return context


def ended(environ: Mapping[str, str]) -> bool:
    """Tell whether a feed that was kept is to be kept no more."""
    return environ.get(SERVERS, "").strip().lower() == OFF


def nats_settings(environ: Mapping[str, str]) -> NatsSettings | None:
    """Give what the environment variables say, or None where they name no server; raises `Refused` for a mistake.

    No message has the value of `CONCORD_NATS` in it, because that may hold a password.
    """
    given = environ.get(SERVERS, "").strip()
    if not given or ended(environ):
        return None
    if find_spec("nats") is None:
        raise Refused(
            f"{SERVERS} is set, and the package nats-py is not installed. Install it with: pip install "
            "'concord-hub[scale]'.",
            code="nats-py-missing",
        )
    certificate, key = _file(environ, CERTIFICATE), _file(environ, KEY)
    if (certificate is None) != (key is None):
        raise _wrong(f"{CERTIFICATE} and {KEY} go together: a certificate and its key, each a PEM file.")
    credentials = _file(environ, CREDENTIALS)
    if credentials is not None:
        read_credentials(credentials)
    servers = tuple(_server(text, number) for number, text in enumerate(given.split(","), start=1))
    found = NatsSettings(
        servers=servers,
        credentials=credentials,
        authority=_file(environ, AUTHORITY),
        certificate=certificate,
        key=key,
        replicas=_replicas(environ),
        kept=_kept(environ),
        max_bytes=_max_bytes(environ),
        monitors=_monitors(environ),
    )
    for server in servers:
        found.encryption(server)
    return found


def _server(text: str, number: int) -> Server:
    shape = "nats://[user:password@]host[:port], or tls:// for an encrypted way, several with commas between"
    try:
        url = urlsplit(text.strip())
        port = url.port or DEFAULT_PORT
    except ValueError:
        raise _wrong(f"{SERVERS}: server {number} is not written as {shape}.") from None
    if url.scheme not in ("nats", "tls") or not url.hostname or url.path.strip("/") or url.query or url.fragment:
        raise _wrong(f"{SERVERS}: server {number} is not written as {shape}.")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return Server(place=f"{url.scheme}://{host}:{port}", host=url.hostname, tls=url.scheme == "tls", **_who(url))


def _who(url: SplitResult) -> dict[str, str | None]:
    user = None if url.username is None else unquote(url.username)
    if url.password is None:
        # One word alone is a token, as everywhere with NATS.
        return {"token": user or None}
    return {"user": user, "password": unquote(url.password)}


def _file(environ: Mapping[str, str], name: str) -> Path | None:
    given = environ.get(name, "").strip()
    if not given:
        return None
    path = Path(given).expanduser()
    try:
        path.open("rb").close()
    except OSError as error:
        raise _wrong(f"{name}: {path} cannot be read: {error.strerror}.") from None
    return path


def _replicas(environ: Mapping[str, str]) -> int | None:
    given = environ.get(REPLICAS, "").strip()
    if not given:
        return None
    if given not in ("1", "3", "5"):
        raise _wrong(f"{REPLICAS} is of how many servers each keeps a copy of the feed: 1, 3 or 5, not `{given}`.")
    return int(given)


def _kept(environ: Mapping[str, str]) -> timedelta:
    given = environ.get(DAYS, "").strip()
    if not given:
        return timedelta(days=DEFAULT_DAYS)
    try:
        days = float(given)
    except ValueError:
        days = 0.0
    if not 0.01 <= days <= 3650:
        raise _wrong(f"{DAYS} is for how many days a feed can be replayed, such as 7 or 0.5, not `{given}`.")
    return timedelta(days=days)


def _max_bytes(environ: Mapping[str, str]) -> int | None:
    given = environ.get(MAX_BYTES, "").strip()
    if not given:
        return None
    if not given.isascii() or not given.isdigit() or int(given) < 1_000_000:
        raise _wrong(f"{MAX_BYTES} is how large the stream may get, in bytes, at least 1000000, not `{given}`.")
    return int(given)


def _monitors(environ: Mapping[str, str]) -> tuple[str, ...]:
    found = tuple(each.strip().rstrip("/") for each in environ.get(MONITOR, "").split(",") if each.strip())
    for number, each in enumerate(found, start=1):
        url = urlsplit(each)
        if url.scheme not in ("http", "https") or not url.hostname or url.username is not None:
            raise _wrong(f"{MONITOR}: address {number} is not written as http://host:8222, several with commas.")
    return found


def _wrong(message: str) -> Refused:
    return Refused(message, code="nats-settings")
