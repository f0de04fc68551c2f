"""Events a second over HTTP in batches, each durable and surely once before the answer, beside the driver's raw floor.

A real hub serves in a process of its own. Some connections send batches of 100 and of 1,000 events of usage that no
flow wants; every one is checked, compared with what was taken before, made durable and told of. That no flow wants it
is found out; runs, and their being claimed, are not in it. The floor is what the same driver does with the same rows in
groups and nothing else (`bench/intake_floor.py`), in groups of as many as one batch has and of as many as are under
way; the fastest counts. Who sends has a part of the same machine. Where something else has too, ratios of one run alone
tell something: each round measures floor and hub one after the other.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import uvloop

from bench import intake_floor
from bench.intake_hub import DATABASE, TOKEN

BATCHES = (100, 1000)
CONNECTIONS = 8
#: One event as a meter writes it, of about 330 bytes; `%012d` is its number.
_EVENT = (
    '{"specversion":"1.0","id":"use-%012d","source":"https://meter.example.com/eu","type":"usage.recorded",'
    '"subject":"customer-%d","time":"2026-11-05T14:30:%02d.250Z","datacontenttype":"application/json",'
    '"data":{"customer":"cus_%08d","meter":"api_calls","quantity":%d,"unit_price":"0.0004","region":"eu-central-1",'
    '"project":"prj_9f3a"}}'
)
_HEADERS = {"authorization": f"Bearer {TOKEN}", "content-type": "application/cloudevents-batch+json"}


def _event(number: int) -> str:
    return _EVENT % (number, number % 1000, number % 60, number % 1000, number % 100)


def measure(*, events: int, rounds: int, database: str | None = None) -> dict[str, Any]:
    """Measure hub and floor in turns; gives medians, and the median of each round's ratio."""
    found: dict[int, list[Mapping[str, float]]] = {batch: [] for batch in BATCHES}
    for _ in range(rounds):
        for batch in BATCHES:
            floor = _floor(events, batch, database)
            found[batch].append({"floor": floor, **uvloop.run(_ours(events, batch, database))})
    return {
        "database": "sqlite" if database is None else "postgresql",
        "events": events,
        "connections": CONNECTIONS,
        "event_bytes": len(_event(0)),
        "batches": {batch: _summed(each) for batch, each in found.items()},
    }


def _summed(rounds: list[Mapping[str, float]]) -> dict[str, Any]:
    ratios = [each["per_second"] / each["floor"] for each in rounds]
    return {
        "per_second": round(statistics.median(each["per_second"] for each in rounds)),
        "floor_per_second": round(statistics.median(each["floor"] for each in rounds)),
        "of_floor": round(statistics.median(ratios), 2),
        "each_round": [round(ratio, 2) for ratio in ratios],
        "p50_ms": round(statistics.median(each["p50_ms"] for each in rounds), 1),
        "p99_ms": round(statistics.median(each["p99_ms"] for each in rounds), 1),
        "hub_us": round(statistics.median(each["hub_us"] for each in rounds), 1),
        "repeats_per_second": round(statistics.median(each["repeats_per_second"] for each in rounds)),
    }


def _floor(events: int, batch: int, database: str | None) -> float:
    given = intake_floor.rows(events, _event)
    rates = []
    for group in (batch, batch * CONNECTIONS):
        with tempfile.TemporaryDirectory(prefix="concord-bench-") as folder:
            if database is None:
                rates.append(intake_floor.sqlite_rate(Path(folder), given, group))
            else:
                rates.append(intake_floor.postgresql_rate(database, given, group))
    return max(rates)


async def _ours(events: int, batch: int, database: str | None) -> dict[str, float]:
    bodies = [f"[{','.join(map(_event, range(start, start + batch)))}]".encode() for start in range(0, events, batch)]
    with tempfile.TemporaryDirectory(prefix="concord-bench-") as name, _own(database) as own:
        with _hub(Path(name), own) as (url, hub):
            # What the first requests cost is the same for a million more.
            await _send(url, [body.replace(b'"use-', b'"warm-') for body in bodies[: CONNECTIONS * 2]], "accepted")
            before = _processor(hub)
            new = await _send(url, bodies, "accepted")
            new["hub_us"] = (_processor(hub) - before) / events * 1_000_000
            again = await _send(url, bodies, "duplicate")
        kept = _kept(Path(name) / "data", own)
    if kept != events:
        raise SystemExit(f"{events} events were acknowledged, and {kept} are there")
    return {**new, "repeats_per_second": again["per_second"]}


async def _send(url: str, bodies: list[bytes], wanted: str) -> dict[str, float]:
    taken: list[float] = []
    left = iter(bodies)
    told = 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:

        async def one() -> None:
            nonlocal told
            for body in left:
                began = time.perf_counter()
                async with session.post(f"{url}/api/events", data=body, headers=_HEADERS) as answer:
                    text = await answer.read()
                    if answer.status != 202:
                        raise SystemExit(f"a batch was answered {answer.status}: {text[:300]!r}")
                taken.append(time.perf_counter() - began)
                told += text.count(b'"result":"%s"' % wanted.encode())

        started = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
        spent = time.perf_counter() - started
    if told != sum(body.count(b'"specversion"') for body in bodies):
        raise SystemExit(f"{told} events were told to be {wanted}")
    ordered = sorted(taken)
    return {
        "per_second": told / spent,
        "p50_ms": statistics.median(taken) * 1000,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
    }


@contextmanager
def _hub(folder: Path, database: str | None) -> Iterator[tuple[str, int]]:
    environ = {**os.environ, **({} if database is None else {DATABASE: database})}
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.intake_hub", str(folder)], stdout=subprocess.PIPE, text=True, env=environ
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise SystemExit("the measured hub did not start")
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def _processor(process: int) -> float:
    """Give the seconds of the processor that a process has used."""
    # Behind the name, which may have blanks in it: the 14th and 15th of all.
    told = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _own(database: str | None) -> Iterator[str | None]:
    """Give a database of this measurement's own beside the one that the URL names, and drop it in the end."""
    if database is None:
        yield None
        return
    import psycopg  # noqa: PLC0415 - only where a URL is given

    name = f"concord_bench_{time.time_ns()}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0".encode())
        try:
            yield urlunsplit(urlsplit(database)._replace(path=f"/{name}"))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _kept(data: Path, database: str | None) -> int:
    """Count the events that are there, with different names."""
    statement = "SELECT count(DISTINCT external_id) FROM events WHERE external_id LIKE '%use-%'"
    if database is not None:
        import psycopg  # noqa: PLC0415 - only where a URL is given

        with psycopg.connect(database) as connection:
            row = connection.execute(statement).fetchone()
            return 0 if row is None else int(row[0])
    kept = sqlite3.connect(next(data.glob("*.db")))
    found: int = kept.execute(statement).fetchone()[0]
    kept.close()
    return found
