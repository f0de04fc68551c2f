"""JSON Schemas (2020-12) of every file kind, for editors: made from the same descriptions the lints use."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from hub.workspace.examples.loading import EXAMPLES
from hub.workspace.files.connections import CONNECTION
from hub.workspace.files.environments import ENVIRONMENT
from hub.workspace.files.flow_file import FLOW
from hub.workspace.files.mapping_file import FRAGMENT, MAPPING
from hub.workspace.files.policies import POLICY
from hub.workspace.files.series import SERIES
from hub.workspace.kinds import BESIDE, EXAMPLES_ENDING, NAMED, FileKind, kind_of
from hub.workspace.source.shapes import (
    Again,
    Choice,
    Duration,
    Either,
    Expression,
    Flag,
    Form,
    Key,
    Many,
    Names,
    Number,
    Shape,
    Term,
    Text,
    Told,
    Variants,
    Whole,
)

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

#: Shapes that stand within themselves, by name.
_Defined = dict[str, Any]


#: The description of every kind of YAML file.
SHAPES: Mapping[FileKind, Shape] = {
    FileKind.FLOW: FLOW,
    FileKind.MAPPING: MAPPING,
    FileKind.FRAGMENT: FRAGMENT,
    FileKind.POLICY: POLICY,
    FileKind.SERIES: SERIES,
    FileKind.CONNECTION: CONNECTION,
    FileKind.ENVIRONMENT: ENVIRONMENT,
    FileKind.EXAMPLES: EXAMPLES,
}


def editor_schemas() -> dict[FileKind, dict[str, Any]]:
    """Give the JSON Schema of every kind of YAML file."""
    return {kind: _whole(kind, shape) for kind, shape in SHAPES.items()}


def folder_schemas() -> dict[str, dict[str, Any]]:
    """Give one JSON Schema for all YAML files of each folder of a workspace: an editor is told folders, not kinds.

    A file that names itself by the key of another kind of the folder is that kind; a list is examples.
    """
    found = {}
    for folder, kind in NAMED.items():
        defined: _Defined = {}
        schema = _schema(SHAPES[kind], defined)
        for other, folder_of in BESIDE.items():
            if folder_of is kind:
                named = {"type": "object", "required": [other.value]}
                schema = {"if": named, "then": _schema(SHAPES[other], defined), "else": schema}
        if kind_of(f"{folder}/any{EXAMPLES_ENDING}") is FileKind.EXAMPLES:
            examples = _schema(SHAPES[FileKind.EXAMPLES], defined)
            schema = {"if": {"type": "array"}, "then": examples, "else": schema}
        whole = {"$schema": _DIALECT, "title": f"Concord: {folder}", **schema}
        found[folder] = whole | {"$defs": defined} if defined else whole
    return found


def _whole(kind: FileKind, shape: Shape) -> dict[str, Any]:
    defined: _Defined = {}
    schema = {"$schema": _DIALECT, "title": kind.value, **_schema(shape, defined)}
    return schema | {"$defs": defined} if defined else schema


def _schema(shape: Shape, defined: _Defined) -> dict[str, Any]:
    match shape:
        case Form():
            return _form(shape, defined)
        case Names():
            return _names(shape, defined)
        case Many():
            bounds = {"minItems": shape.least, "maxItems": shape.most}
            return {"type": "array", "items": _schema(shape.item, defined), **bounds}
        case Variants():
            return {"oneOf": [_form(form, defined) for form in shape.forms.values()]}
        case Told():
            return {"anyOf": [_form(form, defined) for form in shape.forms.values()]}
        case Either():
            return {"anyOf": [_scalar(shape.value), _schema(shape.form, defined)]}
        case Again():
            if shape.name not in defined:
                defined[shape.name] = {}
                defined[shape.name] = _schema(shape.of(), defined)
            return {"$ref": f"#/$defs/{shape.name}"}
        case _:
            return _scalar(shape)


def _scalar(shape: Shape) -> dict[str, Any]:
    match shape:
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
        case _:
            return {}


def _form(form: Form, defined: _Defined) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            name: {**_schema(key.shape, defined), "description": _said(key)} for name, key in form.keys.items()
        },
        "required": [name for name, key in form.keys.items() if key.required],
        "additionalProperties": False if form.other is None else _schema(form.other, defined),
    }
    groups: list[dict[str, Any]] = [{"oneOf": [{"required": [key]} for key in group]} for group in form.one_of]
    groups += [{"anyOf": [{"required": [key]} for key in group]} for group in form.any_of]
    groups += [{"not": {"required": [*pair]}} for group in form.apart for pair in combinations(group, 2)]
    if groups:
        schema["allOf"] = groups
    return schema


def _said(key: Key) -> str:
    """Give what an editor shows of a key: its sentence, and whether an expression stands there."""
    sentence = f"{key.doc[0].upper()}{key.doc[1:]}."
    match key.shape:
        case Expression():
            return f"{sentence} An expression (JMESPath)."
        case Term():
            return f"{sentence} A literal, or an expression after `=`."
        case _:
            return sentence


def _names(shape: Names, defined: _Defined) -> dict[str, Any]:
    value = _schema(shape.value, defined)
    held = value if shape.form is None else {"anyOf": [value, _schema(shape.form, defined)]}
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
