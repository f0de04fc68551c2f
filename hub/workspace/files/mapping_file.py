"""The keys of mapping and fragment files, declared once, and what a file holds as a document of expressions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.workspace.source.shapes import (
    PATH_NAME,
    SCHEMA,
    TARGET,
    WORD,
    Again,
    Choice,
    Expression,
    Flag,
    Form,
    Key,
    Many,
    Names,
    Shape,
    Text,
    Told,
    Value,
    Whole,
)
from hub.workspace.source.yaml_source import Keyed, Node, Scalar, plain, text_of

#: A path of a record, with `[]` for the elements of a list.
_PATH = Text(pattern=rf"{WORD}(\[\])?(\.{WORD}(\[\])?)*", example="a path such as `lines.data[].price`")
_REST = {
    "rest": Key(shape=Choice(of=("keep",)), doc="keeps all that is not filled, instead of starting empty"),
    "without": Key(shape=Many(item=_PATH, least=1), doc="with `rest: keep`: the paths that are taken out"),
}
_REQUIRED = Key(shape=Flag(), doc="null is an error then")
_USE = Key(shape=Text(pattern=PATH_NAME, example="a fragment's name"), doc="the fragment whose fields these are")


def _target() -> Shape:
    return TARGET_SHAPE


FIELDS = Names(value=Expression(), key=TARGET, example="total", form=Again(name="target", of=_target))
FILLED = Form(
    title="a field",
    keys={
        "value": Key(shape=Expression(), doc="the expression that fills it", required=True),
        "when": Key(shape=Expression(), doc="it is left out unless this is true"),
        "default": Key(shape=Value(terms=True), doc="stands in for null: a literal, or an expression after `=`"),
        "required": _REQUIRED,
        "back": Key(shape=Expression(), doc="for `reverse`: gives the source's field again, read from the target"),
    },
)
NESTED = Form(
    title="an object of fields",
    keys={
        "use": _USE,
        "of": Key(shape=Expression(), doc="what its fields are read from; it is left out when that is null"),
        "when": Key(shape=Expression(), doc="it is left out unless this is true"),
        "fields": Key(shape=FIELDS, doc="its fields"),
        "required": _REQUIRED,
        **_REST,
    },
    any_of=(("fields", "use", "rest"),),
)
REPEATED = Form(
    title="a repeated target",
    keys={
        "each": Key(shape=Expression(), doc="the list it repeats over", required=True),
        "when": Key(shape=Expression(), doc="which elements count; all when left out"),
        "use": _USE,
        "fields": Key(shape=FIELDS, doc="the fields of one entry, read from the list's element"),
        "required": _REQUIRED,
        **_REST,
    },
    any_of=(("fields", "use", "rest"),),
)
TARGET_SHAPE = Told(
    title="a field", forms={"value": FILLED, "each": REPEATED, "use": NESTED, "fields": NESTED, "of": NESTED}
)
_SCHEMA = Text(pattern=SCHEMA, example="a schema with its version, such as `canonical.invoice@1`")
MAPPING = Form(
    title="a mapping",
    keys={
        "mapping": Key(
            shape=Text(pattern=PATH_NAME, example="a name such as `stripe/invoice_to_hub`"),
            doc="its name, usually its path below `mappings/`",
            required=True,
        ),
        "version": Key(shape=Whole(minimum=1), doc="raised with every change of meaning", required=True),
        "from": Key(shape=_SCHEMA, doc="the schema of what it reads", required=True),
        "to": Key(shape=_SCHEMA, doc="the schema of what it makes", required=True),
        "given": Key(
            shape=Many(item=Text(pattern=WORD, example="a word")), doc="names of more values, read as `given('name')`"
        ),
        "reverse": Key(
            shape=Text(pattern=PATH_NAME, example="a name such as `netsuite/customer_to_hub`"),
            doc="the name of the mapping in the other direction, which is derived from this one",
        ),
        "fields": Key(shape=FIELDS, doc="the fields of the target"),
        **_REST,
    },
    any_of=(("fields", "rest"),),
    other=TARGET_SHAPE,
    other_has=("each", "use", "fields"),
)
FRAGMENT = Form(
    title="a fragment",
    keys={
        "fragment": Key(
            shape=Text(pattern=PATH_NAME, example="a name such as `stripe/address`"), doc="its name", required=True
        ),
        "title": Key(shape=Text(), doc="what it is for"),
        "fields": Key(shape=FIELDS, doc="fields, to be used in mappings with `use`", required=True),
    },
)
_EXPRESSIONS = frozenset({"value", "when", "each", "of", "back"})
_SAID = _EXPRESSIONS | {"default", "use"}


def document_of(node: Keyed) -> dict[str, Any]:
    """Give a mapping's file as plain values, expressions as they are written (`quantity: 1` is the expression `1`)."""
    return {
        key: fields_of(entry.value)
        if key == "fields"
        else _target_of(entry.value)
        if key not in MAPPING.keys
        else plain(entry.value)
        for key, entry in node.entries.items()
    }


def fields_of(node: Node) -> Any:
    """Give fields as plain values with their expressions as text."""
    if not isinstance(node, Keyed):
        return plain(node)
    return {name: _target_of(entry.value) for name, entry in node.entries.items()}


def _target_of(node: Node) -> Any:
    if not isinstance(node, Keyed):
        return text_of(node) if isinstance(node, Scalar) else plain(node)
    found: dict[str, Any] = {}
    for key, entry in node.entries.items():
        if key == "fields":
            found[key] = fields_of(entry.value)
        else:
            found[key] = text_of(entry.value) if key in _EXPRESSIONS else plain(entry.value)
    return found


def expressions_of(node: Keyed) -> Iterator[tuple[Scalar, int]]:
    """Give every expression that is read from the source, and the number of characters before it (1 for `=`)."""
    for key, value in _said(node):
        if key == "default":
            if isinstance(value.value, str) and value.text.startswith("="):
                yield value, 1
        elif key not in ("back", "use"):
            yield value, 0


def uses_of(node: Keyed) -> Iterator[Scalar]:
    """Give the name of every fragment that a mapping or fragment uses."""
    yield from (value for key, value in _said(node) if key == "use")


def _said(node: Keyed) -> Iterator[tuple[str, Scalar]]:
    """Give what a file says of its targets, each value with the key that tells what it is."""
    for key, entry in node.entries.items():
        if key == "fields":
            yield from _said_of_fields(entry.value)
        elif key not in MAPPING.keys and key not in FRAGMENT.keys:
            yield from _said_of_target(entry.value)


def _said_of_fields(node: Node) -> Iterator[tuple[str, Scalar]]:
    if isinstance(node, Keyed):
        for entry in node.entries.values():
            yield from _said_of_target(entry.value)


def _said_of_target(node: Node) -> Iterator[tuple[str, Scalar]]:
    if isinstance(node, Scalar):
        yield "value", node
    elif isinstance(node, Keyed):
        for key, entry in node.entries.items():
            if key == "fields":
                yield from _said_of_fields(entry.value)
            elif isinstance(entry.value, Scalar) and key in _SAID:
                yield key, entry.value
