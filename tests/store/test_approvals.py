"""Approvals in the store against a model that keeps them in plain dicts: whoever comes first, and whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from hub.errors import Conflict, HubError, NotAllowed, NotFound, StaleLease
from hub.model.approval import LIVE_STATES, ApprovalState, Lapse, Verdict
from hub.sdk import exact_json
from hub.store import approvals as store
from hub.store.account_tables import people
from hub.store.committer import Transaction
from hub.store.control_tables import approval_votes
from hub.store.database import Database
from hub.store.tables import runs

HOUR = 3_600_000_000
PEOPLE = ("p_ann", "p_ben", "p_cem", "p_dot")
ROLES = ("approver", "controller", "viewer")


@dataclass
class Known:
    """What the model knows of one approval."""

    run: str
    path: str
    record: str
    needed: int
    roles: list[str]
    began: set[str]
    state: str = "pending"
    agreed: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    deadline: int | None = None
    escalate_at: int | None = None
    escalate_to: str | None = None
    escalated: bool = False
    valid_for: int | None = None
    valid_until: int | None = None
    reason: str | None = None


def run_row(id: str, **more: Any) -> dict[str, Any]:
    """Give the row of a run that waits."""
    return {
        "id": id,
        "position": 1,
        "environment": "test",
        "flow": "tested",
        "bundle": "b1",
        "event_id": "event_1",
        "key": "k",
        "business_key": "thing:1",
        "state": "waiting",
        "blocking": True,
        "epoch": 1,
        "generation": 0,
        "created_at": 1,
        "updated_at": 1,
        **more,
    }


def asked_row(id: str, known: Known) -> dict[str, Any]:
    """Give the row with which something is asked."""
    return {
        "id": id,
        "environment": "test",
        "entity": None,
        "flow": "tested",
        "run_id": known.run,
        "path": known.path,
        "business_key": "thing:1",
        "policy": "large",
        "version": 1,
        "rule": "large",
        "bundle": "b1",
        "needed": known.needed,
        "roles": exact_json.dumps(known.roles).decode(),
        "record": "{}",
        "record_hash": known.record,
        "money_minor": 100,
        "money_currency": "EUR",
        "deadline_at": known.deadline,
        "escalate_at": known.escalate_at,
        "escalate_to": known.escalate_to,
        "valid_for": known.valid_for,
    }


class Desk(RuleBasedStateMachine):
    """People, runs and time in any order; what the store says is what the model says."""

    folder = TemporaryDirectory()
    shared: ClassVar[list[Connection]] = []
    asked = Bundle("asked")

    def __init__(self) -> None:
        """Begin in a transaction that is thrown away at the end."""
        super().__init__()
        if not Desk.shared:
            Desk.shared.append(Database(Path(Desk.folder.name)).writer.connect())
        self.connection = Desk.shared[0]
        # One that was broken off in between is taken back here.
        self.connection.rollback()
        self.whole = self.connection.begin()
        self.now = HOUR
        self.number = 0
        self.known: dict[str, Known] = {}
        self.role: dict[str, str] = {}
        self.disabled: dict[str, bool] = {}
        self.entries = 0
        self.expected = 0

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.whole.rollback()

    @contextmanager
    def work(self) -> Iterator[Transaction]:
        """Do one order as the committer does: whole or not at all."""
        transaction = Transaction(connection=self.connection, now=self.now)
        savepoint = self.connection.begin_nested()
        try:
            yield transaction
        except BaseException:
            savepoint.rollback()
            raise
        savepoint.commit()
        self.entries += len(transaction.entries)

    @initialize()
    def begin(self) -> None:
        """Have people of both roles, and two runs."""
        for number, id in enumerate(PEOPLE):
            self.role[id], self.disabled[id] = ROLES[number % 2], False
            row = {"id": id, "email": f"{id}@example.com", "name": id, "password": "x", "created_at": 1}
            self.connection.execute(insert(people), {**row, "role": self.role[id], "disabled": False})
        self.connection.execute(insert(runs), [run_row("run_1"), run_row("run_2")])

    def actors(self, known: Known) -> set[str]:
        """Give who has agreed and may still."""
        return {each for each in known.agreed if not self.disabled[each] and self.role[each] in known.roles}

    @rule(
        target=asked,
        run=some.sampled_from(["run_1", "run_2"]),
        path=some.sampled_from(["ok", "lines[1].ok", "lines[2].ok"]),
        record=some.sampled_from(["one", "one", "one", "two"]),
        needed=some.sampled_from([1, 1, 2, 2, 3]),
        role=some.sampled_from([["approver"], ["approver", "controller"], ["approver", "controller"]]),
        began=some.sampled_from([set(), set(), {"p_ann"}, {"p_ben", "p_cem"}]),
        deadline=some.sampled_from([None, 2, 4, 6]),
        escalate=some.sampled_from([1, 2, 3, None]),
        valid=some.sampled_from([1, 2, 4, None]),
    )
    def ask(
        self,
        run: str,
        path: str,
        record: str,
        needed: int,
        role: list[str],
        began: set[str],
        deadline: int | None,
        escalate: int | None,
        valid: int | None,
    ) -> Any:
        """A run asks; the same asked again is the same, and another record takes its place."""
        self.number += 1
        id = f"approval_{self.number:04}"
        fresh = Known(
            run=run,
            path=path,
            record=record,
            needed=needed,
            roles=list(role),
            began=began,
            deadline=None if deadline is None else self.now + deadline * HOUR,
            escalate_at=None if escalate is None else self.now + escalate * HOUR,
            escalate_to=None if escalate is None else "controller",
            valid_for=None if valid is None else valid * HOUR,
        )
        before = next(
            (name for name, each in self.known.items()
             if (each.run, each.path) == (run, path) and each.state in LIVE_STATES),
            None,
        )  # fmt: skip
        with self.work() as transaction:
            stands = store.ask(
                transaction,
                asked_row(id, fresh),
                epoch=1,
                began={f"person:{each}" for each in began},
                actor="worker_1",
            )
        if before is not None and self.known[before].record == record:
            assert stands["id"] == before
            return multiple()
        if before is not None:
            self.known[before].state, self.known[before].reason = "void", "record-changed"
            self.expected += 1
        assert stands["id"] == id
        self.known[id] = fresh
        self.expected += 1
        return id

    @rule(id=asked)
    def everybody_agrees(self, id: str) -> None:
        """One after the other, as far as each may."""
        for person in PEOPLE:
            self.vote(id, person, agrees=True)

    @rule(id=asked, person=some.sampled_from(PEOPLE), agrees=some.sampled_from([True, True, True, False]))
    def vote(self, id: str, person: str, agrees: bool) -> None:  # noqa: FBT001 - drawn
        """Somebody agrees or refuses; only what is allowed changes anything."""
        known = self.known[id]
        verdict = Verdict.AGREED if agrees else Verdict.REFUSED
        wrong: type[HubError] | None = None
        if known.state != "pending" or (known.deadline is not None and known.deadline <= self.now):
            wrong = Conflict
        elif person in known.began or self.disabled[person] or self.role[person] not in known.roles:
            wrong = NotAllowed
        elif person in known.agreed | known.refused:
            wrong = Conflict
        if wrong is not None:
            with pytest.raises(wrong), self.work() as transaction:
                store.vote(transaction, id, environment="test", actor=f"person:{person}", verdict=verdict)
            return
        with self.work() as transaction:
            stands = store.vote(transaction, id, environment="test", actor=f"person:{person}", verdict=verdict)
        self.expected += 1
        if not agrees:
            known.state = "refused"
            known.refused.add(person)
        else:
            known.agreed.add(person)
            self.counted(known)
        assert stands["state"] == known.state

    @rule(id=asked, hours=some.sampled_from([1, 2, 3, 0]))
    def a_run_looks(self, id: str, hours: int) -> None:
        """A run is woken by its timer, twice, and sees whether its deadline has passed and who has answered."""
        self.now += hours * HOUR
        known = self.known[id]
        if known.state == "pending" and known.deadline is not None and known.deadline <= self.now:
            known.state = "expired"
            self.expected += 1
        due = known.escalate_at is not None and known.escalate_at <= self.now
        if known.state == "pending" and due and not known.escalated:
            assert known.escalate_to is not None
            known.escalated = True
            if known.escalate_to not in known.roles:
                known.roles.append(known.escalate_to)
            self.expected += 1
            self.counted(known)
        for _ in range(2):
            with self.work() as transaction:
                assert store.expire(transaction, id, actor="worker_1")["state"] == known.state
            with self.work() as transaction:
                assert list(store.roles_of(store.escalate(transaction, id, actor="worker_1"))) == known.roles

    @rule(id=asked, chance=some.integers(1, 9))
    def void(self, id: str, chance: int) -> None:
        """A run finds that it no longer holds; seldom, so that most live long enough."""
        known = self.known[id]
        if chance != 7:
            return
        with self.work() as transaction:
            store.void(transaction, id, lapse=Lapse.AMOUNT_ROSE, actor="worker_1")
        if known.state in LIVE_STATES:
            known.state, known.reason = "void", "amount-rose"
            self.expected += 1

    @rule(person=some.sampled_from(PEOPLE), role=some.sampled_from(ROLES), disabled=some.booleans())
    def change_person(self, person: str, role: str, disabled: bool) -> None:  # noqa: FBT001 - drawn
        """Somebody leaves, comes back, or does something else."""
        self.role[person], self.disabled[person] = role, disabled
        self.connection.execute(update(people).where(people.c.id == person).values(role=role, disabled=disabled))
        with self.work() as transaction:
            store.recount(transaction, f"person:{person}", actor="local")
        for known in self.known.values():
            if person in known.agreed:
                self.counted(known)

    def counted(self, known: Known) -> None:
        """What waits and has enough agreement is granted, unless its time is over."""
        over = known.deadline is not None and known.deadline <= self.now
        if known.state == "pending" and not over and len(self.actors(known)) >= known.needed:
            known.state = "approved"
            known.valid_until = None if known.valid_for is None else self.now + known.valid_for
            self.expected += 1

    @rule(run=some.sampled_from(["run_1", "run_2"]), chance=some.integers(1, 9))
    def a_run_ends(self, run: str, chance: int) -> None:
        """Nobody is asked any more."""
        if chance != 7:
            return
        with self.work() as transaction:
            store.void_pending(transaction, run, actor="person:p_ann")
        for known in self.known.values():
            if known.run == run and known.state == "pending":
                known.state, known.reason = "void", "run-ended"
                self.expected += 1

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        """Every approval stands as it must, and every change was audited once."""
        assert self.entries == self.expected
        rows = {row["id"]: row for row in store.of_runs(self.connection, ["run_1", "run_2"])}
        cast = store.votes(self.connection, list(rows))
        assert set(rows) == set(self.known)
        for id, known in self.known.items():
            assert (rows[id]["state"], rows[id]["reason"]) == (known.state, known.reason)
            agreed = {each["actor"] for each in cast[id] if each["verdict"] == Verdict.AGREED}
            assert agreed == {f"person:{each}" for each in known.agreed}
            assert not known.agreed & known.began

    @invariant()
    def nothing_waits_for_a_vote_that_cannot_come(self) -> None:
        """What has enough agreement is granted, whoever came back or became what."""
        for known in self.known.values():
            over = known.deadline is not None and known.deadline <= self.now
            assert known.state != "pending" or over or len(self.actors(known)) < known.needed

    @invariant()
    def what_holds_is_told_right(self) -> None:
        """Only what was given, is not over, and is still backed by enough people holds."""
        found = store.lapses(self.connection, list(self.known), self.now)
        for id, known in self.known.items():
            if known.state != "approved":
                assert found[id] is Lapse.NOT_APPROVED
            elif known.valid_until is not None and known.valid_until <= self.now:
                assert found[id] is Lapse.VALIDITY_OVER
            elif len(self.actors(known)) < known.needed:
                assert found[id] is Lapse.APPROVER_LEFT
            else:
                assert id not in found


TestDesk = Desk.TestCase
#: What fails is not made smaller: each step goes to the database, and that would take minutes.
TestDesk.settings = settings(
    max_examples=20,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@pytest.fixture
def transaction(tmp_path: Path) -> Iterator[Callable[[], Transaction]]:
    """Give transactions over one store with two people and a run."""
    database = Database(tmp_path)
    with database.writer.connect() as connection, connection.begin():
        for id in ("p_ann", "p_ben"):
            row = {"id": id, "email": f"{id}@example.com", "name": id, "password": "x", "created_at": 1}
            connection.execute(insert(people), {**row, "role": "approver", "disabled": False})
        connection.execute(insert(runs), run_row("run_1", wait_kind="approval", wait_on="approval:approval_1"))
        known = Known(run="run_1", path="ok", record="one", needed=1, roles=["approver"], began={"p_ann"})
        first = Transaction(connection=connection, now=1)
        store.ask(first, asked_row("approval_1", known), epoch=1, began={"person:p_ann"}, actor="worker_1")
        yield lambda: Transaction(connection=connection, now=2)
    database.close()


def test_the_table_itself_lets_nobody_vote_on_their_own_work(transaction: Callable[[], Transaction]) -> None:
    """Whatever the code before it does: the key is taken by who began it, and by who has voted."""
    connection = transaction().connection
    row = {"approval_id": "approval_1", "verdict": "agreed", "role": "approver", "reason": None, "at": 2}
    savepoint = connection.begin_nested()
    with pytest.raises(IntegrityError):
        connection.execute(insert(approval_votes), {**row, "actor": "person:p_ann"})
    savepoint.rollback()
    connection.execute(insert(approval_votes), {**row, "actor": "person:p_ben"})
    savepoint = connection.begin_nested()
    with pytest.raises(IntegrityError):
        connection.execute(insert(approval_votes), {**row, "actor": "person:p_ben"})
    savepoint.rollback()
    with pytest.raises(IntegrityError):
        connection.execute(insert(approval_votes), {**row, "approval_id": "approval_gone", "actor": "person:p_ben"})


@pytest.mark.parametrize("actor", ["local", "worker_1", "person:p_gone", "p_ben", "person:"])
def test_who_is_no_person_votes_for_nothing(transaction: Callable[[], Transaction], actor: str) -> None:
    with pytest.raises(NotAllowed) as caught:
        store.vote(transaction(), "approval_1", environment="test", actor=actor, verdict=Verdict.AGREED)
    assert caught.value.code == "not-a-person"


def test_an_approval_is_of_one_environment(transaction: Callable[[], Transaction]) -> None:
    with pytest.raises(NotFound):
        store.vote(transaction(), "approval_1", environment="other", actor="person:p_ben", verdict=Verdict.AGREED)


@pytest.mark.parametrize("change", [{"state": "cancelled"}, {"state": "succeeded"}, {"replaced_by": "run_2"}])
def test_nobody_votes_for_a_run_that_is_gone(transaction: Callable[[], Transaction], change: dict[str, str]) -> None:
    """Also when nobody has voided what it asked."""
    voting = transaction()
    voting.connection.execute(update(runs).where(runs.c.id == "run_1").values(**change))
    with pytest.raises(Conflict) as caught:
        store.vote(voting, "approval_1", environment="test", actor="person:p_ben", verdict=Verdict.AGREED)
    assert caught.value.code == "run-ended"


def test_a_worker_that_lost_its_run_asks_nothing(transaction: Callable[[], Transaction]) -> None:
    known = Known(run="run_1", path="late", record="x", needed=1, roles=["approver"], began=set())
    with pytest.raises(StaleLease):
        store.ask(transaction(), asked_row("approval_2", known), epoch=0, began=(), actor="worker_0")
    assert store.find(transaction().connection, "approval_2") is None


def test_a_vote_that_settles_it_wakes_the_run(transaction: Callable[[], Transaction]) -> None:
    voting = transaction()
    stands = store.vote(
        voting, "approval_1", environment="test", actor="person:p_ben", verdict=Verdict.AGREED, reason="fine"
    )
    assert (stands["state"], voting.woken) == (ApprovalState.APPROVED, True)
    run = voting.connection.execute(select(runs)).one()
    assert (run.state, run.claimable_at, run.wait_on) == ("queued", 2, None)


def test_a_line_of_runs_goes_back_to_where_it_began(transaction: Callable[[], Transaction]) -> None:
    """Replays of replays, and sub-flows of either, end at the first run, and never go in circles."""
    connection = transaction().connection
    made = [
        run_row("run_2", replay_of="run_1", ordered_by="person:p_ann"),
        run_row("run_3", parent_run="run_2", parent_path="child"),
        run_row("run_4", replay_of="run_3", ordered_by="person:p_ben", parent_run="run_4"),
    ]
    for row in made:
        connection.execute(insert(runs), row)
    line = store.line_of(connection, made[2], callers=True)
    assert [row["id"] for row in line] == ["run_4", "run_3", "run_2", "run_1"]
    assert {row["ordered_by"] for row in line} == {"person:p_ben", "person:p_ann", None}
    assert [row["id"] for row in store.line_of(connection, made[2], callers=False)] == ["run_4", "run_3"]
