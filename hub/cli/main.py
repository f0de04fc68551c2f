"""The command `concord`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hub.cli import (
    approvals,
    audit,
    cases,
    connections,
    connectors,
    crossrefs,
    effects,
    events,
    feed,
    people,
    place,
    runs,
    schedules,
    schemas,
    senders,
    streams,
    things,
    vault,
)
from hub.cli.backup import backup, restore
from hub.cli.connect import connect
from hub.cli.decisions import decisions
from hub.cli.doctor import doctor
from hub.cli.drift import drift
from hub.cli.holds import hold, holds, resume
from hub.cli.migrate import migrate
from hub.cli.output import EXIT_REFUSED, EXIT_WRONG, console, fail, print_json
from hub.cli.release import plan, publish, revisions
from hub.cli.retention import retention
from hub.cli.workers import InHand, Lease, Roles, worker, workers
from hub.errors import HubError


class Commands(TyperGroup):
    """All commands; one that asks where nobody can answer says so, instead of "Aborted."."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that is named."""
        try:
            return super().invoke(ctx)
        except typer.Abort:
            if sys.stdin.isatty():
                raise
            fail("The command asks, and nobody answers: give what it asks for as an option (see --help).", EXIT_REFUSED)


app = typer.Typer(
    name="concord",
    cls=Commands,
    help="Concord: every system agrees with every other, to the cent.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_WRITE = "Write a workspace"
_CHANGE = "Change what serves"
_RUN = "Run it"
_KEEP = "Keep it"
_LOOK = "Look at what happened, and mend it"


@app.command(rich_help_panel=_WRITE)
def init(
    folder: Annotated[Path, typer.Argument(help="Where; a new or an empty folder.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Write beside what is there; no file is overwritten.")] = False,
    json_output: place.Json = False,
) -> None:
    """Begin a workspace: a small one that works, with examples, to be changed into your own."""
    from hub.cli.beginnings import init as begin

    begin(folder, force=force, json=json_output)


@app.command(rich_help_panel=_WRITE)
def check(
    path: Annotated[Path | None, typer.Argument(help="The workspace; by default the one found from here.")] = None,
    json_output: place.Json = False,
) -> None:
    """Check a workspace; every mistake is one line with file, line, column and what to write instead."""
    from hub.cli.check import check as run_check

    raise typer.Exit(run_check(path, json_output))


@app.command("test", rich_help_panel=_WRITE)
def run_examples(
    path: Annotated[Path | None, typer.Argument(help="The workspace; by default the one found from here.")] = None,
    only: Annotated[str, typer.Option("--filter", help="Only examples whose file, subject or title has this.")] = "",
    coverage_below: Annotated[
        int | None, typer.Option(min=0, max=100, help="Fail where fewer percent of the target fields are filled.")
    ] = None,
    json_output: place.Json = False,
) -> None:
    """Run the examples of a workspace and tell where something else came out, field by field."""
    from hub.cli.examples import run_all

    raise typer.Exit(run_all(path, only=only, coverage_below=coverage_below, json_output=json_output))


@app.command("map", rich_help_panel=_WRITE)
def map_records(
    name: Annotated[str, typer.Argument(metavar="NAME[@V]", help="The mapping, and the version it must have.")],
    given: Annotated[
        list[str] | None, typer.Option(help="A given value: NAME=TEXT, NAME:=JSON, or a JSON object of several.")
    ] = None,
    in_schema: Annotated[
        str | None, typer.Option(metavar="NAME@VERSION", help="What the records are, where it is another version.")
    ] = None,
    workspace: place.Workspace = None,
    json_output: Annotated[bool, typer.Option("--json", help="Write problems and a summary as JSON lines.")] = False,
) -> None:
    """Map JSON or JSON lines from stdin to stdout; what cannot be mapped is told on stderr with its line."""
    from hub.cli.mapping import map_stream

    lines = sys.stdin.buffer
    raise typer.Exit(
        map_stream(name, lines, workspace=workspace, given=given or [], json=json_output, in_schema=in_schema)
    )


@app.command(rich_help_panel=_WRITE)
def lineage(
    field: Annotated[str, typer.Argument(help="A field or schema, such as canonical.invoice.total; * is any text.")],
    workspace: place.Workspace = None,
    flow: Annotated[str | None, typer.Option(help="Only what happens in this flow.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw it into this file.")] = None,
    json_output: place.Json = False,
    openlineage: Annotated[bool, typer.Option("--openlineage", help="Print OpenLineage column lineage.")] = False,
) -> None:
    """Show where a field comes from, where it goes, and what is checked and decided by it."""
    from hub.cli.lineage import show_lineage

    raise typer.Exit(show_lineage(field, workspace, flow, svg, json=json_output, openlineage=openlineage))


app.add_typer(
    schemas.app, name="schema", help="List, compare and draft the versions of schemas.", rich_help_panel=_WRITE
)


@app.command("editor-schemas", rich_help_panel=_WRITE)
def editor_schemas(
    out: Annotated[Path, typer.Option(help="The folder to write them into.")] = Path(".concord/schemas"),
    json_output: place.Json = False,
) -> None:
    """Write JSON Schemas of the workspace's files, so that an editor completes and checks them."""
    from hub.cli.beginnings import editor_schemas as write

    write(out, json=json_output)


app.command(rich_help_panel=_CHANGE)(plan)
app.command(rich_help_panel=_CHANGE)(publish)
app.command(rich_help_panel=_CHANGE)(revisions)


@app.command(rich_help_panel=_RUN)
def serve(
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")] = 8480,
    key_file: place.KeyFile = None,
    database: place.DatabaseUrl = None,
    replica: place.ReplicaUrl = None,
    poll: Annotated[float, typer.Option(help="Seconds between readings of the vendors' streams.")] = 60.0,
    roles: Roles = "api,worker,scheduler",
    lease: Lease = 10.0,
    in_hand: InHand = place.DEFAULT_IN_HAND,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON line when ready.")] = False,
) -> None:
    """Run the hub: API, webhooks, workers and console in one process, or only some of it."""
    from hub.cli.serving import run_hub
    from hub.runtime.roles import roles_of

    more: dict[str, Any] = {"host": host, "port": port, "database": database or None, "roles": roles_of(roles)}
    more |= {"replica": replica or None, "poll_seconds": poll, "lease_seconds": lease, "in_hand": in_hand}
    settings = place.settings(data, workspace, environment, key_file, **more)
    raise typer.Exit(run_hub(settings, log_level=log_level, json_output=json_output))


app.command(rich_help_panel=_RUN)(worker)
app.command(rich_help_panel=_LOOK)(workers)
app.command(rich_help_panel=_KEEP)(backup)
app.command(rich_help_panel=_KEEP)(restore)
app.command(rich_help_panel=_KEEP)(doctor)
app.command(rich_help_panel=_KEEP)(migrate)
app.command(rich_help_panel=_KEEP)(retention)

app.command(rich_help_panel=_RUN)(connect)
app.add_typer(people.app, name="people", help="Say who may sign in, and as what.", rich_help_panel=_RUN)
app.add_typer(
    senders.app, name="senders", help="Make tokens for those who send events over the API.", rich_help_panel=_RUN
)
app.add_typer(vault.app, name="vault", help="Store the secrets of connections.", rich_help_panel=_RUN)


@app.command(rich_help_panel=_RUN)
def sandbox(
    name: Annotated[str, typer.Argument(help="The connector whose sandbox to serve.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="The vendor's port; 0 takes a free one.")] = 0,
    control_port: Annotated[
        int, typer.Option(min=0, max=65535, help="The control API's port; 0 takes a free one.")
    ] = 0,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    tls: Annotated[bool, typer.Option("--tls", help="Serve https with a test authority.")] = False,
    seed: Annotated[int, typer.Option(help="What everything random is drawn from.")] = 1,
) -> None:
    """Serve a vendor's sandbox; prints one JSON line with its addresses."""
    from hub.sandbox.main import UnknownSandbox, serve
    from hub.sandbox.server import Options

    try:
        serve(name, Options(host=host, port=port, control_port=control_port, tls=tls, seed=seed))
    except UnknownSandbox as error:
        fail(str(error), EXIT_REFUSED)
    except OSError as error:
        fail(f"Cannot listen on {host}: {os.strerror(error.errno or 0)}. Choose other ports.", EXIT_REFUSED)


@app.command(rich_help_panel=_RUN)
def demo(
    once: Annotated[bool, typer.Option("--once", help="Exit when settled: 0 only if every invariant holds.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")] = False,
    scenario: Annotated[
        str, typer.Option(help="standard, or two-erps: with Salesforce, and books in NetSuite and S/4HANA.")
    ] = "standard",
    invoices: Annotated[int, typer.Option(min=1, max=20_000, help="How many invoices to open.")] = 200,
    faults: Annotated[str, typer.Option(help="none, standard or storm.")] = "standard",
    kill: Annotated[int, typer.Option(min=0, max=20, help="How often to kill the hub while effects are open.")] = 0,
    seed: Annotated[int, typer.Option(help="What everything random is drawn from.")] = 1,
    workers: Annotated[
        int, typer.Option(min=0, max=16, help="Run on PostgreSQL with so many workers beside the hub.")
    ] = 0,
    nats: Annotated[int, typer.Option(min=0, max=3, help="With --workers: so many nodes of NATS.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The console's port; 0 takes a free one.")] = 0,
    data: Annotated[
        Path | None, typer.Option(help="Where to keep everything; by default a new temporary folder.")
    ] = None,
) -> None:
    """Run the main job against sandboxes: what Stripe bills, takes and gives back becomes NetSuite's, to the cent."""
    from hub.proof.demo import DemoOptions, run_demo

    if nats and not workers:
        fail("`--nats` goes with `--workers`: how many work on the shared database.", EXIT_WRONG)
    options = DemoOptions(
        once=once,
        json=json_output,
        scenario=scenario,
        invoices=invoices,
        faults=faults,
        kill=kill,
        seed=seed,
        port=port,
        data=data,
        workers=workers,
        nats=nats,
    )
    raise typer.Exit(run_demo(options))


@app.command(rich_help_panel=_RUN)
def prove(
    seeds: Annotated[int | None, typer.Option(min=1, help="How many trials to run; 2000 when nothing is said.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Stop after so many minutes.")] = None,
    jobs: Annotated[int, typer.Option(min=0, max=256, help="How many processes; 0 takes one for each core.")] = 0,
    first: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    seed: Annotated[int | None, typer.Option(min=0, help="Run this one trial alone.")] = None,
    crash: Annotated[str | None, typer.Option(help="Run this one crash alone, as it was printed.")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="With --seed or --crash: tell all that happened.")] = False,
    kills: Annotated[int, typer.Option(min=0, max=10_000, help="Instead: kill the real process so often.")] = 0,
    power_cuts: Annotated[int, typer.Option(min=0, max=100_000, help="Instead: cut its power so often.")] = 0,
    invoices: Annotated[int, typer.Option(min=0, max=20_000, help="Instead: post so many with lost answers.")] = 0,
    timeouts: Annotated[
        int | None, typer.Option(min=0, max=90, help="With --invoices: percent of writes unanswered; 30 unless told.")
    ] = None,
    customers: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Instead: carry so many over, killed --kills times.")
    ] = 0,
    accounts: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Instead: carry so many over by bulk jobs, killed --kills times.")
    ] = 0,
    upgrade: Annotated[
        str | None,
        typer.Option(metavar="OLD", help="Instead: take the place of another version (folder, venv or git revision)."),
    ] = None,
    restores: Annotated[int, typer.Option(min=0, max=100, help="Instead: restore an old backup so often.")] = 0,
    real: Annotated[
        bool, typer.Option("--real", help="Instead: faults of real processes, servers, disks and networks.")
    ] = False,
    faults: Annotated[
        list[str] | None, typer.Option("--fault", help="With --real: only this one; may be said several times.")
    ] = None,
    mutants: Annotated[bool, typer.Option("--mutants", help="Instead: break the hub on purpose, and see it.")] = False,
    mutant: Annotated[str | None, typer.Option(help="Prove this broken hub in the place of the real one.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")] = False,
) -> None:
    """Run the real engine through simulated failures, thousands of times; succeed only if every invariant holds.

    With --kills, --power-cuts, --invoices, --customers, --accounts, --restores or --real real processes are put to the
    proof from outside.
    With --mutants every broken hub must be caught by the invariant that it breaks.
    """
    from hub.cli.proving import outside

    if upgrade is not None:
        from hub.cli.proving import rehearse

        raise typer.Exit(rehearse(upgrade, invoices=invoices, seed=seed or 1, json=json_output))
    if timeouts is not None and not invoices:
        fail("`--timeouts` goes with `--invoices`: how many invoices are to be posted.", EXIT_WRONG)

    proof = outside(
        kills=kills,
        power_cuts=power_cuts,
        invoices=invoices,
        timeouts=30 if timeouts is None else timeouts,
        restores=restores,
        seed=seed or 1,
        customers=customers,
        accounts=accounts,
        real=real,
        minutes=minutes,
        faults=faults or (),
        mutant=mutant,
    )
    if proof is not None:
        from hub.proof.outside import run as run_outside

        raise typer.Exit(run_outside(proof, json=json_output))
    from hub.proof.prove import ProveOptions, run_prove

    if mutants:
        from hub.proof.hunts import run_hunts

        raise typer.Exit(run_hunts(jobs=jobs, first=first, seeds=seeds, json=json_output))
    options = ProveOptions(
        seeds=seeds,
        minutes=minutes,
        jobs=jobs,
        first=first,
        seed=seed,
        crash=crash,
        trace=trace,
        json=json_output,
        mutant=mutant,
    )
    raise typer.Exit(run_prove(options))


@app.command(rich_help_panel=_RUN)
def status(
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Show what the hub has in hand."""
    from hub.cli.plan_tables import show_folder
    from hub.cli.reach import reach
    from hub.cli.tables import show_status

    with reach(place.settings(data, workspace, environment, None)) as hub:
        summary = hub.get("/api/summary")
        published = hub.get("/api/revisions", limit=1)
        alarming = hub.get("/api/alarms")["alarms"]
    if json_output:
        print_json(
            {
                **summary,
                "alarms": alarming,
                "revision": next(iter(published["revisions"]), None),
                "folder": published["folder"],
            }
        )
        return
    show_status(summary)
    for line in published["revisions"]:
        commit = f", commit {line['commit'][:10]}" if line["commit"] else ""
        console.print(f"Revision {line['number']} serves (bundle {line['bundle'][:12]}{commit}).")
    show_folder(published["folder"])
    if alarming:
        schedules.show_alarms(alarming)


@app.command(rich_help_panel=_RUN)
def version(json_output: place.Json = False) -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    told = installed("concord-hub")
    if json_output:
        print_json({"version": told})
    else:
        typer.echo(told)


app.add_typer(connectors.app, name="connectors", help="Look at connectors, and certify them.", rich_help_panel=_WRITE)
app.add_typer(runs.app, name="runs", help="Look at runs, replay, cancel or undo them.", rich_help_panel=_LOOK)
app.add_typer(cases.app, name="cases", help="Look at exceptions, replay, assign or close them.", rich_help_panel=_LOOK)
app.add_typer(
    approvals.app, name="approvals", help="Look at what people must agree to; agree or refuse.", rich_help_panel=_LOOK
)
app.add_typer(events.app, name="events", help="Look at events and release what was kept back.", rich_help_panel=_LOOK)
app.add_typer(feed.app, name="feed", help="Follow or replay what the hub tells the world.", rich_help_panel=_LOOK)
app.add_typer(
    effects.app, name="effects", help="Look at writes in doubt, and settle what nobody knows.", rich_help_panel=_LOOK
)
app.add_typer(
    schedules.app, name="schedules", help="Look at schedules, start, hold or resume one.", rich_help_panel=_LOOK
)
app.add_typer(streams.app, name="streams", help="Look at streams, and read a span of one again.", rich_help_panel=_LOOK)
app.command(rich_help_panel=_LOOK)(schedules.alarms)
app.command(rich_help_panel=_LOOK)(hold)
app.command(rich_help_panel=_LOOK)(resume)
app.command(rich_help_panel=_LOOK)(holds)
app.command(rich_help_panel=_LOOK)(drift)
app.add_typer(connections.app, name="connections", help="Look at connections and test one.", rich_help_panel=_LOOK)
app.command(rich_help_panel=_LOOK)(decisions)
app.add_typer(
    crossrefs.app, name="crossrefs", help="Look up and import which id here is which id there.", rich_help_panel=_LOOK
)
app.add_typer(
    things.app, name="duplicates", help="Look at records that may be about one thing; say so.", rich_help_panel=_LOOK
)
app.add_typer(audit.app, name="audit", help="Read and verify the audit log.", rich_help_panel=_LOOK)


def run() -> None:
    """Run the command line; a HubError becomes one clear line and an exit status."""
    try:
        app()
    except HubError as error:
        fail(str(error), EXIT_REFUSED)
    except KeyboardInterrupt:
        fail("stopped", 130)
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        named = f" ({error.filename})" if error.filename is not None else ""
        fail(f"{error.strerror or error}.{named}", EXIT_REFUSED)
