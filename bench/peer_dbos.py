"""The same five-step flow in DBOS; run by the Python of an environment that has it, not by the project's.

Its system database is SQLite with WAL and `synchronous=FULL`, as the hub's own is.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from typing import Any

import aiohttp
from dbos import DBOS
from sqlalchemy import event
from sqlalchemy.engine import Engine

AT_ONCE = 100
_session: aiohttp.ClientSession | None = None
_KNOWN = {f"cus_{number}": str(number) for number in range(50)}


@event.listens_for(Engine, "connect")
def _durable(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


@DBOS.step()
async def check(data: dict[str, Any]) -> dict[str, Any]:
    """Check the event."""
    checked = mapped(data)
    if checked["quantity"] != data["quantity"]:
        raise ValueError("differs")
    return checked


@DBOS.step()
async def shape(data: dict[str, Any]) -> dict[str, Any]:
    """Map it."""
    return mapped(data)


@DBOS.step()
async def look_up(customer: str) -> str:
    """Look the customer up."""
    return _KNOWN[customer]


@DBOS.step()
async def post(url: str, record: dict[str, Any], key: str) -> dict[str, Any]:
    """Write."""
    assert _session is not None
    headers = {"authorization": "Bearer bench", "idempotency-key": key}
    async with _session.post(f"{url}/documents", json=record, headers=headers) as answer:
        found: dict[str, Any] = await answer.json()
        return found


@DBOS.step()
async def note(answer: dict[str, Any]) -> dict[str, Any]:
    """Map the answer."""
    return {"id": answer["id"]}


@DBOS.workflow()
async def flow(url: str, data: dict[str, Any]) -> dict[str, Any]:
    """Go through the five steps."""
    record = await shape(await check(data))
    await look_up(data["customer"])
    return await note(await post(url, record, data["id"]))


def mapped(data: dict[str, Any]) -> dict[str, Any]:
    """Map six fields."""
    return {
        "id": data["id"],
        "customer": data["customer"],
        "currency": data["currency"].upper(),
        "quantity": data["quantity"],
        "total": data["total"],
        "memo": data["memo"],
    }


async def measure(url: str, count: int) -> float:
    """Run the flows; gives flows a second."""
    global _session
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        data = {
            "id": f"thing_{number}",
            "customer": f"cus_{number % 50}",
            "currency": "eur",
            "quantity": 3,
            "total": 1999,
            "memo": "x" * 180,
        }
        async with slots:
            handle = await DBOS.start_workflow_async(flow, url, data)
            await handle.get_result()

    async with aiohttp.ClientSession() as _session:
        started = time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(count)))
        return count / (time.perf_counter() - started)


def main() -> None:
    """Measure in a folder of its own, and print one JSON object."""
    url, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="concord-bench-dbos-") as folder:
        DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{folder}/dbos.sqlite", "log_level": "ERROR"})
        DBOS.launch()
        rate = asyncio.run(measure(url, count))
        sys.stdout.write(json.dumps({"per_second": rate}) + "\n")
        sys.stdout.flush()
        DBOS.destroy()


if __name__ == "__main__":
    main()
