"""Accounts out of one Salesforce org and into another, beside the same work by `simple-salesforce` alone.

Both sides speak to sandboxes in processes of their own, one after the other, each with a target that is empty. Ours is
a real hub: what it reads, maps, writes and is answered is durable, row by row.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from hub.proof import account_flows, account_load, loads, stage
from hub.proof.account_flows import SOURCE, TARGET
from hub.proof.hub_process import HubProcess
from hub.proof.processes import Processes
from hub.proof.sandboxes import Sandbox

SIZES = (10_000, 100_000)
#: What is measured: accounts are read and mapped, or also written into the other org.
WAYS = ("in", "in and out")
SIDES = ("ours", "simple_salesforce")
#: Clock ticks in a second, in which the system counts a process's work.
_TICKS = os.sysconf("SC_CLK_TCK")


def measure(*, rounds: int, largest: int) -> dict[str, Any]:
    """Measure in turns; gives medians of accounts a second, and the part of the time in which the sandboxes worked."""
    found: dict[str, Any] = {}
    for size in [size for size in SIZES if size <= largest]:
        for way in WAYS:
            each: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
            for _ in range(rounds):
                for side in SIDES:
                    each[side].append(_once(side, way, size))
            rates = {side: round(size / statistics.median(one[0] for one in each[side]), 1) for side in SIDES}
            found[f"{size} {way}"] = {
                "per_second": rates,
                "ratio": round(rates["ours"] / rates["simple_salesforce"], 2),
                "each_round_s": {side: [round(one[0], 1) for one in each[side]] for side in SIDES},
                "sandbox_part": {
                    side: round(statistics.median(worked / seconds for seconds, worked in each[side]), 2)
                    for side in SIDES
                },
            }
    return {"rounds": rounds, "by_size": found}


def _once(side: str, way: str, size: int) -> tuple[float, float]:
    """Do it once; gives the seconds, and in how many of them the sandboxes' processes worked."""
    with _orgs() as (processes, orgs, folder):
        hub = _hub(processes, orgs, folder, way) if side == "ours" else None
        orgs[SOURCE].seed({"generate": {"accounts": size}})
        before = _worked(orgs)
        seconds = _peer(orgs, way, size) if hub is None else _ours(hub, size)
        worked = _worked(orgs) - before
        if way != WAYS[0]:
            source, target = (orgs[name].books() for name in (SOURCE, TARGET))
            broken = [*account_load.of_the_books(source, target, size)]
            if broken:
                sys.exit(f"{side} did something else: {broken[0]}")
        return seconds, worked


@contextmanager
def _orgs() -> Iterator[tuple[Processes, Mapping[str, Sandbox], Path]]:
    with (
        tempfile.TemporaryDirectory(prefix="concord-bench-", ignore_cleanup_errors=True) as name,
        Processes(Path(name) / "logs", stage.environ(Path(name))) as processes,
    ):
        yield processes, account_load.start(processes, 1), Path(name)


def _hub(processes: Processes, orgs: Mapping[str, Sandbox], folder: Path, way: str) -> HubProcess:
    hub = HubProcess(processes, folder, port=0)
    account_load.begin(hub, orgs, out=way != WAYS[0])
    return hub


def _ours(hub: HubProcess, size: int) -> float:
    quiet = loads.bar(Console(quiet=True))
    course = loads.carry_over(
        hub, f"{SOURCE}/all_accounts", size, 0, random.Random(0), quiet, batch=account_load.BATCH, look=0.1
    )
    if not course.settled or course.last["stopped"]:
        sys.exit(f"the accounts were not carried over: {dict(course.last)}")
    return course.seconds


def _peer(orgs: Mapping[str, Sandbox], way: str, size: int) -> float:
    names = ("url", "consumer_key", "consumer_secret", "api_version")
    told = {name: {key: org.hello[key] for key in names} for name, org in orgs.items()}
    target = told[TARGET] if way != WAYS[0] else None
    asked = {"source": told[SOURCE], "target": target, "fields": ["Id", *account_flows.READ]}
    command = [sys.executable, "-m", "bench.peer_salesforce", json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        sys.exit(f"simple-salesforce failed: {done.stderr.strip().splitlines()[-1:] or done.returncode}")
    found = json.loads(done.stdout)
    if found["accounts"] != size:
        sys.exit(f"simple-salesforce read {found['accounts']} accounts, there are {size}")
    seconds: float = found["seconds"]
    return seconds


def _worked(orgs: Mapping[str, Sandbox]) -> float:
    """Give for how many seconds the sandboxes' processes have worked."""
    return sum(
        sum(map(int, Path(f"/proc/{org.pid}/stat").read_text().rpartition(")")[2].split()[11:13])) / _TICKS
        for org in orgs.values()
    )
