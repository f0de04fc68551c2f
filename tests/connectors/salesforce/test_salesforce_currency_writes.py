"""An org begins to have several currencies while the hub knows of one: no amount is written in the user's own."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from connectors.salesforce.amounts import CURRENCY
from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.currency_writes import has_several
from connectors.salesforce.samples import SAMPLES
from connectors.salesforce.sandbox.composite_api import CompositeApi
from connectors.salesforce.sandbox.wire import Call, Reply
from hub.audit.kinds import AuditKind
from hub.model.event import InboundEvent, Via
from hub.model.run import RunState
from hub.proof.certification.calls import flow_of
from hub.proof.certification.flows import CONNECTION, event_type, of_call
from hub.proof.certification.stand import Stand, stand
from hub.sdk.calls import carried
from hub.sdk.errors import FixData, OutcomeParked, OutcomeUnknown
from hub.sdk.exact_json import dumps, loads
from hub.sdk.testing.samples import WriteSample
from hub.sdk.values import EffectKey, Request, Response
from hub.store.tables import audit, runs
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from tests.connectors.salesforce.connected import KEY, Org, org, settings, written

#: What the org had alone becomes the corporate currency, and the user of the hub works in another one.
SEVERAL = {
    "currencies": [
        {"IsoCode": "EUR", "IsCorporate": True},
        {"IsoCode": "USD", "ConversionRate": Decimal("1.1")},
    ]
}
BEFORE = {
    "settings": {"bulk_seconds": 0},
    "currency": "EUR",
    "records": [
        {"type": "Account", "ref": "known", "Name": "Ahorn", "AnnualRevenue": 1, "Billing_Id__c": "cus_1"},
        {"type": "Account", "ref": "old", "Name": "Eibe", "AnnualRevenue": 1, "Billing_Id__c": "cus_5"},
    ],
}
FIELDS = {"Name": "Esche", "AnnualRevenue": Decimal(5)}
ROW = {"value": "cus_9", "fields": FIELDS}
#: Every write that makes a record with an amount.
MAKES: dict[str, dict[str, Any]] = {
    "account.upsert": {"external_id": "cus_9", "fields": FIELDS},
    "record.upsert": {"object": "Account", **ROW},
    "record.create": {"object": "Account", "fields": FIELDS},
    "records.upsert": {"object": "Account", "records": [ROW]},
    "records.upsert each": {"object": "Account", "records": [ROW], "all_or_none": False},
    "records.write": {"records": [{"object": "Account", **ROW}]},
    "bulk.submit": {"object": "Account", "records": [ROW]},
    "bulk.submit large": {
        "object": "Account",
        "records": [{**ROW, "fields": {**FIELDS, "Description": "x" * 30_000}}]
        + [{"value": f"cus_x{place}", "fields": {"Name": "x", "Description": "x" * 30_000}} for place in range(3)],
    },
}
EACH = pytest.mark.parametrize("name", sorted(MAKES))


def made(here: Org, name: str = "Esche") -> dict[str, Any]:
    """Give the one account of a name."""
    (found,) = [one for one in here.books["records"]["Account"] if one["Name"] == name]
    return dict(found)


async def write(here: Org, name: str) -> Any:
    return await here.write(name.partition(" ")[0], MAKES[name])


def between(here: Org, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """Let the org begin to have several currencies just before the call at a place goes out."""
    send = here.connected.send

    async def sent(request: Request) -> Response:
        if len(here.connected.asked) == place:
            await here.seed(SEVERAL)
        return await send(request)

    monkeypatch.setattr(here.connected, "send", sent)


@EACH
async def test_an_amount_carries_its_currency_in_an_org_that_has_several_by_now(name: str) -> None:
    async with org(BEFORE, currency="EUR") as here:
        read = await here.read("account.read", {"external_id": "cus_1"})
        assert read[CURRENCY] == "EUR"
        await here.seed(SEVERAL)
        await write(here, name)
        assert made(here)[CURRENCY] == "EUR"
        # What makes no amount has nothing to say, and gets what the user has.
        await here.write("record.create", {"object": "Account", "fields": {"Name": "Linde"}}, EffectKey("1" * 32))
        assert made(here, "Linde")[CURRENCY] == "USD"


@EACH
async def test_an_org_with_one_currency_is_given_none(name: str) -> None:
    async with org(BEFORE, currency="EUR") as here:
        await write(here, name)
        assert CURRENCY not in made(here)
        assert [one["type"] for one in here.books["accepted"]][-1] == "Account"
        asked = [one for one in here.connected.asked if "/query?" in one]
        assert len(asked) == (1 if name.startswith("bulk") else 2)


@pytest.mark.parametrize("name", sorted(name for name in MAKES if not name.startswith("bulk")))
async def test_an_org_that_begins_to_have_several_while_it_writes_has_the_currency_in_the_end(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with org(BEFORE, currency="EUR") as here:
        await here.read("account.read", {"external_id": "cus_1"})
        between(here, monkeypatch, len(here.connected.asked) + 1)
        await write(here, name)
        account = made(here)
        assert (account[CURRENCY], account["AnnualRevenue"]) == ("EUR", "5")


@pytest.mark.parametrize("name", ["account.upsert", "records.upsert each", "records.write"])
async def test_an_amount_that_is_not_taken_in_its_currency_once_the_org_has_several_goes_to_a_person(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is there by then, so that nobody may take it for one that was not made."""
    rule = {"object": "Account", "when": "CurrencyIsoCode = 'EUR'", "message": "No euros", "field": CURRENCY}
    async with org(BEFORE, currency="EUR") as here:
        send = here.connected.send

        async def sent(request: Request) -> Response:
            if len(here.connected.asked) == 1:
                await here.seed(SEVERAL)
            if len(here.connected.asked) == 3:
                await here.seed({"validation_rules": [rule]})
            return await send(request)

        monkeypatch.setattr(here.connected, "send", sent)
        with pytest.raises(OutcomeParked) as parked:
            await write(here, name)
        assert parked.value.begun


NAMELESS = {"value": "cus_8", "fields": {"AnnualRevenue": Decimal(5)}}


async def test_a_row_that_is_refused_for_itself_does_not_keep_the_others_from_being_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both times it is refused, and nothing of it stands in another currency."""
    async with org(BEFORE, currency="EUR") as here:
        between(here, monkeypatch, 1)
        rows = {"object": "Account", "records": [NAMELESS, ROW], "all_or_none": False}
        output = await here.write("records.upsert", rows)
        assert [row["value"] for row in output["failed"]] == ["cus_8"]
        assert output["failed"][0]["code"] == "required-field-missing"
        assert output["written"] == 1
        assert made(here)[CURRENCY] == "EUR"


@pytest.mark.parametrize("name", ["records.upsert", "records.write"])
async def test_what_is_refused_as_a_whole_is_refused_for_its_reason(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with org(BEFORE, currency="EUR") as here:
        between(here, monkeypatch, 1)
        with pytest.raises(FixData) as refusal:
            await here.write(
                name, {**MAKES[name], "records": [{"object": "Account", **ROW}, {"object": "Account", **NAMELESS}]}
            )
        assert refusal.value.facts["error"] == "REQUIRED_FIELD_MISSING"
        assert len(here.books["records"]["Account"]) == 2


async def test_a_create_of_a_loop_that_is_refused_for_itself_does_not_keep_the_others_from_being_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create = written("record.create")
    assert create.bulk is not None
    assert create.calls is not None
    items = [
        (EffectKey(f"{place:032x}"), {"object": "Account", "fields": fields})
        for place, fields in enumerate([FIELDS, NAMELESS["fields"]])
    ]
    async with org(BEFORE, currency="EUR") as here:
        between(here, monkeypatch, 1)
        request = create.bulk.request(here.connected.settings, items, KEY)
        answer = await carried(create.calls(here.connected.settings, request), here.connected.send)
        results = dict(create.bulk.results(answer))
        assert results[items[0][0]] == {"id": made(here)["Id"], "created": True}
        assert isinstance(results[items[1][0]], FixData)
        assert made(here)[CURRENCY] == "EUR"


async def test_a_loop_of_creates_carries_the_currency_of_each_amount() -> None:
    create = written("record.create")
    bulk = create.bulk
    assert bulk is not None
    assert create.calls is not None
    items = [
        (EffectKey(f"{place:032x}"), {"object": "Account", "fields": fields})
        for place, fields in enumerate([{**FIELDS, "Name": "One"}, {"Name": "Two"}, {**FIELDS, "Name": "Three"}])
    ]
    async with org(BEFORE, currency="EUR") as here:
        for several in (False, True):
            if several:
                await here.seed(SEVERAL)
            request = bulk.request(here.connected.settings, items, KEY)
            results = bulk.results(await carried(create.calls(here.connected.settings, request), here.connected.send))
            assert [name for name, output in results if isinstance(output, dict)] == [key for key, _ in items]
            assert made(here, "One").get(CURRENCY) == made(here, "Three").get(CURRENCY) == ("EUR" if several else None)


async def test_a_job_that_an_org_with_several_currencies_worked_through_without_one_is_told() -> None:
    """A job takes minutes; where the org begins to have several meanwhile, nobody knows what it has made."""
    async with org(BEFORE, currency="EUR") as here:
        job = await write(here, "bulk.submit")
        assert (await here.read("bulk.read", job))["written"] == 1
        await here.seed(SEVERAL)
        with pytest.raises(FixData) as refusal:
            await here.read("bulk.read", job)
        assert refusal.value.code == "no-currency"
        again = await here.write("bulk.submit", MAKES["bulk.submit"], EffectKey("1" * 32))
        assert (await here.read("bulk.read", again))["written"] == 1
        assert made(here)[CURRENCY] == "EUR"
        # What has no amounts is in no currency.
        rows = [{"value": "cus_8", "fields": {"Name": "Linde"}}]
        plain = await here.write("bulk.submit", {"object": "Account", "records": rows}, EffectKey("2" * 32))
        assert (await here.read("bulk.read", plain))["written"] == 1


async def test_a_job_with_amounts_that_only_the_org_knows_is_told_as_well() -> None:
    """Of the org's own fields the org itself says which hold amounts."""
    async with org(BEFORE, currency="EUR") as here:
        account = made(here, "Ahorn")["Id"]
        fields = {"Name": "RE-1", "Account__c": account, "Total__c": Decimal(5), CURRENCY: "EUR"}
        job = {"object": "Invoice__c", "records": [{"value": "inv_1", "fields": fields}]}
        submitted = await here.write("bulk.submit", job)
        assert (await here.read("bulk.read", submitted))["written"] == 1
        await here.seed(SEVERAL)
        with pytest.raises(FixData) as refusal:
            await here.read("bulk.read", submitted)
        assert refusal.value.code == "no-currency"
        again = await here.write("bulk.submit", job, EffectKey("1" * 32))
        assert (await here.read("bulk.read", again))["written"] == 1
        # What holds no amount is in no currency.
        states = {"value": "inv_1", "fields": {"Status__c": "Paid"}}
        plain = await here.write("bulk.submit", {**job, "records": [states]}, EffectKey("2" * 32))
        assert (await here.read("bulk.read", plain))["written"] == 1


async def test_what_the_org_does_not_say_of_its_field_stops_the_write() -> None:
    """Only that there is no such column says that an org has one currency."""
    async with org(BEFORE, currency="EUR") as here:
        await here.seed({"remove_fields": ["Account.AnnualRevenue"]})
        with pytest.raises(FixData) as refusal:
            await write(here, "account.upsert")
        assert "AnnualRevenue" in str(refusal.value.facts["reason"])


@pytest.mark.parametrize("answer", [Response(status=404, body=b"not here"), Response(status=200, body=b"<html/>")])
def test_what_is_no_page_of_records_does_not_say_that_the_org_has_several_currencies(answer: Response) -> None:
    known = settings(currency="EUR")
    course = has_several(known, "Account")
    next(course)
    with pytest.raises(OutcomeUnknown):
        course.send(answer)
    assert not known.learned.several


# --- in a hub ---


def amounts(name: str, amount: int) -> dict[str, Any]:
    """Give the input of a write with another amount than the last one."""
    changed: dict[str, Any] = loads(dumps(MAKES[name]).replace(b'"AnnualRevenue":5', b'"AnnualRevenue":%d' % amount))
    return changed


@pytest.mark.parametrize("name", ["account.upsert", "records.upsert", "records.upsert each", "records.write"])
@pytest.mark.parametrize("fault", [None, "500_after_commit", "reset_before"])
async def test_what_the_hub_wrote_before_is_no_change_of_somebody_elses(name: str, fault: str | None) -> None:
    """The currency comes to all records by itself, and to that of the hub's next write by the write."""
    sample = WriteSample(operation=name.partition(" ")[0], input=MAKES[name], documents=lambda _: 1)
    async with stand(CONNECTOR, replace(SAMPLES, seed=BEFORE), flow_of(CONNECTOR, SAMPLES, sample)) as hub:
        hub.connect(currency="EUR")
        call = {"method": "POST", "path": "/composite$"} if name == "records.write" else {"method": "PATCH"}
        for amount, currency in ((5, None), (6, "EUR"), (7, "EUR")):
            if amount == 6:
                await hub.sandbox.world.books.seed(SEVERAL)
            if fault is not None:
                hub.sandbox.world.faults.replace([{"kind": fault, "times": 1, "match": call}])
            await order(hub, name, amount)
            assert set(states(hub)) == {RunState.SUCCEEDED}
            (account,) = [one for one in hub.books()["records"]["Account"] if one["Name"] == "Esche"]
            assert (account.get(CURRENCY), account["AnnualRevenue"]) == (currency, str(amount))


async def order(hub: Stand, name: str, amount: int) -> None:
    """Let a run write an amount."""
    data = {"id": f"order-{amount}", "input": amounts(name, amount)}
    now = hub.ambient.now()
    event = InboundEvent(external_id=f"order-{amount}", type=event_type(CONNECTOR), occurred_at=now, data=data)
    await hub.intake.accept(CONNECTION, [event], Via.API)
    await hub.until(lambda: not set(states(hub)) - {RunState.SUCCEEDED, RunState.PARKED})


def states(hub: Stand) -> list[RunState]:
    with hub.database.reading() as reading:
        return [RunState(state) for state in reading.execute(select(runs.c.state)).scalars()]


LOOP = """flow: certified
title: Make accounts
owner: team:certification
on: { event: salesforce.certification.asked }
key: data.id
business_key: data.id
steps:
  - id: made
    retry: patient
    call:
      connection: subject
      operation: record.create
      each: data.input.items
      item: name
      with: passed_on
"""
PASSED_ON = """mapping: passed_on
version: 1
from: certification.any@1
to: certification.input@1
fields:
  object: "'Account'"
  fields: fields
"""


def of_loop() -> Bundle:
    """Compile a flow that makes records in a loop, and so by one request."""
    operation = written("record.create")
    files = dict(of_call(CONNECTOR, SAMPLES, operation, MAKES["record.create"]).files)
    files["flows/certified.yaml"] = LOOP.encode()
    files["mappings/passed_on.yaml"] = PASSED_ON.encode()
    bundle, lints = compile_bundle(files, catalogue_of([CONNECTOR]))
    assert bundle is not None, [str(lint) for lint in lints]
    return bundle


@pytest.mark.parametrize("fault", [None, "500_after_commit", "reset_before", "429"])
@pytest.mark.parametrize("place", ["asked before", "written", "asked after"])
async def test_a_loop_of_a_hub_makes_each_record_once_in_its_currency(
    fault: str | None, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever befalls the questions or the write, none is made twice."""
    served = CompositeApi.graph
    plan: list[dict[str, Any]] = []

    def graph(self: CompositeApi, asked: Call) -> Reply:
        reply = served(self, asked)
        if plan:
            hub.sandbox.world.faults.replace([plan.pop()])
        return reply

    monkeypatch.setattr(CompositeApi, "graph", graph)
    async with stand(CONNECTOR, replace(SAMPLES, seed=BEFORE), of_loop()) as hub:
        hub.connect(currency="EUR")
        asks = {"method": "GET", "path": "/query"}
        call = {"method": "POST", "path": "graph"} if place == "written" else asks
        for number, several in enumerate((False, True)):
            if several:
                await hub.sandbox.world.books.seed(SEVERAL)
            if fault is not None:
                plan.append({"kind": fault, "times": 1, "match": call})
                if place != "asked after":
                    hub.sandbox.world.faults.replace([plan.pop()])
            items = [
                {"name": f"{number}-{each}", "fields": {**FIELDS, "Name": f"{number}-{each}"}} for each in range(3)
            ]
            data = {"id": f"order-{number}", "input": {"items": items}}
            now = hub.ambient.now()
            event = InboundEvent(external_id=f"order-{number}", type=event_type(CONNECTOR), occurred_at=now, data=data)
            await hub.intake.accept(CONNECTION, [event], Via.API)
            await hub.until(lambda: not set(states(hub)) - {RunState.SUCCEEDED, RunState.PARKED})
            assert set(states(hub)) == {RunState.SUCCEEDED}
            accounts = [one for one in hub.books()["records"]["Account"] if one["Name"].startswith(f"{number}-")]
            assert [one.get(CURRENCY) for one in accounts] == ["EUR" if several else None] * 3
        if place == "asked after":
            # Nobody takes them for not made because of what refused the question.
            with hub.database.reading() as reading:
                kinds = set(reading.execute(select(audit.c.kind)).scalars())
            assert AuditKind.EFFECT_FAILED not in kinds
            assert (AuditKind.EFFECT_UNKNOWN in kinds) is (fault is not None)
