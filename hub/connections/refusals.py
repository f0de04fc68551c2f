"""A vendor refuses a connection's credentials: the connection is paused with one alert, whoever met that first."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from hub.connections.accounts import Account
from hub.errors import ConnectionPaused, FixConnection, HubError
from hub.store import connections
from hub.store.committer import Committer, Work

log = structlog.get_logger(__name__)


async def pause_refused(
    accounts: Mapping[str, Account], name: str, error: HubError, *, committer: Committer, environment: str, actor: str
) -> None:
    """Pause a connection because of an error that only new credentials mend, unless it is paused already.

    What was sent with credentials that have been replaced since says nothing of the new ones, and pauses nothing.
    """
    account = accounts.get(name)
    refused = error.account if isinstance(error, FixConnection) else None
    if account is None or account.paused is not None or isinstance(error, ConnectionPaused):
        return
    if refused is not None and refused is not account:
        return
    account.paused = reason = str(error)
    log.error("connection.paused", connection=name, reason=reason)
    await committer.commit(
        Work(
            lambda tx: connections.pause_once(tx, environment=environment, name=name, reason=reason, actor=actor),
            patient=True,
        )
    )
