"""Checks against the connector's own sandbox over HTTP: what it declares is what the vendor really does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.schemas.drift import compile_drift
from hub.sdk.connector import Listing, Stream, WriteOperation
from hub.sdk.errors import FixConnection
from hub.sdk.tax import COMMIT, QUOTE, uncompared
from hub.sdk.testing.embedded import MemoryTransport
from hub.sdk.testing.samples import ReadSample, WriteSample
from hub.sdk.testing.sending import Connected
from hub.sdk.testing.webhooks import WebhookChecks
from hub.sdk.testing.writes import KEY, OTHER_KEY
from hub.sdk.values import EffectKey, Idempotency

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class LiveChecks(WebhookChecks):
    """The connector and its sandbox, which share no code, understand each other."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[tuple[Running, Connected]]:
        """Serve the seeded sandbox and connect to it; a connector without a network answers by itself."""
        if self.connector.embedded is not None:
            settings = self.made_up()
            way = MemoryTransport(self.connector.embedded, settings, self.samples.seed["files"])
            yield way.running(), Connected(self.connector, settings, way)
            return
        async with running(find(self.connector.name)) as sandbox:
            await sandbox.world.books.seed(self.samples.seed)
            async with self._connected(self.live_settings(sandbox.announcement)) as connected:
                yield sandbox, connected

    @pytest.mark.asyncio
    async def test_ping_works(self) -> None:
        """Right settings are found right."""
        async with self.serving() as (_, connected):
            await self.connector.ping(connected)

    @pytest.mark.asyncio
    async def test_wrong_credentials_are_for_the_connection(self) -> None:
        """Wrong credentials are found by the ping, as something to fix in the connection."""
        if self.connector.embedded is not None:
            pytest.skip("nobody is asked who could refuse")
        async with self.serving() as (sandbox, _):
            wrong = self.wrong_settings(self.live_settings(sandbox.announcement))
            async with self._connected(wrong) as connected:
                with pytest.raises(FixConnection):
                    await self.connector.ping(connected)

    @pytest.mark.asyncio
    async def test_read_works(self, read_sample: ReadSample) -> None:
        """A read gives what its output schema says and describes, and leaves the books as they were."""
        operation = self.read_operation(read_sample.operation)
        async with self.serving() as (sandbox, connected):
            await self._write_all(connected, read_sample.after)
            before = sandbox.world.books.snapshot()
            record = await operation.ask(connected, read_sample.input)
            named = operation.schema(connected.settings)
            mistakes = self.mistakes(operation.output if named is None else {"$ref": named}, record)
            assert not mistakes, mistakes
            if named is not None:
                # The hub tells each user of what a schema does not describe, so a connector's schema describes all.
                drifted = [f"{one.kind} {one.path}" for one in compile_drift(self.connector.schemas[named])(record)]
                assert not drifted, drifted
            books = sandbox.world.books.snapshot()
            changed = {name for name in before.keys() | books.keys() if before.get(name) != books.get(name)}
            assert changed <= read_sample.leaves, f"a read changed the books: {sorted(changed)}"

    @pytest.mark.asyncio
    async def test_an_engine_says_its_own_tax_beside_what_was_billed(self) -> None:
        """A tax engine that records what was billed tells of every such line what it would have taken itself."""
        asked = [sample for sample in self.samples.reads if sample.operation == QUOTE.name]
        if self.connector.operation(COMMIT.name) is None:
            pytest.skip("it is no tax engine")
        assert asked, f"a tax engine needs a sample of `{QUOTE.name}`"
        quote = self.read_operation(QUOTE.name)
        for sample in asked:
            async with self.serving() as (_, connected):
                await self._write_all(connected, sample.after)
                own = await quote.ask(connected, sample.input)
                taxes = {line["id"]: line["tax"] for line in own["lines"]}
                lines = [{**line, "billed_tax": taxes[line["id"]]} for line in sample.input["lines"]]
                billed = {**sample.input, "lines": lines}
                silent = uncompared(billed, await quote.ask(connected, billed))
                assert not silent, f"lines with a billed tax and without `calculated_tax`: {', '.join(silent)}"

    @pytest.mark.asyncio
    async def test_write_happens_once(self, write_sample: WriteSample) -> None:
        """After an unknown outcome a write is resolved by its declared kind, and the books have it once."""
        operation = self.write_operation(write_sample.operation)
        async with self.serving() as (sandbox, connected):
            await self._write_all(connected, write_sample.after)
            if operation.is_found:
                there = await connected.find(operation, write_sample.input, KEY)
                assert there is None, "a write is found that was never made"
            first = await self._write(connected, write_sample, KEY)
            self._notices_another(operation, connected, write_sample, first)
            if operation.idempotency in {Idempotency.NATIVE, Idempotency.UPSERT}:
                await self._write(connected, write_sample, KEY)
                if operation.is_found:
                    self._same(operation, first, await connected.find(operation, write_sample.input, KEY))
            elif operation.idempotency is Idempotency.PROBE:
                self._same(operation, first, await connected.look(operation, KEY))
            count = write_sample.documents(sandbox.world.books.snapshot())
            assert count == 1, f"the books have the write {count} times"

    @pytest.mark.asyncio
    async def test_undo_takes_what_the_write_gave(self, write_sample: WriteSample) -> None:
        """The fields of a write's output that its undo names are enough to take it back."""
        operation = self.write_operation(write_sample.operation)
        if operation.undo is None:
            return
        undo = self.write_operation(operation.undo)
        async with self.serving() as (_, connected):
            await self._write_all(connected, write_sample.after)
            output = await self._write(connected, write_sample, KEY)
            given = self.connector.undo_input(undo, output)
            mistakes = self.mistakes(undo.input, given)
            assert not mistakes, mistakes
            taken = await connected.write(undo, given, OTHER_KEY)
            assert not self.mistakes(undo.output, taken), self.mistakes(undo.output, taken)

    @pytest.mark.asyncio
    async def test_streams_flow(self) -> None:
        """A stream or a listing gives well-formed events, and its cursor leads on from where it ended."""
        async with self.serving() as (_, connected):
            found: list[Stream | Listing] = [*self.connector.streams, *self.connector.listings]
            for stream in found:
                pages = [page async for page in stream.pull(connected, None, _LONG_AGO)]
                events = [event for page in pages for event in page.events]
                assert events, f"the stream {stream.name} is empty; seed something that it shows"
                for event in events:
                    self.check_event(event)
                further = [page async for page in stream.pull(connected, pages[-1].cursor, _LONG_AGO)]
                again = {event.external_id for page in further for event in page.events}
                assert again <= {event.external_id for event in events}, "the cursor skips or invents events"
                assert len(again) < max(len(events), 2), f"the cursor of {stream.name} leads back to the start"

    @asynccontextmanager
    async def _connected(self, settings: Mapping[str, Any]) -> AsyncIterator[Connected]:
        connected = Connected(self.connector, self.connector.settings.model_validate(dict(settings)))
        try:
            yield connected
        finally:
            await connected.close()

    async def _write_all(self, connected: Connected, samples: Any) -> None:
        for place, sample in enumerate(samples):
            await self._write_all(connected, sample.after)
            await self._write(connected, sample, EffectKey(f"{place:032x}"))

    async def _write(self, connected: Connected, sample: WriteSample, key: EffectKey) -> Mapping[str, Any]:
        operation = self.write_operation(sample.operation)
        record = await connected.write(operation, sample.input, key)
        mistakes = self.mistakes(operation.output, record)
        assert not mistakes, mistakes
        return record

    def _notices_another(
        self, operation: WriteOperation, connected: Connected, sample: WriteSample, output: Mapping[str, Any]
    ) -> None:
        if operation.about is None:
            return
        request = operation.request(connected.settings, sample.input, KEY)
        others = [{**output, name: "another"} for name in ("id", "code") if name in output]
        if output.get("ids"):
            # An id that the vendor gave says nothing of the request; how many there are does.
            others.append({**output, "ids": output["ids"][1:]})
        assert not all(operation.about(request, other) for other in others), "`about` takes any answer for its own"

    def _same(self, operation: WriteOperation, first: Mapping[str, Any], found: Mapping[str, Any] | None) -> None:
        assert found is not None, "`look` does not find the write"
        mistakes = self.mistakes(operation.output, found)
        assert not mistakes, mistakes
        for name in ("id", "code"):
            assert first.get(name) == found.get(name), f"`look` finds another {name}: {found.get(name)}"
