"""`concord prove`: seeds and crashes over the simulation; it succeeds only without a violation."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hub.proof.simulation import alike, campaign, mutants, playing, shrinking, sweep, trial
from hub.proof.simulation.breaking import broken
from hub.proof.simulation.campaign import MUST_COVER, Totals
from hub.proof.simulation.case import Case
from hub.proof.simulation.points import Point
from hub.proof.simulation.shrinking import Run
from hub.proof.simulation.sweep import Swept
from hub.proof.simulation.trial import Draft
from hub.proof.simulation.troubles import KINDS
from hub.runtime.composition import Composition
from hub.sdk import exact_json

#: Without a word about it, so many seeds are run.
SEEDS = 2000
#: An upper bound at 95 % for what did not happen in so many independent trials (the rule of three).
_RULE_OF_THREE = 3
EXIT_BROKEN = 1
#: More violations than this are counted, not told.
_TOLD = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ProveOptions:
    """What a proof is asked for; `seed` or `crash` asks for one trial alone, and `trace` for its story.

    `mutant` names a broken hub in the place of the one that ships.
    """

    seeds: int | None = None
    minutes: float | None = None
    jobs: int = 0
    first: int = 0
    seed: int | None = None
    crash: str | None = None
    trace: bool = False
    json: bool = False
    mutant: str | None = None


def run_prove(options: ProveOptions) -> int:
    """Prove, print, and give the exit status: 0 only without a violation and with all that had to be met."""
    console = Console(stderr=options.json)
    if options.seed is not None:
        mutant = mutants.named(options.mutant)
        with broken(mutant) as composition:
            return _one(options, console, composition, among_alike=mutant is not None and mutant.alike)
    if options.crash is not None:
        case, point = sweep.named(options.crash)
        with broken(mutants.named(options.mutant)) as composition:
            return _crash(case, point, console, composition, trace=options.trace, json=options.json)
    swept = _sweep(options, console)
    if not options.json:
        _show_sweep(swept, console, options)
    began = time.monotonic()
    totals = _many(options, console, began)
    seconds = time.monotonic() - began
    if options.json:
        told = {"sweep": [each.to_json() for each in swept], "without_case": sweep.uncovered(swept)}
        _print_json({**totals.to_json(), **told, "first_seed": options.first, "seconds": round(seconds, 1)})
    else:
        _show(totals, console, seconds, options)
    whole = all(not each.broken and each.covered == each.points for each in swept) and not sweep.uncovered(swept)
    return 0 if whole and not totals.violations and not totals.missed() else EXIT_BROKEN


def _sweep(options: ProveOptions, console: Console) -> list[Swept]:
    with _progress(console) as progress:
        task = progress.add_task("crash points", total=None)
        return campaign.sweep_all(
            options.jobs or campaign.processes(),
            lambda done, everything: progress.update(task, completed=done, total=everything),
            options.mutant,
        )


def _show_sweep(swept: Sequence[Swept], console: Console, options: ProveOptions) -> None:
    title = "Crashes at every durable point of the shipped flows"
    table = Table("Flows", title=title, title_justify="left", title_style="bold")
    for column in ("Crashed at", "Of", "Violations"):
        table.add_column(column, justify="right")
    for each in swept:
        complete = each.covered == each.points
        table.add_row(
            "\n".join(each.flows),
            str(each.covered) if complete else f"[red bold]{each.covered}[/]",
            str(each.points),
            f"[red bold]{len(each.broken)}[/]" if each.broken else "0",
        )
    console.print(table)
    for each in swept:
        for point, finding in each.broken[:3]:
            crash = f"{each.flows[0]}, {point}"
            console.print(
                f"  [red]{finding.invariant.value}[/] {escape(f'{crash}: {finding.detail}')}\n"
                f'    [dim]concord prove {_of_mutant(options)}--crash "{crash}" --trace[/]',
                highlight=False,
                soft_wrap=True,
            )
    for place in sweep.uncovered(swept):
        console.print(f"  [red]too little[/] {escape(place)} ships, and no case comes to it", highlight=False)


def _many(options: ProveOptions, console: Console, began: float) -> Totals:
    until = None if options.minutes is None else began + 60 * options.minutes
    # With a time limit alone the seeds are as many as fit.
    seeds = options.seeds if options.seeds is not None else (SEEDS if until is None else 10**9)
    jobs = options.jobs or campaign.processes()
    with _progress(console) as progress:
        total = seeds if seeds < 10**9 else None
        task = progress.add_task("seeds", total=total)

        def told(totals: Totals) -> None:
            broken = f", [red]{len(totals.broken_seeds)} broken[/]" if totals.violations else ""
            progress.update(task, completed=totals.trials, description=f"seeds{broken}")

        return campaign.spread(
            first=options.first, seeds=seeds, jobs=jobs, until=until, mutant=options.mutant, told=told
        )


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _one(options: ProveOptions, console: Console, composition: Composition | None, *, among_alike: bool) -> int:
    campaign.be_quiet()
    assert options.seed is not None
    seed, trace, json = options.seed, options.trace, options.json
    draw, run = (alike.draw, alike.run) if among_alike else (trial.draw, trial.run)
    draft = draw(seed)
    found = run(draft, composition=composition, kept=trace)
    if json:
        _print_json(
            {
                "seed": seed,
                "steps": found.steps,
                "commits": found.commits,
                "calls": found.calls,
                "events": found.events,
                "lives": found.lives,
                "virtual_seconds": round(found.seconds, 3),
                "digest": found.digest,
                "troubles": dict(found.struck),
                "covered": dict(found.covered),
                "violations": [
                    {"invariant": finding.invariant.value, "detail": finding.detail} for finding in found.findings
                ],
                "story": list(found.story),
            }
        )
        return EXIT_BROKEN if found.findings else 0
    for line in found.story:
        console.print(escape(line), highlight=False, soft_wrap=True)
    struck = ", ".join(f"{kind} {number}" for kind, number in sorted(found.struck.items())) or "nothing"
    console.print(
        f"Seed {seed}: {found.events} events, {found.steps} steps, {found.commits} commits, {found.calls} requests, "
        f"{found.lives} processes, {found.seconds:,.0f} virtual seconds, digest {found.digest}."
    )
    console.print(f"Struck: {struck}.", highlight=False)
    for finding in found.findings:
        console.print(f"[red]{finding.invariant.value}[/] {escape(finding.detail)}", highlight=False, soft_wrap=True)
    if found.findings:
        _show_smallest(draft, console, composition, run)
        return EXIT_BROKEN
    console.print("[green]Every invariant holds.[/]")
    return 0


def _crash(
    case: Case, point: Point, console: Console, composition: Composition | None, *, trace: bool, json: bool
) -> int:
    campaign.be_quiet()
    found = playing.play(case, point, composition, kept=trace)
    holds = found.died and not found.findings
    if json:
        _print_json(
            {
                "case": case.name,
                "point": str(point),
                "died": found.died,
                "commits": found.commits,
                "calls": found.calls,
                "violations": [
                    {"invariant": finding.invariant.value, "detail": finding.detail} for finding in found.findings
                ],
                "story": list(found.story),
            }
        )
        return 0 if holds else EXIT_BROKEN
    for line in found.story:
        console.print(escape(line), highlight=False, soft_wrap=True)
    for finding in found.findings:
        console.print(f"[red]{finding.invariant.value}[/] {escape(finding.detail)}", highlight=False, soft_wrap=True)
    if not found.died:
        told = f"[red]Nothing died:[/] {escape(case.name)} has {found.commits} commits and {found.calls} requests."
        console.print(told, highlight=False, soft_wrap=True)
    if holds:
        console.print("[green]Every invariant holds.[/]")
    return 0 if holds else EXIT_BROKEN


def _show_smallest(draft: Draft, console: Console, composition: Composition | None, run: Run) -> None:
    out = shrinking.shrink(draft, composition, run)
    needed = [each for place, each in enumerate((*draft.troubles, *draft.acts)) if place not in out]
    console.print("What it takes:" if needed else "It takes no trouble at all.")
    for each in needed:
        console.print(f"  {escape(str(each))}", highlight=False, soft_wrap=True)


def _show(totals: Totals, console: Console, seconds: float, options: ProveOptions) -> None:
    first, mutant = options.first, _of_mutant(options)
    table = Table(title="What went wrong, and what came of it", title_justify="left", title_style="bold")
    table.add_column("Trouble")
    for column in ("Struck", "Trials", "Violations", "At most (95 %)"):
        table.add_column(column, justify="right")
    for kind in KINDS:
        table.add_row(
            kind,
            f"{totals.struck[kind]:,}",
            f"{totals.met[kind]:,}",
            f"[red bold]{totals.broke[kind]}[/]" if totals.broke[kind] else "0",
            bound(totals.met[kind], totals.broke[kind]),
        )
    table.add_section()
    table.add_row(
        "any",
        f"{sum(totals.struck.values()):,}",
        f"{totals.trials:,}",
        f"[red bold]{len(totals.broken_seeds)}[/]" if totals.violations else "0",
        bound(totals.trials, len(totals.broken_seeds)),
    )
    console.print(table)
    console.print(
        f"Seeds {first} to {first + totals.trials - 1} in {seconds:,.0f} s ({totals.trials / seconds:,.0f} a second): "
        f"{totals.events:,} events, {totals.calls:,} requests, {totals.commits:,} commits, {totals.lives:,} processes, "
        f"{totals.steps:,} steps, {totals.virtual_seconds / 86_400:,.0f} virtual days.",
        highlight=False,
    )
    for violation in totals.violations[:_TOLD]:
        console.print(
            f"  [red]{violation.invariant}[/] {escape(violation.detail)}\n"
            f"    [dim]concord prove {mutant}--seed {violation.seed} --trace[/]",
            highlight=False,
            soft_wrap=True,
        )
    if len(totals.violations) > _TOLD:
        console.print(f"  … and {len(totals.violations) - _TOLD} more")
    for missed in totals.missed():
        console.print(f"  [red]too little[/] {escape(missed)}", highlight=False)
    kinds, done = campaign.least_kinds(totals.trials)
    met = sum(1 for kind in KINDS if totals.struck[kind])
    did = sum(1 for what in MUST_COVER if totals.covered[what])
    console.print(
        f"Kinds of trouble that struck: {met} of {len(KINDS)}, at least {kinds} must; kinds of things the hub did: "
        f"{did} of {len(MUST_COVER)}, at least {done} must. Troubles in a trial on average: "
        f"{totals.struck.total() / max(totals.trials, 1):.1f}.",
        highlight=False,
    )


def _of_mutant(options: ProveOptions) -> str:
    return "" if options.mutant is None else f"--mutant {options.mutant} "


def bound(trials: int, violations: int) -> str:
    """Give what share of trials may break at most, by the rule of three, when none of so many did."""
    if violations or not trials:
        return ""
    return f"{min(_RULE_OF_THREE / trials, 1):.2%}"


def _print_json(value: object) -> None:
    sys.stdout.write(exact_json.dumps(value).decode() + "\n")
    sys.stdout.flush()
