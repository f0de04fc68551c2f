"""Memory of a process with a hundred thousand runs that wait for a time, measured in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import uvloop

from bench.stand import stand
from bench.things import FILES, FLOW, compiled, events
from hub.sdk import exact_json
from hub.store import runs

#: Events that are accepted at a time.
BATCH = 1_000
WAITS = {
    **FILES,
    "flows/measured.yaml": FLOW.replace("steps:\n", "steps:\n  - id: pause\n    wait: { for: P30D }\n"),
}


def measure(*, count: int) -> dict[str, Any]:
    """Let `count` runs wait in a process of their own; gives its memory in megabytes, before and with them."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.waiting", str(count)], capture_output=True, text=True, timeout=1800, check=True
    )
    found: dict[str, Any] = exact_json.loads(done.stdout)
    return found


async def _wait(count: int) -> dict[str, Any]:
    async with stand("http://127.0.0.1:9", compiled(WAITS)) as hub:
        before = _megabytes()
        hub.committer.on_wake = hub.worker.wake
        task = asyncio.create_task(hub.worker.run())
        for first in range(0, count, BATCH):
            await hub.accept(events(min(BATCH, count - first), first=first))
        while True:
            await asyncio.sleep(0.2)
            with hub.database.reading() as connection:
                if runs.waiting_kinds(connection, environment="bench").get("timer", 0) == count:
                    break
        hub.worker.wake()
        await asyncio.sleep(1)
        with_them = _megabytes()
        hub.worker.stop()
        await task
    return {"waiting": count, "rss_mb_before": before, "rss_mb": with_them}


def _megabytes() -> int:
    """Give what the process has in memory now."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024)
    return 0


if __name__ == "__main__":
    sys.stdout.write(exact_json.dumps(uvloop.run(_wait(int(sys.argv[1])))).decode())
