"""`concord demo`: the main job against sandboxes, and the proof that every promise was kept."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

from rich.console import Console

from hub.errors import Refused
from hub.proof import judging, report, scenario, stage, two_erps
from hub.proof.company import Company, Wanted
from hub.proof.conductor import SHORTEST, Conductor, Course
from hub.proof.faults import Profile
from hub.proof.http_json import NoAnswer
from hub.proof.oracle import judge
from hub.proof.processes import DidNotStart, Processes
from hub.proof.progress import Shown
from hub.proof.report import Outcome
from hub.proof.scenario import Scenario
from hub.proof.servers import postgres
from hub.proof.stage import Stage
from hub.sdk import exact_json

#: Somebody ended the demo.
EXIT_INTERRUPTED = 130
#: So many seconds each thing that is struck takes, with its return: the load lasts for all of them.
BETWEEN_STRIKES = 18.0
#: An invariant does not hold.
EXIT_BROKEN = 1


class Draw(Protocol):
    """Draws a scenario from a seed."""

    def __call__(self, seed: int, invoices: int, *, flawed: bool) -> Scenario:
        """Draw so many invoices; without `flawed` nothing becomes an exception."""


#: What the demo can let happen, by name.
SCENARIOS: Mapping[str, Draw] = {"standard": scenario.draw, "two-erps": two_erps.draw}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What a demo is asked for; `serve` is the command of the hub that is put to the proof, by default the real one."""

    once: bool = False
    json: bool = False
    scenario: str = "standard"
    invoices: int = 200
    faults: str = "standard"
    kill: int = 0
    seed: int = 1
    port: int = 0
    data: Path | None = None
    serve: Sequence[str] = ()
    workers: int = 0
    nats: int = 0


def run_demo(options: DemoOptions) -> int:
    """Run the demo to its end, and give the exit status: 0 only if every invariant holds.

    With `json` nothing but the object goes to stdout.
    """
    console = Console(stderr=options.json)
    try:
        with interruptible():
            return _run(options, console)
    except KeyboardInterrupt:
        console.print("Stopped.")
        return EXIT_INTERRUPTED
    except (DidNotStart, NoAnswer) as error:
        console.print(f"[red bold]The demo could not go on:[/] {str(error).replace('[', chr(92) + '[')}")
        return EXIT_BROKEN


def perform(options: DemoOptions, console: Console) -> Outcome:
    """Run a demo to the judgement and end all its processes; for proofs that want the outcome itself."""
    with _processes(options) as (folder, processes, room):
        return _perform(options, console, folder, processes, room)[0]


def _run(options: DemoOptions, console: Console) -> int:
    with _processes(options) as (folder, processes, room):
        outcome, set_up = _perform(options, console, folder, processes, room)
        if options.json:
            sys.stdout.write(exact_json.dumps(report.to_json(outcome)).decode() + "\n")
            sys.stdout.flush()
        else:
            report.show(outcome, console)
        if not options.once:
            _stay(set_up, console)
        return 0 if outcome.judgement.all_hold else EXIT_BROKEN


@contextlib.contextmanager
def _processes(options: DemoOptions) -> Iterator[tuple[Path, Processes, Path | None]]:
    """Give the demo's folder, what starts its processes, and the folder of a server, where one is wanted."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_folder(options))
        room = stack.enter_context(postgres.room()) if options.workers else None
        yield folder, stack.enter_context(Processes(folder / "logs", stage.environ(folder))), room


def _perform(
    options: DemoOptions, console: Console, folder: Path, processes: Processes, room: Path | None
) -> tuple[Outcome, Stage]:
    began = time.monotonic()
    try:
        profile = Profile(options.faults)
    except ValueError:
        raise Refused(
            f"There are no faults `{options.faults}`; write none, standard or storm.", code="unknown-faults"
        ) from None
    try:
        draw = SCENARIOS[options.scenario]
    except KeyError:
        raise Refused(
            f"There is no scenario `{options.scenario}`; write {' or '.join(SCENARIOS)}.", code="unknown-scenario"
        ) from None
    drawn = draw(options.seed, options.invoices, flawed=profile is not Profile.NONE)
    with Shown(console, drawn.steps) as shown:
        further = "" if drawn.crm is None else ", Salesforce, S/4HANA"
        shown.say(f"Starting the hub and the sandboxes of Stripe, NetSuite{further} and AvaTax.")
        company = None
        if room is not None:
            beside = f", and {options.nats} nodes of NATS" if options.nats else ""
            shown.say(f"Starting PostgreSQL{beside}; {options.workers} workers follow.")
            wanted = Wanted(workers=options.workers, nats=options.nats)
            company = Company(processes, folder, room, wanted, options.seed)
        set_up = stage.build(
            processes,
            folder,
            scenario=drawn,
            profile=profile,
            port=options.port,
            serve=options.serve,
            company=company,
        )
        shown.say(f"The hub answers at {set_up.hub.url}; its data is in {set_up.hub.data}.")
        # Who is struck leaves no backlog where others go on: there is something to do until the last one is.
        lasts = SHORTEST[profile] + BETWEEN_STRIKES * options.kill
        pace = len(drawn.invoices) / lasts if company is not None and options.kill else None
        course = Conductor(set_up, shown.say, shown.numbers, per_second=pace).perform(options.kill)
        shown.say("Comparing the books.")
        outcome = _judged(set_up, course, began)
    return outcome, set_up


def _judged(set_up: Stage, course: Course, began: float) -> Outcome:
    injected = {vendor: sandbox.injected() for vendor, sandbox in set_up.sandboxes.items()}
    books, evidence = judging.gather(set_up, course)
    judgement = judge(evidence, judging.about_the_whole(set_up, course, evidence, injected))
    return Outcome(
        scenario=set_up.scenario,
        course=course,
        books=books,
        evidence=evidence,
        judgement=judgement,
        injected=injected,
        seconds=time.monotonic() - began,
    )


def _stay(set_up: Stage, console: Console) -> None:
    console.print(
        f"\nThe console is at [bold link={set_up.hub.url}]{set_up.hub.url}[/], "
        f"sign in as [bold]{set_up.login.email}[/] with [bold]{set_up.login.password}[/]. Ctrl-C ends everything.",
        highlight=False,
    )
    # Looking at the result is the end that is meant: what it was like decides the exit status.
    with contextlib.suppress(KeyboardInterrupt):
        while set_up.hub.running:
            time.sleep(0.5)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let a request to end the process unwind it as Ctrl-C does, so that no child is left behind."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _folder(options: DemoOptions) -> Iterator[Path]:
    if options.data is not None:
        options.data.mkdir(parents=True, exist_ok=True)
        if any(options.data.iterdir()):
            raise Refused(
                "The demo begins with an empty folder; give another one with --data.",
                code="folder-not-empty",
                folder=str(options.data),
            )
        yield options.data.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="concord-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
