"""Masking: what payloads may show of themselves in lists that many read, without names of people or keys of doors."""

from __future__ import annotations

import re

_MAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}")
#: Numbers of accounts, cards and telephones; the last four digits tell one from another.
_LONG_NUMBER = re.compile(r"\d[\d -]{5,30}(?=\d{4})")
#: Keys and tokens are long, without blanks, and have digits.
_TOKEN = re.compile(r"(?=[A-Za-z_\-+/=.]{0,40}\d)[A-Za-z0-9_\-+/=.]{32,}")
_MASK = "…"


def masked(text: str) -> str:
    """Give a text without mail addresses, long numbers and tokens."""
    return _TOKEN.sub(_MASK, _LONG_NUMBER.sub(_MASK, _MAIL.sub(f"{_MASK}@{_MASK}", text)))
