"""`concord runs`: look at runs, replay or cancel them."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli import place
from hub.cli.output import console, print_json
from hub.cli.reach import reach
from hub.cli.tables import show_run, show_runs

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_runs(
    state: Annotated[str | None, typer.Option(help="Only runs in this state.")] = None,
    flow: Annotated[str | None, typer.Option(help="Only runs of this flow.")] = None,
    text: Annotated[str | None, typer.Option(help="Only business keys with this text.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: Json = False,
) -> None:
    """List runs, the newest first."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/runs", state=state, flow=flow, text=text, limit=limit)
    if json_output:
        print_json(found)
    else:
        show_runs(found["runs"])


@app.command()
def show(
    run_id: str,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: Json = False,
) -> None:
    """Show a run's steps, attempts and effects."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get(f"/api/runs/{run_id}")
    if json_output:
        print_json(found)
    else:
        show_run(found)


@app.command()
def replay(
    run_id: str,
    from_step: Annotated[str | None, typer.Option(help="The step to begin with; without it, from the start.")] = None,
    current: Annotated[bool, typer.Option("--current", help="With the workspace of now, not the run's own.")] = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: Json = False,
) -> None:
    """Make a run again; what it has done outside is not done twice."""
    order = {"from_step": from_step, "bundle": "current" if current else "same"}
    with reach(place.settings(data, workspace, environment, None)) as hub:
        made = hub.post(f"/api/runs/{run_id}/replay", order)
    if json_output:
        print_json(made)
    else:
        console.print(f"Run [bold]{made['run']}[/] takes its place.")


@app.command("ask-again")
def ask_again(
    run_id: str,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: Json = False,
) -> None:
    """Have a run that a policy holds ask it again now; it goes on only when the policy lets it."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        asked = hub.post(f"/api/runs/{run_id}/ask-again", {})
    if json_output:
        print_json(asked)
    else:
        console.print(f"Run {run_id} asks its policy again.")


@app.command()
def cancel(
    run_id: str,
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit.", prompt=True)],
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
) -> None:
    """End a run that is queued, waiting or parked."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        hub.post(f"/api/runs/{run_id}/cancel", {"reason": reason})
    console.print(f"Run {run_id} is cancelled; what it did stays done.")
