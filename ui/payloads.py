"""Records as readable text: indented, exact, each token marked for its colour and escaped."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from markupsafe import Markup, escape

from hub.sdk import exact_json

#: More is cut off: a page must stay a page.
MAX_SHOWN = 200_000
_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null)'
)


def plain(value: Any) -> str:
    """Give a record as indented JSON, to be edited; numbers keep all of their digits."""
    return msgspec.json.format(exact_json.dumps(value), indent=2).decode()


def payload(value: Any) -> Markup:
    """Give a record as marked-up JSON; numbers keep all of their digits."""
    return _marked(plain(value))


def body(text: str) -> Markup:
    """Give a recorded body: as JSON when it is some, else as it is, a form's fields one a line."""
    try:
        return _marked(msgspec.json.format(text.encode(), indent=2).decode())
    except msgspec.DecodeError:
        if "=" in text and " " not in text[:200] and "\n" not in text[:200]:
            text = text.replace("&", "\n&")
        return escape(text[:MAX_SHOWN])


def _marked(text: str) -> Markup:
    cut = text[:MAX_SHOWN]
    parts: list[str] = []
    last = 0
    for token in _TOKEN.finditer(cut):
        parts.extend((str(escape(cut[last : token.start()])), f'<span class="j-{token.lastgroup}">'))
        parts.extend((str(escape(token.group())), "</span>"))
        last = token.end()
    parts.append(str(escape(cut[last:])))
    if len(text) > MAX_SHOWN:
        parts.append(f"\n… {len(text) - MAX_SHOWN:,} more characters")
    return Markup("".join(parts))  # noqa: S704 - every piece of the record was escaped above
