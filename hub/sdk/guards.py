"""How an `upsert` keeps from overwriting something newer at the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hub.errors import FixData
from hub.model.exchange import Request, Response
from hub.sdk.calls import Calls, alone

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What stands at the target in the place of a write, as a look found it.

    - `version` changes whenever something changes that the operation could overwrite: a version of the vendor's, or a
      digest of those fields as the vendor shows them. It never changes by itself.
    - `output` is what the operation would have given for it.
    - `changed_at` is when it was last changed, where the vendor tells.
    - `count` is how often it was written, from 1 and up by one, where the vendor keeps such a number.
    """

    version: str
    output: Record
    changed_at: datetime | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What stands in the place of one part of a write, and whether that is what the write leaves there."""

    standing: Standing | None
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ByPart:
    """How a write is looked at whose parts are made or refused each for itself, and are told by their order.

    - `parts(request, response)` gives what stands part by part; None for a write that is made whole or not at all.
    - `made(output)` tells of each part whether the answer to the write says that it was made.
    - `output(request, parts)` gives what the operation gives when those parts were made that hold, and nobody knows
      why the others were not.
    """

    parts: Callable[[Request, Response], Sequence[Part] | None]
    made: Callable[[Record], Sequence[bool]]
    output: Callable[[Request, Sequence[Part]], Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How what stands is read; pure, and formed from a recorded write, so that it can be looked at after a crash.

    - `current(settings, request)` forms the read of what the write `request` would overwrite.
    - `standing(response)` reads an answer with 2xx or 404; None when the vendor itself says that nothing is there. It
      raises for an answer that is not the vendor's own, such as a gateway's 404.
    - `holds(request, response)` tells whether what stands is what the write leaves, as far as that can be compared.
    - `within(request, response)`, where it is there, gives the version in the place of `standing`'s: of those fields
      alone that the write names, so that what somebody else changes beside them is not in its way.
    - `by_part`, where it is there, says more of a write of which some may be made and some refused.
    - `calls(settings, request)` is given where what stands does not come by the one read that `current` forms, such as
      page by page: it goes through the reads, and returns the one answer that the others are given.
    """

    current: Callable[[Any, Request], Request]
    standing: Callable[[Response], Standing | None]
    holds: Callable[[Request, Response], bool]
    within: Callable[[Request, Response], str] | None = None
    by_part: ByPart | None = None
    calls: Callable[[Any, Request], Calls] | None = None

    def course(self, settings: Any, request: Request) -> Calls:
        """Go through the reads of what the write `request` would overwrite."""
        return alone(self.current(settings, request)) if self.calls is None else self.calls(settings, request)

    def stands(self, request: Request, response: Response) -> Standing | None:
        """Give what stands in the place of a write, in the version that counts for it; raises as `standing` does."""
        found = self.standing(response)
        if found is None or self.within is None:
            return found
        return replace(found, version=self.within(request, response))

    def sees(self, request: Request, response: Response, output: Record | None = None) -> Sight:
        """Give all that an answer to the look shows of a write; raises as `standing` does.

        `output` is what the write was answered, where that is known: what it says was refused need not stand.
        """
        standing = self.stands(request, response)
        parts = None if self.by_part is None else self.by_part.parts(request, response)
        if self.by_part is None or parts is None:
            return Sight(standing=standing, holds=standing is not None and self.holds(request, response))
        made = [True] * len(parts) if output is None else self.by_part.made(output)
        holds = len(made) == len(parts) and all(part.holds for part, was in zip(parts, made, strict=True) if was)
        if standing is not None:
            standing = replace(standing, output=self.by_part.output(request, parts))
        return Sight(standing=standing, holds=holds, parts=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What stands in the place of a write, whether that is what the write leaves, and the same part by part."""

    standing: Standing | None
    holds: bool
    parts: Sequence[Part] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional:
    """The target itself refuses a write that would overwrite something newer.

    - `refused` are the codes of the errors by which it says so.
    - Without `look` the input carries a version that the target compares. With it, what stands is read first, and
      `bind(request, standing)` puts its version into the write (If-Match, or a field).
    """

    refused: frozenset[str]
    look: Look | None = None
    bind: Callable[[Request, Standing | None], Request] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBefore:
    """The target would overwrite anything, so that what stands is read before and after the write.

    - `expects(input)` names the version that must stand, where the input says which one is meant.
    - `reads_back` is False for a write into an end state, after which there is nothing to compare. Where such a one
      `expects` a version, that version still stands after it: another one is another thing, whatever its state.
    - `refuses(input, request, response)`, where it is there, is given what stands before the write, and gives the error
      of a write that must not go over that, whoever has written it last; None for one that may.
    """

    look: Look
    expects: Callable[[Record], str] | None = None
    reads_back: bool = True
    refuses: Callable[[Record, Request, Response], FixData | None] | None = None


Guard = Conditional | ReadBefore
