"""A policy that decides between rules, compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.expressions.compiler import Expression
from hub.policy.form import Match, PolicyKind

Tables = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: it matches when `when` is true or absent, and then gives `then`, where an `Expression` is evaluated."""

    name: str
    when: Expression | None
    then: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePolicy:
    """A policy with its rules and tables (name → key → value).

    `reads` are the paths that its conditions and outputs read, each as the expression that gives the value there.
    """

    name: str
    kind: PolicyKind
    version: int
    match: Match
    rules: tuple[Rule, ...]
    tables: Tables = field(repr=False)
    reads: Mapping[str, Expression] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a policy decided: by which version and rules, from which inputs, and what it gives.

    `rules` is empty and `output` too when no rule matched and nothing is asked. `inputs` are the values at the paths
    that the policy reads.
    """

    policy: str
    kind: str
    version: int
    rules: tuple[str, ...]
    output: Mapping[str, Any]
    inputs: Mapping[str, Any]

    @property
    def rule(self) -> str | None:
        """Name the rule that decided, or the rules; None when none matched."""
        return ", ".join(self.rules) or None
