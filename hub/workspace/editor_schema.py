"""JSON Schemas (2020-12) of every file kind, for editors: made from the same descriptions the lints use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.workspace.connections import CONNECTION
from hub.workspace.environments import ENVIRONMENT
from hub.workspace.examples import EXAMPLES
from hub.workspace.flow_file import FLOW
from hub.workspace.kinds import FileKind
from hub.workspace.mappings import MAPPING
from hub.workspace.policies import POLICY
from hub.workspace.shapes import (
    Choice,
    Duration,
    Expression,
    Flag,
    Form,
    Many,
    Names,
    Number,
    Shape,
    Term,
    Text,
    Value,
    Variants,
    Whole,
)

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


#: The description of every kind of YAML file.
SHAPES: Mapping[FileKind, Shape] = {
    FileKind.FLOW: FLOW,
    FileKind.MAPPING: MAPPING,
    FileKind.POLICY: POLICY,
    FileKind.CONNECTION: CONNECTION,
    FileKind.ENVIRONMENT: ENVIRONMENT,
    FileKind.EXAMPLES: EXAMPLES,
}


def editor_schemas() -> dict[FileKind, dict[str, Any]]:
    """Give the JSON Schema of every kind of YAML file."""
    return {kind: {"$schema": _DIALECT, "title": kind.value, **_schema(shape)} for kind, shape in SHAPES.items()}


def _schema(shape: Shape) -> dict[str, Any]:
    match shape:
        case Form():
            return _form(shape)
        case Names():
            return _names(shape)
        case Many():
            bounds = {"minItems": shape.least, "maxItems": shape.most}
            return {"type": "array", "items": _schema(shape.item), **bounds}
        case Variants():
            return {"oneOf": [_form(form) for form in shape.forms.values()]}
        case Text():
            return {"type": "string", **_pattern(shape.pattern)}
        case Choice():
            return {"enum": list(shape.of)}
        case Whole():
            return {"type": "integer", "minimum": shape.minimum, "maximum": shape.maximum}
        case Number():
            return {"type": "number", "minimum": shape.minimum, "maximum": shape.maximum}
        case Flag():
            return {"type": "boolean"}
        case Duration():
            return {"type": "string", "format": "duration"}
        case Expression():
            return {"type": ["string", "number", "boolean"], "description": "An expression (JMESPath)."}
        case Term():
            return _term(shape)
        case Value():
            return {}


def _form(form: Form) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"description": key.doc, **_schema(key.shape)} for name, key in form.keys.items()},
        "required": [name for name, key in form.keys.items() if key.required],
        "additionalProperties": False if form.other is None else _form(form.other),
    }
    if form.one_of:
        schema["allOf"] = [{"oneOf": [{"required": [key]} for key in group]} for group in form.one_of]
    return schema


def _names(shape: Names) -> dict[str, Any]:
    value = _schema(shape.value)
    held = value if shape.form is None else {"anyOf": [value, _form(shape.form)]}
    schema: dict[str, Any] = {"type": "object", "additionalProperties": held}
    if shape.key is not None:
        pattern = rf"^({shape.key})$"
        schema["propertyNames"] = {
            "anyOf": [{"pattern": pattern}, {"pattern": "^="}] if shape.terms else [{"pattern": pattern}]
        }
    return schema


def _term(shape: Term) -> dict[str, Any]:
    if shape.pattern is None:
        return {"type": ["string", "number", "boolean"]}
    return {"type": "string", "anyOf": [_pattern(shape.pattern), {"pattern": "^="}]}


def _pattern(pattern: str | None) -> dict[str, str]:
    return {} if pattern is None else {"pattern": rf"^({pattern})$"}
