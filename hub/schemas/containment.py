"""Whether all that one JSON Schema allows is allowed by another, and where not.

What is written is known as a conjunction: the schemas that all hold for it (`allOf`, references and their siblings
taken apart). Each condition of the reader must follow from one of them. Cycles of references are assumed to hold where
they are met again, which is what makes them hold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hub.schemas.conditions import Written, finite_values, kinds_of, missing_conditions
from hub.schemas.documents import ANY_NAME, among, below, element, referred, same
from hub.schemas.gaps import Gap
from hub.schemas.patterns import matches

#: So many alternatives of what is written are gone through; with more, they are taken as unknown.
_MOST_ALTERNATIVES = 64
_MOST_STEPS = 20_000
#: Conditions that are compared by their words only, each with what else they depend on.
_WHOLE: Mapping[str, tuple[str, ...]] = {
    "not": (),
    "if": ("then", "else"),
    "contains": ("minContains", "maxContains"),
    "propertyNames": (),
    "dependentRequired": (),
    "dependentSchemas": (),
    "unevaluatedItems": ("items", "prefixItems", "contains", "allOf", "anyOf", "oneOf", "if", "then", "else", "$ref"),
    "unevaluatedProperties": (
        *("properties", "patternProperties", "additionalProperties"),
        *("allOf", "anyOf", "oneOf", "if", "then", "else", "$ref", "dependentSchemas"),
    ),
    "$dynamicRef": (),
}


def gaps(written: Any, read: Any) -> list[Gap]:
    """Give where a value that is valid by `written` may be invalid by `read`; empty when it never is."""
    if same(written, read):
        return []
    return _Comparison(written, read).all()


@dataclass(slots=True)
class _Comparison:
    """One comparison of two documents."""

    written: Any
    read: Any
    found: dict[tuple[str, str, str], Gap] = field(default_factory=dict)
    assumed: set[tuple[Any, ...]] = field(default_factory=set)
    #: Schemas are told apart by their identity, which holds only as long as they live.
    alive: list[Sequence[Any]] = field(default_factory=list)
    waiting: deque[tuple[Sequence[Any], Any, str]] = field(default_factory=deque)
    steps: int = 0

    def all(self) -> list[Gap]:
        """Give all gaps, those of the whole first."""
        self._compare((self.written,), self.read, "")
        self._finish()
        return list(self.found.values())

    # --- taking apart -------------------------------------------------------------------------

    def _conjuncts(self, schemas: Sequence[Any], root: Any) -> list[Any]:
        """Take references and `allOf` apart into schemas that all hold."""
        result: list[Any] = []
        waiting, met = list(schemas), set()
        while waiting:
            schema = waiting.pop(0)
            if id(schema) in met:
                continue
            if not isinstance(schema, bool):
                met.add(id(schema))
            result.append(schema)
            if not isinstance(schema, Mapping):
                continue
            waiting += schema.get("allOf", ())
            if "$ref" in schema:
                waiting.append(referred(str(schema["$ref"]), root))
        return result

    def _written(self, schemas: Sequence[Any]) -> list[Written]:
        """Give the alternatives of what is written, each a conjunction; none when nothing can be written."""
        ready: list[Written] = []
        waiting: list[tuple[list[Any], frozenset[int]]] = [(self._conjuncts(schemas, self.written), frozenset())]
        while waiting:
            conjuncts, done = waiting.pop()
            if any(schema is False for schema in conjuncts):
                continue
            open_choice = next(
                (
                    (schema, word)
                    for schema in conjuncts
                    if isinstance(schema, Mapping)
                    for word in ("anyOf", "oneOf")
                    if word in schema and id(schema[word]) not in done
                ),
                None,
            )
            if (
                open_choice is None
                or len(waiting) + len(ready) + len(open_choice[0][open_choice[1]]) > _MOST_ALTERNATIVES
            ):
                alternative = Written(schemas=tuple(schema for schema in conjuncts if isinstance(schema, Mapping)))
                if kinds_of(alternative):
                    ready.append(alternative)
                continue
            schema, word = open_choice
            waiting += [
                (self._conjuncts([*conjuncts, branch], self.written), done | {id(schema[word])})
                for branch in reversed(schema[word])
            ]
        return ready

    # --- comparing ----------------------------------------------------------------------------

    def _holds(self, written: Sequence[Any], read: Any, path: str) -> bool:
        """Tell whether there is no gap, without noting any."""
        trial = replace(self, found={}, assumed=set(self.assumed), waiting=deque())
        trial._compare(written, read, path)  # noqa: SLF001
        trial._finish()  # noqa: SLF001
        self.steps = trial.steps
        return not trial.found

    def _note(self, path: str, kind: str, template: str, what: str = "") -> None:
        self.found.setdefault((path, kind, what), Gap(path=path, kind=kind, template=template, what=what))

    def _compare(self, written: Sequence[Any], read: Any, path: str) -> None:
        if read is True or (isinstance(read, Mapping) and not read):
            return
        key = (*sorted(map(id, written)), id(read))
        if key not in self.assumed:
            self.alive.append(written)
            self.assumed.add(key)
            self.waiting.append((written, read, path))

    def _finish(self) -> None:
        """Compare what waits, outer fields first, so that a gap is told at its nearest place."""
        while self.waiting:
            written, read, path = self.waiting.popleft()
            self.steps += 1
            if self.steps > _MOST_STEPS:
                self._note("", "too-large", "the two versions are too large to be compared whole")
                return
            for alternative in self._written(written):
                for schema in self._conjuncts([read], self.read):
                    self._against(alternative, schema, path)

    def _against(self, written: Written, read: Any, path: str) -> None:
        """Compare one alternative with one schema of the reader, whose references and `allOf` come by themselves."""
        if read is False:
            self._note(path, "closed", "{reader} does not allow {at}, which {writer} may hold")
            return
        if not isinstance(read, Mapping) or self._stands_in(written, read):
            return
        values = finite_values(written)
        if values is not None:
            written = replace(written, values=tuple(values))
        for kind, template, what in missing_conditions(written, read):
            self._note(path, kind, template, what)
        kinds = kinds_of(written)
        if values is None or any(isinstance(value, dict | list) for value in values):
            if "object" in kinds:
                self._objects(written, read, path)
            if "array" in kinds:
                self._lists(written, read, path)
        for word in ("anyOf", "oneOf"):
            if word in read:
                self._choice(written, read, word, path)
        for word, also in _WHOLE.items():
            if word in read and not any(self._equal(schema, read, (word, *also)) for schema in written.schemas):
                self._note(path, "condition", "{reader} asks `{what}` of {at}, which {writer} does not", word)

    def _stands_in(self, written: Written, read: Mapping[str, Any]) -> bool:
        return any(same(schema, read) and self._closed_in_itself(schema) for schema in written.schemas)

    def _equal(self, one: Mapping[str, Any], other: Mapping[str, Any], words: Sequence[str]) -> bool:
        mine = {word: one[word] for word in words if word in one}
        return same(mine, {word: other[word] for word in words if word in other}) and self._closed_in_itself(mine)

    def _closed_in_itself(self, schema: Any) -> bool:
        """Tell whether equal words mean the same in both documents."""
        definitions = [document.get("$defs") if isinstance(document, Mapping) else None for document in self._both()]
        return not _refers(schema) or (same(*definitions) and not _refers_outside(definitions[0], schema))

    def _both(self) -> tuple[Any, Any]:
        return self.written, self.read

    # --- choices ------------------------------------------------------------------------------

    def _choice(self, written: Written, read: Mapping[str, Any], word: str, path: str) -> None:
        if any(self._equal(schema, read, (word,)) for schema in written.schemas):
            return
        for part in self._kinds_apart(written):
            fitting = [index for index, branch in enumerate(read[word]) if self._holds(part, branch, path)]
            (kind,) = part[-1]["type"]
            if not fitting:
                self._note(
                    path,
                    "alternatives",
                    "{reader} has no alternative for every {what} that {at} may be in {writer}",
                    kind,
                )
            elif word == "oneOf" and not self._others_differ(part, read[word], fitting[0]):
                self._note(
                    path, "alternatives", "a {what} that {at} may be may fit several alternatives of {reader}", kind
                )

    def _kinds_apart(self, written: Written) -> list[list[Any]]:
        kinds = kinds_of(written)
        names = {
            "number" if kind == "fraction" or (kind == "integer" and "fraction" in kinds) else kind for kind in kinds
        }
        return [[*written.schemas, {"type": [name]}] for name in sorted(names)]

    def _others_differ(self, part: Sequence[Any], branches: Sequence[Any], chosen: int) -> bool:
        """Tell whether no other alternative can hold as well: it is of another kind, or wants another constant."""
        here = self._conjuncts(part, self.written)
        return all(
            index == chosen or _apart(here, self._conjuncts([branch], self.read))
            for index, branch in enumerate(branches)
        )

    # --- objects ------------------------------------------------------------------------------

    def _objects(self, written: Written, read: Mapping[str, Any], path: str) -> None:
        required = {name for schema in written.schemas for name in schema.get("required", ())}
        for name in read.get("required", ()):
            if name not in required:
                self._note(below(path, name), "required", "{reader} needs {at}, which {writer} may leave out")
        declared = read.get("properties", {})
        patterns = read.get("patternProperties", {})
        names = dict.fromkeys(
            [*declared, *(name for schema in written.schemas for name in schema.get("properties", ()))]
        )
        for name in names:
            schemas = _field(written, name)
            if not schemas or any(schema is False for schema in schemas):
                continue
            wanted = [declared[name]] if name in declared else []
            wanted += [schema for pattern, schema in patterns.items() if matches(pattern, name)]
            if not wanted and "additionalProperties" in read:
                wanted.append(read["additionalProperties"])
            for schema in wanted:
                self._compare(schemas, schema, below(path, name))
        self._further(written, read, path)

    def _further(self, written: Written, read: Mapping[str, Any], path: str) -> None:
        """Compare what fields may have that neither names."""
        patterns = read.get("patternProperties", {})
        rest = read.get("additionalProperties", True)
        if rest is False and not any(schema.get("additionalProperties") is False for schema in written.schemas):
            self._note(path, "closed", "{reader} allows no further fields in {at}, {writer} does")
        named = [item for schema in written.schemas for item in schema.get("patternProperties", {}).items()]
        at = below(path, ANY_NAME)
        for pattern, wanted in (*patterns.items(), (None, rest)):
            # A name that fits one of a schema's own patterns is none of its further fields.
            free = [
                schema["additionalProperties"]
                for schema in written.schemas
                if "additionalProperties" in schema and pattern not in schema.get("patternProperties", {})
            ]
            if free and wanted is not False and not any(schema is False for schema in free):
                self._compare(free, wanted, at)
        for pattern, schema in named:
            if schema is False:
                continue
            for other, wanted in patterns.items():
                if other == pattern or other not in dict(named):
                    self._compare([schema], wanted, at)
            if pattern not in patterns:
                self._compare([schema], rest, at)

    # --- lists --------------------------------------------------------------------------------

    def _lists(self, written: Written, read: Mapping[str, Any], path: str) -> None:
        both = (*written.schemas, read)
        longest = max((len(schema.get("prefixItems", ())) for schema in both), default=0)
        for index in range(longest + 1):
            wanted = _item(read, index)
            given = [item for schema in written.schemas if (item := _item(schema, index)) is not None]
            if wanted is not None and not any(item is False for item in given):
                self._compare(given or [True], wanted, element(path))


def _field(written: Written, name: str) -> list[Any]:
    """Give all schemas that hold for a field of what is written; none when it is not meant."""
    found: list[Any] = []
    for schema in written.schemas:
        mine = [schema["properties"][name]] if name in schema.get("properties", {}) else []
        mine += [part for pattern, part in schema.get("patternProperties", {}).items() if matches(pattern, name)]
        if not mine and "additionalProperties" in schema:
            mine.append(schema["additionalProperties"])
        found += mine
    return found


def _item(schema: Mapping[str, Any], index: int) -> Any:
    prefix = schema.get("prefixItems", ())
    return prefix[index] if index < len(prefix) else schema.get("items")


def _apart(here: Sequence[Any], there: Sequence[Any]) -> bool:
    """Tell whether nothing can fit both conjunctions."""
    if any(schema is False for schema in there):
        return True
    mine = Written(schemas=tuple(schema for schema in here if isinstance(schema, Mapping)))
    theirs = Written(schemas=tuple(schema for schema in there if isinstance(schema, Mapping)))
    if not kinds_of(mine) & kinds_of(theirs):
        return True
    values, others = finite_values(mine), finite_values(theirs)
    if values is not None and others is not None and not any(among(value, others) for value in values):
        return True
    if kinds_of(mine) != {"object"}:
        return False
    always = [{name for schema in side.schemas for name in schema.get("required", ())} for side in (mine, theirs)]
    return any(_apart(_field(mine, name), _field(theirs, name)) for name in sorted(always[0] & always[1]))


def _refers(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        return "$ref" in schema or "$dynamicRef" in schema or any(map(_refers, schema.values()))
    return isinstance(schema, list) and any(map(_refers, schema))


def _refers_outside(definitions: Any, schema: Any) -> bool:
    """Tell whether a reference leads elsewhere than into `$defs`, in the schema or in the definitions themselves."""
    for part in (definitions, schema):
        if isinstance(part, Mapping):
            reference = part.get("$ref")
            if "$dynamicRef" in part or (isinstance(reference, str) and not reference.startswith("#/$defs/")):
                return True
            if any(_refers_outside(None, one) for one in part.values()):
                return True
        elif isinstance(part, list) and any(_refers_outside(None, one) for one in part):
            return True
    return False
