"""Keeping secrets out of everything written: known values are scrubbed, also in their encoded forms."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

#: What stands where a secret stood.
MASK = "[secret]"
#: Shorter values cannot be told from ordinary words; a vault should not hold such secrets.
SHORTEST = 6
#: Lines of a longer secret, such as a key file, count by themselves from this length.
SHORTEST_LINE = 20


class Redactor:
    """Knows the secret values of this process and takes them out of texts and JSON values."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def register(self, value: str) -> None:
        """Take note of a secret: as it is, in URLs, in JSON, in base64 at any offset, and line by line."""
        found = {form for form in _forms(value) if len(form) >= SHORTEST}
        if not found <= self._forms:
            self._forms |= found
            # The longest form first, so that no part of a longer one is left over.
            ordered = sorted(self._forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(re.escape(form) for form in ordered))

    def scrub(self, text: str) -> str:
        """Give the text with a mask for each secret in it."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def scrub_json(self, value: Any) -> Any:
        """Give a JSON value with masks in all its texts and keys; bytes are read as UTF-8, anything else stays."""
        match value:
            case str():
                return self.scrub(value)
            case bytes():
                return self.scrub(value.decode("utf-8", "replace")).encode() if self._pattern else value
            case Mapping():
                return {self.scrub_json(key): self.scrub_json(item) for key, item in value.items()}
            case list() | tuple():
                return [self.scrub_json(item) for item in value]
            case _:
                return value


def _forms(value: str) -> Iterator[str]:
    yield value
    yield value.strip()
    yield quote(value, safe="")
    yield quote(value)
    yield quote_plus(value)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield from _base64_forms(value.encode())
    lines = value.splitlines()
    if len(lines) > 1:
        for line in lines:
            if len(line) >= SHORTEST_LINE and not line.startswith("-----"):
                yield line
                yield from _base64_forms(line.encode())


def _base64_forms(value: bytes) -> Iterator[str]:
    """Give what base64 makes of a value, also within something longer (`user:secret`), at each of three offsets."""
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + value).decode()
        # Characters that mix in bits of the neighbours are left out; what remains is the same in any surrounding.
        start = (0, 2, 3)[offset]
        whole = (offset + len(value)) * 8 // 6
        inner = encoded[start:whole]
        if len(inner) >= SHORTEST:
            yield inner
            yield inner.translate({ord("+"): "-", ord("/"): "_"})
            yield quote(inner, safe="")
