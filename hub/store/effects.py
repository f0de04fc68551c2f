"""Effects in the store: intents of one request opened together or not at all, their outcomes, and what stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, and_, bindparam, exists, false, or_, select, text, update

from hub.errors import RetryLater
from hub.model.effect import EffectState
from hub.model.run import GOING_STATES
from hub.sdk import exact_json
from hub.store import statements
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.statements import Formed, among, names_of
from hub.store.tables import batches, effects, runs

Values = Mapping[str, Any]

_DONE = EffectState.DONE.value
_OUTCOME = ("state", "sent_at", "output", "reason", "status", "repeats", "renewals", "version", "finished_at")
_REQUEST = ("method", "url", "headers", "body", "body_hash", "status", "repeats", "renewals")
_FRESH: dict[str, Any] = {**dict.fromkeys(column.name for column in effects.c), "repeats": 0, "renewals": 0}
#: All but what may be large.
_NAMES = tuple(column for column in effects.c if column.name not in ("body", "output"))


# What a person said of an earlier request stays with the effect.
_ANEW = tuple(name for name in _FRESH if name not in ("key", "settlement"))


class Intents(Protocol):
    """What is opened for one request; `again` are keys of the run's own effects that may be although unknown."""

    run_id: str
    intents: Sequence[Values]
    intended: Sequence[Note]
    batch: Values | None
    again: frozenset[str]


def is_plain(intent: Values) -> bool:
    """Tell whether nothing but its name keeps a write from others: it has no object, and is the first of its name."""
    return intent.get("object") is None and intent.get("undoes") is None and intent["generation"] == 0


def _may_be_opened(row: Values, wanted: Intents) -> bool:
    if row["state"] == EffectState.FAILED.value:
        return True
    own = row["run_id"] == wanted.run_id and row["key"] in wanted.again
    return own and row["state"] in (EffectState.INTENT.value, EffectState.UNKNOWN.value)


def _is_meddled_with(connection: Connection, intent: Values) -> bool:
    """Tell whether another write to the same object goes on, or has ended since this one looked at what stands."""
    base = None if intent.get("base") is None else exact_json.loads(intent["base"])
    others = (
        effects.c.environment == intent["environment"],
        effects.c.object == intent["object"],
        effects.c.key != intent["key"],
    )
    open_states = (EffectState.INTENT.value, EffectState.UNKNOWN.value)
    at_work = exists().where(runs.c.id == effects.c.run_id, runs.c.state.in_(GOING_STATES))
    goes_on = and_(effects.c.state.in_(open_states), at_work)
    since = None if base is None else base.get("at")
    ended = false() if since is None else and_(effects.c.state == _DONE, effects.c.finished_at >= since)
    return connection.execute(select(effects.c.key).where(*others, or_(goes_on, ended)).limit(1)).first() is not None


class Opening:
    """Opens the intents of one transaction; those of one request all together, or none of them."""

    def __init__(self, transaction: Transaction, wanted: Sequence[Values]) -> None:
        """Read what stands of the intents that are wanted."""
        self._transaction = transaction
        self._standing = of_keys(transaction.connection, sorted({intent["key"] for intent in wanted}))
        self._newer = _newer(transaction.connection, wanted)
        if self._standing or self._newer:
            # Another process may be changing what stands, too.
            transaction.assert_alone()
        self._new: list[Values] = []
        self._again: list[Values] = []
        self._batches: list[Values] = []
        self._places: set[tuple[str, str]] = set()

    def open(self, wanted: Intents) -> list[Values]:
        """Open the intents of one request; gives the effects that answer for some of them, if any: then none is opened.

        What failed surely did nothing, so that a newly formed request may take its place: under its own key, which is
        another one where the write was ordered once more. Raises `RetryLater` when another write has come in between
        the look at what would be overwritten and now.
        """
        found = [(intent["key"], self._answering(intent)) for intent in wanted.intents]
        standing = [
            row for key, row in found if row is not None and not (row["key"] == key and _may_be_opened(row, wanted))
        ]
        if standing:
            return standing
        for intent in wanted.intents:
            # One that was refused is only recorded.
            if intent.get("object") is not None and intent["state"] == EffectState.INTENT.value:
                self._assert_alone(intent)
        for intent in wanted.intents:
            row = {**_FRESH, **intent}
            (self._again if intent["key"] in self._standing else self._new).append(row)
            self._standing[intent["key"]] = row
            if intent["generation"] > 0 and intent.get("undoes") is None:
                self._newer.setdefault(_place(intent), {})[intent["key"]] = row
        if wanted.batch is not None:
            self._batches.append(wanted.batch)
        self._transaction.entries.extend(wanted.intended)
        return []

    def _answering(self, intent: Values) -> Values | None:
        return _answering(intent, self._standing.get(intent["key"]), self._newer)

    def _assert_alone(self, intent: Values) -> None:
        place = (intent["environment"], intent["object"])
        if place in self._places or _is_meddled_with(self._transaction.connection, intent):
            raise RetryLater("Another write to the same object comes first.", code="object-busy", after=1.0)
        self._places.add(place)

    def write(self) -> None:
        """Write what was opened."""
        connection = self._transaction.connection
        statements.insert(connection, effects, self._new)
        statements.change(connection, effects, self._again, key="key", columns=_ANEW)
        statements.insert(connection, batches, self._batches)


def settle(connection: Connection, outcomes: Sequence[Values]) -> None:
    """Record what became of effects."""
    statements.change(connection, effects, outcomes, key="key", columns=_OUTCOME)


def rewrite(connection: Connection, rows: Sequence[Values]) -> None:
    """Record other requests for effects whose former ones surely did nothing."""
    statements.change(connection, effects, rows, key="key", columns=_REQUEST)


def take_over(connection: Connection, rows: Sequence[Values], run_id: str) -> Values | None:
    """Make effects of another run this run's own; gives one that is no longer as it was seen, and then takes none."""
    for number, row in enumerate(rows):
        as_seen = (effects.c[name] == row[name] for name in ("key", "run_id", "state"))
        # Its run may have been told to go on since somebody looked.
        at_rest = ~exists().where(runs.c.id == effects.c.run_id, runs.c.state.in_(GOING_STATES))
        if connection.execute(update(effects).where(*as_seen, at_rest).values(run_id=run_id)).rowcount == 0:
            for taken in rows[:number]:
                back = update(effects).where(effects.c.key == taken["key"])
                connection.execute(back.values(run_id=taken["run_id"]))
            return row
    return None


def effect(connection: Connection, key: str) -> Values | None:
    """Give an effect by its key."""
    row = connection.execute(select(effects).where(effects.c.key == key)).one_or_none()
    return None if row is None else dict(row._mapping)


def of_keys(connection: Connection, keys: Sequence[str]) -> dict[str, Values]:
    """Give the effects that stand under these keys."""
    if not keys:
        return {}
    return {row["key"]: row for row in _OF_KEYS.rows(connection, keys=names_of(keys))}


_OF_KEYS = Formed(select(effects).where(among(effects.c.key, "keys")))

#: What names a write but for its generation.
_PLACE = ("environment", "connection", "operation", "business_key", "path")
_Newer = dict[tuple[str, ...], dict[str, Values]]


def answering(connection: Connection, wanted: Sequence[Values]) -> dict[str, Values]:
    """Give, by the keys of writes that are wanted, the effects that answer for them.

    That is the newest of those that were ordered once more, as far as it may have been made; what is under way or
    unknown is not gone past. Where none of them was made it is the newest, under whose key the write is made then.
    """
    standing, newer = of_keys(connection, [each["key"] for each in wanted]), _newer(connection, wanted)
    found = ((each["key"], _answering(each, standing.get(each["key"]), newer)) for each in wanted)
    return {key: row for key, row in found if row is not None}


def _answering(wanted: Values, own: Values | None, newer: _Newer) -> Values | None:
    if wanted.get("undoes") is not None:
        # What takes one write back does not take back another.
        return own
    later = [row for row in newer.get(_place(wanted), {}).values() if row["generation"] > wanted["generation"]]
    later.sort(key=lambda row: -row["generation"])
    rows = [*later, own] if own is not None else later
    return next((row for row in rows if row["state"] != EffectState.FAILED.value), rows[0] if rows else None)


def _newer(connection: Connection, wanted: Sequence[Values]) -> _Newer:
    found: _Newer = {}
    if wanted:
        named = {name: names_of(sorted({each[name] for each in wanted})) for name in ("business_key", "path")}
        for row in _NEWER.rows(connection, **named):
            found.setdefault(_place(row), {})[row["key"]] = row
    return found


def _place(row: Values) -> tuple[str, ...]:
    return tuple(row[name] for name in _PLACE)


_NEWER = Formed(
    select(effects).where(
        # As the index says it.
        text("generation > 0"),
        among(effects.c.business_key, "business_key"),
        among(effects.c.path, "path"),
        effects.c.undoes.is_(None),
    )
)


def of_object(
    connection: Connection, environment: str, object: str, *, reasons: Sequence[str]
) -> tuple[Values | None, frozenset[str]]:
    """Give the last write that was made to an object, and the versions of it that were told of for these reasons."""
    of_it = {"of_environment": environment, "of_object": object}
    last = _LAST_OF_OBJECT.rows(connection, **of_it)
    told = _TOLD_OF_OBJECT.rows(connection, **of_it, reasons=names_of(reasons))
    return last[0] if last else None, frozenset(row["version"] for row in told)


def outputs_of(connection: Connection, environment: str, object: str, *, but: str) -> list[Any]:
    """Give what the writes to an object have given, but for one of them; what retention has taken away is not there."""
    rows = _OUTPUTS_OF_OBJECT.rows(connection, of_environment=environment, of_object=object, but=but)
    return [exact_json.loads(row["output"]) for row in rows]


_OF_OBJECT = (effects.c.environment == bindparam("of_environment"), effects.c.object == bindparam("of_object"))
_LAST_OF_OBJECT = Formed(
    select(effects)
    .where(*_OF_OBJECT, effects.c.state == EffectState.DONE.value)
    .order_by(effects.c.finished_at.desc())
    .limit(1)
)
_OUTPUTS_OF_OBJECT = Formed(
    select(effects.c.output).where(
        *_OF_OBJECT,
        effects.c.key != bindparam("but"),
        effects.c.state == EffectState.DONE.value,
        effects.c.output.is_not(None),
    )
)
_TOLD_OF_OBJECT = Formed(
    select(effects.c.version).where(*_OF_OBJECT, among(effects.c.reason, "reasons"), effects.c.version.is_not(None))
)


def is_taken_back(connection: Connection, key: str) -> bool:
    """Tell whether what an effect wrote was taken back."""
    statement = select(effects.c.key).where(effects.c.undoes == key, effects.c.state == EffectState.DONE.value)
    return connection.execute(statement.limit(1)).one_or_none() is not None


def batch(connection: Connection, id: str) -> Values:
    """Give a request that carries several effects."""
    return dict(connection.execute(select(batches).where(batches.c.id == id)).one()._mapping)


def open_effects(connection: Connection, *, environment: str) -> list[Values]:
    """List the effects whose outcome is not known yet, without their bodies."""
    statement = select(*_NAMES).where(
        effects.c.environment == environment,
        effects.c.state.in_([EffectState.INTENT.value, EffectState.UNKNOWN.value]),
    )
    return [dict(row._mapping) for row in connection.execute(statement)]
