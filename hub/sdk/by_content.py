"""Writes that are found again by what they say, because nothing at the vendor bears their key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub.model.exchange import Request
from hub.sdk.calls import Course


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is known of a write beside its request.

    Nothing made before `since` is it: a moment of the vendor's clock, from which is taken off by how much that may be
    behind. `taken` are the outputs of other writes that say the same: none of them is this one's.
    """

    since: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    taken: Sequence[Mapping[str, Any]] = ()


#: Nothing more is known than what it says.
ANY_TIME = Sought()


@dataclass(frozen=True, slots=True, kw_only=True)
class ByContent:
    """How a write is found by what it says.

    - `name(request)` names what it says: two writes of one name could be taken for each other. Such a one is not begun
      while another is under way, as far as the hub itself makes them.
    - `find(settings, request, sought)` goes through the reads that find what the recorded request has made, and gives
      its output; None where there is none.
    """

    name: Callable[[Request], str]
    find: Callable[[Any, Request, Sought], Course[Mapping[str, Any] | None]]
