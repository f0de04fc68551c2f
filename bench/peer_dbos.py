"""The same five-step flow in DBOS; run by the Python of an environment that has it, not by the project's.

`peer_dbos.py TARGET COUNT [DATABASE]`: its system database is a PostgreSQL where the URL of one is given, with as many
connections and threads as make it fastest here, and else SQLite with WAL and `synchronous=FULL`, as the hub's own is.
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
#: So many flows are run before any is counted.
WARM = 50
_session: aiohttp.ClientSession | None = None
_KNOWN = {f"cus_{number}": str(number) for number in range(50)}


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


async def measure(url: str, count: int, *, first: int = 0) -> float:
    """Run the flows, numbered from the `first` on; gives flows a second."""
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
        await asyncio.gather(*(one(number) for number in range(first, first + count)))
        return count / (time.perf_counter() - started)


def main() -> None:
    """Measure in a folder of its own, and print one JSON object."""
    url, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="concord-bench-dbos-") as folder:
        if len(sys.argv) > 3:
            settings: dict[str, Any] = {"system_database_url": sys.argv[3], "sys_db_pool_size": AT_ONCE // 2}
        else:
            event.listen(Engine, "connect", _durable)
            settings = {"system_database_url": f"sqlite:///{folder}/dbos.sqlite"}
        DBOS(config={"name": "bench", "log_level": "ERROR", **settings})
        DBOS.launch()
        # What the first ones cost is not what the next million do.
        asyncio.run(measure(url, WARM, first=count))
        rate = asyncio.run(measure(url, count))
        sys.stdout.write(json.dumps({"per_second": rate}) + "\n")
        sys.stdout.flush()
        DBOS.destroy()


if __name__ == "__main__":
    main()
