"""What stands of earlier runs, and what of it a replay would not meet or would write otherwise; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.model.flow import Call, Step, Subflow
from hub.model.flow_steps import parts_of, step_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A write, or a called flow: at which path, its effect key or the called run's id, and what it is in words."""

    path: str
    key: str
    what: str


def around(path: str) -> list[str]:
    """Give a path with those around it, the outermost first: `lines`, `lines[1]`, `lines[1].post`."""
    found: list[str] = []
    before = ""
    for part in parts_of(path):
        name, many, _ = part.partition("[")
        found += [before + name, before + part] if many else [before + part]
        before += f"{part}."
    return found


def is_formed_alike(one: Mapping[str, Any], other: Mapping[str, Any], at: int) -> bool:
    """Tell whether what one run has formed at a moment, another one would form the same: of the same event and files.

    What is older than the run that has it by now was formed by one before it.
    """
    same = all(one[name] == other[name] for name in ("event_id", "bundle"))
    return bool(same and at >= one["created_at"])


def elsewhere(made: Iterable[Made], path: str, key: str | None) -> list[Made]:
    """Give what was made by the step at a path, or inside of it, but for what has this key."""
    return [each for each in made if each.path != path or each.key != key]


def beside(made: Iterable[Made], path: str, taken: Collection[str]) -> list[Made]:
    """Give what was made inside the branch at a path by other steps than those that are taken now."""
    return [each for each in made if _next(each.path, path).partition("[")[0] not in taken]


def of_others(made: Iterable[Made], path: str, keys: Mapping[str, str | None]) -> list[Made]:
    """Give what was made of items, of the loop or call at a path, that it does not have any more.

    `keys` are the names of those that it has, each with the key of its write where it is nothing but a write.
    """
    left = []
    for each in made:
        name = _item(each.path, path)
        if name not in keys or (keys[name] is not None and each.key != keys[name]):
            left.append(each)
    return left


def gone(made: Iterable[Made], steps: Sequence[Step]) -> list[Made]:
    """Give what was made by steps that a flow does not have any more, or that write and call nothing any more."""
    return [each for each in made if not _has(steps, each.path)]


def _has(steps: Sequence[Step], path: str) -> bool:
    step = step_at(steps, path)
    return step is not None and isinstance(step.action, Call | Subflow)


def _next(path: str, outer: str) -> str:
    return parts_of(path[len(outer) + 1 :])[0]


def _item(path: str, outer: str) -> str:
    return path[len(outer) + 1 :].partition("]")[0]
