"""`concord cases`: look at exceptions, replay, assign or close them."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli import place
from hub.cli.output import console, print_json
from hub.cli.reach import reach
from hub.cli.tables import show_case, show_cases

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_cases(
    state: Annotated[str, typer.Option(help="open, closed or any.")] = "open",
    reason: Annotated[str | None, typer.Option(help="Only this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: Json = False,
) -> None:
    """List exceptions, the newest first."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/cases", state=state, reason=reason, limit=limit)
    if json_output:
        print_json(found)
    else:
        show_cases(found["cases"])


@app.command()
def show(
    case_id: str,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: Json = False,
) -> None:
    """Show an exception with its facts and runbook."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get(f"/api/cases/{case_id}")
    if json_output:
        print_json(found)
    else:
        show_case(found)


@app.command()
def replay(
    case_id: str,
    from_start: Annotated[bool, typer.Option("--from-start", help="From the first step, not the failed one.")] = False,
    current: Annotated[bool, typer.Option("--current", help="With the workspace of now, not the run's own.")] = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: Json = False,
) -> None:
    """Replay an exception's run; what it has done outside is not done twice."""
    order = {"from_start": from_start, "bundle": "current" if current else "same"}
    with reach(place.settings(data, workspace, environment, None)) as hub:
        made = hub.post(f"/api/cases/{case_id}/replay", order)
    if json_output:
        print_json(made)
    else:
        console.print(f"Run [bold]{made['run']}[/] takes its place.")


@app.command()
def close(
    case_id: str,
    resolution: Annotated[str, typer.Option(help="How it was settled; it stands in the audit.", prompt=True)],
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
) -> None:
    """Close an exception that was settled outside the hub."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        hub.post(f"/api/cases/{case_id}/close", {"resolution": resolution})
    console.print(f"Exception {case_id} is closed.")
