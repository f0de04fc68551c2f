"""How `concord schema` looks in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from hub.cli.output import console, errors, print_table
from hub.cli.schema_files import Comparison, pretty, state_of
from hub.schemas.changes import ChangeKind, fields
from hub.schemas.compatibility import Direction
from hub.schemas.series import Mode, Series, Version
from hub.workspace.checks.schema_use import SchemaUse

_COLOURS = {ChangeKind.ADDED: "green", ChangeKind.REMOVED: "red", ChangeKind.CHANGED: "yellow"}
_PROMISES = {
    Direction.BACKWARD: "Backward: readers of {new} read records of {old}",
    Direction.FORWARD: "Forward: readers of {old} read records of {new}",
}


def show_series(found: Sequence[Series], states: Mapping[str, str], uses: Mapping[str, SchemaUse]) -> None:
    """Show all series, one line for each version."""
    table = Table("Schema", "Version", "Compatibility", "State", "Used by")
    for series in found:
        for index, version in enumerate(series.versions):
            use = uses.get(version.name, SchemaUse())
            used = (
                [*map(escape, use.flows), f"[dim]{_counted(len(use.mappings), 'mapping')}[/]"] if use.mappings else []
            )
            mode = series.mode.value if series.mode is not Mode.NONE else "[dim]none[/]"
            first = (f"[bold]{escape(series.name)}[/]", mode) if index == 0 else ("", "")
            state = _coloured(states[version.name])
            table.add_row(first[0], escape(version.version), first[1], state, ", ".join(used))
    print_table(table)


def show_version(version: Version, series: Series, ways: Mapping[str, tuple[str, ...] | None], today: date) -> None:
    """Show one version with its fields."""
    title = version.document.get("title", "")
    console.print(f"[bold]{escape(version.name)}[/] {escape(str(title))}", highlight=False)
    if version.document.get("description"):
        console.print(escape(str(version.document["description"])), highlight=False)
    facts = [f"compatibility {series.mode.value}", series.owner, state_of(version, today), version.terms.note]
    console.print(f"[dim]{escape('; '.join(fact for fact in facts if fact))}[/]", highlight=False)
    for other, way in ways.items():
        words = (
            "cannot be read as this" if way is None else f"read as this by {', '.join(way)}" if way else "read as it is"
        )
        console.print(f"  {escape(other)}: {escape(words)}", highlight=False)
    table = Table("Field", "Type", "Required", "Meaning")
    for field in fields(version.document):
        needed = "yes" if field.required else ""
        table.add_row(escape(field.path), escape(field.type), needed, escape(field.description))
    print_table(table)


def show_comparison(found: Comparison) -> None:
    """Show what changed and what that breaks."""
    if not found.changes:
        console.print(f"No field differs between {found.old.name} and {found.new.name}.", highlight=False)
    else:
        table = Table("Field", "", "What changed", title=f"{escape(found.old.name)} → {escape(found.new.name)}")
        for one in found.changes:
            kind = f"[{_COLOURS[one.kind]}]{one.kind.value}[/]"
            table.add_row(escape(one.path) or "the record", kind, escape(one.detail))
        print_table(table)
    for direction, broken in found.breaks.items():
        words = _PROMISES[direction].format(old=found.old.name, new=found.new.name)
        verdict = "[red]no[/]" if broken else "[green]yes[/]"
        console.print(f"{escape(words)}: {verdict}", highlight=False)
        for gap in broken:
            console.print(f"  {escape(gap.detail)}", highlight=False)
    if found.broken:
        console.print(f"[red]This breaks the promise of the series: {found.old.mode.value}.[/]", highlight=False)


def show_draft(draft: Mapping[str, Any] | None, out: Path | None, records: int, found: Comparison | None) -> None:
    """Print a draft to stdout, and to stderr what it was made of and what is new in it."""
    if draft is not None:
        sys.stdout.write(f"{pretty(draft).decode()}\n")
    where = f", written to {out}" if out is not None else ""
    told = f"Drafted from {_counted(records, 'record')}{where}."
    if found is None:
        errors.print(f"{told} There is no version of it yet.", highlight=False, soft_wrap=True, markup=False)
        return
    differing = len({one.path for one in found.changes})
    new = f"{_counted(differing, 'field')} changed" if differing else "Nothing changed"
    errors.print(f"{told} {new} since {found.old.name}.", highlight=False, soft_wrap=True, markup=False)
    for one in found.changes:
        errors.print(
            f"  [{_COLOURS[one.kind]}]{one.kind.value:8}[/] {escape(one.path)}: {escape(one.detail)}",
            highlight=False,
            soft_wrap=True,
        )
    if found.broken:
        mode = found.old.mode.value
        errors.print(
            f"[red]As a new version it breaks the promise of its series: {mode}.[/]", highlight=False, soft_wrap=True
        )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _coloured(state: str) -> str:
    colour = "red" if state.startswith("gone") else "yellow" if state.startswith("deprecated since") else "default"
    return f"[{colour}]{state}[/]" if state else ""
