"""Replays that need a second look: with an edited record, or of writes that exist already."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli.output import console, print_json, print_table
from hub.cli.reach import Reached
from hub.sdk import exact_json


def edited(hub: Reached, run_id: str, file: str, *, bundle: str, reason: str, sure: bool) -> Any:
    """Order a replay with the record in a file; unless `sure`, show what it changes and ask first."""
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    order = {"record": exact_json.loads(content), "bundle": bundle, "reason": reason}
    path = f"/api/runs/{run_id}/edit"
    if not sure:
        _show_changes(hub.post(path, {**order, "preview": True})["changes"])
        if not reason:
            order["reason"] = typer.prompt("Reason")
        typer.confirm("Replay the run with this?", abort=True)
    return hub.post(path, order)


def show_written(written: Sequence[Mapping[str, Any]], *, json: bool) -> None:
    """Show the writes that exist, or that were refused as older, each with the key to confirm it by."""
    if json:
        print_json({"written": written})
        return
    if not written:
        console.print("The run has written nothing; replay it without --new-effect.")
        return
    table = Table("Write", "Step", "What", "There")
    for each in written:
        what = f"{each['connection']} {each['operation']}"
        there = "something newer" if each["refused"] else each["target_id"] or ""
        if each["taken_back"]:
            there = f"{there} (taken back)".strip()
        table.add_row(each["key"], escape(each["path"]), escape(what), escape(there))
    print_table(table)
    console.print(
        "This was written to the targets. Look there first; then name each that is to be written with --confirm KEY."
    )


def _show_changes(changes: Sequence[Mapping[str, Any]]) -> None:
    table = Table("Field", "Was", "Becomes")
    for change in changes:
        table.add_row(escape(change["field"]), _value(change["was"]), _value(change["now"]))
    print_table(table)


def _value(value: Any) -> str:
    return "" if value is None else escape(exact_json.dumps(value).decode())
