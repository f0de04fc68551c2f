"""A connection's test says at which stage it fails, what is wrong and what to do."""

from __future__ import annotations

import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.helloworld.connector import CONNECTOR
from connectors.stripe.connector import CONNECTOR as STRIPE
from hub.connections.accounts import Account
from hub.connections.diagnosis import Check, Diagnosis, Outcome, Stage, diagnose, stage_of
from hub.connections.limiter import Limiter
from hub.errors import FixConnection
from hub.model.ambient import Ambient
from hub.runtime.clock import SystemClock
from hub.sandbox.main import find
from hub.sandbox.server import Options, Running, running
from hub.sdk.connector import Connector
from hub.sdk.transport import Transport

HERE = frozenset({"127.0.0.1", "localhost"})
GOOD = {"authorization": "Bearer good"}


@asynccontextmanager
async def account(
    url: str, *, key: str = "key-of-the-test", ca_file: Path | str | None = None, speaks: Connector = CONNECTOR
) -> AsyncIterator[Account]:
    ambient = Ambient(clock=SystemClock(), random=random.Random(1))
    transport = Transport(
        private_hosts=sorted(HERE), ca_file=None if ca_file is None else str(ca_file), now=ambient.now
    )
    given = {"base_url": url, "api_key": key, "webhook_secret": "whsec_x", "timeout": 5}
    yield Account(
        name="hello",
        connector=speaks,
        settings=speaks.settings.model_validate(given),
        limiter=Limiter(speaks.limits, ambient),
        transport=transport,
        ambient=ambient,
    )
    await transport.close()


async def trial(account: Account, *, production: bool | None = False, private: frozenset[str] = HERE) -> Diagnosis:
    return await diagnose(account, production=production, private_hosts=private)


def failing(found: Diagnosis, stage: Stage) -> Check:
    """Give the stage that failed, which must be this one and end the test."""
    outcomes = {check.stage: check.outcome for check in found.checks}
    assert list(outcomes) == list(Stage)
    assert found.failed is not None, outcomes
    assert found.failed.stage is stage, found.failed
    assert found.failed.advice
    later = list(Stage)[list(Stage).index(stage) + 1 :]
    assert {outcomes[each] for each in later} <= {Outcome.SKIPPED}
    assert not found.works
    return found.failed


@asynccontextmanager
async def greeter(**options: Any) -> AsyncIterator[Running]:
    async with running(find("helloworld"), Options(**options)) as served:
        yield served


@asynccontextmanager
async def answering(
    status: int = 200, *, skew: timedelta = timedelta(), tls: ssl.SSLContext | None = None, body: str = '{"ok": true}'
) -> AsyncIterator[str]:
    """Serve one answer to everything, with a clock that is ahead by so much."""

    async def answer(_request: web.Request) -> web.Response:
        date = format_datetime(datetime.now(UTC) + skew, usegmt=True)
        return web.Response(status=status, text=body, headers={"Date": date})

    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    yield f"{'http' if tls is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def certified(
    folder: Path, *, names: tuple[str, ...] = ("localhost",), begins: int = -10, ends: int = 90
) -> tuple[ssl.SSLContext, Path]:
    """Give a server's context with a certificate that signs itself, for these names and days from now, and its file."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Vendor of the test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.pem").write_bytes(pem)
    (folder / "own.pem").write_bytes(
        pem
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "own.pem")
    return context, folder / "ca.pem"


async def test_all_is_well() -> None:
    async with greeter() as vendor, account(vendor.url, key=vendor.announcement["api_key"]) as hello:
        found = await trial(hello)
    assert found.works
    assert {check.outcome for check in found.checks if check.stage is not Stage.TLS} == {Outcome.OK}
    assert [check.stage for check in found.checks] == list(Stage)


async def test_all_is_well_over_tls_with_the_facts_of_the_certificate() -> None:
    async with (
        greeter(tls=True) as vendor,
        account(vendor.url, key=vendor.announcement["api_key"], ca_file=vendor.announcement["ca_file"]) as hello,
    ):
        found = await trial(hello)
    (tls,) = (check for check in found.checks if check.stage is Stage.TLS)
    assert found.works
    assert (tls.outcome, tls.facts["issuer"]) == (Outcome.OK, "Sandbox test authority")
    assert "127.0.0.1" in tls.facts["names"]
    assert tls.facts["until"] > tls.facts["from"]


async def test_a_name_that_leads_nowhere() -> None:
    async with account("https://api..example") as hello:
        failed = failing(await trial(hello), Stage.HOST)
    assert "leads nowhere" in failed.found
    assert "`base_url` is spelt right" in failed.advice


async def test_a_host_inside_that_nobody_named() -> None:
    async with account("http://127.0.0.1:9") as hello:
        failed = failing(await trial(hello, private=frozenset()), Stage.HOST)
    assert "private_hosts: [127.0.0.1]" in failed.advice


async def test_a_port_that_nobody_listens_on() -> None:
    async with account("http://127.0.0.1:9") as hello:
        failed = failing(await trial(hello), Stage.CONNECTION)
    assert failed.found == "Port 9 of 127.0.0.1 refuses connections."


@pytest.mark.parametrize(
    ("shape", "host", "trusted", "words"),
    [
        ({"ends": -1}, "localhost", True, "has expired"),
        ({"begins": 1}, "localhost", True, "holds only from"),
        ({"names": ("other.example", "www.other.example")}, "localhost", True, "but for other.example, www.other"),
        ({}, "127.0.0.1", True, "The certificate is not for 127.0.0.1"),
        ({}, "localhost", False, "not trusted: Vendor of the test"),
    ],
)
async def test_a_certificate_that_does_not_hold(
    tmp_path: Path,
    shape: dict[str, Any],
    host: str,
    trusted: bool,  # noqa: FBT001 - what is tried
    words: str,
) -> None:
    context, authority = certified(tmp_path, **shape)
    async with (
        answering(tls=context) as url,
        account(url.replace("127.0.0.1", host), ca_file=authority if trusted else None) as hello,
    ):
        failed = failing(await trial(hello), Stage.TLS)
    assert words in failed.found
    assert failed.facts["subject"] == "Vendor of the test"


async def test_a_certificate_that_ends_soon_is_told_and_does_not_fail(tmp_path: Path) -> None:
    context, authority = certified(tmp_path, ends=5)
    async with answering(tls=context) as url, account(url.replace("127.0.0.1", "localhost"), ca_file=authority) as one:
        found = await trial(one)
    (tls,) = (check for check in found.checks if check.stage is Stage.TLS)
    assert (found.works, tls.outcome) == (True, Outcome.WARN)
    assert "ends on" in tls.found


async def test_a_port_that_speaks_no_tls() -> None:
    async with answering() as url, account(url.replace("http:", "https:")) as hello:
        assert "makes no TLS" in failing(await trial(hello), Stage.TLS).found


async def test_a_file_of_authorities_that_is_not_there() -> None:
    async with answering() as url, account(url, ca_file="/nowhere/ca.pem") as hello:
        assert "`ca_file`" in failing(await trial(hello), Stage.SETTINGS).advice


@pytest.mark.parametrize(
    ("skew", "words"),
    [(timedelta(minutes=10), "behind that of 127.0.0.1"), (timedelta(minutes=-10), "ahead of that of 127.0.0.1")],
)
async def test_a_clock_that_is_wrong_fails(skew: timedelta, words: str) -> None:
    async with answering(skew=skew) as url, account(url) as hello:
        failed = failing(await trial(hello), Stage.CLOCK)
    assert words in failed.found
    assert "NTP" in failed.advice


async def test_a_clock_that_is_a_little_wrong_is_told() -> None:
    async with answering(skew=timedelta(seconds=90)) as url, account(url) as hello:
        found = await trial(hello)
    assert found.works
    assert [check.stage for check in found.checks if check.outcome is Outcome.WARN] == [Stage.CLOCK]


async def test_a_key_that_the_vendor_does_not_know() -> None:
    async with greeter() as vendor, account(vendor.url, key="a-key-that-is-wrong") as hello:
        failed = failing(await trial(hello), Stage.CREDENTIALS)
    assert failed.found == "The API key is not known."
    assert "concord connect" in failed.advice
    assert "a-key-that-is-wrong" not in repr(failed)


async def test_a_key_that_may_not() -> None:
    async with answering(403) as url, account(url) as hello:
        found = await trial(hello)
    assert "rights at the vendor" in failing(found, Stage.PERMISSION).advice
    assert next(check for check in found.checks if check.stage is Stage.CREDENTIALS).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("error", "stage"),
    [
        (FixConnection("x", code="invalid-login", status=401), Stage.CREDENTIALS),
        (FixConnection("x", code="insufficient-permission", status=400), Stage.PERMISSION),
        (FixConnection("x", code="missing-scope"), Stage.PERMISSION),
        (FixConnection("x", status=403), Stage.PERMISSION),
        (FixConnection("x", code="wrong-account", status=403), Stage.ACCOUNT),
        (FixConnection("x", code="company-not-found", status=401), Stage.ACCOUNT),
    ],
)
def test_a_connector_says_the_stage_by_its_codes(error: FixConnection, stage: Stage) -> None:
    assert stage_of(error) is stage


async def test_what_is_no_such_system() -> None:
    async with answering(body="<html>A login page</html>") as url, account(url) as hello:
        assert "`base_url`" in failing(await trial(hello), Stage.CREDENTIALS).advice


@pytest.mark.parametrize(("key", "production"), [("sk_live_1234567890", False), ("rk_test_1234567890", True)])
async def test_nothing_is_sent_with_a_key_of_the_other_kind(key: str, production: bool) -> None:  # noqa: FBT001
    async with greeter() as vendor, account(vendor.url, key=key, speaks=STRIPE) as stripe:
        failed = failing(await trial(stripe, production=production), Stage.KIND)
        assert vendor.world.requests.since(0) == []
    assert "`api_key`" in failed.advice


async def test_a_paused_connection_is_tested_and_stays_paused() -> None:
    async with greeter() as vendor, account(vendor.url, key=vendor.announcement["api_key"]) as hello:
        hello.paused = "its key was revoked"
        assert (await trial(hello)).works
        assert hello.paused == "its key was revoked"
        assert hello.health.successes == 0
