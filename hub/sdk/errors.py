"""The errors a connector raises or classifies an answer as, grouped by what the caller must do."""

from __future__ import annotations

from hub.errors import (
    Conflict,
    FixConnection,
    FixData,
    HubError,
    LimitKind,
    LimitReached,
    NoSuchRecord,
    NotAllowed,
    NotBegun,
    NotFound,
    NotSent,
    OutcomeParked,
    OutcomeUnknown,
    Refused,
    RetryLater,
    UnreadableWebhook,
    WebhookRejected,
)

__all__ = [
    "Conflict",
    "FixConnection",
    "FixData",
    "HubError",
    "LimitKind",
    "LimitReached",
    "NoSuchRecord",
    "NotAllowed",
    "NotBegun",
    "NotFound",
    "NotSent",
    "OutcomeParked",
    "OutcomeUnknown",
    "Refused",
    "RetryLater",
    "UnreadableWebhook",
    "WebhookRejected",
]
