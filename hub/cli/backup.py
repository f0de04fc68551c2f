"""`concord backup` and `concord restore`: one verified file, made while the hub works, and brought back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from hub.cli import place
from hub.cli.output import console, errors, print_json, print_table
from hub.cli.reach import Reached, assert_data, reach, running_at
from hub.errors import Refused


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; in a folder, it gets a name with the moment.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    data: place.Data = place.DEFAULT_DATA,
    key_file: place.KeyFile = None,
    json_output: place.Json = False,
) -> None:
    """Copy all data into one verified file, while the hub runs or not; no key is in it."""
    from hub.connections.keys import present_key
    from hub.connections.signing_key import signing_key
    from hub.runtime.backups import copy_offline, data_size, make_backup, remember_offline
    from hub.runtime.clock import SystemClock

    place.assert_file("A backup")
    clock = SystemClock()
    target = file / f"concord-{clock.now():%Y%m%dT%H%M%SZ}.tar" if file.is_dir() else file
    hub = running_at(data)
    if hub is None:
        assert_data(data)
    size = data_size(data)
    key = present_key(os.environ, data.resolve().name, key_file)
    verifier = None if key is None else signing_key(key).verify
    with broken_off_in_order(), _shown(json_output) as progress:
        made = make_backup(
            target.absolute(),
            copy_offline(data) if hub is None else _through(hub),
            size=size,
            now=clock.now,
            verifier=verifier,
            force=force,
            progress=progress,
        )
    told: dict[str, Any] = {
        "made_at": made.manifest.made_at,
        "bytes": made.part.bytes,
        "sha256": made.part.sha256,
        "entries": sum(size for size, _chain in made.manifest.logs.values()),
    }
    if hub is not None:
        hub.post("/api/backups/made", told)
    else:
        remember_offline(data, told)
    if json_output:
        checked = {"file": str(made.path), **told, "signatures_checked": made.signed}
        print_json({**checked, "manifest": asdict(made.manifest)})
        return
    console.print(
        f"[bold]{made.path}[/] holds the data of {made.manifest.made_at}: {made.part.bytes / 1e6:,.1f} MB, "
        f"{told['entries']:,} audit entries verified.",
        highlight=False,
    )
    if not made.signed:
        console.print("The signatures of the audit log's heads were not checked: the vault key is not here.")
    console.print(
        "No key is in it. Keep a copy of the vault key apart from it: without that its secrets cannot be read."
    )


def restore(
    file: Annotated[str, typer.Argument(metavar="FILE|status", help="The backup; or `status`, for the last restore.")],
    force: Annotated[bool, typer.Option("--force", help="Move aside what is in the data directory.")] = False,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    key_file: place.KeyFile = None,
    json_output: place.Json = False,
) -> None:
    """Bring the data back from a backup; the hub then looks at the targets before it sends what it may have sent."""
    if file == "status":
        show_status(data, workspace, environment, json_output=json_output)
        return
    place.assert_file("A restore")
    from hub.connections.keys import key_path, present_key
    from hub.connections.signing_key import signing_key
    from hub.runtime.restores import restore_backup

    key = present_key(os.environ, data.resolve().name, key_file)
    with broken_off_in_order(), _shown(json_output) as progress:
        done = restore_backup(
            Path(file),
            data,
            force=force,
            now=datetime.now(UTC),
            verifier=None if key is None else signing_key(key).verify,
            progress=progress,
        )
    missing = [name for name in done.manifest.vault_keys if key is None or name != key.id]
    if json_output:
        print_json(
            {
                "data": str(data),
                "backup_at": done.manifest.made_at,
                "restored_at": done.restored_at,
                "moved_aside": None if done.moved is None else str(done.moved),
                "signatures_checked": done.signed,
                "vault_keys_missing": missing,
                "manifest": asdict(done.manifest),
            }
        )
        return
    console.print(
        f"[bold]{data}[/] holds the data of {done.manifest.made_at}. Start the hub: it reads the streams from where "
        "they were then, and looks at the targets before it sends. `concord restore status` tells how far it is.",
        highlight=False,
    )
    console.print(
        "What accounts used of their quotas since the backup is not known: until the present hour, day, week or month "
        "of each ends, as much may be used once more, up to what the vendor refuses."
    )
    if done.moved is not None:
        console.print(f"What lay there before is in {done.moved}.", highlight=False)
    if missing:
        where = key_path(os.environ, data.resolve().name, key_file)
        errors.print(
            f"[yellow]The secrets in it were sealed with the vault key {', '.join(missing)}, which is not here.[/] "
            f"Put its file at {where} (mode 0600) before the hub starts, or store the secrets again.",
            highlight=False,
        )


def show_status(data: Path, workspace: Path | None, environment: str, *, json_output: bool) -> None:
    """Print what became of what the data did not know after a restore."""
    with reach(place.settings(data, workspace, environment, None)) as hub:
        found = hub.get("/api/restore")
    if json_output:
        print_json(found)
        return
    if found["restored_at"] is None:
        console.print("The data was never restored.")
        return
    console.print(f"Restored from {found['file']}, the data of {found['backup_at']}, at {found['restored_at'][:19]}Z.")
    table = Table("Writes that may have been sent in between", "")
    for name, title in (
        ("looked_up", "looked up at the target"),
        ("found", "found there, and not sent again"),
        ("sent", "sent: not there, or safe to repeat under their own key"),
        ("parked", "parked for a person"),
        ("open", "without an outcome yet"),
        ("runs_open", "runs of before the restore that still go on"),
    ):
        table.add_row(title, str(found[name]))
    print_table(table)


def _through(hub: Reached) -> Callable[[Path, Callable[[int, int], None]], None]:
    """Give the copying for data that a hub uses: the hub itself does it."""

    def copy(folder: Path, told: Callable[[int, int], None]) -> None:
        state = hub.post("/api/backups/copy", {"folder": str(folder)})
        while state["going"]:
            time.sleep(0.1)
            state = hub.get("/api/backups/copy")
            if state["of"]:
                told(state["done"], state["of"])
        if state["problem"] is not None:
            raise Refused("The hub could not copy its data.", code="no-copy", reason=state["problem"])

    return copy


@contextmanager
def broken_off_in_order() -> Iterator[None]:
    """Let SIGTERM, which timers and services send, end the command as Ctrl-C does: what it began is taken away."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _shown(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    if quiet or not errors.is_terminal:
        yield lambda _what, _done, _of: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, console=errors, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of)
            bars.update(tasks[what], completed=done, total=of)

        yield tell
