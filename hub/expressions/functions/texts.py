"""Functions on strings."""

from __future__ import annotations

import hashlib

from hub.expressions.budgets import Meter
from hub.expressions.errors import InvalidValue
from hub.expressions.functions.results import texts
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


@function("hash(text: string|null) -> string|null", metered=True)
def hash_(text: str, meter: Meter) -> str:
    """Give the SHA-256 of a string's UTF-8, as 64 hexadecimal digits."""
    meter.spend_text(len(text))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


FUNCTIONS = (starts_with, ends_with, upper, lower, trim, replace, substring, hash_)
