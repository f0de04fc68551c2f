"""Masking: what payloads may show of themselves in lists that many read, without names of people or keys of doors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hub.schemas.drift import shorten

#: Takes the secrets that the hub knows out of a text.
Scrub = Callable[[str], str]

_MAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}")
#: Numbers of accounts, cards and telephones; the last four digits tell one from another.
_LONG_NUMBER = re.compile(r"\d[\d -]{5,30}(?=\d{4})")
#: Keys and tokens are long, without blanks, and have digits.
_TOKEN = re.compile(r"(?=[A-Za-z_\-+/=.]{0,40}\d)[A-Za-z0-9_\-+/=.]{32,}")
#: What steers a terminal, or turns the direction of writing, is shown as a mark.
_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_MASK = "…"
#: What stands behind is never shown; names and texts of payloads may be endless.
_LOOKED_AT = 1000


def masked(text: str) -> str:
    """Give the beginning of a text without mail addresses, long numbers, tokens, and characters that steer."""
    plain = _STEERING.sub("�", text[:_LOOKED_AT])
    return _TOKEN.sub(_MASK, _LONG_NUMBER.sub(_MASK, _MAIL.sub(f"{_MASK}@{_MASK}", plain)))


def shown(value: Any, scrub: Scrub) -> str:
    """Show a value in at most 80 characters; it is scrubbed before it is shortened, so that no half secret is left."""
    if isinstance(value, str):
        return shorten(masked(scrub(value)))
    if isinstance(value, dict):
        value = {masked(scrub(str(name))): None for name in value}
    return masked(scrub(shorten(value)))
