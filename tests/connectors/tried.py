"""All that a connector has, tried once against its sandbox: what its log then has are the calls of the connector."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from hub.sdk.connector import Connector, Listing, ReadOperation, Stream, WriteOperation
from hub.sdk.errors import HubError
from hub.sdk.testing.samples import Samples
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey


async def every_call(connected: Connected, connector: Connector, samples: Samples, key: EffectKey) -> None:
    """Make every call that a connector has a sample of, its looks, guards, bulks and streams too; some are in vain."""
    await connector.ping(connected)
    for write in samples.writes:
        written = connector.operation(write.operation)
        assert isinstance(written, WriteOperation)
        request = written.request(connected.settings, write.input, key)
        if written.is_found:
            with suppress(HubError):
                await connected.find(written, write.input, key)
        if written.guard is not None and (look := getattr(written.guard, "look", None)) is not None:
            with suppress(HubError):
                await connected.stand(look, request)
        with suppress(HubError):
            await connected.write(written, write.input, key)
        if written.bulk is not None:
            with suppress(HubError):
                await connected.send(written.bulk.request(connected.settings, [(key, write.input)], key))
    for wanted in samples.reads:
        read = connector.operation(wanted.operation)
        assert isinstance(read, ReadOperation)
        with suppress(HubError):
            await read.read(connected, wanted.input)
    begin = datetime.now(UTC) - timedelta(days=1)
    sources: list[Stream | Listing] = [*connector.streams, *connector.listings]
    for source in sources:
        with suppress(HubError):
            async for _ in source.pull(connected, None, begin):
                pass
