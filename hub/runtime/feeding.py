"""Whether a hub keeps an event feed, what it is connected to for that, and how that is found by the doctor."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from hub.backbone.backbone import Backbone
from hub.backbone.examining import Remark, examined
from hub.backbone.line import Away, connected
from hub.backbone.publishing import Publisher
from hub.backbone.settings import SERVERS, NatsSettings, ended, nats_settings
from hub.errors import HubError
from hub.model.ambient import Ambient, of_micros
from hub.queries.checkup import Finding, Mark, fail, note, ok, span, warn
from hub.store import outbox
from hub.store.committer import Committer, Transaction
from hub.store.database import Database

#: What waits longer for its publishing is told as something to be seen to.
LATE = timedelta(minutes=1)


def backbone_of(
    settings: NatsSettings | None,
    *,
    environment: str,
    database: Database,
    committer: Committer,
    ambient: Ambient,
    name: str,
    stands_in: bool = False,
) -> Backbone | None:
    """Give the backbone of a process, not started; none where no servers are named.

    With `stands_in` it publishes only where no other process does.
    """
    if settings is None:
        return None
    publisher = Publisher(
        environment=environment,
        settings=settings,
        database=database,
        committer=committer,
        ambient=ambient,
        name=name,
        stands_in=stands_in,
    )
    return Backbone(environment=environment, settings=settings, publisher=publisher, name=name)


def tells(connection: Connection, environment: str, environ: Mapping[str, str], backbone: Backbone | None) -> bool:
    """Say whether what happens is written into the outbox.

    Once a feed is kept it stays so until somebody ends it: a process or a command that was started without the servers
    must not leave a gap in what others publish.
    """
    return backbone is not None or (outbox.is_kept(connection, environment) and not ended(environ))


def begin(transaction: Transaction, environment: str) -> None:
    """Write down whether a feed is kept from here on, and forget what nobody will publish any more."""
    if outbox.is_kept(transaction.connection, environment) != transaction.tells:
        outbox.keep(transaction, environment, kept=transaction.tells)
        if not transaction.tells:
            outbox.clear(transaction, environment)


async def of_hub(backbone: Backbone | None) -> list[Finding]:
    """Give the findings about the connection of a hub that serves."""
    if backbone is None:
        return []
    found = [_finding(remark) for remark in await backbone.examine()]
    if backbone.publisher.stuck is not None:
        found.append(warn("feed-publishing", backbone.publisher.stuck, "See the hub's log, and the line above."))
    return found


def beside(environ: Mapping[str, str], environment: str) -> list[Finding]:
    """Give the findings about servers while no hub serves; for a process without a running loop."""
    try:
        settings = nats_settings(environ)
    except HubError as error:
        return [fail("nats", error.detail, "No hub starts with this.")]
    return [] if settings is None else asyncio.run(_beside(settings, environment))


async def _beside(settings: NatsSettings, environment: str) -> list[Finding]:
    remarks: list[Remark]
    try:
        async with connected(settings, name="concord doctor") as line:
            remarks = await examined(line, settings, environment)
    except Away as error:
        remarks = await examined(None, settings, environment, away=str(error.facts["reason"]))
    return [_finding(remark) for remark in remarks]


def of_outbox(connection: Connection, environment: str, environ: Mapping[str, str], now: datetime) -> list[Finding]:
    """Give the finding about what waits to be published."""
    if not outbox.is_kept(connection, environment):
        return []
    count, oldest = outbox.backlog(connection, environment)
    if count == 0 or oldest is None:
        return [ok("feed", "everything is published")]
    waits = now - of_micros(oldest)
    told = f"{count:,} facts wait to be published, the oldest for {span(waits)}"
    if not environ.get(SERVERS, "").strip():
        advice = f"Name the servers in {SERVERS}, or end the feed by starting once with {SERVERS}=off."
        return [warn("feed", told, advice)]
    return [warn("feed", told, "They wait until NATS takes them: see `nats`.") if waits > LATE else note("feed", told)]


def _finding(remark: Remark) -> Finding:
    return Finding(name=remark.name, mark=Mark(remark.severity), found=remark.found, advice=remark.advice)
