"""Salesforce's own troubles met by a hub: a day that is used up, records that others hold, fields that come and go."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.samples import ACCOUNT, SAMPLES
from connectors.salesforce.sandbox.composite_api import CompositeApi
from connectors.salesforce.sandbox.wire import Call, Reply
from hub.model.event import InboundEvent, Via
from hub.model.run import RunState
from hub.proof.certification.calls import flow_of
from hub.proof.certification.flows import CONNECTION, event_type
from hub.proof.certification.stand import Stand, stand
from hub.sdk.testing.samples import WriteSample
from hub.store.tables import attempts, runs

DAY = 86_400


def sample(operation: str) -> WriteSample:
    """Give a sample of a write."""
    return next(one for one in SAMPLES.writes if one.operation == operation)


async def begin(hub: Stand, written: WriteSample) -> None:
    """Let a run make a write."""
    data = {"id": "order-1", "input": dict(written.input)}
    now = hub.ambient.now()
    event = InboundEvent(external_id="order-1", type=event_type(CONNECTOR), occurred_at=now, data=data)
    await hub.intake.accept(CONNECTION, [event], Via.API)


def state(hub: Stand) -> RunState:
    """Give how the run stands."""
    with hub.database.reading() as reading:
        return RunState(reading.execute(select(runs.c.state)).scalar_one())


def outcomes(hub: Stand) -> list[Any]:
    """Give how its attempts ended."""
    with hub.database.reading() as reading:
        return list(reading.execute(select(attempts.c.outcome)).scalars())


@pytest.fixture
def upsert() -> WriteSample:
    """Give a write of an account."""
    return sample("account.upsert")


async def test_a_day_that_is_used_up_is_waited_for_until_calls_come_free(upsert: WriteSample) -> None:
    async with stand(CONNECTOR, SAMPLES, flow_of(CONNECTOR, SAMPLES, upsert)) as hub:
        for _ in range(20):
            await CONNECTOR.ping(hub.account)
        await hub.sandbox.world.books.seed({"settings": {"daily_requests": 20}})
        began = hub.ambient.now()
        await begin(hub, upsert)
        await hub.until(lambda: state(hub) is RunState.SUCCEEDED)
        assert (hub.ambient.now() - began).total_seconds() >= DAY - 3600
        assert upsert.documents(hub.books()) == 1
        assert hub.account.paused is None


async def test_a_record_that_somebody_holds_is_written_when_it_is_let_go() -> None:
    update = WriteSample(
        operation="record.update",
        input={"object": "Account", "id": ACCOUNT, "fields": {"Site": "Linz"}},
        documents=lambda books: sum(one.get("Site") == "Linz" for one in books["records"]["Account"]),
    )
    async with stand(CONNECTOR, SAMPLES, flow_of(CONNECTOR, SAMPLES, update)) as hub:
        await hub.sandbox.world.books.seed({"locks": {ACCOUNT: 20}})
        await hub.pass_by(5)
        await begin(hub, update)
        await hub.until(lambda: state(hub) is RunState.SUCCEEDED)
        assert "not-begun" in outcomes(hub) or "unable-to-lock-row" in outcomes(hub)
        assert update.documents(hub.books()) == 1


async def test_a_field_that_is_hidden_stops_the_write_with_its_name(upsert: WriteSample) -> None:
    async with stand(CONNECTOR, SAMPLES, flow_of(CONNECTOR, SAMPLES, upsert)) as hub:
        await hub.sandbox.world.books.seed({"remove_fields": ["Account.AnnualRevenue"]})
        await begin(hub, upsert)
        await hub.until(lambda: state(hub) is RunState.PARKED)
        assert upsert.documents(hub.books()) == 0
        assert "invalid-field" in outcomes(hub)


async def test_a_composite_whose_answer_is_cut_is_looked_up_and_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway passes on one part of two: the records are there, which the look tells and nothing else."""
    whole, answered = CompositeApi.composite, []

    def cut(self: CompositeApi, call: Call) -> Reply:
        reply = whole(self, call)
        answered.append(reply)
        return Reply(body={"compositeResponse": reply.body["compositeResponse"][:1]})

    monkeypatch.setattr(CompositeApi, "composite", cut)
    write = sample("records.write")
    async with stand(CONNECTOR, SAMPLES, flow_of(CONNECTOR, SAMPLES, write)) as hub:
        await begin(hub, write)
        await hub.until(lambda: state(hub) is RunState.SUCCEEDED)
        assert write.documents(hub.books()) == 1
        assert "unreadable-answer" in outcomes(hub)
        assert len(answered) == 1
