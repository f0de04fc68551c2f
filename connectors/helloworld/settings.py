"""What one account of the greeting service needs."""

from __future__ import annotations

from hub.sdk.settings import Secret, Settings


class HelloworldSettings(Settings):
    """Base URL, API key, and the secret that the service signs its webhooks with (`whsec_` and base64)."""

    api_key: Secret
    webhook_secret: Secret
