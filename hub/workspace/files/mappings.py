"""Mapping files: read against their description, checked for what they name, and compiled."""

from __future__ import annotations

from hub.expressions.mistakes import InvalidDocument
from hub.mapping.check import check
from hub.mapping.compiled import CompiledMapping
from hub.mapping.compiler import compile_mapping, compile_reverse
from hub.mapping.flaws import FlawCode
from hub.workspace.checks.scopes import lint_calls
from hub.workspace.compiled_files import MappingFile
from hub.workspace.files.fragments import lint_uses
from hub.workspace.files.mapping_file import MAPPING, document_of, expressions_of
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints
from hub.workspace.source.mistakes import lint_mistakes, place_of
from hub.workspace.source.shape_lint import lint_shape
from hub.workspace.source.yaml_source import Keyed, Listed, Node, text_of

#: Flaws of a target field's name, and not of what fills it.
_AT_KEY = frozenset({FlawCode.UNKNOWN_TARGET_FIELD})


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
    _lint_flaws(compiled, node, lints, known)
    reverse = None if compiled.reverse is None else _reversed(compiled, node, lints, known)
    return MappingFile(
        name=text_of(node.get("mapping")),
        version=int(text_of(node.get("version"))),
        source=text_of(node.get("from")),
        target=text_of(node.get("to")),
        given=given,
        compiled=compiled,
        reverse=reverse,
        path=lints.path,
    )


def _reversed(compiled: CompiledMapping, node: Keyed, lints: Lints, known: Known) -> MappingFile | None:
    """Derive the mapping in the other direction and check it against both schemas; None after an error."""
    try:
        reverse = compile_reverse(compiled, known.shape(compiled.source))
    except InvalidDocument as error:
        lint_mistakes(error, node, lints)
        return None
    place = node.entries["reverse"].value
    for flaw in check(reverse, known.shape(reverse.source), known.shape(reverse.target)):
        tell = lints.error if flaw.certain else lints.warn
        tell(place, flaw.code, f"In the mapping derived from this one: {flaw.detail}", flaw.hint)
    return MappingFile(
        name=reverse.name,
        version=reverse.version,
        source=reverse.source,
        target=reverse.target,
        given=reverse.given or frozenset(),
        compiled=reverse,
    )


def _lint_flaws(compiled: CompiledMapping, node: Keyed, lints: Lints, known: Known) -> None:
    """Add a lint for each way in which a mapping does not fit the schemas that it reads and makes."""
    for flaw in check(compiled, known.shape(compiled.source), known.shape(compiled.target)):
        spot = flaw.spot
        position = None if flaw.position is None else spot.inset + flaw.position
        place = place_of(node, spot.where, position, key=flaw.code in _AT_KEY)
        tell = lints.error if flaw.certain else lints.warn
        tell(place, flaw.code, flaw.detail, flaw.hint)
