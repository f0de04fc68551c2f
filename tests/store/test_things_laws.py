"""Whatever is tied, untied, merged, split and moved: every id names one thing, and the history tells how that came."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from hub.errors import HubError
from hub.model.thing import PairState
from hub.proof.simulation.alike import replayed
from hub.store import crossrefs, hierarchy, matches, merges, pairs, things
from hub.store.committer import Transaction, whole
from hub.store.tables import metadata
from hub.store.things import By

SYSTEMS = ("erp", "crm", "billing")
ids = st.tuples(st.sampled_from(SYSTEMS), st.sampled_from("abcd"))
keys = st.lists(st.sampled_from(("k1", "k2", "k3")), max_size=2, unique=True)
NONE: tuple[str, str] | None = None


class Things(RuleBasedStateMachine):
    """Orders of people and steps of runs, one after the other, each in a transaction of its own."""

    def __init__(self) -> None:
        super().__init__()
        engine = create_engine("sqlite://", poolclass=StaticPool)
        metadata.create_all(engine)
        self.connection = engine.connect()
        self.number = 0
        self.merges: list[str] = []

    def teardown(self) -> None:
        self.connection.close()

    def by(self, change: str | None = None) -> By:
        return By(environment="t", entity="customer", actor="person:p_ada", change=change, reason="said so")

    def new(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}_{self.number:06}"

    @contextlib.contextmanager
    def transaction(self) -> Any:
        """Change something; a refusal changes nothing, and that it is one of the hub's own is all that is asked."""
        transaction = Transaction(connection=self.connection, now=self.number)
        with contextlib.suppress(HubError), whole(transaction):
            yield transaction
        self.connection.commit()

    def thing(self, record: tuple[str, str]) -> str | None:
        return things.named(self.connection, environment="t", entity="customer", system=record[0], id=record[1])

    @initialize()
    def begin(self) -> None:
        self.tie({"erp": "a", "crm": "a"}, replace=False, run=None, parent=None, places=False)

    @rule(
        named=st.dictionaries(st.sampled_from(SYSTEMS), st.sampled_from("abcd"), min_size=1),
        replace=st.booleans(),
        run=st.sampled_from((None, "run_1", "run_2")),
        parent=st.one_of(st.none(), ids),
        places=st.booleans(),
    )
    def tie(
        self,
        named: dict[str, str],
        *,
        replace: bool,
        run: str | None,
        parent: tuple[str, str] | None,
        places: bool,
    ) -> None:
        link = crossrefs.Link(
            environment="t",
            entity="customer",
            ids=named,
            thing=self.new("thing"),
            actor="person:p_ada",
            replace=replace and run is None,
            line=[run] if run else (),
            path="link" if run else None,
            places=places,
            parent=parent,
            parent_thing=self.new("thing"),
        )
        with self.transaction() as transaction:
            crossrefs.put(transaction, link)
            for system, id in named.items():
                assert self.thing((system, id)) == self.thing(next(iter(named.items())))

    @rule(run=st.sampled_from(("run_1", "run_2")))
    def take_back(self, run: str) -> None:
        with self.transaction() as transaction:
            crossrefs.undo(transaction, crossrefs.Unlink(line=[run], path="link", actor="worker"))

    @rule(record=ids)
    def untie(self, record: tuple[str, str]) -> None:
        with self.transaction() as transaction:
            crossrefs.untie(transaction, self.by(), *record)

    @rule(one=ids, other=ids)
    def merge(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        into, gone = self.thing(one), self.thing(other)
        if into is None or gone is None or into == gone:
            return
        change, before = self.new("merge"), self.all_ids()
        with self.transaction() as transaction:
            merges.absorb(transaction, self.by(change), into=into, gone=gone)
            self.merges.append(change)
            assert self.thing(other) == into
        assert self.all_ids() == before

    @rule(data=st.data())
    def split(self, data: st.DataObject) -> None:
        if not self.merges:
            return
        change, before = data.draw(st.sampled_from(self.merges)), self.all_ids()
        with self.transaction() as transaction:
            merges.split(transaction, self.by(change))
        assert self.all_ids() == before

    @rule(one=ids, other=ids)
    def merge_and_split(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        """What is merged and split at once names what it named before, and stands where it stood."""
        into, gone = self.thing(one), self.thing(other)
        if into is None or gone is None or into == gone:
            return
        before, change = self.everything(), self.new("merge")
        with self.transaction() as transaction:
            merges.absorb(transaction, self.by(change), into=into, gone=gone)
            merges.split(transaction, self.by(change))
        assert self.everything() == before

    @rule(one=ids, other=st.one_of(st.none(), ids))
    def move(self, one: tuple[str, str], other: tuple[str, str] | None) -> None:
        thing, parent = self.thing(one), None if other is None else self.thing(other)
        if thing is None or (other is not None and parent is None):
            return
        with self.transaction() as transaction:
            hierarchy.move(transaction, self.by(), thing, parent)

    @rule(record=ids)
    def prefer(self, record: tuple[str, str]) -> None:
        thing = self.thing(record)
        if thing is None:
            return
        with self.transaction() as transaction:
            tie = next(tie for tie in self.of(thing) if (tie.system, tie.id) == record)
            things.prefer(transaction, self.by(), tie)
            found = crossrefs.find(
                self.connection, environment="t", entity="customer", system=record[0], id=record[1], want=record[0]
            )
            assert found == record[1]

    @rule(record=ids, named=keys, same=st.booleans())
    def compare(self, record: tuple[str, str], named: list[str], *, same: bool) -> None:
        found = [matches.Key(name="key", value=value, same=same) for value in named]
        match = matches.Match(
            by=self.by(),
            policy="p",
            version=1,
            system=record[0],
            id=record[1],
            record={"keys": named},
            keys=found,
            thing=self.new("thing"),
            change=self.new("merge"),
        )
        with self.transaction() as transaction:
            matches.compare(transaction, match)

    @rule(data=st.data(), same=st.booleans())
    def decide(self, data: st.DataObject, *, same: bool) -> None:
        asked = pairs.waiting(self.connection, "t", entity="customer", state=PairState.OPEN, limit=99)
        if not asked:
            return
        pair = data.draw(st.sampled_from(sorted(row["pair"] for row in asked)))
        change = self.new("merge")
        with self.transaction() as transaction:
            matches.decide(
                transaction,
                self.by(change if same else None),
                pair,
                PairState.SAME if same else PairState.DIFFERENT,
            )
            self.merges.append(change)
            row = pairs.find(self.connection, "t", pair)
            assert row is not None
            assert row["state"] != PairState.OPEN
            one, other = pairs.things_of(self.connection, row)
            assert (one == other) == same

    def of(self, thing: str) -> list[things.Tie]:
        return things.ids_of(self.connection, environment="t", entity="customer", thing=thing)

    def all_ids(self) -> set[tuple[str, str]]:
        rows = self.connection.exec_driver_sql("SELECT system, id FROM crossrefs").all()
        return {(system, id) for system, id in rows}

    def everything(self) -> tuple[Any, ...]:
        ties = self.connection.exec_driver_sql("SELECT system, id, thing, rank FROM crossrefs").all()
        tree = self.connection.exec_driver_sql("SELECT thing, parent FROM parents").all()
        # Gaps between ranks mean nothing, their order does.
        placed: dict[tuple[str, str], list[tuple[int, str]]] = {}
        for system, id, thing, rank in ties:
            placed.setdefault((thing, system), []).append((rank, id))
        order = {key: [id for _, id in sorted(found)] for key, found in placed.items()}
        return order, sorted(map(tuple, tree))

    @invariant()
    def each_thing_has_one_primary_id_in_a_system(self) -> None:
        found: dict[tuple[str, str], list[int]] = {}
        for system, thing, rank in self.connection.exec_driver_sql("SELECT system, thing, rank FROM crossrefs"):
            found.setdefault((thing, system), []).append(rank)
        assert all(min(ranks) == 0 and len(set(ranks)) == len(ranks) for ranks in found.values())

    @invariant()
    def every_alias_finds_the_primary_id(self) -> None:
        rows = self.connection.exec_driver_sql("SELECT system, id, thing FROM crossrefs").all()
        first = self.connection.exec_driver_sql("SELECT thing, system, id FROM crossrefs WHERE rank = 0").all()
        primary = {(thing, system): id for thing, system, id in first}
        for system, id, thing in rows:
            for want in SYSTEMS:
                found = crossrefs.find(
                    self.connection, environment="t", entity="customer", system=system, id=id, want=want
                )
                assert found == primary.get((thing, want))

    @invariant()
    def the_history_replays_to_what_is(self) -> None:
        rows = things.history(self.connection, "t")
        state = replayed(rows)
        assert state.torn == ""
        ties = self.connection.exec_driver_sql("SELECT system, id, thing, rank FROM crossrefs").all()
        assert state.ids == {(system, id): (thing, rank) for system, id, thing, rank in ties}
        assert state.parents == dict(map(tuple, self.connection.exec_driver_sql("SELECT thing, parent FROM parents")))
        assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))

    @invariant()
    def nothing_stands_above_itself(self) -> None:
        above = dict(map(tuple, self.connection.exec_driver_sql("SELECT thing, parent FROM parents").all()))
        for thing in above:
            seen, at = {thing}, above.get(thing)
            while at is not None:
                assert at not in seen
                seen.add(at)
                at = above.get(at)
            assert len(seen) <= hierarchy.MOST_LEVELS

    @invariant()
    def only_what_has_an_id_stands_in_the_tree(self) -> None:
        named = {thing for (thing,) in self.connection.exec_driver_sql("SELECT thing FROM crossrefs")}
        for thing, parent in self.connection.exec_driver_sql("SELECT thing, parent FROM parents"):
            assert {thing, parent} <= named


Things.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestThings = Things.TestCase
