"""The row of those who wait for a place at one account: by class of urgency, and evenly between flows and keys."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from hub.model.limits import Asker
from hub.model.turns import Turns


class Waiting(Protocol):
    """Somebody in the row; `gone` once it has a place, was turned away or left by itself."""

    @property
    def asker(self) -> Asker:
        """Tell who it is."""
        ...

    @property
    def gone(self) -> bool:
        """Tell whether it waits no more."""
        ...


Item = TypeVar("Item", bound=Waiting)


class _Flow(Generic[Item]):
    """Those of one flow and class, by key; the first key is the next."""

    def __init__(self) -> None:
        self.keys: OrderedDict[str, deque[Item]] = OrderedDict()
        self.waiting = 0

    def join(self, item: Item) -> None:
        self.keys.setdefault(item.asker.key, deque()).append(item)
        self.waiting += 1

    def next(self) -> Item | None:
        while self.keys:
            key, items = next(iter(self.keys.items()))
            item = items.popleft()
            if items:
                self.keys.move_to_end(key)
            else:
                del self.keys[key]
            if not item.gone:
                return item
        return None

    def newest(self) -> Item | None:
        for items in reversed(self.keys.values()):
            for item in reversed(items):
                if not item.gone:
                    return item
        return None


class Row(Generic[Item]):
    """Gives turns by class, then to one flow after the other, and within a flow to one key after the other."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._classes: dict[int, OrderedDict[str, _Flow[Item]]] = {}
        self._numbers: dict[int, int] = {}
        self._turns = Turns()

    def __len__(self) -> int:
        """Give how many wait."""
        return sum(self._numbers.values())

    def __bool__(self) -> bool:
        """Tell whether anybody waits."""
        return bool(self._numbers)

    def __iter__(self) -> Iterator[Item]:
        """Go through those who wait, in no certain order."""
        for flows in self._classes.values():
            for flow in flows.values():
                for items in flow.keys.values():
                    yield from (item for item in items if not item.gone)

    def by_class(self) -> Mapping[int, int]:
        """Give how many wait in each class that has any, the most urgent first."""
        return dict(sorted(self._numbers.items()))

    def join(self, item: Item) -> None:
        """Let somebody wait."""
        flows = self._classes.setdefault(item.asker.priority, OrderedDict())
        flows.setdefault(item.asker.flow, _Flow()).join(item)
        self._numbers[item.asker.priority] = self._numbers.get(item.asker.priority, 0) + 1

    def left(self, item: Item) -> None:
        """Learn that somebody who was in the row is gone; it is passed over when its turn comes."""
        self._leave(item.asker.priority, self._classes[item.asker.priority][item.asker.flow])

    def next(self) -> Item | None:
        """Take out who is next; None when nobody waits. The caller says that it is `gone`, and not that it left."""
        if not self._numbers:
            return None
        priority = self._turns.choose(self._numbers)
        flows = self._classes[priority]
        while True:
            name, flow = next(iter(flows.items()))
            item = flow.next()
            if flow.keys:
                flows.move_to_end(name)
            else:
                del flows[name]
            if item is not None:
                self._leave(priority, flow)
                return item

    def gives_way(self, to: Asker) -> Item | None:
        """Name who should leave the row for a newcomer: one less urgent, or of a flow that has more in the row."""
        priority = max(self._numbers, default=0)
        if priority < to.priority:
            return None
        flows = self._classes[priority]
        name = max(flows, key=lambda flow: flows[flow].waiting)
        if priority == to.priority:
            own = flows[to.flow].waiting if to.flow in flows else 0
            if flows[name].waiting <= own + 1:
                return None
        return flows[name].newest()

    def _leave(self, priority: int, flow: _Flow[Item]) -> None:
        flow.waiting -= 1
        self._numbers[priority] -= 1
        if not self._numbers[priority]:
            del self._numbers[priority]
