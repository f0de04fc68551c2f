"""A house with people in it, and a flow whose write is approved by them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from hub.errors import Conflict
from hub.model.approval import Verdict
from hub.store import approvals, people
from hub.store.account_tables import people as people_table
from hub.store.committer import Committer, Transaction, Work, Write
from hub.store.control_tables import approvals as table
from hub.store.history import Record
from hub.store.tables import runs
from tests.engine.house import FastClock, House, bundle
from tests.engine.test_once import FILES
from tests.engine.vendor import Vendor

FLOW = """
flow: tested
title: One write that is approved
owner: team:tests
on: { event: vendor.thing.made }
key: data.key
business_key: data.id
money: data.total
steps:
  - id: ok
    approve: large
    of: "{id: data.id, value: data.value}"
  - id: write
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
    when: ok.approved
    retry: patient
"""
POLICY = """
policy: large
kind: approve
version: 3
match: all
rules:
  - name: large
    when: money.minor >= `100`
    then: { approvals: 1, role: approver }
  - name: very large
    when: money.minor >= `1000`
    then: { approvals: 2, role: approver%s }
"""
HELD = "connection: vendor\nconnector: vendor\nhold: freeze\n"
FREEZE = """
policy: freeze
kind: hold
version: 1
match: first
rules: [{ name: freeze, when: "now < '2026-01-01T06:00:00Z'", then: { reason: closed, until: '2026-01-01T06:00:00Z' } }]
"""


GUARD = {"connections__vendor.yaml": HELD, "policies__freeze.yaml": FREEZE}
#: A later step that tells an amount of its own.
LATER = """
  - id: more
    map: vendor/more
    of: data
  - id: write"""
MORE = """
mapping: vendor/more
version: 1
from: vendor.thing@1
to: vendor.thing@1
fields: { late: late }
"""


def compiled(*, more: str = "", flow: str = FLOW, policy: str = POLICY, **files: str) -> Any:
    """Compile a workspace whose very large things are approved by two people; `more` says what else is asked then."""
    rules = policy % more if "%s" in policy else policy
    return bundle(flow, **{**FILES, "policies__large.yaml": rules, **files})


def thing(number: int = 0, minor: int = 5000, **more: Any) -> dict[str, Any]:
    """Make an event with an amount."""
    total = {"minor": minor, "currency": "EUR"}
    return {"id": f"t{number}", "key": f"k{number}", "value": str(number), "total": total, **more}


class Office:
    """A house with people in it; it can be opened again on the same data."""

    def __init__(self, directory: Path, workspace: Any, *, committer: Any = Committer) -> None:
        self.vendor, self.clock = Vendor(), FastClock()
        self.directory, self.workspace, self.committer = directory, workspace, committer

    async def open(self, *, people_too: bool = True) -> None:
        """Begin to work."""
        self.house = House(self.directory, self.vendor, self.workspace, clock=self.clock, committer=self.committer)
        await self.house.start()
        if people_too:
            for name, role in (("ann", "approver"), ("ben", "approver"), ("cem", "approver"), ("con", "controller")):
                await self.add(name, role)

    async def again(self) -> None:
        """Crash and open again."""
        await self.house.crash()
        await self.open(people_too=False)

    async def add(self, name: str, role: str) -> None:
        """Let somebody come."""
        row = {"id": f"p_{name}", "email": f"{name}@example.com", "name": name, "role": role, "disabled": False}
        row |= {"password": "x", "created_at": 1}
        await self.do(lambda tx: people.add(tx, row, actor="local", only_first=False))

    async def change(self, name: str, **values: Any) -> None:
        """Let somebody leave, or do something else."""
        where = people_table.c.id == f"p_{name}"
        await self.do(lambda tx: tx.connection.execute(update(people_table).where(where).values(**values)).rowcount)

    async def do(self, work: Callable[[Transaction], Any]) -> Any:
        """Change something durably."""
        return await self.house.committer.commit(Work(work))

    async def say(self, name: str, verdict: Verdict = Verdict.AGREED, *, which: int = -1) -> str:
        """Let somebody agree to what was asked last, or refuse it; gives how it stands then."""
        return await vote(self.house, name, verdict, which=which)

    async def waits(self, *kinds: str) -> None:
        """Wait until everything waits, for approvals if not said otherwise."""
        await self.house.settled(waiting=kinds or ["approval"])

    async def until(self, come: Callable[[], bool]) -> None:
        """Wait until something has come about."""
        async with asyncio.timeout(10):
            while not come():
                await asyncio.sleep(0.005)

    def asked(self) -> list[Any]:
        """Give the approvals, the oldest first."""
        return self.rows(table, table.c.created_at)

    def rows(self, which: Any, order: Any = None) -> list[Any]:
        """Read a table."""
        with self.house.database.reading() as connection:
            statement = select(which) if order is None else select(which).order_by(order)
            return list(connection.execute(statement))

    def run(self) -> Any:
        """Give the newest run."""
        return self.rows(runs, runs.c.created_at)[-1]

    @property
    def written(self) -> list[str]:
        """Give what the vendor has, by key."""
        return [document["key"] for document in self.vendor.documents]


async def vote(house: House, name: str, verdict: Verdict = Verdict.AGREED, *, which: int = -1) -> str:
    """Let somebody vote on what was asked last."""
    with house.database.reading() as connection:
        asked = connection.execute(select(table.c.id).order_by(table.c.created_at, table.c.id)).scalars().all()
    work = Work(
        lambda tx: approvals.vote(
            tx, asked[which], environment="test", actor=f"person:p_{name}", verdict=verdict, reason="because"
        )
    )
    return str((await house.committer.commit(work))["state"])


async def office(tmp_path: Path, workspace: Any = None, **more: Any) -> Office:
    """Open one."""
    made = Office(tmp_path, workspace or compiled(), **more)
    await made.open()
    return made


def audited(here: Office) -> list[str]:
    """List what was audited of approvals."""
    with here.house.database.reading() as connection:
        kinds = connection.exec_driver_sql("SELECT kind FROM audit ORDER BY sequence").scalars()
        return [kind.removeprefix("approval.") for kind in kinds if kind.startswith("approval.")]


async def agree(house: House) -> None:
    """Let two people agree to whatever is asked."""
    for name in ("ann", "ben"):
        with contextlib.suppress(Conflict, IndexError):
            await vote(house, name)


class Meddling(Committer):
    """Lets something happen just before certain records are written."""

    before: Callable[[Record, Meddling], Write | None] = staticmethod(lambda _record, _self: None)

    def submit(self, write: Write) -> asyncio.Future[Any]:
        if isinstance(write, Record) and (other := self.before(write, self)) is not None:
            super().submit(other)
        return super().submit(write)


class Early(Work):
    rank = 5
