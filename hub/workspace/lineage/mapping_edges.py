"""What the mappings of a bundle carry from which field to which, as lineage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hub.expressions.compiler import compile
from hub.mapping.compiled import CompiledMapping
from hub.mapping.coverage import target_expressions
from hub.schemas.shape import shape_of
from hub.workspace.bundle import Bundle
from hub.workspace.checks.flow_scope import below
from hub.workspace.checks.kept_paths import kept_paths
from hub.workspace.lineage.edges import Edge, Field, How
from hub.workspace.lineage.written import Written, mapping_documents, mapping_places, written_fields

_NOT_WRITTEN = Written(text="", conditions=(), path="", line=1)


class MappingEdges:
    """The edges of each mapping, found once; which steps they happen in is told elsewhere."""

    def __init__(self, bundle: Bundle) -> None:
        """Read where every target field is written."""
        self._bundle = bundle
        nodes = mapping_documents(bundle.files)
        self._written = written_fields(nodes)
        self._files = mapping_places(nodes)
        self._edges = {name: list(self._found(mapping)) for name, mapping in bundle.mappings.items()}

    def all(self) -> Iterator[Edge]:
        """Give the edges of all mappings."""
        for edges in self._edges.values():
            yield from edges

    def of(self, name: str) -> list[Edge]:
        """Give the edges of one mapping."""
        return self._edges[name]

    def upcasts(self, record: str) -> list[Edge]:
        """Give the edges of the mappings by which other versions of a schema come to be read as this one."""
        found, waiting, seen = [], [record], {record}
        while waiting:
            wanted = waiting.pop()
            for name, mapping in self._bundle.mappings.items():
                if mapping.target == wanted and _series(mapping.source) == _series(wanted):
                    found += self._edges[name]
                    if mapping.source not in seen:
                        seen.add(mapping.source)
                        waiting.append(mapping.source)
        return found

    def given(self, name: str, word: str, sources: tuple[Field, ...], term: str) -> Iterator[Edge]:
        """Give the edges from what a step gives under a word to the fields that are made of it."""
        mapping = self._bundle.mappings[name]
        for target, written in self._written.get(name, {}).items():
            if not any(word == each for text in (written.text, *written.conditions) for each in _given(text)):
                continue
            for source in sources:
                text = f"{written.text}, given {term}"
                made = self._edge(mapping, source, target, written)
                yield replace(made, how=How.GIVEN, text=text)

    def _found(self, mapping: CompiledMapping) -> Iterator[Edge]:
        yield from self._computed(mapping)
        yield from self._kept(mapping)

    def _computed(self, mapping: CompiledMapping) -> Iterator[Edge]:
        written = self._derived(mapping) if mapping.derived else self._written.get(mapping.name, {})
        for target, paths in mapping.reads.items():
            plain = target.removesuffix("[]")
            here = written.get(plain, _NOT_WRITTEN)
            for path in dict.fromkeys(paths):
                yield self._edge(mapping, below(Field(record=mapping.source), path), plain, here)

    def _derived(self, mapping: CompiledMapping) -> dict[str, Written]:
        """Give the expressions of a mapping that no file has, at the place where another one names it."""
        path, line = self._files.get(mapping.name, ("", 1))
        return {
            target: Written(text=text, conditions=(), path=path, line=line, repeats=repeats)
            for target, text, repeats in target_expressions(mapping.shape)
        }

    def _kept(self, mapping: CompiledMapping) -> Iterator[Edge]:
        """Give what a mapping with `rest: keep` takes over as it is: what it neither fills nor takes out."""
        schema = self._bundle.schemas.get(mapping.target)
        if schema is None:
            return
        path, line = self._files.get(mapping.name, ("", 1))
        for source, target in kept_paths(mapping.shape, shape_of(schema.document)):
            yield Edge(
                source=Field(record=mapping.source, path=source),
                target=Field(record=mapping.target, path=target),
                how=How.KEPT,
                text=source,
                path=path,
                line=line,
                by=mapping.name,
            )

    @staticmethod
    def _edge(mapping: CompiledMapping, source: Field, target: str, written: Written) -> Edge:
        tables = (table for text in (written.text, *written.conditions) for table in _tables(text))
        return Edge(
            source=source,
            target=Field(record=mapping.target, path=target),
            how=How.EACH if written.repeats else How.FIELD,
            text=written.text,
            path=written.path,
            line=written.line,
            by=mapping.name,
            tables=tuple(dict.fromkeys(tables)),
            direct=not written.repeats,
        )


def _series(record: str) -> str:
    return record.partition("@")[0]


def _tables(text: str) -> tuple[str, ...]:
    return tuple(name for name, _ in compile(text).tables) if text else ()


def _given(text: str) -> tuple[str, ...]:
    return tuple(name for name, _ in compile(text).given) if text else ()
