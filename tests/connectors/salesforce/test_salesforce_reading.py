"""Reads of the connector: values in queries, lists to their end, currencies, and fields that come and go."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.salesforce.client import following
from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.samples import ACCOUNT, SEED
from connectors.salesforce.soql import filled, literal
from hub.schemas.drift import compile_drift
from hub.sdk.errors import FixConnection, FixData, OutcomeUnknown
from hub.sdk.exact_json import dumps
from hub.sdk.values import Request, Response
from tests.connectors.salesforce.connected import Org, org, settings


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("O'Neil", "'O\\'Neil'"),
        ("' OR Name != '", "'\\' OR Name != \\''"),
        ("\\' OR Id != null", "'\\\\\\' OR Id != null'"),
        ("a\nb", "'a\\nb'"),
        ("2026-01-31", "'2026-01-31'"),
        (True, "true"),
        (None, "null"),
        (7, "7"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (["a", "b'"], "('a', 'b\\'')"),
        ({"date": "2026-01-31"}, "2026-01-31"),
        ({"time": "2026-01-31T10:00:00Z"}, "2026-01-31T10:00:00Z"),
    ],
)
def test_a_value_is_a_literal_and_nothing_else(value: Any, written: str) -> None:
    assert literal(value) == written
    assert filled("WHERE Name = :it", {"it": value}) == f"WHERE Name = {written}"


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        [],
        [["a"]],
        b"x",
        {"date": "TODAY"},
        {"date": "2026-02-30"},
        {"time": "2026-01-31"},
        {"time": "2026-01-31T10:00:00Z OR Id != null"},
        {"date": "2026-01-31", "time": "2026-01-31T10:00:00Z"},
        {"text": "x"},
        Decimal("NaN"),
    ],
)
def test_what_no_query_can_hold_is_refused(value: Any) -> None:
    with pytest.raises(FixData):
        literal(value)


def test_places_in_texts_and_in_values_are_none() -> None:
    query = "SELECT Id FROM Account WHERE Name = ':it' AND Site = :it AND CreatedDate > 2026-01-31T10:00:00Z"
    assert filled(query, {"it": ":other"}) == query.replace(" = :it", " = ':other'")
    assert filled("WHERE Name = 'it\\'s :it' AND Site = :it", {"it": 1}) == "WHERE Name = 'it\\'s :it' AND Site = 1"
    assert filled("WHERE CreatedDate = LAST_N_DAYS:30", {}) == "WHERE CreatedDate = LAST_N_DAYS:30"


@pytest.mark.parametrize(
    ("query", "values"), [("WHERE Name = :it", {}), ("WHERE Name = 'x'", {"it": 1}), ("WHERE Name = 'x", {})]
)
def test_a_place_without_a_value_and_a_value_without_a_place_are_refused(query: str, values: dict[str, Any]) -> None:
    with pytest.raises(FixData):
        filled(query, values)


async def test_no_value_changes_what_a_query_asks() -> None:
    async with org() as here:
        asked = {"q": "SELECT Id FROM Account WHERE Name = :name", "values": {"name": "x' OR Name != 'x"}}
        assert await here.read("record.query", asked) == {"items": []}
        await here.seed({"changes": [{"type": "Account", "id": ACCOUNT, "Name": "O'Neil \\ Söhne"}]})
        asked["values"] = {"name": "O'Neil \\ Söhne"}
        assert [row["Id"] for row in (await here.read("record.query", asked))["items"]] == [ACCOUNT]


@pytest.mark.parametrize("url", ["https://evil.example/services/data/x", "//evil.example/x", "/other", None, 7])
def test_a_next_page_leads_to_no_other_host(url: object) -> None:
    with pytest.raises(OutcomeUnknown):
        following(settings(), url)


async def test_lists_of_children_are_read_to_their_end() -> None:
    items = [one for one in SEED["records"] if one["type"] == "OrderItem"]
    others = [one for one in SEED["records"] if one["type"] != "OrderItem"]
    # Of each page of children there are five, and of orders two.
    seed = {
        "settings": {"child_rows_per_page": 5, "rows_per_page": 200},
        "records": [*others, *({**items[0], "Quantity": number} for number in range(1, 24))],
    }
    async with org(seed) as here:
        contract = await here.read("contract.read", {"external_id": "ctr_1"})
        found = [item["Quantity"] for order in contract["Orders"] for item in order["OrderItems"]]
        assert sorted(found) == list(range(1, 24))
        assert {item["Product2"]["ProductCode"] for item in contract["Orders"][0]["OrderItems"]} == {"S-1"}
        assert any("/query/" in asked for asked in here.connected.asked)
        order = await here.read("order.read", {"external_id": "ord_1"})
        assert len(order["OrderItems"]) == 23


async def test_amounts_are_exact_and_name_their_currency_in_either_kind_of_org() -> None:
    async with org() as here:
        alone = await here.read("opportunity.read", {"external_id": "opp_1"})
        assert (alone["Amount"], alone["CurrencyIsoCode"]) == (Decimal("37.5"), "USD")
        assert {line["CurrencyIsoCode"] for line in alone["OpportunityLineItems"]} == {"USD"}
        assert isinstance(alone["OpportunityLineItems"][0]["UnitPrice"], Decimal)
        # The org's own is asked for once.
        await here.read("account.read", {"id": ACCOUNT})
        assert sum("FROM+Organization" in asked for asked in here.connected.asked) == 1
    several = [{"IsoCode": "USD", "ConversionRate": 1, "IsCorporate": True}, {"IsoCode": "EUR", "ConversionRate": 0.5}]
    record = {"type": "Account", "Name": "Ahorn", "CurrencyIsoCode": "EUR", "Billing_Id__c": "cus_1"}
    async with org({"currencies": several, "records": [record]}, currency="") as here:
        assert (await here.read("account.read", {"external_id": "cus_1"}))["CurrencyIsoCode"] == "EUR"
        assert not any("Organization" in asked for asked in here.connected.asked)
        invoice = {"external_id": "in_1", "number": "1", "account": {"external_id": "cus_1"}, "status": "Open"}
        await here.write("invoice_status.upsert", {**invoice, "currency": "EUR", "total": Decimal("10.10")})
        assert [one["CurrencyIsoCode"] for one in here.books["records"]["Invoice__c"]] == ["EUR"]


async def test_an_invoice_in_another_currency_than_the_orgs_is_refused() -> None:
    async with org() as here:
        invoice = {"external_id": "in_1", "status": "Open", "currency": "EUR", "total": Decimal("10.10")}
        with pytest.raises(FixData) as refusal:
            await here.write("invoice_status.upsert", invoice)
        assert refusal.value.code == "wrong-currency"


async def test_the_setting_of_the_currency_is_compared_with_the_org() -> None:
    async with org(currency="EUR") as here:
        with pytest.raises(FixConnection) as refusal:
            await CONNECTOR.ping(here.connected)
        assert (refusal.value.code, refusal.value.facts["currency"]) == ("wrong-currency", "USD")


async def drift(here: Org) -> set[tuple[str, str]]:
    """Give what the reading of an account finds against its schema."""
    record = await here.read("account.read", {"id": ACCOUNT})
    return {(one.kind, one.path) for one in compile_drift(CONNECTOR.schemas["salesforce.account@68.0"])(record)}


async def test_a_changed_shape_is_found_at_the_first_read() -> None:
    async with org() as here:
        assert await drift(here) == set()
        await here.seed(
            {
                "fields": [
                    {"object": "Account", "name": "Churn_Risk__c", "type": "string"},
                    {"object": "Account", "name": "On_Credit_Hold__c", "type": "string"},
                ],
                "picklist_values": [{"object": "Account", "field": "Region__c", "values": ["ANZ"]}],
                "changes": [
                    {"type": "Account", "id": ACCOUNT, "Region__c": "ANZ", "On_Credit_Hold__c": "since Monday"},
                ],
            }
        )
        assert await drift(here) == {
            ("unknown-field", "Churn_Risk__c"),
            ("changed-type", "On_Credit_Hold__c"),
            ("new-value", "Region__c"),
        }


async def test_what_is_selected_is_all_that_is_read() -> None:
    async with org(select={"Account": ("Name", "BillingCity")}) as here:
        record = await here.read("account.read", {"external_id": "cus_1"})
        assert {*record} == {"Id", "Name", "BillingCity", "SystemModstamp", "Billing_Id__c", "CurrencyIsoCode"}


async def test_what_is_selected_and_not_there_is_named() -> None:
    async with org(select={"OrderItem": ("Quantity", "Colour__c")}) as here:
        with pytest.raises(FixConnection) as refusal:
            await here.read("order.read", {"external_id": "ord_1"})
        assert (refusal.value.code, refusal.value.facts["fields"]) == ("unknown-fields", "Colour__c")


async def test_none_is_a_count_and_never_a_refusal() -> None:
    async with org() as here:
        assert await here.read("record.find", {"object": "Account", "value": "cus_8"}) == {"record": None}
        with pytest.raises(FixData) as refusal:
            await here.read("record.find", {"object": "Account", "field": "Nothing__c", "value": "x"})
        assert refusal.value.code == "invalid-field"
        await here.seed({"records": [{"type": "Account", "Name": "Two", "Erp_Id__c": "1"}] * 2})
        with pytest.raises(FixData) as several:
            await here.read("record.find", {"object": "Account", "field": "Erp_Id__c", "value": "1"})
        assert several.value.code == "found-twice"


async def test_rows_that_are_lost_on_the_way_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"attributes": {"type": "Account"}, "Id": ACCOUNT}]

    async def short(_request: Request) -> Response:
        return Response(status=200, body=dumps({"totalSize": 2, "done": True, "records": rows}))

    async with org() as here:
        monkeypatch.setattr(here.connected, "send", short)
        with pytest.raises(OutcomeUnknown):
            await here.read("record.query", {"q": "SELECT Id FROM Account"})


async def test_a_query_that_no_address_can_hold_is_refused_before_it_is_sent() -> None:
    async with org() as here:
        asked = {"q": "SELECT Id FROM Account WHERE Name IN :names", "values": {"names": ["x" * 90] * 200}}
        with pytest.raises(FixData) as refusal:
            await here.read("record.query", asked)
        assert refusal.value.code == "query-too-long"
        assert not here.connected.asked
