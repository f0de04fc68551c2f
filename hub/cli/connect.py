"""`concord connect`: from an account's credentials to a connection that works, or the reason why it does not."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape

from hub.cli import place
from hub.cli.connections import show_diagnosis
from hub.cli.given import text_of
from hub.cli.output import console, errors, print_json
from hub.cli.reach import reach
from hub.errors import FixData

if TYPE_CHECKING:
    from hub.connections.form import Field
    from hub.sdk.connector import Connector


def connect(
    connector: Annotated[str, typer.Argument(help="The connector, such as `stripe`.")],
    name: Annotated[str | None, typer.Option(help="The connection's name; by default the connector's.")] = None,
    given: Annotated[
        list[str] | None, typer.Option("--set", metavar="SETTING=VALUE", help="A setting that is not secret.")
    ] = None,
    secret_file: Annotated[
        list[str] | None,
        typer.Option(metavar="SETTING=FILE", help="A secret, read from a file; FILE `-` reads stdin."),
    ] = None,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    key_file: place.KeyFile = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON, and ask nothing.")] = False,
) -> None:
    """Connect an account: settings into the environment's file, secrets into the vault, and a test at once.

    At a terminal, what is missing is asked for. Exit 0 when the connection works, 1 when it does not.
    """
    from hub.connections import form
    from hub.connections.registry import load_connectors

    speaks = load_connectors().connector(connector)
    name = name or connector
    fields = {field.name: field for field in form.fields_of(speaks)}
    texts = _settings(given or [], fields, speaks) | _secrets(secret_file or [], fields, speaks)
    with reach(place.settings(data, workspace, environment, key_file), begins=True) as hub:
        known = hub.get(f"/api/connections/{quote(name, safe='')}/settings")["settings"]
        if not json_output and sys.stdin.isatty():
            texts = _asked(speaks, texts, known)
        values = form.read(speaks, texts)
        made = hub.post(
            "/api/connections",
            {
                "connector": connector,
                "name": name,
                "settings": {field: value for field, value in values.items() if not fields[field].secret},
                "secrets": {field: value for field, value in values.items() if fields[field].secret},
            },
        )
    if json_output:
        print_json(made)
    else:
        _show(made)
    raise typer.Exit(0 if made["diagnosis"]["works"] else 1)


def _settings(given: list[str], fields: Mapping[str, Field], speaks: Connector) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise FixData(f"Write --set SETTING=VALUE, not `{text}`.", code="bad-setting")
        if _field(name, fields, speaks).secret:
            raise FixData(
                f"`{name}` is a secret, and others can read a command line. Give it with --secret-file {name}=FILE, or "
                "wait to be asked.",
                code="secret-on-command-line",
            )
        found[name] = value
    return found


def _secrets(files: list[str], fields: Mapping[str, Field], speaks: Connector) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in files:
        name, equals, file = text.partition("=")
        if not equals:
            raise FixData(f"Write --secret-file SETTING=FILE, not `{text}`.", code="bad-setting")
        if not _field(name, fields, speaks).secret:
            raise FixData(f"`{name}` is no secret; give it with --set {name}=VALUE.", code="no-secret")
        found[name] = text_of(file).strip()
        if not found[name]:
            raise FixData(f"There is nothing in {file}.", code="empty-secret", setting=name)
    return found


def _field(name: str, fields: Mapping[str, Field], speaks: Connector) -> Field:
    if name not in fields:
        raise FixData(f"{speaks.title} has no setting `{name}`.", code="unknown-setting", known=", ".join(fields))
    return fields[name]


def _asked(speaks: Connector, texts: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, str]:
    """Ask for each field that must be given and is not, until it is as it must be."""
    from hub.connections import form

    found = dict(texts)
    for line in form.about(speaks).splitlines():
        console.print(escape(line), style="dim")
    for field in form.fields_of(speaks):
        if not field.asked or field.name in found:
            continue
        while True:
            text = _ask(field, known)
            wrong = _wrong(speaks, {**found, field.name: text}, field.name) if text else None
            if text and wrong is None:
                found[field.name] = text
                break
            if not text and (not field.required or (field.secret and known)):
                # What is stored already stays; what has a default keeps it.
                break
            errors.print(f"[red]{field.name}[/]: {escape(wrong or 'it must be given')}.", highlight=False)
    return found


def _ask(field: Field, known: Mapping[str, Any]) -> str:
    if field.lines:
        path = typer.prompt(f"{field.name} (the path of its file)", default="", show_default=False, err=True)
        if not path:
            return ""
        try:
            return text_of(Path(path).expanduser()).strip()
        except OSError as error:
            errors.print(f"[red]{field.name}[/]: {escape(str(error.strerror))}.", highlight=False)
        except FixData as error:
            errors.print(f"[red]{field.name}[/]: {escape(str(error))}", highlight=False)
            return ""
    if field.secret:
        words = f"{field.name} (hidden; empty keeps what is stored)" if known else f"{field.name} (hidden)"
        return str(typer.prompt(words, default="", show_default=False, hide_input=True, err=True))
    default = str(known.get(field.name, field.default))
    return str(typer.prompt(field.name, default=default, show_default=bool(default), err=True))


def _wrong(speaks: Connector, texts: Mapping[str, str], name: str) -> str | None:
    """Tell what is wrong with one field, whatever else is still missing."""
    from hub.connections import form

    return form.faults(speaks, form.read(speaks, texts)).get(name)


def _show(made: Mapping[str, Any]) -> None:
    show_diagnosis(made["diagnosis"])
    for path in made["written"]:
        console.print(f"Written: {escape(path)}. Commit it; it holds no secret.")
    if made["version"] is not None:
        console.print(f"Sealed: version {made['version']} of its secret.")
    if made["serves"]:
        console.print("The hub uses it from now on.")
    elif made["governed"]:
        console.print("It serves once it is published: see `concord plan`, then `concord publish`.")
    else:
        console.print("It serves from the hub's next start on.")
