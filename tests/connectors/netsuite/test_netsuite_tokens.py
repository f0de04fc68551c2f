"""The sandbox's door: which assertions get a token, and what a token opens."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from connectors.netsuite.sandbox.tokens import Tokens
from hub.sandbox.clock import Clock

RECORDS = "/services/rest/record/v1"
RESTLET = "/app/site/hosting/restlet.nl?script=101&deploy=1"


def _pem(key: Any) -> tuple[str, str]:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


async def test_good_assertion_gets_a_bearer_token(plain: Any) -> None:
    answer = await plain.ask_token(plain.assertion())
    assert answer.status == 200
    assert answer.body["token_type"] == "Bearer"
    assert answer.body["expires_in"] == 3600
    assert (await plain.get("/metadata-catalog")).status == 200


@pytest.mark.parametrize("scope", ["rest_webservices", "rest_webservices,restlets", ["restlets"]])
async def test_scope_may_be_text_or_list(plain: Any, scope: Any) -> None:
    assert (await plain.ask_token(plain.assertion(scope=scope))).status == 200


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"aud": "https://elsewhere.example/token"}, "invalid_client"),
        ({"iss": "somebody"}, "invalid_client"),
        ({"kid": "unknown"}, "invalid_client"),
        ({"exp": int(time.time()) - 10}, "invalid_grant"),
        ({"exp": int(time.time()) + 7200}, "invalid_grant"),
        ({"iat": "now"}, "invalid_grant"),
        ({"scope": ["everything"]}, "invalid_scope"),
        ({"scope": []}, "invalid_scope"),
    ],
)
async def test_wrong_claims_get_none(plain: Any, changed: dict[str, Any], error: str) -> None:
    answer = await plain.ask_token(plain.assertion(**changed))
    assert (answer.status, answer.body) == (400, {"error": error})


async def test_wrong_forms_get_none(plain: Any) -> None:
    good = plain.assertion()
    other = await plain.ask_token(good, grant_type="password")
    assert (other.status, other.body) == (400, {"error": "unsupported_grant_type"})
    assert (await plain.ask_token(good, client_assertion_type="jwt")).body == {"error": "invalid_request"}
    assert (await plain.ask_token("not.a.jwt")).body == {"error": "invalid_client"}
    assert (await plain.ask_token(good[:-6] + "AAAAAA")).body == {"error": "invalid_client"}


async def test_another_key_gets_none(plain: Any) -> None:
    private, _ = _pem(ec.generate_private_key(ec.SECP256R1()))
    answer = await plain.ask_token(plain.assertion(key=private))
    assert (answer.status, answer.body) == (400, {"error": "invalid_client"})


async def test_rsa_signs_with_ps256_and_not_with_rs256(plain: Any) -> None:
    private, public = _pem(rsa.generate_private_key(public_exponent=65537, key_size=3072))
    assert (await plain.seed({"certificates": [{"certificate_id": "rsa-1", "public_key": public}]})).status == 200
    good = await plain.ask_token(plain.assertion(algorithm="PS256", key=private, kid="rsa-1"))
    assert good.status == 200
    bad = await plain.ask_token(plain.assertion(algorithm="RS256", key=private, kid="rsa-1"))
    assert (bad.status, bad.body) == (400, {"error": "invalid_client"})


@pytest.mark.parametrize(
    ("algorithm", "make"),
    [
        ("PS384", lambda: rsa.generate_private_key(public_exponent=65537, key_size=3072)),
        ("PS512", lambda: rsa.generate_private_key(public_exponent=65537, key_size=4096)),
        ("ES384", lambda: ec.generate_private_key(ec.SECP384R1())),
        ("ES512", lambda: ec.generate_private_key(ec.SECP521R1())),
    ],
    ids=["PS384", "PS512", "ES384", "ES512"],
)
async def test_stronger_algorithms_sign_too(plain: Any, algorithm: str, make: Callable[[], Any]) -> None:
    private, public = _pem(make())
    await plain.seed({"certificates": [{"certificate_id": "other", "public_key": public}]})
    answer = await plain.ask_token(plain.assertion(algorithm=algorithm, key=private, kid="other"))
    assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        lambda: ec.generate_private_key(ec.SECP192R1()),
        ed25519.Ed25519PrivateKey.generate,
    ],
    ids=["RSA 2048", "P-192", "Ed25519"],
)
def test_weak_and_other_keys_are_not_registered(make: Callable[[], Any]) -> None:
    _, public = _pem(make())
    with pytest.raises(ValueError, match=r"RSA key has|EC key is|RSA or an EC"):
        Tokens(Clock()).register(certificate_id="c", client_id="i", pem=public)


def _certificate(key: ec.EllipticCurvePrivateKey, days: int) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "integration")])
    begins = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


async def test_certificate_ends(plain: Any) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    private, _ = _pem(key)
    await plain.seed({"certificates": [{"certificate_id": "x", "certificate": _certificate(key, 2)}]})
    assert (await plain.ask_token(plain.assertion(key=private, kid="x"))).status == 200
    plain.served.world.clock.advance(86_400 * 2)
    answer = await plain.ask_token(plain.assertion(key=private, kid="x"))
    assert (answer.status, answer.body) == (400, {"error": "invalid_client"})
    assert "has ended" in (await plain.books())["loginAudit"][0]["reason"]


async def test_certificates_of_more_than_two_years_are_not_registered(plain: Any) -> None:
    certificate = _certificate(ec.generate_private_key(ec.SECP256R1()), 800)
    answer = await plain.seed({"certificates": [{"certificate_id": "x", "certificate": certificate}]})
    assert (answer.status, answer.body) == (400, {"error": "a certificate is valid for at most two years"})


async def test_older_accounts_tell_the_life_as_text(plain: Any) -> None:
    await plain.seed({"settings": {"token_seconds_as_text": True}})
    assert (await plain.ask_token(plain.assertion())).body["expires_in"] == "3600"


async def test_tokens_end(plain: Any) -> None:
    await plain.seed({"settings": {"token_seconds": 10}})
    await plain.sign_in()
    assert (await plain.get("/metadata-catalog")).status == 200
    plain.served.world.clock.advance(11)
    answer = await plain.get("/metadata-catalog")
    assert answer.status == 401
    assert answer.error["o:errorCode"] == "INVALID_LOGIN"
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


async def test_restlets_refuse_in_words_of_their_own(plain: Any) -> None:
    plain.token = "made up"
    answer = await plain.call("POST", RESTLET, {"customer": "1"})
    assert answer.status == 401
    assert answer.body == {"error": {"code": "INVALID_LOGIN_ATTEMPT", "message": "Invalid login attempt."}}


async def test_scope_opens_only_its_service(plain: Any) -> None:
    plain.token = (await plain.ask_token(plain.assertion(scope=["restlets"]))).body["access_token"]
    assert (await plain.call("POST", RESTLET, {"customer": "1"})).status == 200
    answer = await plain.get("/customer/1001")
    assert (answer.status, answer.error["o:errorCode"]) == (403, "INSUFFICIENT_PERMISSION")


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "OAuth", "Basic dTpw", "nonsense"])
async def test_headers_without_credentials_are_bad_requests(plain: Any, header: str) -> None:
    answer = await plain.send("GET", f"{plain.served.url}{RECORDS}/customer/1001", {"Authorization": header})
    assert (answer.status, 'error="invalid_request"' in answer.headers["WWW-Authenticate"]) == (400, True)
    missing = await plain.send("GET", f"{plain.served.url}{RECORDS}/customer/1001", {})
    assert (missing.status, missing.error["o:errorCode"]) == (401, "INVALID_LOGIN")
