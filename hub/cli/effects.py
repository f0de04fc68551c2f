"""`concord effects`: look at writes in doubt, and say what became of one that nobody could find out about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import place
from hub.cli.output import EXIT_WRONG, console, fail, minute, print_json, print_table
from hub.cli.reach import reach
from hub.model.effect import EffectState
from hub.sdk import exact_json

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_effects(
    state: Annotated[
        list[EffectState] | None, typer.Option(help="Only in these states; by default those in doubt.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List writes, the newest first; without `--state` those of which nobody knows whether they were made."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/effects", state=[one.value for one in state] if state else None, limit=limit)
    if json_output:
        print_json(found)
    else:
        _show_effects(found["effects"])


@app.command()
def show(
    key: str,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Show a write with its request, its attempts, and what can be done about it."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get(f"/api/effects/{key}")
    if json_output:
        print_json(found)
    else:
        _show_effect(found)


@app.command()
def settle(
    key: str,
    done: Annotated[bool, typer.Option("--done", help="It was made: it is there, at the target.")] = False,
    not_applied: Annotated[
        bool, typer.Option("--not-applied", help="It was not made: it is surely not there.")
    ] = False,
    id: Annotated[str | None, typer.Option(help="Of one that was made: its id at the target.")] = None,
    output: Annotated[
        str | None, typer.Option(help="All that the operation gives, as JSON, in the place of --id.")
    ] = None,
    evidence: Annotated[str | None, typer.Option(help="From what you know it. Asked for when missing.")] = None,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Say what became of a write that nobody could find out about; its run goes on from there.

    One that was made counts as done and is not sent again; one that was not is made now.
    """
    if done == not_applied:
        fail("Say either --done or --not-applied.", EXIT_WRONG)
    if done == (id is None and output is None) or (id is not None and output is not None):
        fail("With --done name what it gave by --id or by --output; with --not-applied name neither.", EXIT_WRONG)
    gave = {"id": id} if id is not None else exact_json.loads(output) if output is not None else None
    said = typer.prompt("Evidence") if evidence is None else evidence
    order = {"verdict": "done" if done else "not-applied", "evidence": said, "output": gave}
    with reach(place.settings(data, workspace, environment, None)) as hub:
        settled = hub.post(f"/api/effects/{key}/settle", order)
    if json_output:
        print_json(settled)
    elif settled["still_in_doubt"]:
        console.print(
            f"Settled. {settled['still_in_doubt']} more of run {settled['run']} are in doubt before it goes on."
        )
    elif settled["run"]:
        console.print(f"Settled. Run [bold]{settled['run']}[/] goes on from there.")
    else:
        console.print("Settled. No run waits for it.")


def _show_effects(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        console.print("No write fits.")
        return
    table = Table("Write", "State", "What", "About", "Run", "Sent")
    for each in found:
        table.add_row(
            each["key"],
            each["state"],
            escape(f"{each['connection']} {each['operation']}"),
            escape(each["business_key"]),
            each["run_id"],
            minute(each["sent_at"] or each["created_at"]),
        )
    print_table(table)


def _show_effect(found: Mapping[str, Any]) -> None:
    effect = found["effect"]
    lines = [
        f"{effect['key']} {effect['state']} ({effect['idempotency']})",
        f"{effect['connection']} {effect['operation']} about {effect['business_key']}, step {effect['path']}",
        f"{found['method']} {found['url']}",
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    table = Table("Attempt", "When", "What", "Status", "Came of it")
    for attempt in found["attempts"]:
        status = "" if attempt["status"] is None else str(attempt["status"])
        table.add_row(
            str(attempt["number"]), minute(attempt["started_at"]), attempt["kind"], status, escape(attempt["outcome"])
        )
    if found["attempts"]:
        print_table(table)
    if found["body"]:
        console.print(found["body"], markup=False, highlight=False, soft_wrap=True)
    if found["settlement"]:
        said = found["settlement"]
        console.print(f"{said['by_name']} said {said['verdict']}: {said['evidence']}", markup=False, highlight=False)
    if found["settleable"]:
        gives = ", ".join(found["gives"])
        console.print(f"Nobody knows whether it was made. `concord effects settle` takes your word; it gives {gives}.")
