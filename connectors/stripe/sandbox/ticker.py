"""Lets what is planned happen when its time comes, also while nobody asks anything."""

from __future__ import annotations

import asyncio

from connectors.stripe.sandbox.account import Account

#: The clock may be moved ahead meanwhile, so that nothing is waited for any longer than this.
_LONGEST = 1.0


class Ticker:
    """Watches one account's agenda while there is something in it."""

    def __init__(self, account: Account) -> None:
        """Wait for nothing before `start`."""
        self._account = account
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._account.agenda.planned = self._arm
        self._arm()

    def stop(self) -> None:
        """Watch no longer."""
        self._account.agenda.planned = lambda: None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _arm(self) -> None:
        due = self._account.agenda.next_at
        if self._timer is None and due is not None:
            seconds = due - self._account.world.clock.now().timestamp()
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(min(max(seconds, 0.0), _LONGEST), self._fire)

    def _fire(self) -> None:
        self._timer = None
        try:
            self._account.catch_up()
        finally:
            self._arm()
