"""Writing a connection into an environment's file: every other character of the file stays as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hub.errors import Refused
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import Keyed, Listed, Node, Scalar, plain, read_yaml

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./:@+-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})
#: A value on one line as it stands in a file: in quotes of either kind, or bare up to a comment.
_STANDS = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#\[{|>&*!](?:[^#\n]|(?<!\s)#)*?)(?=\s*(?:\s#.*)?$)""")


def with_connection(text: str, name: str, settings: Mapping[str, Any], secret: str | None) -> str:
    """Give an environment's file with these settings of a connection, and its secret (`vault:NAME`).

    Keys that are there already get their new values where they stand. Raises `Refused` with the lines to write by hand
    where the file is written in a way that this cannot change safely.
    """
    wanted = {**settings, **({} if secret is None else {"secret": secret})}
    document = _read(text)
    entries = document.get("connections") if document is not None else None
    if document is None or not isinstance(entries, Keyed):
        raise by_hand(name, wanted)
    found = entries.get(name)
    if found is None:
        changed = _with_new(text, document, entries, name, wanted)
    elif isinstance(found, Keyed):
        changed = _with_changes(text, found, name, wanted)
    else:
        raise by_hand(name, wanted)
    expected = plain(document)
    expected["connections"] = {**expected["connections"]}
    expected["connections"][name] = {**(expected["connections"].get(name) or {}), **wanted}
    after = _read(changed)
    if after is None or plain(after) != expected:
        raise by_hand(name, wanted)
    return changed


def lines_of(name: str, settings: Mapping[str, Any], indent: int = 2) -> list[str]:
    """Give the entry of a connection as it is written."""
    space = " " * indent
    return [f"{space}{name}:", *(f"{space}  {key}: {_written(value)}" for key, value in settings.items())]


def by_hand(name: str, settings: Mapping[str, Any], why: str = "cannot be changed safely as it is written") -> Refused:
    """Say which lines a person has to write."""
    return Refused(
        f"The environment's file {why}. Write below its `connections:` yourself:\n"
        + "\n".join(lines_of(name, settings)),
        code="write-by-hand",
    )


def _read(text: str) -> Keyed | None:
    lints = Lints(path="environment")
    node = read_yaml(text.encode(), lints)
    return node if isinstance(node, Keyed) and not lints.failed else None


def _with_new(text: str, document: Keyed, entries: Keyed, name: str, wanted: Mapping[str, Any]) -> str:
    lines = text.splitlines()
    key = document.entries["connections"].key
    head = lines[key.line - 1]
    if not entries.entries:
        # An empty one can only be written as `{}`.
        if not re.fullmatch(r"connections:\s*\{\s*\}\s*(#.*)?", head):
            raise by_hand(name, wanted)
        lines[key.line - 1] = re.sub(r"\s*\{\s*\}", "", head, count=1)
        at, indent, apart = key.line, 2, False
    else:
        first = next(iter(entries.entries.values())).key
        if first.line == key.line:
            raise by_hand(name, wanted)
        at, indent = _last_line(entries, lines), first.column - 1
        # Where the others stand apart, so does the new one.
        apart = any(not lines[each.key.line - 2].strip() for each in list(entries.entries.values())[1:])
    lines[at:at] = [*([""] if apart else []), *lines_of(name, wanted, indent)]
    return "\n".join(lines) + "\n"


def _with_changes(text: str, found: Keyed, name: str, wanted: Mapping[str, Any]) -> str:
    lines = text.splitlines()
    new: dict[str, Any] = {}
    for key, value in wanted.items():
        entry = found.entries.get(key)
        if entry is None:
            new[key] = value
        elif plain(entry.value) != value:
            stands = entry.value
            if not isinstance(stands, Scalar) or stands.block or stands.line != entry.key.line:
                raise by_hand(name, wanted)
            line = lines[stands.line - 1]
            match = _STANDS.match(line, stands.column - 1)
            if match is None:
                raise by_hand(name, wanted)
            lines[stands.line - 1] = line[: match.start()] + _written(value) + line[match.end() :]
    if new:
        first = next(iter(found.entries.values()), None)
        # In braces, something stands before the first key.
        if first is None or lines[first.key.line - 1][: first.key.column - 1].strip():
            raise by_hand(name, wanted)
        at, space = _last_line(found, lines), " " * (first.key.column - 1)
        lines[at:at] = [f"{space}{key}: {_written(value)}" for key, value in new.items()]
    return "\n".join(lines) + "\n"


def _last_line(node: Node, lines: list[str]) -> int:
    """Give the last line on which something of a node stands."""
    if isinstance(node, Keyed):
        found = [max(each.key.line, _last_line(each.value, lines)) for each in node.entries.values()]
        return max([node.line, *found])
    if isinstance(node, Listed):
        return max([node.line, *(_last_line(item, lines) for item in node.items)])
    if node.block:
        inset = len(lines[node.line - 1]) - len(lines[node.line - 1].lstrip())
        last = node.line
        for number in range(node.line, len(lines)):
            line = lines[number]
            if line.strip() and len(line) - len(line.lstrip()) <= inset:
                break
            if line.strip():
                last = number + 1
        return last
    return node.line


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    text = str(value)
    if not isinstance(value, str) or (_PLAIN.fullmatch(text) and text.lower() not in _WORDS and not text.endswith(":")):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
