"""Random JSON Schemas, changes of them, and values that fit them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import jsonschema_rs
from hypothesis import strategies as st

from hub.schemas.documents import referred

NAMES = ("a", "b", "c", "x_1")
_KINDS = ("null", "boolean", "integer", "number", "string", "array", "object")
_TEXTS = st.sampled_from(["", "a", "bb", "ccc", "2026-01-31", "in_1"])
_WHOLE = st.integers(-5, 5)
_NUMBERS = _WHOLE | st.sampled_from([Decimal("0.5"), Decimal("-1.25"), Decimal("3.0")])
_SCALARS = st.none() | st.booleans() | _NUMBERS | _TEXTS
_DEFINITIONS = ("one", "two")


@st.composite
def documents(draw: st.DrawFn, *, definitions: bool = True) -> dict[str, Any]:
    """Draw a schema: mostly an object of scalars, lists and objects, with references into its definitions."""
    root: dict[str, Any] = draw(_schemas(3, refer=definitions))
    root = root if "$ref" not in root else {"type": "object", "properties": {"a": root}}
    if definitions:
        root = {**root, "$defs": {name: draw(_schemas(2, refer=False)) for name in _DEFINITIONS}}
    return root


@st.composite
def _schemas(draw: st.DrawFn, deep: int, *, refer: bool) -> dict[str, Any]:
    form = draw(
        st.sampled_from(["object"] * 4 + ["scalar"] * 3 + ["list", "values", "choice", "all", "reference", "any"])
    )
    inner = _schemas(deep - 1, refer=refer) if deep else _scalars()
    if form == "object" and deep:
        return draw(_objects(inner))
    if form == "list" and deep:
        bounds: dict[str, Any] = draw(st.sampled_from([{}, {"minItems": 1}, {"maxItems": 2}, {"uniqueItems": True}]))
        return {"type": draw(st.sampled_from(["array", ["array", "null"]])), "items": draw(inner), **bounds}
    if form == "values":
        values = draw(st.lists(_SCALARS, min_size=1, max_size=4))
        return {"enum": values} if len(values) > 1 else {"const": values[0]}
    if form == "choice" and deep:
        return {draw(st.sampled_from(["anyOf", "oneOf"])): draw(st.lists(inner, min_size=1, max_size=3))}
    if form == "all" and deep:
        return {"allOf": draw(st.lists(inner, min_size=1, max_size=2))}
    if form == "reference" and refer:
        return {"$ref": f"#/$defs/{draw(st.sampled_from(_DEFINITIONS))}"}
    return {} if form == "any" else draw(_scalars())


@st.composite
def _objects(draw: st.DrawFn, inner: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    properties = draw(st.dictionaries(st.sampled_from(NAMES), inner, max_size=3))
    made: dict[str, Any] = {"type": "object", "properties": properties}
    if properties:
        made["required"] = draw(st.lists(st.sampled_from(sorted(properties)), unique=True, max_size=2))
    further = draw(st.sampled_from(["open", "open", "closed", "closed", "meant", "patterns"]))
    if further == "closed":
        made["additionalProperties"] = False
    if further == "meant":
        made["additionalProperties"] = draw(inner)
    if further == "patterns":
        made |= {"patternProperties": {"^x_": draw(inner)}, "additionalProperties": draw(st.just(False) | inner)}
    return made


@st.composite
def _scalars(draw: st.DrawFn) -> dict[str, Any]:
    kinds = draw(st.lists(st.sampled_from(_KINDS[:5]), min_size=1, max_size=2, unique=True))
    made: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds}
    if "string" in kinds:
        made |= draw(
            st.sampled_from([{}, {}, {"minLength": 1}, {"maxLength": 2}, {"pattern": "^a"}, {"format": "date"}])
        )
    if {"integer", "number"} & set(kinds):
        bounds = st.dictionaries(
            st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]), _NUMBERS, max_size=2
        )
        steps: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
            [{}, {"multipleOf": 2}, {"multipleOf": Decimal("0.5")}]
        )
        made |= draw(bounds | steps)
    return made


@st.composite
def changed(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """Draw a change of a schema: some of its parts loosened, tightened, added or taken out."""
    result: dict[str, Any] = draw(_edited(document))
    return result


@st.composite
def _edited(draw: st.DrawFn, node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    made: dict[str, Any] = {
        word: (
            {name: draw(_edited(part)) for name, part in value.items()}
            if word in {"properties", "$defs", "patternProperties"}
            else [draw(_edited(part)) for part in value]
            if word in {"anyOf", "oneOf", "allOf"}
            else draw(_edited(value))
            if word in {"items", "additionalProperties"}
            else value
        )
        for word, value in node.items()
    }
    edit = draw(st.sampled_from(["none"] * 4 + ["drop", "null", "add", "optional", "value", "close", "bound", "kind"]))
    if edit == "drop" and made:
        word = draw(st.sampled_from(sorted(made)))
        if word != "$defs":
            del made[word]
    elif edit == "null" and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"] if made["type"] != "null" else ["null"]
    elif edit == "add" and "properties" in made:
        name = draw(st.sampled_from(NAMES))
        made["properties"] = {**made["properties"], name: draw(_scalars())}
        if draw(st.booleans()):
            made["required"] = sorted({*made.get("required", ()), name})
    elif edit == "optional" and made.get("required"):
        made["required"] = made["required"][1:]
    elif edit == "value" and "enum" in made:
        values = made["enum"]
        made["enum"] = draw(st.sampled_from([[*values, "more"], values[1:] or values]))
    elif edit == "close" and "properties" in made:
        made["additionalProperties"] = draw(st.sampled_from([False, {}, {"type": "string"}]))
    elif edit == "bound":
        made |= draw(st.sampled_from([{"minimum": 0}, {"maximum": 2}, {"minLength": 1}, {"maxItems": 3}]))
    elif edit == "kind" and made.get("type") == "integer":
        made["type"] = "number"
    return made


@st.composite
def values_of(draw: st.DrawFn, schema: Any, root: dict[str, Any], deep: int = 5) -> Any:
    """Draw a value that probably fits a schema and holds only fields that the schema declares or means."""
    if schema is False or deep < 0:
        return None
    if not isinstance(schema, dict):
        return draw(_SCALARS)
    if "$ref" in schema:
        return draw(values_of(referred(schema["$ref"], root), root, deep - 1))
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return draw(values_of(draw(st.sampled_from(schema[word])), root, deep - 1))
    if "allOf" in schema:
        parts = [draw(values_of(part, root, deep - 1)) for part in schema["allOf"]]
        if all(isinstance(part, dict) for part in parts):
            return {name: value for part in parts for name, value in part.items()}
        return draw(st.sampled_from(parts))
    if "enum" in schema or "const" in schema:
        return draw(st.sampled_from(schema.get("enum") or [schema["const"]]))
    named = schema.get("type", ["null", "integer", "string", "array", "object"])
    kind = draw(st.sampled_from([named] if isinstance(named, str) else named))
    if kind == "object":
        return draw(_object_of(schema, root, deep - 1))
    if kind == "array":
        return draw(st.lists(values_of(schema.get("items", True), root, deep - 1), max_size=3))
    simple: dict[str, st.SearchStrategy[Any]] = {
        "null": st.none(),
        "boolean": st.booleans(),
        "integer": _WHOLE,
        "number": _NUMBERS,
        "string": _TEXTS,
    }
    return draw(simple[kind])


@st.composite
def _object_of(draw: st.DrawFn, schema: dict[str, Any], root: dict[str, Any], deep: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        if part is not False and (name in required or draw(st.booleans())):
            made[name] = draw(values_of(part, root, deep))
    patterns = schema.get("patternProperties", {})
    further = schema.get("additionalProperties", False)
    for name in draw(st.lists(st.sampled_from(["x_1", "x_2", "y", "z"]), max_size=2, unique=True)):
        part = patterns["^x_"] if patterns and name.startswith("x_") else further
        if name not in made and part is not False:
            made[name] = draw(values_of(part, root, deep))
    return made


def judge(document: Any) -> jsonschema_rs.Draft202012Validator:
    """Give an independent judge of a schema."""
    return jsonschema_rs.Draft202012Validator(document, validate_formats=True)
