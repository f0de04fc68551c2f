"""`concord schedules`: when flows start by themselves; start one now, hold it, let it go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import place
from hub.cli.output import console, minute, print_json, print_table
from hub.cli.reach import reach
from hub.cli.times import span

app = typer.Typer(no_args_is_help=True)

Flow = Annotated[str, typer.Argument(help="The flow's name.")]
Why = Annotated[str, typer.Option(help="Why; it is shown to everybody.", prompt=True)]

_COLOURS = {"fired": "green", "ordered": "green", "skipped": "yellow", "missed": "red"}


@app.command("list")
def list_schedules(
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List schedules: when each flow starts next, what became of its last firing, and what is wrong."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/schedules")
    if json_output:
        print_json(found)
    else:
        _show(found["schedules"])


@app.command()
def show(
    flow: Flow,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Show a schedule with its last firings."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get(f"/api/schedules/{flow}")
    if json_output:
        print_json(found)
        return
    _show([found["schedule"]])
    _show_firings(found["firings"])


@app.command()
def run(
    flow: Flow,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Start a scheduled flow now, beside its times; its next time stays as it is."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        made = hub.post(f"/api/schedules/{flow}/run")
    if json_output:
        print_json(made)
    else:
        console.print(f"{flow} begins with event [bold]{made['event']}[/].")


@app.command()
def hold(
    flow: Flow,
    reason: Why,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Let a schedule start nothing until it is resumed; what is due meanwhile is not made up for."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        hub.post(f"/api/schedules/{flow}/hold", {"reason": reason})
        found = hub.get(f"/api/schedules/{flow}")["schedule"]
    if json_output:
        print_json(found)
        return
    console.print(f"The schedule of {flow} is held.")


@app.command()
def resume(
    flow: Flow,
    reason: Why,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Let a held schedule go on with its next time."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        hub.post(f"/api/schedules/{flow}/resume", {"reason": reason})
        found = hub.get(f"/api/schedules/{flow}")["schedule"]
    if json_output:
        print_json(found)
        return
    console.print(f"{flow} starts next at {found['next_local']}.")


def alarms(
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List what should have happened and has not: schedules, streams, the hub's own regular works."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/alarms")
    if json_output:
        print_json(found)
    else:
        show_alarms(found["alarms"])
    if found["alarms"]:
        raise typer.Exit(1)


def show_alarms(found: Sequence[Mapping[str, Any]]) -> None:
    """Show alarms with their runbooks."""
    if not found:
        console.print("No alarm: what should happen happens.")
        return
    table = Table("Alarm", "Of", "Since", "What", "Runbook")
    for alarm in found:
        table.add_row(
            f"[red]{alarm['kind']}[/]",
            escape(alarm["subject"]),
            minute(alarm["since"]),
            escape(alarm["detail"]),
            alarm["runbook"],
        )
    print_table(table)


def _show(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        console.print("No flow of this revision starts by itself. Write `on: { schedule: … }` in a flow's file.")
        return
    table = Table("Flow", "Times", "Next (its zone)", "Next (UTC)", "Last firing", "State")
    for each in found:
        last = each["last"]
        table.add_row(
            escape(each["flow"]),
            escape(f"{each['cron'] or 'every ' + span(each['every'])}\n{each['zone']}"),
            each["next_local"] or "none",
            _due(each["next_at"]) if each["next_at"] else "none",
            f"{_due(last['due_at'])} {_state(last)}" if last else "none yet",
            _standing(each),
        )
    print_table(table)
    for each in found:
        for alarm in each["alarms"]:
            console.print(f"[red]{escape(each['flow'])}[/]: {escape(alarm['detail'])} See {alarm['runbook']}.")


def _standing(schedule: Mapping[str, Any]) -> str:
    if schedule["held"]:
        return f"[yellow]held[/] by {escape(schedule['held_by_name'])}: {escape(schedule['held_reason'])}"
    return "[red]alarm[/]" if schedule["alarms"] else "[green]on time[/]"


def _show_firings(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        return
    table = Table("Due", "Due (UTC)", "What became of it", "Run", "Missed before")
    table.columns[4].justify = "right"
    for firing in found:
        run = f"{firing['run']} {firing['run_state']}" if firing["run"] else ""
        blocked = f"open: {firing['open_run']}" if firing["open_run"] else ""
        table.add_row(
            firing["due_local"],
            _due(firing["due_at"]),
            _state(firing),
            run or blocked,
            str(firing["missed"]) if firing["missed"] else "",
        )
    print_table(table)


def _due(moment: str) -> str:
    """Give a moment in UTC, with its seconds where there are any: a schedule may be due many times in a minute."""
    return minute(moment) if moment[17:19] == "00" else moment[:19].replace("T", " ")


def _state(firing: Mapping[str, Any]) -> str:
    return f"[{_COLOURS.get(firing['state'], 'default')}]{firing['state']}[/]"
