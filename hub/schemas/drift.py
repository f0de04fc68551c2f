"""Drift: how a payload differs from its registered version, found fast enough for the webhook door."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any

from hub.model.kinds import Kind, kind_of
from hub.schemas.documents import ANY_NAME, among, below, element
from hub.schemas.quick_look import quick_look, says
from hub.schemas.shape import Shape, shape_of

#: As many findings of one kind are told of one payload; a payload of a wholly different kind has no end of them. Fields
#: that a schema does not know are told apart from the others, since a tenant may have a hundred of its own: they must
#: hide neither one that comes to them nor what is gone or is another thing now.
MOST_FINDINGS = 50
MOST_UNKNOWN_FIELDS = 250
#: Examples are shortened to so many characters.
LONGEST_EXAMPLE = 80


class DriftKind(StrEnum):
    """In what way a payload differs from its schema."""

    UNKNOWN_FIELD = "unknown-field"
    MISSING_FIELD = "missing-field"
    CHANGED_TYPE = "changed-type"
    NEW_VALUE = "new-value"


#: The kind of a finding that is not about a field: the version that the payload claims was never registered.
UNREGISTERED = "unregistered-version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference: where (`lines.data[].amount`, without places in lists), in few words, and an example.

    `detail` is the same for the same difference in other payloads: the kind of an unknown field, `string instead of
    integer`, or the new value. `example` is the beginning of the value (None for what is missing), `value`
    all of it.
    """

    kind: DriftKind
    path: str
    detail: str
    example: str | None
    value: Any = field(default=None, compare=False, repr=False)


_DOT = "."
#: Ends the path of a field that a vendor shows in every record, although nobody is known to need it.
_SHOWN = "?"
_ANY = _DOT + ANY_NAME

CompiledDrift = Callable[[Any], list[Finding]]


class _Found(dict[tuple[DriftKind, str, str], Finding]):
    """The findings of one payload, and of each kind how many more are told."""

    def __init__(self) -> None:
        super().__init__()
        self.room = dict.fromkeys(DriftKind, MOST_FINDINGS) | {DriftKind.UNKNOWN_FIELD: MOST_UNKNOWN_FIELDS}


#: Checks a value of a kind that is allowed, deeper or for its values.
_Check = Callable[[Any, str, _Found], None]

_TYPES: Mapping[Kind, tuple[type, ...]] = {
    Kind.NULL: (type(None),),
    Kind.BOOLEAN: (bool,),
    Kind.NUMBER: (int, Decimal),
    Kind.STRING: (str,),
    Kind.ARRAY: (list,),
    Kind.OBJECT: (dict,),
}


def compile_drift(document: Any) -> CompiledDrift:
    """Compile the comparison with a JSON Schema: a function that gives each difference of a payload once.

    A field is unknown when the schema neither declares nor means it (no `additionalProperties`), also where the
    schema tolerates it. Only what the schema describes is looked into, so a payload cannot make this slow or deep.
    """
    shape = shape_of(document)
    types = _types(shape)
    check = _Compiler().check(shape)
    fits = quick_look(shape)

    def compare(payload: Any) -> list[Finding]:
        if fits(payload):
            return []
        found = _Found()
        if type(payload) not in types:
            _changed_type(shape, payload, "", found)
        elif check is not None:
            check(payload, "", found)
        return list(found.values())

    return compare


def missing(payload: Any, paths: Iterable[str]) -> list[Finding]:
    """Give those of these fields that are not there (`lines[].segment`) although what they belong to is.

    One whose path ends in `?` is merely `shown` by the vendor: nobody is known to need it. As many are told as of any
    other kind of finding.
    """
    found: dict[str, Finding] = {}
    for place, wanted in _by_place(tuple(paths)):
        for holder in _holders(payload, place):
            found |= {one.path: one for name, one in wanted.items() if name not in holder and one.path not in found}
    # What is needed comes first, and what is merely shown is told as far as there is room.
    return sorted(found.values(), key=lambda one: one.detail)[:MOST_FINDINGS]


@lru_cache(256)
def _by_place(paths: tuple[str, ...]) -> Sequence[tuple[Sequence[str], Mapping[str, Finding]]]:
    """Give what is said of each of these fields where it is not there, by the steps to what it belongs to."""
    found: dict[tuple[str, ...], dict[str, Finding]] = {}
    for given in paths:
        path, detail = given.removesuffix(_SHOWN), "shown" if given.endswith(_SHOWN) else "expected"
        *steps, name = path.split(_DOT)
        finding = Finding(kind=DriftKind.MISSING_FIELD, path=path, detail=detail, example=None)
        found.setdefault(tuple(steps), {})[name] = finding
    return tuple(found.items())


def _holders(payload: Any, steps: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    if not isinstance(payload, Mapping):
        return
    if not steps:
        yield payload
        return
    inner = payload.get(steps[0].removesuffix("[]"))
    for one in inner if isinstance(inner, list) else (inner,):
        yield from _holders(one, steps[1:])


class _Compiler:
    """Compiles each shape once, wherever it is used."""

    def __init__(self) -> None:
        self._checks: dict[int, _Check | None] = {}
        # Shapes are told apart by their identity, which holds only as long as they live.
        self._alive: list[Shape] = []

    def check(self, shape: Shape) -> _Check | None:
        """Compile what is to be checked of a value of an allowed kind; None when nothing is."""
        if id(shape) not in self._checks:
            self._alive.append(shape)
            # A shape that contains itself is one of which nothing is known.
            self._checks[id(shape)] = None
            self._checks[id(shape)] = self._compiled(shape)
        return self._checks[id(shape)]

    def _compiled(self, shape: Shape) -> _Check | None:
        by_type: dict[type, _Check] = {}
        if Kind.OBJECT in shape.kinds and (shape.fields or shape.given or shape.rest is None or says(shape.rest)):
            by_type[dict] = self._object(shape)
        if Kind.ARRAY in shape.kinds and shape.items is not None and says(shape.items):
            by_type[list] = self._list(shape.items)
        if shape.whole and Kind.NUMBER in shape.kinds:
            by_type[Decimal] = _whole(shape)
        if shape.values is not None:
            return _values(shape, by_type)
        if not by_type:
            return None
        if len(by_type) == 1:
            ((only, check),) = by_type.items()

            def alone(value: Any, path: str, found: _Found) -> None:
                if type(value) is only:
                    check(value, path, found)

            return alone

        def one(value: Any, path: str, found: _Found) -> None:
            deeper = by_type.get(type(value))
            if deeper is not None:
                deeper(value, path, found)

        return one

    def _object(self, shape: Shape) -> _Check:
        # Paths begin with a dot until they are noted, so that a field's own part of them is made here, once.
        known = {name: (*self._field(field), _DOT + below("", name)) for name, field in shape.fields.items()}
        rest = None if shape.rest is None else self._field(shape.rest)
        given, required, unless = shape.given, shape.required, shape.unless
        get = known.get

        def check(value: Any, path: str, found: _Found) -> None:
            for name, item in value.items():
                field = get(name)
                if field is not None:
                    if type(item) not in field[0]:
                        _changed_type(field[2], item, path + field[3], found)
                    elif (deeper := field[1]) is not None:
                        deeper(item, path + field[3], found)
                elif rest is None:
                    _unknown_field(item, path + _DOT + below("", name), found)
                elif type(item) not in rest[0]:
                    _changed_type(rest[2], item, path + _ANY, found)
                elif rest[1] is not None:
                    rest[1](item, path + _ANY, found)
            if not given <= value.keys():
                wanted = required if unless is not None and value.get(unless) is True else given
                for name in sorted(wanted - value.keys()):
                    _note(found, DriftKind.MISSING_FIELD, path + _DOT + below("", name), "required", None)

        return check

    def _list(self, items: Shape) -> _Check:
        types, deeper, _ = self._field(items)

        def check(value: Any, path: str, found: _Found) -> None:
            path = element(path)
            for item in value:
                if type(item) not in types:
                    _changed_type(items, item, path, found)
                elif deeper is not None:
                    deeper(item, path, found)

        return check

    def _field(self, shape: Shape) -> tuple[frozenset[type], _Check | None, Shape]:
        return _types(shape), self.check(shape), shape


def _types(shape: Shape) -> frozenset[type]:
    return frozenset(one for kind in shape.kinds for one in _TYPES[kind])


def _whole(shape: Shape) -> _Check:
    def check(value: Any, path: str, found: _Found) -> None:
        if value != value.to_integral_value():
            _changed_type(shape, value, path, found)

    return check


def _values(shape: Shape, by_type: Mapping[type, _Check]) -> _Check:
    values = shape.values or ()
    texts = frozenset(value for value in values if isinstance(value, str))
    others = tuple(value for value in values if not isinstance(value, str))

    def check(value: Any, path: str, found: _Found) -> None:
        allowed = value in texts if type(value) is str else among(value, others)
        if not allowed:
            _note(found, DriftKind.NEW_VALUE, path, shorten(value), value)
        elif type(value) in by_type:
            by_type[type(value)](value, path, found)

    return check


def _unknown_field(value: Any, path: str, found: _Found) -> None:
    _note(found, DriftKind.UNKNOWN_FIELD, path, _kind(value), value)


def _changed_type(shape: Shape, value: Any, path: str, found: _Found) -> None:
    names = sorted(shape.kinds)
    wanted = " or ".join("integer" if kind is Kind.NUMBER and shape.whole else kind.value for kind in names)
    _note(found, DriftKind.CHANGED_TYPE, path, f"{_kind(value)} instead of {wanted or 'nothing'}", value)


def _kind(value: Any) -> str:
    kind = kind_of(value)
    return type(value).__name__ if kind is None else kind.value


def _note(found: _Found, kind: DriftKind, path: str, detail: str, value: Any) -> None:
    path = path.removeprefix(_DOT)
    key = (kind, path, detail)
    if key not in found and found.room[kind] > 0:
        found.room[kind] -= 1
        example = None if kind is DriftKind.MISSING_FIELD else shorten(value)
        found[key] = Finding(kind=kind, path=path, detail=detail, example=example, value=value)


def shorten(value: Any) -> str:
    """Show a value in at most 80 characters: the beginning of a text or number, the names in an object."""
    if isinstance(value, str):
        text = value[: LONGEST_EXAMPLE + 1]
    elif isinstance(value, list):
        text = f"[{len(value)} {'entry' if len(value) == 1 else 'entries'}]"
    elif isinstance(value, dict):
        names = [str(name)[:LONGEST_EXAMPLE] for name, _ in zip(value, range(12), strict=False)]
        text = f"{{{', '.join(names)}{', …' if len(value) > len(names) else ''}}}"
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int) and value.bit_length() > 300:
        text = f"a number of {value.bit_length()} bits"
    else:
        text = "null" if value is None else str(value)
    return text if len(text) <= LONGEST_EXAMPLE else f"{text[: LONGEST_EXAMPLE - 1]}…"
