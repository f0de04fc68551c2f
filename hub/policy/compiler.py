"""Compile a policy's document by its kind, with every mistake found at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.expressions.mistakes import InvalidDocument, Mistake
from hub.policy.kinds import KINDS, MATCH
from hub.policy.matching import MatchPolicy, compile_match
from hub.policy.reading import compile_rules
from hub.policy.retry import RetryPolicy, compile_retry
from hub.policy.rules import RulePolicy, Tables


def compile_policy(document: Mapping[str, Any], tables: Tables) -> RulePolicy | RetryPolicy | MatchPolicy:
    """Compile a policy file's plain values, with the workspace's tables (name → key → value).

    `InvalidDocument` lists all mistakes, each with its place in the document.
    """
    kind = KINDS.get(str(document.get("kind")))
    if kind is None:
        known = ", ".join(f"`{name}`" for name in KINDS)
        detail = f"There is no kind of policy `{document.get('kind')}`; there are {known}."
        raise InvalidDocument("policy", str(document.get("policy", "")), [Mistake(where=("kind",), detail=detail)])
    if kind is MATCH:
        return compile_match(document, tables)
    return compile_rules(document, kind, tables) if kind.has_rules else compile_retry(document)
