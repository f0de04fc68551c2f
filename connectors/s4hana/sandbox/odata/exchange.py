"""A request and its answer apart from the wire, so that parts of a batch are executed like any other request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from hub.sandbox.exact_json import dumps


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request; `path` is as it came, below the service's root; names of headers are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    user: str = ""

    @property
    def options(self) -> list[tuple[str, str]]:
        """Give the query's names and values in their order."""
        pairs = (part.partition("=") for part in self.query.split("&") if part)
        return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def json_reply(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with JSON."""
    return Reply(status=status, headers={"content-type": "application/json", **(headers or {})}, body=dumps(value))
