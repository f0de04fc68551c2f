"""What one NetSuite account needs: hosts, the integration's identity, and its key or token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cryptography import x509
from pydantic import Field, SecretStr, field_validator, model_validator

from hub.sdk.settings import Secret, SecretText, Settings, Telltale

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"
_BEGINS, _ENDS = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
#: What the legacy mode signs with.
_SIGNING = ("consumer_secret", "token_id", "token_secret")


class NetSuiteSettings(Settings):
    """One account and one integration record, with a mapped certificate or, the legacy mode, an access token.

    - `account` is the account id as NetSuite shows it (`1234567_SB1`).
    - `base_url` is the SuiteTalk host, `restlet_base_url` the RESTlet host; left out, it is derived from `base_url`.
    - `auth` is `oauth2` (client credentials with a signed assertion) or `tba` (token-based authentication).
    - `client_id` is the integration's consumer key, `certificate_id` the id shown after mapping the certificate.
    - `private_key` is the certificate's key as PEM: RSA of 3072 or 4096 bits for PS256, P-256 for ES256.
    - `certificate` is the certificate itself as PEM; it may also stand beside the key in `private_key`. Where it is
      given, `credentials_end` is the day on which it ends, unless that is told.
    - `consumer_secret`, `token_id` and `token_secret` sign each request in the legacy mode.
    - `time_zone` is the one that the integration's user has in NetSuite; SuiteQL tells times in it.
    """

    # Sandboxes and release previews carry it in their names, test drives begin with it.
    telltales: ClassVar[Sequence[Telltale]] = (
        Telltale(field="account", pattern=r"(?i)^TSTDRV|[_-](SB|RP)\d*$", production=False),
        Telltale(field="account", pattern=r"^\d+$", production=True),
        Telltale(field="base_url", pattern=r"(?i)//(tstdrv\w*|\w+-(sb|rp)\d*)\.suitetalk\.", production=False),
        Telltale(field="base_url", pattern=r"//\d+\.suitetalk\.", production=True),
    )

    asks: ClassVar[frozenset[str]] = frozenset({"certificate_id", "private_key"})

    account: str
    restlet_base_url: str = ""
    auth: Literal["oauth2", "tba"] = "oauth2"
    client_id: str
    certificate_id: str = ""
    private_key: SecretText = Secret("")
    certificate: str = Field(default="", json_schema_extra={"lines": "many"})
    algorithm: Literal["PS256", "PS384", "PS512", "ES256", "ES384", "ES512"] = "PS256"
    scope: tuple[str, ...] = ("rest_webservices", "restlets")
    consumer_secret: Secret = Secret("")
    token_id: str = ""
    token_secret: Secret = Secret("")
    time_zone: str = "UTC"

    @model_validator(mode="before")
    @classmethod
    def _read_end(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("credentials_end") is not None:
            return given
        pem = next(
            (each for each in map(_certificate, (given.get("certificate"), given.get("private_key"))) if each), ""
        )
        if not pem:
            return given
        try:
            ends = x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
        except ValueError:
            raise ValueError("the certificate is not one in PEM form") from None
        return {**given, "credentials_end": ends.date()}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = ("certificate_id", "private_key") if self.auth == "oauth2" else _SIGNING
        missing = [name for name in needed if not getattr(self, name)]
        if missing:
            raise ValueError(f"auth: {self.auth} needs {', '.join(missing)}")
        return self

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("time_zone is a name such as Europe/Berlin") from None
        return value

    @field_validator("base_url", "restlet_base_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def signing_key(self) -> str:
        """Give the private key without a certificate that may stand beside it."""
        text = self.private_key.get_secret_value()
        beside = _certificate(text)
        return text.replace(beside, "").strip() if beside else text

    @property
    def token_url(self) -> str:
        """Give the address that issues tokens; it is also the audience of the signed assertion."""
        return self.base_url + TOKEN_PATH

    @property
    def restlet_host(self) -> str:
        """Give the RESTlet host: the one that is set, else the account's own beside its SuiteTalk host."""
        return self.restlet_base_url or self.base_url.replace(".suitetalk.", ".restlets.", 1)


def _certificate(value: Any) -> str:
    """Give the certificate that stands in a text in PEM form; nothing where there is none."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str) or _BEGINS not in text:
        return ""
    return text[text.index(_BEGINS) :].partition(_ENDS)[0] + _ENDS
