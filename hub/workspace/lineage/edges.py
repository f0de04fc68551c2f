"""Lineage: which fields every field is made of, where it goes, and what is decided and checked by it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hub.errors import NotFound
from hub.workspace.source.lint import close_match


class How(StrEnum):
    """How one field comes to hold what another one held."""

    FIELD = "field"
    EACH = "each"
    KEPT = "kept"
    GIVEN = "given"
    PART = "part"
    LOOKUP = "lookup"
    POLICY = "policy"


class Purpose(StrEnum):
    """What a value is used for beside being written into another record."""

    EXPECT = "expect"
    WHEN = "when"
    MONEY = "money"
    ENTITY = "entity"
    KEY = "key"
    BUSINESS_KEY = "business_key"
    BY = "by"
    CONNECTION = "connection"
    CROSSREF = "crossref"
    MATCH = "match"
    GUARD = "guard"
    APPROVE = "approve"
    WAIT = "wait"
    EACH = "each"
    SUBJECT = "subject"
    UNDO = "undo"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Field:
    """A field of a record: its schema with version, or what else holds values, and its path (`lines[].amount`).

    What else holds values is named `event.TYPE`, `crossref.ENTITY`, `policy.NAME`, `answer.OPERATION`, `flow.NAME`
    (what a flow gives to those that run it) and `collected.FLOW.STEP` (what a loop keeps of its items).
    """

    record: str
    path: str = ""

    @property
    def series(self) -> str:
        """Give the name of what holds it, without the version."""
        return self.record.partition("@")[0]

    def __str__(self) -> str:
        """Give both as one name."""
        return f"{self.record}.{self.path}" if self.path else self.record


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Step:
    """A step of a flow in which something happens."""

    flow: str
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One field goes into another: by which expression of which file, in which steps; `by` names mapping or policy.

    A direct one carries the value itself; another only decides about it. `tables` are looked into on the way.
    """

    source: Field
    target: Field
    how: How
    text: str
    path: str
    line: int
    by: str = ""
    tables: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    direct: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A field is used for something: `text` says it in a sentence, with the place in the flow's file."""

    source: Field
    purpose: Purpose
    text: str
    path: str
    line: int
    step: Step


_Index = Mapping[tuple[str, str], Sequence[Edge]]
_Edges = Callable[[Field], tuple[Edge, ...]]
_End = Callable[[Edge], Field]
_ALL = "*"
_FIRST = re.compile(r"[.\[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """All that is known of a workspace's fields; `declared` gives those of its schemas, each with its meaning."""

    edges: tuple[Edge, ...]
    uses: tuple[Use, ...]
    declared: Mapping[Field, str] = field(repr=False)
    _filling: _Index = field(init=False, repr=False, compare=False)
    _reading: _Index = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the edges by their ends, so that following one does not look at all."""
        object.__setattr__(self, "_filling", _index(self.edges, lambda edge: edge.target))
        object.__setattr__(self, "_reading", _index(self.edges, lambda edge: edge.source))

    def within(self, flow: str) -> Lineage:
        """Keep what happens in one flow; raises `NotFound` when nothing does."""
        flows = {step.flow for edge in self.edges for step in edge.steps} | {use.step.flow for use in self.uses}
        if flow not in flows:
            near = close_match(flow, flows)
            known = f" Did you mean `{near[0]}`?" if near else f" There are: {', '.join(sorted(flows))}."
            raise NotFound(f"No flow `{flow}` handles any field.{known if flows else ''}", flow=flow)
        edges = []
        for edge in self.edges:
            steps = tuple(step for step in edge.steps if step.flow == flow)
            if steps:
                edges.append(replace(edge, steps=steps))
        return replace(self, edges=tuple(edges), uses=tuple(use for use in self.uses if use.step.flow == flow))

    def into(self, wanted: Field) -> tuple[Edge, ...]:
        """Give the edges that fill a field, a part of it, or what it is a part of."""
        return tuple(edge for edge in _near(self._filling, wanted) if _fills(edge, wanted))

    def out_of(self, wanted: Field) -> tuple[Edge, ...]:
        """Give the edges that read a field, a part of it, or what it is a part of."""
        return tuple(edge for edge in _near(self._reading, wanted) if _reads(edge, wanted))

    def uses_of(self, wanted: Field) -> tuple[Use, ...]:
        """Give what a field, or a part of it, is used for."""
        return tuple(
            use
            for use in self.uses
            if use.source.record == wanted.record
            and (inside(use.source.path, wanted.path) or inside(wanted.path, use.source.path))
        )

    def touched(self) -> set[Field]:
        """Give every field that something fills, reads or uses."""
        ends = {end for edge in self.edges for end in (edge.source, edge.target)}
        return ends | {use.source for use in self.uses}

    def find(self, name: str) -> tuple[Field, ...]:
        """Give the fields that a name means, with or without version and `[]`; `*` stands for any text.

        The name of a schema means the fields in it that something fills, reads or uses; all when nothing does. Raises
        `NotFound` with the nearest name.
        """
        touched = self.touched()
        known = sorted(touched | self.declared.keys())
        exact = _pattern(name)
        found = [each for each in known if any(exact.fullmatch(text) for text in _names(each))]
        below = re.compile(rf"{exact.pattern}\..*", re.DOTALL)
        parts = [each for each in known if any(below.fullmatch(text) for text in _names(each))]
        whole = not any(each.path for each in found)
        if parts and whole:
            found = [each for each in parts if each in touched] or parts
        if not found:
            raise NotFound(f"No schema or flow has the field `{name}`.{_meant(name, known)}", field=name)
        filled = [each for each in found if each in touched]
        return tuple(filled or found)


def upstream(lineage: Lineage, *wanted: Field) -> Iterator[Edge]:
    """Give every edge on a way to any of the fields, each once, the nearest first."""
    yield from _walk(wanted, lineage.into, lambda edge: edge.source)


def downstream(lineage: Lineage, *wanted: Field) -> Iterator[Edge]:
    """Give every edge on a way from any of the fields, each once, the nearest first."""
    yield from _walk(wanted, lineage.out_of, lambda edge: edge.target)


def _index(edges: Iterable[Edge], end_of: _End) -> _Index:
    """Sort edges by record and first name of the path at one end: only these can be parts of each other."""
    found: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges:
        end = end_of(edge)
        for name in (_ALL, _first(end.path)):
            found.setdefault((end.record, name), []).append(edge)
    return found


def _near(index: _Index, wanted: Field) -> Iterable[Edge]:
    """Give the edges that may touch a field; what reads or fills a record as a whole touches all of it."""
    if not wanted.path:
        return index.get((wanted.record, _ALL), ())
    return [*index.get((wanted.record, _first(wanted.path)), ()), *index.get((wanted.record, ""), ())]


def _first(path: str) -> str:
    return _FIRST.split(path, maxsplit=1)[0]


def _meant(name: str, known: Iterable[Field]) -> str:
    names = {text for each in known for text in _names(each)[-1:]} | {each.series for each in known}
    near = close_match(name.replace("[]", ""), names)
    return f" Did you mean `{near[0]}`?" if near else ""


def _walk(wanted: Iterable[Field], edges_at: _Edges, end_of: _End) -> Iterator[Edge]:
    waiting, told = list(wanted), set()
    seen = set(waiting)
    while waiting:
        here = waiting.pop(0)
        for edge in edges_at(here):
            if id(edge) not in told:
                told.add(id(edge))
                yield edge
            if (end := end_of(edge)) not in seen:
                seen.add(end)
                waiting.append(end)


def _fills(edge: Edge, wanted: Field) -> bool:
    if edge.how is How.EACH:
        return inside(edge.target.path, wanted.path)
    return inside(edge.target.path, wanted.path) or inside(wanted.path, edge.target.path)


def _reads(edge: Edge, wanted: Field) -> bool:
    if edge.how is How.EACH:
        return inside(edge.source.path, wanted.path)
    return inside(edge.source.path, wanted.path) or inside(wanted.path, edge.source.path)


def inside(inner: str, outer: str) -> bool:
    """Tell whether a path is another one or leads into it."""
    return not outer or inner == outer or inner.startswith((f"{outer}.", f"{outer}["))


def _pattern(name: str) -> re.Pattern[str]:
    plain = name.strip().replace("[]", "")
    return re.compile(".*".join(re.escape(part) for part in plain.split("*")), re.DOTALL)


def _names(each: Field) -> list[str]:
    """Give the names a field answers to: with version, and without it."""
    path = each.path.replace("[]", "")
    return [f"{record}.{path}" if path else record for record in dict.fromkeys((each.record, each.series))]
