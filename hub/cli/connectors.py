"""`concord connectors`: which are installed, how good they are, and whether they hold under every provider fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli.output import EXIT_REFUSED, console, print_json, print_table
from hub.errors import Refused

if TYPE_CHECKING:
    from hub.proof.certification.certify import Trial
    from hub.queries.connectors import ConnectorView

app = typer.Typer(no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def show_all(json_output: _Json = False) -> None:
    """List the connectors that are installed, with what certification showed."""
    from hub.connections.registry import load_connectors
    from hub.queries.connectors import connector_views

    registry = load_connectors()
    views = connector_views(registry.values())
    if json_output:
        broken = [{"name": each.name, "package": each.package, "reason": each.reason} for each in registry.broken]
        print_json({"connectors": [as_json(view) for view in views], "broken": broken})
        return
    table = Table("Connector", "Vendor", "Reads", "Writes", "Webhook", "Streams", "Quality", "Certification")
    for view in views:
        writes = sum(operation.idempotency is not None for operation in view.operations)
        done = sum(reason is None for reason in view.quality.values())
        cells = (
            view.name,
            view.vendor,
            str(len(view.operations) - writes),
            str(writes),
            "yes" if view.webhook else "no",
            str(len(view.streams)),
            f"{done} of {len(view.quality)}",
            view.standing,
        )
        table.add_row(*map(escape, cells))
    print_table(table)
    for plugin in registry.broken:
        console.print(f"{plugin.name} of {plugin.package} cannot be loaded: {plugin.reason}", markup=False)


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="The connector.")], json_output: _Json = False) -> None:
    """Show one connector: its operations, its quality list, and its certification."""
    from hub.connections.registry import load_connectors
    from hub.queries.connectors import connector_view

    view = connector_view(load_connectors().connector(name))
    if json_output:
        print_json(as_json(view))
        return
    versions = ", ".join(view.api_versions) or "no version named"
    console.print(f"{view.title} ({view.vendor}; {versions}): {view.standing}", markup=False)
    operations = Table("Operation", "Kind", "What it does")
    for operation in view.operations:
        kind = "read" if operation.idempotency is None else f"write, {operation.idempotency}"
        operations.add_row(*map(escape, (operation.name, kind, operation.title)))
    print_table(operations)
    quality = Table("Rule", "Kept")
    for rule, reason in view.quality.items():
        quality.add_row(rule, escape("done" if reason is None else f"exempt: {reason}"))
    print_table(quality)
    if view.certification is not None:
        found = view.certification
        console.print(f"{found.trials} trials under {found.faults} faults held.", markup=False)
        for subject, reasons in found.exempt.items():
            for fault, reason in reasons.items():
                console.print(f"exempt: {subject} under {fault}: {reason}", markup=False)


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="The connector's name: lower-case letters, digits and `_`.")],
    into: Annotated[Path | None, typer.Option(help="A new or an empty folder; by default `concord-NAME`.")] = None,
    title: Annotated[str, typer.Option(help="What people call the system.")] = "",
    json_output: _Json = False,
) -> None:
    """Begin a connector: a package that works, with sandbox, samples, tests and documents, to be changed."""
    from hub.cli.new_connector import make

    folder = into or Path(f"concord-{name.replace('_', '-')}")
    written = make(name, folder, title=title)
    if json_output:
        print_json({"folder": str(folder), "files": [path.as_posix() for path in written]})
        return
    console.print(f"{len(written)} files are in {folder}. What to do next:", markup=False)
    for line in (f"pip install -e {folder}", f"pytest {folder}", f"concord connectors certify {name}"):
        console.print(f"    {line}", markup=False, highlight=False)


@app.command("faults")
def faults(json_output: _Json = False) -> None:
    """List the provider faults that connectors are certified under."""
    from hub.proof.certification.catalogue import FAULTS

    rows = [
        {
            "name": fault.name,
            "what": fault.what,
            "sides": sorted(side.value for side in fault.sides),
            "verdict": fault.verdict.value,
            "matrix": fault.matrix,
        }
        for fault in FAULTS
    ]
    if json_output:
        print_json({"faults": rows})
        return
    table = Table("Fault", "What the vendor does", "Met by", "Must end", "Matrix")
    for fault in FAULTS:
        met = ", ".join(sorted(side.value for side in fault.sides))
        table.add_row(*map(escape, (fault.name, fault.what, met, fault.verdict.value, fault.matrix)))
    print_table(table)


@app.command("certify")
def certify_connectors(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="The connectors.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are installed.")] = False,
    fault: Annotated[str | None, typer.Option(help="Only under this fault.")] = None,
    operation: Annotated[str | None, typer.Option(help="Only this operation, webhook fixture or stream.")] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="So many are tried at the same time.")] = 1,
    write: Annotated[bool, typer.Option("--write", help="Write what held into the connector's manifest.")] = False,
    json_output: _Json = False,
) -> None:
    """Try connectors under every provider fault; the exit status is 0 only when all of it holds."""
    from hub.connections.registry import load_connectors
    from hub.proof.certification.certify import State, certify
    from hub.proof.certification.record import write_record

    registry = load_connectors()
    if bool(names) == everything:
        raise Refused("Name the connectors, or give --all.", code="no-connector")
    if write and (fault or operation):
        raise Refused("Only a whole certification is written down.", code="not-whole")
    chosen = [registry.connector(name) for name in names or registry]
    trials: list[Trial] = []
    for found in certify(chosen, jobs=jobs, fault=fault, operation=operation):
        trials += found
        if not json_output:
            _tell(found)
    broken = [trial for trial in trials if trial.state is State.BROKEN]
    if json_output:
        print_json({"ok": not broken, "trials": [trial_as_json(trial) for trial in trials]})
    else:
        _sum_up(trials)
    if write and not broken:
        for connector in chosen:
            path = write_record(connector, [one for one in trials if one.subject.connector == connector.name])
            if not json_output:
                console.print(f"Written into {path}.", markup=False)
    raise typer.Exit(EXIT_REFUSED if broken else 0)


def _tell(found: Sequence[Trial]) -> None:
    """Tell of one subject as soon as it is done: one line, and one more for everything that does not hold."""
    subject, states = found[0].subject, Counter(trial.state.value for trial in found)
    parts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    seconds = sum(trial.seconds for trial in found)
    line = f"{subject.connector} {subject.side.value} {subject.name}: {parts} ({seconds:.0f} s)"
    console.print(line, markup=False, highlight=False)
    for trial in found:
        for sentence in trial.told:
            console.print(f"    {trial.state.value}: {trial.fault}: {sentence}", markup=False, highlight=False)


def _sum_up(trials: Sequence[Trial]) -> None:
    table = Table("Connector", "Tried", "Trials", "Hold", "Broken", "Exempt", "Not struck")
    for name in dict.fromkeys(trial.subject.connector for trial in trials):
        own = [trial for trial in trials if trial.subject.connector == name]
        states = Counter(trial.state.value for trial in own)
        tried = len({trial.subject for trial in own})
        counts = (tried, len(own), *(states[state] for state in ("holds", "broken", "exempt", "not-struck")))
        table.add_row(escape(name), *map(str, counts))
    print_table(table)


def trial_as_json(trial: Trial) -> dict[str, Any]:
    """Give a trial as JSON values."""
    return {
        "connector": trial.subject.connector,
        "side": trial.subject.side.value,
        "name": trial.subject.name,
        "fault": trial.fault,
        "state": trial.state.value,
        "told": [*trial.told],
    }


def as_json(view: ConnectorView) -> dict[str, Any]:
    """Give a connector as JSON values."""
    certification = view.certification
    return {
        "name": view.name,
        "title": view.title,
        "vendor": view.vendor,
        "api_versions": [*view.api_versions],
        "operations": [
            {"name": one.name, "title": one.title, "idempotency": one.idempotency} for one in view.operations
        ],
        "streams": [*view.streams],
        "webhook": view.webhook,
        "quality": {rule: "done" if reason is None else {"exempt": reason} for rule, reason in view.quality.items()},
        "standing": view.standing,
        "certification": None
        if certification is None
        else {
            "faults": certification.faults,
            "trials": certification.trials,
            "exempt": {name: {**reasons} for name, reasons in certification.exempt.items()},
        },
    }
