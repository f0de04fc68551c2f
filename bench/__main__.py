"""`python -m bench`: every measurement side by side with its peer or floor, in one run, as ratios."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from bench import bulk, door, flows, intake, mapping, shared, show, throttle, volume, waiting, wakeups, workers
from hub.runtime import collector
from hub.sdk import exact_json

#: The word for which sent events are measured on a file.
SQLITE = "sqlite"
Measure = Callable[[argparse.Namespace], dict[str, Any]]


def _intake(given: argparse.Namespace) -> dict[str, Any]:
    if given.database == SQLITE:
        return intake.measure(events=given.events, rounds=given.rounds)
    with shared.postgresql(given.database) as url:
        return intake.measure(events=given.events, rounds=given.rounds, database=url)


#: Every measurement by its name, in the order in which they are made; those of minutes are asked for by name.
MEASURES: Mapping[str, Measure] = {
    "mapping": lambda given: mapping.measure(rounds=given.rounds + 2),
    "flows": lambda given: flows.measure(count=given.flows, rounds=given.rounds, peers=not given.no_peers),
    "door": lambda given: door.measure(seconds=given.seconds, rounds=given.rounds, peers=not given.no_peers),
    "intake": _intake,
    "workers": lambda given: workers.measure(count=given.flows, rounds=given.rounds, peers=not given.no_peers),
    "slow-vendor": lambda given: workers.measure_slow_vendor(rounds=given.rounds),
    "nats": lambda given: workers.measure_nats(count=given.flows, rounds=given.rounds + 1),
    "wakeups": lambda _given: wakeups.measure(),
    "throttle": lambda given: throttle.measure(seconds=given.throttled),
    "waiting": lambda given: waiting.measure(count=given.waiting),
    "bulk": lambda given: bulk.measure(rounds=given.rounds, largest=given.accounts),
    "volume": lambda given: volume.measure(count=given.flows, rounds=given.rounds, largest=given.largest),
}


def main() -> int:
    """Measure and print; 0 when it could be measured, whatever came out."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("items", nargs="*", metavar="ITEM", help=f"these alone: some of {', '.join(MEASURES)}")
    parser.add_argument("--only", choices=[*MEASURES], help="one measurement alone")
    parser.add_argument("--flows", type=int, default=3000, help="how many flows in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each round at the door lasts")
    parser.add_argument("--events", type=int, default=60_000, help="how many events are sent in each round")
    where = f"where sent events are measured: the URL of a PostgreSQL server, or `{SQLITE}`; one is started otherwise"
    parser.add_argument("--database", help=where)
    parser.add_argument("--throttled", type=float, default=60.0, help="for how many seconds limits are measured")
    parser.add_argument("--waiting", type=int, default=100_000, help="how many runs wait while memory is measured")
    parser.add_argument("--largest", type=int, default=1_000_000, help="how many runs are recorded at most")
    parser.add_argument("--accounts", type=int, default=10_000, help="how many accounts are carried over at most")
    parser.add_argument("--no-peers", action="store_true", help="install and measure no peers")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    wanted = {*given.items, *([given.only] if given.only else [])} or set(MEASURES)
    if unknown := sorted(wanted - set(MEASURES)):
        parser.error(f"there is no measurement `{unknown[0]}`; there are {', '.join(MEASURES)}")
    console = Console(stderr=given.json)
    found: dict[str, Any] = {}
    # As a hub that serves does; both sides of a ratio that run in this process have it.
    collector.settle()
    for name, measure in MEASURES.items():
        if name not in wanted:
            continue
        with console.status(f"Measuring {name}"):
            try:
                found[name] = measure(given)
            except mapping.Disagreement as error:
                sys.exit(str(error))
        if not given.json:
            show.SHOWN[name](console, found[name])
    if given.json:
        sys.stdout.write(exact_json.dumps(found).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
