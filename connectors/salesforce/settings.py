"""What one Salesforce org needs: its hosts, the app that signs in, and the objects that the hub works with."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from cryptography import x509
from pydantic import Field, PrivateAttr, field_validator, model_validator

from hub.sdk.settings import Secret, SecretText, Settings, Telltale

TOKEN_PATH = "/services/oauth2/token"
#: The versions that the connector is written for.
OLDEST, NEWEST = 41, 68
#: Hosts at which many orgs sign in: a credential of one org alone is refused there.
_SHARED = ("login.salesforce.com", "test.salesforce.com")
_VERSION = re.compile(r"(\d{2})\.0")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
#: The fields of custom objects that the shipped flows write, and of lines.
_EXTERNAL_IDS: Mapping[str, str] = {
    "Invoice__c": "Key__c",
    "Entitlement__c": "Key__c",
    "Usage__c": "Key__c",
    "OpportunityLineItem": "Line_Key__c",
    "QuoteLineItem": "Line_Key__c",
    "OrderItem": "Line_Key__c",
    "PricebookEntry": "Billing_Price_Id__c",
}
_ORGANIZATION = re.compile(r"00D[A-Za-z0-9]{12}([A-Za-z0-9]{3})?")
_NEEDED: Mapping[str, Sequence[str]] = {
    "jwt": ("username", "private_key"),
    "client_credentials": ("consumer_secret",),
    "refresh_token": ("refresh_token",),
}


@dataclass(slots=True)
class Learned:
    """What a process has learned of an org while it uses it; forgotten with it.

    - `currency` is the org's currency where its records name none, `several` says that some record named its own.
    - `columns` are the fields of each object by their types, as they were when its changes were last read.
    - `refresh_token` is one that Salesforce gave in the place of the stored one, `used` are those that died since the
      last one was kept, and `unkept` says that it is not durable yet. `renewing` lets one login at a time use it.
    """

    currency: str | None = None
    several: bool = False
    columns: dict[str, Mapping[str, str]] = field(default_factory=dict)
    refresh_token: str | None = None
    used: tuple[str, ...] = ()
    unkept: bool = False
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)


class SalesforceSettings(Settings):
    """One org and one app (an External Client App, or an older Connected App) in it.

    - `base_url` is the org's My Domain host; every call goes there, and nowhere else.
    - `login_url` is where tokens are asked for; left out, it is `base_url`. `audience` is that of the signed assertion:
      `https://login.salesforce.com`, or `https://test.salesforce.com` for a sandbox.
    - `auth` is `jwt` (a signed assertion for `username`), `client_credentials`, or `refresh_token`.
    - `consumer_key` and `consumer_secret` are the app's.
    - `certificate` is the one that the app knows, as PEM: the day on which it ends is told of in time.
    - `api_version` is the version that every call names.
    - `organization_id` is the org's id (`00D…`); messages of another org are refused.
    - `external_id_field` is the custom text field, a unique external id, in which a record of any object holds the id
      that it has elsewhere; `external_ids` names another for some objects.
    - `currency` is the org's currency where it has one alone; empty where records name theirs.
    - `objects` are the custom objects whose changes are told of. `select` names, for an object, the fields that are
      read of it; for others it is all that the user may see. `amounts` names fields of the org's own that hold
      amounts, so that none is written without its currency; what is read tells that by itself.
    - `expects` are the fields (`Account.Segment__c`) that the mappings of this org read: where one is gone, that is
      told before they read nothing for it.
    - `invoice_object` and `invoice_fields` say where the standing of invoices is written.
    - `webhook_secret` stands behind `?key=` in the address of outbound messages; `webhook_certificate` is what the
      header `webhook_certificate_header` has to say of the client's certificate, where a proxy checks that.
    """

    telltales: ClassVar[Sequence[Telltale]] = (
        Telltale(
            field="base_url",
            pattern=r"(?i)//[^/]+\.(sandbox|scratch|develop|trailblaze)\.my\.salesforce\.com",
            production=False,
        ),
        Telltale(field="base_url", pattern=r"(?i)//[a-z0-9-]+\.my\.salesforce\.com", production=True),
        Telltale(field="audience", pattern=r"(?i)//test\.salesforce\.com", production=False),
    )
    asks: ClassVar[frozenset[str]] = frozenset({"username", "private_key"})

    login_url: str = ""
    audience: str = ""
    auth: Literal["jwt", "client_credentials", "refresh_token"] = "jwt"
    consumer_key: str
    username: str = ""
    private_key: SecretText = Secret("")
    certificate: str = Field(default="", json_schema_extra={"lines": "many"})
    consumer_secret: Secret = Secret("")
    refresh_token: Secret = Secret("")
    api_version: str = f"{NEWEST}.0"
    organization_id: str = ""
    external_id_field: str = "Billing_Id__c"
    external_ids: Mapping[str, str] = Field(default_factory=lambda: dict(_EXTERNAL_IDS))
    currency: str = Field(default="", pattern="^([A-Z]{3})?$")
    objects: tuple[str, ...] = ()
    select: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    amounts: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    expects: tuple[str, ...] = ()
    invoice_object: str = "Invoice__c"
    invoice_fields: Mapping[str, str] = Field(default_factory=dict)
    webhook_secret: Secret = Secret("")
    webhook_secret_previous: Secret = Secret("")
    webhook_certificate_header: str = ""
    webhook_certificate: str = ""

    _learned: Learned = PrivateAttr(default_factory=Learned)

    @property
    def learned(self) -> Learned:
        """Give what was learned of the org so far."""
        return self._learned

    def external_id_of(self, object: str) -> str:
        """Give the field in which records of an object hold the id that they have elsewhere."""
        return self.external_ids.get(object, self.external_id_field)

    @property
    def token_url(self) -> str:
        """Give the address that issues tokens."""
        return (self.login_url or self.base_url) + TOKEN_PATH

    @property
    def assertion_audience(self) -> str:
        """Give who an assertion is meant for: what is set, else by the kind of org that the host shows."""
        if self.audience:
            return self.audience
        test = ".sandbox." in self.base_url or "test.salesforce.com" in self.login_url
        return "https://test.salesforce.com" if test else "https://login.salesforce.com"

    @model_validator(mode="before")
    @classmethod
    def _read_end(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("credentials_end") is not None or not given.get("certificate"):
            return given
        try:
            ends = x509.load_pem_x509_certificate(str(given["certificate"]).encode()).not_valid_after_utc
        except ValueError:
            raise ValueError("the certificate is not one in PEM form") from None
        return {**given, "credentials_end": ends.date()}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        missing = [name for name in _NEEDED[self.auth] if not _text(getattr(self, name))]
        if missing:
            raise ValueError(f"auth: {self.auth} needs {', '.join(missing)}")
        shared = [host for host in _SHARED if f"//{host}" in self.base_url]
        if shared:
            raise ValueError(f"base_url is the org's own host (My Domain), not {shared[0]}")
        if self.auth == "client_credentials" and any(f"//{host}" in self.login_url for host in _SHARED):
            raise ValueError("auth: client_credentials signs in at the org's own host; leave login_url out")
        left_out = [name for name in self.expects if self._leaves_out(*name.split("."))]
        if left_out:
            raise ValueError(f"expects names what `select` leaves out: {', '.join(left_out)}")
        if _text(self.webhook_secret) and not self.organization_id:
            raise ValueError("webhook_secret needs organization_id: an outbound message shows nothing else of its org")
        if bool(self.webhook_certificate) is not bool(self.webhook_certificate_header):
            raise ValueError("webhook_certificate and webhook_certificate_header belong together")
        return self

    def _leaves_out(self, object: str, field: str) -> bool:
        return object in self.select and field not in self.select[object]

    @field_validator("api_version")
    @classmethod
    def _known_version(cls, value: str) -> str:
        found = _VERSION.fullmatch(value)
        if found is None or not OLDEST <= int(found[1]) <= NEWEST:
            raise ValueError(f"api_version is one of {OLDEST}.0 to {NEWEST}.0")
        return value

    @field_validator("organization_id")
    @classmethod
    def _an_organization(cls, value: str) -> str:
        if value and not _ORGANIZATION.fullmatch(value):
            raise ValueError("organization_id is 15 or 18 signs that begin with 00D")
        return value

    @field_validator("external_id_field", "invoice_object")
    @classmethod
    def _a_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("the API name of an object or field has letters, digits and underscores")
        return value

    @field_validator("objects")
    @classmethod
    def _names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not _NAME.fullmatch(name) for name in value) or len(set(value)) < len(value):
            raise ValueError("objects are API names, each once")
        return value

    @field_validator("expects")
    @classmethod
    def _fields(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        pairs = [name.split(".") for name in value]
        if any(len(pair) != 2 or not all(_NAME.fullmatch(part) for part in pair) for pair in pairs):
            raise ValueError("expects are fields with their objects, such as Account.Segment__c")
        return value

    @field_validator("select", "amounts", "invoice_fields", "external_ids")
    @classmethod
    def _names_in(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        inner = [name for names in value.values() for name in ([names] if isinstance(names, str) else names)]
        if any(not _NAME.fullmatch(name) for name in [*value, *inner]):
            raise ValueError("the API name of an object or field has letters, digits and underscores")
        return value

    @field_validator("base_url", "login_url", "audience")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")


def _text(value: Any) -> str:
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)
