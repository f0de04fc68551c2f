"""Compile a mapping's document: fields, nested objects and repeated targets, with every mistake found at once."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from hub.expressions.compiler import compile
from hub.expressions.errors import ExpressionError
from hub.expressions.mistakes import InvalidDocument, Mistake
from hub.expressions.paths import element_path, source_paths
from hub.expressions.records import Computed, Grouped, Part, Repeated, compile_record
from hub.mapping.compiled import CompiledMapping

#: Top-level keys that are no repeated targets.
RESERVED = frozenset({"mapping", "version", "from", "to", "given", "fields", "tables"})
_REPEATED = frozenset({"each", "when", "fields"})

_Where = tuple[str | int, ...]


def compile_mapping(document: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]) -> CompiledMapping:
    """Compile a mapping file's plain values, with the workspace's tables (name → key → value).

    `InvalidDocument` lists all mistakes, each with its place in the document.
    """
    name = str(document.get("mapping", ""))
    reading = _Reading(document, tables)
    shape = reading.whole()
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
        given=reading.given,
        reads=reading.reads,
        tables=tables,
        _record=record,
    )


class _Reading:
    """One pass over a mapping's document."""

    def __init__(self, document: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]) -> None:
        self.document = document
        self.tables = tables
        self.mistakes: list[Mistake] = []
        self.reads: dict[str, tuple[str, ...]] = {}
        self.given: frozenset[str] | None = None

    def mistake(self, where: _Where, detail: str, code: str = "invalid-document", position: int | None = None) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(where=where, detail=detail, code=code, position=position))

    def whole(self) -> Grouped:
        """Read the document into the shape of its record."""
        version = self.document.get("version")
        if type(version) is not int or version < 1:
            self.mistake(("version",), "The version is a whole number from 1.")
        self._read_given()
        fields = self.document.get("fields", {})
        top: dict[str, Any] = {}
        self._place_all(top, fields, ("fields",), "", "")
        for key, value in self.document.items():
            if key in RESERVED:
                continue
            if _is_repeated(value):
                self._place(top, key, self._repeated(value, (key,), key, ""), (key,))
            else:
                self.mistake((key,), "This key is unknown; a repeated target has `each` and `fields`.")
        if not top and not self.mistakes:
            self.mistake(("fields",), "The mapping has no fields.")
        return _grouped(top)

    def _read_given(self) -> None:
        names = self.document.get("given")
        if names is None:
            return
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self.mistake(("given",), "The given values are a list of names.")
            return
        self.given = frozenset(names)

    def _place_all(self, group: dict[str, Any], fields: Any, where: _Where, target: str, at: str | None) -> None:
        if not isinstance(fields, Mapping):
            self.mistake(where, "The fields are keys with expressions.")
            return
        for name, value in fields.items():
            here, path = (*where, name), f"{target}.{name}" if target else str(name)
            if _is_repeated(value):
                self._place(group, name, self._repeated(value, here, path, at), here)
            elif (computed := self._computed(value, here)) is not None:
                self.reads[path] = source_paths(computed.tree, at=at)
                self._place(group, name, computed, here)

    def _place(self, group: dict[str, Any], name: object, part: Part, where: _Where) -> None:
        """Put a field at its dotted target."""
        *above, last = str(name).split(".")
        if not all([*above, last]):
            self.mistake(where, "A target's name has an empty part.")
            return
        for step in above:
            group = group.setdefault(step, {})
            if not isinstance(group, dict):
                self.mistake(where, f"`{step}` is both a field and an object of fields.")
                return
        if last in group:
            self.mistake(where, f"`{name}` is filled twice.")
            return
        group[last] = part

    def _repeated(self, value: Mapping[str, Any], where: _Where, target: str, at: str | None) -> Repeated:
        for key in value.keys() - _REPEATED:
            self.mistake((*where, key), "This key is unknown; a repeated target has `each`, `when` and `fields`.")
        nothing = Computed.of(compile("@"))
        each = self._computed(value["each"], (*where, "each")) or nothing
        self.reads[f"{target}[]"] = source_paths(each.tree, at=at)
        inside = element_path(each.tree, at=at)
        when = self._computed(value["when"], (*where, "when")) if "when" in value else None
        if when is not None:
            self.reads[f"{target}[]"] += source_paths(when.tree, at=inside)
        fields: dict[str, Any] = {}
        self._place_all(fields, value["fields"], (*where, "fields"), f"{target}[]", inside)
        return Repeated(each=each, when=when, fields=_grouped(fields))

    def _computed(self, text: object, where: _Where) -> Computed | None:
        if not isinstance(text, str):
            hint = "; a literal stands in backquotes" if isinstance(text, int | bool) else ""
            self.mistake(where, f"An expression is expected here{hint}.")
            return None
        try:
            expression = compile(text)
        except ExpressionError as error:
            self.mistakes.append(Mistake.of(error, where))
            return None
        for name, position in expression.tables:
            if name not in self.tables:
                self.mistake(where, f"There is no table `{name}`.{_near(name, self.tables)}", "unknown-table", position)
        for name, position in expression.given:
            if self.given is not None and name not in self.given:
                hint = _near(name, self.given)
                self.mistake(where, f"`{name}` is not among the given values.{hint}", "unknown-given", position)
        return Computed.of(expression)


def _is_repeated(value: object) -> bool:
    return isinstance(value, Mapping) and "each" in value and "fields" in value


def _grouped(group: Mapping[str, Any]) -> Grouped:
    return Grouped(fields={name: _grouped(part) if isinstance(part, dict) else part for name, part in group.items()})


def _near(name: str, names: Any) -> str:
    near = get_close_matches(name, names, n=1)
    return f" Did you mean `{near[0]}`?" if near else ""
