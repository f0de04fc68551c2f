"""Checks of guards: what stands is seen as it is, whoever changed it, and nothing else counts as "not there"."""

from __future__ import annotations

from typing import Any

import pytest

from hub.sdk.connector import WriteOperation
from hub.sdk.errors import HubError
from hub.sdk.guards import Conditional, Look, ReadBefore
from hub.sdk.testing.hostile import BODIES
from hub.sdk.testing.live import LiveChecks
from hub.sdk.testing.samples import WriteSample
from hub.sdk.testing.writes import KEY, OTHER_KEY
from hub.sdk.values import Response


def _look(operation: WriteOperation) -> Look | None:
    return None if operation.guard is None else operation.guard.look


class GuardChecks(LiveChecks):
    """An upsert never overwrites something newer."""

    def test_guard_reads(self, write_sample: WriteSample) -> None:
        """The look is a read without a body of its own making, formed from the recorded write alone."""
        operation = self.write_operation(write_sample.operation)
        look = _look(operation)
        if look is None:
            return
        settings = self.made_up()
        request = operation.request(settings, write_sample.input, KEY)
        asked = look.current(settings, request)
        assert asked == look.current(settings, request), "`current` differs from call to call"
        assert asked.method in {"GET", "POST"}, f"{asked.method} is no read"
        assert asked.url != request.url or asked.method != request.method, "the look is the write itself"
        assert asked == look.current(settings, operation.request(settings, write_sample.input, OTHER_KEY)), (
            "what is looked at depends on the effect's key"
        )

    @pytest.mark.parametrize("name", BODIES)
    @pytest.mark.parametrize("status", [200, 404])
    def test_standing_takes_anything(self, write: WriteOperation, status: int, name: str) -> None:
        """An answer that is not the vendor's own never reads as `nothing is there`, nor as something."""
        look = _look(write)
        if look is None:
            return
        with pytest.raises(HubError):
            look.standing(Response(status=status, body=BODIES[name]))

    @pytest.mark.asyncio
    async def test_guard_sees_what_stands(self, write_sample: WriteSample) -> None:
        """Before the write, after it, and after somebody else has changed it."""
        operation = self.write_operation(write_sample.operation)
        look = _look(operation)
        if look is None:
            return
        async with self.serving() as (_, connected):
            await self._write_all(connected, write_sample.after)
            request = operation.request(connected.settings, write_sample.input, KEY)
            before, held = await connected.stand(look, request)
            assert not held, "what was not written is taken for written"
            written = await self._write(connected, write_sample, KEY)
            after, held = await connected.stand(look, request)
            again, _ = await connected.stand(look, request)
            assert after is not None, "the look does not see what was written"
            assert held, "what was written is not taken for written"
            assert again == after, "what stands changes its version by itself"
            self._same(operation, written, after.output)
            if isinstance(operation.guard, ReadBefore) and operation.guard.expects is not None:
                assert before is not None, "what is meant does not stand"
                assert operation.guard.expects(write_sample.input) == before.version
            if write_sample.interfering is None:
                return
            await connected.write(operation, write_sample.interfering, OTHER_KEY)
            changed, held = await connected.stand(look, request)
            assert changed is not None and changed.version != after.version, "somebody else's change is not seen"
            assert not held, "somebody else's change is taken for what was written"

    @pytest.mark.asyncio
    async def test_target_refuses_to_go_back(self, write_sample: WriteSample) -> None:
        """Where the target itself is the guard, it refuses what is older than what somebody else has written."""
        operation = self.write_operation(write_sample.operation)
        guard = operation.guard
        if not isinstance(guard, Conditional) or guard.look is not None or write_sample.interfering is None:
            return
        async with self.serving() as (sandbox, connected):
            await self._write_all(connected, write_sample.after)
            await connected.write(operation, write_sample.interfering, OTHER_KEY)
            books: Any = sandbox.world.books.snapshot()
            with pytest.raises(HubError) as refusal:
                await self._write(connected, write_sample, KEY)
            assert refusal.value.code in guard.refused, f"{refusal.value.code} is not among the guard's refusals"
            assert sandbox.world.books.snapshot() == books, "the older one was written"
