"""From a webhook to a delivered record over HTTP, beside Node-RED: rate and latency at 16 and 64 connections.

Each connection sends a webhook of two kilobytes and waits until its record has come to the target; so what is measured
is the whole way, and neither side can run ahead of itself. Our hub answers once the event is durable and delivers
afterwards; Node-RED answers after the delivery. It is measured twice: bare, where it neither verifies nor keeps
anything, and in full, where it does what we do besides, though nothing of that survives a power cut.
"""

from __future__ import annotations

import asyncio
import json
import socket
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

import aiohttp
import uvloop
from aiohttp import web

from bench.door_hub import KEY, SCHEMA
from bench.invoices import documents
from bench.node_red import RECORDS, serving
from bench.peers import Missing
from bench.target import SECONDS
from hub.sdk.signing import hmac_sha256_hex
from hub.store.sqlite import FILE_NAME

CONNECTIONS = (16, 64)
#: Node-RED that only checks, maps and delivers, and with the signature, the schema and a record besides.
PEERS = {"node_red": False, "node_red_full": True}
#: How long a delivery may take before the measurement gives up.
PATIENCE = 30.0


class Sink:
    """The target: answers after five milliseconds and says which records have come."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._awaited: dict[str, asyncio.Future[None]] = {}
        self.received = 0

    def expect(self, name: str) -> asyncio.Future[None]:
        """Give a future that is done when this record has come."""
        future = self._awaited[name] = asyncio.get_running_loop().create_future()
        return future

    async def answer(self, request: web.Request) -> web.Response:
        """Take a record."""
        record = await request.json()
        await asyncio.sleep(SECONDS)
        self.received += 1
        future = self._awaited.pop(record["id"], None)
        if future is not None and not future.done():
            future.set_result(None)
        return web.json_response({"id": record["id"]})


class Load:
    """Sends webhooks over some connections for some time."""

    def __init__(self, sink: Sink, url: str) -> None:
        """Prepare the events; each invoice has a name of its own."""
        self._sink = sink
        self._url = url
        self._templates = [json.loads(document) for document in documents(200)]
        self._number = 0

    async def run(self, connections: int, seconds: float) -> dict[str, Any]:
        """Give the rate and the latency from sending to delivery."""
        taken: list[float] = []
        answered: list[float] = []
        connector = aiohttp.TCPConnector(limit=connections)
        started = time.perf_counter()
        until = started + seconds

        async with aiohttp.ClientSession(connector=connector) as session:

            async def one() -> None:
                while (now := time.perf_counter()) < until:
                    name, body = self._event()
                    came = self._sink.expect(name)
                    headers = {"content-type": "application/json", "signature": hmac_sha256_hex(KEY, body)}
                    async with session.post(self._url, data=body, headers=headers) as answer:
                        await answer.read()
                        if answer.status >= 300:
                            raise SystemExit(f"a webhook was answered {answer.status}")
                    answered.append(time.perf_counter() - now)
                    async with asyncio.timeout(PATIENCE):
                        await came
                    taken.append(time.perf_counter() - now)

            await asyncio.gather(*(one() for _ in range(connections)))
        spent = time.perf_counter() - started
        return {
            "per_second": round(len(taken) / spent, 1),
            "p50_ms": round(statistics.median(taken) * 1000, 1),
            "p99_ms": round(sorted(taken)[int(len(taken) * 0.99)] * 1000, 1),
            "answered_p99_ms": round(sorted(answered)[int(len(answered) * 0.99)] * 1000, 1),
            "delivered": len(taken),
        }

    def _event(self) -> tuple[str, bytes]:
        self._number += 1
        invoice = dict(self._templates[self._number % len(self._templates)])
        invoice["id"] = f"in_{self._number:012}"
        return invoice["id"], json.dumps({"id": f"evt_{self._number:012}", "data": invoice}).encode()


def measure(*, seconds: float, rounds: int, peers: bool = True) -> dict[str, Any]:
    """Measure all in turns; gives medians, and our rate by theirs."""
    found: dict[str, dict[int, list[Mapping[str, Any]]]] = {name: {} for name in ("ours", *PEERS)}
    left_out: str | None = None if peers else "it was not asked for"
    for _ in range(rounds):
        for connections in CONNECTIONS:
            ours = uvloop.run(_ours(connections, seconds))
            found["ours"].setdefault(connections, []).append(ours)
            for name, full in PEERS.items():
                if left_out is None:
                    try:
                        theirs = uvloop.run(_node_red(connections, seconds, full=full))
                        found[name].setdefault(connections, []).append(theirs)
                    except Missing as missing:
                        left_out = str(missing)
    return {
        "seconds": seconds,
        "rounds": rounds,
        **{name: {c: _median(each) for c, each in by.items()} for name, by in found.items() if by},
        "ours_by_peer": {name: _by(found["ours"], found[name]) for name in PEERS if found[name]},
        "node_red_left_out": left_out,
    }


def _by(ours: Mapping[int, list[Mapping[str, Any]]], theirs: Mapping[int, list[Mapping[str, Any]]]) -> dict[int, float]:
    """Give the median of each round's ratio, by connections."""
    ratios = {
        connections: [a["per_second"] / b["per_second"] for a, b in zip(ours[connections], rounds, strict=True)]
        for connections, rounds in theirs.items()
    }
    return {connections: round(statistics.median(each), 2) for connections, each in ratios.items()}


def _median(rounds: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


async def _ours(connections: int, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="concord-bench-") as folder:
        async with _sinking() as (sink, address):
            with _hub(Path(folder), address) as url:
                load = Load(sink, f"{url}/hooks/inbox")
                await load.run(connections, min(seconds, 2.0))
                found = await load.run(connections, seconds)
        found["recorded"] = _recorded(Path(folder) / "data" / FILE_NAME)
        if found["recorded"] != sink.received:
            raise SystemExit(f"{sink.received} records were delivered, {found['recorded']} runs recorded as done")
    return found


async def _node_red(connections: int, seconds: float, *, full: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="concord-bench-") as folder:
        async with _sinking() as (sink, address):
            with serving(Path(folder), address, _free_port(), key=KEY, schema=SCHEMA if full else None) as url:
                load = Load(sink, url)
                await load.run(connections, min(seconds, 2.0))
                found = await load.run(connections, seconds)
        found["recorded"] = _lines(Path(folder) / RECORDS) if full else 0
        if full and found["recorded"] != sink.received:
            raise SystemExit(f"Node-RED delivered {sink.received} records and kept {found['recorded']}")
    return found


class _sinking:  # noqa: N801 - used as a function
    """A sink that listens; gives it and its address."""

    async def __aenter__(self) -> tuple[Sink, str]:
        self._sink, app = Sink(), web.Application()
        app.router.add_post("/documents", self._sink.answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self._sink, f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()


@contextmanager
def _hub(folder: Path, sink: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.door_hub", str(folder), sink], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise SystemExit("the measured hub did not start")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def _recorded(path: Path) -> int:
    connection = sqlite3.connect(path)
    found: int = connection.execute("SELECT count(*) FROM runs WHERE state = 'succeeded'").fetchone()[0]
    connection.close()
    return found


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
