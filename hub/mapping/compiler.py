"""Compile a mapping's document: fields, nested objects and repeated targets, with every mistake found at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hub.expressions.errors import ExpressionError
from hub.expressions.mistakes import InvalidDocument, Mistake
from hub.expressions.parts import Grouped, Spot
from hub.expressions.records import compile_record
from hub.mapping.compiled import CompiledMapping
from hub.mapping.reading import Fragments, Group, Reading, grouped
from hub.mapping.reverse import reversed_document, reversed_tables
from hub.schemas.shape import ANYTHING, Shape

#: Top-level keys that are no targets.
RESERVED = frozenset(
    {"mapping", "version", "title", "from", "to", "given", "rest", "without", "reverse", "fields", "tables"}
)
_TARGET = frozenset({"each", "use", "fields"})
_NONE: Fragments = {}


def compile_mapping(
    document: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]], fragments: Fragments = _NONE
) -> CompiledMapping:
    """Compile a mapping file's plain values, with the workspace's tables (name → key → value) and fragments.

    `InvalidDocument` lists all mistakes, each with its place in the document.
    """
    name = str(document.get("mapping", ""))
    given, mistakes = _given(document)
    reading = Reading(tables, fragments, given)
    reading.mistakes += mistakes
    shape = _whole(document, reading)
    if not reading.mistakes:
        try:
            record = compile_record(shape, {"mapping": name})
        except ExpressionError as error:
            reading.mistake((), error.detail, error.code)
    if reading.mistakes:
        raise InvalidDocument("mapping", name, reading.mistakes)
    return CompiledMapping(
        name=name,
        version=document["version"],
        source=str(document.get("from", "")),
        target=str(document.get("to", "")),
        given=given,
        reads=reading.reads,
        tables=tables,
        shape=shape,
        _record=record,
        reverse=document.get("reverse"),
    )


def compile_reverse(mapping: CompiledMapping, source: Shape = ANYTHING) -> CompiledMapping:
    """Compile the mapping in the other direction, which `mapping` names in `reverse`.

    `source` is the shape of what `mapping` reads, if it is known. `InvalidDocument` lists the fields that cannot be
    turned round, each with its place in the document of `mapping`.
    """
    name = str(mapping.reverse)
    document, mistakes = reversed_document(mapping, name, source)
    if mistakes:
        raise InvalidDocument("mapping", mapping.name, mistakes)
    return replace(compile_mapping(document, reversed_tables(mapping)), reverse=mapping.name, derived=True)


def fragment_mistakes(
    name: str, fields: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]], fragments: Fragments
) -> list[Mistake]:
    """Find what is wrong with the fields of a fragment, each with its place in its document."""
    reading = Reading(tables, {**fragments, name: fields}, None)
    reading.fields(Group(), fields, ("fields",))
    return reading.mistakes


def _given(document: Mapping[str, Any]) -> tuple[frozenset[str] | None, list[Mistake]]:
    names = document.get("given")
    if names is None:
        return None, []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None, [Mistake(where=("given",), detail="The given values are a list of names.")]
    return frozenset(names), []


def _whole(document: Mapping[str, Any], reading: Reading) -> Grouped:
    """Read the document into the shape of its record."""
    version = document.get("version")
    if type(version) is not int or version < 1:
        reading.mistake(("version",), "The version is a whole number from 1.")
    keeps, without = reading.rest(document, ())
    top = Group(Spot(where=("fields",)))
    reading.fields(top, document.get("fields", {}), ("fields",))
    for key, value in document.items():
        if key in RESERVED:
            continue
        if isinstance(value, Mapping) and value.keys() & _TARGET:
            reading.field(top, key, value, (key,))
        else:
            reading.mistake((key,), "This key is unknown; a repeated target has `each` and `fields`.")
    if not top and not keeps and not reading.mistakes:
        reading.mistake(("fields",), "The mapping has no fields.")
    return grouped(top, kept=keeps, without=without)
