"""`concord hold`, `resume` and `holds`: a run, a key, a flow or a connection stands still, and goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import place
from hub.cli.output import EXIT_WRONG, console, fail, minute, print_json, print_table
from hub.cli.reach import reach
from hub.cli.tables import amounts
from hub.model.hold import HoldKind

Kind = Annotated[HoldKind, typer.Argument(metavar="KIND", help="run, key, flow or connection.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The run's id, or the name of the flow or connection.")]
Key = Annotated[str, typer.Argument(metavar="[KEY]", help="Of a key: the order key, as its runs show it.")]


def hold(
    kind: Kind,
    name: Name,
    key: Key = "",
    reason: Annotated[str | None, typer.Option(help="Why; it is shown to everybody. Asked for when missing.")] = None,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Let nothing new go out of a run, of a key of a flow, of a flow, or to a connection, until it is resumed.

    What is on its way ends and is recorded; events are still taken in.
    """
    _assert_key(kind, key)
    why = typer.prompt("Reason") if reason is None else reason
    with reach(place.settings(data, workspace, environment, None)) as hub:
        done = hub.post("/api/holds", {"kind": kind.value, "name": name, "key": key, "reason": why})
    if json_output:
        print_json(done)
        return
    state = "paused; its runs wait" if kind is HoldKind.CONNECTION else "held; nothing new of it goes out"
    console.print(f"{_named(done)} is {state}.", markup=False, highlight=False)


def resume(
    kind: Kind,
    name: Name,
    key: Key = "",
    reason: Annotated[str, typer.Option(help="Why it may go on, if there is something to say.")] = "",
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Let what is held go on, and all runs that wait for it."""
    _assert_key(kind, key)
    with reach(place.settings(data, workspace, environment, None)) as hub:
        done = hub.post("/api/holds/resume", {"kind": kind.value, "name": name, "key": key, "reason": reason})
    if json_output:
        print_json(done)
    else:
        console.print(f"{_named(done)} goes on.", markup=False, highlight=False)


def holds(
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List what is held: by whom, since when and why, and what waits for it."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/holds")
    if json_output:
        print_json(found)
    else:
        _show_holds(found["holds"])


def _assert_key(kind: HoldKind, key: str) -> None:
    if (kind is HoldKind.KEY) != bool(key):
        fail("A key is named with its flow: `concord hold key FLOW KEY`. Nothing else takes a KEY.", EXIT_WRONG)


def _named(what: Mapping[str, Any]) -> str:
    return f"Key {what['key']} of {what['name']}" if what["key"] else f"{what['kind'].capitalize()} {what['name']}"


def _show_holds(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        console.print("Nothing is held.")
        return
    table = Table("Held", "Why", "By", "Since", "Runs", "Money")
    table.columns[4].justify = table.columns[5].justify = "right"
    for each in found:
        table.add_row(
            escape(_named(each)),
            escape(each["reason"]),
            escape(each["by_name"]),
            minute(each["since"]),
            str(each["waiting"]["runs"]),
            amounts(each["waiting"]["money"]),
        )
    print_table(table)
