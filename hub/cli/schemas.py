"""`concord schema`: list, show and compare the versions of schemas, and draft the next one from what was seen."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli import place
from hub.cli.output import EXIT_REFUSED, print_json

app = typer.Typer(no_args_is_help=True)
NameAndVersion = Annotated[str, typer.Argument(metavar="NAME[@V]", help="A schema; without version, the latest.")]


@app.command("list")
def listing(
    name: Annotated[str, typer.Argument(help="Only schemas whose name has this.")] = "",
    workspace: place.Workspace = None,
    json_output: place.Json = False,
) -> None:
    """List all schemas with their versions, what these promise each other, when they end, and who uses them."""
    from hub.cli import schema_tables
    from hub.cli.schema_files import find_version, open_bundle, state_of, version_as_json
    from hub.workspace.checks.schema_use import schema_uses

    bundle = open_bundle(workspace)
    uses, today = schema_uses(bundle), datetime.now(UTC).date()
    found = [series for series in bundle.registry.by_name.values() if name in series.name]
    if not found and name:
        find_version(bundle.registry, name)
    if json_output:
        rows = [
            {
                "series": series.name,
                "title": series.title,
                "owner": series.owner,
                "compatibility": series.mode,
                "versions": [version_as_json(version, uses, today) for version in series.versions],
            }
            for series in found
        ]
        print_json({"series": rows})
    else:
        states = {version.name: state_of(version, today) for series in found for version in series.versions}
        schema_tables.show_series(found, states, uses)


@app.command()
def show(name: NameAndVersion, workspace: place.Workspace = None, json_output: place.Json = False) -> None:
    """Show one version: its fields with their types and meaning, its terms, and how others are read as it."""
    from hub.cli import schema_tables
    from hub.cli.schema_files import find_version, open_bundle, version_as_json
    from hub.workspace.checks.schema_use import schema_uses

    bundle = open_bundle(workspace)
    version = find_version(bundle.registry, name)
    ways = {other: bundle.registry.path(other, version.name) for other in bundle.registry.versions(version.series)}
    del ways[version.name]
    today = datetime.now(UTC).date()
    if json_output:
        said = version_as_json(version, schema_uses(bundle), today)
        read = {other: None if way is None else list(way) for other, way in ways.items()}
        print_json({**said, "read_from": read, "document": version.document})
    else:
        schema_tables.show_version(version, bundle.registry.series(name), ways, today)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="A", help="A schema (NAME[@V]) or a file.")],
    new: Annotated[str, typer.Argument(metavar="B", help="The one it is compared with.")],
    workspace: place.Workspace = None,
    json_output: place.Json = False,
) -> None:
    """Compare two versions: what changed, and which promise that breaks.

    The exit code is 1 when the promise of A's series is broken, else 0.
    """
    from hub.cli import schema_tables
    from hub.cli.schema_files import compared, named_document, open_bundle

    registry = open_bundle(workspace).registry
    first, second = named_document(registry, old), named_document(registry, new)
    found = compared(first, second)
    if json_output:
        print_json(found.as_json())
    else:
        schema_tables.show_comparison(found)
    if found.broken:
        raise typer.Exit(EXIT_REFUSED)


@app.command()
def infer(
    name: NameAndVersion,
    source: Annotated[
        list[str] | None,
        typer.Option("--from", help="A file of JSON or JSON lines, or - for stdin; else what the hub has seen."),
    ] = None,
    at: Annotated[str, typer.Option(help="Where in each value the record is, such as data.object.")] = "@",
    out: Annotated[Path | None, typer.Option(help="Write the draft into this file instead of printing it.")] = None,
    require: Annotated[bool, typer.Option("--require", help="Also require every field that all records have.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="As many records of the hub are looked at.")] = 1000,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Draft the next version of a schema from records: their files, or those the hub has received."""
    from hub.cli import schema_tables
    from hub.cli.reach import reach
    from hub.cli.schema_files import Named, base_of, compared, open_bundle, read_records, record_at, write_draft
    from hub.errors import Refused
    from hub.schemas.draft import draft

    base = base_of(open_bundle(workspace).registry, name)
    if source:
        records: list[Any] = [record for file in source for record in read_records(file)]
    else:
        with reach(place.settings(data, workspace, environment, None)) as hub:
            records = hub.get("/api/events/payloads", schema=name, limit=limit)["payloads"]
    records = record_at(records, at)
    if not records:
        raise Refused(f"No record of `{name}` was found, so there is nothing to draft from. Name files with --from.")
    made = draft(None if base is None else base.document, records, require=require)
    comparison = None if base is None else compared(base, Named(name="the draft", document=made, mode=base.mode))
    if out is not None:
        write_draft(out, made)
    if json_output:
        said = {"base": base and base.name, "records": len(records), "draft": made}
        print_json({**said, "comparison": comparison and comparison.as_json()})
        return
    schema_tables.show_draft(made if out is None else None, out, len(records), comparison)
