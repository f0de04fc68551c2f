"""What people do in a trial: the orders that were drawn, and the mending of everything afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import Context
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from hub.access.directory import StoredDirectory
from hub.access.people import PersonId
from hub.errors import Fatal, HubError, OutcomeParked
from hub.model.approval import Verdict
from hub.model.effect import REFUSED_IN_DOUBT
from hub.model.hold import HoldKind
from hub.model.run import COMPENSATION_FAILED
from hub.operate.holds import Held
from hub.proof.simulation.acts import WAYS, Act, Order, Way
from hub.proof.simulation.company import CONNECTIONS, LEDGER, SHOP
from hub.proof.simulation.host import Host
from hub.proof.simulation.loop import VirtualLoop
from hub.proof.simulation.memory import MemoryDatabase
from hub.proof.simulation.process import Process
from hub.proof.simulation.scenario import Fate, Scenario
from hub.proof.simulation.story import Story
from hub.proof.simulation.vendor import Vendor
from hub.sdk import exact_json

#: Who gives orders: an administrator, who agrees to nothing.
PERSON = "person:ada"
#: Who may agree, by id and role; one of them may be away for a while.
VOTERS = {"bob": "approver", "cyd": "approver", "dan": "controller", "eve": "approver"}


#: Of those who have said their word, such a share leaves so many seconds later.
_LEAVE_AFTERWARDS, _LEAVE_AFTER = 0.5, (0.0, 0.1, 1.0, 10.0, 40.0)
#: Up to so many seconds somebody waits for a write in doubt before a customer is moved.
_WATCHES = 40
_IN_DOUBT = "SELECT 1 FROM effects WHERE state = 'unknown' AND operation = 'entry.create'"
#: Why a run stops that a person has edited after it had written what was edited.
PUT_RIGHT = frozenset({"written-differently", "left-standing"})
_VOTING = tuple(f"person:{voter}" for voter in VOTERS)


def moved(entry: str) -> str:
    """Give the entry of the ledger that a customer is tied to when it is moved."""
    return f"{entry}-moved"


def edited(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a sale as a person puts it right: what was bought is another thing."""
    return {**record, "bought": f"no {record['bought']}"} if not record["bought"].startswith("no ") else record


def _one_of(names: Sequence[str], draw: float) -> str:
    return names[int(draw * len(names))]


Given = Callable[[Process], Coroutine[Any, Any, None]]


class People:
    """Gives orders to whichever process serves, and remembers what they were about."""

    def __init__(
        self,
        scenario: Scenario,
        host: Host,
        database: MemoryDatabase,
        *,
        books: Mapping[str, Vendor],
        loop: VirtualLoop,
        story: Story,
    ) -> None:
        """Take whom they order about, and whose books they may look into, by connection."""
        self._books = books
        self._scenario = scenario
        self._host = host
        self._database = database
        self._loop = loop
        self._story = story
        #: Business keys of what a person has ended, or settled outside, and has not ordered again.
        self.ended: set[str] = set()
        #: All that was ever ended or settled: later things of its key may have gone past it.
        self.passed: set[str] = set()
        #: Business keys of what a person has ordered to be taken back.
        self.taken_back: set[str] = set()
        #: Business keys of what a person has edited.
        self.edited: set[str] = set()
        #: By business key, who has ordered it to be made again, and when first.
        self.began: dict[str, dict[str, float]] = {}
        #: Customers that were tied to another entry of the ledger.
        self.moved: set[str] = set()
        self._mending = False
        #: Business keys of what was made again in the end.
        self._made_again: set[str] = set()

    async def act(self, acts: Sequence[Act]) -> None:
        """Give every order at its time."""
        for act in acts:
            await asyncio.sleep(max(act.at - self._loop.time(), 0.0))
            await self._order(act)

    async def mend(self) -> None:
        """Put right what a person can: ids tied, connections resumed, and what was stopped made again or settled."""
        self._mending = True
        for name in CONNECTIONS:
            await self._tell(f"resume {name}", lambda process, name=name: self._resume(process, name))  # type: ignore[misc]
        await self._link_strangers()
        for kind, name, key in self._holds():
            await self._lift(kind, name, key)
        await self._come_back()
        for approval_id in self._open_approvals():
            for voter in VOTERS:
                await self._vote(approval_id, voter, self._word(approval_id, Verdict.AGREED))
        for run_id, key, reason in self._parked():
            if self._can_be_told(key, reason):
                await self._find_out(key)
            elif self._can_be_made(key, reason):
                self._made_again.add(key)
                await self._replay(run_id, key, self._mender(key), WAYS[len(self._scenario.happenings) % len(WAYS)])
            elif self._holds_others_up(run_id):
                await self._settle(run_id, key)

    def is_mended(self) -> bool:
        """Tell whether nothing is left that a person could put right."""
        paused = self._database.file.execute("SELECT 1 FROM connections WHERE state <> 'active'").fetchone()
        if paused is not None or self._holds() or self._open_approvals():
            return False
        return not any(
            self._can_be_told(key, reason) or self._can_be_made(key, reason) or self._holds_others_up(run_id)
            for run_id, key, reason in self._parked()
        )

    def _can_be_told(self, key: str, reason: str) -> bool:
        """Tell whether only somebody who looks into the books can say what became of a write."""
        if self._can_be_made(key, reason) and key not in self._made_again:
            return False
        return reason in {REFUSED_IN_DOUBT, OutcomeParked.code, COMPENSATION_FAILED} and bool(self._doubts(key))

    def _can_be_made(self, key: str, reason: str) -> bool:
        if reason == Fate.UNMAPPED:
            return self._scenario.fate(key) is not Fate.UNMAPPED
        if reason == "sale-not-posted":
            return self._is_tied(next(each for each in self._scenario.happenings if each.business_key == key).family)
        if reason in PUT_RIGHT or self._scenario.fate(key) is Fate.DECLINED:
            return False
        if reason.endswith("-too-often") or reason.startswith("approval-"):
            return True
        # A gateway answers as if there were no such thing.
        return reason in {"child-cancelled", "not-found", REFUSED_IN_DOUBT}

    def _word(self, approval_id: str, verdict: Verdict) -> Verdict:
        """Give what people say when they are asked: of some things, whoever is asked, that they shall not be."""
        statement = "SELECT business_key FROM runs WHERE id = (SELECT run_id FROM approvals WHERE id = ?)"
        (key,) = self._database.file.execute(statement, (approval_id,)).fetchone()
        return Verdict.REFUSED if self._scenario.fate(key) is Fate.DECLINED else verdict

    def _mender(self, key: str) -> str:
        """Give who puts right in the end: in every other trial somebody who may agree as well, if enough others may."""
        began = self.began.get(key, {}).keys() & {*_VOTING} - {_VOTING[0]}
        return PERSON if began or len(self._scenario.happenings) % 2 else _VOTING[0]

    def is_asked(self) -> bool:
        """Tell whether somebody is asked to agree to something."""
        return bool(self._open_approvals())

    def _open_approvals(self) -> list[str]:
        rows = self._database.file.execute("SELECT id FROM approvals WHERE state = 'pending' ORDER BY id")
        return [name for (name,) in rows.fetchall()]

    def _holds(self) -> list[tuple[str, str, str]]:
        rows = self._database.file.execute("SELECT kind, name, key FROM holds WHERE ended_at IS NULL ORDER BY id")
        return rows.fetchall()

    async def _come_back(self) -> None:
        away = self._database.file.execute("SELECT id FROM people WHERE disabled ORDER BY id").fetchall()
        for (voter,) in away:
            await self._tell(f"{voter} comes back", lambda process, voter=voter: self._is_back(process, voter))  # type: ignore[misc]

    async def _is_back(self, process: Process, voter: str) -> None:
        directory = StoredDirectory(self._database, process.committer)
        person = await directory.person(PersonId(voter))
        assert person is not None
        await directory.change_person(replace(person, disabled=False), actor=PERSON)

    def _is_tied(self, sale: str) -> bool:
        statement = "SELECT 1 FROM crossrefs WHERE entity = 'sale' AND system = 'shop' AND id = ?"
        return self._database.file.execute(statement, (sale,)).fetchone() is not None

    def _holds_others_up(self, run_id: str) -> bool:
        statement = (
            "SELECT 1 FROM runs AS parked JOIN runs AS later ON later.flow = parked.flow AND later.key = parked.key"
            " WHERE parked.id = ? AND parked.blocking AND later.position > parked.position AND later.blocking"
        )
        return self._database.file.execute(statement, (run_id,)).fetchone() is not None

    async def _order(self, act: Act) -> None:
        match act.order:
            case Order.LINK:
                await self._link_strangers()
            case Order.MOVE:
                await self._move(act)
            case Order.REPLAY | Order.EDIT | Order.CANCEL | Order.TAKE_BACK:
                await self._order_run(act)
            case Order.PAUSE | Order.RESUME:
                name, active = LEDGER if act.pick < 0.7 else SHOP, act.order is Order.RESUME
                await self._tell(
                    f"{act.order} {name}",
                    lambda process: process.orders.set_connection(name, active=active, reason="ordered", actor=PERSON),
                )
            case Order.HOLD_RUN | Order.HOLD_KEY | Order.HOLD_FLOW:
                await self._hold(act)
            case Order.LIFT:
                held = self._holds()
                if held:
                    await self._lift(*held[int(act.pick * len(held))])
            case Order.AGREE | Order.REFUSE:
                asked, voters = self._open_approvals(), sorted(VOTERS)
                if asked:
                    verdict = Verdict.AGREED if act.order is Order.AGREE else Verdict.REFUSED
                    voter = voters[int(act.pick * len(voters))]
                    await self._vote(asked[0], voter, self._word(asked[0], verdict))
                    if act.who < _LEAVE_AFTERWARDS:
                        after = _LEAVE_AFTER[int(act.who / _LEAVE_AFTERWARDS * len(_LEAVE_AFTER))]
                        self._loop.call_later(after, self._leave, voter, context=Context())
            case Order.LEAVE:
                self._leave(sorted(VOTERS)[int(act.pick * len(VOTERS))])

    def _leave(self, voter: str) -> None:
        if self._mending:
            return
        try:
            self._database.file.execute("UPDATE people SET disabled = 1 WHERE id = ?", (voter,))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            # There is no room just now to write that down.
            return
        self._story.tell("person", f"{voter} leaves")

    async def _order_run(self, act: Act) -> None:
        states = {
            Order.REPLAY: "'parked', 'succeeded', 'cancelled'",
            # What people can put right by hand is what the ledger says of a sale.
            Order.EDIT: "'parked', 'succeeded', 'cancelled') AND flow IN ('sale-to-ledger'",
            Order.CANCEL: "'queued', 'running', 'waiting', 'parked'",
            Order.TAKE_BACK: "'queued', 'running', 'waiting', 'parked', 'succeeded'",
        }
        where = f"replaced_by IS NULL AND parent_run IS NULL AND state IN ({states[act.order]})"
        picked = self._picked(where, act.pick)
        if picked is None:
            return
        match act.order:
            case Order.REPLAY:
                await self._replay(*picked, _one_of([PERSON, *_VOTING], act.who), WAYS[int(act.at * 1000) % len(WAYS)])
            case Order.EDIT:
                await self._edit(*picked, _one_of([PERSON, *_VOTING], act.who))
            case Order.CANCEL:
                await self._cancel(*picked)
            case _:
                await self._take_back(*picked)

    async def _hold(self, act: Act) -> None:
        rows = self._database.file.execute("SELECT id, flow, key FROM runs ORDER BY position, id").fetchall()
        if not rows:
            return
        run_id, flow, key = rows[int(act.pick * len(rows))]
        match act.order:
            case Order.HOLD_RUN:
                what = Held(kind=HoldKind.RUN, name=run_id)
            case Order.HOLD_KEY:
                what = Held(kind=HoldKind.KEY, name=flow, key=key)
            case _:
                what = Held(kind=HoldKind.FLOW, name=flow)
        await self._tell(
            f"hold {what.kind} {what.name} {what.key}".strip(),
            lambda process: process.hold_orders.hold(what, reason="ordered", actor=PERSON),
        )

    async def _lift(self, kind: str, name: str, key: str) -> None:
        what = Held(kind=HoldKind(kind), name=name, key=key)
        await self._tell(
            f"let {kind} {name} {key} go on".replace("  ", " "),
            lambda process: process.hold_orders.resume(what, reason="ordered", actor=PERSON),
        )

    async def _vote(self, approval_id: str, voter: str, verdict: Verdict) -> None:
        await self._tell(f"{voter} {verdict}", lambda process: process.vote(approval_id, f"person:{voter}", verdict))

    async def _take_back(self, run_id: str, key: str) -> None:
        self.taken_back.add(key)
        self.passed.add(key)
        await self._tell(f"take {key} back", lambda process: _taken_back(process, run_id))

    async def _link_strangers(self) -> None:
        for customer in sorted(self._scenario.strangers - self._scenario.forgotten):
            row = {SHOP: customer, LEDGER: self._scenario.customers[customer]}
            await self._tell(f"tie {customer}", lambda process, row=row: _linked(process, row))  # type: ignore[misc]

    async def _resume(self, process: Process, name: str) -> None:
        if process.accounts[name].paused is not None:
            await process.orders.set_connection(name, active=True, reason="mended", actor=PERSON)

    async def _move(self, act: Act) -> None:
        known = sorted(self._scenario.customers.keys() - self._scenario.strangers)
        if known:
            # Most telling while a write is in doubt that was formed before.
            for _ in range(int(act.who * _WATCHES)):
                if self._database.file.execute(_IN_DOUBT).fetchone() is not None:
                    break
                await asyncio.sleep(1.0)
            customer = known[int(act.pick * len(known))]
            self.moved.add(customer)
            row = {SHOP: customer, LEDGER: moved(self._scenario.customers[customer])}
            await self._tell(f"move {customer}", lambda process: _linked(process, row, replace=True))

    async def _replay(self, run_id: str, key: str, actor: str, way: Way) -> None:
        now = self._loop.time()
        what = f"make {key} again as {actor}{way.told}"
        if await self._tell(what, lambda process: _replayed(process, run_id, actor, way)):
            self.began.setdefault(key, {}).setdefault(actor, now)
            # Who makes it again wants it done, whatever was ordered before.
            self.ended.discard(key)

    async def _edit(self, run_id: str, key: str, actor: str) -> None:
        now = self._loop.time()
        before = key in self.edited
        self.edited.add(key)
        if await self._tell(f"edit {key} as {actor}", lambda process: _edited(process, run_id, actor)):
            self.began.setdefault(key, {}).setdefault(actor, now)
            self.ended.discard(key)
        elif not before:
            self.edited.discard(key)

    async def _cancel(self, run_id: str, key: str) -> None:
        before = key in self.ended
        self.ended.add(key)
        self.passed.add(key)
        order: Given = lambda process: _cancelled(process, run_id)  # noqa: E731
        if not await self._tell(f"end {key}", order) and not before:
            self.ended.discard(key)

    async def _settle(self, run_id: str, key: str) -> None:
        found = self._database.file.execute("SELECT id FROM cases WHERE run_id = ? AND state = 'open'", (run_id,))
        for (case_id,) in found.fetchall():
            self.ended.add(key)
            self.passed.add(key)
            await self._tell(f"settle {key}", lambda process, case_id=case_id: _closed(process, case_id))  # type: ignore[misc]

    async def _find_out(self, key: str) -> None:
        """Look into the vendors' books, and say what became of the writes in doubt."""
        for effect, name, method, url, headers, body in self._doubts(key):
            marked = exact_json.loads(headers).get("idempotency-key")
            made = self._books[name].made(method, urlsplit(url).path, marked, exact_json.loads(body))
            told = f"say that {effect[:8]} of {key} was {'made' if made else 'not made'}"
            await self._tell(told, lambda process, effect=effect, made=made: _said(process, effect, made))  # type: ignore[misc]

    def _doubts(self, key: str) -> list[tuple[str, str, str, str, str, bytes]]:
        statement = (
            "SELECT key, connection, method, url, headers, body FROM effects"
            " WHERE business_key = ? AND state = 'unknown' AND method <> '' ORDER BY key"
        )
        return self._database.file.execute(statement, (key,)).fetchall()

    async def _tell(self, what: str, order: Given) -> bool:
        """Give an order to the process that serves, and to the next one if that dies over it; False if it is refused.

        After a death nobody knows whether the order was carried out; a second one is refused if it was.
        """
        died = False
        while True:
            process = await self._host.serving()
            given: asyncio.Task[None] = self._loop.live(process.life, order(process))
            given.add_done_callback(_heard)
            done, _ = await asyncio.wait({given}, timeout=60.0)
            error = given.exception() if done else None
            if not done or isinstance(error, Fatal):
                died = True
                await asyncio.sleep(0.1)
                continue
            if error is None:
                self._story.tell("person", f"orders: {what}")
                return True
            if not isinstance(error, HubError):
                raise error
            self._story.tell("person", f"may not {what}: {error.code}")
            return died

    def _parked(self) -> list[tuple[str, str, str]]:
        # Why it stopped is what its exception says, which may have been told before its last word.
        rows = self._rows("state = 'parked' AND replaced_by IS NULL AND blocking")
        told = dict(self._database.file.execute("SELECT run_id, reason FROM cases WHERE state = 'open'").fetchall())
        return [(run_id, key, told.get(run_id, reason)) for run_id, key, reason in rows]

    def _picked(self, where: str, pick: float) -> tuple[str, str] | None:
        rows = self._rows(where)
        return None if not rows else rows[int(pick * len(rows))][:2]

    def _rows(self, where: str) -> list[tuple[str, str, str]]:
        statement = f"SELECT id, business_key, reason FROM runs WHERE {where} ORDER BY position, id"  # noqa: S608
        return self._database.file.execute(statement).fetchall()


def _heard(given: asyncio.Task[None]) -> None:
    """Take note of how an order ended that nobody waits for any more."""
    if not given.cancelled():
        given.exception()


async def _linked(process: Process, row: Mapping[str, str], *, replace: bool = False) -> None:
    await process.orders.link("customer", [row], actor=PERSON, replace=replace)


async def _replayed(process: Process, run_id: str, actor: str, way: Way) -> None:
    await process.run_orders.replay(run_id, actor=actor, start=way.start, current=way.current)


async def _edited(process: Process, run_id: str, actor: str) -> None:
    record = edited(process.run_orders.record(run_id))
    await process.run_orders.replay(run_id, actor=actor, record=record, reason="ordered")


async def _cancelled(process: Process, run_id: str) -> None:
    await process.run_orders.cancel(run_id, actor=PERSON, reason="ordered")


async def _taken_back(process: Process, run_id: str) -> None:
    await process.run_orders.take_back(run_id, actor=PERSON, reason="ordered")


async def _said(process: Process, effect: str, made: str | None) -> None:
    output = None if made is None else {"id": made}
    await process.effect_orders.settle(effect, done=made is not None, evidence="seen", output=output, actor=PERSON)


async def _closed(process: Process, case_id: str) -> None:
    await process.orders.close_case(case_id, resolution="settled by hand", actor=PERSON)
