"""Lineage as people read it: a tree of where a field comes from and goes to, or a picture of many fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hub.workspace.lineage.edges import Edge, Field, How, Lineage, Step, Use, downstream, inside, upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One line of a file that carries fields into others; `ends` are the fields at its other side, each a tree.

    `part` is the field it fills, when that is a part of the one it stands below, or what that is a part of.
    """

    edge: Edge
    part: str
    ends: tuple[Branch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A field with the statements that lead on from it; `told` when they stand further up in the tree already."""

    field: Field
    meaning: str
    statements: tuple[Statement, ...] = ()
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLineage:
    """One field whole: what it means, where it comes from, where it goes, and what it is used for."""

    field: Field
    meaning: str
    sources: tuple[Statement, ...]
    targets: tuple[Statement, ...]
    uses: tuple[Use, ...]


def field_lineage(lineage: Lineage, wanted: Field) -> FieldLineage:
    """Give all that is known of one field."""
    return FieldLineage(
        field=wanted,
        meaning=lineage.declared.get(wanted, ""),
        sources=_sources(lineage, wanted, {wanted}),
        targets=_targets(lineage, wanted, {wanted}),
        uses=_uses(lineage.uses_of(wanted)),
    )


def field_lineages(lineage: Lineage, wanted: Sequence[Field]) -> tuple[FieldLineage, ...]:
    """Give what is known of several fields, so that nothing is told of a whole that is told of one of its parts.

    A part of a field that is filled as a whole, such as the minor units of an amount, is told with it.
    """
    filled = {edge.target for edge in lineage.edges if edge.how is not How.EACH and edge.target.path}
    own = [each for each in wanted if not any(_part_of(each, whole) for whole in filled)] or list(wanted)
    found = []
    for each in own:
        parts = {other for other in own if _part_of(other, each)}
        told = field_lineage(lineage, each)
        sources = tuple(one for one in told.sources if one.edge.target not in parts)
        targets = tuple(one for one in told.targets if not any(_in(one.edge.source, part) for part in parts))
        uses = tuple(use for use in told.uses if not any(_in(use.source, part) for part in parts))
        found.append(replace(told, sources=sources, targets=targets, uses=uses))
    return tuple(found)


def _part_of(part: Field, whole: Field) -> bool:
    return part != whole and _in(part, whole)


def _in(part: Field, whole: Field) -> bool:
    return part.record == whole.record and bool(whole.path) and inside(part.path, whole.path)


def touched_edges(lineage: Lineage, wanted: Iterable[Field]) -> tuple[Edge, ...]:
    """Give every edge on a way to or from any of the fields, in the order of the lineage."""
    own = tuple(wanted)
    found = {id(edge) for walk in (upstream, downstream) for edge in walk(lineage, *own)}
    return tuple(edge for edge in lineage.edges if id(edge) in found)


def _sources(lineage: Lineage, wanted: Field, told: set[Field]) -> tuple[Statement, ...]:
    """Group the edges into a field by the line they stand in."""
    groups: dict[tuple[Field, str, str, int, bool], list[Edge]] = {}
    for edge in lineage.into(wanted):
        groups.setdefault((edge.target, edge.text, edge.path, edge.line, edge.direct), []).append(edge)
    statements = []
    for (target, *_), edges in groups.items():
        ends = tuple(_branch(lineage, edge.source, told, upwards=True) for edge in edges)
        statements.append(Statement(edge=edges[0], part=_part(target, wanted), ends=ends))
    return tuple(statements)


def _targets(lineage: Lineage, wanted: Field, told: set[Field]) -> tuple[Statement, ...]:
    found: dict[tuple[Field, str, str, int], Statement] = {}
    for edge in lineage.out_of(wanted):
        key = (edge.target, edge.text, edge.path, edge.line)
        if key not in found:
            ends = (_branch(lineage, edge.target, told, upwards=False),)
            found[key] = Statement(edge=edge, part=_part(edge.source, wanted), ends=ends)
    return tuple(found.values())


def _branch(lineage: Lineage, here: Field, told: set[Field], *, upwards: bool) -> Branch:
    meaning = lineage.declared.get(here, "")
    if here in told:
        return Branch(field=here, meaning=meaning, told=bool(lineage.into(here) if upwards else lineage.out_of(here)))
    told.add(here)
    follow = _sources if upwards else _targets
    return Branch(field=here, meaning=meaning, statements=follow(lineage, here, told))


def _part(end: Field, wanted: Field) -> str:
    return "" if end == wanted else str(end)


def _uses(uses: Sequence[Use]) -> tuple[Use, ...]:
    """Keep one of those that say the same of several parts of a field."""
    first: dict[tuple[str, str, int], Use] = {}
    for use in uses:
        first.setdefault((use.text, use.path, use.line), use)
    return tuple(first.values())


def as_json(found: FieldLineage) -> dict[str, Any]:
    """Give one field's lineage as plain values."""
    return {
        "record": found.field.record,
        "field": found.field.path,
        "meaning": found.meaning,
        "from": [_statement(each, "from") for each in found.sources],
        "to": [_statement(each, "to") for each in found.targets],
        "uses": [
            {
                "purpose": use.purpose,
                "text": use.text,
                "field": use.source.path,
                "path": use.path,
                "line": use.line,
                **_step(use.step),
            }
            for use in found.uses
        ],
    }


def _statement(statement: Statement, way: str) -> dict[str, Any]:
    edge = statement.edge
    return {
        "how": edge.how,
        "by": edge.by,
        "expression": edge.text,
        "direct": edge.direct,
        "tables": list(edge.tables),
        "path": edge.path,
        "line": edge.line,
        "steps": [_step(step) for step in edge.steps],
        "part": statement.part,
        "fields": [
            {
                "record": branch.field.record,
                "field": branch.field.path,
                "meaning": branch.meaning,
                **({"told_above": True} if branch.told else {}),
                way: [_statement(each, way) for each in branch.statements],
            }
            for branch in statement.ends
        ],
    }


def _step(step: Step) -> Mapping[str, str]:
    return {"flow": step.flow, "step": step.step}
