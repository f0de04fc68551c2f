"""`concord people`: who may sign in, and as what."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.access.permissions import Role
from hub.cli import place
from hub.cli.output import EXIT_REFUSED, console, fail, print_json, print_table
from hub.cli.reach import Reached, reach

app = typer.Typer(no_args_is_help=True)

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The mail address.")]
Stdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin; without this it is asked for.")
]


@app.command("list")
def list_people(
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List who may sign in, and who no longer may."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/people")
    if json_output:
        print_json(found)
        return
    table = Table("Mail address", "Name", "Role", "May sign in", "Id")
    for person in found["people"]:
        may = "no" if person["disabled"] else "yes"
        table.add_row(*map(escape, (person["email"], person["name"], person["role"], may, person["id"])))
    print_table(table)


@app.command()
def add(
    email: Email,
    name: Annotated[str, typer.Option(help="What people call them.", prompt=True)],
    role: Annotated[Role, typer.Option(help="What they may do.", prompt=True)],
    password_stdin: Stdin = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Let somebody sign in from now on."""
    person = {"email": email, "name": name, "role": role.value, "password": _password(from_stdin=password_stdin)}
    with reach(place.settings(data, workspace, environment, None), begins=True) as hub:
        made = hub.post("/api/people", person)
    if json_output:
        print_json(made)
    else:
        console.print(f"{email} may sign in as {role.value}.", markup=False, highlight=False)


@app.command()
def change(
    email: Email,
    role: Annotated[Role | None, typer.Option(help="What they may do from now on.")] = None,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Whether they may sign in; their sessions end.")
    ] = None,
    password: Annotated[bool, typer.Option("--password", help="Give them a new password.")] = False,
    password_stdin: Stdin = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Give somebody another role or password, or say that they may no longer sign in, or may again."""
    wanted: dict[str, Any] = {"role": None if role is None else role.value, "disabled": disabled}
    if password or password_stdin:
        wanted["password"] = _password(from_stdin=password_stdin)
    with reach(place.settings(data, workspace, environment, None)) as hub:
        done = hub.post(f"/api/people/{_find(hub, email)['id']}", wanted)
    if json_output:
        print_json(done)
        return
    state = "may no longer sign in" if done["disabled"] else f"may sign in as {done['role']}"
    console.print(f"{email} {state}.", markup=False, highlight=False)


def _find(hub: Reached, email: str) -> Mapping[str, Any]:
    wanted = email.strip().lower()
    found = [person for person in hub.get("/api/people")["people"] if person["email"] == wanted]
    if not found:
        fail(f"Nobody signs in with {email}; `concord people list` shows who does.", EXIT_REFUSED)
    return dict(found[0])


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
