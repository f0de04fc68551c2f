"""Fragment files: fields that several mappings share, checked by themselves before a mapping uses them."""

from __future__ import annotations

from collections.abc import Mapping

from hub.mapping.compiler import fragment_mistakes
from hub.workspace.checks.scopes import lint_tables
from hub.workspace.compiled_files import FragmentFile
from hub.workspace.files.mapping_file import FRAGMENT, expressions_of, fields_of, uses_of
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints
from hub.workspace.source.mistakes import lint_found
from hub.workspace.source.shape_lint import lint_shape
from hub.workspace.source.yaml_source import Keyed, Node, text_of


def load_fragment(node: Node, lints: Lints, known: Known) -> FragmentFile | None:
    """Lint one fragment file by itself; None after an error."""
    lint_shape(node, FRAGMENT, lints, "fragment")
    if lints.failed or not isinstance(node, Keyed):
        return None
    for expression, inset in expressions_of(node):
        lint_tables(expression, inset, lints, known)
    for use in uses_of(node):
        known.lint_name(FileKind.FRAGMENT, use, lints)
    if lints.failed:
        return None
    return FragmentFile(
        name=text_of(node.get("fragment")),
        fields=fields_of(node.entries["fields"].value),
        uses=frozenset(map(text_of, uses_of(node))),
        path=lints.path,
    )


def lint_fragments(
    fragments: dict[str, FragmentFile], nodes: Mapping[str, Node], lints: Mapping[str, Lints], known: Known
) -> None:
    """Check fragments together, and take out those that nobody can use; `nodes` and `lints` are by path."""
    while broken := [name for name, fragment in fragments.items() if not fragment.uses <= fragments.keys()]:
        for name in broken:
            del fragments[name]
    fields = {name: fragment.fields for name, fragment in fragments.items()}
    for name, fragment in list(fragments.items()):
        mistakes = fragment_mistakes(name, fragment.fields, known.tables, fields)
        if mistakes:
            lint_found(mistakes, nodes[fragment.path], lints[fragment.path])
            del fragments[name]


def lint_uses(node: Keyed, lints: Lints, known: Known) -> bool:
    """Add a lint for every fragment that does not exist; True when all that are used can be used."""
    uses = list(uses_of(node))
    for use in uses:
        known.lint_name(FileKind.FRAGMENT, use, lints)
    return {text_of(use) for use in uses} <= known.fragments.keys()
