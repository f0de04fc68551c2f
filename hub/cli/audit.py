"""`concord audit`: read the log, and verify that nothing in it was altered, removed or reordered."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import place
from hub.cli.output import EXIT_REFUSED, console, errors, minute, print_json, print_table
from hub.cli.reach import reach

app = typer.Typer(no_args_is_help=True)


@app.command()
def verify(
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    key_file: place.KeyFile = None,
    json_output: place.Json = False,
) -> None:
    """Check every entry; exit 1 and name each altered, missing or reordered one."""
    with reach(place.settings(data, workspace, environment, key_file)) as hub:
        verdict = hub.post("/api/audit/verify")
    if json_output:
        print_json(verdict)
    elif verdict["holds"]:
        entries = sum(log["entries"] for log in verdict["logs"])
        console.print(f"[green]The audit log holds[/]: {entries} entries, {verdict['heads']} signed heads.")
    else:
        for fault in verdict["faults"]:
            errors.print(f"[red]{fault}[/]", soft_wrap=True)
    raise typer.Exit(0 if verdict["holds"] else EXIT_REFUSED)


@app.command("list")
def list_entries(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    key_file: place.KeyFile = None,
    json_output: place.Json = False,
) -> None:
    """List the newest entries."""
    with reach(place.settings(data, workspace, environment, key_file)) as hub:
        entries = hub.get("/api/audit", limit=limit)["entries"]
    if json_output:
        print_json(entries)
        return
    table = Table("When", "What", "By", "About")
    for entry in entries:
        about = ", ".join(f"{what} {id}" for what, id in entry["subjects"].items())
        table.add_row(minute(entry["at"]), entry["kind"], escape(entry["actor_name"]), escape(about))
    print_table(table)
