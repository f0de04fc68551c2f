"""Ways in which a hub may be wrong where it meets others: schedules, streams, limits, and what a target compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hub.connections.accounts import Account
from hub.connections.budgets import Budgets, Sources
from hub.connections.limiter import Limiter
from hub.intake.positions import Position
from hub.intake.schedules import Schedules, firing_event
from hub.intake.streams import Found, Streams
from hub.model.ambient import of_micros, to_micros
from hub.model.effect import EffectKey
from hub.model.event import HUB, InboundEvent, Via
from hub.model.exchange import Request
from hub.model.flow import Flow, Schedule
from hub.sdk.connector import Connector, Stream, WriteOperation
from hub.store.schedules import Advance

# What the hub itself does, which a wrong way goes on with.
_serve, _take, _keep, _limiter = Schedules._serve, Streams.take, Streams._keep, Budgets.limiter


async def fired_first(
    self: Schedules, flow: Flow, schedule: Schedule, row: Mapping[str, Any] | None, now: datetime, *, back: bool
) -> int:
    """Let a schedule fire, and write down in a transaction of its own that it has."""
    if row is None or row["next_at"] is None or of_micros(row["next_at"]) > now:
        return await _serve(self, flow, schedule, row, now, back=back)
    due, order = of_micros(row["next_at"]), self._ambient.new_id("order")
    event = firing_event(flow.name, schedule, due=due, fired=now, missed=0, order=order)
    await self._committer.commit(self._prepare(HUB, event, Via.SCHEDULE, actor="scheduler"))
    after = self._triggers(schedule).after(now)
    await self._committer.commit(
        Advance(
            environment=self._environment,
            flow=flow.name,
            spec=row["spec"],
            firings=(),
            next_at=None if after is None else to_micros(after),
            alone=False,
        )
    )
    return 1


async def taken_later(self: Streams, account: Account, found: Sequence[InboundEvent], **_how: object) -> Found:
    """Say that events are durable which are not."""
    return Found(read=len(found), new=len(found))


async def moved_first(
    self: Streams, account: Account, stream: Stream, position: Position, found: Sequence[InboundEvent]
) -> None:
    """Move on in a stream, and make durable afterwards what it gave."""
    await _keep(self, account, stream, position, found)
    await _take(self, account, found)


def without_overlap(self: Position, began: datetime, overlap: timedelta) -> Position:
    """Go on exactly where the last reading has ended."""
    return self


def of_its_own(self: Budgets, name: str, connection: str, sources: Sources) -> Limiter:
    """Give each connection a limiter of its own, whatever account it leads to."""
    return _limiter(self, f"{name} {connection}", connection, sources)


def unguarded(connector: Connector) -> Connector:
    """Give a connector whose upserts name no version that a target could compare."""
    return replace(
        connector,
        operations=tuple(
            replace(each, request=_unguarded(each)) if isinstance(each, WriteOperation) and each.guard else each
            for each in connector.operations
        ),
    )


def _unguarded(operation: WriteOperation) -> Callable[[Any, Mapping[str, Any], EffectKey], Request]:
    def request(settings: Any, record: Mapping[str, Any], key: EffectKey) -> Request:
        formed = operation.request(settings, record, key)
        return replace(formed, headers={"content-type": formed.headers["content-type"]})

    return request
