"""What a revision changes, in words: file by file, field by field, rule by rule, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.release.documents import Difference, Document, Thing, differences, read_document, shown
from hub.release.uses import Touched, touched
from hub.workspace.bundle import Bundle
from hub.workspace.kinds import FileKind

#: As many details of one change are kept; a table may have thousands of rows.
MOST_DETAILS = 200


class What(StrEnum):
    """What happened to a thing."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One place of a change in words, with what stood there and what stands there now; None where there is nothing."""

    where: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A flow, mapping, policy, … that was added, removed or changed; `more` counts details that are not kept."""

    kind: FileKind
    name: str
    path: str
    what: What
    details: tuple[Detail, ...] = ()
    more: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """All changes between two bundles, and what they touch."""

    changes: tuple[Change, ...]
    touched: tuple[Touched, ...]

    @property
    def flows(self) -> frozenset[str]:
        """Name the flows that are touched."""
        return frozenset(one.name for one in self.touched if one.kind is FileKind.FLOW)


#: In this order people read them.
_ORDER = {kind: number for number, kind in enumerate(FileKind)}
_VERSIONED = (FileKind.MAPPING, FileKind.POLICY)


def compare(before: Bundle, after: Bundle) -> Changes:
    """Give what changes from one bundle to another, and what that touches in either."""
    paths = [
        path
        for path in sorted(before.files.keys() | after.files.keys())
        if before.files.get(path) != after.files.get(path)
    ]
    old, new = _documents(before.files, paths), _documents(after.files, paths)
    changes = []
    for thing in sorted(old.keys() | new.keys(), key=lambda thing: (_ORDER[thing[0]], thing[1])):
        change = _change(thing, old.get(thing), new.get(thing), before, after)
        if change is not None:
            changes.append(change)
    changed = [(change.kind, change.name) for change in changes]
    fixtures = [one for one in changed if one[0] not in (FileKind.FIXTURE, FileKind.RUNBOOK, FileKind.EXAMPLES)]
    return Changes(changes=tuple(changes), touched=tuple(touched(fixtures, (before, after))))


def _documents(files: Mapping[str, bytes], paths: list[str]) -> dict[Thing, Document]:
    found = (read_document(path, files[path]) for path in paths if path in files)
    return {(one.kind, one.name): one for one in found if one is not None}


def _change(thing: Thing, old: Document | None, new: Document | None, before: Bundle, after: Bundle) -> Change | None:
    kind, name = thing
    place = new or old
    assert place is not None
    if old is None or new is None:
        what = What.ADDED if old is None else What.REMOVED
        return Change(kind=kind, name=name, path=place.path, what=what)
    if kind is FileKind.TABLE:
        found = list(differences(before.tables.get(name, {}), after.tables.get(name, {})))
    elif kind in (FileKind.RUNBOOK, FileKind.FIXTURE):
        found = []
    else:
        found = list(differences(old.says, new.says))
    if not found and kind not in (FileKind.RUNBOOK, FileKind.FIXTURE):
        # Comments, blanks and the order of keys mean nothing.
        return None
    details = [_detail(kind, one) for one in found]
    return Change(
        kind=kind,
        name=name,
        path=place.path,
        what=What.CHANGED,
        details=tuple(details[:MOST_DETAILS]),
        more=max(0, len(details) - MOST_DETAILS),
        warnings=tuple(_warnings(kind, old.says, new.says)),
    )


def _warnings(kind: FileKind, old: Any, new: Any) -> Iterator[str]:
    if kind not in _VERSIONED or not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return
    if _meaning(old) != _meaning(new) and old.get("version") == new.get("version"):
        yield f"The version is still {new.get('version')}; raise it, so that records tell which one made them."


def _meaning(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ("title", "owner", "version")}


def _detail(kind: FileKind, one: Difference) -> Detail:
    return Detail(where=_where(kind, one.path), before=shown(one.before), after=shown(one.after))


def _where(kind: FileKind, path: tuple[str, ...]) -> str:
    match kind, path:
        case FileKind.TABLE, (key,):
            return f"row `{key}`"
        case FileKind.POLICY | FileKind.FLOW, (("steps" | "rules") as word, "order"):
            return f"order of the {word}"
        case FileKind.FLOW, ("steps", step, *rest):
            return _in_step(step, rest)
        case FileKind.POLICY, ("rules", rule, *rest):
            return _inside(f"rule `{rule}`", rest)
        case ((FileKind.MAPPING | FileKind.FRAGMENT), ("fields", *rest)) if rest:
            return f"field `{_dotted(rest)}`"
        case FileKind.MAPPING, (target, *rest) if rest:
            return f"field `{_dotted([f'{target}[]', *rest])}`"
        case FileKind.EXAMPLES, (title, *rest):
            return _inside(f"example `{title}`", rest)
        case _:
            return f"`{_dotted(path)}`"


def _in_step(step: str, rest: list[str]) -> str:
    """Name a place of a step by its place in the flow, such as `way.post`, and its keys."""
    match rest:
        case ["branch", "order"]:
            return f"step `{step}`: order of the arms"
        case ["foreach", "steps", "order"]:
            return f"step `{step}`: order of the steps"
        case ["branch", arm, "steps", "order"]:
            return f"step `{step}`, arm `{arm}`: order of the steps"
        case ["foreach", "steps", inner, *more]:
            return _in_step(f"{step}[].{inner}", more)
        case ["branch", _, "steps", inner, *more] | ["parallel", inner, *more]:
            return _in_step(f"{step}.{inner}", more)
        case ["branch", arm, *more]:
            return _inside(f"step `{step}`, arm `{arm}`", more)
        case _:
            return _inside(f"step `{step}`", rest)


def _inside(thing: str, rest: list[str]) -> str:
    return f"{thing}: {_dotted(rest)}" if rest else thing


def _dotted(path: list[str] | tuple[str, ...]) -> str:
    return ".".join(part for part in path if part != "fields") or ".".join(path)
