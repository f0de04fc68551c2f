"""`concord retention`: payloads that are older than the environment's policy are taken away, or only counted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from hub.cli import place
from hub.cli.output import console, print_json, print_table
from hub.cli.reach import reach, running_at
from hub.errors import Conflict

_TITLES = {
    "runs": "runs without their payloads",
    "events": "events without their data",
    "answers": "answers of targets to writes",
    "examples": "examples of drift",
    "firings": "rows of schedules' firings",
    "records": "records that were compared with others",
}


def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    compact: Annotated[bool, typer.Option("--compact", help="Give room back to the disk; while no hub runs.")] = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    key_file: place.KeyFile = None,
    json_output: place.Json = False,
) -> None:
    """Remove payloads older than `retention:` of the environment; hashes, ids, states and money stay."""
    if compact:
        place.assert_file("Giving room back")
    if compact and running_at(data) is not None:
        raise Conflict("Stop the hub first: giving room back rewrites the whole file.", code="hub-runs")
    with reach(place.settings(data, workspace, environment, key_file)) as hub:
        outlook = hub.get("/api/retention")
        kept = outlook["payloads"] is None
        done = None if dry_run or kept else hub.post("/api/retention/prune")
    freed = _compact(data) if compact and not dry_run else None
    if json_output:
        print_json({**outlook, "pruned": done, "freed_bytes": freed})
        return
    if kept:
        console.print("The environment has no `retention:` in its file; nothing is ever pruned.")
    else:
        _show("Would go" if done is None else "Pruned", outlook["due"] if done is None else done)
    if freed is not None:
        console.print(f"{freed / 1e6:,.1f} MB were given back to the disk.")


def _show(title: str, counted: dict[str, Any]) -> None:
    table = Table(title, "")
    for name, what in _TITLES.items():
        table.add_row(what, f"{counted[name]:,}")
    print_table(table)


def _compact(data: Path) -> int:
    from hub.runtime.compaction import compact

    return compact(data)
