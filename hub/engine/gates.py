"""Gates: a write that has not begun waits as long as its connection's hold policy says so.

A guard is asked as it stands in the current revision of the workspace, not in the run's own: it guards the account,
whatever was decided when the run began.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from hub.connections.accounts import Account
from hub.engine.journal import Journal
from hub.engine.parts import Parts
from hub.engine.values import lenient
from hub.errors import Held
from hub.model.ambient import of_micros
from hub.model.effect import EffectState
from hub.model.flow import Flow
from hub.policy.decision import decide
from hub.policy.kinds import HOLD
from hub.policy.outputs import moment
from hub.policy.rules import Decision
from hub.sdk import exact_json
from hub.store import effects, holds
from hub.store.claims import ClaimedRun

#: A hold without an end is asked about again after so many seconds, later after a share of the time it has lasted.
SOONEST, LATEST, SHARE = 60.0, 900.0, 0.1


class Gates:
    """The gates of one run."""

    def __init__(self, parts: Parts, claimed: ClaimedRun, journal: Journal) -> None:
        """Take the collaborators."""
        self._parts = parts
        self._claimed = claimed
        self._run = claimed.run
        self._journal = journal

    def pass_hold(
        self,
        account: Account,
        operation: str,
        key: str,
        path: str,
        begun: Mapping[str, Mapping[str, Any]],
        flow: Flow,
        scope: Mapping[str, Any],
        form: Callable[[], Any],
    ) -> None:
        """Raise `Held` when the policy holds a write with this input; every answer is kept.

        `begun` are the steps that were begun before, by path.
        """
        before = begun.get(path)
        bundle = self._parts.current()
        policy = bundle.guard(HOLD.name, connection=account.name, environment=self._parts.environment)
        if policy is None:
            return
        now = self._parts.ambient.now()
        asked = {
            **work_scope(self._run, flow, scope, now),
            "connection": account.name,
            "connector": account.connector.name,
            "operation": operation,
            "input": form(),
        }
        decision = decide(policy, asked)
        if not decision.rules:
            self._keep(decision, bundle.id, path, account, now)
            return
        if self._begun(key):
            return
        held = self._held(decision, before, now)
        if not self._said_already(held, before):
            self._keep(decision, bundle.id, path, account, now)
        raise held

    def _held(self, decision: Decision, before: Mapping[str, Any] | None, now: datetime) -> Held:
        reason = str(decision.output["reason"])
        until = moment(decision.output["until"]) if "until" in decision.output else None
        ended = until is None or until <= now
        return Held(
            f"The rule `{decision.rule}` of the policy `{decision.policy}` holds this write: {reason}",
            on=holds.TOPIC,
            until=now + self._pause(before, now) if ended else until,
            policy=decision.policy,
            version=decision.version,
            rule=decision.rule,
            reason=reason,
            end=None if ended else decision.output["until"],
        )

    def _pause(self, before: Mapping[str, Any] | None, now: datetime) -> timedelta:
        waited = now - of_micros(before["started_at"]) if before is not None else timedelta(0)
        seconds = min(max(waited.total_seconds() * SHARE, SOONEST), LATEST)
        # Runs that were held together are not asked about all at once.
        return timedelta(seconds=seconds * (1 + SHARE * self._parts.ambient.random.random()))

    def _begun(self, key: str) -> bool:
        """Tell whether another run has begun this write: then nothing new would go out."""
        standing = effects.effect(self._parts.database.looking, key)
        return standing is not None and standing["state"] != EffectState.FAILED

    def _said_already(self, held: Held, before: Mapping[str, Any] | None) -> bool:
        error = exact_json.loads(before["error"]) if before is not None and before["error"] else {}
        facts = {name: str(fact) for name, fact in held.facts.items()}
        return bool(error.get("code") == Held.code and error["facts"] == facts)

    def _keep(self, decision: Decision, bundle: str, path: str, account: Account, now: datetime) -> None:
        self._journal.decision(
            decision,
            id=self._parts.ambient.new_id("decision"),
            environment=self._run["environment"],
            bundle=bundle,
            at=now,
            path=path,
            connection=account.name,
        )


def work_scope(run: Mapping[str, Any], flow: Flow, scope: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Give what policies about a run's work see of it; `input` is the event's record."""
    entity = lenient(flow.entity, scope)
    money = lenient(flow.money, scope)
    return {
        "environment": run["environment"],
        "flow": flow.name,
        "entity": None if entity is None else str(entity),
        "money": money if _is_money(money) else None,
        "event": scope["event"],
        "input": scope["record"],
        **moments(now),
    }


def _is_money(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return type(value.get("minor")) is int and isinstance(value.get("currency"), str)


def moments(now: datetime) -> dict[str, str]:
    """Give the present moment and date in UTC, as policies read them."""
    return {"now": f"{now:%Y-%m-%dT%H:%M:%SZ}", "today": f"{now:%Y-%m-%d}"}
