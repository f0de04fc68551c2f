"""An account's clock: it never goes back, so that nobody waits for the time by which the machine's was put back."""

from __future__ import annotations

from datetime import datetime

from hub.model.ambient import Ambient, of_micros, to_micros


class SteadyClock:
    """Microseconds that only rise, and what the machine's clock shows then: days and policies are reckoned by that."""

    def __init__(self, ambient: Ambient) -> None:
        """Begin with the machine's time."""
        self._ambient = ambient
        self._ahead = 0
        self._last = to_micros(ambient.now())

    def now(self) -> int:
        """Give the present moment; the one before it where the machine's clock was put back."""
        now = to_micros(self._ambient.now()) + self._ahead
        if now < self._last:
            self._ahead += self._last - now
            now = self._last
        self._last = now
        return now

    def shown(self, moment: int) -> datetime:
        """Give what the machine's clock shows at a moment of this one."""
        return of_micros(moment - self._ahead)

    def at(self, shown: datetime) -> int:
        """Give the moment of this clock at which the machine's shows that."""
        return to_micros(shown) + self._ahead
