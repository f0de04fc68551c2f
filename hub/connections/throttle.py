"""What a policy says at this time of how much one account may be asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog

from hub.connections.bounds import Bound
from hub.errors import HubError
from hub.model.limits import QuotaPer
from hub.policy.decision import decide
from hub.policy.rules import Decision, RulePolicy

log = structlog.get_logger(__name__)

#: So long an answer holds before the policy is asked again.
ASKED_EVERY = timedelta(seconds=5)


@dataclass(slots=True, kw_only=True)
class Throttle:
    """Asks the throttle policy of one connection as time goes by, and keeps each answer that differs from the last.

    `policy` gives the policy that guards the connection now, with the revision it is of; `keep` takes a decision that
    changed something, with that revision, the connection's name and the time. While the policy cannot be worked out,
    the last answer holds. A quota that it gives counts in the times and the zone of the connection's own.
    """

    policy: Callable[[], tuple[RulePolicy | None, str]]
    keep: Callable[[Decision, str, str, datetime], None]
    environment: str
    connection: str
    connector: str
    quota_per: QuotaPer = QuotaPer.DAY
    quota_zone: str = "UTC"
    _asked_at: datetime | None = field(default=None, init=False)
    _said: tuple[Any, ...] | None = field(default=None, init=False)
    _now: Bound | None = field(default=None, init=False)

    def __call__(self, now: datetime) -> Bound | None:
        """Give what the policy says now; None where there is none."""
        if self._asked_at is None or not timedelta(0) <= now - self._asked_at < ASKED_EVERY:
            self._asked_at = now
            self._now = self._ask(now)
        return self._now

    def _ask(self, now: datetime) -> Bound | None:
        policy, bundle = self.policy()
        if policy is None:
            self._said = None
            return None
        try:
            decision = decide(policy, self._scope(now))
        except HubError as error:
            log.warning("throttle.failed", connection=self.connection, policy=policy.name, reason=str(error))
            return self._now
        said = (decision.policy, decision.version, decision.rules, dict(decision.output))
        if said != self._said:
            self._said = said
            self.keep(decision, bundle, self.connection, now)
        return self._bound(decision)

    def _bound(self, decision: Decision) -> Bound:
        output: Mapping[str, Any] = decision.output
        rate = output.get("rate")
        rules = ", ".join(decision.rules) or "no rule"
        return Bound(
            source=f"policy {decision.policy} ({rules})",
            concurrency=_whole(output.get("concurrency")),
            rate=None if rate is None else _binary(rate),
            burst=_whole(output.get("burst")),
            quota=_whole(output.get("quota")),
            quota_per=self.quota_per,
            quota_zone=self.quota_zone,
        )

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


def _whole(number: Any) -> int | None:
    return None if number is None else int(number)


def _binary(number: Decimal | int) -> float:
    """Give requests a second as the machine's own number; this is a pace, not money."""
    top, bottom = number.as_integer_ratio()
    return top / bottom
