"""`concord cases`: look at exceptions, replay, assign or close them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape

from hub.cli import place
from hub.cli.given import one_of
from hub.cli.output import EXIT_WRONG, console, fail, print_json
from hub.cli.reach import Reached, reach
from hub.cli.tables import show_case, show_cases

#: So many are ordered at once; then the next ones, until all that fit are.
MOST_AT_ONCE = 200

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_cases(
    state: Annotated[str, typer.Option(help="open, closed or any.")] = "open",
    reason: Annotated[str | None, typer.Option(help="Only this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List exceptions, the newest first."""
    one_of(state, ("open", "closed", "any"), "state of an exception")
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/cases", state=state, reason=reason, limit=limit)
    if json_output:
        print_json(found)
    else:
        show_cases(found["cases"])


@app.command()
def show(
    case_id: str,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Show an exception with its facts and runbook."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get(f"/api/cases/{case_id}")
    if json_output:
        print_json(found)
    else:
        show_case(found)


@app.command()
def replay(
    case_id: str,
    from_start: Annotated[bool, typer.Option("--from-start", help="From the first step, not the failed one.")] = False,
    current: Annotated[bool, typer.Option("--current", help="With the workspace of now, not the run's own.")] = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Replay an exception's run; what it has done outside is not done twice."""
    order = {"from_start": from_start, "bundle": "current" if current else "same"}
    with reach(place.settings(data, workspace, environment, None)) as hub:
        made = hub.post(f"/api/cases/{case_id}/replay", order)
    if json_output:
        print_json(made)
    else:
        console.print(f"Run [bold]{made['run']}[/] takes its place.")


@app.command("replay-all")
def replay_all(
    fingerprint: Annotated[str | None, typer.Option(help="Only those alike: the fingerprint that they share.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only with this reason.")] = None,
    flow: Annotated[str | None, typer.Option(help="Only of this flow.")] = None,
    step: Annotated[str | None, typer.Option(help="Only those that stopped in this step.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many, the oldest first.")] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="From the first step, not the failed one.")] = False,
    current: Annotated[bool, typer.Option("--current", help="With the workspace of now, not the runs' own.")] = False,
    why: Annotated[str, typer.Option(help="Why; it is kept with each.")] = "",
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Replay the runs of all exceptions that fit, the oldest first and behind all other work."""
    named = {"fingerprint": fingerprint, "reason": reason, "flow": flow, "path": step}
    wanted = {name: value for name, value in named.items() if value is not None}
    if not wanted:
        fail("Say which exceptions: by --fingerprint, --reason, --flow or --step.", EXIT_WRONG)
    order = {"filter": wanted, "from_start": from_start, "bundle": "current" if current else "same", "reason": why}
    total: dict[str, Any] = {"seen": 0, "replayed": 0, "left": {}}
    with reach(place.settings(data, workspace, environment, None)) as hub:
        for done in _pages(hub, order, limit):
            for name in ("seen", "replayed"):
                total[name] += done[name]
            for code, number in done["left"].items():
                total["left"][code] = total["left"].get(code, 0) + number
            if not json_output and done["next"] is not None:
                console.print(f"{total['replayed']} of {total['seen']} so far.")
    if json_output:
        print_json(total)
        return
    left = ", ".join(f"{number} {escape(code)}" for code, number in sorted(total["left"].items()))
    console.print(
        f"{total['replayed']} of {total['seen']} runs are replayed." + (f" Left as they were: {left}." if left else "")
    )


def _pages(hub: Reached, order: Mapping[str, Any], limit: int | None) -> Iterator[Mapping[str, Any]]:
    after, left = None, limit
    while left is None or left > 0:
        some = MOST_AT_ONCE if left is None else min(left, MOST_AT_ONCE)
        done = hub.post("/api/cases/replay", {**order, "after": after, "limit": some})
        yield done
        after = done["next"]
        if after is None:
            return
        left = None if left is None else left - done["seen"]


@app.command()
def close(
    case_id: str,
    resolution: Annotated[str, typer.Option(help="How it was settled; it stands in the audit.", prompt=True)],
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Close an exception that was settled outside the hub."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        closed = hub.post(f"/api/cases/{case_id}/close", {"resolution": resolution})
    if json_output:
        print_json(closed)
        return
    console.print(f"Exception {case_id} is closed.")
