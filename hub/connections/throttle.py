"""What a policy says at this time of how much one account may be asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog

from hub.errors import HubError
from hub.policy.decision import decide
from hub.policy.rules import Decision, RulePolicy
from hub.sdk.connector import Limits

log = structlog.get_logger(__name__)

#: So long an answer holds before the policy is asked again.
ASKED_EVERY = timedelta(seconds=5)


@dataclass(slots=True, kw_only=True)
class Throttle:
    """Asks the throttle policy of one account as time goes by, and keeps each answer that differs from the one before.

    `policy` gives the policy that guards the account now, with the revision it is of; `keep` takes a decision that
    changed something, with that revision, the connection's name and the time. While the policy cannot be worked out,
    the last answer holds.
    """

    limits: Limits
    policy: Callable[[], tuple[RulePolicy | None, str]]
    keep: Callable[[Decision, str, str, datetime], None]
    environment: str
    connection: str
    connector: str
    _asked_at: datetime | None = field(default=None, init=False)
    _said: tuple[Any, ...] | None = field(default=None, init=False)
    _now: Limits | None = field(default=None, init=False)

    def __call__(self, now: datetime) -> Limits:
        """Give the limits that apply now: of the account's own and the policy's, the lowest."""
        if self._now is None or self._asked_at is None or now - self._asked_at >= ASKED_EVERY:
            self._asked_at = now
            self._now = self._ask(now)
        return self._now

    def _ask(self, now: datetime) -> Limits:
        policy, bundle = self.policy()
        if policy is None:
            self._said = None
            return self.limits
        try:
            decision = decide(policy, self._scope(now))
        except HubError as error:
            log.warning("throttle.failed", connection=self.connection, policy=policy.name, reason=str(error))
            return self._now or self.limits
        said = (decision.policy, decision.version, decision.rules, dict(decision.output))
        if said != self._said:
            self._said = said
            self.keep(decision, bundle, self.connection, now)
        return lowest(self.limits, decision.output)

    def _scope(self, now: datetime) -> dict[str, Any]:
        return {
            "environment": self.environment,
            "connection": self.connection,
            "connector": self.connector,
            "now": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "today": f"{now:%Y-%m-%d}",
            "weekday": now.isoweekday(),
            "hour": now.hour,
        }


def lowest(limits: Limits, output: Any) -> Limits:
    """Give the lower of an account's own limits and those of a decision, each by itself."""
    rate, concurrency = output.get("rate"), output.get("concurrency")
    rates = [each for each in (limits.rate, None if rate is None else _binary(rate)) if each is not None]
    return Limits(
        concurrency=limits.concurrency if concurrency is None else min(limits.concurrency, int(concurrency)),
        rate=min(rates) if rates else None,
    )


def _binary(number: Decimal | int) -> float:
    """Give requests a second as the machine's own number; this is a pace, not money."""
    top, bottom = number.as_integer_ratio()
    return top / bottom
