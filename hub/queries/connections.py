"""Connections with their health: whether they take work, how they answered lately, and what waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import func, select

from hub.connections.accounts import Account
from hub.model.effect import EffectState
from hub.model.run import RunState, WaitKind
from hub.queries.limits import Budget, budget_of
from hub.queries.step_views import without_credentials
from hub.queries.view import View, moment
from hub.store import budgets
from hub.store import connections as stored
from hub.store.tables import effects, runs


class Standing(StrEnum):
    """How a connection does."""

    HEALTHY = "healthy"
    FAILING = "failing"
    PAUSED = "paused"
    UNTRIED = "untried"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionHealth:
    """One connection; counts and times of success and failure are those of this process since it started."""

    name: str
    connector: str
    title: str
    base_url: str
    standing: Standing
    paused: str | None
    paused_since: datetime | None
    last_success: datetime | None
    last_failure: datetime | None
    last_error: str | None
    failing_since: datetime | None
    credentials_end: date | None
    successes: int
    failures: int
    budget: Budget
    waiting_runs: int
    effects: Mapping[EffectState, int]
    webhook: str | None


def listing(view: View, accounts: Mapping[str, Account]) -> tuple[ConnectionHealth, ...]:
    """List the connections of this process by name."""
    topic = f"connection:{view.environment}:"
    with view.database.reading() as connection:
        states = stored.states(connection, environment=view.environment)
        waiting = {
            str(on).removeprefix(topic): number
            for on, number in connection.execute(
                select(runs.c.wait_on, func.count())
                .where(
                    runs.c.environment == view.environment,
                    runs.c.state == RunState.WAITING.value,
                    runs.c.wait_kind == WaitKind.CONNECTION.value,
                )
                .group_by(runs.c.wait_on)
            )
        }
        written: dict[str, dict[EffectState, int]] = {}
        for name, state, number in connection.execute(
            select(effects.c.connection, effects.c.state, func.count())
            .where(effects.c.environment == view.environment)
            .group_by(effects.c.connection, effects.c.state)
        ):
            written.setdefault(name, {})[EffectState(state)] = number
        rows = budgets.waiting(connection, environment=view.environment)
    return tuple(
        _health(
            account,
            since=moment(states[name]["changed_at"]) if name in states else None,
            waiting=waiting.get(name, 0),
            written=written.get(name, {}),
            budget=budget_of(account, accounts, rows),
        )
        for name, account in sorted(accounts.items())
    )


def _health(
    account: Account,
    *,
    since: datetime | None,
    waiting: int,
    written: Mapping[EffectState, int],
    budget: Budget,
) -> ConnectionHealth:
    health = account.health
    return ConnectionHealth(
        name=account.name,
        connector=account.connector.name,
        title=account.connector.title,
        base_url=without_credentials(account.settings.base_url),
        standing=_standing(account),
        paused=account.paused,
        paused_since=since if account.paused is not None else None,
        last_success=health.last_success,
        last_failure=health.last_failure,
        last_error=health.last_error,
        failing_since=health.failing_since,
        credentials_end=account.settings.credentials_end,
        successes=health.successes,
        failures=health.failures,
        budget=budget,
        waiting_runs=waiting,
        effects=written,
        webhook=f"/hooks/{account.name}" if account.connector.webhook is not None else None,
    )


def _standing(account: Account) -> Standing:
    if account.paused is not None:
        return Standing.PAUSED
    if account.limiter.is_open:
        return Standing.FAILING
    success, failure = account.health.last_success, account.health.last_failure
    if failure is not None and (success is None or failure > success):
        return Standing.FAILING
    return Standing.UNTRIED if success is None else Standing.HEALTHY
