"""One of several processes that use the same accounts: each keeps thirty requests for each account wanting to go out.

`python -m bench.throttle_worker DATABASE VENDOR SECONDS`: its accounts, limits and ledgers are a hub's own. It tells on
stdout when it is ready, and begins when a line comes on stdin.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import uvloop

from bench.things import connector
from hub.connections.accounts import Account
from hub.connections.bounds import Bound, of_vendor
from hub.errors import LimitReached
from hub.model.exchange import Request
from hub.model.limits import Asker
from hub.runtime.clock import system_ambient
from hub.runtime.wiring import budgets_of
from hub.sdk.connector import Limits
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport
from hub.store.committer import Committer
from hub.store.database import Database

#: Accounts that several processes use, with one limit each.
LIMITS: Mapping[str, Limits] = {
    "second": Limits(concurrency=50, rate=40),
    "minute": Limits(concurrency=50, rate=600, per=60),
    "places": Limits(concurrency=5),
}
_MANY = 30


async def _work(url: str, vendor: str, seconds: float) -> None:
    ambient = system_ambient()
    with tempfile.TemporaryDirectory(prefix="concord-bench-") as folder:
        database = Database(Path(folder), url)
        committer = Committer(database, ambient)
        committer.start()
        transport = Transport(private_hosts=["127.0.0.1"])
        budgets = budgets_of("bench", ambient, committer, database=database)
        accounts = [
            Account(
                name=name,
                connector=connector,
                settings=Settings(base_url=f"{vendor}/{name}"),
                limiter=budgets.limiter(name, name, _fixed(limits), lasts=5.0),
                transport=transport,
                ambient=ambient,
            )
            for name, limits in LIMITS.items()
        ]
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        ends = time.monotonic() + seconds
        await asyncio.gather(*(_keep(account, number, ends) for account in accounts for number in range(_MANY)))
        budgets.close()
        await committer.stop()
        await budgets.stop()
        await transport.close()
        database.close()


async def _keep(account: Account, number: int, ends: float) -> None:
    request = Request(method="POST", url=f"{account.settings.base_url}/documents", body=b"{}")
    asker = Asker(key=str(number))
    while time.monotonic() < ends:
        try:
            await account.ask(request, asker, patient=True)
        except LimitReached as error:
            await asyncio.sleep(min(error.after or 0.1, 1.0) * random.uniform(0.5, 1.0))


def _fixed(limits: Limits) -> Callable[[datetime], list[Bound]]:
    known = [of_vendor(limits)]
    return lambda _now: known


if __name__ == "__main__":
    uvloop.run(_work(sys.argv[1], sys.argv[2], float(sys.argv[3])))
