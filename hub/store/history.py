"""History: what a worker records of a run, fenced by the run's epoch, many runs in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select

from hub.errors import ApprovalLapsed, ConnectionPaused, HubError, OnHold, StaleLease, ToldToStop
from hub.model.run import RunState, Stopping, WaitKind
from hub.sdk import exact_json
from hub.store import approvals, crossrefs, decisions, effects, matches, outbox, statements
from hub.store.audit import Note
from hub.store.cases import Failure, close_passed, tell
from hub.store.committer import Transaction, Write
from hub.store.held import Holds, held, hold_over
from hub.store.runs import MANY, let_next_go, wake
from hub.store.statements import Formed, among, names_of
from hub.store.tables import attempts, awaited, cases, runs, steps
from hub.store.tables import effects as effects_table

STEP_COLUMNS = (
    *("ordinal", "kind", "state", "input", "output", "answer", "answer_schema", "rule", "error", "checksum"),
    *("started_at", "finished_at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """One thing that a run waits for; `come` tells whether it has come already, since nobody would tell of it again.

    `still` says that the run waits for it since before, and nobody has told of it by now.
    """

    topic: str
    come: Callable[[Connection], bool] | None = None
    still: bool = False


@dataclass(slots=True, kw_only=True)
class Record(Write):
    """All that one run has to make durable at one point.

    `intents` are opened together or not at all: the result is the list of the effects that already stand under some
    of their keys, else None; raises `StaleLease` when another worker has taken the run. `intended` is audited only if
    they were opened. `taken` are effects of another run that this one goes on with, together or not at all; the result
    is the row of one that has changed meanwhile, else None.
    `change` holds the run's new columns, and `waits` what it then waits for. A run that was told to stop opens no
    intent and neither waits nor succeeds any more: the result is `ToldToStop`, and the rest is written.
    """

    run_id: str
    epoch: int
    #: Who records, as the audit names it.
    worker: str = "hub"
    steps: list[Mapping[str, Any]] = field(default_factory=list)
    attempts: list[Mapping[str, Any]] = field(default_factory=list)
    intents: Sequence[Mapping[str, Any]] = ()
    intended: Sequence[Note] = ()
    #: The one request that carries all the intents, where there is one.
    batch: Mapping[str, Any] | None = None
    #: Keys of this run's own effects that may be opened anew although their outcome is unknown.
    again: frozenset[str] = frozenset()
    taken: Sequence[Mapping[str, Any]] = ()
    outcomes: Sequence[Mapping[str, Any]] = ()
    #: An effect whose recorded request is another one from here on.
    rewritten: Mapping[str, Any] | None = None
    links: list[crossrefs.Link] = field(default_factory=list)
    unlinks: list[crossrefs.Unlink] = field(default_factory=list)
    #: A record that is compared with all others of its kind: the result is `matches.Matched`, or `PossibleDuplicate`.
    match: matches.Match | None = None
    #: Of what people are told by the run's open case.
    case: Failure | None = None
    #: The run has got past all that people were told of.
    well: bool = False
    change: Mapping[str, Any] | None = None
    notes: list[Note] = field(default_factory=list)
    #: What is audited of the new state, and only if the run comes to it.
    ending: list[Note] = field(default_factory=list)
    decisions: list[Mapping[str, Any]] = field(default_factory=list)
    waits: Sequence[Awaited] = ()
    #: When the worker saw until when that is (microseconds).
    seen: int | None = None
    #: A recorded request is about to be sent once more, and over which connection.
    sends_again: bool = False
    over: str | None = None
    #: Intents that were opened before and leave only now.
    leaving: Sequence[Mapping[str, Any]] = ()
    #: The run does what it was told when it was told to stop; nothing else of it may begin then. One that ends is told
    #: (`ToldToStop`) when it is to take back what it did instead.
    winding_up: Stopping | None = None

    rank = 20
    patient = True

    @property
    def beside(self) -> bool:
        """Tell whether other processes may make theirs meanwhile: what most runs record, from first to last.

        That is their own steps, attempts and decisions, outcomes of their own writes, new intents, a wait for a limit,
        and a good end.

        - *Who has the run*: its row is locked before its epoch is read, so that nobody claims it until the commit, and
          who comes second sees the raised epoch. Rows are locked in the order of ids. People's orders and holds are
          made alone, so that none comes in between.
        - *One effect for one name*: where something stands under the key of an intent, or under that of a newer
          generation, the group is made again alone. Of two who open the same at a time, the second one's insert waits
          for the first one's commit and is refused; it then finds what stands, alone.
        - *Two writes to one thing never meet*: an intent that has an object, that takes back, or that was ordered once
          more is made alone, and so it meets no other.
        - *Nobody waits for what has come*: whoever begins to wait does so alone, also behind a run of its key. So who
          wakes sees everybody who waits. Only who joins the row of a limit need not be: that is let go by who is alone.

        All else, such as tying ids, cases, and taking over, is made alone.
        """
        ids = self.links or self.unlinks or self.match
        goes_on_with = self.taken or self.again or self.rewritten or self.sends_again or self.batch
        people = self.case or self.well or self.winding_up
        if ids or goes_on_with or people:
            return False
        # The rows of limits are let go by who is alone, so that who joins one need not be.
        in_row = all(each.come is None and not each.still for each in self.waits) and self._waits_for_limit
        ends = self.change is None or self.change["state"] == RunState.SUCCEEDED.value
        return (in_row or (ends and not self.waits)) and all(map(effects.is_plain, self.intents))

    @property
    def _waits_for_limit(self) -> bool:
        change = self.change
        return change is not None and (change["state"], change.get("wait_kind")) == (RunState.WAITING, WaitKind.LIMIT)

    @classmethod
    def apply(cls, batch: Sequence[Record], transaction: Transaction) -> list[Any]:
        """Leave out what was fenced off, then write everything of a kind together."""
        connection = transaction.connection
        standing = _standing(connection, {record.run_id for record in batch}, lock=transaction.beside)
        fence = _Fence(transaction, standing)
        results: list[Any] = [fence.stops(record) for record in batch]
        live = [(index, record) for index, record in enumerate(batch) if not isinstance(results[index], StaleLease)]
        on_course = [(index, record) for index, record in live if results[index] is None]
        _open_intents(transaction, on_course, results)
        _take_over(transaction, on_course, results)
        _compare(transaction, on_course, results)
        _tie_links(transaction, on_course, results)
        kept = [record for _, record in live]
        # A run whose ids could not be tied keeps what it did, but does not go on as it meant to.
        going = [record for index, record in live if not isinstance(results[index], HubError)]
        statements.upsert(
            connection,
            steps,
            [step for record in kept for step in record.steps],
            keys=("run_id", "path"),
            change=STEP_COLUMNS,
        )
        statements.upsert(
            connection,
            attempts,
            [attempt for record in kept for attempt in record.attempts],
            keys=("run_id", "path", "number"),
            change=(),
        )
        decisions.keep(connection, [decision for record in kept for decision in record.decisions])
        effects.rewrite(connection, [record.rewritten for record in kept if record.rewritten is not None])
        effects.settle(connection, [outcome for record in kept for outcome in record.outcomes])
        for record in going:
            if record.case is not None:
                tell(transaction, record.case, actor=record.worker)
            elif record.well:
                close_passed(transaction, record.run_id, actor=record.worker)
        _change_runs(transaction, going, standing)
        for record in kept:
            transaction.entries.extend(record.notes)
        for record in going:
            transaction.entries.extend(record.ending)
        return results


_CHANGES = (
    "state",
    "blocking",
    "claimable_at",
    "wait_kind",
    "wait_on",
    "wait_until",
    "reason",
    "finished_at",
    "entity",
    "output",
)
_MONEY = ("money_minor", "money_currency")
_UNCHANGED = {**dict.fromkeys((*_CHANGES, *_MONEY)), "blocking": True, "owner": None}


_OF_RUNS = select(
    *(runs.c[name] for name in ("id", "epoch", "stopping", "environment", "flow", "key")),
    *(runs.c[name] for name in ("replay_of", "parent_run", "parent_path")),
).where(among(runs.c.id, "ids"))
_STANDING = Formed(_OF_RUNS)
#: In the order of their ids, so that two who lock the same ones wait for each other in no circle.
_LOCKED = Formed(_OF_RUNS.order_by(runs.c.id).with_for_update(key_share=True))


def _standing(connection: Connection, ids: set[str], *, lock: bool = False) -> dict[str, Mapping[str, Any]]:
    rows = (_LOCKED if lock else _STANDING).rows(connection, ids=names_of(ids))
    return {row["id"]: row for row in rows}


class _Fence:
    """Says what keeps a record from being written (`StaleLease`), or its run from going on as it meant to."""

    def __init__(self, transaction: Transaction, standing: Mapping[str, Mapping[str, Any]]) -> None:
        self._connection = transaction.connection
        self._now = transaction.now
        self._standing = standing
        self._held: dict[str, Holds] = {}

    def stops(self, record: Record) -> HubError | None:
        run = self._standing.get(record.run_id)
        if run is None or run["epoch"] != record.epoch:
            return StaleLease(run=record.run_id)
        change = record.change
        sends = record.intents or record.taken or record.sends_again
        if record.winding_up is not None:
            taken_back = run["stopping"] == Stopping.COMPENSATE.value
            if taken_back and record.winding_up is not Stopping.COMPENSATE and (sends or change is not None):
                return ToldToStop(run=record.run_id, stopping=run["stopping"])
            # Also what takes something back goes out only once nobody holds it any more.
            return self._hold(record, run) if sends else None
        if run["stopping"] is not None and (sends or record.links or record.match or change is not None):
            cancelled = run["stopping"] == Stopping.CANCEL.value
            if change is None or change["state"] != RunState.SUCCEEDED.value or not cancelled:
                return ToldToStop(run=record.run_id, stopping=run["stopping"])
            # It came to its end before it heard of it.
        return (self._hold(record, run) or self._lapsed(record)) if sends else None

    def _lapsed(self, record: Record) -> HubError | None:
        """Say which of the approvals that a write needs does not hold at this very moment."""
        leaving = (*record.intents, *record.leaving)
        lists = {intent["approvals"] for intent in leaving if intent.get("approvals") is not None}
        under = {id for each in lists for id in exact_json.loads(each)}
        if not under:
            return None
        found = approvals.lapses(self._connection, under, self._now)
        return next((ApprovalLapsed(approval=id, reason=lapse.value) for id, lapse in found.items()), None)

    def _hold(self, record: Record, run: Mapping[str, Any]) -> HubError | None:
        if run["environment"] not in self._held:
            self._held[run["environment"]] = held(self._connection, run["environment"])
        holds = self._held[run["environment"]]
        over = hold_over(self._connection, holds, **_named(run))
        if over is not None:
            on, reason = over
            return OnHold(on=on, come=partial(_let_go, run=run, on=on), reason=reason)
        connection = next((intent["connection"] for intent in record.intents), record.over)
        if connection is not None and connection in holds.connections:
            return ConnectionPaused(connection=connection, reason=holds.connections[connection])
        return None


class Lease(NamedTuple):
    """A run as whoever works on it has it in hand."""

    run_id: str
    epoch: int


def hindered(transaction: Transaction, leases: Iterable[Lease | None]) -> dict[int, HubError]:
    """Say, by place, of which of these runs nothing new may begin, as no intent of theirs might be opened.

    None is in nobody's hand: what comes from outside.
    """
    asked = {place: lease for place, lease in enumerate(leases) if lease is not None}
    if not asked:
        return {}
    fence = _Fence(transaction, _standing(transaction.connection, {lease.run_id for lease in asked.values()}))
    found = {place: fence.stops(Record(**lease._asdict(), sends_again=True)) for place, lease in asked.items()}
    return {place: error for place, error in found.items() if error is not None}


def _let_go(connection: Connection, *, run: Mapping[str, Any], on: str) -> bool:
    """Tell whether the hold that a run waits for is over, whatever other holds it meets then."""
    over = hold_over(connection, held(connection, run["environment"]), **_named(run))
    return over is None or over[0] != on


def _named(run: Mapping[str, Any]) -> dict[str, Any]:
    return {"run": run["id"], "flow": run["flow"], "key": run["key"], "parent_run": run["parent_run"]}


def _open_intents(transaction: Transaction, live: list[tuple[int, Record]], results: list[Any]) -> None:
    opening = effects.Opening(transaction, [intent for _, record in live for intent in record.intents])
    for index, record in live:
        if record.intents:
            try:
                results[index] = opening.open(record) or None
            except HubError as error:
                results[index] = error
    opening.write()


def _take_over(transaction: Transaction, live: list[tuple[int, Record]], results: list[Any]) -> None:
    for index, record in live:
        if record.taken:
            results[index] = effects.take_over(transaction.connection, record.taken, record.run_id)


def _compare(transaction: Transaction, live: list[tuple[int, Record]], results: list[Any]) -> None:
    """Write down the keys of records and compare them, one after the other: of two alike the second one waits."""
    topics: list[str] = []
    for index, record in live:
        if record.match is not None:
            results[index], told = matches.compare(transaction, record.match)
            topics += told
    if topics:
        wake(transaction, topics)


def _tie_links(transaction: Transaction, live: list[tuple[int, Record]], results: list[Any]) -> None:
    topics: list[str] = []
    for index, record in live:
        for unlink in record.unlinks:
            topics.extend(crossrefs.undo(transaction, unlink))
        for link in record.links:
            try:
                topics.extend(crossrefs.put(transaction, link))
            except HubError as error:
                results[index] = error
                break
    if topics:
        wake(transaction, topics)


def _change_runs(transaction: Transaction, going: Sequence[Record], standing: Mapping[str, Mapping[str, Any]]) -> None:
    changes: list[dict[str, Any]] = []
    gone: list[tuple[str, str, str]] = []
    resting: list[tuple[str, str, str]] = []
    topics: list[str] = []
    over: dict[str, str] = {}
    waited = _waited(transaction.connection, [each for each in going if each.change is not None and each.epoch > 1])
    for record in going:
        if record.change is None:
            continue
        run, change = standing[record.run_id], dict(record.change)
        before = waited.get(record.run_id, set())
        if _has_come(transaction.connection, record, before):
            # It came between the worker's look and now; nobody else would wake the run.
            change = {"state": RunState.QUEUED.value, "claimable_at": transaction.now}
        else:
            now = {each.topic for each in record.waits}
            if len(now) > 1:
                change["wait_on"] = f"{MANY}{record.run_id}"
            elif now:
                change["wait_on"], now = record.waits[0].topic, set()
            _wait_for(transaction.connection, record.run_id, before, now)
            if record.seen is not None and record.seen > transaction.now and change["claimable_at"] is not None:
                # The clock was put back in between: it sees anew until when it waits.
                change["claimable_at"] = transaction.now
        changes.append({**_UNCHANGED, **change, "id": record.run_id, "updated_at": transaction.now})
        ended = not change.get("blocking", True)
        if ended:
            over[record.run_id] = record.worker
        (gone if ended else resting).append((run["environment"], run["flow"], run["key"]))
        if ended and run["parent_run"] is not None:
            topics.append(child_topic(run["parent_run"], run["parent_path"]))
        if ended or change.get("claimable_at") is not None:
            transaction.woken = True
    statements.change(transaction.connection, runs, changes, key="id", columns=(*_UNCHANGED, "updated_at"))
    outbox.tell_ends(transaction, over)
    for run_id in approvals.still_asking(transaction.connection, over):
        transaction.assert_alone()
        approvals.void_pending(transaction, run_id, actor=over[run_id])
    let_next_go(transaction, gone, resting)
    if topics:
        wake(transaction, topics)


def _waited(connection: Connection, records: Sequence[Record]) -> dict[str, set[str]]:
    """Give what runs that were claimed before still wait for among several things, without what was told of."""
    if not records:
        return {}
    found: dict[str, set[str]] = {}
    for run_id, topic in connection.execute(_WAITED, {"ids": sorted({record.run_id for record in records})}):
        found.setdefault(run_id, set()).add(topic)
    return found


_WAITED = select(awaited.c.run_id, awaited.c.topic).where(awaited.c.run_id.in_(bindparam("ids", expanding=True)))


def _has_come(connection: Connection, record: Record, before: AbstractSet[str]) -> bool:
    """Tell whether something of what a run waits for has come: one came meanwhile, or one was told of."""
    return any(
        each.topic not in before if each.still else each.come is not None and each.come(connection)
        for each in record.waits
    )


def _wait_for(connection: Connection, run_id: str, before: AbstractSet[str], now: AbstractSet[str]) -> None:
    """Record what a run waits for among several things, in the place of what it waited for before."""
    gone, more = before - now, now - before
    if gone:
        connection.execute(_NO_MORE, [{"of_run": run_id, "on": topic} for topic in sorted(gone)])
    if more:
        connection.execute(insert(awaited), [{"run_id": run_id, "topic": topic} for topic in sorted(more)])


_NO_MORE = delete(awaited).where(awaited.c.run_id == bindparam("of_run"), awaited.c.topic == bindparam("on"))


def child_topic(parent_run: str, parent_path: str) -> str:
    """Name what a run waits for while a flow that one of its steps has called goes on."""
    return f"child:{parent_run}:{parent_path}"


def of_run(connection: Connection, run_id: str) -> dict[str, list[Mapping[str, Any]]]:
    """Give everything recorded of a run: its steps, attempts, effects and cases."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name, table, order in (
        ("steps", steps, steps.c.ordinal),
        ("attempts", attempts, attempts.c.number),
        ("effects", effects_table, effects_table.c.created_at),
        ("cases", cases, cases.c.opened_at),
    ):
        rows = connection.execute(select(table).where(table.c.run_id == run_id).order_by(order))
        found[name] = [dict(row._mapping) for row in rows]
    return found
