"""Checks of guards: what stands is seen as it is, whoever changed it, and nothing else counts as "not there"."""

from __future__ import annotations

from typing import Any

import pytest

from hub.sdk.connector import WriteOperation
from hub.sdk.errors import HubError
from hub.sdk.guards import Conditional, Look, ReadBefore, Standing
from hub.sdk.testing.hostile import BODIES, naming
from hub.sdk.testing.live import LiveChecks
from hub.sdk.testing.samples import WriteSample
from hub.sdk.testing.sending import Connected
from hub.sdk.testing.writes import KEY, OTHER_KEY
from hub.sdk.values import EffectKey, Idempotency, Response


def _look(operation: WriteOperation) -> Look | None:
    return None if operation.guard is None else operation.guard.look


class GuardChecks(LiveChecks):
    """An upsert never overwrites something newer."""

    def test_upsert_is_guarded(self, write: WriteOperation) -> None:
        """An upsert says how it keeps from overwriting something newer."""
        assert write.idempotency is not Idempotency.UPSERT or write.guard is not None, "an upsert without a guard"

    def test_guard_is_tried(self, write_sample: WriteSample) -> None:
        """Every guard is tried against somebody else who writes the same thing."""
        guarded = self.write_operation(write_sample.operation).guard is not None
        assert not guarded or write_sample.interfering, "nobody interferes, so that the guard is not tried"

    def test_guard_reads(self, write_sample: WriteSample) -> None:
        """The look is a read, formed from the recorded write alone, and the same for everybody who writes there."""
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

    @pytest.mark.parametrize("status", [200, 404])
    def test_standing_takes_anything(self, write: WriteOperation, status: int) -> None:
        """An answer that is not the vendor's own never reads as `nothing is there`, nor as something."""
        look = _look(write)
        if look is None:
            return
        for name, body in BODIES.items():
            with naming(name), pytest.raises(HubError):
                look.standing(Response(status=status, body=body))

    @pytest.mark.asyncio
    async def test_guard_sees_what_stands(self, write_sample: WriteSample) -> None:
        """Before the write, after it, and after somebody else has changed it."""
        operation = self.write_operation(write_sample.operation)
        look = _look(operation)
        if look is None:
            return
        async with self.serving() as (sandbox, connected):
            await self._write_all(connected, write_sample.after)
            request = operation.request(connected.settings, write_sample.input, KEY)
            books: Any = sandbox.world.books.snapshot()
            before, held = await connected.stand(look, request)
            assert sandbox.world.books.snapshot() == books, "the look changed the books"
            assert not held, "what was not written is taken for written"
            written = await self._write(connected, write_sample, KEY)
            after, held = await connected.stand(look, request, written)
            again, _ = await connected.stand(look, request, written)
            assert after is not None, "the look does not see what was written"
            assert held, "what was written is not taken for written"
            assert again == after, "what stands changes its version by itself"
            self._same(operation, written, after.output)
            self._counts(before, after, rises=1)
            if isinstance(operation.guard, ReadBefore) and operation.guard.expects is not None:
                assert before is not None, "what is meant does not stand"
                assert operation.guard.expects(write_sample.input) == before.version, "it means another one"
            await self._interfere(connected, write_sample)
            changed, held = await connected.stand(look, request, written)
            assert changed is not None, "what somebody else has written is not seen"
            assert changed.version != after.version, "somebody else's change is not seen"
            assert not held, "somebody else's change is taken for what was written"
            self._counts(after, changed, rises=len(write_sample.interfering))

    @pytest.mark.asyncio
    async def test_target_refuses_to_go_back(self, write_sample: WriteSample) -> None:
        """Where the target itself is the guard, it refuses what is older than what somebody else has written."""
        operation = self.write_operation(write_sample.operation)
        guard = operation.guard
        if not isinstance(guard, Conditional):
            return
        async with self.serving() as (sandbox, connected):
            await self._write_all(connected, write_sample.after)
            request = operation.request(connected.settings, write_sample.input, KEY)
            if guard.look is not None and guard.bind is not None:
                seen, _ = await connected.stand(guard.look, request)
                request = guard.bind(request, seen)
            await self._interfere(connected, write_sample)
            books: Any = sandbox.world.books.snapshot()
            with pytest.raises(HubError) as refusal:
                operation.answered(request, await connected.send(request))
            assert refusal.value.code in guard.refused, f"{refusal.value.code} is not among the guard's refusals"
            assert sandbox.world.books.snapshot() == books, "the older one was written"

    async def _interfere(self, connected: Connected, sample: WriteSample) -> None:
        for place, other in enumerate(sample.interfering):
            await self._write(connected, other, EffectKey(f"{place:031x}f"))

    def _counts(self, before: Standing | None, after: Standing, *, rises: int) -> None:
        if after.count is not None:
            count = 0 if before is None else before.count
            assert count is not None, "it is counted only now and then"
            assert after.count == count + rises, f"the count went from {count} to {after.count}"
