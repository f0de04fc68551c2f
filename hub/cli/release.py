"""`concord plan`, `concord publish`, `concord revisions`: see a change before it happens, and make it happen."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hub.cli import place
from hub.cli.output import EXIT_REFUSED, console, errors, fail, print_json
from hub.cli.plan_tables import show_plan, show_revisions
from hub.cli.reach import Reached, reach
from hub.errors import HubError, NotFound, Refused

#: There is something to look at before publishing, or a publish was stopped until it is confirmed.
EXIT_LOOK = 2
_POLL_SECONDS = 0.1

#: Words that only the hub can resolve: what serves, a revision's number, the beginning of a bundle's id.
_OF_THE_HUB = re.compile(r"published|[0-9]{1,6}")
_BUNDLE = re.compile(r"[0-9a-f]{6,64}")

_REV = "`published`, `.` (the folder), a git revision, a revision's number, or a bundle's id."
From = Annotated[str, typer.Option("--from", help=f"The revision to compare with: {_REV}", metavar="REV")]
To = Annotated[str, typer.Option("--to", help=f"The revision to look at: {_REV}", metavar="REV")]
Events = Annotated[int, typer.Option(min=0, max=100_000, help="How many of the newest recorded events are replayed.")]


def plan(
    before: From = "published",
    after: To = ".",
    events: Events = 1000,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Show what a revision would change: files, records, money. Exit status 2 when there is something to look at."""
    settings = place.settings(data, workspace, environment, None)
    order = {
        "from": _revision(before, settings.workspace),
        "to": _revision(after, settings.workspace),
        "events": events,
    }
    with reach(settings) as hub:
        job = _finished(hub, hub.post("/api/revisions/plan", order), quiet=json_output)
    if json_output:
        print_json(job["plan"])
    else:
        show_plan(job["plan"])
    raise typer.Exit(EXIT_LOOK if job["plan"]["concerns"] or job["plan"]["errors"] else 0)


def publish(
    after: To = ".",
    confirm: Annotated[bool, typer.Option("--confirm", help="Publish although there is something to confirm.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept with the revision.")] = None,
    events: Events = 1000,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Let a revision serve from now on. Exit status 2 when it must be confirmed with a reason first."""
    if confirm and not (reason or "").strip():
        fail("Say why with --reason TEXT; it is kept with the revision.", EXIT_REFUSED)
    settings = place.settings(data, workspace, environment, None)
    order = {
        "to": _revision(after, settings.workspace),
        "events": events,
        "confirm": confirm,
        "reason": reason,
    }
    with reach(settings, begins=True) as hub:
        job = _finished(hub, hub.post("/api/revisions/publish", order), quiet=json_output)
    if json_output:
        print_json({name: job[name] for name in ("state", "number", "how", "plan")})
    elif job["plan"]["errors"] or job["state"] == "held":
        show_plan(job["plan"])
    else:
        console.print(_published(job))
    if job["plan"]["errors"]:
        raise typer.Exit(EXIT_REFUSED)
    if job["state"] == "held":
        errors.print(
            "[bold red]Not published.[/] If this is what you want, publish it with --confirm --reason TEXT.",
            soft_wrap=True,
        )
        raise typer.Exit(EXIT_LOOK)


def revisions(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List what has been published, the newest first."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/revisions", limit=limit)
    if json_output:
        print_json(found)
    else:
        show_revisions(found)


def _revision(word: str, workspace: Path) -> dict[str, Any]:
    """Give a revision as the hub takes it: a word that it knows, or the files with their commit."""
    if _OF_THE_HUB.fullmatch(word):
        return {"word": word}
    from hub.release.parcel import packed
    from hub.workspace.git import origin_of, read_revision
    from hub.workspace.loader import read_files

    if word == ".":
        files = read_files(workspace)
        origin = origin_of(workspace, files)
    else:
        try:
            files, origin = read_revision(workspace, word)
        except NotFound as error:
            if _BUNDLE.fullmatch(word) and error.code in ("no-repository", "unknown-revision"):
                return {"word": word}
            raise
    known = {"commit": origin.commit, "dirty": origin.dirty} if origin is not None else {}
    return {"word": word, "files": packed(files), **known}


def _finished(hub: Reached, job: Mapping[str, Any], *, quiet: bool) -> Mapping[str, Any]:
    """Wait for a job with a bar on the terminal; breaking off cancels it."""
    path = f"/api/revisions/jobs/{job['job']}"
    columns = (TextColumn("Replaying recorded events"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    showing = not quiet and sys.stderr.isatty()
    try:
        with Progress(*columns, console=errors, transient=True, disable=not showing) as bar:
            task = bar.add_task("", total=None)
            while job["state"] == "working":
                time.sleep(_POLL_SECONDS)
                job = hub.get(path)
                done, total = job["progress"]["done"], job["progress"]["total"]
                bar.update(task, completed=done, total=total or None)
    except KeyboardInterrupt:
        hub.delete(path)
        raise
    if job["state"] == "cancelled":
        raise Refused("The plan was cancelled.", code="cancelled")
    if job["problem"] is not None:
        raise _problem(job["problem"])
    return job


def _problem(problem: Mapping[str, Any]) -> HubError:
    return Refused(problem["detail"], code=problem["code"], **problem["facts"])


def _published(job: Mapping[str, Any]) -> str:
    what = "Rolled back" if job["how"] == "rollback" else "Published"
    to = job["plan"]["after"]
    commit = f", commit {to['commit'][:10]}{' with changes' if to['dirty'] else ''}" if to["commit"] else ""
    return f"{what}: revision [bold]{job['number']}[/] serves from now on (bundle {to['bundle'][:12]}{commit})."
