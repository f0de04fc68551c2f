"""The state of things as their history tells it, made from nothing but its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class State:
    """Ids with their thing and rank, and things with their parents."""

    ids: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)


def replayed(rows: Iterable[Mapping[str, Any]]) -> State:
    """Go through the rows in their order; each must fit what the rows before it say."""
    state = State()
    for row in rows:
        key = (row["system"], row["id"])
        match row["what"]:
            case "tied":
                assert key not in state.ids
                state.ids[key] = (row["thing"], row["rank"])
            case "untied":
                assert state.ids.pop(key) == (row["thing"], row["was_rank"])
            case "merged" | "split":
                assert state.ids[key] == (row["other"], row["was_rank"])
                state.ids[key] = (row["thing"], row["rank"])
            case "ranked":
                assert state.ids[key][0] == row["thing"]
                state.ids[key] = (row["thing"], row["rank"])
            case "moved":
                assert state.parents.get(row["thing"]) == row["was"]
                if row["other"] is None:
                    del state.parents[row["thing"]]
                else:
                    state.parents[row["thing"]] = row["other"]
    return state
