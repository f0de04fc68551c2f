"""`concord worker`, and `concord workers`: processes that work on the same data, and what each has in hand."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import place
from hub.cli.at_hub import AtHub, at_hub
from hub.cli.output import console, minute, print_json, print_table

_COLOURS = {"lives": "green", "silent": "bold red", "ended": "dim"}

Roles = Annotated[
    str, typer.Option(metavar="ROLES", help="What the process is there for: some of api, worker and scheduler.")
]
Lease = Annotated[
    float, typer.Option(min=1, help="Seconds of silence after which other processes on the same database take over.")
]

InHand = Annotated[
    int, typer.Option(min=4, help="How many runs a worker goes through at a time; a fourth of them for one account.")
]


def worker(
    data: place.Data = place.DEFAULT_DATA,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    database: place.DatabaseUrl = None,
    roles: Roles = "worker",
    host: Annotated[str, typer.Option(help="The address that tells of health and readiness.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Its port; 0 takes a free one.")] = 8481,
    key_file: place.KeyFile = None,
    poll: Annotated[float, typer.Option(help="Seconds between readings of the vendors' streams.")] = 60.0,
    lease: Lease = 10.0,
    in_hand: InHand = place.DEFAULT_IN_HAND,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON line when ready.")] = False,
) -> None:
    """Work on the runs of a hub whose data is on PostgreSQL; start as many as you like, with the hub's vault key."""
    from hub.cli.serving import run_hub
    from hub.errors import Refused
    from hub.runtime.roles import Role, roles_of

    wanted = roles_of(roles)
    if Role.API in wanted:
        raise Refused(
            "A process with the role api has a workspace and the console: start it with `concord serve --roles "
            f"{roles}`.",
            code="worker-without-api",
        )
    settings = place.without_workspace(
        data,
        environment,
        key_file,
        database=database,
        roles=wanted,
        host=host,
        port=port,
        poll_seconds=poll,
        lease_seconds=lease,
        in_hand=in_hand,
    )
    raise typer.Exit(run_hub(settings, log_level=log_level, json_output=json_output))


@at_hub
def workers(
    hub: AtHub,
    ended: Annotated[bool, typer.Option("--ended", help="Also those that have ended in the last week.")] = False,
) -> None:
    """List the processes that work on the hub's data: roles, version, lease, and the runs in their hands."""
    with hub.reach() as reached:
        found = reached.get("/api/workers", ended="true" if ended else None)
    if hub.json:
        print_json(found)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    table = Table("Worker", "State", "Roles", "Version", "Lease", "Runs", "Since (UTC)")
    for line in found["workers"]:
        state, lease = line["state"], line["lease"]
        roles = line["roles"].replace("scheduler", "scheduler*") if line["leads"] else line["roles"]
        table.add_row(
            line["id"],
            f"[{_COLOURS[state]}]{state}[/]",
            escape(roles),
            escape(line["version"]),
            "" if lease is None or state == "ended" else f"{float(lease):.1f} s",
            str(line["runs"]),
            minute(line["started_at"]),
        )
    print_table(table)
    if found["shared"]:
        console.print("* has the scheduler's duty now.")
    else:
        console.print("One process is alone with its data; several share a PostgreSQL database (docs/scaling.md).")
