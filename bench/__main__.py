"""`python -m bench`: every measurement side by side with its peer or floor, in one run, as ratios."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import flows, mapping
from hub.sdk import exact_json


def main() -> int:
    """Measure and print; 0 when it could be measured, whatever came out."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=["flows", "mapping"], help="one measurement alone")
    parser.add_argument("--flows", type=int, default=3000, help="how many flows in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    found: dict[str, Any] = {}
    try:
        if given.only != "flows":
            found["mapping"] = mapping.measure(rounds=given.rounds + 2)
        if given.only != "mapping":
            found["flows"] = flows.measure(count=given.flows, rounds=given.rounds)
    except mapping.Disagreement as error:
        sys.exit(str(error))
    if given.json:
        sys.stdout.write(exact_json.dumps(found).decode() + "\n")
        return 0
    console = Console()
    if "mapping" in found:
        show_mapping(console, found["mapping"])
    if "flows" in found:
        show_flows(console, found["flows"], given.flows)
    return 0


def show_mapping(console: Console, found: dict[str, Any]) -> None:
    """Print how fast mappings are."""
    title = f"Fifteen fields of an invoice of {found['invoice_bytes']:,} bytes, exact decimals, one thread"
    table = Table(title=title, title_justify="left")
    for column in ("", "records/CPU-s", "compiled is"):
        table.add_column(column, justify="left" if not column else "right")
    for name, rate in found["records_per_cpu_second"].items():
        ratio = found["compiled_against"].get(name)
        table.add_row(name, f"{rate:,}", "" if ratio is None else f"{ratio} x")
    console.print(table)
    if "jsonata (Rust)" not in found["records_per_cpu_second"]:
        console.print("JSONata is left out: its package is not installed (`pip install --group bench`).")


def show_flows(console: Console, found: dict[str, Any], count: int) -> None:
    """Print how fast flows are."""
    table = Table(title="Durable five-step flow, one HTTP write, SQLite FULL, one process", title_justify="left")
    for column in ("", "flows/s", "each round"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row("durable", f"{found['durable_per_second']:,}", ", ".join(map(str, found["durable_rounds"])))
    table.add_row("nothing recorded", f"{found['floor_per_second']:,}", ", ".join(map(str, found["floor_rounds"])))
    table.add_row("ratio", str(found["ratio"]), "")
    console.print(table)
    console.print(f"{count:,} flows a round, in turns; peak memory {found['peak_rss_mb']} MB.")


if __name__ == "__main__":
    sys.exit(main())
