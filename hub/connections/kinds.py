"""Test accounts and accounts with real money: the two never meet in one environment."""

from __future__ import annotations

from hub.errors import FixConnection


def mixed(connection: str, *, production: bool | None) -> FixConnection:
    """Say that an account is of another kind than its environment (`production`; None: than the others there)."""
    if production is None:
        return FixConnection(
            "Test accounts and accounts with real money stand side by side in this environment. Keep them in two, and "
            "write `production: true` or `production: false` in each environment's file.",
            code="mixed-kinds",
            connection=connection,
        )
    if production:
        detail = "This is a test account, and the environment is production. Connect the account with real money."
    else:
        detail = "This account moves real money, and the environment is no production. Connect a test account."
    return FixConnection(detail, code="mixed-kinds", connection=connection)
