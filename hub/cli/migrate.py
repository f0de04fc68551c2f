"""`concord migrate`: the tables of a database are brought to this version, in two parts where processes share it."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import place
from hub.cli.output import console, print_json, print_table

_COLOURS = {"done": "green", "outstanding": "yellow", "unknown": "cyan"}


def migrate(
    pre: Annotated[
        bool, typer.Option("--pre", help="Add what this version needs; processes of the version before work on.")
    ] = False,
    post: Annotated[
        bool, typer.Option("--post", help="Also take away what only older versions need, when none of them lives.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Only tell what is done and what is outstanding.")] = False,
    data: place.Data = place.DEFAULT_DATA,
    database: place.DatabaseUrl = None,
    json_output: place.Json = False,
) -> None:
    """Bring the tables to this version: --pre before its first process, --post when none of an older one is left."""
    from hub.cli.reach import assert_data
    from hub.errors import Refused
    from hub.runtime.tables import bring, looking_at, tables_of
    from hub.sdk import exact_json
    from hub.store.migrating import Reach

    if pre + post + status > 1:
        raise Refused("Ask for one of --pre, --post and --status.", code="several-orders")
    url = database or None
    if url is None:
        assert_data(data)
    if pre or post:
        bring(data, url, Reach.ALL if post else Reach.NEEDED)
    with looking_at(data, url) as connection:
        tables = tables_of(connection)
    found: dict[str, Any] = exact_json.loads(exact_json.dumps(tables))
    if json_output:
        print_json(found)
    else:
        _show(found, shared=url is not None)


def _show(found: dict[str, Any], *, shared: bool) -> None:
    table = Table("Step", "Phase", "State", "What", "Still needed by")
    for line in found["steps"]:
        state = f"[{_COLOURS[line['state']]}]{line['state']}[/]"
        table.add_row(line["step"], line["phase"], state, escape(line["what"]), escape(", ".join(line["needed_by"])))
    print_table(table)
    left = [line for line in found["steps"] if line["state"] == "outstanding"]
    if not left:
        console.print("Nothing is outstanding.")
    elif not shared:
        console.print("The next start does it: one process has the file.")
    elif any(line["step"] <= found["needed"] for line in left):
        console.print("This version needs them: `concord migrate --pre`, or the start of a process with the role api.")
    else:
        console.print("This version serves without them. When no older process is left: `concord migrate --post`.")
