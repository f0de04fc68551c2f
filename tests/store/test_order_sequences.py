"""Orders, a worker and time in any sequence on a real database: every change of a run and of a write is a legal one.

The worker here does what an engine may do at the store: claim, open intents, record outcomes, wait, park, end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, insert, select

from hub.errors import Conflict, ConnectionPaused, HubError, OnHold, ToldToStop
from hub.model.effect import EFFECT_CHANGES, EffectState
from hub.model.hold import HoldKind
from hub.model.run import GOING_STATES, OPEN_STATES, RUN_CHANGES, WORKING_STATES, RunState, Stopping, WaitKind
from hub.store import connections, hold_orders, run_orders, stopping
from hub.store.claims import Claim
from hub.store.committer import Transaction
from hub.store.database import Database
from hub.store.events import queue
from hub.store.held import held, hold_over
from hub.store.history import Awaited, Record
from hub.store.replays import Anew, Replay, highest_generation, replay, written
from hub.store.runs import recover
from hub.store.settlements import Settlement, Verdict, settle
from hub.store.tables import effects, events, runs
from tests.store.test_committer import event

ADA = "person:p_ada"
HERE: dict[str, Any] = {"environment": "test"}
KEYS = ("a", "b")
THINGS = [(HoldKind.FLOW, "tested", ""), *((HoldKind.KEY, "tested", key) for key in KEYS)]


pytestmark = pytest.mark.timeout(300)


class Orders(RuleBasedStateMachine):
    """One flow of two keys; a run writes at most twice."""

    folder = TemporaryDirectory()
    shared: ClassVar[list[Connection]] = []

    def __init__(self) -> None:
        """Begin in a transaction that is thrown away at the end."""
        super().__init__()
        if not Orders.shared:
            Orders.shared.append(Database(Path(Orders.folder.name)).writer.connect())
        self.connection = Orders.shared[0]
        self.connection.rollback()
        self.whole = self.connection.begin()
        self.now = 1_000_000
        self.number = 0
        self.states: dict[str, RunState] = {}
        self.written: dict[str, EffectState] = {}
        self.hands: dict[str, int] = {}

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.whole.rollback()

    # --- what the machine sees ------------------------------------------------------------------

    def rows(self, *which: Any) -> list[Mapping[str, Any]]:
        found = self.connection.execute(select(runs).where(*which).order_by(runs.c.position, runs.c.id))
        return [dict(row._mapping) for row in found]

    def run(self, choice: int, *states: RunState) -> str | None:
        """Choose one of the latest runs in these states (none named: any)."""
        wanted = [state.value for state in states or tuple(RunState)]
        found = self.rows(runs.c.state.in_(wanted), runs.c.replaced_by.is_(None))
        return found[choice % len(found)]["id"] if found else None

    def effects_of(self, run_id: str, *states: EffectState) -> list[Mapping[str, Any]]:
        found = self.connection.execute(
            select(effects).where(effects.c.run_id == run_id, effects.c.state.in_([state.value for state in states]))
        )
        return [dict(row._mapping) for row in found]

    def held(self, run: Mapping[str, Any]) -> bool:
        named = {"run": run["id"], "flow": run["flow"], "key": run["key"], "parent_run": None}
        return hold_over(self.connection, held(self.connection, "test"), **named) is not None

    def new(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}_{self.number:05}"

    @contextmanager
    def work(self) -> Iterator[Transaction]:
        """Do one thing as the committer does: whole or not at all."""
        self.now += 1
        transaction = Transaction(connection=self.connection, now=self.now)
        savepoint = self.connection.begin_nested()
        try:
            yield transaction
        except BaseException:
            savepoint.rollback()
            raise
        savepoint.commit()

    def order(self, carry_out: Callable[[Transaction], Any]) -> Any:
        """Give an order; one that does not fit is refused in words, and changes nothing."""
        try:
            with self.work() as transaction:
                return carry_out(transaction)
        except Conflict as error:
            refused = error
        assert len(refused.detail.split()) > 3
        return None

    def record(self, run_id: str, **what: Any) -> Any:
        with self.work() as transaction:
            (result,) = Record.apply([Record(run_id=run_id, epoch=self.hands[run_id], **what)], transaction)
        return result

    def told(self, run_id: str) -> Stopping | None:
        """Give what a run was told to do, as a worker that heard of it records it."""
        (run,) = self.rows(runs.c.id == run_id)
        return None if run["stopping"] is None else Stopping(run["stopping"])

    # --- events, the worker, and crashes ---------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """Know the connection."""
        with self.work() as transaction:
            connections.set_state(transaction, name="vendor", state="active", reason="", actor=ADA, **HERE)
        for key in ("a", "a", "b"):
            self.arrive(key=key)

    @rule(
        choice=some.integers(0, 9),
        path=some.sampled_from(["first", "second"]),
        came=some.sampled_from(["done", "done", "failed", "unknown", "parked"]),
        how=some.sampled_from(["succeed", "succeed", "later", "hold", "park"]),
        parts=some.lists(some.sampled_from(["claim", "intend", "answer", "rest", "wind up"]), max_size=3)
        | some.just(["claim", "intend", "answer", "rest", "wind up"]),
    )
    def worker(self, choice: int, path: str, came: str, how: str, parts: list[str]) -> None:
        """A worker does some of what it does with a run, or all of it."""
        for part in parts:
            match part:
                case "claim":
                    self.claim(limit=choice % 4 + 1)
                case "intend":
                    self.intend(choice, path)
                case "answer":
                    self.answer(choice, came)
                case "rest":
                    self.rest(choice, how)
                case _:
                    self.wind_up(choice, could=choice != 0)
            self.runs_change_legally()
            self.writes_change_legally()

    @rule(
        what=some.sampled_from(
            ["hold", "resume", "switch", "cancel", "take back", "replay", "replay", "anew", "settle"]
        ),
        choice=some.integers(0, 9),
        flag=some.booleans(),
        thing=some.sampled_from(THINGS),
    )
    def person(self, what: str, choice: int, flag: bool, thing: tuple[HoldKind, str, str]) -> None:  # noqa: FBT001 - drawn
        """Somebody gives an order."""
        match what:
            case "hold":
                self.hold(thing, choice, run=flag)
            case "resume":
                self.resume(choice)
            case "switch":
                self.switch("paused" if flag else "active")
            case "cancel" | "take back":
                self.stop(choice, back=what == "take back")
            case "replay" | "anew":
                self.replay(choice, from_failure=flag, anew=what == "anew")
            case _:
                self.settle(choice, Verdict.DONE if flag else Verdict.NOT_APPLIED)

    @rule(time=some.integers(0, 10), crashes=some.booleans())
    def pass_time(self, time: int, crashes: bool) -> None:  # noqa: FBT001 - drawn
        """Timers come due; now and then the process ends and begins again."""
        self.now += time
        if crashes:
            self.crash()

    @rule(key=some.sampled_from(KEYS))
    def arrive(self, key: str) -> None:
        """An event starts a run."""
        id = self.new("run")
        row: dict[str, Any] = {
            "id": id,
            **HERE,
            "entity": None,
            "flow": "tested",
            "bundle": "b",
            "event_id": f"event_{id}",
            "key": key,
        }
        row |= {"business_key": id, "state": "queued", "blocking": True, "claimable_at": self.now, "epoch": 0}
        row |= {"generation": 0, "created_at": self.now, "updated_at": self.now, "priority": 20}
        with self.work() as transaction:
            transaction.connection.execute(insert(events), event(self.number) | {"id": f"event_{id}"})
            queue(transaction, [row])

    def claim(self, limit: int) -> None:
        """A worker takes what may be taken: nothing held, and of each key the first."""
        before = {row["id"]: row for row in self.rows()}
        with self.work() as transaction:
            taken = Claim(environment="test", owner="w", limit=limit).take(transaction)
        for claimed in taken.runs:
            run = claimed.run
            self.hands[run["id"]] = run["epoch"]
            assert run["stopping"] is not None or not self.held(run)
            earlier = [
                row
                for row in before.values()
                if row["key"] == run["key"] and row["blocking"] and row["position"] < run["position"]
            ]
            assert earlier == []
        keys = [row["key"] for row in self.rows(runs.c.state.in_([state.value for state in WORKING_STATES]))]
        assert len(keys) == len(set(keys))

    def in_hand(self, choice: int, *, winding: bool) -> str | None:
        found = [
            row["id"]
            for row in self.rows(runs.c.state.in_([state.value for state in WORKING_STATES]))
            if (row["stopping"] is not None) is winding
        ]
        return found[choice % len(found)] if found else None

    def intend(self, choice: int, path: str) -> None:
        """A run in hand opens an intent; what people hold or have told to stop opens none."""
        run_id = self.in_hand(choice, winding=choice % 2 == 1)
        if run_id is None or self.effects_of(run_id, EffectState.INTENT, EffectState.UNKNOWN, EffectState.PARKED):
            return
        (run,) = self.rows(runs.c.id == run_id)
        key = f"{run['business_key']}.{path}.{run['generation']}"
        paused = "vendor" in held(self.connection, "test").connections
        result = self.record(run_id, intents=[self.intent(key, run, path)])
        if run["stopping"] is not None:
            assert isinstance(result, ToldToStop)
        elif self.held(run):
            assert isinstance(result, OnHold)
        elif paused:
            assert isinstance(result, ConnectionPaused)
        else:
            assert not isinstance(result, HubError)
        opened = self.effects_of(run_id, EffectState.INTENT)
        assert bool(opened) is (result is None)

    def intent(self, key: str, run: Mapping[str, Any], path: str) -> dict[str, Any]:
        row = dict.fromkeys(column.name for column in effects.c if not column.server_default)
        names = ("environment", "business_key", "generation")
        return (
            row
            | {name: run[name] for name in names}
            | {
                "key": key,
                "connection": "vendor",
                "operation": "thing.write",
                "idempotency": "unsafe",
                "path": path,
                "run_id": run["id"],
                "state": "intent",
                "method": "POST",
                "url": "https://vendor.example/",
                "headers": "{}",
                "body": b"",
                "body_hash": "hash",
                "created_at": self.now,
            }
        )

    def answer(self, choice: int, state: str) -> None:
        """It becomes known, or not, what became of a write of a run in hand; also of one that winds up."""
        run_id = self.in_hand(choice, winding=choice % 2 == 1)
        open_ = self.effects_of(run_id, EffectState.INTENT, EffectState.UNKNOWN) if run_id else []
        if run_id is None or not open_:
            return
        outcome = {"key": open_[0]["key"], "state": state, "sent_at": self.now, "reason": None}
        outcome |= {"output": '{"id":"1"}' if state == "done" else None, "finished_at": self.now}
        outcome |= {"status": None, "repeats": 0, "renewals": 0, "version": None}
        self.record(run_id, outcomes=[outcome], winding_up=self.told(run_id))

    def rest(self, choice: int, how: str) -> None:
        """A run in hand ends, waits or parks; one that was told to stop hears of it instead."""
        run_id = self.in_hand(choice, winding=False)
        if run_id is None:
            return
        (run,) = self.rows(runs.c.id == run_id)
        doubtful = self.effects_of(run_id, EffectState.INTENT, EffectState.UNKNOWN)
        if how == "succeed" and (doubtful or self.effects_of(run_id, EffectState.PARKED)):
            return
        if how == "hold" and not self.held(run):
            return
        change: dict[str, Any] = {"state": RunState.SUCCEEDED.value, "blocking": False, "finished_at": self.now}
        waits: tuple[Any, ...] = ()
        if how == "later":
            change = {
                "state": "waiting",
                "wait_kind": "timer",
                "wait_until": self.now + 5,
                "claimable_at": self.now + 5,
            }
        elif how == "hold":
            refused = self.record(run_id, sends_again=True)
            assert isinstance(refused, OnHold)
            change = {"state": "waiting", "wait_kind": WaitKind.HOLD.value, "wait_until": None, "claimable_at": None}
            waits = (Awaited(topic=str(refused.on), come=refused.come),)
        elif how == "park":
            change = {"state": "parked", "reason": "stopped"}
        self.record(run_id, change=change, waits=waits)

    def wind_up(self, choice: int, *, could: bool) -> None:
        """A run that was told to stop does so once nothing of it is unknown, or parks where it cannot."""
        run_id = self.in_hand(choice, winding=True)
        if run_id is None:
            return
        (run,) = self.rows(runs.c.id == run_id)
        if run["stopping"] == Stopping.COMPENSATE and run["state"] == RunState.RUNNING:
            with self.work() as transaction:
                stopping.begin_to_take_back(transaction, run_id, epoch=self.hands[run_id])
            return
        doubtful = run_orders.in_doubt(self.connection, run)
        if any(effect["state"] != EffectState.PARKED for effect in doubtful):
            return
        if doubtful or not could:
            self.record(run_id, change={"state": "parked", "reason": "could-not"}, winding_up=self.told(run_id))
            return
        end = RunState.CANCELLED if run["stopping"] == Stopping.CANCEL else RunState.COMPENSATED
        change = {"state": end.value, "blocking": False, "finished_at": self.now}
        self.record(run_id, change=change, winding_up=self.told(run_id))

    def crash(self) -> None:
        """The process ends and begins again."""
        with self.work() as transaction:
            recover(transaction, environment="test", actor="w")
        self.hands.clear()

    # --- people -----------------------------------------------------------------------------------

    def hold(self, thing: tuple[HoldKind, str, str], choice: int, *, run: bool) -> None:
        """Somebody holds the flow, a key or a run."""
        kind, name, key = thing
        chosen = self.run(choice) if run else None
        if chosen is not None:
            kind, name, key = HoldKind.RUN, chosen, ""
        given: dict[str, Any] = {"kind": kind, "name": name, "key": key, "reason": "why", "actor": ADA}
        self.order(lambda transaction: hold_orders.place(transaction, new_id=self.new("hold"), **HERE, **given))

    def resume(self, choice: int) -> None:
        """Somebody resumes one of what is held."""
        found = held(self.connection, "test")
        things = [(HoldKind.RUN, run, "") for run in found.runs]
        things += [(HoldKind.KEY, flow, key) for flow, key in found.keys]
        things += [(HoldKind.FLOW, flow, "") for flow in found.flows]
        if things:
            kind, name, key = things[choice % len(things)]
            given: dict[str, Any] = {"kind": kind, "name": name, "key": key, "reason": "", "actor": ADA}
            with self.work() as transaction:
                hold_orders.lift(transaction, **HERE, **given)

    def switch(self, state: str) -> None:
        """Somebody pauses or resumes the connection."""
        with self.work() as transaction:
            connections.set_state(transaction, name="vendor", state=state, reason="why", actor=ADA, **HERE)

    def stop(self, choice: int, *, back: bool) -> None:
        """Somebody ends a run or has it taken back; the same order again changes nothing."""
        run_id = self.run(choice)
        if run_id is None:
            return
        carry_out = run_orders.take_back if back else run_orders.cancel
        state = self.order(lambda transaction: carry_out(transaction, run_id, actor=ADA, reason="why"))
        if state is None:
            return
        (after,) = self.rows(runs.c.id == run_id)
        assert after["state"] == state
        assert after["stopping"] is not None or state is RunState.CANCELLED or after["state"] == RunState.COMPENSATING
        if state is RunState.CANCELLED:
            assert run_orders.in_doubt(self.connection, after) == []
        assert self.order(lambda transaction: carry_out(transaction, run_id, actor=ADA, reason="why")) == state
        assert self.rows(runs.c.id == run_id) == [after]

    def replay(self, choice: int, *, from_failure: bool, anew: bool) -> None:
        """Somebody replays a run, as it was or with new effects."""
        run_id = self.run(choice)
        if run_id is None:
            return
        (before,) = self.rows(runs.c.id == run_id)
        order = Replay(new_id=self.new("run"), actor=ADA, go_on=from_failure)
        if anew:
            there = [each["key"] for each in written(self.connection, before)]
            higher = highest_generation(self.connection, before) + 1
            order = dataclasses.replace(order, go_on=False, anew=Anew(confirmed=there, generation=higher))
        new_id = self.order(lambda transaction: replay(transaction, run_id, order))
        if new_id is None:
            return
        (made,) = self.rows(runs.c.id == new_id)
        assert (made["position"], made["key"], made["ordered_by"]) == (before["position"], before["key"], ADA)
        assert made["generation"] == before["generation"] or (anew and made["generation"] > before["generation"])
        assert RunState(before["state"]) not in GOING_STATES

    def settle(self, choice: int, verdict: Verdict) -> None:
        """Somebody says what became of a write."""
        found = list(self.connection.execute(select(effects.c.key).order_by(effects.c.key)).scalars())
        if not found:
            return
        said = Settlement(
            verdict=verdict, output={"id": "1"} if verdict is Verdict.DONE else None, evidence="seen", actor=ADA
        )
        key = found[choice % len(found)]
        self.order(lambda transaction: settle(transaction, key, said, **HERE, new_id=self.new("run")))

    # --- what always holds ------------------------------------------------------------------------

    @invariant()
    def runs_change_legally(self) -> None:
        """No sequence of orders brings a run where it may not go."""
        for row in self.rows():
            state = RunState(row["state"])
            before = self.states.get(row["id"], state)
            assert state is before or state in RUN_CHANGES[before], (row["id"], before, state)
            self.states[row["id"]] = state

    @invariant()
    def writes_change_legally(self) -> None:
        """Nothing is known once and unknown later, and what is done stays done."""
        for key, word in self.connection.execute(select(effects.c.key, effects.c.state)):
            state = EffectState(word)
            before = self.written.get(key, state)
            assert state is before or state in EFFECT_CHANGES[before], (key, before, state)
            self.written[key] = state

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """What goes on by itself has a time, a hand, or something in force that it waits for."""
        found = held(self.connection, "test")
        every = self.rows(runs.c.replaced_by.is_(None))
        for row in every:
            state = RunState(row["state"])
            assert (row["replaced_by"] is None) or state not in GOING_STATES
            if state not in (RunState.QUEUED, RunState.WAITING) or row["claimable_at"] is not None:
                continue
            if row["wait_kind"] == WaitKind.ORDER:
                alike = [other for other in every if other["key"] == row["key"] and other["id"] != row["id"]]
                earlier = [each for each in alike if each["blocking"] and each["position"] < row["position"]]
                later = [each for each in alike if RunState(each["state"]) in WORKING_STATES]
                assert earlier or ((row["replay_of"] or row["stopping"]) and later), row
            else:
                topics = {found_topic for found_topic, _ in _topics(found)}
                assert row["wait_on"] in topics, row

    @invariant()
    def what_has_ended_holds_nobody_back(self) -> None:
        """Only open runs block their key, and only one run of a chain stands for it."""
        for row in self.rows(runs.c.blocking):
            assert RunState(row["state"]) in OPEN_STATES and row["replaced_by"] is None


def _topics(found: Any) -> Iterator[tuple[str, str]]:
    for run in found.runs:
        yield f"hold:run:{run}:", ""
    for flow, key in found.keys:
        yield f"hold:key:{flow}:{key}", ""
    for flow in found.flows:
        yield f"hold:flow:{flow}:", ""


TestOrders = Orders.TestCase
#: 60 sequences; HYPOTHESIS_PROFILE=thorough tries many more.
TestOrders.settings = settings(max_examples=settings().max_examples * 3 // 5, stateful_step_count=40)
