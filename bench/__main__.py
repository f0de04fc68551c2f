"""`python -m bench`: every measurement side by side with its floor, as ratios."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.table import Table

from bench import flows
from hub.sdk import exact_json


def main() -> int:
    """Measure and print; 0 when it could be measured, whatever came out."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--flows", type=int, default=3000, help="how many flows in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    found = flows.measure(count=given.flows, rounds=given.rounds)
    if given.json:
        sys.stdout.write(exact_json.dumps(found).decode() + "\n")
        return 0
    table = Table(title="Durable five-step flow, one HTTP write, SQLite FULL, one process", title_justify="left")
    for column in ("", "flows/s", "each round"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row("durable", f"{found['durable_per_second']:,}", ", ".join(map(str, found["durable_rounds"])))
    table.add_row("nothing recorded", f"{found['floor_per_second']:,}", ", ".join(map(str, found["floor_rounds"])))
    table.add_row("ratio", str(found["ratio"]), "")
    Console().print(table)
    Console().print(f"{given.flows:,} flows a round, in turns; peak memory {found['peak_rss_mb']} MB.")
    Console().print("Mappings against the interpreter: python -m bench.mapping")
    return 0


if __name__ == "__main__":
    sys.exit(main())
