"""Encrypted ways, certificates and credentials, against real servers that insist on them."""

from __future__ import annotations

import base64
import binascii
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

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
from hub.proof.servers.nats import _program
from hub.proof.servers.supervising import accepts, supervise
config, port = sys.argv[1:]
raise SystemExit(supervise([_program(), "--config", config], ready=lambda: accepts(int(port)), hello={},
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


async def test_a_server_that_knows_people_by_signed_tokens(serve: Serve, teller: Teller, tmp_path: Path) -> None:
    operator, system, account, user, other = Nkey(14), Nkey(0), Nkey(0), Nkey(20), Nkey(20)
    names = ("subs", "data", "payload", "imports", "exports", "conn", "leaf", "mem_storage", "disk_storage")
    limits = dict.fromkeys((*names, "streams", "consumer"), -1) | {"wildcards": True}
    accounts = {
        each: operator.says(
            each, "account", limits=limits if each is account else {**limits, "disk_storage": 0, "mem_storage": 0}
        )
        for each in (system, account)
    }
    preloaded = ", ".join(f"{each.public}: {token}" for each, token in accounts.items())
    port = serve(
        f"operator: {operator.says(operator, 'operator')}\nsystem_account: {system.public}\n"
        f"resolver: MEMORY\nresolver_preload: {{ {preloaded} }}"
    )
    unlimited = {"subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}}

    def credentials(token: str, seed: str) -> Path:
        path = tmp_path / "hub.creds"
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            f"************************* IMPORTANT *************************\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
        path.chmod(0o600)
        return path

    token = account.says(user, "user", **unlimited)
    settings = given(f"nats://127.0.0.1:{port}", CONCORD_NATS_CREDENTIALS=credentials(token, user.seed))
    assert await published(teller, settings) == [1, 2, 3]
    # Who has the token alone is nobody.
    credentials(token, other.seed)
    told = await refused(settings)
    assert "Authorization" in told and other.seed not in told and token not in told
