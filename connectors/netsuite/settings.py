"""What one NetSuite account needs: hosts, the integration's identity, and its private key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import field_validator

from hub.sdk.settings import SecretText, Settings, Telltale

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"


class NetSuiteSettings(Settings):
    """One account and one integration record with a mapped certificate.

    - `account` is the account id as NetSuite shows it (`1234567_SB1`).
    - `base_url` is the SuiteTalk host, `restlet_base_url` the RESTlet host; left out, it is derived from `base_url`.
    - `client_id` is the integration's consumer key, `certificate_id` the id shown after mapping the certificate.
    - `private_key` is the certificate's key as PEM: RSA of at least 3072 bits for PS256, P-256 for ES256.
    """

    # Sandboxes and release previews carry it in their names, test drives begin with it.
    telltales: ClassVar[Sequence[Telltale]] = (
        Telltale(field="account", pattern=r"(?i)^TSTDRV|[_-](SB|RP)\d*$", production=False),
        Telltale(field="account", pattern=r"^\d+$", production=True),
        Telltale(field="base_url", pattern=r"(?i)//(tstdrv\w*|\w+-(sb|rp)\d*)\.suitetalk\.", production=False),
        Telltale(field="base_url", pattern=r"//\d+\.suitetalk\.", production=True),
    )

    account: str
    restlet_base_url: str = ""
    client_id: str
    certificate_id: str
    private_key: SecretText
    algorithm: Literal["PS256", "ES256"] = "PS256"
    scope: tuple[str, ...] = ("rest_webservices", "restlets")

    @field_validator("base_url", "restlet_base_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def token_url(self) -> str:
        """Give the address that issues tokens; it is also the audience of the signed assertion."""
        return self.base_url + TOKEN_PATH

    @property
    def restlet_host(self) -> str:
        """Give the RESTlet host: the one that is set, else the account's own beside its SuiteTalk host."""
        return self.restlet_base_url or self.base_url.replace(".suitetalk.", ".restlets.", 1)
