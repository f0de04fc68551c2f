"""Mapping files: read against their description, checked for what they name, compiled by `hub.mapping`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.expressions.mistakes import InvalidDocument
from hub.mapping.compiler import compile_mapping
from hub.workspace.compiled_files import MappingFile
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.lint import Lints
from hub.workspace.mistakes import lint_mistakes
from hub.workspace.scopes import lint_calls
from hub.workspace.shape_lint import lint_shape
from hub.workspace.shapes import PATH_NAME, SCHEMA, TARGET, WORD, Expression, Form, Key, Many, Names, Text, Whole
from hub.workspace.yaml_source import Keyed, Listed, Node, Scalar, plain, text_of

#: A list of records in a list of records in a list: no document of the money path has more.
_MOST_NESTED = 3


def _repeated(levels: int) -> Form:
    inner = _repeated(levels - 1) if levels > 1 else None
    fields = Names(value=Expression(), key=TARGET, example="total", form=inner)
    return Form(
        title="a repeated target",
        keys={
            "each": Key(shape=Expression(), doc="the list it repeats over", required=True),
            "when": Key(shape=Expression(), doc="which elements count; all when left out"),
            "fields": Key(shape=fields, doc="the fields of one entry, read from the list's element", required=True),
        },
    )


REPEATED = _repeated(_MOST_NESTED)
FIELDS = Names(value=Expression(), key=TARGET, example="total", form=REPEATED)
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
        "fields": Key(shape=FIELDS, doc="the fields of the target", required=True),
    },
    other=REPEATED,
    other_has=("each", "fields"),
)


def load_mapping(node: Node, lints: Lints, known: Known) -> MappingFile | None:
    """Lint one mapping file and compile it; None after an error."""
    lint_shape(node, MAPPING, lints, "mapping")
    if lints.failed or not isinstance(node, Keyed):
        return None
    for key in ("from", "to"):
        known.lint_name(FileKind.SCHEMA, node.entries[key].value, lints)
    listed = node.get("given")
    given = frozenset(text_of(item) for item in listed.items) if isinstance(listed, Listed) else frozenset()
    for expression in _expressions(node):
        lint_calls(expression, 0, lints, known, given)
    if lints.failed:
        return None
    try:
        compiled = compile_mapping(_document(node), known.tables)
    except InvalidDocument as error:
        lint_mistakes(error, node, lints)
        return None
    return MappingFile(
        name=text_of(node.get("mapping")),
        version=int(text_of(node.get("version"))),
        source=text_of(node.get("from")),
        target=text_of(node.get("to")),
        given=given,
        compiled=compiled,
        path=lints.path,
    )


def _document(node: Keyed) -> dict[str, Any]:
    """Give the file as plain values, expressions as they are written (`quantity: 1` is the expression `1`)."""
    document = plain(node)
    for name, inside in node.entries.items():
        if isinstance(inside.value, Keyed):
            document[name] = _texts(inside.value)
    return dict(document)


def _texts(node: Keyed) -> dict[str, Any]:
    return {
        key: _texts(entry.value) if isinstance(entry.value, Keyed) else text_of(entry.value)
        for key, entry in node.entries.items()
    }


def _expressions(node: Keyed) -> Iterator[Scalar]:
    for entry in node.entries.values():
        if isinstance(entry.value, Keyed):
            yield from _scalars(entry.value)


def _scalars(node: Keyed) -> Iterator[Scalar]:
    for entry in node.entries.values():
        if isinstance(entry.value, Scalar):
            yield entry.value
        elif isinstance(entry.value, Keyed):
            yield from _scalars(entry.value)
