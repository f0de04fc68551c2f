"""`concord vault`: store the secrets of connections; none is ever printed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from hub.cli import place
from hub.cli.given import text_of
from hub.cli.output import console, minute, print_json, print_table
from hub.cli.reach import reach
from hub.connections.keys import KEY_VARIABLE, PREVIOUS_VARIABLE
from hub.errors import FixData
from hub.sdk import exact_json

app = typer.Typer(no_args_is_help=True)


@app.command("set")
def set_secret(
    name: Annotated[str, typer.Argument(help="The secret's name, as in `secret: vault:NAME`.")],
    file: Annotated[Path | None, typer.Option(help="A JSON file of field → value; `-` or nothing reads stdin.")] = None,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    key_file: place.KeyFile = None,
    json_output: place.Json = False,
) -> None:
    """Seal a secret's fields, given as a JSON object, for the connections that name it."""
    named = file or "-"
    where = "stdin" if str(named) == "-" else str(named)
    text = text_of(named)
    try:
        values = exact_json.loads(text)
    except FixData as error:
        raise FixData(f"{where}: {error}", code="bad-secret") from None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise FixData(
            f'{where}: Give the secret as a JSON object of texts, such as {{"api_key": "…"}}.', code="bad-secret"
        )
    with reach(place.settings(data, workspace, environment, key_file), begins=True) as hub:
        stored = hub.put(f"/api/secrets/{name}", {"values": values})
    if json_output:
        print_json(stored)
        return
    console.print(f"Stored version {stored['version']} of [bold]{name}[/].")


@app.command("rotate-key")
def rotate_key(
    forget: Annotated[
        bool, typer.Option("--forget", help="Change nothing, and take earlier keys out of the key file.")
    ] = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    key_file: place.KeyFile = None,
    json_output: place.Json = False,
) -> None:
    """Seal all secrets with a new vault key while the hub serves; a change that broke off is brought to its end."""
    with reach(place.settings(data, workspace, environment, key_file)) as hub:
        done = hub.post("/api/secrets/rotate-key" + ("?forget=true" if forget else ""))
    if json_output:
        print_json(done)
        return
    if done["forgot"]:
        console.print(f"The key file holds the key {done['key']} alone; backups of before need a copy of the old one.")
        return
    console.print(f"{done['sealed']} versions of secrets are sealed with the key {done['key']} now.")
    if done["source"] == KEY_VARIABLE:
        console.print(f"Keep {PREVIOUS_VARIABLE} as long as the audit log's earlier heads are to be verified.")
    else:
        console.print(f"Copy {done['source']} to where you keep its copy. It holds the earlier key, too: backups of")
        console.print(
            "before need it. Take it out with `concord vault rotate-key --forget` when you keep none of these."
        )


@app.command("list")
def list_secrets(
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    key_file: place.KeyFile = None,
    json_output: place.Json = False,
) -> None:
    """List the secrets' names, versions and ages."""
    with reach(place.settings(data, workspace, environment, key_file)) as hub:
        stored = hub.get("/api/secrets")["secrets"]
    if json_output:
        print_json(stored)
        return
    if not stored:
        console.print("No secret is stored yet; `concord vault set NAME` stores one.")
        return
    table = Table("Secret", "Version", "Stored")
    for secret in stored:
        table.add_row(secret["name"], str(secret["version"]), minute(secret["stored_at"]))
    print_table(table)
