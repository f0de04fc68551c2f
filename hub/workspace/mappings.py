"""Mapping files: read against their description, checked for what they name, and compiled."""

from __future__ import annotations

from hub.expressions.mistakes import InvalidDocument
from hub.mapping.compiler import compile_mapping
from hub.workspace.compiled_files import MappingFile
from hub.workspace.fragments import lint_uses
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.lint import Lints
from hub.workspace.mapping_file import MAPPING, document_of, expressions_of
from hub.workspace.mistakes import lint_mistakes
from hub.workspace.scopes import lint_calls
from hub.workspace.shape_lint import lint_shape
from hub.workspace.yaml_source import Keyed, Listed, Node, text_of


def load_mapping(node: Node, lints: Lints, known: Known) -> MappingFile | None:
    """Lint one mapping file and compile it; None after an error, its own or that of a fragment it uses."""
    lint_shape(node, MAPPING, lints, "mapping")
    if lints.failed or not isinstance(node, Keyed):
        return None
    for key in ("from", "to"):
        known.lint_name(FileKind.SCHEMA, node.entries[key].value, lints)
    listed = node.get("given")
    given = frozenset(text_of(item) for item in listed.items) if isinstance(listed, Listed) else frozenset()
    for expression, inset in expressions_of(node):
        lint_calls(expression, inset, lints, known, given)
    if not lint_uses(node, lints, known) or lints.failed:
        return None
    document = document_of(node)
    fragments = {name: fragment.fields for name, fragment in known.fragments.items()}
    try:
        compiled = compile_mapping(document, known.tables, fragments)
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
