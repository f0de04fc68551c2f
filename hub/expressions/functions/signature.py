"""How a function is declared: one line of text gives its name, parameters and result, for compiler, checks and docs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.model.kinds import ANY, Kind

Implementation = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter: the kinds it takes and, of an array, what its elements must all be (one of `elements`)."""

    name: str
    kinds: frozenset[Kind] = ANY
    elements: tuple[Kind, ...] = ()
    reference: bool = False
    optional: bool = False
    repeated: bool = False

    @property
    def passes_null(self) -> bool:
        """Tell whether null here makes the whole result null, without a call."""
        return Kind.NULL in self.kinds and self.kinds != ANY


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function that expressions can call.

    `metered` ones get the evaluation's meter after their arguments; `beside` names the part of the context (`given`,
    `tables`) that others get before them;
    `lazy` ones are compiled specially, so that a later argument is evaluated only when it is needed.
    """

    name: str
    text: str
    summary: str
    parameters: tuple[Parameter, ...]
    gives: frozenset[Kind]
    implementation: Implementation
    metered: bool = False
    beside: str | None = None
    lazy: bool = False

    @property
    def fewest(self) -> int:
        """Give the least number of arguments."""
        return sum(1 for parameter in self.parameters if not parameter.optional)

    @property
    def most(self) -> int | None:
        """Give the greatest number of arguments; None without limit."""
        return None if self.parameters and self.parameters[-1].repeated else len(self.parameters)

    def parameter(self, place: int) -> Parameter:
        """Give the parameter that the argument at this place belongs to."""
        return self.parameters[min(place, len(self.parameters) - 1)]


_DECLARATION = re.compile(r"(?P<name>\w+)\((?P<parameters>.*)\) -> (?P<gives>[\w|]+)\Z")
_PARAMETER = re.compile(
    r"(?P<reference>&)?(?P<repeated>\.\.\.)?(?P<name>\w+)(?P<optional>\?)?"
    r"(: (?P<kinds>[\w|]+)(\[(?P<elements>[\w|]+)\])?)?\Z"
)


def function(
    text: str, *, metered: bool = False, beside: str | None = None, lazy: bool = False
) -> Callable[[Implementation], Function]:
    """Declare a function, for instance `join(separator: string, texts: array[string]) -> string`.

    `?` after a name: may be left out; `...` before it: may be repeated; `&`: an expression; no kind: anything;
    `null` among the kinds: null is given back as it is.
    """

    def declare(implementation: Implementation) -> Function:
        declared = _DECLARATION.match(text)
        if declared is None:
            raise ValueError(text)
        written = declared["parameters"]
        return Function(
            name=declared["name"],
            text=text,
            summary=(implementation.__doc__ or "").strip().splitlines()[0],
            parameters=tuple(_parameter(part) for part in written.split(", ")) if written else (),
            gives=_kinds(declared["gives"]),
            implementation=implementation,
            metered=metered,
            beside=beside,
            lazy=lazy,
        )

    return declare


def _parameter(text: str) -> Parameter:
    match = _PARAMETER.match(text)
    if match is None:
        raise ValueError(text)
    return Parameter(
        name=match["name"],
        kinds=_kinds(match["kinds"] or "any"),
        elements=tuple(Kind(word) for word in (match["elements"] or "").split("|") if word),
        reference=bool(match["reference"]),
        optional=bool(match["optional"]),
        repeated=bool(match["repeated"]),
    )


def _kinds(text: str) -> frozenset[Kind]:
    return ANY if text == "any" else frozenset(Kind(word) for word in text.split("|"))
