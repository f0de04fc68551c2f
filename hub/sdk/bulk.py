"""How a write is made for many items in one request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.errors import HubError
from hub.model.effect import EffectKey
from hub.model.exchange import Request, Response

Record = Mapping[str, Any]
#: One row of an answer: what it calls its item, and the item's output, or the error that the row means.
Result = tuple[str, Record | HubError]


def by_key(key: EffectKey, _record: Record) -> str:
    """Call an item by its effect's key."""
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """A write of up to `size` items by one request.

    - `request(settings, items, key)` forms it from pairs of effect key and input. `key` is the request's own, for a
      vendor that takes one idempotency key for all; a `probe` operation puts each item's key where `look` finds it.
    - `results(response)` reads every row of the answer, in whatever order. It gives what the row calls its item, never
      its place, and the item's output or error; it raises for an answer that is no such list. Rows are neither counted
      nor compared here: the engine finds those that are missing, doubled or of somebody else.
    - `reference(key, record)` is what a row of the answer calls its item; two items of one request never share it.
    """

    size: int
    request: Callable[[Any, Sequence[tuple[EffectKey, Record]], EffectKey], Request]
    results: Callable[[Response], Sequence[Result]]
    reference: Callable[[EffectKey, Record], str] = by_key
