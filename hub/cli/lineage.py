"""`concord lineage`: where a field comes from, where it goes, and what is decided by it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from hub.cli.opened import open_workspace, show_lints
from hub.cli.output import EXIT_REFUSED, errors, print_json
from hub.errors import Refused
from hub.queries.lineage import Branch, FieldLineage, Statement, as_json, field_lineages, touched_edges
from hub.queries.lineage_picture import picture
from hub.queries.openlineage import column_lineage
from hub.workspace.lineage.edges import Edge, How, Use
from hub.workspace.lineage.tracing import trace
from ui.lineage_drawing import draw_alone

#: As wide are lines that no terminal wraps.
_WIDTH = 160


def show_lineage(
    name: str, workspace: Path | None, flow: str | None, svg: Path | None, *, json: bool, openlineage: bool
) -> int:
    """Print the lineage of the fields that a name means; gives the exit code. Raises `NotFound` for unknown names."""
    opened = open_workspace(workspace)
    if opened.bundle is None:
        show_lints(errors, opened.lints, opened.folder)
        return EXIT_REFUSED
    lineage = trace(opened.bundle, opened.catalogue)
    if flow is not None:
        lineage = lineage.within(flow)
    wanted = lineage.find(name)
    if svg is not None:
        try:
            svg.write_text(draw_alone(picture(lineage, wanted), name), encoding="utf-8")
        except OSError as error:
            detail = f"The picture cannot be written: {error.strerror}."
            raise Refused(detail, code="cannot-write", path=str(svg)) from None
    if openlineage:
        print_json({"datasets": column_lineage(touched_edges(lineage, wanted))})
    elif json:
        print_json({"fields": [as_json(each) for each in field_lineages(lineage, wanted)]})
    elif svg is not None:
        sys.stdout.write(f"Drew {len(wanted)} {'field' if len(wanted) == 1 else 'fields'} into {svg}.\n")
    else:
        _print(field_lineages(lineage, wanted))
    return 0


def _print(found: Sequence[FieldLineage]) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    for number, each in enumerate(found):
        if number:
            console.print()
        console.print(_tree(each))


def _tree(found: FieldLineage) -> Tree:
    label = Text(str(found.field), "bold cyan")
    if found.meaning:
        label.append(f"  {found.meaning}", "not bold default")
    tree = Tree(label, guide_style="dim")
    if found.sources:
        below = tree.add(Text("comes from", "bold"))
        for statement in found.sources:
            _add_source(below, statement)
    if found.targets:
        below = tree.add(Text("goes to", "bold"))
        for statement in found.targets:
            _add_target(below, statement)
    if found.uses:
        below = tree.add(Text("is used for", "bold"))
        for use in found.uses:
            below.add(_use(use))
    if not (found.sources or found.targets or found.uses):
        tree.add(Text("No mapping, flow or policy fills, reads or uses it.", "yellow"))
    elif not found.sources:
        tree.add(Text("Nothing of the hub fills it: it comes from outside.", "dim"))
    return tree


def _add_source(tree: Tree, statement: Statement) -> None:
    part = f"{statement.part}: " if statement.part else ""
    below = tree.add(Text.assemble((part, "cyan"), *_words(statement.edge)))
    for branch in statement.ends:
        inner = below.add(_name(branch))
        for each in branch.statements:
            _add_source(inner, each)


def _add_target(tree: Tree, statement: Statement) -> None:
    for branch in statement.ends:
        inner = tree.add(Text.assemble(_name(branch), "  ", *_words(statement.edge)))
        for each in branch.statements:
            _add_target(inner, each)


def _name(branch: Branch) -> Text:
    name = Text(str(branch.field), "cyan")
    if branch.told:
        name.append(" (see above)", "dim")
    return name


def _words(edge: Edge) -> list[tuple[str, str]]:
    """Say how: the expression, tables that are looked into, the place in its file, and the steps of which flows."""
    words = {How.EACH: f"one for each of {edge.text}", How.KEPT: "kept as it is"}.get(edge.how, edge.text)
    found = [(words, "default")]
    if edge.tables:
        found.append((f"  table {', '.join(edge.tables)}", "magenta"))
    found.append((f"  {edge.path}:{edge.line}", "dim"))
    found.append((f"  {_steps(edge)}", "dim italic" if edge.steps else "yellow"))
    return found


def _steps(edge: Edge) -> str:
    if not edge.steps:
        return "no flow uses it"
    flows: dict[str, list[str]] = {}
    for step in edge.steps:
        flows.setdefault(step.flow, []).append(step.step)
    return "; ".join(f"{flow}: {', '.join(steps)}" for flow, steps in flows.items())


def _use(use: Use) -> Text:
    where = f"{use.step.flow}: {use.step.step}" if use.step.step else use.step.flow
    place = f"  {use.path}:{use.line}  "
    return Text.assemble((f"{use.purpose} ", "magenta"), use.text, (place, "dim"), (where, "dim italic"))
