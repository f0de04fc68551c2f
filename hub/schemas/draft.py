"""The draft of a schema's next version, from what was seen.

A draft keeps what its base says and lets in what came besides: new fields, kinds, null, and new values where the base
lists values. A field stays required only as long as it was always there. Nothing becomes required unless asked, for
what was in every payload so far may be missing from the next; only a first draft, without any base, requires what was
always there. What no payload may contradict any more (a pattern, a bound) is dropped, so that every payload that was
seen is valid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import date, datetime
from typing import Any

import jsonschema_rs

from hub.schemas.conditions import kind_in_json, kinds_named
from hub.schemas.documents import among, referred
from hub.schemas.shape import shape_of
from hub.schemas.sightings import Sightings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: An object with more names than this is a table of names, not a record.
_MOST_FIELDS = 100
#: So deep is what is new described; below, anything may stand.
_DEEPEST = 16
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})")
_ORDER = ("boolean", "integer", "number", "string", "array", "object", "null")


def draft(base: Mapping[str, Any] | None, payloads: Iterable[Any], *, require: bool = False) -> dict[str, Any]:
    """Draft the next version of a JSON Schema from payloads; with `require`, what all of them have is required."""
    seen = list(payloads)
    if base is None:
        made = {"$schema": _DIALECT, **_inferred(seen, always=True, deep=0)}
        return _relaxed(made, seen)
    sightings = Sightings(base)
    for payload in seen:
        sightings.take(payload)
    return _relaxed(_Draft(base, sightings, require=require).extended(base), seen)


class _Draft:
    """One pass over the base with what was seen at each of its schemas."""

    def __init__(self, root: Mapping[str, Any], sightings: Sightings, *, require: bool) -> None:
        self._root = root
        self._sightings = sightings
        self._require = require

    def extended(self, schema: Any, *, part: bool = False) -> Any:
        """Give a schema that lets in what was seen; a `part` of a whole leaves new fields to the whole."""
        if not isinstance(schema, Mapping):
            return schema
        made = {word: self._word(word, value) for word, value in schema.items()}
        values = self._sightings.at(schema)
        if values:
            self._values(made, values)
            self._kinds(made, values)
            self._fields(schema, made, [value for value in values if isinstance(value, dict)], part=part)
            if None in values and "$ref" in made:
                made = self._nullable(made)
        return made

    def _word(self, word: str, value: Any) -> Any:
        if word in {"properties", "patternProperties", "$defs"}:
            return {name: self.extended(schema) for name, schema in value.items()}
        if word in {"items", "additionalProperties"}:
            return self.extended(value)
        if word == "allOf":
            return [self.extended(schema, part=True) for schema in value]
        return value

    def _values(self, made: dict[str, Any], values: Sequence[Any]) -> None:
        """Add new values where the base lists values."""
        listed = made["enum"] if "enum" in made else [made["const"]] if "const" in made else None
        if listed is None:
            return
        all_values = list(listed)
        for value in values:
            if not among(value, all_values):
                all_values.append(value)
        if len(all_values) > len(listed):
            place = "enum" if "enum" in made else "const"
            changed = {("enum" if word == place else word): held for word, held in made.items()}
            changed["enum"] = all_values
            made.clear()
            made.update(changed)

    def _kinds(self, made: dict[str, Any], values: Sequence[Any]) -> None:
        if "type" not in made:
            return
        new = {kind_in_json(value) for value in values} - kinds_named(made)
        if not new:
            return
        names = [made["type"]] if isinstance(made["type"], str) else list(made["type"])
        if "fraction" in new:
            names = [name for name in names if name != "integer"] + ["number"]
        names += [name for name in _ORDER if name in new and (name != "integer" or "number" not in names)]
        made["type"] = names[0] if len(names) == 1 else names
        for kind, word in (("object", "properties"), ("array", "items")):
            if kind in new and word not in made:
                own = [value for value in values if kind_in_json(value) == kind]
                inferred = _inferred(own, always=self._require, deep=0)
                made.update({key: held for key, held in inferred.items() if key != "type" and key not in made})

    def _fields(self, schema: Mapping[str, Any], made: dict[str, Any], records: list[Any], *, part: bool) -> None:
        if not records:
            return
        always = set.intersection(*(set(record) for record in records))
        if "required" in made:
            made["required"] = [name for name in made["required"] if name in always]
        shape = shape_of(schema, self._root)
        if not part and "$ref" not in schema and shape.rest is None:
            new = dict.fromkeys(name for record in records for name in record if name not in shape.fields)
            if new:
                inferred = {
                    name: _inferred(
                        [record[name] for record in records if name in record], always=self._require, deep=1
                    )
                    for name in new
                }
                made["properties"] = {**made.get("properties", {}), **inferred}
        if self._require and "$ref" not in schema and not part:
            named = [name for name in made.get("properties", {}) if name in always]
            made["required"] = [*made.get("required", ()), *(n for n in named if n not in made.get("required", ()))]
        if made.get("required") == [] and schema.get("required") != []:
            del made["required"]

    def _nullable(self, made: dict[str, Any]) -> dict[str, Any]:
        """Let null in where a reference stands, without changing what it refers to."""
        target = referred(str(made["$ref"]), self._root)
        if shape_of(target, self._root).may_be_null:
            return made
        reference = {"$ref": made["$ref"]}
        return {
            ("anyOf" if word == "$ref" else word): [reference, {"type": "null"}] if word == "$ref" else held
            for word, held in made.items()
        }


def _inferred(values: Sequence[Any], *, always: bool, deep: int) -> dict[str, Any]:
    """Describe values of which nothing is known; of what was only ever null, nothing is said."""
    kinds = {kind_in_json(value) for value in values}
    if deep > _DEEPEST or kinds <= {"null"}:
        return {}
    if "fraction" in kinds:
        kinds = kinds - {"integer", "fraction"} | {"number"}
    names = [name for name in _ORDER if name in kinds]
    made: dict[str, Any] = {"type": names[0] if len(names) == 1 else names}
    form = _format([value for value in values if isinstance(value, str)])
    if form is not None:
        made["format"] = form
    items = [item for value in values if isinstance(value, list) for item in value]
    if items:
        made["items"] = _inferred(items, always=always, deep=deep + 1)
    records = [value for value in values if isinstance(value, dict)]
    if records:
        made |= _record(records, always=always, deep=deep)
    return made


def _record(records: Sequence[Mapping[str, Any]], *, always: bool, deep: int) -> dict[str, Any]:
    held: dict[str, list[Any]] = {}
    for record in records:
        for name, value in record.items():
            held.setdefault(name, []).append(value)
    if len(held) > _MOST_FIELDS:
        together = [value for values in held.values() for value in values]
        return {"additionalProperties": _inferred(together, always=False, deep=deep + 1)}
    made: dict[str, Any] = {
        "properties": {name: _inferred(values, always=always, deep=deep + 1) for name, values in held.items()}
    }
    required = [name for name, values in held.items() if len(values) == len(records)]
    return {**made, "required": required} if always and required else made


def _format(texts: Sequence[str]) -> str | None:
    if not texts:
        return None
    if all(map(_is_day, texts)):
        return "date"
    return "date-time" if all(map(_is_moment, texts)) else None


def _is_day(text: str) -> bool:
    try:
        return _DAY.fullmatch(text) is not None and date.fromisoformat(text) is not None
    except ValueError:
        return False


def _is_moment(text: str) -> bool:
    try:
        return _MOMENT.fullmatch(text) is not None and datetime.fromisoformat(text[:19]) is not None
    except ValueError:
        return False


# --- what no payload may contradict -----------------------------------------------------------


def _relaxed(document: dict[str, Any], payloads: Sequence[Any]) -> dict[str, Any]:
    """Drop each condition that a payload contradicts; each round drops at least one, so this comes to an end."""
    made = deepcopy(document)
    while True:
        judge = jsonschema_rs.Draft202012Validator(made, retriever=_refuse, validate_formats=True)
        wrong = {tuple(error.schema_path) for payload in payloads for error in judge.iter_errors(payload)}
        if not wrong:
            return made
        # Deeper places first, so that what stands around them is still there.
        dropped = [_drop(made, path) for path in sorted(wrong, key=lambda path: (-len(path), str(path)))]
        if not any(dropped):
            return {word: made[word] for word in ("$schema", "title", "description") if word in made}


def _drop(document: dict[str, Any], path: tuple[Any, ...]) -> bool:
    here: Any = document
    for step in path[:-1]:
        if not isinstance(here, dict | list) or (isinstance(here, dict) and step not in here):
            return False
        if isinstance(here, list) and not (isinstance(step, int) and step < len(here)):
            return False
        here = here[step]
    if isinstance(here, dict) and path and path[-1] in here:
        del here[path[-1]]
        return True
    if isinstance(here, list) and path and isinstance(path[-1], int) and path[-1] < len(here):
        here[path[-1]] = True
        return True
    return False


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} lies outside the schema")
