"""`concord connectors`: which are installed, how good they are, and whether they hold under every provider fault."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli.output import EXIT_DIED, EXIT_REFUSED, console, errors, fail, print_json, print_table
from hub.errors import Refused

if TYPE_CHECKING:
    from rich.console import Console

    from hub.proof.certification.certify import Trial
    from hub.proof.certification.sums import Sum
    from hub.proof.certification.workers import WorkerDied
    from hub.sdk.connector import Connector

app = typer.Typer(no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def show_all(json_output: _Json = False) -> None:
    """List the connectors that are installed, with what certification showed."""
    from hub.connections.registry import load_connectors
    from hub.queries.connectors import connector_views, plugin_as_json, view_as_json

    registry = load_connectors()
    views = connector_views(registry.values())
    if json_output:
        broken = [plugin_as_json(plugin) for plugin in registry.broken]
        print_json({"connectors": [view_as_json(view) for view in views], "broken": broken})
        return
    table = Table("Connector", "Vendor", "Reads", "Writes", "Webhook", "Streams", "Quality", "Certification")
    for view in views:
        cells = (
            view.name,
            view.vendor,
            str(len(view.reads)),
            str(len(view.writes)),
            "yes" if view.webhook else "no",
            str(len(view.streams)),
            f"{view.kept} of {len(view.quality)}",
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
    from hub.queries.connectors import find, view_as_json

    view = find(load_connectors(), name)
    if json_output:
        print_json(view_as_json(view))
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
    if view.listings:
        console.print(f"All records can be listed of: {', '.join(view.listings)}.", markup=False)
    if view.certification is not None:
        found = view.certification
        line = (
            f"{found.trials} trials of {found.tried} operations, webhooks, streams and listings held "
            f"under {found.faults} faults"
        )
        console.print(f"On {found.on}, tried by Concord {found.concord}: {line}.", markup=False)
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
    fault: Annotated[list[str] | None, typer.Option(help="Only under this fault; may be given again.")] = None,
    operation: Annotated[
        list[str] | None,
        typer.Option(help="Only this operation, webhook fixture, stream or listing; may be given again."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="So many are tried at the same time.")] = 1,
    write: Annotated[bool, typer.Option("--write", help="Write what held into the connector's manifest.")] = False,
    json_output: _Json = False,
) -> None:
    """Try connectors under every provider fault; the exit status is 0 only when all of it holds."""
    from hub.connections.registry import load_connectors
    from hub.proof.certification.certify import State, certify, planned
    from hub.proof.certification.sums import sums
    from hub.proof.certification.workers import WorkerDied
    from hub.queries.connectors import plugin_as_json

    registry = load_connectors()
    if bool(names) == everything:
        raise Refused("Name the connectors, or give --all.", code="no-connector")
    if write and (fault or operation):
        raise Refused("Only a whole certification is written down.", code="not-whole")
    chosen = [registry.connector(name) for name in dict.fromkeys(names or registry)]
    subjects = planned(chosen, faults=fault or (), names=operation or ())
    began = time.monotonic()
    trials: list[Trial] = []
    left = Counter(subject.connector for subject in subjects)
    try:
        for done, found in enumerate(certify(subjects, jobs=jobs, faults=fault or ()), start=1):
            trials += found
            name = found[0].subject.connector
            left[name] -= 1
            _tell(found, done, len(subjects), errors if json_output else console)
            if write and not left[name]:
                _write(registry.connector(name), [trial for trial in trials if trial.subject.connector == name])
    except WorkerDied as died:
        fail(_obituary(died), EXIT_DIED)
    trials.sort(key=lambda trial: subjects.index(trial.subject))
    missing = registry.broken if everything else ()
    ok = not missing and all(trial.state is not State.BROKEN for trial in trials)
    found_of = sums(trials)
    if json_output:
        value = {
            "ok": ok,
            "connectors": [sum_as_json(one) for one in found_of],
            "not_loaded": [plugin_as_json(plugin) for plugin in missing],
            "seconds": round(time.monotonic() - began),
            "trials": [trial_as_json(trial) for trial in trials],
        }
        print_json(value)
    else:
        _sum_up(found_of, time.monotonic() - began)
        for plugin in missing:
            line = f"{plugin.name} of {plugin.package} cannot be loaded, and was not tried: {plugin.reason}"
            console.print(line, markup=False)
    raise typer.Exit(0 if ok else EXIT_REFUSED)


def _obituary(died: WorkerDied) -> str:
    """Say what a process was at when it ended, and how to find out why."""
    from hub.proof.certification.certify import NOTHING, Subject
    from hub.proof.certification.workers import ending

    subject, fault = died.task, died.part
    assert isinstance(subject, Subject)
    words = ["concord connectors certify", subject.connector, f"--operation {subject.name}"]
    match fault:
        case None:
            moment = ", before the first trial, while the connector was loaded"
        case str() if fault == NOTHING:
            moment = ", where nothing was made to go wrong"
        case str():
            moment = f" under {fault}"
            words.append(f"--fault {fault}")
    return (
        f"The process that tried {subject.connector} {subject.side.value} {subject.name}{moment} is gone: "
        f"{ending(died.status)}. The certification is not complete, and says nothing of what was not told above. "
        "SIGKILL is mostly a machine without memory: look into its log, and give fewer --jobs. "
        f"Else run that trial alone, in one process that shows what it says: {' '.join(words)}"
    )


def _tell(found: Sequence[Trial], done: int, of: int, to: Console) -> None:
    """Tell of one subject as soon as it is done: one line, and one more for everything that does not hold."""
    subject, states = found[0].subject, Counter(trial.state.value for trial in found)
    parts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    seconds = sum(trial.seconds for trial in found)
    line = f"{subject.connector} {subject.side.value} {subject.name}: {parts} ({seconds:.0f} s)"
    to.print(f"[{done:>{len(str(of))}}/{of}] {line}", markup=False, highlight=False)
    for trial in found:
        for sentence in trial.told:
            to.print(f"    {trial.state.value}: {trial.fault}: {sentence}", markup=False, highlight=False)


def _sum_up(found: Sequence[Sum], seconds: float) -> None:
    """Show one table of all connectors, why something is exempt, and one sentence of all of it."""
    from hub.proof.certification.judging import Harm

    head = ("Connector", "Tried", "Faults", "Trials", "Hold", "Not struck", "Exempt", "Broken")
    table = Table(*head, "Duplicates", "Lost", "Wrong outcomes")
    for one in found:
        counts = (one.tried, one.faults, one.trials, one.held, one.not_struck, len(one.exemptions), one.broken)
        table.add_row(escape(one.connector), *map(str, (*counts, *(one.harm[harm] for harm in Harm))))
    print_table(table)
    for one in found:
        for exempt in one.exemptions:
            line = f"exempt: {one.connector} {exempt.name} under {exempt.fault}: {exempt.reason}"
            console.print(line, markup=False, highlight=False)
    broken, trials = sum(one.broken for one in found), sum(one.trials for one in found)
    harm = sum(sum(one.harm.values()) for one in found)
    outcome = "All of it holds" if not broken else f"{broken} trials do not hold, {harm} of them with harm"
    tried = sum(one.tried for one in found)
    line = f"{outcome}: {trials} trials of {tried} operations, webhooks, streams and listings in {_span(seconds)}."
    console.print(line, markup=False, highlight=False)


def _span(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def _write(connector: Connector, trials: Sequence[Trial]) -> None:
    """Write down the certification of a connector if all of its trials held."""
    from hub.proof.certification.certify import State
    from hub.proof.certification.record import write_record

    if all(trial.state is not State.BROKEN for trial in trials):
        path = write_record(connector, trials, on=datetime.now(UTC).date(), concord=version("concord-hub"))
        errors.print(f"Written into {path}.", markup=False)


def sum_as_json(found: Sum) -> dict[str, Any]:
    """Give what the trials of one connector came to as JSON values."""
    return {
        "connector": found.connector,
        "tried": found.tried,
        "faults": found.faults,
        "trials": found.trials,
        "held": found.held,
        "not_struck": found.not_struck,
        "exempt": [{"name": one.name, "fault": one.fault, "reason": one.reason} for one in found.exemptions],
        "broken": found.broken,
        **{harm.value.replace(" ", "_"): count for harm, count in found.harm.items()},
        "seconds": round(found.seconds, 1),
    }


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
