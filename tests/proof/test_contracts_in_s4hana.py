"""Contracts and products of the CRM where the entity that sells has its books in S/4HANA: found again, and closed."""

from __future__ import annotations

import pytest

from hub.proof import sap_contracts
from hub.proof.contract_checks import Stands
from hub.proof.simulation import campaign
from hub.proof.simulation.case import Stage
from hub.proof.simulation.contract_cases import order
from hub.sandbox.request_log import Entry
from tests.proof.test_contracts import IN_S4HANA, forget, ordered_more, played, read_until_it_rests


@pytest.fixture(autouse=True)
def quiet() -> None:
    campaign.be_quiet()


def test_a_product_whose_tie_is_lost_goes_on_with_the_number_that_it_has(declared_requests: list[Entry]) -> None:
    async def happen(stage: Stage) -> None:
        forget("product")
        await stage.seed("salesforce", {"changes": [{"type": "Product2", "id": "{seats}", "Name": "Places"}]})
        await read_until_it_rests(stage)
        await ordered_more(stage)

    assert played(happen, Stands.BILLED, case=IN_S4HANA, product_changes=1).findings == []
    # The judge of what flows send has something to judge.
    assert {each.method for each in declared_requests} >= {"GET", "POST"}


def test_what_is_agreed_no_more_and_then_again_is_the_item_that_it_was() -> None:
    """In between only what is charged at another price is left."""

    async def happen(stage: Stage) -> None:
        await order(stage, "other", (4, "10.00"))
        await read_until_it_rests(stage)
        await order(stage, "none", (-3, "12.50"))
        await stage.read()
        await stage.agree()
        await read_until_it_rests(stage)
        await order(stage, "again", (7, "12.50"))
        await read_until_it_rests(stage)

    assert played(happen, Stands.BILLED, case=IN_S4HANA).findings == []


def test_an_order_that_is_gone_is_made_anew() -> None:
    async def happen(stage: Stage) -> None:
        change = {"table": "A_SalesOrder", "key": ["1"], "set": {"PurchaseOrderByShipToParty": "other"}, "raw": True}
        await stage.seed("s4hana", {"changes": [change]})
        forget("contract")
        await ordered_more(stage)

    # The one that the contract lost is nobody's now.
    told = played(happen, Stands.BILLED, case=IN_S4HANA).findings
    assert [finding.detail for finding in told] == ["['1'] are no contract's"]


def test_what_an_item_comes_to_counts_and_not_what_was_asked_for() -> None:
    item = {
        "SalesOrder": "1",
        "SalesOrderItem": "10",
        "Material": "SEATS",
        "RequestedQuantity": "3",
        "NetAmount": "30.00",
    }
    element = {"SalesOrder": "1", "SalesOrderItem": "10", "ConditionType": "PMP0", "ConditionRateValue": "12.50"}
    head = {"SalesOrder": "1", "OverallSDDocumentRejectionSts": "A", "PurchaseOrderByShipToParty": "800"}
    head |= {"SoldToParty": "1000", "SalesOrganization": "1010", "TransactionCurrency": "EUR"}
    product = {"Product": "SEATS", "ProductOldID": "01TA"}
    tables = {
        "A_Product": [product, {"Product": "USAGE"}],
        "A_ProductDescription": [{"Product": "SEATS", "Language": "EN", "ProductDescription": "Seats"}],
        "A_SalesOrder": [head],
        "A_SalesOrderItem": [item],
        "A_SalesOrderItemPrElement": [element],
    }
    erp = sap_contracts.as_erp({"tables": tables}, {"records": {"Product2": [{"Id": "01tA"}]}})
    assert erp["items"] == [{"id": "SEATS", "externalId": "01tA", "displayName": "Seats", "isInactive": False}]
    (line,) = erp["salesOrders"][0]["item"]
    assert (erp["salesOrders"][0]["status"], line["rate"]) == ("open", "10.00")
