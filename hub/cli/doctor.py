"""`concord doctor`: one line for everything that was looked at, and what to do where something is to be done."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import place
from hub.cli.output import console, print_json, print_table
from hub.cli.reach import running_at
from hub.errors import HubError

_COLOURS = {"ok": "green", "note": "cyan", "warn": "yellow", "fail": "bold red"}
#: Everything is well, somebody should see to something, something is wrong.
_EXITS = {"ok": 0, "note": 0, "warn": 1, "fail": 2}


def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Read every page, hash and audit entry as well.")] = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    key_file: place.KeyFile = None,
    json_output: place.Json = False,
) -> None:
    """Examine the hub and its machine; exit 0 when all is well, 1 when something needs you, 2 when it is wrong."""
    try:
        hub = running_at(data)
    except HubError as error:
        found = _alone(data, environment, key_file, deep=deep, hangs=error)
    else:
        if hub is not None:
            found = hub.get("/api/doctor", deep="true" if deep else None)
        else:
            found = _alone(data, environment, key_file, deep=deep)
    if json_output:
        print_json(found)
    else:
        _show(found)
    raise typer.Exit(_EXITS[found["mark"]])


def _alone(
    data: Any, environment: str, key_file: Any, *, deep: bool, hangs: HubError | None = None
) -> Mapping[str, Any]:
    from hub.runtime.clock import SystemClock
    from hub.runtime.doctor import examine_beside, examine_offline
    from hub.runtime.settings import HubSettings
    from hub.sdk import exact_json

    settings = HubSettings(
        data=data,
        workspace=data,
        environment=environment,
        key_file=key_file,
        environ=dict(os.environ),
        database=place.database_url(),
    )
    now = SystemClock().now()
    found = examine_offline(settings, now=now, deep=deep) if hangs is None else examine_beside(settings, hangs, now=now)
    plain: Mapping[str, Any] = exact_json.loads(exact_json.dumps({"mark": found.mark, "findings": found.findings}))
    return plain


def _show(found: Mapping[str, Any]) -> None:
    table = Table("", "Looked at", "Found", "What to do")
    for finding in found["findings"]:
        mark = finding["mark"]
        colour = _COLOURS[mark]
        table.add_row(f"[{colour}]{mark}[/]", finding["name"], escape(finding["found"]), escape(finding["advice"]))
    print_table(table)
    told = {"ok": "All is well.", "note": "All is well.", "warn": "Something needs you.", "fail": "Something is wrong."}
    console.print(f"[{_COLOURS[found['mark']]}]{told[found['mark']]}[/]")
