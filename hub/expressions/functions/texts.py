"""Functions on strings."""

from __future__ import annotations

import hashlib

from hub.expressions.budgets import Meter
from hub.expressions.errors import InvalidValue
from hub.expressions.functions.named import Digest, named_digest
from hub.expressions.functions.results import list_of_texts, texts
from hub.expressions.functions.signature import function
from hub.expressions.numbers import Number


@function("starts_with(text: string, start: string) -> boolean")
def starts_with(text: str, start: str) -> bool:
    """Tell whether a string begins with another."""
    return text.startswith(start)


@function("ends_with(text: string, end: string) -> boolean")
def ends_with(text: str, end: str) -> bool:
    """Tell whether a string ends with another."""
    return text.endswith(end)


@function("upper(text: string|null) -> string|null", metered=True, gives=texts(str.upper))
def upper(text: str, meter: Meter) -> str:
    """Write a string in capitals."""
    if len(text) > 64:
        meter.spend_text(len(text))
    return text.upper()


@function("lower(text: string|null) -> string|null", metered=True, gives=texts(str.lower))
def lower(text: str, meter: Meter) -> str:
    """Write a string in small letters."""
    if len(text) > 64:
        meter.spend_text(len(text))
    return text.lower()


@function("trim(text: string|null) -> string|null", metered=True, gives=texts(str.strip))
def trim(text: str, meter: Meter) -> str:
    """Take the white space from both ends of a string."""
    meter.spend_text(len(text))
    return text.strip()


@function("replace(text: string|null, old: string, new: string) -> string|null", metered=True)
def replace(text: str, old: str, new: str, meter: Meter) -> str:
    """Put `new` in place of every `old` in a string."""
    if not old:
        raise InvalidValue("Nothing cannot be replaced; the second argument is empty.")
    meter.spend_text(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


@function("substring(text: string|null, start: integer, length?: integer) -> string|null", metered=True)
def substring(text: str, start: Number, *rest: Number | Meter) -> str:
    """Give `length` characters of a string from `start`, counted from 0; without a length, all to its end."""
    *lengths, meter = rest
    assert isinstance(meter, Meter)
    bounds = [start, *lengths]
    if any(type(bound) is not int or bound < 0 for bound in bounds):
        raise InvalidValue("Start and length of a substring are whole numbers, not negative.")
    meter.spend_text(len(text))
    begin = int(start)
    return text[begin : begin + int(lengths[0])] if lengths else text[begin:]  # type: ignore[arg-type]


@function("split(text: string|null, separator: string) -> array[string]|null", metered=True, gives=list_of_texts)
def split(text: str, separator: str, meter: Meter) -> list[str]:
    """Give the parts of a string between the separators; one part when there is none."""
    if not separator:
        raise InvalidValue("Nothing cannot separate; the second argument is empty.")
    meter.spend_text(len(text))
    meter.spend(text.count(separator) + 1)
    return text.split(separator)


@function("pad_left(text: string|null, width: integer, fill: string) -> string|null", metered=True)
def pad_left(text: str, width: Number, fill: str, meter: Meter) -> str:
    """Put a character before a string until it is so wide; a wider one stays as it is."""
    return text.rjust(*_padding(width, fill, meter))


@function("pad_right(text: string|null, width: integer, fill: string) -> string|null", metered=True)
def pad_right(text: str, width: Number, fill: str, meter: Meter) -> str:
    """Put a character behind a string until it is so wide; a wider one stays as it is."""
    return text.ljust(*_padding(width, fill, meter))


def _padding(width: Number, fill: str, meter: Meter) -> tuple[int, str]:
    if type(width) is not int or width < 0:
        raise InvalidValue("The width is a whole number, not negative.")
    if len(fill) != 1:
        raise InvalidValue("A string is filled with one character.", fill=fill[:40])
    meter.spend_text(width)
    return width, fill


@function("hash(text: string|null, digest?: digest) -> string|null", metered=True)
def hash_(text: str, *rest: str | Meter) -> str:
    """Give the `sha256` (or `sha384` or `sha512`) of a string's UTF-8, in hexadecimal digits."""
    *named, meter = rest
    assert isinstance(meter, Meter)
    meter.spend_text(len(text))
    written = text.encode("utf-8", "surrogatepass")
    digest = named_digest(str(named[0])) if named else Digest.SHA256
    return hashlib.new(digest, written, usedforsecurity=False).hexdigest()


FUNCTIONS = (starts_with, ends_with, upper, lower, trim, replace, substring, split, pad_left, pad_right, hash_)
