"""The ledger of a shared account: whatever is lost and whoever dies, no window and no permit is given twice."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.connections.bounds import Bound, lowest
from hub.connections.ledger import LEASE, MICROS, Ask, Holder, Ledger, Told, exchange, parts_of
from hub.connections.meter import Meter
from hub.connections.pace import Start
from hub.connections.share import Difference, Share
from tests.connections.virtual import most_within

LASTS = 6 * MICROS
#: So long the shortest request may keep its permit after the lease of who sent it.
OUTLASTS = MICROS
#: What part of all ways is lost.
_LOST = 0.05
#: What other sources than the first say for a while.
_POLICIES = (
    Bound(source="slow", rate=1, per=5),
    Bound(source="day", rate=100, per=60),
    Bound(source="one", concurrency=1),
)


@dataclass
class Request:
    """One request at the vendor: it arrives and ends, whether anybody waits for it or not."""

    start: Start
    sent: int
    arrives: int
    ends: int
    told: bool = False


@dataclass
class Process:
    """One process with a clock of its own."""

    name: str
    share: Share
    ahead: int
    meter: Meter = field(default_factory=Meter)
    #: How long its requests take, as the ledger last heard.
    took: int = 0
    waiting: int = 0
    under_way: list[Request] = field(default_factory=list)
    #: Until when nothing that it asks arrives.
    cut_off: int = 0

    @property
    def patience(self) -> int:
        """Give how long its requests take at the most: twice as long as the ledger knows of."""
        return min(LASTS, max(OUTLASTS, 2 * self.took)) if self.took else LASTS


class Account:
    """Processes share one account and ask a ledger by a way that loses things; the vendor counts what arrives.

    No request takes longer than twice the time that its process told the ledger last.
    """

    def __init__(self, *, rate: float | None, per: int, places: int, seed: int = 1) -> None:
        """Set the limits; the database's clock is another one than those of the processes."""
        self.now = 1_000 * MICROS
        self.bounds = [Bound(source="test", rate=rate, per=per, concurrency=places, burst=3)]
        self.stored = msgspec.json.encode(Ledger())
        self.processes: list[Process] = []
        self.gone: list[Request] = []
        self.arrivals: list[int] = []
        self.chance = random.Random(seed)
        #: What part of all requests takes as long as it may.
        self.long = 0.25
        self.began = 0

    def arrive(self, ahead: int) -> None:
        """Let another process begin, whose clock is ahead by so many microseconds."""
        self.began += 1
        share = Share()
        share.lasts = LASTS
        self.processes.append(Process(f"p{self.began}", share, ahead))
        self._bind(self.processes[-1])

    def die(self, process: Process) -> None:
        """Let a process die; its requests go on at the vendor."""
        self.processes.remove(process)
        self.gone += process.under_way

    def end(self, process: Process) -> None:
        """Let a process end in order; what is under way goes on at the vendor, but is broken off."""
        if process.share.busy:
            process.share.let_go(self._shown(process), len(process.under_way))
            process.waiting = 0
            self.ask(process, arrives=True, comes=False)
        self.die(process)

    def limit(self, *bounds: Bound) -> None:
        """Let other sources besides the first name limits, at all processes at once."""
        self.bounds = [self.bounds[0], *bounds]
        for process in self.processes:
            self._bind(process)

    def pass_time(self, micros: int) -> None:
        """Let time pass; everybody does what it may, and asks when it is due."""
        self.now += micros
        self._vendor()
        for process in self.processes:
            self._turn(process)

    def ask(self, process: Process, *, arrives: bool, comes: bool) -> None:
        """Let a process ask; that may be lost, or the answer to it."""
        in_flight = len(process.under_way)
        ask = process.share.ask(
            self._shown(process), places=process.waiting, permits=process.waiting + in_flight, in_flight=in_flight,
            rate=0, took=process.meter.longest(self._shown(process)), told=Told,
        )  # fmt: skip
        if arrives:
            process.took = ask.took
            for request in process.under_way:
                request.ends = min(request.ends, request.sent + process.patience)
            ledger = msgspec.json.decode(self.stored, type=Ledger)
            answer = exchange(ledger, process.name, ask, self.now)
            self.stored = msgspec.json.encode(ledger)
        if arrives and comes:
            process.share.answered(answer, self._shown(process))
        else:
            process.share.failed(self._shown(process))

    def assert_kept(self) -> None:
        """Judge that no window was overrun, and that no more is in flight than may be."""
        found = lowest(self.bounds[:1])
        for window in found.windows:
            assert most_within([at / MICROS for at in self.arrivals], window.micros / MICROS) <= window.count
        self.assert_kept_now()

    def assert_kept_now(self) -> None:
        """Judge what is in flight."""
        in_flight = [request for request in self._requests() if request.ends > self.now]
        assert len(in_flight) <= self.bounds[0].concurrency  # type: ignore[operator]

    def _requests(self) -> list[Request]:
        return [*self.gone, *(request for process in self.processes for request in process.under_way)]

    def _vendor(self) -> None:
        for request in self._requests():
            if not request.told and request.arrives <= self.now:
                request.told = True
                self.arrivals.append(request.arrives)
        self.gone = [request for request in self.gone if request.ends > self.now or not request.told]

    def _bind(self, process: Process) -> None:
        found = lowest(self.bounds)
        process.share.bind(found, found.every, found.burst)

    def _shown(self, process: Process) -> int:
        return self.now + process.ahead

    def _turn(self, process: Process) -> None:
        share, shown = process.share, self._shown(process)
        for request in [request for request in process.under_way if request.ends <= self.now]:
            process.under_way.remove(request)
            share.ended(request.start, shown)
            process.meter.served(shown)
            process.meter.end(request.start.at, shown)
        while process.waiting and len(process.under_way) < share.permits:
            ready = share.ready(shown, 0)
            if ready is None or ready > shown:
                break
            start = Start(shown)
            share.take(start, shown)
            process.meter.start(shown)
            process.waiting -= 1
            transit = self.chance.randrange(MICROS // 60)
            is_long = self.chance.random() < self.long
            lasts = process.patience if is_long else transit + self.chance.choice([0, 5_000, 50_000])
            process.under_way.append(Request(start, self.now, self.now + transit, self.now + lasts))
        due = process.share.due(
            shown,
            places=process.waiting,
            permits=process.waiting + len(process.under_way),
            in_flight=len(process.under_way),
            tells=False,
            listens=False,
        )
        if due is not None and due <= shown:
            arrives = process.cut_off <= self.now and self.chance.random() > _LOST
            self.ask(process, arrives=arrives, comes=self.chance.random() > _LOST)


class Odd(RuleBasedStateMachine):
    """Anything may happen in any order."""

    @initialize(rate=st.sampled_from([1, 2.5, 5, 40]), per=st.sampled_from([1, 10]), places=st.integers(1, 6))
    def begin(self, rate: float, per: int, places: int) -> None:
        """Set the limits."""
        self.account = Account(rate=rate, per=per, places=places)

    @precondition(lambda self: len(self.account.processes) < 4)
    @rule(ahead=st.integers(-5, 5))
    def arrive(self, ahead: int) -> None:
        """Let another process begin."""
        self.account.arrive(ahead * 7 * MICROS)

    @precondition(lambda self: self.account.processes)
    @rule(data=st.data(), many=st.integers(0, 80))
    def want(self, data: st.DataObject, many: int) -> None:
        """Let some wait at a process, or nobody."""
        self._one(data).waiting = many

    @rule(pace=st.sampled_from([1_000, 40_000, 300_000, MICROS, 4 * MICROS]), many=st.integers(1, 12))
    def pass_time(self, pace: int, many: int) -> None:
        """Let time pass in steps."""
        for _ in range(many):
            self.account.pass_time(pace)

    @precondition(lambda self: self.account.processes)
    @rule(data=st.data(), arrives=st.booleans())
    def lose(self, *, data: st.DataObject, arrives: bool) -> None:
        """Lose what a process asks, or the answer to it."""
        self.account.ask(self._one(data), arrives=arrives, comes=False)

    @precondition(lambda self: self.account.processes)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """Let a process die."""
        self.account.die(self._one(data))

    @precondition(lambda self: self.account.processes)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """Let a process end in order, whatever it has under way."""
        self.account.end(self._one(data))

    @rule(bounds=st.lists(st.sampled_from(_POLICIES), max_size=2))
    def lower(self, bounds: list[Bound]) -> None:
        """Let other sources name lower limits, or none."""
        self.account.limit(*bounds)

    @invariant()
    def nothing_is_over(self) -> None:
        """No window is ever overrun, and no more is in flight than may be."""
        if hasattr(self, "account"):
            self.account.assert_kept()

    def _one(self, data: st.DataObject) -> Process:
        return data.draw(st.sampled_from(self.account.processes))


Odd.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestOdd = Odd.TestCase


@pytest.mark.parametrize(
    ("rate", "per", "places"), [(40, 1, 30), (2.5, 1, 4), (1, 1, 1), (60, 10, 3), (9, 2, 12), (None, 1, 3)]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_under_full_load_nothing_is_over_whoever_dies_and_whatever_is_lost(
    rate: float | None, per: int, places: int, seed: int
) -> None:
    account = Account(rate=rate, per=per, places=places, seed=seed)
    chance = random.Random(seed)
    for _ in range(4):
        account.arrive(chance.randrange(-9, 9) * MICROS)
    for _ in range(8000):
        for process in account.processes:
            process.waiting = process.waiting or chance.choice([0, 0, 50])
        account.pass_time(chance.randrange(1_000, 20_000))
        match chance.randrange(1500):
            case 0:
                chance.choice([account.die, account.end])(chance.choice(account.processes))
                account.arrive(chance.randrange(-9, 9) * MICROS)
            case 1:
                account.limit(*chance.sample(_POLICIES, chance.randrange(3)))
            case 2 | 3 | 4:
                chance.choice(account.processes).cut_off = account.now + chance.randrange(4, 12) * MICROS
            case 5:
                # Everything stands still for longer than a lease.
                account.pass_time(chance.choice([MICROS, 6 * MICROS]))
            case _:
                pass
        account.assert_kept_now()
    account.assert_kept()
    assert len(account.arrivals) > 3


@given(
    quick=st.integers(5, 300),
    slow=st.lists(st.tuples(st.integers(1, 400), st.sampled_from(["dies", "is cut off"])), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_a_vendor_that_becomes_slow_has_no_more_in_flight_than_it_allows_whoever_is_gone(
    quick: int, slow: list[tuple[int, str]], seed: int
) -> None:
    """As long as each request takes no longer than twice as long as was seen before: the last of who is gone, too."""
    account = Account(rate=None, per=1, places=3, seed=seed)
    for _ in range(2):
        account.arrive(0)
    account.long = 0.0
    for steps, end in [(quick, ""), *slow, (900, "")]:
        for _ in range(steps):
            for process in account.processes:
                process.waiting = 9
            account.pass_time(10_000)
            account.assert_kept_now()
        account.long = 1.0
        if end == "dies":
            account.die(account.processes[0])
            account.arrive(0)
        elif end:
            account.chance.choice(account.processes).cut_off = account.now + 12 * MICROS


@given(wanted=st.lists(st.integers(0, 30), max_size=6), whole=st.integers(0, 40), chance=st.randoms())
def test_parts_are_all_that_is_wanted_and_even(wanted: list[int], whole: int, chance: random.Random) -> None:
    order = list(range(len(wanted)))
    chance.shuffle(order)
    parts = parts_of(wanted, whole, order)
    assert sum(parts) == min(sum(wanted), whole)
    assert all(part <= want for part, want in zip(parts, wanted, strict=True))
    short = [part for part, want in zip(parts, wanted, strict=True) if part < want]
    assert all(part <= least + 1 for least in short for part in parts)


@given(
    steps=st.lists(st.tuples(st.integers(0, 50_000), st.integers(0, 50_000), st.integers(0, MICROS)), min_size=1),
    ahead=st.integers(-(10**12), 10**12),
)
def test_the_database_s_time_is_told_on_the_safe_side(steps: list[tuple[int, int, int]], ahead: int) -> None:
    """However long the ways take: what is said to be so there is so no later, and here no earlier."""
    difference, now = Difference(), 10**13
    for there, back, rest in steps:
        sent, now = now, now + there + back
        difference.saw(sent + there + ahead, sent=sent, received=now)
        assert difference.here(now + ahead) >= now
        assert difference.there(now) >= now + ahead
        now += rest


def test_an_account_that_nobody_knows_is_taken_to_have_been_used_fully() -> None:
    ledger = Ledger()
    first = Ask(number=1, windows=((10, MICROS),), every=MICROS // 10, burst=2, places=10, counted=((),), keeps=(0,))
    answer = exchange(ledger, "a", first, 50 * MICROS)
    assert min(answer.places[0]) > 50 * MICROS
    assert len(answer.even) == 6


def test_a_dead_process_s_permits_come_back_when_its_last_request_has_ended() -> None:
    ledger, ask = Ledger(), Ask(number=1, concurrency=5, wanted=5, lasts=LASTS)
    assert exchange(ledger, "dead", ask, MICROS).permits == 5
    for at, permits in ((LEASE, 0), (LEASE + LASTS, 0), (LEASE + LASTS + 2 * MICROS, 5)):
        answer = exchange(ledger, "alive", Ask(number=at, concurrency=5, wanted=5), at)
        assert answer.permits == permits, at


@pytest.mark.parametrize(
    ("took", "outlasts"),
    [
        pytest.param(0, 30 * MICROS, id="nobody knows"),
        pytest.param(1, MICROS, id="quick"),
        pytest.param(400_000, MICROS, id="not so quick"),
        pytest.param(2 * MICROS, 4 * MICROS, id="slow"),
        pytest.param(29 * MICROS, 30 * MICROS, id="given up"),
    ],
)
def test_a_dead_process_s_permits_come_back_soon_after_the_longest_of_late(took: int, outlasts: int) -> None:
    ledger, ask = Ledger(), Ask(number=1, concurrency=5, wanted=5, lasts=30 * MICROS, took=took)
    assert exchange(ledger, "dead", ask, MICROS).permits == 5
    free = MICROS + LEASE + outlasts
    for number, (at, permits) in enumerate([(MICROS + LEASE + 1, 0), (free - 1, 0), (free, 5)], 1):
        answer = exchange(ledger, "alive", Ask(number=number, concurrency=5, wanted=5), at)
        assert answer.permits == permits, at


def test_the_lease_that_begins_anew_with_a_repeated_asking_ends_by_what_is_known_then() -> None:
    ledger, ask = Ledger(), Ask(number=1, concurrency=5, wanted=5, lasts=30 * MICROS, took=MICROS)
    exchange(ledger, "dead", ask, MICROS)
    exchange(ledger, "dead", msgspec.structs.replace(ask, took=4 * MICROS), 2 * MICROS)
    free = 2 * MICROS + LEASE + 8 * MICROS
    for number, (at, permits) in enumerate([(free - 2 * MICROS, 0), (free - 1, 0), (free, 5)], 1):
        answer = exchange(ledger, "alive", Ask(number=number, concurrency=5, wanted=5), at)
        assert answer.permits == permits, at


def test_a_dead_process_s_places_count_for_as_long_as_a_request_may_last() -> None:
    """However quick the vendor was: a rate is exact."""
    ledger, ask = Ledger(), Ask(
        number=1, windows=((2, MICROS),), every=MICROS // 2, burst=2, concurrency=5, counted=((),), keeps=(0,),
        places=2, wanted=2, lasts=30 * MICROS, took=1,
    )  # fmt: skip
    exchange(ledger, "dead", ask, MICROS)
    last = 3 * MICROS
    assert len(exchange(ledger, "dead", msgspec.structs.replace(ask, number=2), last).even) == 2
    gone = last + LEASE + 30 * MICROS + MICROS
    asks = msgspec.structs.replace(ask, places=1)
    soon = exchange(ledger, "soon", asks, last + LEASE + 2 * MICROS)
    assert not soon.even
    assert soon.permits == 2
    assert exchange(ledger, "later", asks, gone - MICROS // 10).places == ((gone,),)


def test_what_the_silent_keep_is_not_divided_so_that_the_others_share_the_rest() -> None:
    """One that has all that is left gives of it to who has nothing, and does not wait for what the dead one held."""
    ledger, held = Ledger(), {"one": 0, "two": 0}
    assert exchange(ledger, "dead", Ask(number=1, concurrency=5, wanted=3, lasts=30 * MICROS), MICROS).permits == 3
    for beat in range(1, 17):
        now = MICROS + beat * MICROS // 4
        for name in ("one",) if beat < 10 else ("one", "two"):
            answer = exchange(ledger, name, Ask(number=beat, concurrency=5, wanted=7, permits=held[name]), now)
            held[name] = min(answer.permits, answer.part)
        assert sum(held.values()) <= 2
        if beat == 9:
            assert held == {"one": 2, "two": 0}
    assert held == {"one": 1, "two": 1}


def test_what_was_asked_is_asked_again_with_what_is_known_then_and_its_lease_is_as_long_as_is_said() -> None:
    ledger, share = Ledger(), Share()
    share.bind(found := lowest([Bound(source="test", concurrency=5)]), found.every, found.burst)
    for sent, took in ((0, 1), (MICROS, 2 * MICROS)):
        ask = share.ask(sent, places=0, permits=5, in_flight=0, rate=0, took=took, told=Told)
        assert (ask.number, ask.wanted, ask.took) == (1, 5, took)
        answer = exchange(ledger, "short", ask, 9 * MICROS + sent, lease=2 * MICROS)
        if not sent:
            share.failed(sent)
    share.answered(answer, MICROS)
    assert share.permits == 5
    assert share.ready(3 * MICROS - 1, 0) is not None
    assert share.ready(3 * MICROS, 0) is None
    assert ledger.holders["short"].until == 12 * MICROS


class Before(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a version knows of a process that does not know how long requests take."""

    until: int
    lasts: int = 0
    number: int = 0
    held: dict[int, int] = {}
    permits: int = 0
    wanted: int = 0
    asked_at: int = 0


class LedgerBefore(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A ledger as that version reads and writes it."""

    at: int = 0
    counted: dict[int, list[tuple[int, int]]] = {}
    holders: dict[str, Before] = {}
    gone: list[tuple[int, int]] = []


@pytest.mark.parametrize("ours", [True, False], ids=["known, and written by a version before", "of a version before"])
def test_a_version_that_knows_nothing_of_how_long_requests_take_waits_for_as_long_as_they_may(*, ours: bool) -> None:
    """What one version has written the other one reads; what it does not know costs time and harms nothing."""
    ledger = Ledger()
    if ours:
        ask = Ask(number=1, concurrency=5, wanted=5, lasts=30 * MICROS, took=1)
        exchange(ledger, "dead", ask, MICROS)
        assert ledger.holders["dead"].took == 1
        before = msgspec.json.decode(msgspec.json.encode(ledger), type=LedgerBefore)
    else:
        dead = Before(until=MICROS + LEASE, lasts=30 * MICROS, number=1, permits=5, wanted=5, asked_at=MICROS)
        before = LedgerBefore(at=MICROS, holders={"dead": dead})
    assert before.holders["dead"].permits == 5
    ledger = msgspec.json.decode(msgspec.json.encode(before), type=Ledger)
    assert isinstance(ledger.holders["dead"], Holder)
    free = MICROS + LEASE + 30 * MICROS
    for number, (at, permits) in enumerate([(free - 2 * MICROS, 0), (free - 1, 0), (free, 5)], 1):
        answer = exchange(ledger, "alive", Ask(number=number, concurrency=5, wanted=5), at)
        assert answer.permits == permits, at


@pytest.mark.parametrize("places", [1, 3])
def test_one_of_too_few_permits_goes_round(places: int) -> None:
    """Who has had it for a while gives it back as soon as it is not in use, and the one that waited longest has it."""
    ledger, had = Ledger(), dict.fromkeys("abcde", 0)
    held = dict.fromkeys("abcde", 0)
    for beat in range(1, 2000):
        for name in held:
            answer = exchange(
                ledger, name, Ask(number=beat, concurrency=places, wanted=2, permits=held[name]), beat * MICROS // 4
            )
            held[name] = min(answer.permits, answer.part)
            had[name] += held[name]
            assert sum(held.values()) <= places
    assert max(had.values()) <= 2 * min(had.values()), had
