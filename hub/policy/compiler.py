"""Compile a policy's document by its kind, with every mistake found at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.expressions.mistakes import InvalidDocument, Mistake
from hub.policy.retry import RetryPolicy, compile_retry
from hub.policy.route import RoutePolicy, Tables, compile_route


def compile_policy(document: Mapping[str, Any], tables: Tables) -> RoutePolicy | RetryPolicy:
    """Compile a policy file's plain values, with the workspace's tables (name → key → value).

    `InvalidDocument` lists all mistakes, each with its place in the document.
    """
    match document.get("kind"):
        case "route":
            return compile_route(document, tables)
        case "retry":
            return compile_retry(document)
        case kind:
            detail = f"There is no kind of policy `{kind}`; there are `route` and `retry`."
            raise InvalidDocument("policy", str(document.get("policy", "")), [Mistake(where=("kind",), detail=detail)])
