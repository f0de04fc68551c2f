"""The options that say which hub: data directory, workspace, environment, key file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.errors import Refused
from hub.runtime.settings import IN_HAND, ON_SERVER, HubSettings
from hub.workspace.loader import find_workspace

Data = Annotated[Path, typer.Option(help="The data directory.", envvar="CONCORD_DATA")]
Workspace = Annotated[Path | None, typer.Option(help="The workspace folder.", envvar="CONCORD_WORKSPACE")]
Environment = Annotated[str, typer.Option(help="Which environment.", envvar="CONCORD_ENVIRONMENT")]
KeyFile = Annotated[Path | None, typer.Option(help="The vault key's file.", envvar="CONCORD_KEY_FILE")]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database",
        help="The URL of a PostgreSQL database, in place of a file in the data directory.",
        envvar="CONCORD_DATABASE",
        show_default=False,
    ),
]
ReplicaUrl = Annotated[
    str | None,
    typer.Option(
        "--database-replica",
        help="The URL of a standby of that database, which pages and lists are read from.",
        envvar="CONCORD_DATABASE_REPLICA",
        show_default=False,
    ),
]
#: Of every command that machines may read.
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DEFAULT_DATA = Path(".data")
#: The environment when none is named; where a hub runs, the one that it serves.
DEFAULT_ENVIRONMENT = "example"
DEFAULT_IN_HAND = IN_HAND


def settings(data: Path, workspace: Path | None, environment: str, key_file: Path | None, **more: Any) -> HubSettings:
    """Give the settings of a hub process or command."""
    return HubSettings(
        data=data,
        workspace=find_workspace(workspace, os.environ, Path.cwd()),
        environment=environment,
        key_file=key_file,
        environ=dict(os.environ),
        **{"database": database_url(), **more},
    )


def without_workspace(
    data: Path, environment: str, key_file: Path | None, *, database: str | None, **more: Any
) -> HubSettings:
    """Give the settings of a process that takes its workspace from the database."""
    return HubSettings(
        data=data,
        workspace=data,
        environment=environment,
        key_file=key_file,
        database=database or None,
        environ=dict(os.environ),
        **more,
    )


def database_url() -> str | None:
    """Give the URL of the database that the environment names; None where the data is a file."""
    return os.environ.get("CONCORD_DATABASE") or None


def assert_file(what: str) -> None:
    """Raise `Refused` for what is done to the database's file where the data is on PostgreSQL."""
    if database_url() is not None:
        raise Refused(f"{what} {ON_SERVER}", code="data-on-server")
