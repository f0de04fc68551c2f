"""The connector and OData v4: what it reads and writes of sales orders, over real HTTP, in both forms of batches."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.s4hana.odata.batch import changes_of, changing, outcomes
from connectors.s4hana.odata.model import entity_set
from connectors.s4hana.odata.requests import Change, shown
from connectors.s4hana.odata.values import wire_entity
from connectors.s4hana.samples import ORDER_CHANGE_V4, ORDER_V4
from hub.sdk.errors import FixData, HubError, LimitReached, NoSuchRecord, NotBegun, OutcomeUnknown, RetryLater
from hub.sdk.exact_json import dumps
from hub.sdk.values import Response
from tests.connectors.s4hana.linking import OTHER_KEY, Link, linked

ORDERS = entity_set("CE_SALESORDER_0001", "SalesOrder")
QUERY = {"service": "CE_SALESORDER_0001", "set": "SalesOrder"}
FORMS = ["multipart", "json"]


async def test_a_query_goes_through_all_pages() -> None:
    async with linked() as link:
        await link.seed(settings={"page_sizes": {"CE_SALESORDER_0001": 1}})
        found = await link.read("odata.query", **QUERY, select=["SalesOrder", "TotalNetAmount"], expand=["_Item"])
        rows = [(row["SalesOrder"], row["TotalNetAmount"], row["_Item"][0]["Product"]) for row in found["items"]]
        # Amounts come with all their digits, as texts.
        assert rows == [("1", "200.00", "SUBSCRIPTION"), ("2", "960", "USAGE")]
        asked = [entry.path for entry in link.served.world.requests.since(0) if "/odata4/" in entry.path]
        assert ["$skiptoken=" in path for path in asked] == [False, True]


async def test_conditions_of_a_query_are_formed_by_their_types() -> None:
    async with linked() as link:

        async def numbers(*where: dict[str, Any]) -> list[str]:
            found = await link.read("odata.query", **QUERY, where=list(where), select=["SalesOrder"])
            return [row["SalesOrder"] for row in found["items"]]

        day = {"property": "CreationDate", "operator": "ge", "value": "2026-01-01"}
        moment = {"property": "LastChangeDateTime", "operator": "lt", "value": "2020-01-01T00:00:00Z"}
        assert await numbers(day, {"property": "TotalNetAmount", "value": "960"}) == ["2"]
        assert await numbers({"property": "TransactionCurrency", "any": ["JPY", "EUR"]}) == ["1", "2"]
        assert await numbers({"property": "PurchaseOrderByCustomer", "operator": "contains", "value": "O-1"}) == ["1"]
        assert await numbers(moment) == []
        assert await numbers({"property": "SoldToParty", "value": "' or SalesOrder ne '"}) == []


@pytest.mark.parametrize(
    ("status", "family", "after"), [("429", LimitReached, 7.0), ("503", RetryLater, 7.0), ("500", OutcomeUnknown, None)]
)
async def test_what_is_not_served_is_waited_for(status: str, family: type[HubError], after: float | None) -> None:
    async with linked() as link:
        link.served.world.faults.replace([{"kind": status, "times": 1, "retry_after": "7"}])
        with pytest.raises(family) as failure:
            await link.read("sales_order_v4.read", id="1")
        assert getattr(failure.value, "after", None) == after
        assert (await link.read("sales_order_v4.read", id="1"))["SalesOrder"] == "1"


async def test_refusals_of_version_4_are_read() -> None:
    async with linked() as link:
        with pytest.raises(NoSuchRecord) as missing:
            await link.read("sales_order_v4.read", id="999")
        assert missing.value.facts["error"] == "/IWBEP/CM_MGW_RT/020"
        with pytest.raises(FixData) as refused:
            await link.write("sales_order_v4.create", {**ORDER_V4, "SoldToParty": "999"})
        assert (refused.value.code, refused.value.facts["property"]) == ("sap-vp-199", "SoldToParty")
        where = [{"property": "TotalNetAmount", "operator": "gt", "value": "1"}]
        with pytest.raises(FixData) as wrong:
            await link.read("odata.query", **QUERY, where=where)
        assert "'eq' only" in str(wrong.value.facts["reason"])


async def test_an_order_is_made_once_and_found_again() -> None:
    async with linked() as link:
        assert await link.find("sales_order_v4.create", ORDER_V4) is None
        made = await link.write("sales_order_v4.create", ORDER_V4)
        assert await link.find("sales_order_v4.create", ORDER_V4) == made
        assert await link.find("sales_order_v4.create", ORDER_V4, OTHER_KEY) is None
        # Both versions show the one order.
        old = await link.read("sales_order.read", id=made["id"])
        new = await link.read("sales_order_v4.read", id=made["id"])
        assert old["PurchaseOrderByCustomer"] == new["PurchaseOrderByCustomer"] == made["code"]
        assert old["TotalNetAmount"] == new["TotalNetAmount"] == "300.00"
        assert [row["ConditionType"] for row in new["_Item"][0]["_ItemPricingElement"]] == ["PPR0", "TTX1"]
        found = await link.read("sales_order_v4.find", reference=made["code"])
        assert found == {"sales_order_v4": new}


async def test_a_price_is_given_with_an_order() -> None:
    async with linked() as link:
        price = {"ConditionType": "PMP0", "ConditionRateAmount": "12.50", "ConditionCurrency": "EUR"}
        (item,) = ORDER_V4["_Item"]
        made = await link.write(
            "sales_order_v4.create", {**ORDER_V4, "_Item": [{**item, "_ItemPricingElement": [price]}]}
        )
        assert (await link.read("sales_order_v4.read", id=made["id"]))["TotalNetAmount"] == "37.50"


async def test_a_session_that_ended_is_opened_anew() -> None:
    async with linked() as link:
        await link.write("sales_order_v4.create", ORDER_V4)
        link.sessions.end_all()
        await link.write("sales_order_v4.create", ORDER_V4, OTHER_KEY)
        assert len(link.rows("A_SalesOrder")) == 4
        refused = [entry for entry in link.served.world.requests.since(0) if entry.status == 403]
        assert len(refused) == 1


@pytest.mark.parametrize("form", FORMS)
async def test_an_order_is_changed_in_the_version_that_stands(form: str) -> None:
    async with linked(v4_batch=form) as link:
        price = {"ConditionType": "PMP0", "ConditionRateAmount": "7", "ConditionCurrency": "JPY"}
        more = {"SalesOrderItem": "20", "Product": "USAGE", "RequestedQuantity": "5", "_ItemPricingElement": [price]}
        partner = {"PartnerFunction": "VE", "Customer": "10100001"}
        change = {**ORDER_CHANGE_V4, "_Item": [*ORDER_CHANGE_V4["_Item"], more], "_Partner": [partner]}
        given = await link.bound("sales_order_v4.update", change)
        sent = changes_of(link.connected.recorded[-1])
        assert [(each.method, each.path, each.match[:1]) for each in sent] == [
            ("PATCH", "SalesOrder('2')", "W"),
            ("PATCH", "SalesOrderItem(SalesOrder='2',SalesOrderItem='10')", "*"),
            ("POST", "SalesOrder('2')/_Item", ""),
            ("POST", "SalesOrder('2')/_Partner", ""),
        ]
        read = await link.read("sales_order_v4.read", id="2")
        assert [row["RequestedQuantity"] for row in read["_Item"]] == ["121", "5"]
        assert "VE" in [row["PartnerFunction"] for row in read["_Partner"]]
        assert read["_Item"][1]["NetAmount"] == "35"
        assert given["id"] == "2"
        await stands(link, link.connected.recorded[-2])


async def stands(link: Link, request: Any) -> None:
    """Assert that a look finds what a change has made."""
    operation: Any = link.writing("sales_order_v4.update")
    _, holds = await link.connected.stand(operation.guard.look, request)
    assert holds


@pytest.mark.parametrize("form", FORMS)
async def test_what_was_changed_meanwhile_is_not_overwritten(form: str) -> None:
    async with linked(v4_batch=form) as link:

        async def somebody() -> None:
            await link.write("sales_order.update", {"SalesOrder": "2", "CustomerPaymentTerms": "0002"})

        with pytest.raises(FixData) as refusal:
            await link.bound("sales_order_v4.update", ORDER_CHANGE_V4, meanwhile=somebody)
        assert refusal.value.code == "changed-meanwhile"
        assert link.rows("A_SalesOrder", SalesOrder="2", CustomerPaymentTerms="0002")
        assert link.rows("A_SalesOrderItem", SalesOrder="2", RequestedQuantity="120")


@pytest.mark.parametrize("form", FORMS)
async def test_one_wrong_part_undoes_the_whole_change(form: str) -> None:
    async with linked(v4_batch=form) as link:
        wrong = {"SalesOrderItem": "20", "Product": "NOTHING", "RequestedQuantity": "5"}
        with pytest.raises(FixData) as refusal:
            await link.bound("sales_order_v4.update", {**ORDER_CHANGE_V4, "_Item": [wrong]})
        assert refusal.value.code == "sap-v1-302"
        assert not link.rows("A_SalesOrder", SalesOrder="2", CustomerPaymentTerms="0003")


@pytest.mark.parametrize("form", FORMS)
async def test_a_lock_is_tried_again_later(form: str) -> None:
    async with linked(v4_batch=form) as link:
        await link.seed(locks=[{"table": "A_SalesOrder", "key": ["2"], "user": "SMITH"}])
        with pytest.raises(NotBegun) as refusal:
            await link.bound("sales_order_v4.update", ORDER_CHANGE_V4)
        assert refusal.value.code == "locked"


@pytest.mark.parametrize("form", FORMS)
async def test_an_order_is_taken_back_by_rejecting_what_its_creation_named(form: str) -> None:
    async with linked(v4_batch=form) as link:
        made = await link.write("sales_order_v4.create", ORDER_V4)
        taken_back = {"id": made["id"], "items": made["items"]}
        await link.write("sales_order_v4.reject", taken_back, OTHER_KEY)
        assert (await link.find("sales_order_v4.reject", taken_back, OTHER_KEY))["id"] == made["id"]
        (order,) = link.rows("A_SalesOrder", SalesOrder=made["id"])
        assert order["OverallSDDocumentRejectionSts"] == "C"


def test_what_is_expanded_stands_in_the_brackets_of_what_is_above_it() -> None:
    expanded = shown(ORDERS, ["_Item", "_Item/_ItemPricingElement"])["expand"]
    assert expanded == "_Item($expand=_ItemPricingElement)"
    assert shown(ORDERS, None)["expand"] == "_Item($expand=_ItemPricingElement),_Partner"
    assert shown(ORDERS, ())["expand"] == ""


def test_texts_are_cleared_by_empty_ones() -> None:
    """In v4 they are never null."""
    assert wire_entity(ORDERS, {"PurchaseOrderByCustomer": None, "SalesOrderDate": None}) == {
        "PurchaseOrderByCustomer": "",
        "SalesOrderDate": None,
    }


CHANGES = [
    Change(method="PATCH", path="SalesOrder('2')", body={"CustomerPaymentTerms": "0003"}, match='W/"1"'),
    Change(method="POST", path="SalesOrder('2')/_Item", body={"Product": "USAGE"}),
]


@pytest.mark.parametrize("json", [False, True])
def test_changes_are_read_back_as_they_were_formed(*, json: bool) -> None:
    request = changing("https://x", ORDERS, CHANGES, shown="SalesOrder('2')?$select=SalesOrder", json=json)
    assert changes_of(request) == CHANGES
    assert request == changing("https://x", ORDERS, CHANGES, shown="SalesOrder('2')?$select=SalesOrder", json=json)


def answered(*parts: Any) -> Response:
    headers = {"content-type": "application/json"}
    return Response(status=200, headers=headers, body=dumps({"responses": list(parts)}))


def test_the_refusal_in_a_group_is_the_one_that_says_why() -> None:
    why = {"error": {"code": "V1/302", "message": "Material X"}}
    parts = [{"id": "1", "status": 424}, {"id": "2", "status": 400, "body": why}]
    (refused,) = outcomes(answered(*parts))
    assert (refused.status, b"V1/302" in refused.body) == (400, True)


def test_answers_may_come_in_any_order() -> None:
    parts = [{"id": "10", "status": 200, "body": {"a": 1}}, {"id": "2", "status": 204}]
    assert [each.status for each in outcomes(answered(*parts), 2)] == [204, 200]


@pytest.mark.parametrize(
    "answer",
    [
        Response(status=200, headers={"content-type": "application/json"}, body=b"{"),
        Response(status=200, headers={"content-type": "application/json"}, body=b"[]"),
        Response(status=200, headers={"content-type": "application/json"}, body=b'{"responses": 1}'),
        answered(),
        answered({"id": "1"}),
        answered({"id": "x", "status": 200}),
        answered({"id": "1", "status": 200}, {"id": "1", "status": 200}),
        answered({"id": "1", "status": 200}),
    ],
)
def test_an_answer_that_is_not_that_of_the_batch_says_nothing(answer: Response) -> None:
    with pytest.raises(OutcomeUnknown):
        outcomes(answer, 2)
