"""A vendor that changes its answers without a word: fields come, go, or become something else.

For sandboxes whose shapes cannot be changed from within, as those of an org or of a service can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from hub.sandbox.exact_json import dumps, loads
from hub.sandbox.spoilt import body_of, with_body

_KEYS = frozenset({"path", "set", "drop", "as_text"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is done to the answers under some addresses; names are dotted, and lead into each entry of a list."""

    path: re.Pattern[str]
    set: Mapping[str, Any] = field(default_factory=dict)
    drop: Sequence[str] = ()
    as_text: Sequence[str] = ()


def read_changes(entries: Any) -> list[Change]:
    """Read a list of changes; raises `ValueError` that names what is wrong."""
    if not isinstance(entries, list):
        raise TypeError("What has changed is a list of entries.")
    found = []
    for place, entry in enumerate(entries):
        surplus = set(entry) - _KEYS
        if surplus:
            raise ValueError(f"drift[{place}]: unknown key {', '.join(sorted(surplus))}")
        try:
            pattern = re.compile(str(entry.get("path", "")))
        except re.error as error:
            raise ValueError(f"drift[{place}]: {error}") from None
        deeds = {name: entry[name] for name in ("set", "drop", "as_text") if name in entry}
        found.append(Change(path=pattern, **deeds))
    return found


def evolved(changes: Sequence[Change], request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """Give an answer as the vendor gives it since it has changed; refusals, and what is no JSON, stay as they are."""
    struck = [change for change in changes if change.path.search(request.path_qs)]
    if not struck or answer.status >= 400:
        return answer
    try:
        value = loads(body_of(answer))
    except ValueError:
        return answer
    for change in struck:
        for name, given in change.set.items():
            for record, last in _each(value, name):
                record[last] = given
        for name in change.drop:
            for record, last in _each(value, name):
                record.pop(last, None)
        for name in change.as_text:
            for record, last in _each(value, name):
                if record.get(last) is not None:
                    record[last] = str(record[last])
    return with_body(answer, dumps(value))


def _each(value: Any, name: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Give each object that holds what a dotted name means, with its own name of that."""
    *above, last = name.split(".")
    for record in _within(value, above):
        yield record, last


def _within(value: Any, path: Sequence[str]) -> Iterator[dict[str, Any]]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            if not path:
                yield one
            elif path[0] in one:
                yield from _within(one[path[0]], path[1:])
