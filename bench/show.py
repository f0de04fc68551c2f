"""How measurements are printed: a table each, with the ratios that count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

Found = Mapping[str, Any]


def _table(console: Console, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def show_mapping(console: Console, found: Found) -> None:
    """Print how fast mappings are."""
    ratios = found["compiled_against"]
    _table(
        console,
        f"Fifteen fields of an invoice of {found['invoice_bytes']:,} bytes, exact decimals, one thread",
        ("", "records/CPU-s", "compiled is"),
        [
            (name, f"{rate:,}", f"{ratios[name]} x" if name in ratios else "")
            for name, rate in found["records_per_cpu_second"].items()
        ],
    )
    if "jsonata (Rust)" not in found["records_per_cpu_second"]:
        console.print("JSONata is left out: its package is not installed (`pip install --group bench`).")


def show_flows(console: Console, found: Found) -> None:
    """Print how fast flows are."""
    names = {
        "floor": "nothing recorded, aiohttp's client (the floor)",
        "lean_floor": "nothing recorded, our own client",
        "durable": "durable",
        "governed": "durable, with all gates and policies",
        "dbos": "DBOS, SQLite WAL + FULL",
    }
    ratios = {
        "durable": f"{found['durable_of_floor']} of the floor, {found['durable_of_lean_floor']} with our client",
        "governed": f"{found['governed_of_durable']} of durable",
        "dbos": f"durable is {found['durable_of_dbos']} x",
    }
    _table(
        console,
        "Five-step flow with one HTTP write, SQLite FULL, one process",
        ("", "flows/s", "each round", "ratio"),
        [
            (names[name], f"{rate:,}", ", ".join(map(str, found["each_round"][name])), ratios.get(name, ""))
            for name, rate in found["per_second"].items()
        ],
    )
    if found["dbos_left_out"]:
        console.print(f"DBOS is left out: {found['dbos_left_out']}.")
    console.print(f"{found['flows']:,} flows a round, in turns; peak memory {found['peak_rss_mb']} MB.")


def show_door(console: Console, found: Found) -> None:
    """Print how fast webhooks are delivered."""
    names = {"ours": "Concord", "node_red": "Node-RED, bare", "node_red_full": "Node-RED, in full"}
    rows = [
        (
            names[name],
            str(connections),
            f"{each['per_second']:,}",
            str(each["p50_ms"]),
            str(each["p99_ms"]),
            str(each["answered_p99_ms"]),
        )
        for name in names
        for connections, each in found.get(name, {}).items()
    ]
    columns = ("", "connections", "delivered/s", "p50 ms", "p99 ms", "answered p99 ms")
    _table(console, "Webhook of 2 kB → checked → mapped → delivered → recorded, over HTTP", columns, rows)
    for name, ratios in found["ours_by_peer"].items():
        told = " and ".join(f"{ratio} x at {connections}" for connections, ratio in ratios.items())
        console.print(f"Concord's rate by that of {names[name]}: {told} connections.")
    if found["node_red_left_out"]:
        console.print(f"Node-RED is left out: {found['node_red_left_out']}.")


def show_intake(console: Console, found: Found) -> None:
    """Print how fast sent events are taken."""
    rows = [
        (
            f"{int(batch):,}",
            f"{each['per_second']:,}",
            f"{each['floor_per_second']:,}",
            f"{each['of_floor']} x",
            f"{each['p50_ms']:,}",
            f"{each['p99_ms']:,}",
            f"{each['hub_us']}",
            f"{each['repeats_per_second']:,}",
        )
        for batch, each in found["batches"].items()
    ]
    columns = ("a batch", "events/s", "floor", "ratio", "p50 ms", "p99 ms", "hub µs", "repeats/s")
    title = (
        f"Events of {found['event_bytes']} bytes over HTTP → checked → once → durable → told, on {found['database']}"
    )
    _table(console, title, columns, rows)
    console.print(
        f"{found['events']:,} events a round over {found['connections']} connections. `hub µs` is what the hub needs "
        "of the processor for an event."
    )


def _of_workers(found: Found) -> list[tuple[str, ...]]:
    return [
        (
            str(workers),
            f"{each['per_second']:,}",
            ", ".join(map(str, each["each_round"])),
            f"{each['by_one']} x",
            f"{100 * each['worker_share']:.0f} %",
            f"{100 * each['database_share']:.0f} %",
            f"{100 * each['target_share']:.0f} %",
            f"{each['worker_ms']} + {each['database_ms']}",
            f"{each['log_bytes']:,} / {each['stored_bytes']:,}",
            f"{each['transactions']}",
        )
        for workers, each in found["by_workers"].items()
    ]


_OF_WORKERS = (
    "workers",
    "flows/s",
    "each round",
    "by one",
    "a worker",
    "database",
    "target",
    "ms",
    "bytes",
    "transactions",
)


def show_workers(console: Console, found: Found) -> None:
    """Print how several workers share a PostgreSQL, beside DBOS."""
    title = f"Five-step flow on PostgreSQL, workers as processes, {found['cores']} cores for everything"
    _table(console, title, _OF_WORKERS, _of_workers(found))
    console.print("Of one flow: milliseconds of workers + database, bytes of the log / kept (both with its event).")
    if found["dbos"]:
        told = f"DBOS {found['dbos']['version']} on the same PostgreSQL: {found['dbos']['per_second']} flows/s."
        by = f"One worker is {found['one_by_dbos']} x that, and the most of a round {found['most_by_dbos']} x."
        console.print(f"{told} {by}")
    if found["dbos_left_out"]:
        console.print(f"DBOS is left out: {found['dbos_left_out']}.")
    console.print("A worker, the database and the target by the part of one core that each used.")


def show_slow_vendor(console: Console, found: Found) -> None:
    """Print how workers scale that wait for a vendor."""
    title = f"The same with a vendor that takes {found['vendor_ms']} ms, {found['in_flight']} at a time for a worker"
    _table(console, title, _OF_WORKERS, _of_workers(found))
    console.print(f"By that alone a worker can do {found['bound_per_worker']:g} flows a second at most.")


def show_nats(console: Console, found: Found) -> None:
    """Print what NATS costs."""
    rates = (
        f"{found['with_nats']['per_second']:,} flows/s with NATS and a feed, {found['without']['per_second']:,} without"
    )
    console.print(f"{found['workers']} workers: {rates}; ratio {found['with_nats_by_without']}.")


def show_wakeups(console: Console, found: Found) -> None:
    """Print how soon an idle worker begins."""
    rows = [
        (
            name,
            str(each["runs"]),
            *(f"{each['started_ms'][part]}" for part in ("p50", "p90", "p99", "most")),
            f"{each['ended_ms']['p99']}",
            f"{100 * each['idle_worker_share']:.1f} %",
            f"{100 * each['idle_database_share']:.1f} %",
        )
        for name, each in found.items()
    ]
    columns = ("by", "runs", "p50 ms", "p90", "p99", "most", "ended p99", "idle worker", "idle database")
    _table(console, "From queued to started, api and worker in two processes, idle", columns, rows)


def show_volume(console: Console, found: Found) -> None:
    """Print what a flow costs on more and more data."""
    _table(
        console,
        "The same flows on more and more recorded runs",
        ("recorded runs", "flows/s", "a flow costs", "database MB"),
        [
            (f"{int(size):,}", f"{each['per_second']:,}", f"{each['cost_by_least']} x", f"{each['megabytes']:,}")
            for size, each in found["by_recorded_runs"].items()
        ],
    )
    console.print("Each round was followed by one on the first 1,000 runs alone; its costs are the measure.")


def show_waiting(console: Console, found: Found) -> None:
    """Print what waiting runs need."""
    console.print(
        f"{found['waiting']:,} waiting runs: {found['rss_mb']} MB in memory ({found['rss_mb_before']} MB without)."
    )


def show_throttle(console: Console, found: Found) -> None:
    """Print how exactly limits are kept, and what a slow target costs the others."""
    rows = [
        (
            each["limit"],
            f"{each['allowed']:,}",
            f"{each['most']:,}",
            "" if each["used"] is None else f"{100 * each['used']:.1f} %",
        )
        for each in found["limits"].values()
    ]
    title = f"Limits kept for {found['seconds']:g} s by the whole engine, counted where requests arrive"
    _table(console, title, ("account", "allowed", "most seen", "used"), rows)
    shared = [
        (each["limit"], f"{each['allowed']:,}", f"{each['most']:,}", f"{100 * each['used']:.1f} %")
        for each in found["shared"].values()
    ]
    title = f"The same for {found['seconds']:g} s by four processes on one PostgreSQL"
    _table(console, title, ("account", "allowed", "most seen", "used"), shared)
    beside = found["beside"]
    console.print(
        f"Runs to a quick target, p95: {beside['p95_ms_alone']} ms alone, {beside['p95_ms_beside_slow']} ms beside a "
        f"target that takes 20 s and has 1,000 runs; ratio {beside['ratio']}."
    )


def show_bulk(console: Console, found: Found) -> None:
    """Print how fast accounts are read, mapped and written in bulk."""
    sides = ("ours", "simple_salesforce")
    rows: list[tuple[str, ...]] = [
        (
            name,
            *(f"{each['per_second'][side]:,}" for side in sides),
            f"{each['ratio']} x",
            *(f"{100 * each['sandbox_part'][side]:.0f} %" for side in sides),
        )
        for name, each in found["by_size"].items()
    ]
    columns = ("accounts", "Concord/s", "simple-salesforce/s", "ratio", "sandbox", "sandbox, theirs")
    _table(console, "Accounts of Salesforce by the Bulk API, through mappings", columns, rows)
    console.print("The sandboxes' part is the time in which their processes worked, by the time that it took in all.")


SHOWN: Mapping[str, Callable[[Console, Found], None]] = {
    "mapping": show_mapping,
    "flows": show_flows,
    "workers": show_workers,
    "slow-vendor": show_slow_vendor,
    "nats": show_nats,
    "wakeups": show_wakeups,
    "throttle": show_throttle,
    "door": show_door,
    "intake": show_intake,
    "volume": show_volume,
    "waiting": show_waiting,
    "bulk": show_bulk,
}
