"""`concord init` and `concord editor-schemas`: what a writer needs before the first line."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from hub.cli.output import console, print_json
from hub.errors import Refused
from hub.sdk.exact_json import dumps
from hub.workspace.editor_schema import folder_schemas
from hub.workspace.starting import start_workspace, starter_files

#: Where the starter's settings for editors look.
SCHEMAS = Path(".concord/schemas")


def init(folder: Path, *, force: bool, json: bool) -> None:
    """Write a small workspace and say what comes next; raises `Refused` for a folder that is not empty."""
    try:
        started = start_workspace(folder, starter_files(), beside=force)
    except OSError as error:
        detail = f"The workspace cannot be written: {error.strerror}."
        raise Refused(detail, code="cannot-write", path=str(error.filename)) from None
    if json:
        print_json({"folder": str(folder), "written": started.written, "kept": started.kept})
        return
    for name in started.written:
        console.print(Text(f"  {folder / name}", "dim"), soft_wrap=True)
    if started.kept:
        console.print(f"{len(started.kept)} files were there already and are as they were:", *started.kept, sep="\n  ")
    there = "" if folder.resolve() == Path.cwd() else f"  cd {folder}\n"
    console.print(
        f"\nA workspace with one flow, and mappings with their examples. Next:\n\n{there}"
        "  concord check          says whether every file is right\n"
        "  concord test           runs the examples\n"
        "  concord lineage shop.receipt.total\n\n"
        "README.md goes on from there.",
        highlight=False,
    )


def editor_schemas(out: Path, *, json: bool) -> None:
    """Write the JSON Schema of each folder's files, for editors that complete and check while one writes."""
    written = {}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for folder, schema in folder_schemas().items():
            path = out / f"{folder}.json"
            path.write_bytes(dumps(schema) + b"\n")
            written[folder] = str(path)
    except OSError as error:
        detail = f"The schemas cannot be written: {error.strerror}."
        raise Refused(detail, code="cannot-write", path=str(error.filename)) from None
    if json:
        print_json(written)
        return
    for folder, name in written.items():
        console.print(f"{name}  for {folder}/**/*.yaml", highlight=False, soft_wrap=True)
    console.print(
        "\nVisual Studio Code (extension YAML by Red Hat): in .vscode/settings.json, below yaml.schemas, each of\n"
        "these with its files. Any editor with yaml-language-server: as the first line of a file\n"
        f"  # yaml-language-server: $schema=../{out / 'flows.json'}\n"
        "JetBrains: Settings, Languages & Frameworks, Schemas and DTDs, JSON Schema Mappings.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
