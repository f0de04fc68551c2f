"""Schema files: `NAME@VERSION.json`, each a JSON Schema (2020-12), compiled once and never fetched from anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from hub.errors import FixData
from hub.schemas.shape import UNIT, Unit
from hub.sdk.exact_json import loads
from hub.workspace.checks.postings import compile_books
from hub.workspace.source.json_places import place_of
from hub.workspace.source.lint import Lints, Position
from hub.workspace.source.shapes import SCHEMA
from hub.workspace.source.yaml_source import MAX_BYTES

#: As many problems of one record are told at once.
_MOST_PROBLEMS = 20
_POSITION = re.compile(r"byte (\d+)")

_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One schema, ready to check records."""

    name: str
    document: Mapping[str, Any]
    validator: jsonschema_rs.Draft202012Validator
    path: str = ""

    def problems(self, record: object, *, most: int = _MOST_PROBLEMS) -> list[str]:
        """Give what does not fit as `lines[0].amount: … is not of type "integer"`; empty when all fits."""
        found = []
        for error in self.validator.iter_errors(record):
            found.append(f"{instance_path(error.instance_path)}: {error.message}")
            if len(found) == most:
                break
        return found


def instance_path(parts: list[str | int]) -> str:
    """Write a path as in an expression: `lines[0].amount`; `record` for the whole."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".") or "record"


def load_schema(content: bytes, lints: Lints) -> Schema | None:
    """Read and compile one schema file of the workspace; None after an error."""
    start = Position()
    name = lints.path.rpartition("/")[2].removesuffix(".json")
    if re.fullmatch(SCHEMA, name) is None:
        hint = "Call it NAME@VERSION.json, such as `canonical.invoice@1.json`."
        lints.error(start, "bad-name", "The file's name does not say which version this is.", hint)
        return None
    if len(content) > 4 * MAX_BYTES:
        lints.error(start, "too-large", "The schema is too large.", "Split it.")
        return None
    try:
        document = loads(content)
    except FixData as error:
        reason = str(error.facts.get("reason", ""))
        lints.error(
            _place(content, reason), "bad-json", f"This is not readable JSON: {reason}.", "Check commas and quotes."
        )
        return None
    try:
        schema = compile_schema(name, document, lints.path)
        compile_books(name, schema.document, {})
    except FixData as error:
        if error.code == "bad-postings":
            lints.error(start, error.code, error.detail, "See docs/releases.md.")
            return None
        at = error.facts.get("at", ())
        place = place_of(content, at if isinstance(at, list) else ())
        if error.code == "unknown-unit":
            lints.error(place, error.code, error.detail, f"Write {', '.join(f'`{unit}`' for unit in Unit)}.")
            return None
        lints.error(
            place, "bad-schema", f"This is not a usable JSON Schema: {error.detail}", "Write JSON Schema 2020-12."
        )
        return None
    return schema


def _wrong_units(node: Any, steps: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Find every `x-unit` that is none of ours."""
    if isinstance(node, Mapping):
        unit = node.get(UNIT)
        if isinstance(unit, str) and unit not in list(Unit):
            yield (*steps, UNIT), unit
        for key, part in node.items():
            yield from _wrong_units(part, (*steps, key))
    elif isinstance(node, list):
        for index, part in enumerate(node):
            yield from _wrong_units(part, (*steps, index))


def compile_schema(name: str, document: object, path: str = "") -> Schema:
    """Compile a schema; `FixData` says why it cannot be used, and where (`at`: keys and numbers).

    References may point only into the schema itself.
    """
    if not isinstance(document, Mapping):
        raise FixData("it must be an object.")
    try:
        validator = jsonschema_rs.Draft202012Validator(dict(document), retriever=_refuse, validate_formats=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        message = " ".join(str(getattr(error, "message", None) or error).split())[:200]
        at = list(getattr(error, "instance_path", ()))
        if at and at[-1] == "type" and "'anyOf'" in message:
            message = f"{message.partition(' is not ')[0]} is no type; types are {', '.join(_TYPES)}"
        raise FixData(f"{message}.", at=at) from None
    for steps, unit in _wrong_units(document, ()):
        raise FixData(f"There is no unit `{unit}` that a number could count.", code="unknown-unit", at=list(steps))
    return Schema(name=name, document=document, validator=validator, path=path)


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} lies outside the schema")


def _place(content: bytes, reason: str) -> Position:
    match = _POSITION.search(reason)
    offset = int(match.group(1)) if match is not None else 0
    before = content[:offset]
    return Position(line=before.count(b"\n") + 1, column=offset - before.rfind(b"\n"))
