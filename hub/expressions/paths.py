"""Which places of its source an expression reads, found without evaluating it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hub.expressions.tree import Node, Part

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def step(path: str, name: str) -> str:
    """Give the path of a key (`*` for any) below a path; a key that is no plain word is quoted."""
    word = name if name == "*" or _PLAIN.match(name) else json.dumps(name, ensure_ascii=False)
    return f"{path}.{word}" if path else word


@dataclass(frozen=True, slots=True)
class _Computed:
    """A value that no path names."""


@dataclass(frozen=True, slots=True)
class _At:
    """The value at a path of the source."""

    path: str

    def named(self, name: str) -> _At:
        return _At(step(self.path, name))

    def element(self) -> _At:
        return _At(f"{self.path}[]")


@dataclass(frozen=True, slots=True)
class _Made:
    """An object or list that the expression makes itself; `parts` by key."""

    parts: dict[str, Origin]


@dataclass(frozen=True, slots=True)
class _Each:
    """A list made of another one, with this value for each element."""

    element: Origin


@dataclass(frozen=True, slots=True)
class _Derived:
    """A value that a function worked out of others."""

    sources: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class _OneOf:
    """One of several values."""

    choices: tuple[Origin, ...]


#: Where a value comes from: places of the source, and what an expression makes of their values.
Origin = _Computed | _At | _Made | _Each | _Derived | _OneOf
_COMPUTED = _Computed()
_MOST_CHOICES = 64
#: Functions that give back what they are given, or some of it.
_PASSING = frozenset({"sort_by", "reverse", "sort", "not_null", "coalesce", "to_array", "unique"})


#: The paths that the current node may have: the whole source, or what an enclosing expression chose.
Paths = tuple[str, ...]
WHOLE: Paths = ("",)


def source_paths(tree: Node, *, at: Paths | Origin = WHOLE) -> Paths:
    """Give the paths that are read, such as `lines.data[].amount`, in the order of the text, each once.

    `at` are the paths of the current node (`lines.data[]` within a repeated target) or its origin, `@` is the whole
    source. An index or slice is written `[]`, any key `*`.
    """
    reader = _Reader()
    reader.consume(reader.trace(tree, _origin(at)))
    return tuple(reader.found)


def value_paths(tree: Node, *, at: Paths | Origin = WHOLE) -> Paths:
    """Give the paths that the value of an expression may itself have; none when it is computed."""
    return _own(value_origin(tree, at=at))


def element_paths(tree: Node, *, at: Paths | Origin = WHOLE) -> Paths:
    """Give the paths that the elements of the list may have that an expression gives; none when it is computed."""
    return _own(element_origin(tree, at=at))


def value_origin(tree: Node, *, at: Paths | Origin = WHOLE) -> Origin:
    """Give where the value of an expression comes from, as `at` of what is read from it."""
    return _Reader().trace(tree, _origin(at))


def element_origin(tree: Node, *, at: Paths | Origin = WHOLE) -> Origin:
    """Give where the elements of the list come from that an expression gives, as `at` of what is read from one."""
    return _element(value_origin(tree, at=at))


def _origin(at: Paths | Origin) -> Origin:
    if not isinstance(at, tuple):
        return at
    return _one_of([_At(path) for path in at]) if at else _COMPUTED


def _own(origin: Origin) -> Paths:
    choices = origin.choices if isinstance(origin, _OneOf) else (origin,)
    return tuple(choice.path for choice in choices if isinstance(choice, _At))


@dataclass(slots=True)
class _Reader:
    found: dict[str, None] = field(default_factory=dict)

    def consume(self, origin: Origin) -> None:
        """Count as read what this value came from."""
        for path in _leaves(origin):
            self.found.setdefault(path or "@")

    def trace(self, node: Node, current: Origin) -> Origin:
        """Follow one node; what it looks at but does not pass on counts as read."""
        children = node.children
        match node.part:
            case Part.CURRENT | Part.IDENTITY:
                return current
            case Part.LITERAL:
                return _COMPUTED
            case Part.FIELD:
                return _named(current, str(node.value))
            case Part.SUBEXPRESSION | Part.PIPE | Part.INDEX_EXPRESSION:
                for child in children:
                    current = self.trace(child, current)
                return current
            case Part.INDEX:
                return _element(current)
            case Part.SLICE:
                return current
            case Part.OR | Part.AND:
                return _one_of([self.trace(child, current) for child in children])
            case Part.MULTI_SELECT_HASH:
                return _Made({str(child.value): self.trace(child.children[0], current) for child in children})
            case Part.MULTI_SELECT_LIST:
                return _Made({str(place): self.trace(child, current) for place, child in enumerate(children)})
            case Part.FUNCTION:
                return self._call(node, current)
            case Part.COMPARATOR | Part.NOT | Part.KEY_VALUE | Part.EXPRESSION_REFERENCE:
                for child in children:
                    self.consume(self.trace(child, current))
                return _COMPUTED
            case _:
                return self._project(node, current)

    def _project(self, node: Node, current: Origin) -> Origin:
        base = self.trace(node.children[0], current)
        match node.part:
            case Part.PROJECTION:
                element = _element(base)
            case Part.VALUE_PROJECTION:
                element = _named(base, "*")
            case Part.FILTER_PROJECTION:
                element = _element(base)
                self.consume(self.trace(node.children[2], element))
            case _:
                return _flat(base)
        return _Each(self.trace(node.children[1], element))

    def _call(self, node: Node, current: Origin) -> Origin:
        if node.value == "root":
            return _At("")
        arguments = [
            None if child.part is Part.EXPRESSION_REFERENCE else self.trace(child, current) for child in node.children
        ]
        lists = [argument for argument in arguments if argument is not None]
        for child in node.children:
            if child.part is Part.EXPRESSION_REFERENCE:
                made = self.trace(child.children[0], _element(lists[0]) if lists else _COMPUTED)
                if node.value == "map":
                    return _Each(made)
                if node.value == "group_by" and lists:
                    return _Each(_Made({"key": made, "items": lists[0]}))
                self.consume(made)
        if node.value in _PASSING:
            return _one_of(lists)
        if node.value == "items":
            return _Each(_Made({"key": _COMPUTED, "value": _named(lists[0], "*")}))
        if node.value == "zip" and isinstance(lists[0], _Made):
            return _Each(_Made({name: _element(part) for name, part in lists[0].parts.items()}))
        if node.value in ("max_by", "min_by"):
            return _one_of([_element(origin) for origin in lists])
        for origin in lists:
            self.consume(origin)
        return _Derived(tuple(lists)) if lists else _COMPUTED


def _one_of(origins: Iterable[Origin]) -> Origin:
    """Join origins into one flat choice without repeats, so that no expression makes this analysis grow."""
    choices: dict[object, Origin] = {}
    for origin in origins:
        for choice in origin.choices if isinstance(origin, _OneOf) else (origin,):
            choices.setdefault(choice if isinstance(choice, _At | _Computed) else id(choice), choice)
    if len(choices) == 1:
        return next(iter(choices.values()))
    return _OneOf(tuple(choices.values())[:_MOST_CHOICES])


def _leaves(origin: Origin) -> Iterator[str]:
    waiting, seen = [origin], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        match part:
            case _At(path):
                yield path
            case _Made(parts):
                waiting.extend(reversed(parts.values()))
            case _OneOf(choices) | _Derived(choices):
                waiting.extend(reversed(choices))
            case _Each(element):
                waiting.append(element)
            case _Computed():
                pass


def _named(origin: Origin, name: str) -> Origin:
    match origin:
        case _At():
            return origin.named(name)
        case _Made(parts):
            return _one_of(parts.values()) if name == "*" else parts.get(name, _COMPUTED)
        case _OneOf(choices):
            return _one_of(_named(choice, name) for choice in choices)
        case _Derived():
            return origin
        case _Computed() | _Each():
            return _COMPUTED


def _element(origin: Origin) -> Origin:
    match origin:
        case _At():
            return origin.element()
        case _Made(parts):
            return _one_of(parts.values())
        case _OneOf(choices):
            return _one_of(_element(choice) for choice in choices)
        case _Each(element):
            return element
        case _Computed() | _Derived():
            return origin


def _flat(origin: Origin) -> Origin:
    """Follow a flattening: `lines[].taxes[]` are the elements of each line's list, `lines[?paid][]` still the lines."""
    match origin:
        case _Each(_At(path) as inner) if not path.endswith("[]"):
            return inner
        case _OneOf(choices):
            return _one_of(_flat(choice) for choice in choices)
        case _:
            return origin
