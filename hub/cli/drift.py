"""`concord drift`: how payloads differ from the schemas they claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import place
from hub.cli.given import one_of
from hub.cli.output import console, minute, print_json, print_table
from hub.cli.reach import reach
from hub.schemas.drift import UNREGISTERED, DriftKind

KINDS = (*DriftKind, UNREGISTERED)
_COLOURS = {"accept": "green", "quarantine": "yellow", "reject": "red"}


def drift(
    connection: Annotated[str | None, typer.Option(help="Only what came on this connection.")] = None,
    schema: Annotated[str | None, typer.Option(help="Only this schema: `name@version`, or `name` for all.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind, such as unknown-field.")] = None,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Show how payloads differ from their schemas: since when, how often, with an example and what was done."""
    one_of(kind, KINDS, "kind of drift")
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/drift", connection=connection, schema=schema, kind=kind)
    if json_output:
        print_json(found)
    elif found["drift"]:
        _show(found["drift"])
    elif connection or schema or kind:
        console.print("No drift fits these options.")
    else:
        console.print("Every payload was as its schema says.")


def _show(rows: Sequence[Mapping[str, Any]]) -> None:
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["schema"], row["connection"]), []).append(row)
    for (schema, connection), found in grouped.items():
        table = Table(title=f"{escape(schema)} on {escape(connection)}", title_justify="left")
        table.add_column("What")
        table.add_column("Count", justify="right")
        table.add_column("Seen first, last")
        table.add_column("Example")
        table.add_column("Action")
        for row in found:
            colour = _COLOURS.get(row["action"], "default")
            table.add_row(
                f"[bold]{escape(row['path'] or 'the whole')}[/]\n{escape(row['kind'])}{_detail(row)}",
                f"{row['count']:,}",
                "\n".join(dict.fromkeys((minute(row["first_seen"]), minute(row["last_seen"])))),
                escape(row["example"] or ""),
                f"[{colour}]{row['action']}[/]",
            )
        print_table(table)
    series = escape(rows[0]["schema"].partition("@")[0])
    console.print(f"`concord schema infer {series}` drafts the next version from what was seen.", highlight=False)


def _detail(row: Mapping[str, Any]) -> str:
    return "" if row["detail"] is None else f": {escape(row['detail'])}"
