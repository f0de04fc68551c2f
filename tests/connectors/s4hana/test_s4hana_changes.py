"""Updates as one change set: all or nothing, bound to the ETag, with what is not there yet made by the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.s4hana.changes import same
from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.odata.batch import changes_of
from connectors.s4hana.odata.model import entity_set
from connectors.s4hana.samples import CREDIT_REQUEST, ORDER, PARTNER, PRODUCT
from hub.sdk.connector import WriteOperation
from hub.sdk.errors import FixData, NotBegun, OutcomeUnknown
from hub.sdk.values import Request, Response
from tests.connectors.s4hana.linking import KEY, OTHER_KEY, linked

TAX = {"BPTaxType": "DE0", "BPTaxNumber": "DE987654321"}
COMPANY = {"CompanyCode": "1710", "ReconciliationAccount": "12100000", "PaymentTerms": "0003"}


async def test_parts_that_are_missing_are_made_with_the_change() -> None:
    async with linked() as link:
        change = {
            "BusinessPartner": "10100001",
            "SearchTerm1": "ALDER",
            "to_BusinessPartnerTax": [TAX],
            "to_Customer": {"to_CustomerCompany": [{"CompanyCode": "1010", "PaymentTerms": "0005"}, COMPANY]},
        }
        given = await link.bound("business_partner.update", change)
        assert given["id"] == "10100001"
        sent = changes_of(link.connected.recorded[-1])
        assert [each.method for each in sent] == ["PATCH", "POST", "PATCH", "POST"]
        assert sent[0].match.startswith("W/")
        found = await link.read("business_partner.read", id="10100001")
        assert [row["BPTaxNumber"] for row in found["to_BusinessPartnerTax"]] == ["DE987654321"]
        terms = {row["CompanyCode"]: row["PaymentTerms"] for row in found["to_Customer"]["to_CustomerCompany"]}
        assert terms == {"1010": "0005", "1710": "0003"}


async def test_codes_that_differ_in_a_zero_are_two_parts() -> None:
    async with linked() as link:
        companies = [
            {"code": code, "name": code, "city": "Bonn", "country": "DE", "currency": "EUR"} for code in ("0100", "100")
        ]
        await link.seed(companies=companies)

        def change(company: str, terms: str) -> dict[str, Any]:
            books = {**COMPANY, "CompanyCode": company, "PaymentTerms": terms}
            return {"BusinessPartner": "10100001", "to_Customer": {"to_CustomerCompany": [books]}}

        await link.bound("business_partner.update", change("100", "0003"))
        await link.bound("business_partner.update", change("0100", "0005"))
        found = await link.read("business_partner.read", id="10100001")
        terms = {row["CompanyCode"]: row["PaymentTerms"] for row in found["to_Customer"]["to_CustomerCompany"]}
        assert (terms["100"], terms["0100"]) == ("0003", "0005")


async def test_parts_whose_key_cannot_be_written_are_made_below_what_they_belong_to() -> None:
    async with linked() as link:
        price = {"PricingProcedureStep": "11", "PricingProcedureCounter": "1", "ConditionType": "PMP0"}
        prices = [{**price, "ConditionRateValue": "7", "ConditionCurrency": "JPY"}]
        items = [{"SalesOrderItem": "10", "to_PricingElement": prices}]
        change = {
            "SalesOrder": "2",
            "to_Item": items,
            "to_Partner": [{"PartnerFunction": "VE", "Customer": "10100001"}],
        }
        await link.bound("sales_order.update", change)
        sent = changes_of(link.connected.recorded[-1])
        assert [each.path for each in sent if each.method == "POST"] == [
            "A_SalesOrderItem(SalesOrder='2',SalesOrderItem='10')/to_PricingElement",
            "A_SalesOrder('2')/to_Partner",
        ]
        found = await link.read("sales_order.read", id="2")
        assert "7" in [row["ConditionRateValue"].partition(".")[0] for row in found["to_Item"][0]["to_PricingElement"]]
        assert "VE" in [row["PartnerFunction"] for row in found["to_Partner"]]
        operation: Any = CONNECTOR.operation("sales_order.update")
        _, stands = await link.connected.stand(operation.guard.look, link.connected.recorded[-2])
        assert stands


async def test_one_wrong_part_undoes_the_whole_change() -> None:
    async with linked() as link:
        wrong = {**COMPANY, "ReconciliationAccount": "41000000"}
        change = {"BusinessPartner": "10100001", "SearchTerm1": "NEW", "to_Customer": {"to_CustomerCompany": [wrong]}}
        with pytest.raises(FixData) as refusal:
            await link.bound("business_partner.update", change)
        assert "reconciliation" in str(refusal.value.facts["reason"])
        assert not link.rows("A_BusinessPartner", SearchTerm1="NEW")


@pytest.mark.parametrize("status", [403, 404, 429, 400])
@pytest.mark.parametrize(
    ("name", "record", "settings"),
    [
        ("sales_order.update", {"SalesOrder": "2", "CustomerPaymentTerms": "0003"}, {}),
        ("sales_order.reject", {"id": "2", "items": ["10"]}, {}),
        ("sales_order.close", {"id": "2"}, {}),
        ("sales_order_v4.update", {"SalesOrder": "2", "CustomerPaymentTerms": "0003"}, {"v4_batch": "json"}),
    ],
)
async def test_a_read_that_is_refused_behind_changes_does_not_say_that_nothing_was_done(
    monkeypatch: pytest.MonkeyPatch, name: str, record: dict[str, Any], settings: dict[str, Any], status: int
) -> None:
    async with linked(**settings) as link:
        send = link.connected.send

        async def refusing(request: Request) -> Response:
            answer = await send(request)
            if not request.url.endswith("$batch"):
                return answer
            json = answer.headers["content-type"].startswith("application/json")
            good, bad = (b'"status":200', b'"status":%d') if json else (b"HTTP/1.1 200 OK", b"HTTP/1.1 %d No")
            before, found, behind = answer.body.rpartition(good)
            assert found
            body = before + bad % status + behind
            return replace(answer, body=body)

        monkeypatch.setattr(link.connected, "send", refusing)
        with pytest.raises(OutcomeUnknown) as unseen:
            await link.write(name, record)
        assert unseen.value.facts["status"] == status
        written = {"CustomerPaymentTerms": "0003"} if name.endswith("update") else {"SalesDocumentRjcnReason": "00"}
        assert link.rows("A_SalesOrder" if name.endswith("update") else "A_SalesOrderItem", SalesOrder="2", **written)


async def test_what_was_changed_meanwhile_is_not_overwritten() -> None:
    async with linked() as link:

        async def somebody() -> None:
            await link.write("sales_order.update", {"SalesOrder": "2", "CustomerPaymentTerms": "0002"})

        with pytest.raises(FixData) as refusal:
            await link.bound(
                "sales_order.update", {"SalesOrder": "2", "CustomerPaymentTerms": "0003"}, meanwhile=somebody
            )
        assert refusal.value.code == "changed-meanwhile"
        assert link.rows("A_SalesOrder", SalesOrder="2", CustomerPaymentTerms="0002")


async def test_a_lock_is_tried_again_later() -> None:
    async with linked() as link:
        await link.seed(locks=[{"table": "A_SalesOrder", "key": ["2"], "user": "SMITH"}])
        with pytest.raises(NotBegun) as refusal:
            await link.bound("sales_order.update", {"SalesOrder": "2", "CustomerPaymentTerms": "0003"})
        assert refusal.value.code == "locked"


async def test_others_may_change_what_a_write_does_not_name() -> None:
    async with linked() as link:
        operation: Any = CONNECTOR.operation("business_partner.update")
        request = operation.request(link.connected.settings, {"BusinessPartner": "10100001", "SearchTerm1": "A"}, KEY)
        before, _ = await link.connected.stand(operation.guard.look, request)
        await link.write("business_partner.update", {"BusinessPartner": "10100001", "OrganizationBPName2": "Holding"})
        after, _ = await link.connected.stand(operation.guard.look, request)
        assert before is not None
        assert after is not None
        assert before.version == after.version
        assert before.output["etag"] != after.output["etag"]


async def test_an_order_is_taken_back_by_rejecting_what_its_creation_named() -> None:
    async with linked() as link:
        made = await link.write("sales_order.create", ORDER)
        undo = link.writing("sales_order.reject")
        await link.write("sales_order.reject", CONNECTOR.undo_input(undo, made), OTHER_KEY)
        (order,) = link.rows("A_SalesOrder", SalesOrder=made["id"])
        assert order["OverallSDDocumentRejectionSts"] == "C"


async def test_a_partner_is_found_by_each_of_its_names() -> None:
    async with linked() as link:
        made = await link.write("business_partner.create", PARTNER)
        for wanted in ({"id": made["id"]}, {"external_id": "CUS_ELM"}, {"search_term": "ELM"}):
            found = (await link.read("business_partner.find", **wanted))["business_partner"]
            assert found["BusinessPartner"] == made["id"]
            assert found["to_Customer"]["to_CustomerSalesArea"][0]["SalesOrganization"] == "1010"
        assert await link.read("business_partner.find", external_id="NOBODY") == {"business_partner": None}
        await link.write("business_partner.create", PARTNER, OTHER_KEY)
        with pytest.raises(FixData, match="Several"):
            await link.read("business_partner.find", external_id="CUS_ELM")


async def test_a_product_s_number_is_taken_once() -> None:
    async with linked() as link:
        await link.write("product.create", PRODUCT)
        assert await link.write("product.create", PRODUCT, OTHER_KEY) == {"id": "SEATS"}
        other = {**PRODUCT, "ProductGroup": "P002"}
        with pytest.raises(FixData) as refusal:
            await link.write("product.create", other)
        assert refusal.value.facts["status"] == 400
        with pytest.raises(FixData) as taken:
            await link.find("product.create", other)
        assert taken.value.code == "taken"
        assert len(link.rows("A_Product", Product="SEATS")) == 1


@pytest.mark.parametrize(
    ("name", "record", "code"),
    [
        ("business_partner.create", {"OrganizationBPName1": "X"}, "no-category"),
        (
            "business_partner.create",
            {"BusinessPartnerCategory": "2", "to_Customer": {"to_CustomerCompany": [COMPANY]}},
            "no-role",
        ),
        ("business_partner.create", {**PARTNER, "SearchTerm2": "MINE"}, "mark-taken"),
        ("business_partner.update", {"SearchTerm1": "X"}, "no-key"),
        ("product.create", {"ProductType": "SERV"}, "no-key"),
        ("sales_order.create", {**ORDER, "to_Item": []}, "no-lines"),
        ("sales_order.create", {**ORDER, "SalesOrder": "7"}, "number-given"),
        ("credit_memo_request.create", {**CREDIT_REQUEST, "PurchaseOrderByCustomer": "PO"}, "mark-taken"),
        ("sales_order.update", {"SalesOrder": "2", "to_Item": [{"RequestedQuantity": "1"}]}, "no-key"),
    ],
)
def test_what_would_come_to_be_something_else_is_refused(name: str, record: dict[str, Any], code: str) -> None:
    operation = CONNECTOR.operation(name)
    assert isinstance(operation, WriteOperation)
    settings = CONNECTOR.settings.model_validate({"base_url": "https://x", "user": "U", "password": "p"})
    with pytest.raises(FixData) as refusal:
        operation.request(settings, record, KEY)
    assert refusal.value.code == code


async def test_the_mark_of_orders_can_stand_elsewhere() -> None:
    async with linked(order_mark="AssignmentReference") as link:
        made = await link.write("sales_order.create", {**ORDER, "PurchaseOrderByCustomer": "PO-77"})
        assert await link.find("sales_order.create", ORDER) == made
        (order,) = link.rows("A_SalesOrder", SalesOrder=made["id"])
        assert (order["PurchaseOrderByCustomer"], len(order["AssignmentReference"])) == ("PO-77", 18)


async def test_a_billing_document_is_cancelled_once() -> None:
    async with linked() as link:
        first = await link.write("billing_document.cancel", {"id": "90000000"})
        assert await link.write("billing_document.cancel", {"id": "90000000"}, OTHER_KEY) == first
        assert len(link.rows("A_BillingDocument", CancelledBillingDocument="90000000")) == 1
        with pytest.raises(FixData):
            await link.write("billing_document.cancel", {"id": "12345678"})


async def test_a_partner_that_nobody_has_touched_since_the_hub_made_it_is_not_newer() -> None:
    async with linked() as link:
        made = await link.write("business_partner.create", PARTNER)
        operation = link.writing("business_partner.update")

        async def standing(number: str) -> Any:
            request = operation.request(link.connected.settings, {"BusinessPartner": number, "SearchTerm1": "X"}, KEY)
            guard: Any = operation.guard
            found, _ = await link.connected.stand(guard.look, request)
            return found

        now = datetime.now(UTC)
        assert (await standing(made["id"])).changed_at < now - timedelta(days=365)
        # What people have made has the moment at which they did, and so has what they have changed.
        assert (await standing("10100001")).changed_at > now - timedelta(days=1)
        change = {"table": "A_BusinessPartner", "key": [made["id"]], "set": {"SearchTerm1": "OTHER"}}
        await link.seed(changes=[change])
        assert (await standing(made["id"])).changed_at > now - timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "written", "shown", "expected"),
    [
        ("PostalCode", "01099", "1099", False),
        ("PostalCode", "01099", "01099", True),
        ("HouseNumber", "007", "7", False),
        ("BusinessPartner", "17", "0000000017", True),
    ],
)
def test_leading_zeros_count_where_they_mean_something(name: str, written: str, shown: str, *, expected: bool) -> None:
    """A write whose outcome is unknown has not arrived where another postal code stands."""
    address = entity_set("API_BUSINESS_PARTNER", "A_BusinessPartnerAddress")
    assert same(address, name, written, shown) is expected
