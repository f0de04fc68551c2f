"""How a function is declared: one line of text gives its name, parameters and result, for compiler, checks and docs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hub.expressions.functions.meanings import MEANINGS, Meaning
from hub.model.kinds import ANY, Kind
from hub.schemas.shape import ANYTHING, Shape, either

Implementation = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter: what it takes (anything when `takes` is empty), and what the elements of a list must all be."""

    name: str
    kinds: frozenset[Kind] = ANY
    takes: tuple[Meaning, ...] = ()
    elements: tuple[Meaning, ...] = ()
    reference: bool = False
    optional: bool = False
    repeated: bool = False

    @property
    def passes_null(self) -> bool:
        """Tell whether null here makes the whole result null, without a call."""
        return Kind.NULL in self.kinds and self.kinds != ANY

    @property
    def element_kinds(self) -> tuple[Kind, ...]:
        """Give the kinds of which all elements must be one; none when they may be anything, or the function looks."""
        return tuple(meaning.kind for meaning in self.elements if not meaning.money)

    def check(self, literal: Any, kind: Kind) -> None:
        """Refuse a literal that cannot be what this parameter takes, such as a time zone that there is not."""
        for meaning in self.takes:
            if meaning.kind is kind and meaning.check is not None:
                meaning.check(literal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call as the check of types sees it: the shapes of its arguments, of an `&expression` what it gives each time.

    `literals` are the values of arguments that are literals, each in a tuple of one; `join` gives the shape of one of
    several; `report` notes a mistake: the argument's place, a code and a sentence.
    """

    shapes: tuple[Shape, ...]
    literals: tuple[tuple[Any] | None, ...]
    join: Callable[[Sequence[Shape]], Shape]
    report: Callable[[int, str, str], None]


Rule = Callable[[Call], Shape]


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function that expressions can call.

    `metered` ones get the evaluation's meter after their arguments; `beside` names the part of the context (`given`,
    `tables`) that others get before them; `lazy` ones are compiled specially, so that a later argument is evaluated
    only when it is needed. `result` is the shape of what they give, and `rule` works it out of the arguments' shapes
    where these matter.
    """

    name: str
    text: str
    summary: str
    parameters: tuple[Parameter, ...]
    gives: frozenset[Kind]
    result: Shape
    implementation: Implementation
    metered: bool = False
    beside: str | None = None
    lazy: bool = False
    rule: Rule | None = None

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

    def shape(self, call: Call) -> Shape:
        """Give the shape of what a call gives; null only where an argument that passes null on may be null."""
        shape = self.result if self.rule is None else self.rule(call)
        if shape.kinds.isdisjoint(self.gives):
            return self.result
        if not shape.kinds <= self.gives:
            shape = replace(shape, kinds=shape.kinds & self.gives)
        passing = [place for place, _ in enumerate(call.shapes) if self.parameter(place).passes_null]
        if not passing or self.lazy:
            return shape
        if any(call.shapes[place].may_be_null for place in passing):
            return shape.nullable()
        return replace(shape, kinds=shape.kinds - {Kind.NULL})


_DECLARATION = re.compile(
    r"(?P<name>\w+)\((?P<parameters>.*)\) -> (?P<gives>\w+)(\[(?P<elements>\w+)\])?(?P<or>(\|\w+)*)\Z"
)
_PARAMETER = re.compile(
    r"(?P<reference>&)?(?P<repeated>\.\.\.)?(?P<name>\w+)(?P<optional>\?)?"
    r"(: (?P<takes>[\w|]+)(\[(?P<elements>[\w|]+)\])?)?\Z"
)


def function(
    text: str, *, metered: bool = False, beside: str | None = None, lazy: bool = False, gives: Rule | None = None
) -> Callable[[Implementation], Function]:
    """Declare a function, for instance `join(separator: string, texts: array[string]) -> string`.

    `?` after a name: may be left out; `...` before it: may be repeated; `&`: an expression; no kind: anything;
    `null` among the kinds: null is given back as it is. Words beside the kinds are those of `MEANINGS`.
    """

    def declare(implementation: Implementation) -> Function:
        declared = _DECLARATION.match(text)
        if declared is None:
            raise ValueError(text)
        written = declared["parameters"]
        result = _shape(declared["gives"] + declared["or"], declared["elements"])
        return Function(
            name=declared["name"],
            text=text,
            summary=(implementation.__doc__ or "").strip().splitlines()[0],
            parameters=tuple(_parameter(part) for part in written.split(", ")) if written else (),
            gives=result.kinds,
            result=result,
            implementation=implementation,
            metered=metered,
            beside=beside,
            lazy=lazy,
            rule=gives,
        )

    return declare


def _parameter(text: str) -> Parameter:
    match = _PARAMETER.match(text)
    if match is None:
        raise ValueError(text)
    takes = _meanings(match["takes"])
    return Parameter(
        name=match["name"],
        kinds=frozenset(meaning.kind for meaning in takes) or ANY,
        takes=takes,
        elements=_meanings(match["elements"]),
        reference=bool(match["reference"]),
        optional=bool(match["optional"]),
        repeated=bool(match["repeated"]),
    )


def _meanings(text: str | None) -> tuple[Meaning, ...]:
    """Read words such as `number|null`; none of nothing and of `any`."""
    return tuple(MEANINGS[word] for word in text.split("|")) if text and text != "any" else ()


def _shape(gives: str, elements: str | None) -> Shape:
    meanings = _meanings(gives)
    if not meanings:
        return ANYTHING
    shape = either([meaning.shape for meaning in meanings])
    return replace(shape, items=_shape(elements, None)) if elements else shape
