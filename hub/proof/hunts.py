"""`concord prove --mutants`: each broken hub must be caught by the invariant that it names, in a bounded time."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.markup import escape

from hub.proof.demo import EXIT_BROKEN
from hub.proof.simulation import campaign
from hub.proof.simulation.hunting import MOST_SEEDS, Hunted
from hub.proof.simulation.mutants import MUTANTS
from hub.sdk import exact_json


def run_hunts(*, jobs: int, first: int, seeds: int | None, json: bool) -> int:
    """Hunt all mutants and print each as it is caught; gives the exit status, 0 only if every one was."""
    console, began = Console(stderr=json), time.monotonic()
    if not json:
        console.print("[bold]A proof that cannot fail proves nothing[/]")
    hunted = campaign.hunt_all(
        jobs or campaign.processes(),
        names=[mutant.name for mutant in MUTANTS],
        first=first,
        seeds=seeds or MOST_SEEDS,
        told=lambda each: None if json else _show(each, console),
    )
    caught, seconds = sum(each.caught for each in hunted), time.monotonic() - began
    if json:
        found = {"mutants": [each.to_json() for each in hunted], "caught": caught, "seconds": round(seconds, 1)}
        sys.stdout.write(exact_json.dumps(found).decode() + "\n")
        sys.stdout.flush()
    else:
        style = "green" if caught == len(hunted) else "red bold"
        console.print(
            f"[{style}]{caught} of {len(hunted)} mutants were caught[/] in {seconds:,.0f} s.", highlight=False
        )
    return 0 if caught == len(hunted) else EXIT_BROKEN


def _show(each: Hunted, console: Console) -> None:
    def line(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    line(f"{'[green]caught[/]' if each.caught else '[red bold]NOT CAUGHT[/]'}  [bold]{each.name}[/]: {each.does}")
    if each.where is None:
        beside = f"; red were {', '.join(sorted(each.beside))}" if each.beside else ""
        line(f"  {each.breaks.value} held at each of {each.tries} {each.places}{beside}")
        return
    line(f"  {each.breaks.value} after {each.tries} {each.places}, at {each.where}: {escape(each.detail)}")
    if not each.sound:
        line("  [red]but the hub as it ships breaks something there as well[/]")
    if each.seed is not None:
        line(f"  [dim]concord prove --mutant {each.name} --seed {each.seed} --trace[/]")
