"""`concord events`: look at what came in, and release what was kept back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import place
from hub.cli.given import one_of
from hub.cli.output import EXIT_REFUSED, EXIT_WRONG, console, fail, minute, print_json, print_table
from hub.cli.reach import Reached, reach
from hub.model.event import EventState
from hub.sdk import exact_json

app = typer.Typer(no_args_is_help=True)

State = Annotated[str | None, typer.Option(help="accepted, unrouted, quarantined or rejected.")]
OfConnection = Annotated[str | None, typer.Option("--connection", help="Only what came on this connection.")]
OfSchema = Annotated[str | None, typer.Option("--schema", help="Only what claims this schema: `name@version`.")]
OfKind = Annotated[str | None, typer.Option("--kind", help="Only with drift of this kind, such as unknown-field.")]
OfCode = Annotated[str | None, typer.Option("--code", help="Only what was kept for this reason, such as no-key.")]

_COLOURS = {"accepted": "green", "quarantined": "yellow", "rejected": "red"}


@app.command("list")
def list_events(
    state: State = None,
    connection: OfConnection = None,
    schema: OfSchema = None,
    kind: OfKind = None,
    code: OfCode = None,
    text: Annotated[str | None, typer.Option(help="Part of the vendor's id, the type or the subject.")] = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Only those with something to know.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List events, the newest first."""
    one_of(state, EventState, "state of an event")
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get(
            "/api/events",
            state=state,
            connection=connection,
            schema=schema,
            kind=kind,
            code=code,
            text=text,
            flagged="yes" if flagged else None,
            limit=limit,
        )
    if json_output:
        print_json(found)
    else:
        _show_events(found["events"])


@app.command()
def show(
    event_id: str,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Show an event with its findings, what became of it, and its data."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get(f"/api/events/{event_id}")
    if json_output:
        print_json(found)
    else:
        _show_event(found)


@app.command()
def release(
    event_ids: Annotated[list[str] | None, typer.Argument(metavar="EVENT_ID…", help="The events' ids.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept with each event. Asked for when missing.")] = None,
    state: State = None,
    connection: OfConnection = None,
    schema: OfSchema = None,
    kind: OfKind = None,
    code: OfCode = None,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Let kept events start what they should have started: those named, or all that fit the options.

    Each starts nothing twice, however often it is released. Exits 1 when one of those named cannot go yet.
    """
    named = {"state": state, "connection": connection, "schema": schema, "kind": kind, "code": code}
    wanted = {name: value for name, value in named.items() if value is not None}
    if bool(event_ids) == bool(wanted):
        fail("Name events by their ids, or say which by --state, --connection, --schema, --kind or --code.", EXIT_WRONG)
    reason = typer.prompt("Reason") if reason is None else reason
    with reach(place.settings(data, workspace, environment, None)) as hub:
        if event_ids:
            found = [hub.post(f"/api/events/{event_id}/release", {"reason": reason}) for event_id in event_ids]
            if json_output:
                print_json({"events": found})
            else:
                for one in found:
                    _show_released(one)
            if any(one["failed"] for one in found):
                raise typer.Exit(EXIT_REFUSED)
            return
        total = _release_all(hub, wanted, reason)
    if json_output:
        print_json(total)
    else:
        left = ", ".join(f"{number} {escape(why)}" for why, number in sorted(total["left"].items()))
        console.print(
            f"{total['released']} of {total['seen']} events are released; {total['runs']} runs began."
            + (f" Left as they were: {left}." if left else "")
        )


def _release_all(hub: Reached, wanted: Mapping[str, str], reason: str) -> dict[str, Any]:
    total: dict[str, Any] = {"seen": 0, "released": 0, "runs": 0, "left": {}}
    after: str | None = None
    while True:
        done = hub.post("/api/events/release", {"filter": wanted, "reason": reason, "after": after})
        for name in ("seen", "released", "runs"):
            total[name] += done[name]
        for why, number in done["left"].items():
            total["left"][why] = total["left"].get(why, 0) + number
        after = done["next"]
        if after is None:
            return total


def _show_events(events: Sequence[Mapping[str, Any]]) -> None:
    if not events:
        console.print("No event fits.")
        return
    table = Table("Event", "What", "State", "Received")
    for event in events:
        known = [event["reason"], *dict.fromkeys(finding["kind"] for finding in event["drift"])]
        known += [f"cannot begin: {failed['flow']}" for failed in event["flows_failed"]]
        table.add_row(
            event["id"],
            f"{escape(event['type'])}\n{event['via']} {event['connection']}",
            "\n".join([_coloured(event["state"]), *map(escape, dict.fromkeys(filter(None, known)))]),
            minute(event["received_at"]),
        )
    print_table(table)


def _show_event(detail: Mapping[str, Any]) -> None:
    event = detail["event"]
    console.print(f"[bold]{event['id']}[/] {escape(event['type'])} {_coloured(event['state'])} {event['reason'] or ''}")
    console.print(f"{escape(event['external_id'])} by {event['via']} on {event['connection']}, {event['schema'] or ''}")
    for finding in event["drift"]:
        where = escape(finding["path"] or "the whole")
        console.print(f"Drift: {finding['kind']} at {where}: {escape(finding['detail'])}; {finding['action']}")
    for failed in event["flows_failed"]:
        console.print(f"[red]{failed['flow']} could not begin[/]: {escape(failed['detail'])}")
    for decision in detail["decisions"]:
        rules = escape(", ".join(decision["rules"]))
        console.print(f"Policy {decision['policy']} version {decision['version']} decided by {rules}.")
    if detail["release"]:
        console.print(f"Released by {detail['release']['by_name']}: {escape(detail['release']['reason'])}")
    for run in detail["runs"]:
        console.print(f"Run {run['id']} of {run['flow']}: {run['state']}")
    console.print_json(exact_json.dumps(detail["data"]).decode())


def _show_released(one: Mapping[str, Any]) -> None:
    if one["already"]:
        console.print(f"{one['event']} was released before; nothing begins twice.")
    elif one["runs"]:
        console.print(f"{one['event']} is {one['state']}: " + ", ".join(f"run {run}" for run in one["runs"]))
    elif one["became"]:
        console.print(f"{one['event']} was read again as " + ", ".join(one["became"]))
    else:
        console.print(f"{one['event']} is {one['state']}: no flow of the present workspace wants it.")
    for flow, why in (one["failed"] or {}).items():
        console.print(f"[red]{flow} still cannot begin[/]: {escape(why)}")


def _coloured(state: str) -> str:
    colour = _COLOURS.get(state)
    return f"[{colour}]{state}[/]" if colour else state
