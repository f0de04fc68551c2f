"""Where records are: one table for each object with its indexes, the recycle bin, and marks to go back to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from connectors.salesforce.sandbox.refusals import Undone
from connectors.salesforce.sandbox.schema import Field, Kind, Schema


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it stands; what is null is not among `values`.

    Amounts are `Decimal`, moments are whole milliseconds since 1970, days are ISO texts, references are ids of 18
    characters. `deleted` is when it went to the recycle bin, in milliseconds; `number` counts what was ever written.
    """

    kind: str
    id: str
    values: Mapping[str, Any]
    number: int
    deleted: int | None = None

    def get(self, name: str) -> Any:
        """Give a value by the field's proper name; None for null."""
        return self.values.get(name)


def index_key(field: Field, value: Any) -> Any:
    """Give what a value is found by: capitals do not matter unless the field minds them."""
    return value.lower() if isinstance(value, str) and not field.case_sensitive and field.type != "reference" else value


class Table:
    """The records of one object: `live` ones and those in the `bin`, by id in the order of their making."""

    def __init__(self) -> None:
        """Start empty."""
        self.live: dict[str, Record] = {}
        self.bin: dict[str, Record] = {}
        #: Live records by the latest write, the latest last; going back to a mark brings them out of order.
        self._by_write: dict[str, None] = {}
        self._in_order = True
        self._indexes: dict[str, dict[Any, dict[str, None]]] = {}
        self._fields: dict[str, Field] = {}

    def declare(self, kind: Kind) -> None:
        """Keep an index for each field that records are found or listed by."""
        wanted = {
            field.name: field
            for field in kind.fields.values()
            if field.external_id or field.unique or (field.type == "reference" and field.children)
        }
        for name in set(self._indexes) - set(wanted):
            del self._indexes[name]
        for name, field in wanted.items():
            if name not in self._indexes or self._fields.get(name) != field:
                index: dict[Any, dict[str, None]] = {}
                self._indexes[name] = index
                for record in self.live.values():
                    _enter(index, field, record)
        self._fields = wanted

    def put(self, id: str, record: Record | None) -> Record | None:
        """Set what stands under an id, and give what stood there before."""
        before = self.live.pop(id, None) if record is None or record.deleted is not None else self.live.get(id)
        if before is not None:
            for name, index in self._indexes.items():
                _leave(index, self._fields[name], before)
        binned = self.bin.pop(id, None)
        self._by_write.pop(id, None)
        if record is not None and record.deleted is not None:
            self.bin[id] = record
        elif record is not None:
            self.live[id] = record
            self._by_write[id] = None
            for name, index in self._indexes.items():
                _enter(index, self._fields[name], record)
        return before or binned

    def find(self, field: Field, value: Any) -> list[str]:
        """Give the ids of the live records with a value of a field that is indexed."""
        index = self._indexes.get(field.name)
        if index is None:
            key = index_key(field, value)
            return [one.id for one in self.live.values() if index_key(field, one.values.get(field.name)) == key]
        return list(index.get(index_key(field, value), ()))

    def put_back(self, id: str, record: Record | None) -> None:
        """Set what stood under an id before."""
        self.put(id, record)
        self._in_order = False

    def disordered(self) -> None:
        """Note that the last write is not the latest."""
        self._in_order = False

    def written_since(self, moment: int) -> list[Record]:
        """Give the live records that were written at a moment or later, the earliest first."""
        if not self._in_order:
            self._by_write = dict.fromkeys(sorted(self._by_write, key=self._place_of))
            self._in_order = True
        found = []
        for id in reversed(self._by_write):
            record = self.live[id]
            if record.values["SystemModstamp"] < moment:
                break
            found.append(record)
        return found[::-1]

    def _place_of(self, id: str) -> tuple[int, int]:
        record = self.live[id]
        return record.values["SystemModstamp"], record.number

    def has_index(self, name: str) -> bool:
        """Tell whether records are found by a field without going through all."""
        return name in self._indexes


def _enter(index: dict[Any, dict[str, None]], field: Field, record: Record) -> None:
    value = record.values.get(field.name)
    if value is not None:
        index.setdefault(index_key(field, value), {})[record.id] = None


def _leave(index: dict[Any, dict[str, None]], field: Field, record: Record) -> None:
    value = record.values.get(field.name)
    if value is not None:
        key = index_key(field, value)
        entries = index[key]
        entries.pop(record.id, None)
        if not entries:
            del index[key]


class Store:
    """All tables; everything that changes them is undone when a block of `all_or_nothing` ends badly."""

    def __init__(self, schema: Schema) -> None:
        """Start without records."""
        self._schema = schema
        self._tables: dict[str, Table] = {}
        self._edition = -1
        self._journal: list[Callable[[], Any]] | None = None
        self._written = 0

    def table(self, kind: str) -> Table:
        """Give the table of an object by its proper name."""
        if self._edition != self._schema.edition:
            self._edition = self._schema.edition
            for one in self._schema:
                self._tables.setdefault(one.name, Table()).declare(one)
        return self._tables[kind]

    def get(self, id: str | None) -> Record | None:
        """Find a live record by its 18-character id."""
        kind = self._schema.of_id(id) if id else None
        return self.table(kind.name).live.get(id) if kind is not None and id else None

    def in_bin(self, id: str) -> Record | None:
        """Find a record in the recycle bin."""
        kind = self._schema.of_id(id)
        return self.table(kind.name).bin.get(id) if kind is not None else None

    def rows(self, kind: str, *, deleted: bool = False) -> Iterable[Record]:
        """Go through the records of an object, and through those in the bin where they are wanted."""
        table = self.table(kind)
        return chain(table.live.values(), table.bin.values()) if deleted else table.live.values()

    def below(self, parent: str, kind: str, field: str) -> Iterator[Record]:
        """Go through the live records of `kind` whose `field` names a parent."""
        table = self.table(kind)
        declared = self._schema.get(kind).field(field)
        if declared is not None:
            yield from (table.live[id] for id in table.find(declared, parent))

    def put(self, kind: str, id: str, values: Mapping[str, Any], *, deleted: int | None = None) -> Record:
        """Write a record whole."""
        self._written += 1
        record = Record(kind, id, values, self._written, deleted)
        self._set(kind, id, record)
        return record

    def backdate(self, record: Record, milliseconds: int) -> None:
        """Have a record written some time ago: it becomes visible only now."""
        names = ("CreatedDate", "LastModifiedDate", "SystemModstamp")
        earlier = {name: record.values[name] - milliseconds for name in names}
        self.put(record.kind, record.id, {**record.values, **earlier})
        self.table(record.kind).disordered()

    def backdate_deletion(self, record: Record, milliseconds: int) -> Record:
        """Have a record in the bin deleted some time ago: that becomes visible only now; gives it as it is then."""
        names = ("LastModifiedDate", "SystemModstamp")
        earlier = {name: record.values[name] - milliseconds for name in names}
        deleted = (record.deleted or 0) - milliseconds
        return self.put(record.kind, record.id, {**record.values, **earlier}, deleted=deleted)

    def remove(self, kind: str, id: str) -> None:
        """Forget a record for good."""
        self._set(kind, id, None)

    def _set(self, kind: str, id: str, record: Record | None) -> None:
        table = self.table(kind)
        before = table.put(id, record)
        if self._journal is not None:
            self._journal.append(lambda: table.put_back(id, before))

    def when_undone(self, work: Callable[[], Any]) -> None:
        """Have something done when what is being written is undone."""
        if self._journal is not None:
            self._journal.append(work)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Undo everything that was written in the block when it raises; blocks may stand in each other."""
        outermost = self._journal is None
        if self._journal is None:
            self._journal = []
        mark = len(self._journal)
        try:
            yield
        except BaseException:
            for undo in reversed(self._journal[mark:]):
                undo()
            del self._journal[mark:]
            raise
        finally:
            if outermost:
                self._journal = None

    def attempt(self, work: Callable[[], Any]) -> Any:
        """Do some work, and undo it where it says so by `Undone`, whose answer is given."""
        try:
            with self.all_or_nothing():
                return work()
        except Undone as undone:
            return undone.answer
