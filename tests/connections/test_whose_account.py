"""A connection knows whose account it is, and when its certificate ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from connectors.netsuite.settings import NetSuiteSettings
from connectors.stripe.client import ping
from connectors.stripe.connector import CONNECTOR as STRIPE
from hub.connections.diagnosis import Stage, stage_of
from hub.errors import FixConnection
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.signing import signed_assertion
from hub.sdk.testing.sending import Connected


async def told(sandbox: Running, **settings: Any) -> Any:
    """Ping a sandbox with these settings."""
    given = {"base_url": sandbox.url, "api_key": sandbox.announcement["api_key"], "webhook_secret": "whsec_x"}
    connected = Connected(STRIPE, STRIPE.settings.model_validate({**given, **settings}))
    try:
        return await ping(connected)
    finally:
        await connected.close()


async def test_stripe_says_whose_key_it_is() -> None:
    async with running(find("stripe")) as sandbox:
        own = await told(sandbox)
        assert own["account"].startswith("acct_")
        assert await told(sandbox, own_account=own["account"]) == own
        with pytest.raises(FixConnection) as wrong:
            await told(sandbox, own_account="acct_another")
        assert (wrong.value.code, stage_of(wrong.value)) == ("wrong-account", Stage.ACCOUNT)
        assert wrong.value.facts["account"] == own["account"]


async def test_a_connected_account_is_told_by_its_own_name() -> None:
    async with running(find("stripe")) as sandbox:
        made = await sandbox.world.books.seed({"accounts": [{"country": "DE"}]})
        (identifier,) = made["made"]["accounts"]
        identifier = identifier if isinstance(identifier, str) else identifier["id"]
        assert await told(sandbox, account=identifier) == {"account": identifier, "country": "DE"}


async def test_a_key_that_may_not_read_its_account_is_good_unless_the_account_is_to_be_known() -> None:
    async with running(find("stripe")) as sandbox:
        refusal = [{"kind": "403", "times": 2, "match": {"path": "/v1/account$"}}]
        sandbox.world.faults.replace(refusal)
        assert await told(sandbox) == {}
        with pytest.raises(FixConnection) as unknown:
            await told(sandbox, own_account="acct_1")
        assert unknown.value.code == "account-not-readable"


def pems(ends: datetime) -> tuple[str, str]:
    """Make a key and the certificate that NetSuite would be given."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - timedelta(days=700))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def netsuite(**settings: Any) -> NetSuiteSettings:
    given = {
        "account": "1234567_SB1",
        "base_url": "https://1234567-sb1.suitetalk.api.netsuite.com",
        "client_id": "c",
        "certificate_id": "i",
        "algorithm": "ES256",
    }
    return NetSuiteSettings.model_validate({**given, **settings})


def test_the_end_of_a_certificate_is_read_from_it() -> None:
    key, certificate = pems(datetime(2027, 5, 1, tzinfo=UTC))
    assert netsuite(private_key=key).credentials_end is None
    assert netsuite(private_key=key, certificate=certificate).credentials_end == date(2027, 5, 1)
    for together in (key + certificate, certificate + key):
        settings = netsuite(private_key=together)
        assert settings.credentials_end == date(2027, 5, 1)
        signed = signed_assertion(claims={}, private_key_pem=settings.signing_key, algorithm="ES256", key_id="i")
        assert signed.count(".") == 2
    told = netsuite(private_key=key, certificate=certificate, credentials_end="2027-04-01")
    assert told.credentials_end == date(2027, 4, 1)
    broken = certificate.replace(certificate[40:60], "!" * 20)
    with pytest.raises(ValidationError, match="not one in PEM form"):
        netsuite(private_key=key, certificate=broken)
