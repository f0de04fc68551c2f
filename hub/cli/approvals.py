"""`concord approvals`: what people are asked to agree to, and a person's vote.

The command line by itself is nobody: who votes signs in with `--as` and a password.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import place
from hub.cli.given import one_of
from hub.cli.output import console, minute, print_json, print_table
from hub.cli.reach import Reached, reach
from hub.cli.tables import amounts
from hub.model.approval import ApprovalState
from hub.sdk import exact_json

app = typer.Typer(no_args_is_help=True)

Named = Annotated[str, typer.Argument(metavar="APPROVAL", help="Its id.")]
As = Annotated[str | None, typer.Option("--as", metavar="EMAIL", help="Who votes. Asked for when missing.")]
Stdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin; without this it is asked for.")
]


@app.command("list")
def list_approvals(
    state: Annotated[str, typer.Option(help="pending, approved, refused, expired, void or any.")] = "pending",
    run: Annotated[str | None, typer.Option(help="Only those of this run.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List approvals, the newest first."""
    one_of(state, (*ApprovalState, "any"), "state of an approval")
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/approvals", state=state, run=run, limit=limit)
    if json_output:
        print_json(found)
    else:
        _show_approvals(found["approvals"])


@app.command()
def show(
    approval: Named,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Show what is asked, by which rule, who has said what, and until when."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get(f"/api/approvals/{approval}")
    if json_output:
        print_json(found)
    else:
        _show_approval(found)


@app.command()
def approve(
    approval: Named,
    email: As = None,
    reason: Annotated[str, typer.Option(help="What there is to say.")] = "",
    password_stdin: Stdin = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Agree, as a person who signs in; the run goes on once as many as are needed have agreed."""
    with (
        reach(place.settings(data, workspace, environment, None)) as hub,
        _signed_in(hub, email, from_stdin=password_stdin) as (person, password),
    ):
        done = person.post(f"/api/approvals/{approval}/approve", {"password": password, "reason": reason})
    _say(done, json=json_output)


@app.command()
def refuse(
    approval: Named,
    email: As = None,
    reason: Annotated[str | None, typer.Option(help="Why. Asked for when missing.")] = None,
    password_stdin: Stdin = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Refuse, as a person who signs in; the run stops for somebody who mends it."""
    why = typer.prompt("Reason") if reason is None else reason
    with (
        reach(place.settings(data, workspace, environment, None)) as hub,
        _signed_in(hub, email, from_stdin=password_stdin) as (person, _),
    ):
        done = person.post(f"/api/approvals/{approval}/refuse", {"reason": why})
    _say(done, json=json_output)


@contextmanager
def _signed_in(hub: Reached, email: str | None, *, from_stdin: bool) -> Iterator[tuple[Reached, str]]:
    """Give the hub as a person reaches it, for as long as one order takes."""
    who = typer.prompt("Mail address") if email is None else email
    password = sys.stdin.readline().rstrip("\n") if from_stdin else typer.prompt("Password", hide_input=True)
    session = hub.post("/api/sessions", {"email": who, "password": password})
    person = Reached(hub.url, session["token"])
    try:
        yield person, password
    finally:
        person.delete("/api/sessions")


def _say(done: Mapping[str, Any], *, json: bool) -> None:
    if json:
        print_json(done)
        return
    said = {
        ApprovalState.PENDING: "is agreed to by you; others must agree too",
        ApprovalState.APPROVED: "is approved; its run goes on",
        ApprovalState.REFUSED: "is refused; its run stops for somebody who mends it",
    }[ApprovalState(done["state"])]
    console.print(f"{done['approval']} {said}.", markup=False, highlight=False)


def _show_approvals(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        console.print("No approval fits.")
        return
    table = Table("Approval", "About", "Money", "Asked by", "Who", "Agreed", "State", "Until")
    table.columns[2].justify = "right"
    for each in found:
        table.add_row(
            each["id"],
            escape(each["business_key"]),
            _money(each),
            escape(f"{each['policy']} v{each['version']}: {each['rule']}"),
            " or ".join(each["roles"]),
            f"{each['agreed']} of {each['needed']}",
            each["state"],
            minute(each["deadline_at"]) if each["deadline_at"] else "no deadline",
        )
    print_table(table)


def _money(approval: Mapping[str, Any]) -> str:
    return amounts([approval["money"]] if approval["money"] else [])


def _show_approval(found: Mapping[str, Any]) -> None:
    lines = {
        "State": found["state"] + (f" ({found['reason']})" if found["reason"] else ""),
        "About": f"{found['business_key']} in {found['flow']}",
        "Money": _money(found),
        "Asked by": f"{found['policy']} v{found['version']}, rule {found['rule']}",
        "Who may": " or ".join(found["roles"]),
        "Agreed": f"{found['agreed']} of {found['needed']}",
        "Asked": minute(found["created_at"]),
        "Until": minute(found["deadline_at"]) if found["deadline_at"] else "no deadline",
        "Others from": minute(found["escalate_at"]) if found["escalate_at"] else "",
        "Holds until": minute(found["valid_until"]) if found["valid_until"] else "",
        "Run": f"{found['run_id']} at {found['path']}",
        "Record": found["record_hash"],
    }
    table = Table(found["id"], "")
    for name, value in lines.items():
        if value:
            table.add_row(name, escape(str(value)))
    print_table(table)
    for vote in found["votes"]:
        said = {"began": "began this work", "agreed": "agreed", "refused": "refused"}[vote["verdict"]]
        left = "" if vote["counts"] or vote["verdict"] == "began" else " (may no longer, and does not count)"
        why = f": {vote['reason']}" if vote["reason"] else ""
        console.print(f"{minute(vote['at'])} {vote['name']} {said}{left}{why}", markup=False, highlight=False)
    console.print(exact_json.dumps(found["record"]).decode(), markup=False, highlight=False, soft_wrap=True)
