"""Proves that the proof can fail: six broken hubs, each of which must turn exactly its own invariant red."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hub.errors import HubError
from hub.proof.demo import EXIT_BROKEN, EXIT_INTERRUPTED, DemoOptions, interruptible, perform
from hub.proof.http_json import NoAnswer
from hub.proof.invariants import Invariant
from hub.proof.lifeline import hold
from hub.proof.mutations import BY_NAME, MUTATIONS
from hub.proof.processes import DidNotStart
from hub.runtime.composition import Hub
from hub.runtime.serve import serve
from hub.runtime.settings import HubSettings
from hub.sdk import exact_json

#: Enough for every defect to show, few enough for all six in some minutes.
INVOICES = 150
KILLS = 3
#: The row of the hub as it ships, for which nothing may be red.
UNCHANGED = "the hub itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a storm with kills showed of one hub; `failure` says why there was no judgement."""

    name: str
    does: str
    must_break: Invariant | None
    broken: tuple[Invariant, ...] = ()
    told: str = ""
    failure: str | None = None

    @property
    def as_named(self) -> bool:
        """Tell whether exactly what was named went red."""
        wanted = () if self.must_break is None else (self.must_break,)
        return self.failure is None and self.broken == wanted


def main(arguments: Sequence[str] | None = None) -> int:
    """Prove all mutants, or serve as one of them; 0 only if every one turns exactly its invariant red."""
    parser = argparse.ArgumentParser(prog="python -m hub.proof.mutants", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    parser.add_argument("--only", choices=sorted(BY_NAME), help="prove this one alone")
    parser.add_argument("--invoices", type=int, default=INVOICES)
    parser.add_argument("--seed", type=int, default=1)
    serving = commands.add_parser("serve", help="serve as a mutant, in the place of `concord serve`")
    serving.add_argument("name", choices=sorted(BY_NAME))
    for option in ("--data", "--workspace"):
        serving.add_argument(option, type=Path, required=True)
    serving.add_argument("--environment", required=True)
    serving.add_argument("--host", default="127.0.0.1")
    serving.add_argument("--port", type=int, default=0)
    serving.add_argument("--poll", type=float, default=60.0)
    serving.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if given.command == "serve":
        hold()
        return _serve(given)
    console = Console(stderr=True)
    try:
        with interruptible():
            return prove(console, only=given.only, invoices=given.invoices, seed=given.seed)
    except KeyboardInterrupt:
        console.print("Stopped.")
        return EXIT_INTERRUPTED


def prove(console: Console, *, only: str | None, invoices: int, seed: int) -> int:
    """Run each hub through a storm with kills and print the table; gives the exit status."""
    verdicts = []
    if only is None:
        verdicts.append(_judge(console, None, invoices, seed))
    verdicts.extend(
        _judge(console, mutation.name, invoices, seed) for mutation in MUTATIONS if only in {None, mutation.name}
    )
    _show(verdicts)
    return 0 if all(verdict.as_named for verdict in verdicts) else EXIT_BROKEN


def _judge(console: Console, name: str | None, invoices: int, seed: int) -> Verdict:
    mutation = BY_NAME[name] if name is not None else None
    verdict = Verdict(
        name=mutation.name if mutation else UNCHANGED,
        does=mutation.does if mutation else "keeps its promises",
        must_break=mutation.breaks if mutation else None,
    )
    console.rule(verdict.name)
    command = (sys.executable, "-m", "hub.proof.mutants", "serve", name) if name is not None else ()
    options = DemoOptions(once=True, invoices=invoices, faults="storm", kill=KILLS, seed=seed, serve=command)
    try:
        outcome = perform(options, console)
    except (DidNotStart, NoAnswer, HubError) as error:
        return replace(verdict, failure=str(error)[-300:])
    judgement = outcome.judgement
    if not outcome.course.settled:
        return replace(verdict, failure="the hub never came to rest")
    broken = tuple(invariant for invariant, holds in judgement.holds.items() if not holds)
    for finding in judgement.findings[:5]:
        console.print(f"  {finding.invariant.value}: {finding.detail}", markup=False, highlight=False)
    # Of what was named the first finding is told; of anything else that went red, that.
    telling = next((finding for finding in judgement.findings if finding.invariant is not verdict.must_break), None)
    telling = telling or next(iter(judgement.findings), None)
    return replace(verdict, broken=broken, told=telling.detail if telling else "")


def _show(verdicts: Sequence[Verdict]) -> None:
    """Print each hub with what had to break and what did; lines, since names of invariants leave a table no room."""
    console = Console(highlight=False)
    console.print("\n[bold]A proof that cannot fail proves nothing[/]")
    for verdict in verdicts:
        must = verdict.must_break.value if verdict.must_break else "nothing"
        broke = verdict.failure or ", ".join(invariant.value for invariant in verdict.broken) or "nothing"
        console.print("[green]as named[/]" if verdict.as_named else "[red bold]NOT AS NAMED[/]", end="  ")
        console.print(Text.assemble((verdict.name, "bold"), f": {verdict.does}"), soft_wrap=True)
        console.print(Text(f"  must break {must}; broke {broke}"), soft_wrap=True)
        if verdict.told:
            console.print(Text(f"  {verdict.told}", "dim"), soft_wrap=True)


def _serve(given: argparse.Namespace) -> int:
    def ready(hub: Hub, url: str, setup: bool) -> None:  # noqa: FBT001 - the shape that `serve` asks for
        hello = {"url": url, "pid": os.getpid(), "environment": hub.environment.name}
        if setup:
            hello["setup_url"] = f"{url}/setup?token={hub.setup_token}"
        sys.stdout.write(exact_json.dumps(hello).decode() + "\n")
        sys.stdout.flush()

    settings = HubSettings(
        data=given.data,
        workspace=given.workspace,
        environment=given.environment,
        host=given.host,
        port=given.port,
        poll_seconds=given.poll,
        environ=dict(os.environ),
    )
    return serve(settings, composition=BY_NAME[given.name].composition, ready=ready)


if __name__ == "__main__":
    sys.exit(main())
