"""Encrypted ways, certificates and credentials, against real servers that insist on them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.backbone.examining import examined
from hub.backbone.line import Away
from hub.backbone.names import stream_of
from hub.backbone.settings import NatsSettings, nats_settings
from hub.errors import Refused
from hub.proof.processes import Processes
from hub.proof.servers.supervising import free_port
from hub.sandbox.certificates import client_file, issue
from tests.backbone.hubs import Teller, facts_of, line_to

pytestmark = pytest.mark.processes

Serve = Callable[[str], int]
_SERVE = """
import signal, sys
from hub.proof.servers.nats import program
from hub.proof.servers.supervising import accepts, supervise
config, port = sys.argv[1:]
raise SystemExit(supervise([program(), "--config", config], ready=lambda: accepts(int(port)), hello={},
                           ends_by=signal.SIGTERM))
"""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a server with settings of the test's own; gives its port."""
    with Processes(tmp_path / "logs") as processes:

        def start(settings: str) -> int:
            port, file = free_port(), tmp_path / "nats.conf"
            store = f'jetstream {{ store_dir: "{tmp_path / "jetstream"}" }}'
            file.write_text(f'listen: "127.0.0.1:{port}"\n{store}\n{settings}\n')
            processes.start("nats", (sys.executable, "-c", _SERVE, str(file), str(port)))
            return port

        yield start


def given(servers: str, **environ: object) -> NatsSettings:
    found = nats_settings({"CONCORD_NATS": servers, **{name: str(value) for name, value in environ.items()}})
    assert found is not None
    return found


async def published(teller: Teller, settings: NatsSettings) -> list[int]:
    """Publish three facts, and give what is read back."""
    backbone = teller.backbone(settings)
    await teller.tell(1, 2, 3)
    await teller.published()
    await backbone.stop()
    return await facts_of(settings, teller.environment)


async def refused(settings: NatsSettings) -> str:
    with pytest.raises(Away) as told:
        async with line_to(settings):
            pass
    return str(told.value)


async def test_a_server_that_insists_on_tls_and_on_certificates(serve: Serve, teller: Teller, tmp_path: Path) -> None:
    _, authority = issue(tmp_path, "localhost", clients=["hub"])
    server, ours = tmp_path / "server.pem", client_file(tmp_path, "hub")
    port = serve(f'tls {{ cert_file: "{server}", key_file: "{server}", ca_file: "{authority}", verify: true }}')
    url = f"tls://localhost:{port}"
    whole = {"CONCORD_NATS_CA": authority, "CONCORD_NATS_CERT": ours, "CONCORD_NATS_KEY": ours}
    assert await published(teller, given(url, **whole)) == [1, 2, 3]
    # Without the authority, nobody knows who answers; without our own certificate, the server lets nobody in.
    assert "certificate verify failed" in await refused(given(url))
    await refused(given(url, CONCORD_NATS_CA=authority))


async def test_a_way_that_is_to_be_encrypted_is_taken_no_other_way(serve: Serve, tmp_path: Path) -> None:
    """A server that offers no TLS, or somebody in between who says so for it, is told nothing."""
    _, authority = issue(tmp_path, "localhost")
    port = serve('authorization { user: "hub", password: "hub-word" }')
    async with line_to(given(f"nats://hub:hub-word@127.0.0.1:{port}")):
        pass
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        writer.write(await there.readline())
        heard.extend(await reader.read())
        back.close()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as between:
        way = between.sockets[0].getsockname()[1]
        for settings in (
            given(f"tls://hub:hub-word@127.0.0.1:{way}", CONCORD_NATS_CA=authority),
            given(f"tls://hub:hub-word@127.0.0.1:{way}"),
            given(f"nats://hub:hub-word@127.0.0.1:{way}", CONCORD_NATS_CA=authority),
        ):
            assert "offers no encryption" in await refused(settings)
    assert bytes(heard) == b""


async def test_the_rights_that_the_document_names_are_enough(
    serve: Serve, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a hub, and for who reads alone; that one can write nothing, and is told why."""
    hub = 'publish: ["concord.>", "$JS.API.>"], subscribe: ["concord.>", "_INBOX.>"]'
    reader = 'publish: ["$JS.API.CONSUMER.>", "$JS.API.STREAM.INFO.>", "$JS.ACK.>"], subscribe: ["_INBOX.>"]'
    port = serve(
        "authorization { users: [\n"
        f"  {{ user: hub, password: hub-word, permissions: {{ {hub} }} }}\n"
        f"  {{ user: reader, password: reader-word, permissions: {{ {reader} }} }}\n"
        "] }"
    )
    ours, theirs = (given(f"nats://{who}:{who}-word@127.0.0.1:{port}") for who in ("hub", "reader"))
    assert await published(teller, ours) == [1, 2, 3]
    assert await facts_of(theirs, teller.environment) == [1, 2, 3]
    monkeypatch.setattr("hub.backbone.line.ANSWERS_WITHIN", 0.5)
    async with line_to(theirs) as line:
        with pytest.raises(Away, match=r"(?i)permissions violation for publish"):
            await line.ask(f"STREAM.DELETE.{stream_of(teller.environment)}")
        assert await line.store([(f"concord.{teller.environment}.feed.0.forged", b"{}", {})]) == [None]
    assert await facts_of(ours, teller.environment) == [1, 2, 3]


def test_a_file_of_certificates_that_holds_none_is_told_at_the_start(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    with pytest.raises(Refused, match=r"CONCORD_NATS_CA.*ca\.pem"):
        given("tls://h", CONCORD_NATS_CA=broken)
    issue(tmp_path, "localhost", clients=["hub"])
    with pytest.raises(Refused, match="CONCORD_NATS_CERT"):
        given("tls://h", CONCORD_NATS_CERT=broken, CONCORD_NATS_KEY=broken)


class Nkey:
    """A key of NATS, as operators, accounts and users have one."""

    def __init__(self, kind: int) -> None:
        """Make one; `kind` is the prefix that says whose."""
        self._kind = kind << 3
        self._key = Ed25519PrivateKey.generate()
        self.public = _spelled(bytes([self._kind]) + self._key.public_key().public_bytes_raw())

    @property
    def seed(self) -> str:
        """Give the secret half."""
        first, second = 18 << 3 | self._kind >> 5, (self._kind & 31) << 3
        return _spelled(bytes([first, second]) + self._key.private_bytes_raw())

    def says(self, of: Nkey, kind: str, **claims: Any) -> str:
        """Sign a token about somebody."""
        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        about = {"iss": self.public, "sub": of.public, "iat": 1_700_000_000, "name": kind, "jti": of.public}
        parts = (head, {**about, "nats": {**claims, "type": kind, "version": 2}})
        signed = ".".join(_in_base64(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{_in_base64(self._key.sign(signed.encode()))}"


def _spelled(raw: bytes) -> str:
    return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")


def _in_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def known_by_tokens(serve: Serve, folder: Path, **room: Any) -> tuple[int, Nkey, Nkey]:
    """Start a server that knows people by signed tokens; gives its port, the hub's account and its user.

    `room` is what the account may keep.
    """
    operator, system, account, user = Nkey(14), Nkey(0), Nkey(0), Nkey(20)
    names = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
    limits = dict.fromkeys(names, -1) | {"wildcards": True}
    tokens = {
        each: operator.says(each, "account", limits={**limits, **(room if each is account else {})})
        for each in (system, account)
    }
    preloaded = ", ".join(f"{each.public}: {token}" for each, token in tokens.items())
    port = serve(
        f"operator: {operator.says(operator, 'operator')}\nsystem_account: {system.public}\n"
        f"resolver: MEMORY\nresolver_preload: {{ {preloaded} }}"
    )
    credentials(folder, user_token(account, user), user.seed)
    return port, account, user


def user_token(account: Nkey, user: Nkey) -> str:
    return account.says(user, "user", subs=-1, data=-1, payload=-1, pub={}, sub={})


def credentials(folder: Path, token: str, seed: str) -> Path:
    """Write a file of credentials, in place of the one before."""
    path = folder / "hub.creds"
    path.write_text(
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"************************* IMPORTANT *************************\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
    path.chmod(0o600)
    return path


async def test_a_server_that_knows_people_by_signed_tokens(serve: Serve, teller: Teller, tmp_path: Path) -> None:
    port, account, user = known_by_tokens(serve, tmp_path, mem_storage=-1, disk_storage=-1, streams=-1, consumer=-1)
    settings = given(f"nats://127.0.0.1:{port}", CONCORD_NATS_CREDENTIALS=tmp_path / "hub.creds")
    assert await published(teller, settings) == [1, 2, 3]
    # Who has the token alone is nobody.
    token, other = user_token(account, user), Nkey(20)
    credentials(tmp_path, token, other.seed)
    told = await refused(settings)
    assert "Authorization" in told and other.seed not in told and token not in told


async def test_an_account_with_a_limit_for_each_number_of_copies(serve: Serve, teller: Teller, tmp_path: Path) -> None:
    """That of the feed's own copies counts, and where there is none, nothing may be kept."""
    few, many = ({"mem_storage": 0, "disk_storage": room, "streams": -1, "consumer": -1} for room in (900_000, 10**9))
    port, _account, _user = known_by_tokens(serve, tmp_path, tiered_limits={"R1": few, "R3": many})
    url, file = f"nats://127.0.0.1:{port}", tmp_path / "hub.creds"

    async def room(copies: int) -> tuple[str, str]:
        settings = given(url, CONCORD_NATS_CREDENTIALS=file, CONCORD_NATS_REPLICAS=copies)
        async with line_to(settings) as line:
            found = {remark.name: remark for remark in await examined(line, settings, teller.environment)}
        return found["nats-room"].severity, found["nats-room"].found

    assert await published(teller, given(url, CONCORD_NATS_CREDENTIALS=file)) == [1, 2, 3]
    assert await room(1) == ("ok", "0.0 MB used of 1 MB in tier R1")
    assert await room(3) == ("ok", "0.0 MB used of 3,000 MB in tier R3")
    assert await room(5) == ("fail", "this account may keep nothing in tier R5")
    async with line_to(given(url, CONCORD_NATS_CREDENTIALS=file)) as line:
        await line.store([(f"concord.{teller.environment}.feed.0.large", b"." * 850_000, {})])
    assert (await room(1))[0] == "warn"
