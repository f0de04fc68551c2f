"""A currency in which a record is already: what the hub looks at before and after it writes an amount."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from connectors.salesforce.amounts import CURRENCY
from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.samples import SAMPLES
from connectors.salesforce.sandbox.collections_api import CollectionsApi
from connectors.salesforce.sandbox.wire import Call, Reply
from hub.model.event import InboundEvent, Via
from hub.model.run import RunState
from hub.proof.certification.calls import flow_of
from hub.proof.certification.flows import CONNECTION, event_type
from hub.proof.certification.stand import Stand, stand
from hub.sdk.testing.samples import WriteSample
from hub.store.tables import effects, runs
from tests.connectors.salesforce.test_salesforce_currency_writes import BEFORE, MAKES, SEVERAL


def order_of(name: str, input: Mapping[str, Any]) -> WriteSample:
    return WriteSample(operation=name.partition(" ")[0], input=input, documents=lambda _: 1)


async def order(hub: Stand, id: str, input: Mapping[str, Any]) -> RunState:
    """Let a run write, and give how it ended."""
    now = hub.ambient.now()
    data = {"id": id, "input": input}
    event = InboundEvent(external_id=id, type=event_type(CONNECTOR), occurred_at=now, data=data)
    before = set(states(hub))
    await hub.intake.accept(CONNECTION, [event], Via.API)
    await hub.until(lambda: set(states(hub)) > before and not {*states(hub).values()} - ENDED)
    (new,) = states(hub).keys() - before
    return states(hub)[new]


ENDED = {RunState.SUCCEEDED, RunState.PARKED}


def states(hub: Stand) -> dict[str, RunState]:
    with hub.database.reading() as reading:
        return {row.id: RunState(row.state) for row in reading.execute(select(runs.c.id, runs.c.state))}


def reasons(hub: Stand) -> set[str | None]:
    with hub.database.reading() as reading:
        return set(reading.execute(select(effects.c.reason)).scalars())


def account(hub: Stand, name: str) -> dict[str, Any]:
    (found,) = [one for one in hub.books()["records"]["Account"] if one["Name"] == name]
    return dict(found)


async def give(hub: Stand, name: str, **values: Any) -> None:
    """Let somebody else change an account."""
    change = {"type": "Account", "id": account(hub, name)["Id"], **values}
    await hub.sandbox.world.books.seed({"changes": [change]})


@pytest.mark.parametrize("name", ["records.upsert", "records.upsert each"])
@pytest.mark.parametrize("place", ["asked after", "written again"])
async def test_rows_that_were_made_in_the_users_currency_are_not_taken_for_written(
    name: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The org begins to have several currencies between the question and the write, and then something breaks."""
    served = CollectionsApi.upsert
    fault = {"kind": "reset_before", "times": 1}
    match = {"method": "GET", "path": "/query"} if place == "asked after" else {"method": "PATCH"}

    def upsert(self: CollectionsApi, call: Call, **named: str) -> Reply:
        org = self._org
        if org.schema.multi_currency:
            return served(self, call, **named)
        org.currencies.set_up(SEVERAL["currencies"])
        reply = served(self, call, **named)
        hub.sandbox.world.faults.replace([{**fault, "match": match}])
        return reply

    monkeypatch.setattr(CollectionsApi, "upsert", upsert)
    async with stand(
        CONNECTOR, replace(SAMPLES, seed=BEFORE), flow_of(CONNECTOR, SAMPLES, order_of(name, MAKES[name]))
    ) as hub:
        hub.connect(currency="EUR")
        assert await order(hub, "one", MAKES[name]) is RunState.PARKED
        assert account(hub, "Esche")[CURRENCY] == "USD"
        assert reasons(hub) == {"newer-at-target"}


@pytest.mark.parametrize("name", ["account.upsert", "records.upsert", "records.upsert each", "records.write"])
async def test_a_currency_that_somebody_has_given_a_record_is_not_written_over(name: str) -> None:
    async with stand(
        CONNECTOR, replace(SAMPLES, seed=BEFORE), flow_of(CONNECTOR, SAMPLES, order_of(name, MAKES[name]))
    ) as hub:
        hub.connect(currency="EUR")
        assert await order(hub, "one", MAKES[name]) is RunState.SUCCEEDED
        await hub.sandbox.world.books.seed(SEVERAL)
        await give(hub, "Esche", **{CURRENCY: "USD"})
        assert await order(hub, "two", MAKES[name]) is RunState.PARKED
        assert account(hub, "Esche")[CURRENCY] == "USD"


@pytest.mark.parametrize("all_or_none", ["true", "false"])
async def test_rows_that_come_in_several_pages_are_looked_at_to_the_end(all_or_none: str) -> None:
    """Salesforce gives as few wide rows in a page as it likes."""
    rows = [{"value": f"cus_{place}", "fields": {"Name": f"Esche {place}"}} for place in range(5)]
    input = {"object": "Account", "records": rows, "all_or_none": all_or_none == "true"}
    seed = {"settings": {"rows_per_page": 2}}
    sample = order_of("records.upsert", input)
    async with stand(CONNECTOR, replace(SAMPLES, seed=seed), flow_of(CONNECTOR, SAMPLES, sample)) as hub:
        hub.connect()
        assert await order(hub, "one", input) is RunState.SUCCEEDED
        # Beside what the write names, others may change what they like.
        await give(hub, "Esche 4", Industry="Energy")
        assert await order(hub, "two", input) is RunState.SUCCEEDED
        await give(hub, "Esche 4", Name="Eibe")
        assert await order(hub, "three", input) is RunState.PARKED


def amount(name: str, id: str, **named: str) -> dict[str, Any]:
    """Give the input of a write of one amount of the account that is there."""
    fields = {"AnnualRevenue": 5, **named}
    row = {"value": "cus_1", "fields": fields}
    inputs: dict[str, dict[str, Any]] = {
        "record.update": {"object": "Account", "id": id, "fields": fields},
        "record.upsert": {"object": "Account", **row},
        "account.upsert": {"external_id": "cus_1", "fields": fields},
        "records.upsert": {"object": "Account", "records": [ANOTHER, row]},
        "records.upsert each": {"object": "Account", "records": [ANOTHER, row], "all_or_none": False},
        "records.write": {"records": [{"object": "Account", **ANOTHER}, {"object": "Account", **row}]},
    }
    return inputs[name]


ANOTHER = {"value": "cus_9", "fields": {"Name": "Esche", "AnnualRevenue": 5}}


@pytest.mark.parametrize(
    "name",
    ["record.update", "record.upsert", "account.upsert", "records.upsert", "records.upsert each", "records.write"],
)
async def test_an_amount_does_not_bring_a_record_into_the_currency_of_the_settings(name: str) -> None:
    """What else the record has would be so much of another currency, and nobody would be told."""
    sample = order_of(name, amount(name, "001000000000000AAA"))
    async with stand(CONNECTOR, replace(SAMPLES, seed=BEFORE), flow_of(CONNECTOR, SAMPLES, sample)) as hub:
        hub.connect(currency="EUR")
        await hub.sandbox.world.books.seed(SEVERAL)
        await give(hub, "Ahorn", **{CURRENCY: "USD"})
        id = account(hub, "Ahorn")["Id"]
        assert await order(hub, "one", amount(name, id)) is RunState.PARKED
        assert reasons(hub) == {"wrong-currency"}
        stands = account(hub, "Ahorn")
        assert (stands[CURRENCY], stands["AnnualRevenue"]) == ("USD", "1")
        assert all(one["Name"] != "Esche" for one in hub.books()["records"]["Account"])
        # Whoever names the currency means it.
        assert await order(hub, "two", amount(name, id, **{CURRENCY: "EUR"})) is RunState.SUCCEEDED
        stands = account(hub, "Ahorn")
        assert (stands[CURRENCY], stands["AnnualRevenue"]) == ("EUR", "5")
