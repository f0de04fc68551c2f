"""A worker's hands, shared by all accounts: each may fill a third of what the others and itself leave free."""

from __future__ import annotations

#: The most runs that one account fills a worker with, when nobody says otherwise.
SHARE = 100
#: One account alone gets one of so many parts; several that are slow together get less each, and leave some free.
PARTS = 4


class Hands:
    """How many runs are in a worker's hands for the sake of some account, and how many one account may have.

    With n slow accounts each fills 1 / (n + 3) of the hands, and 3 / (n + 3) stay free for all others, however many
    hang at once. A fixed share would be used up by as many accounts as it has parts.
    """

    __slots__ = ("_all", "_share", "used")

    def __init__(self, share: int = SHARE) -> None:
        """Begin with all free; `share` is what one account alone may fill."""
        self._share = max(share, 1)
        self._all = self._share * PARTS
        self.used = 0

    @property
    def share(self) -> int:
        """Give what one account alone may fill."""
        return self._share

    @property
    def most(self) -> int:
        """Give how many one account may fill just now, at least one."""
        return max(min(self._share, (self._all - self.used) // (PARTS - 1)), 1)
