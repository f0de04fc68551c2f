"""Files of a workspace as plain values that can be compared: lists of named things become names to things."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.sdk import exact_json
from hub.workspace.kinds import FileKind, kind_of
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import Keyed, Listed, Node, Scalar, read_yaml

#: One thing of a workspace: what it is, and how it is called.
Thing = tuple[FileKind, str]

#: By these keys the entries of a list are told apart, the first that all of them have.
_NAMES = ("id", "name", "example")
#: Lists of named things whose order means something.
_ORDERED = ("steps", "rules", "branch")
_MOST_SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file: what it is, how it is called, and what it says."""

    kind: FileKind
    name: str
    path: str
    says: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where two documents differ; None where there is nothing."""

    path: tuple[str, ...]
    before: Any
    after: Any


def read_document(path: str, content: bytes) -> Document | None:
    """Read one file of a bundle that compiles; None for files that are none of the workspace's."""
    kind = kind_of(path)
    if kind is None:
        return None
    stem = path.rpartition("/")[2].rpartition(".")[0]
    if kind is FileKind.SCHEMA:
        return Document(kind=kind, name=stem, path=path, says=exact_json.loads(content))
    if kind in (FileKind.TABLE, FileKind.RUNBOOK, FileKind.FIXTURE):
        name = stem if kind is FileKind.TABLE else path
        return Document(kind=kind, name=name, path=path, says=content.decode("utf-8", "replace"))
    node = read_yaml(content, Lints(path))
    if not isinstance(node, Keyed):
        return Document(kind=kind, name=path, path=path, says=None if node is None else _plain(node))
    first = next(iter(node.entries), "")
    # A folder may hold several kinds of files, told apart by the key that names them.
    named = kind if kind.value in node.entries else FileKind(first) if first in set(FileKind) else kind
    name_at = node.get(named.value)
    name = name_at.text if isinstance(name_at, Scalar) else path
    return Document(kind=named, name=name, path=path, says=_plain(node))


def _plain(node: Node) -> Any:
    """Give a node's values, texts as they are written, and lists of named things by their names."""
    if isinstance(node, Keyed):
        return {key: _plain(entry.value) for key, entry in node.entries.items()}
    if not isinstance(node, Listed):
        return node.text if isinstance(node.value, str) else node.value
    items = [_plain(item) for item in node.items]
    for key in _NAMES:
        names = [item.get(key) for item in items if isinstance(item, dict)]
        if items and len(names) == len(items) and all(isinstance(name, str) for name in names):
            return dict(zip(names, items, strict=True)) if _distinct(names) else items
    return items


def _distinct(names: list[Any]) -> bool:
    return len(set(names)) == len(names)


def differences(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[Difference]:
    """Give the smallest places in which two values differ, in the order of the newer one."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*after, *before]):
            yield from differences(before.get(key), after.get(key), (*path, key))
        kept = [key for key in before if key in after], [key for key in after if key in before]
        if kept[0] != kept[1] and path and path[-1] in _ORDERED:
            yield Difference(path=(*path, "order"), before=", ".join(kept[0]), after=", ".join(kept[1]))
    elif type(before) is not type(after) or before != after:
        yield Difference(path=path, before=before, after=after)


def shown(value: Any) -> str | None:
    """Give a value as people read it in a list of changes; None for nothing."""
    if value is None:
        return None
    text = value if isinstance(value, str) else exact_json.dumps(value).decode()
    flat = " ".join(text.split())
    return flat if len(flat) <= _MOST_SHOWN else flat[: _MOST_SHOWN - 1] + "…"
