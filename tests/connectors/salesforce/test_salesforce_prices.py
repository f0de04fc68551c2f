"""Prices and lines in an org with several currencies: an entry of a price book keeps the one in which it was made."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.salesforce.amounts import CURRENCY
from hub.sdk.errors import FixData, OutcomeParked
from tests.connectors.salesforce.connected import Org, org
from tests.connectors.salesforce.test_salesforce_currency_writes import between
from tests.connectors.salesforce.test_salesforce_money import PRICE, SEVERAL

#: A product that has no price yet.
SHOP: dict[str, Any] = {
    **SEVERAL,
    "records": [*SEVERAL["records"], {"type": "Product2", "Name": "Places", "IsActive": True}],
}
#: The same in an org with one currency.
ALONE: dict[str, Any] = {
    "currency": "EUR",
    "records": [
        {"type": "Product2", "ref": "seats", "Name": "Seats", "IsActive": True},
        {**PRICE, "type": "PricebookEntry", "Billing_Price_Id__c": "price_1"},
        {"type": "Product2", "Name": "Places", "IsActive": True},
    ],
}
BY_VALUE = ["record.upsert", "records.upsert", "records.upsert each", "records.write"]


def input_of(name: str, value: str, id: str, **fields: Any) -> dict[str, Any]:
    """Give the input of a write of one entry."""
    row = {"value": value, "fields": fields}
    inputs: dict[str, dict[str, Any]] = {
        "record.update": {"object": "PricebookEntry", "id": id, "fields": fields},
        "record.upsert": {"object": "PricebookEntry", **row},
        "record.create": {"object": "PricebookEntry", "fields": fields},
        "records.upsert": {"object": "PricebookEntry", "records": [row]},
        "records.upsert each": {"object": "PricebookEntry", "records": [row], "all_or_none": False},
        "records.write": {"records": [{"object": "PricebookEntry", **row}]},
    }
    return inputs[name]


def entries(here: Org) -> dict[str, Any]:
    """Give the entries by their ids elsewhere."""
    return {str(one.get("Billing_Price_Id__c")): one for one in here.books["records"]["PricebookEntry"]}


def places(here: Org) -> dict[str, Any]:
    """Give the fields of a new entry."""
    (product,) = [one for one in here.books["records"]["Product2"] if one["Name"] == "Places"]
    return {**PRICE, "Product2Id": product["Id"]}


async def write(here: Org, name: str, value: str, **fields: Any) -> Any:
    """Write an entry; its id is the whole or the first fifteen signs."""
    id = entries(here).get(value, {"Id": ""})["Id"][:15]
    return await here.write(name.partition(" ")[0], input_of(name, value, id, **fields))


@pytest.mark.parametrize("name", ["record.update", *BY_VALUE])
@pytest.mark.parametrize("currency", ["", "EUR"])
async def test_a_price_is_changed_in_the_currency_in_which_it_stands(name: str, currency: str) -> None:
    async with org(SHOP, currency=currency) as here:
        for amount, value in ((Decimal("13.50"), "price_1"), (Decimal("14.25"), "price_1")):
            await write(here, name, value, UnitPrice=amount, **({} if currency else {CURRENCY: "EUR"}))
            entry = entries(here)["price_1"]
            assert (Decimal(entry["UnitPrice"]), entry[CURRENCY]) == (amount, "EUR")


@pytest.mark.parametrize("name", ["record.update", *BY_VALUE])
async def test_a_price_in_another_currency_is_refused(name: str) -> None:
    async with org(SHOP, currency="") as here:
        with pytest.raises(FixData) as refusal:
            await write(here, name, "price_1", UnitPrice=Decimal(13), **{CURRENCY: "USD"})
        assert refusal.value.code == "wrong-currency"
        entry = entries(here)["price_1"]
        assert (Decimal(entry["UnitPrice"]), entry[CURRENCY]) == (Decimal("12.5"), "EUR")


@pytest.mark.parametrize("name", [*BY_VALUE, "record.create"])
@pytest.mark.parametrize("currency", ["", "EUR"])
async def test_a_price_is_made_in_its_currency(name: str, currency: str) -> None:
    async with org(SHOP, currency=currency) as here:
        named = {} if currency else {CURRENCY: "EUR"}
        await write(here, name, "price_2", **places(here), **named)
        (entry,) = [one for one in entries(here).values() if one["Product2Id"] == places(here)["Product2Id"]]
        assert (Decimal(entry["UnitPrice"]), entry[CURRENCY]) == (Decimal("12.5"), "EUR")
        if name != "record.create":
            await write(here, name, "price_2", UnitPrice=Decimal(9), **named)
            entry = entries(here)["price_2"]
            assert (Decimal(entry["UnitPrice"]), entry[CURRENCY]) == (Decimal(9), "EUR")


async def test_prices_that_are_made_and_changed_by_one_write_are_all_in_their_currency() -> None:
    async with org(SHOP, currency="EUR") as here:
        rows = [
            {"value": "price_1", "fields": {"UnitPrice": Decimal(13)}},
            {"value": "price_2", "fields": places(here)},
        ]
        await here.write("records.upsert", {"object": "PricebookEntry", "records": rows})
        found = {value: (Decimal(one["UnitPrice"]), one[CURRENCY]) for value, one in entries(here).items()}
        assert (found["price_1"], found["price_2"]) == ((Decimal(13), "EUR"), (Decimal("12.5"), "EUR"))


@pytest.mark.parametrize("name", BY_VALUE)
async def test_a_price_is_changed_while_the_org_begins_to_have_several_currencies(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with org(ALONE, currency="EUR") as here:
        between(here, monkeypatch, 1)
        await write(here, name, "price_1", UnitPrice=Decimal(13))
        entry = entries(here)["price_1"]
        assert (Decimal(entry["UnitPrice"]), entry[CURRENCY]) == (Decimal(13), "EUR")


@pytest.mark.parametrize("name", BY_VALUE)
async def test_a_price_that_was_made_in_the_users_currency_goes_to_a_person(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays in that for good."""
    async with org(ALONE, currency="EUR") as here:
        between(here, monkeypatch, 1)
        with pytest.raises(OutcomeParked) as parked:
            await write(here, name, "price_2", **places(here))
        assert (parked.value.code, parked.value.begun) == ("wrong-currency", True)


async def test_a_job_of_lines_needs_no_currency() -> None:
    """They have that of their head."""
    async with org(SHOP, currency="EUR") as here:
        (line,) = here.books["records"]["OrderItem"]
        await here.seed({"changes": [{"type": "OrderItem", "id": line["Id"], "Line_Key__c": "line_1"}]})
        records = [{"value": "line_1", "fields": {"UnitPrice": Decimal(11)}}]
        job = await here.write("bulk.submit", {"object": "OrderItem", "records": records})
        assert (await here.read("bulk.read", job))["written"] == 1
        (line,) = here.books["records"]["OrderItem"]
        assert (Decimal(line["UnitPrice"]), line[CURRENCY]) == (Decimal(11), "EUR")
