"""Paths that are to be taken out of what a record keeps, and are not there."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from hub.expressions.kept import ELEMENTS
from hub.expressions.parts import Grouped, Part, Repeated, Spot
from hub.mapping.flaws import Flaw, FlawCode
from hub.schemas.shape import ANYTHING, Shape


def needless(group: Grouped, kept: Shape, *, whole: bool) -> Iterator[Flaw]:
    """Give a flaw for each path in `without` that the source has not, or that is made anew anyway.

    `whole` tells that the group is the whole record, whose keys stand at the top of the document.
    """
    above = () if whole else group.spot.where
    for place, path in enumerate(group.without):
        spot = Spot(where=(*above, "without", place), fragment=group.spot.fragment)
        steps = path.replace(ELEMENTS, f".{ELEMENTS}").split(".")
        missing = _missing(steps, kept)
        anew = _made_anew(steps, group)
        if missing is not None:
            yield Flaw(code=FlawCode.UNKNOWN_SOURCE_FIELD, detail=missing[0], hint=missing[1], spot=spot)
        elif anew is not None:
            detail = f"Nothing is taken out here, since `{anew}` is made anew."
            yield Flaw(code=FlawCode.DEAD_FIELD, detail=detail, hint="Remove it.", spot=spot, certain=False)


def _missing(steps: list[str], shape: Shape) -> tuple[str, str] | None:
    """Say which step of a path the source has not; None when it may be there."""
    passed = ""
    for step in steps:
        if step == ELEMENTS:
            shape, passed = shape.items or ANYTHING, f"{passed}{ELEMENTS}"
            continue
        found = shape.at(step)
        if found is None:
            if not shape.fields:
                return None
            near = get_close_matches(step, list(shape.fields), n=1)
            where = f"`{passed}`" if passed else "The source"
            return f"{where} has no field `{step}`.", f"Did you mean `{near[0]}`?" if near else "Remove it."
        shape, passed = found, f"{passed}.{step}".removeprefix(".")
    return None


def _made_anew(steps: list[str], group: Grouped) -> str | None:
    """Give the field above a path that is made without keeping anything; None when there is none."""
    part: Part = group
    passed: list[str] = []
    for step in steps[:-1]:
        if step == ELEMENTS:
            if not isinstance(part, Repeated):
                return ".".join(passed)
            part = part.fields
            if not part.kept:
                return ".".join(passed)
            continue
        found = part.fields.get(step) if isinstance(part, Grouped) else None
        if found is None:
            return None if isinstance(part, Grouped) else ".".join(passed)
        part = found
        passed.append(step)
    return None if isinstance(part, Grouped) else ".".join(passed)
