"""`concord decisions`: which policy decided what, by which version and rule, from which inputs."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import place
from hub.cli.output import console, minute, print_json, print_table
from hub.cli.reach import reach
from hub.sdk import exact_json


def decisions(
    policy: Annotated[str | None, typer.Option(help="Only decisions of this policy.")] = None,
    run: Annotated[str | None, typer.Option(help="Only decisions about this run.")] = None,
    connection: Annotated[str | None, typer.Option(help="Only decisions about this connection.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List the decisions of policies with rule, inputs and version, the newest first."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/decisions", policy=policy, run=run, connection=connection, limit=limit)
    if json_output:
        print_json(found)
    elif not found["decisions"]:
        console.print("No decision fits.")
    else:
        print_table(_table(found["decisions"]))


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("When", "Policy", "Rule", "Gave", "From", "About")
    for row in rows:
        about = " ".join(str(row[name]) for name in ("run_id", "path", "event_id", "connection") if row[name])
        rule = ", ".join(row["rules"]) or "no rule matched"
        policy = f"{row['policy']} v{row['version']}"
        cells = (minute(row["at"]), policy, rule, _said(row["output"]), _said(row["inputs"]), about)
        table.add_row(*map(escape, cells))
    return table


def _said(values: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {exact_json.dumps(value).decode()}" for name, value in values.items())
