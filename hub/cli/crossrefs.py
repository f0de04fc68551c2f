"""`concord crossrefs`: which id here is which id there."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli import place, things
from hub.cli.given import not_text
from hub.cli.output import console, print_json, print_table
from hub.cli.reach import reach
from hub.errors import FixData

app = typer.Typer(no_args_is_help=True)
for command in (things.show, things.history, things.merge, things.split, things.move, things.prefer, things.untie):
    app.command()(command)

#: Rows in one request.
BATCH = 1000


@app.command("import")
def import_file(
    entity: Annotated[str, typer.Argument(help="What the ids name, such as `customer`.")],
    file: Annotated[Path, typer.Argument(help="A CSV file whose header names the systems.")],
    replace: Annotated[bool, typer.Option("--replace", help="Let a row change what was tied before.")] = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Tie ids together from a CSV file: one column a system, one row a thing."""
    rows = _read(file)
    with reach(place.settings(data, workspace, environment, None), begins=True) as hub:
        for start in range(0, len(rows), BATCH):
            hub.put(f"/api/crossrefs/{entity}", {"rows": rows[start : start + BATCH], "replace": replace})
    if json_output:
        print_json({"entity": entity, "rows": len(rows)})
        return
    console.print(f"{len(rows)} rows of [bold]{entity}[/] are tied.")


@app.command("list")
def list_crossrefs(
    entity: Annotated[str | None, typer.Option(help="Only these.")] = None,
    id: Annotated[str | None, typer.Option(help="Only things with this id in some system.")] = None,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """List crossrefs."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        things = hub.get("/api/crossrefs", entity=entity, id=id)["things"]
    if json_output:
        print_json(things)
        return
    if not things:
        console.print("No id fits.")
        return
    table = Table("Entity", "Ids")
    for thing in things:
        ids = [f"{system} {id}" for system, id in thing["ids"].items()]
        ids += [f"{system} {id} (alias)" for system, more in thing["aliases"].items() for id in more]
        table.add_row(thing["entity"], escape(", ".join(ids)))
    print_table(table)


def _read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream, strict=True)
        rows = []
        try:
            systems = [name.strip() for name in reader.fieldnames or ()]
            if len({*systems} - {""}) < max(len(systems), 2):
                raise FixData(
                    f"{file}:1: The header names the systems, at least two and each once, such as `stripe,netsuite`.",
                    code="bad-csv",
                )
            for row in reader:
                if None in row or None in row.values():
                    raise FixData(
                        f"{file}:{reader.line_num}: the row has not as many cells as the header.", code="bad-csv"
                    )
                rows.append({system.strip(): id.strip() for system, id in row.items() if id.strip()})
        except csv.Error as error:
            raise FixData(f"{file}:{reader.line_num}: {error}.", code="bad-csv") from None
        except UnicodeDecodeError as error:
            raise not_text(file, error) from None
    return rows
