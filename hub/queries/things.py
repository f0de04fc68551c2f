"""One thing of master data as people read it: its ids, its place, what became of it, and what may be the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from hub.model.ambient import of_micros, to_micros
from hub.model.thing import PairState, What
from hub.queries.actors import called
from hub.queries.view import View
from hub.sdk import exact_json
from hub.store import hierarchy, pairs, people, things
from hub.store import shared_keys as stored_keys
from hub.store.shared_keys import SharedKey
from hub.store.thing_tables import matched_records, thing_history

#: So many things below one are shown; a greater group is asked for by the API.
MOST_BELOW = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Id:
    """An id of a thing in one system; an alias finds it too, but others are given the primary one."""

    system: str
    id: str
    alias: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One row of a thing's history; `other` is what the id came from or went to, or the parent from then on."""

    at: datetime
    what: What
    thing: str
    system: str | None
    id: str | None
    alias: bool
    other: str | None
    was: str | None
    actor: str
    by_name: str
    run_id: str | None
    path: str | None
    reason: str | None
    merge: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A thing in the tree with its primary ids; `level` 0 is the one that is shown, negative ones stand above it."""

    thing: str
    level: int
    ids: tuple[Id, ...]
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A merge that has not been taken back: its name, the thing that is gone, when and by whom."""

    merge: str
    gone: str
    at: datetime
    actor: str
    by_name: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingView:
    """A thing: what names it, where it stands, its merges, and everything that became of it, the newest first.

    `became` is the thing that it was merged into, where nothing names it any more. `doubles` are the systems in which
    several records stand for it: there they are to be merged by hand. `name` is what its record said last that was
    compared; None where payloads are withheld, or no record is kept.
    """

    entity: str
    thing: str
    name: str | None
    ids: tuple[Id, ...]
    doubles: tuple[str, ...]
    tree: tuple[Place, ...]
    below: int
    merges: tuple[Merge, ...]
    pairs: tuple[str, ...]
    history: tuple[Happening, ...]
    became: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of two records side by side; `None` where one does not have it."""

    path: str
    one: str | None
    other: str | None

    @property
    def differs(self) -> bool:
        """Tell whether they say different things."""
        return self.one != self.other


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of a pair: where it is, the thing it is about now, when it was seen last and by which run.

    `name` is what it says of itself; None where payloads are withheld, or retention has taken it.
    """

    system: str
    id: str
    name: str | None
    thing: str | None
    seen_at: datetime | None
    run_id: str | None
    ids: tuple[Id, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two records that may be about one thing: the one that waits, and the `other` that was there.

    `fields` are theirs side by side; None where payloads are withheld, or retention has taken one.
    """

    pair: str
    entity: str
    policy: str
    keys: tuple[str, ...]
    state: PairState
    one: Record
    other: Record
    fields: tuple[Field, ...] | None
    run_id: str | None
    found_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    by_name: str | None
    reason: str | None
    merge: str | None


def named(view: View, *, id: str, entity: str | None = None, system: str | None = None) -> tuple[tuple[str, str], ...]:
    """Give the things, as entity and name, that an id names now or has ever named; `id` may be a thing's name too."""
    here = thing_history.c.environment == view.environment
    statement = select(thing_history.c.entity, thing_history.c.thing).where(here, thing_history.c.id == id).distinct()
    if system is not None:
        statement = statement.where(thing_history.c.system == system)
    with view.database.reading() as connection:
        found = {(row.entity, row.thing) for row in connection.execute(statement)}
        # Only where an entity is given can a thing be found by its name without reading through all of them.
        if entity is not None:
            mine = (here, thing_history.c.entity == entity, thing_history.c.thing == id)
            if connection.execute(select(thing_history.c.position).where(*mine).limit(1)).first():
                found.add((entity, id))
    return tuple(sorted(each for each in found if entity is None or each[0] == entity))


def show(
    view: View, entity: str, thing: str, *, moment: datetime | None = None, payloads: bool = False
) -> ThingView | None:
    """Give a thing as it is, or as it was at a moment; None when there has never been such a thing.

    Names are those of now, and withheld without `payloads`.
    """
    with view.database.reading() as connection:
        rows = _rows(connection, view.environment, entity, thing)
        if not rows:
            return None
        at, names = None if moment is None else to_micros(moment), people.names(connection)
        told = [row for row in rows if at is None or row["at"] <= at]
        if at is None:
            ids = _ids(connection, view.environment, entity, thing)
        else:
            ids = _ids_at(connection, view.environment, entity, thing, at)
        asked = pairs.of_thing(connection, environment=view.environment, entity=entity, thing=thing)
        of = {"environment": view.environment, "entity": entity}
        return ThingView(
            entity=entity,
            thing=thing,
            name=_name(connection, of, ids) if payloads else None,
            ids=ids,
            doubles=tuple(sorted({each.system for each in ids if each.alias})),
            tree=_tree(connection, view.environment, entity, thing, at, payloads=payloads),
            below=len(things.children_of(connection, environment=view.environment, entity=entity, thing=thing)),
            merges=_merges(told, thing, names),
            pairs=tuple(row["pair"] for row in asked if row["state"] == PairState.OPEN),
            history=tuple(_happening(row, names) for row in reversed(told)),
            became=_became(told, thing) if not ids else None,
        )


def waiting(
    view: View,
    *,
    entity: str | None = None,
    state: PairState = PairState.OPEN,
    payloads: bool = False,
    limit: int = 100,
) -> tuple[Pair, ...]:
    """List pairs of records in a state."""
    with view.database.reading() as connection:
        rows = pairs.waiting(connection, view.environment, entity=entity, state=state, limit=limit)
        return tuple(_pair(connection, row, payloads=payloads) for row in rows)


def shared_keys(view: View) -> tuple[SharedKey, ...]:
    """List the keys whose values too many things have, the newest first: nobody is asked about those by them."""
    with view.database.reading() as connection:
        return stored_keys.listing(connection, view.environment)


def count(view: View, state: PairState = PairState.OPEN, *, entity: str | None = None) -> int:
    """Count the pairs in a state: those that wait for a word, unless another is named."""
    with view.database.reading() as connection:
        return pairs.count(connection, view.environment, state, entity=entity)


def pair(view: View, name: str, *, payloads: bool) -> Pair | None:
    """Give a pair of records side by side."""
    with view.database.reading() as connection:
        row = pairs.find(connection, view.environment, name)
        return None if row is None else _pair(connection, row, payloads=payloads)


def _rows(connection: Connection, environment: str, entity: str, thing: str) -> list[dict[str, Any]]:
    of = thing_history.c.entity == entity
    own = things.history(connection, environment, of, thing_history.c.thing == thing)
    # Ids that went from here to another thing, and what was put below this one.
    its = things.history(connection, environment, of, thing_history.c.other == thing)
    rows = {row["position"]: row for row in (*own, *its)}
    return [rows[position] for position in sorted(rows)]


def _ids(connection: Connection, environment: str, entity: str, thing: str) -> tuple[Id, ...]:
    ties = things.ids_of(connection, environment=environment, entity=entity, thing=thing)
    return _sorted(Id(system=tie.system, id=tie.id, alias=tie.rank > 0) for tie in ties)


def _ids_at(connection: Connection, environment: str, entity: str, thing: str, at: int) -> tuple[Id, ...]:
    """Give the ids that named a thing at a moment: of each that ever did, what was said of it last until then."""
    ever = {
        (row["system"], row["id"])
        for row in things.history(
            connection, environment, thing_history.c.entity == entity, thing_history.c.thing == thing
        )
        if row["id"] is not None
    }
    found = []
    for system, id in ever:
        same = (thing_history.c.entity == entity, thing_history.c.system == system, thing_history.c.id == id)
        until = things.history(connection, environment, *same, thing_history.c.at <= at)
        if until and until[-1]["thing"] == thing and until[-1]["what"] != What.UNTIED:
            found.append(Id(system=system, id=id, alias=until[-1]["rank"] > 0))
    return _sorted(found)


def _sorted(ids: Iterable[Id]) -> tuple[Id, ...]:
    return tuple(sorted(ids, key=lambda each: (each.system, each.alias, each.id)))


def _parent_at(connection: Connection, environment: str, entity: str, thing: str, at: int | None) -> str | None:
    if at is None:
        return things.parent_of(connection, environment=environment, entity=entity, thing=thing)
    rows = things.history(
        connection,
        environment,
        thing_history.c.entity == entity,
        thing_history.c.thing == thing,
        thing_history.c.what == What.MOVED.value,
        thing_history.c.at <= at,
    )
    return rows[-1]["other"] if rows else None


def _tree(
    connection: Connection, environment: str, entity: str, thing: str, at: int | None, *, payloads: bool
) -> tuple[Place, ...]:
    """Give what stands above a thing, the topmost first, itself, and what stands straight below it now."""
    up: list[str] = []
    above = _parent_at(connection, environment, entity, thing, at)
    while above is not None and above not in up and len(up) < hierarchy.MOST_LEVELS:
        up.append(above)
        above = _parent_at(connection, environment, entity, above, at)
    down: list[str] = []
    if at is None:
        down = things.children_of(connection, environment=environment, entity=entity, thing=thing)[:MOST_BELOW]
    levels = [*((each, -number) for number, each in reversed(list(enumerate(up, start=1)))), (thing, 0)]
    places = [*levels, *((each, 1) for each in down)]
    of, found = {"environment": environment, "entity": entity}, []
    for each, level in places:
        ids = _ids(connection, environment, entity, each)
        name = _name(connection, of, ids) if payloads else None
        found.append(Place(thing=each, level=level, ids=tuple(id for id in ids if not id.alias), name=name))
    return tuple(found)


def _name(connection: Connection, of: Mapping[str, str], ids: Iterable[Id]) -> str | None:
    """Give the name in the record that was compared last of those that some ids name; None where none is kept."""
    rows = [row for each in ids if (row := _matched(connection, of, each.system, each.id)) is not None]
    newest = max(rows, key=lambda row: row.at, default=None)
    return None if newest is None else _called_so(newest.record)


def _called_so(text: str | None) -> str | None:
    record = None if text is None else exact_json.loads(text)
    name = record.get("name") if isinstance(record, dict) else None
    return name if isinstance(name, str) and name else None


def _matched(connection: Connection, of: Mapping[str, str], system: str, id: str) -> Any:
    """Give what is kept of a record that was compared; None where it never was."""
    key = {**of, "system": system, "id": id}
    here = (matched_records.c[name] == value for name, value in key.items())
    return connection.execute(select(matched_records).where(*here)).one_or_none()


def _merges(rows: Iterable[Mapping[str, Any]], thing: str, names: Mapping[str, str]) -> tuple[Merge, ...]:
    found: dict[str, Merge] = {}
    for row in rows:
        change = row["change"]
        if change is None:
            continue
        if row["what"] == What.MERGED and row["thing"] == thing:
            found[change] = Merge(
                merge=change,
                gone=row["other"],
                at=of_micros(row["at"]),
                actor=row["actor"],
                by_name=_called(row["actor"], names),
                reason=row["reason"],
            )
        elif row["what"] == What.SPLIT:
            found.pop(change, None)
    return tuple(found.values())


def _became(rows: Iterable[Mapping[str, Any]], thing: str) -> str | None:
    merged = [row["thing"] for row in rows if row["what"] == What.MERGED and row["other"] == thing]
    return merged[-1] if merged else None


def _called(actor: str, names: Mapping[str, str]) -> str:
    # What was there when the history began.
    return "nobody knows by whom" if actor == "before" else called(actor, names)


def _happening(row: Mapping[str, Any], names: Mapping[str, str]) -> Happening:
    return Happening(
        at=of_micros(row["at"]),
        what=What(row["what"]),
        thing=row["thing"],
        system=row["system"],
        id=row["id"],
        alias=bool(row["rank"]),
        other=row["other"],
        was=row["was"],
        actor=row["actor"],
        by_name=_called(row["actor"], names),
        run_id=row["run_id"],
        path=row["path"],
        reason=row["reason"],
        merge=row["change"],
    )


def _pair(connection: Connection, row: Mapping[str, Any], *, payloads: bool) -> Pair:
    of = {"environment": row["environment"], "entity": row["entity"]}
    seen = [_record(connection, of, system, id, payloads=payloads) for system, id in pairs.of_ids(row)]
    texts = [text for _, text in seen]
    fields = None
    if payloads and all(text is not None for text in texts):
        fields = side_by_side(*(exact_json.loads(text or "null") for text in texts))
    return Pair(
        pair=row["pair"],
        entity=row["entity"],
        policy=row["policy"],
        keys=tuple(exact_json.loads(row["keys"])),
        state=PairState(row["state"]),
        one=seen[0][0],
        other=seen[1][0],
        fields=fields,
        run_id=row["run_id"],
        found_at=of_micros(row["found_at"]),
        decided_at=None if row["decided_at"] is None else of_micros(row["decided_at"]),
        decided_by=row["decided_by"],
        by_name=None if row["decided_by"] is None else called(row["decided_by"], people.names(connection)),
        reason=row["reason"],
        merge=row["change"],
    )


def _record(
    connection: Connection, of: Mapping[str, str], system: str, id: str, *, payloads: bool
) -> tuple[Record, str | None]:
    thing = things.named(connection, **of, system=system, id=id)
    row = _matched(connection, of, system, id)
    ids = () if thing is None else _ids(connection, of["environment"], of["entity"], thing)
    found = Record(
        system=system,
        id=id,
        name=None if row is None or not payloads else _called_so(row.record),
        thing=thing,
        seen_at=None if row is None else of_micros(row.at),
        run_id=None if row is None else row.run_id,
        ids=ids,
    )
    return found, None if row is None else row.record


def side_by_side(one: Any, other: Any) -> tuple[Field, ...]:
    """Put the fields of two records side by side, in the order of the first."""
    ones, others = dict(_flat(one, "")), dict(_flat(other, ""))
    return tuple(
        Field(path=path, one=ones.get(path), other=others.get(path)) for path in dict.fromkeys((*ones, *others))
    )


def _flat(value: Any, path: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(part, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _flat(part, f"{path}[{number}]")
    elif value is not None:
        yield path, value if isinstance(value, str) else exact_json.dumps(value).decode()


def at_moment(
    view: View, *, id: str, moment: datetime, entity: str | None = None, payloads: bool = False
) -> tuple[ThingView, ...]:
    """Give the things that an id named at a moment, as they were then."""
    found = []
    for of, thing in named(view, id=id, entity=entity):
        shown = show(view, of, thing, moment=moment, payloads=payloads)
        if shown is not None and any(each.id == id for each in shown.ids):
            found.append(shown)
    return tuple(found)


def ids_in(view: View, entity: str, thing: str) -> tuple[Id, ...]:
    """Give the ids of a thing as they are now."""
    with view.database.reading() as connection:
        return _ids(connection, view.environment, entity, thing)


def thing_of(view: View, *, entity: str, system: str, id: str) -> str | None:
    """Give the thing that a system calls so."""
    with view.database.reading() as connection:
        return things.named(connection, environment=view.environment, entity=entity, system=system, id=id)
