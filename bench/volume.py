"""What a flow costs after a thousand and after a million recorded runs: the same flows on data of different sizes.

Growing takes minutes, in which the machine may become slower or faster; so each round on grown data is followed by one
on a copy of the first thousand.
"""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import tempfile
from pathlib import Path
from typing import Any

import uvloop

from bench.stand import stand
from bench.target import running
from bench.things import FILES, compiled, events
from hub.store.sqlite import FILE_NAME

#: Numbers of runs that are recorded before the flows are measured.
SIZES = (1_000, 10_000, 100_000, 1_000_000)
#: So many runs are made by really running; the others are copies of them under other names.
REAL = 1_000

#: Copies all that is recorded of the real runs; `n` tells the copies apart. Nothing of it is open.
_COPIES = (
    "INSERT INTO events SELECT {events} FROM events WHERE id IN (SELECT event_id FROM real)",
    "INSERT INTO runs SELECT {runs} FROM runs WHERE id IN (SELECT id FROM real)",
    "INSERT INTO steps SELECT {steps} FROM steps WHERE run_id IN (SELECT id FROM real)",
    "INSERT INTO attempts SELECT {attempts} FROM attempts WHERE run_id IN (SELECT id FROM real)",
    "INSERT INTO effects SELECT {effects} FROM effects WHERE run_id IN (SELECT id FROM real)",
)
#: The first thousand, which were really run; asked for once, because looking for them goes through all runs.
_REAL = "CREATE TEMPORARY TABLE real AS SELECT id, event_id FROM runs WHERE position <= :first AND id NOT LIKE '%~%'"
#: The copies of the audit's entries follow its end. Their hashes do not fit, which nobody asks here.
_AUDIT = (
    "INSERT INTO audit (chain, sequence, kind, at, entry, chain_hash) "
    "SELECT audit.chain, sequence + size, kind, at, entry, audit.chain_hash "
    "FROM audit JOIN audit_heads USING (chain) WHERE sequence <= :real"
)
_NAMED_ANEW = {
    "events": ("id", "external_id"),
    "runs": ("id", "event_id", "key", "business_key"),
    "steps": ("run_id",),
    "attempts": ("run_id",),
    "effects": ("key", "run_id", "business_key"),
}


def measure(*, count: int, rounds: int, largest: int) -> dict[str, Any]:
    """Grow one database from size to size; gives flows a second at each, and their cost by that on the least data."""
    found: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="concord-bench-") as name, running() as base_url:
        grown, least = Path(name) / "grown", Path(name) / "least"
        grown.mkdir()
        uvloop.run(_run(base_url, grown, REAL, 0))
        shutil.copytree(grown, least)
        entries = _entries(grown)
        first, have = REAL, REAL
        for size in [size for size in SIZES if size <= largest]:
            _grow(grown, size - have, entries)
            have = max(have, size)
            rates, ratios = [], []
            for _ in range(rounds):
                rates.append(uvloop.run(_run(base_url, grown, count, first)))
                ratios.append(_on_a_copy(base_url, least, count) / rates[-1])
                first += count
                have += count
            found[size] = {
                "per_second": round(statistics.median(rates), 1),
                "cost_by_least": round(statistics.median(ratios), 3),
                "megabytes": round((grown / FILE_NAME).stat().st_size / 1e6),
            }
    return {"flows": count, "rounds": rounds, "by_recorded_runs": found}


def _on_a_copy(base_url: str, folder: Path, count: int) -> float:
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        copy = Path(name) / "copy"
        shutil.copytree(folder, copy)
        return uvloop.run(_run(base_url, copy, count, REAL))


async def _run(base_url: str, folder: Path, count: int, first: int) -> float:
    async with stand(base_url, compiled(FILES), folder) as hub:
        await hub.accept(events(count, first=first))
        return count / await hub.work(count)


def _entries(folder: Path) -> int:
    with sqlite3.connect(folder / FILE_NAME) as connection:
        found: int = connection.execute("SELECT size FROM audit_heads").fetchone()[0]
    connection.close()
    return found


def _grow(folder: Path, missing: int, entries: int) -> None:
    """Add copies of the real runs until so many more are recorded."""
    with sqlite3.connect(folder / FILE_NAME) as connection:
        # Copies need not outlive a power cut, and pages of indexes are changed again and again.
        for setting in ("synchronous=OFF", "cache_size=-1000000", "wal_autocheckpoint=100000"):
            connection.execute(f"PRAGMA {setting}")
        top = connection.execute("SELECT max(position) FROM runs").fetchone()[0]
        base = connection.execute("SELECT count(*) FROM runs WHERE id LIKE '%~%'").fetchone()[0]
        connection.execute(_REAL, {"first": REAL})
        for copy in range(base, base + max(missing, 0) // REAL):
            for statement in _COPIES:
                table = statement.split()[2]
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                anew = _NAMED_ANEW[table]
                values = [f"\"{name}\" || '~{copy}'" if name in anew else _moved(name, top, copy) for name in columns]
                connection.execute(statement.format(**{table: ", ".join(values)}))
            connection.execute(_AUDIT, {"real": entries})
            connection.execute("UPDATE audit_heads SET size = size + ?", (entries,))
            connection.commit()
        if missing > 0:
            top = connection.execute("SELECT max(position) FROM runs").fetchone()[0]
            connection.execute("UPDATE counters SET value = ? WHERE name = 'position'", (top,))
    connection.close()


def _moved(name: str, top: int, copy: int) -> str:
    return f"position + {top} + {copy} * {REAL}" if name == "position" else f'"{name}"'
