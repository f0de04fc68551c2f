"""What one Stripe account needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from connectors.stripe.versions import RELEASES, release_of
from hub.sdk.settings import Secret, Settings, Telltale

#: The path of the stream of meter events; at Stripe it stands at a host of its own.
METER_STREAM = "/v2/billing/meter_event_stream"
_API, _STREAM_HOST = "api.stripe.com", "https://meter-events.stripe.com"
#: The API version that a connection is pinned to which does not say.
API_VERSION = "2026-09-30.endive"


class StripeSettings(Settings):
    """API key, signing secret of the webhook endpoint, and the API version every request names.

    While the endpoint's secret is being rolled, `webhook_secret_previous` holds the one that is on its way out.
    `event_types` are those that the stream of events reads, best the ones that the endpoint asks for; by default all.
    """

    telltales: ClassVar[Sequence[Telltale]] = (
        Telltale(field="api_key", pattern=r"^(sk|rk)_test_", production=False),
        Telltale(field="api_key", pattern=r"^(sk|rk)_live_", production=True),
    )

    base_url: str = f"https://{_API}"
    #: The host of the stream of meter events; left out: Stripe's own beside `base_url`, or at a sandbox the same.
    meter_stream_url: str = ""
    api_key: Secret
    #: The connected account that everything is done for; None: the account that the key belongs to.
    account: str | None = Field(default=None, pattern=r"^acct_[A-Za-z0-9]{1,250}$")
    #: The account that the key must belong to; the test of the connection says which it is.
    own_account: str | None = Field(default=None, pattern=r"^acct_[A-Za-z0-9]{1,250}$")
    webhook_secret: Secret
    webhook_secret_previous: Secret | None = None
    #: Stripe takes no more than twenty in one question.
    event_types: tuple[str, ...] = Field(default=(), max_length=20)
    #: Of a release whose shapes the schemas describe.
    api_version: str = API_VERSION
    #: The company's tax codes in Stripe's (`SW052000=txcd_10103001`), for Stripe Tax as a tax engine.
    tax_codes: tuple[Annotated[str, Field(pattern=r"^\S+=txcd_[0-9]{8}$")], ...] = ()

    def stripe_tax_code(self, code: str) -> str | None:
        """Give Stripe's tax code for one of the company's; None where none is told."""
        return dict(pair.split("=", 1) for pair in self.tax_codes).get(code)

    @property
    def meter_stream_address(self) -> str:
        """Give where the stream of meter events is: at Stripe's own host for it, unless another is told."""
        own = _STREAM_HOST if urlsplit(self.base_url).hostname == _API else self.base_url
        return (self.meter_stream_url or own).rstrip("/") + METER_STREAM

    @field_validator("api_version")
    @classmethod
    def _known(cls, version: str) -> str:
        if release_of(version) is None:
            known = ", ".join(RELEASES)
            raise ValueError(f"name a version of one of the releases {known}, such as {API_VERSION}")
        return version
