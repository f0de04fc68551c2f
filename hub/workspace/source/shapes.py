"""How a file kind is described, once: its keys, what each may hold, and a sentence about it.

Two readers use a description: `shape_lint` (what is wrong with a file) and `editor_schema` (JSON Schema for editors).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: Names of flows, policies, connections, environments: `invoice-to-erp`.
NAME = r"[A-Za-z][A-Za-z0-9_-]{0,63}"
#: Names that may stand in folders: `stripe/invoice_to_hub`.
PATH_NAME = rf"{NAME}(/{NAME}){{0,3}}"
#: Words an expression can name without quotes: step ids, given values, fields.
WORD = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
#: A field of a record, or of an object in it: `entity.id`.
TARGET = rf"{WORD}(\.{WORD}){{0,9}}"
#: A schema without its version: `canonical.invoice`; and a version.
SERIES_NAME = r"[A-Za-z][A-Za-z0-9_.-]{0,80}"
VERSION = r"[A-Za-z0-9][A-Za-z0-9._-]{0,30}"
#: A schema with its version: `canonical.invoice@1`.
SCHEMA = rf"{SERIES_NAME}@{VERSION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Words that match `pattern` as a whole (any when None); `example` shows what to write."""

    pattern: str | None = None
    example: str = "some text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a few words."""

    of: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number between two bounds, both included."""

    minimum: int = 0
    maximum: int = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A decimal number between two bounds, both included."""

    minimum: int = 0
    maximum: int = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """`true` or `false`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """A span of time in ISO 8601: `PT30S`, `P7D`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """Always an expression; `given` tells whether `given('x')` means something here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A literal, or an expression after `=`."""

    pattern: str | None = None
    example: str = "a name or =expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Any value of any depth; `terms` marks that texts which begin with `=` are expressions."""

    terms: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """A list of one shape."""

    item: Shape
    least: int = 0
    most: int = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Keys that the author chooses, all with values of one shape.

    A key may be an expression after `=` when `terms`; a value may hold keys instead, in the shape of `form`, when
    there is one.
    """

    value: Shape
    key: str | None = None
    example: str = "name"
    terms: bool = False
    form: Shape | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One declared key: its shape, a sentence for people, and whether it must be there."""

    shape: Shape
    doc: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Declared keys, and nothing else.

    `one_of` are groups of keys of which exactly one must be there, `any_of` of which at least one must be, and `apart`
    of which at most one may be. `other` is the shape of further keys, accepted when their value holds one of
    `other_has`.
    """

    title: str
    keys: Mapping[str, Key]
    one_of: tuple[tuple[str, ...], ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    apart: tuple[tuple[str, ...], ...] = ()
    other: Shape | None = None
    other_has: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """Several forms, chosen by the word that stands under `key`."""

    key: str
    forms: Mapping[str, Form]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Several forms, told apart by a key that stands in one of them; the first whose key is there counts."""

    title: str
    forms: Mapping[str, Form]


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """One value, or in its place keys that say more, or a list of such values."""

    value: Text | Term
    form: Form | Many


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A shape that may stand within itself, to any depth; `name` is what an editor's schema calls it."""

    name: str
    of: Callable[[], Shape]


Shape = (
    Text
    | Choice
    | Whole
    | Number
    | Flag
    | Duration
    | Expression
    | Term
    | Value
    | Many
    | Names
    | Form
    | Variants
    | Told
    | Either
    | Again
)
