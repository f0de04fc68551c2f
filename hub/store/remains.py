"""What is left of the work of a run: its writes and those of the flows that it called, and which were taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from hub.model.flow_steps import UNDOING
from hub.store.children import children
from hub.store.lineage import replayed
from hub.store.resuming import done_effects


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A write that was made; in front of its path stand those of the steps that have called its flow."""

    path: str
    taken_back: bool


def called(connection: Connection, run_ids: list[str], *, within: str | None = None) -> list[Mapping[str, Any]]:
    """Give the flows that runs of one line have called, in or outside of an item; of one step the newest."""
    return list({child["parent_path"]: child for child in children(connection, run_ids, within=within)}.values())


def made(connection: Connection, run_id: str) -> Iterator[Made]:
    """Give what a run, those that it replays, and the flows that they called have written."""
    line = replayed(connection, run_id)
    done = done_effects(connection, line)
    back = {row["undoes"] for row in done}
    yield from (
        Made(path=row["path"], taken_back=row["key"] in back) for row in done if not row["path"].startswith(UNDOING)
    )
    for child in called(connection, line):
        for each in made(connection, child["id"]):
            yield Made(path=f"{child['parent_path']}.{each.path}", taken_back=each.taken_back)
