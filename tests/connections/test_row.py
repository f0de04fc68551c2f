"""The row: nobody is lost or served twice, the urgent go first, and flows and keys share evenly."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hub.connections.row import Row
from hub.model.limits import Asker
from hub.model.run import Priority
from hub.model.turns import EVERY, Turns


@dataclass(slots=True, eq=False)
class Waiter:
    asker: Asker
    gone: bool = False


ASKERS = st.builds(
    Asker, priority=st.sampled_from(list(Priority)), flow=st.sampled_from("abc"), key=st.sampled_from("xyz")
)


class RowMachine(RuleBasedStateMachine):
    """People join, leave, give way and are served; the model is a list."""

    def __init__(self) -> None:
        super().__init__()
        self.row: Row[Waiter] = Row()
        self.model: list[Waiter] = []
        self.passed: Counter[int] = Counter()

    @rule(asker=ASKERS, count=st.integers(1, 5))
    def join(self, asker: Asker, count: int) -> None:
        for _ in range(count):
            waiter = Waiter(asker)
            self.row.join(waiter)
            self.model.append(waiter)

    @rule(place=st.integers(0, 1000))
    def leave(self, place: int) -> None:
        if self.model:
            waiter = self.model.pop(place % len(self.model))
            waiter.gone = True
            self.row.left(waiter)

    @rule()
    def next(self) -> None:
        waiter = self.row.next()
        if waiter is None:
            assert not self.model
            return
        assert not waiter.gone
        waiter.gone = True
        alike = [each for each in self.model if each.asker == waiter.asker]
        assert alike[0] is waiter
        classes = {each.asker.priority for each in self.model}
        self.model.remove(waiter)
        if len(classes) > 1:
            # Turns of the first class while others waited: the tenth is left to them.
            self.passed[min(classes)] += 1 if waiter.asker.priority == min(classes) else -self.passed[min(classes)]
            assert self.passed[min(classes)] < EVERY

    @rule(asker=ASKERS)
    def gives_way(self, asker: Asker) -> None:
        waiter = self.row.gives_way(asker)
        worst = max((each.asker.priority for each in self.model), default=None)
        if waiter is None:
            assert worst is None or worst <= asker.priority
            return
        assert waiter in self.model
        assert waiter.asker.priority == worst
        assert waiter.asker.priority >= asker.priority
        if waiter.asker.priority == asker.priority:
            flows = Counter(each.asker.flow for each in self.model if each.asker.priority == worst)
            assert flows[waiter.asker.flow] > flows[asker.flow] + 1

    @invariant()
    def numbers_are_right(self) -> None:
        assert len(self.row) == len(self.model)
        assert dict(self.row.by_class()) == Counter(each.asker.priority for each in self.model)
        assert set(map(id, self.row)) == set(map(id, self.model))


TestRow = RowMachine.TestCase
TestRow.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_of_a_hundred_turns_each_class_has_its_part() -> None:
    turns = Turns()
    assert Counter(turns.choose(Priority) for _ in range(100)) == {10: 90, 20: 9, 30: 1}
    assert Counter(turns.choose([20, 30]) for _ in range(100)) == {20: 90, 30: 10}
    assert {turns.choose([30]) for _ in range(10)} == {30}


def test_flows_of_a_class_take_turns_by_name() -> None:
    turns = Turns()
    assert [turns.next_of(20, ["b", "a", "c"]) for _ in range(4)] == ["a", "b", "c", "a"]
    assert turns.next_of(20, ["a"]) == "a"
    assert turns.next_of(30, ["a", "b"]) == "a"
