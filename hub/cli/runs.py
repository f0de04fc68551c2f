"""`concord runs`: look at runs, replay, cancel or undo them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hub.cli import place
from hub.cli.edits import edited, show_written
from hub.cli.given import one_of
from hub.cli.output import EXIT_WRONG, console, fail, print_json
from hub.cli.reach import reach
from hub.cli.tables import show_run, show_runs
from hub.model.run import RunState

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_runs(
    state: Annotated[str | None, typer.Option(help="Only runs in this state.")] = None,
    flow: Annotated[str | None, typer.Option(help="Only runs of this flow.")] = None,
    text: Annotated[str | None, typer.Option(help="Only business keys with this text.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List runs, the newest first."""
    one_of(state, RunState, "state of a run")
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
    json_output: place.Json = False,
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
    from_failure: Annotated[
        bool, typer.Option("--from-failure", help="Go on where it stopped; all that was done is kept.")
    ] = False,
    current: Annotated[bool, typer.Option("--current", help="With the workspace of now, not the run's own.")] = False,
    edit: Annotated[
        str | None, typer.Option(metavar="FILE", help="With the record in this file (`-`: stdin) instead of its own.")
    ] = None,
    new_effect: Annotated[
        bool, typer.Option("--new-effect", help="Write once more what is written already: needs --confirm.")
    ] = False,
    confirm: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="A write that exists and is to be made once more.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; an edit and a new effect need one.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether the edit is meant.")] = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Make a run again; what it has done outside is not done twice.

    With --edit it reads a corrected record (`concord runs record RUN_ID` gives the present one); the original event
    stays as it was. With --new-effect it writes again what exists, under new keys: every such write is to be confirmed.
    """
    bundle = "current" if current else "same"
    if edit is not None and (new_effect or from_step is not None or from_failure):
        fail("An edited run begins at its start, with its own effects: use --edit without the others.", EXIT_WRONG)
    if confirm and not new_effect:
        fail("--confirm belongs to --new-effect.", EXIT_WRONG)
    with reach(place.settings(data, workspace, environment, None)) as hub:
        if edit is not None:
            made = edited(hub, run_id, edit, bundle=bundle, reason=reason, sure=yes or json_output)
        else:
            order: dict[str, Any] = {"from_step": from_step, "from_failure": from_failure, "bundle": bundle}
            order["reason"] = reason
            if new_effect and not confirm:
                there = hub.get(f"/api/runs/{run_id}")["standing"]["repeatable"]
                # What was only told, or called, is nothing that could be confirmed.
                if there or not reason:
                    show_written(there, json=json_output)
                    raise typer.Exit(EXIT_WRONG)
            if new_effect:
                made = hub.post(f"/api/runs/{run_id}/repeat", {**order, "confirmed": confirm or []})
            else:
                made = hub.post(f"/api/runs/{run_id}/replay", order)
    if json_output:
        print_json(made)
    else:
        console.print(f"Run [bold]{made['run']}[/] takes its place.")


@app.command()
def record(
    run_id: str,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
) -> None:
    """Print the record that a run reads, as JSON: correct a copy of it for `concord runs replay --edit`."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        print_json(hub.get(f"/api/runs/{run_id}/record"))


@app.command("ask-again")
def ask_again(
    run_id: str,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
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
    reason: Annotated[str, typer.Option(help="Why; whoever comes next will want to know.", prompt=True)],
    undo: Annotated[
        bool, typer.Option("--undo", help="Take back what it did, the last write first; also of one that succeeded.")
    ] = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """End a run; what it did stays done, unless it is taken back with --undo."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        done = hub.post(f"/api/runs/{run_id}/{'undo' if undo else 'cancel'}", {"reason": reason})
    if json_output:
        print_json(done)
    elif done["state"] == RunState.CANCELLED:
        console.print(f"Run {run_id} is cancelled; {'it had done nothing' if undo else 'what it did stays done'}.")
    elif done["state"] == RunState.COMPENSATED:
        console.print(f"What run {run_id} did was taken back.")
    elif undo:
        console.print(f"Run {run_id} takes back what it did.")
    else:
        console.print(f"Run {run_id} ends as soon as it is known what became of its last write.")
