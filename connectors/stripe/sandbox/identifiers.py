"""Ids that look like Stripe's and are the same for the same seed: each kind is drawn from dice of its own."""

from __future__ import annotations

import string
from random import Random

_LETTERS = string.ascii_letters + string.digits


class Identifiers:
    """Draws ids; an id depends only on the seed, its prefix, and how many of that prefix came before."""

    def __init__(self, seed: int | str) -> None:
        """Start anew for a seed."""
        self._seed = seed
        self._dice: dict[str, Random] = {}
        # Like Stripe's ids: all of one account share some characters.
        self._account = self.letters("account", 12)

    def new(self, prefix: str) -> str:
        """Give an id such as `in_1R…`, 24 characters behind the prefix."""
        return f"{prefix}_1{self.letters(prefix, 9)}{self._account[:8]}{self.letters(prefix, 6)}"

    def short(self, prefix: str) -> str:
        """Give an id such as `cus_R…`, 14 characters behind the prefix."""
        return f"{prefix}_{self.letters(prefix, 14)}"

    def letters(self, purpose: str, count: int) -> str:
        """Give letters and digits."""
        dice = self._dice.get(purpose)
        if dice is None:
            dice = self._dice[purpose] = Random(f"{self._seed}:{purpose}")
        return "".join(dice.choices(_LETTERS, k=count))
