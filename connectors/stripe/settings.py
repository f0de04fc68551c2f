"""What one Stripe account needs."""

from __future__ import annotations

from pydantic import Field

from hub.sdk.settings import Secret, Settings

#: The API version whose shapes the schemas describe; newer ones only add to them.
API_VERSION = "2025-09-30.clover"


class StripeSettings(Settings):
    """API key, signing secret of the webhook endpoint, and the API version every request names.

    While the endpoint's secret is being rolled, `webhook_secret_previous` holds the one that is on its way out.
    `event_types` are those that the stream of events reads, best the ones that the endpoint asks for; by default all.
    """

    base_url: str = "https://api.stripe.com"
    api_key: Secret
    webhook_secret: Secret
    webhook_secret_previous: Secret | None = None
    #: Stripe takes no more than twenty in one question.
    event_types: tuple[str, ...] = Field(default=(), max_length=20)
    api_version: str = Field(default=API_VERSION, pattern=r"^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$")
