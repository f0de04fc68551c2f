"""The form of a policy kind: one declaration that lint, editor schema, documentation and `decide` all read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from hub.schemas.shape import Shape


class Match(StrEnum):
    """Which of the matching rules count."""

    FIRST = "first"
    ALL = "all"


class Merge(StrEnum):
    """How one output is made of those of several matching rules, when all of them count."""

    LOWEST = "lowest"
    MOST = "most"
    LATEST = "latest"
    EARLIEST = "earliest"
    SHORTEST = "shortest"
    SEVEREST = "severest"
    JOINED = "joined"
    LEADING = "leading"

    @property
    def meaning(self) -> str:
        """Say it in words."""
        return _MEANINGS[self]


_MEANINGS = {
    Merge.LOWEST: "the lowest",
    Merge.MOST: "the most",
    Merge.LATEST: "the latest; a rule without one lasts longest",
    Merge.EARLIEST: "the earliest",
    Merge.SHORTEST: "the shortest",
    Merge.SEVEREST: "the most severe",
    Merge.JOINED: "all of them, one after the other",
    Merge.LEADING: "that of the rule which asks for most; rules that say different things are reported",
}


class Asked(StrEnum):
    """Who asks a policy: a step (`decide`, `approve`), a connection's guard, a step's `retry`, or its `match`."""

    STEP = "step"
    CONNECTION = "connection"
    RETRY = "retry"
    MATCH = "match"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A name that conditions and outputs may read."""

    shape: Shape
    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An output of a rule.

    Numbers lie between `least` and `most`. `order` are the words of a choice from the mildest to the most severe.
    `needs` is another output without which this one would mean nothing.
    """

    shape: Shape
    doc: str
    merge: Merge
    required: bool = False
    least: Decimal | None = None
    most: Decimal | None = None
    order: tuple[str, ...] = ()
    needs: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A number that a kind without rules is made of; all but `whole` ones may have decimals."""

    least: Decimal
    most: Decimal
    doc: str
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyKind:
    """What a kind of policy decides, from what, and what it may give.

    - `scope` are the names its rules read; None when these are what the asking flow knows.
    - `outputs` are what its rules may give; None when every flow may choose its own.
    - `matches` are the ways to match it knows, `unmatched` the error when no rule matches (None: nothing is asked).
    - `leads` names the output by which the leading rule is found when all matching rules count.
    - `settings` stand in the place of rules, and so do `keys`, which say what each part of a key is for.
    """

    name: str
    doc: str
    asked: Asked
    scope: Mapping[str, Input] | None = field(default_factory=dict)
    outputs: Mapping[str, Given] | None = field(default_factory=dict)
    matches: tuple[Match, ...] = ()
    unmatched: str | None = None
    leads: str | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_rules(self) -> bool:
        """Tell whether it decides between rules."""
        return bool(self.matches)
