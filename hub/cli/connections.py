"""`concord connections`: how each connection does, what its account may be asked for, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import place
from hub.cli.output import console, minute, print_json, print_table
from hub.cli.reach import reach

app = typer.Typer(invoke_without_command=True)

_COLOURS = {"ok": "green", "warn": "yellow", "failed": "bold red", "skipped": "dim"}
_STAGES = {"tls": "TLS"}


@app.command("test")
def find_out(
    name: Annotated[str, typer.Argument(help="The connection.")],
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    key_file: place.KeyFile = None,
    json_output: place.Json = False,
) -> None:
    """Find out what keeps a connection from working; nothing is changed at the vendor. Exit 1 when something does."""
    with reach(place.settings(data, workspace, environment, key_file)) as hub:
        found = hub.post(f"/api/connections/{quote(name, safe='')}/test")
    if json_output:
        print_json(found)
    else:
        show_diagnosis(found)
    raise typer.Exit(0 if found["works"] else 1)


def show_diagnosis(found: dict[str, Any]) -> None:
    """Print a test: a line for each stage that was come to, and what to do."""
    table = Table("", "Stage", "Found", "What to do")
    for check in found["checks"]:
        if check["outcome"] == "skipped" and check["found"] == "not looked at":
            continue
        colour, stage = _COLOURS[check["outcome"]], _STAGES.get(check["stage"], check["stage"])
        table.add_row(f"[{colour}]{check['outcome']}[/]", stage, escape(_found(check)), escape(check["advice"]))
    print_table(table)
    name = escape(found["connection"])
    console.print(f"[green]{name} works.[/]" if found["works"] else f"[bold red]{name} does not work.[/]")


def _found(check: dict[str, Any]) -> str:
    told = ", ".join(f"{name} {fact}" for name, fact in check["facts"].items() if check["outcome"] == "failed")
    return str(check["found"]) + (f"\n({told})" if told else "")


@app.callback()
def connections(
    context: typer.Context,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List connections with their limits: what applies and why, what was learned, and who waits."""
    if context.invoked_subcommand is not None:
        return
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/connections")
    if json_output:
        print_json(found)
        return
    if not found["connections"]:
        console.print("No connection can be used yet.")
        return
    overview = Table("Connection", "State", "Account", "In flight", "Waiting", "Allowed", "Now")
    for each in found["connections"]:
        budget = each["budget"]
        waiting = sum(budget["waiting"].values()) + budget["preparing"]
        cells = (
            each["name"],
            each["standing"],
            budget["name"],
            str(budget["in_flight"]),
            f"{waiting} in hand, {budget['waiting_runs']} later",
            "\n".join(_allowed(budget)),
            "\n".join(_now(each)) or "-",
        )
        overview.add_row(*map(escape, cells))
    print_table(overview)


def _allowed(budget: dict[str, Any]) -> Iterator[str]:
    """Tell each limit that applies, with the source that says so."""
    by = {name: source["source"] for source in budget["sources"] for name in source["decides"]}
    yield f"{budget['concurrency']} in flight ({by.get('concurrency', 'default')})"
    if budget["rate"] is not None:
        per = "second" if budget["per"] == 1 else "minute" if budget["per"] == 60 else f"{budget['per']} s"
        yield f"{_plain(budget['rate'])} a {per}, {budget['burst']} at once ({by['rate']})"
    for quota in budget["quotas"]:
        used = "" if quota["used"] is None else f", {quota['used']:,} used"
        yield f"{quota['count']:,} a {quota['per']}{used} ({quota['source']})"


def _now(each: dict[str, Any]) -> Iterator[str]:
    """Tell what slows or stops the account just now."""
    budget = each["budget"]
    if each["paused"]:
        yield f"paused: {each['paused']}"
    if budget["breaker"] != "closed":
        probe = f", next probe {minute(budget['probe_at'])}" if budget["probe_at"] else ""
        yield f"the target does not serve ({budget['breaker']}{probe})"
    if budget["paused_until"]:
        yield f"asked to wait until {minute(budget['paused_until'])}"
    if budget["learned_rate"] is not None:
        yield f"learned: {_plain(budget['learned_rate'])} a second"
    if budget["learned_concurrency"] is not None:
        yield f"learned: {budget['learned_concurrency']} in flight"
    if budget["last_refusal"]:
        kind = budget["last_refusal"]["kind"] or "target"
        yield f"last refused {minute(budget['last_refusal']['at'])} ({kind})"


def _plain(number: Decimal | int) -> str:
    """Give a number without zeros at its end."""
    return f"{Decimal(number).normalize():f}"
