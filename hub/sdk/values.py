"""The values a connector takes and gives: requests and answers, events, effect keys and idempotency kinds."""

from __future__ import annotations

from hub.model.effect import EffectKey, Idempotency
from hub.model.event import InboundEvent
from hub.model.exchange import Request, Response

__all__ = ["EffectKey", "Idempotency", "InboundEvent", "Request", "Response"]
