"""`concord streams`: how far each stream was read, what may be missing, and spans to be read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import following, place
from hub.cli.output import console, minute, print_json, print_table
from hub.cli.reach import reach
from hub.cli.times import moment, span

app = typer.Typer(no_args_is_help=True)

Connection = Annotated[str, typer.Argument(help="The connection's name.")]
Stream = Annotated[str, typer.Argument(help="The stream's name.")]

_COLOURS = {"open": "blue", "done": "green", "cancelled": "default"}


@app.command("list")
def list_streams(
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List streams: how often each is read, when it was, what went wrong, and what may be missing."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/streams")
    if json_output:
        print_json(found)
    else:
        _show(found["streams"])


@app.command()
def backfill(
    connection: Connection,
    stream: Stream,
    reason: Annotated[str, typer.Option(help="Why; it stands beside the back-fill.", prompt=True)],
    since: Annotated[
        str | None,
        typer.Option("--from", help="The first moment: a day or a time, UTC without an offset. Of records: all."),
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="The last moment; to now when left out.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Of records: so many come in one event.")] = None,
    watch: Annotated[bool, typer.Option("--follow", help="Show how far it is until it has ended.")] = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Read a span of a stream again, or list all records of a kind; its runs wait behind all others.

    Of a stream, what is known is left out. Of records, such as `stripe customers`, each starts its flow once, or with
    --batch so many at once.
    """
    order: dict[str, Any] = {"reason": reason}
    if since is not None:
        order["since"] = moment(since, "--from")
    if until is not None:
        order["until"] = moment(until, "--to")
    if batch is not None:
        order["batch"] = batch
    settings = place.settings(data, workspace, environment, None)
    with reach(settings) as hub:
        made = hub.post(f"/api/streams/{connection}/{stream}/backfill", order)
    if watch:
        raise typer.Exit(following.follow(settings, made["backfill"], json=json_output))
    if json_output:
        print_json(made)
    else:
        console.print(
            f"Back-fill [bold]{made['backfill']}[/] is ordered; `concord streams backfills` shows how far it is."
        )


@app.command()
def follow(
    backfill_id: str,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Show how far a back-fill is until it and its runs have ended; whoever stops looking stops nothing."""
    raise typer.Exit(
        following.follow(place.settings(data, workspace, environment, None), backfill_id, json=json_output)
    )


@app.command()
def backfills(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List back-fills with their progress, the newest first."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/backfills", limit=limit)
    if json_output:
        print_json(found)
    else:
        _show_backfills(found["backfills"])


@app.command("cancel-backfill")
def cancel_backfill(
    backfill_id: str,
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit.", prompt=True)],
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """End a back-fill that is open; what it has brought stays."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        done = hub.post(f"/api/backfills/{backfill_id}/cancel", {"reason": reason})
    if json_output:
        print_json(done)
        return
    console.print(f"Back-fill {backfill_id} is cancelled; what it has brought stays.")


@app.command("settle-gap")
def settle_gap(
    connection: Connection,
    stream: Stream,
    reason: Annotated[str, typer.Option(help="What was done about it; it stands in the audit.", prompt=True)],
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Say that you have seen to what may be missing of a stream; its alarm ends."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        done = hub.post(f"/api/streams/{connection}/{stream}/settle-gap", {"reason": reason})
    if json_output:
        print_json(done)
        return
    console.print(f"{done['settled']} {'gap is' if done['settled'] == 1 else 'gaps are'} settled.")


def _show(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        console.print("No connection of this environment has a stream.")
        return
    table = Table("Connection", "Stream", "Every", "Read", "Newest event", "State")
    for each in found:
        table.add_row(
            escape(each["connection"]),
            escape(each["stream"]),
            span(each["every"]),
            minute(each["read_at"]) if each["read_at"] else "never",
            minute(each["newest_at"]) if each["newest_at"] else "none",
            _standing(each),
        )
    print_table(table)
    for each in found:
        for alarm in each["alarms"]:
            named = escape(f"{each['connection']} {each['stream']}")
            console.print(f"[red]{named}[/]: {escape(alarm['detail'])} See {alarm['runbook']}.")


def _standing(stream: Mapping[str, Any]) -> str:
    if stream["paused"] is not None:
        return f"[yellow]paused[/]: {escape(stream['paused'])}"
    if stream["error"] is not None:
        return f"[red]failing[/] ({stream['failures']}): {escape(stream['error'])}"
    if stream["gaps"]:
        return f"[red]{len(stream['gaps'])} {'gap' if len(stream['gaps']) == 1 else 'gaps'}[/]"
    return "being read" if stream["reading"] else "[green]read[/]" if stream["read_at"] else "not read yet"


def _show_backfills(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        console.print("No back-fill was ordered yet.")
        return
    table = Table("Back-fill", "Of", "From", "To", "State", "Done", "Read", "New", "By")
    for column in table.columns[5:8]:
        column.justify = "right"
    for each in found:
        error = f"\n[red]{escape(each['error'])}[/]" if each["error"] else ""
        table.add_row(
            each["id"],
            escape(f"{each['connection']} {each['stream']}"),
            minute(each["since"]),
            minute(each["until"]),
            f"[{_COLOURS[each['state']]}]{each['state']}[/]{error}",
            f"{each['done'] // 10} %",
            f"{each['read']:,}" if each["total"] is None else f"{each['read']:,} of {each['total']:,}",
            f"{each['new']:,}",
            escape(each["by_name"]),
        )
    print_table(table)
