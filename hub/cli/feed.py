"""`concord feed`: what the hub tells the world, as it happens or once more."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from hub.cli import place
from hub.cli.output import console, errors, print_json
from hub.cli.times import moment
from hub.errors import Refused

app = typer.Typer(no_args_is_help=True)

Since = Annotated[str | None, typer.Option(help="From then on: a day or a time in UTC, such as 2026-01-05T06:00.")]
Type = Annotated[str | None, typer.Option(help="Only this type; `stripe.invoice.*` is all that begin so.")]
Key = Annotated[str | None, typer.Option(help="Only what is about this key, such as an invoice's id.")]


@app.command()
def follow(
    since: Since = None,
    type: Type = None,
    key: Key = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Print what the feed tells, from now or from a moment on, until you stop it; nothing twice."""
    _read(since, type, key, environment, follow=True, limit=None, json_output=json_output)


@app.command("list")
def list_facts(
    since: Since = None,
    type: Type = None,
    key: Key = None,
    limit: Annotated[int | None, typer.Option(min=1, help="How many at most.")] = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> None:
    """Print what the feed keeps, the oldest first, and end."""
    _read(since or "1970-01-01", type, key, environment, follow=False, limit=limit, json_output=json_output)


def _read(
    since: str | None,
    type: str | None,
    key: str | None,
    environment: str,
    *,
    follow: bool,
    limit: int | None,
    json_output: bool,
) -> None:
    from hub.backbone.following import Follower, Wish
    from hub.backbone.settings import SERVERS, nats_settings
    from hub.runtime.clock import SystemClock

    settings = nats_settings(os.environ)
    if settings is None:
        raise Refused(
            f"Feeds are read from NATS. Name its servers in {SERVERS}, such as nats://user:password@host:4222.",
            code="no-nats",
        )
    begin = None if since is None else datetime.fromisoformat(moment(since, "--since"))
    follower = Follower(settings, environment, Wish(since=begin, type=type, key=key))
    told: set[str] = set()

    def away(reason: str) -> None:
        if reason not in told:
            told.add(reason)
            errors.print(f"{reason} It is tried again.", soft_wrap=True, highlight=False, markup=False)

    follower.on_away = away

    async def go() -> None:
        count = 0
        async with aclosing(follower.facts(now=SystemClock().now(), follow=follow)) as facts:
            async for fact in facts:
                _show(fact, json_output=json_output)
                count += 1
                if count == limit:
                    return

    asyncio.run(go())


def _show(fact: Mapping[str, Any], *, json_output: bool) -> None:
    if json_output:
        print_json(fact)
        return
    about = str(fact.get("subject", ""))
    line = f"[dim]{str(fact['time'])[:19].replace('T', ' ')}[/]  {escape(str(fact['type']))}  {escape(about)}"
    key = str(fact.get("partitionkey", ""))
    more = f"  [dim]{escape(key)}[/]" if key not in ("", about) else ""
    console.print(line + more, highlight=False, soft_wrap=True)
