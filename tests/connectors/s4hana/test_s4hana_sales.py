"""Orders, pricing, credit memo requests and billing documents, and what they leave in the ledger."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.s4hana.sandbox.business.pricing import Condition, price
from connectors.s4hana.sandbox.tenant import Tenant
from tests.connectors.s4hana.conftest import ORDERS, Answer, Plain

BILLS = "API_BILLING_DOCUMENT_SRV/A_BillingDocument"
CUBE = "API_OPLACCTGDOCITEMCUBE_SRV/A_OperationalAcctgDocItemCube"
REQUESTS = "API_CREDIT_MEMO_REQUEST_SRV/A_CreditMemoRequest"


def item(material: str = "SUBSCRIPTION", quantity: str = "1", **more: Any) -> dict[str, Any]:
    return {"Material": material, "RequestedQuantity": quantity, **more}


async def test_an_order_is_priced_by_condition_records(plain: Plain, make_order: Any) -> None:
    made = await plain.post(ORDERS, make_order(item(quantity="3"), item("USAGE", "41")))
    assert made.d["TotalNetAmount"] == "302.05"
    head = f"{ORDERS}('{made.d['SalesOrder']}')"
    rows = (await plain.get(f"{head}/to_Item?$expand=to_PricingElement,to_ScheduleLine")).rows
    assert [(each["NetAmount"], each["TaxAmount"]) for each in rows] == [("300.00", "57.00"), ("2.05", "0.39")]
    first = rows[0]["to_PricingElement"]["results"]
    assert [(each["ConditionType"], each["ConditionAmount"]) for each in first] == [
        ("PPR0", "300.00"),
        ("TTX1", "57.00"),
    ]
    assert rows[0]["to_ScheduleLine"]["results"][0]["ScheduleLineOrderQuantity"] == "3"


async def test_given_conditions_take_the_place_of_the_record(plain: Plain, make_order: Any) -> None:
    manual = [
        {"ConditionType": "PMP0", "ConditionRateValue": "80.00", "ConditionCurrency": "EUR"},
        {"ConditionType": "DPG1", "ConditionRateValue": "-10"},
        {"ConditionType": "DRV1", "ConditionRateValue": "-1.50"},
    ]
    made = await plain.post(ORDERS, make_order(item(quantity="2", to_PricingElement=manual)))
    assert made.d["TotalNetAmount"] == "142.50"
    number = made.d["SalesOrder"]
    place = f"API_SALES_ORDER_SRV/A_SalesOrderItemPrElement(SalesOrder='{number}',SalesOrderItem='10',"
    path = f"{place}PricingProcedureStep='11',PricingProcedureCounter='1')"
    assert (await plain.write("PATCH", path, {"ConditionRateValue": "90.00"})).status == 204
    assert (await plain.get(f"{ORDERS}('{number}')")).d["TotalNetAmount"] == "160.50"
    assert (await plain.write("DELETE", path)).status == 204
    assert (await plain.get(f"{ORDERS}('{number}')")).d["TotalNetAmount"] == "178.50"
    for wrong in (
        {"ConditionType": "TTX1"},
        {"ConditionType": "XXXX"},
        {"ConditionType": "PMP0", "ConditionCurrency": "USD"},
    ):
        assert (await plain.post(ORDERS, make_order(item(to_PricingElement=[wrong])))).error[0] == 400


@given(
    rates=st.lists(st.decimals(-100, 100, places=2), max_size=5),
    quantity=st.decimals("0.001", 10_000, places=3),
    cost=st.decimals(0, 1_000, places=4),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_the_elements_of_a_price_add_up_to_the_net(
    rates: list[Decimal], quantity: Decimal, cost: Decimal, currency: str
) -> None:
    discounts = [Condition(type="DPG1", rate=rate, currency="", manual=True) for rate in rates]
    record = Condition(type="PPR0", rate=cost, currency=currency)
    found = price(
        [record, *discounts], quantity=quantity, unit="PC", currency=currency, tax_rate=Decimal(19), tax_code="A1"
    )
    assert sum(each["ConditionAmount"] for each in found.elements if each["ConditionClass"] != "D") == found.net
    digits = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
    assert found.net == round(found.net, digits) and found.tax == round(found.tax, digits)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"SalesOrderType": ""}, "V1/313"),
        ({"SalesOrderType": "ZZ"}, "V1/313"),
        ({"SoldToParty": "999"}, "VP/199"),
        ({"SalesOrganization": "1710"}, "VP/199"),
        ({"SalesOrganization": "9999"}, "V1/346"),
        ({"TransactionCurrency": "XXX"}, "V1/382"),
        ({"to_Item": [{"Material": "NOTHING", "RequestedQuantity": "1"}]}, "V1/302"),
        ({"to_Item": [{"Material": "USAGE", "RequestedQuantity": "0"}]}, "V1/384"),
        ({"to_Item": [{"Material": "USAGE"}]}, "V1/384"),
        ({"to_Partner": [{"PartnerFunction": "SH", "Customer": "999"}]}, "VP/201"),
        ({"to_Partner": [{"PartnerFunction": "??"}]}, "VP/160"),
        ({"ReferenceSDDocument": "999"}, "V1/302"),
        ({"to_PricingElement": [{"ConditionType": "DPG1"}]}, "VE/020"),
    ],
)
async def test_what_makes_no_order(plain: Plain, make_order: Any, change: dict[str, Any], code: str) -> None:
    assert (await plain.post(ORDERS, {**make_order(), **change})).error[:2] == (400, code)


async def test_partners_are_the_sold_to_party_unless_told(plain: Plain, make_order: Any) -> None:
    partner = {"PartnerFunction": "PY", "Customer": "10100002"}
    made = await plain.post(ORDERS, make_order(to_Partner=[partner]))
    rows = (await plain.get(f"{ORDERS}('{made.d['SalesOrder']}')/to_Partner")).rows
    assert {each["PartnerFunction"]: each["Customer"] for each in rows} == {
        "SP": "10100001",
        "SH": "10100001",
        "BP": "10100001",
        "PY": "10100002",
    }
    assert rows[0]["PartnerFunctionInternalCode"] in ("AG", "WE", "RE", "RG")


async def test_items_come_change_and_go(plain: Plain) -> None:
    path = f"{ORDERS}('2')"
    made = await plain.post(f"{path}/to_Item", item("SUBSCRIPTION"))
    assert made.d["SalesOrderItem"] == "20" and (await plain.get(path)).d["TotalNetAmount"] == "15960"
    one = "API_SALES_ORDER_SRV/A_SalesOrderItem(SalesOrder='2',SalesOrderItem='20')"
    assert (await plain.write("PATCH", one, {"SalesDocumentRjcnReason": "61"})).status == 204
    head = (await plain.get(path)).d
    assert (head["TotalNetAmount"], head["OverallSDDocumentRejectionSts"]) == ("960", "B")
    assert (await plain.write("DELETE", one)).status == 204
    assert (await plain.get(f"{path}/to_Item/$count")).text == "1"
    assert (await plain.write("PATCH", path, {"TransactionCurrency": "USD"}, If_Match="*")).status == 204
    head = (await plain.get(path)).d
    assert (head["TotalNetAmount"], head["TransactionCurrency"]) == ("7.20", "USD")


async def bill(plain: Plain, number: str) -> dict[str, Any]:
    made = await plain.seed(bill=[number])
    return dict((await plain.get(f"{BILLS}('{made['bill'][0]}')?$expand=to_Item,to_Partner")).d)


async def entries(plain: Plain, document: str, company: str = "1010") -> list[tuple[str, str, str]]:
    query = f"$filter=AccountingDocument eq '{document}' and CompanyCode eq '{company}'"
    rows = (await plain.get(f"{CUBE}?{query}")).rows
    return [(each["GLAccount"], each["DebitCreditCode"], each["AmountInTransactionCurrency"]) for each in rows]


async def test_a_billing_document_is_posted(plain: Plain) -> None:
    shown = (await plain.get(f"{BILLS}('90000000')")).d
    assert (shown["TotalNetAmount"], shown["TaxAmount"], shown["TotalGrossAmount"]) == ("200.00", "38.00", "238.00")
    assert (shown["AccountingPostingStatus"], shown["AccountingDocument"]) == ("C", "9000000000")
    assert await entries(plain, "9000000000") == [
        ("12100000", "S", "238.00"),
        ("41000000", "H", "-200.00"),
        ("22000000", "H", "-38.00"),
    ]
    order = (await plain.get(f"{ORDERS}('1')")).d
    assert (order["OverallOrdReltdBillgStatus"], order["OverallSDProcessStatus"]) == ("C", "C")
    again = await plain.call("POST", f"{plain.served.control_url}/_control/seed", {"bill": ["1"]})
    assert again.status == 400 and "already completely billed" in again.text
    assert (await plain.write("DELETE", f"{ORDERS}('1')", If_Match="*")).error[1] == "V1/150"


async def test_yen_have_no_decimals_and_their_fiscal_year_begins_in_april(plain: Plain) -> None:
    shown = await bill(plain, "2")
    assert (shown["TotalGrossAmount"], shown["TransactionCurrency"]) == ("1056", "JPY")
    tenant = plain.served.world.books
    assert isinstance(tenant, Tenant)
    assert shown["FiscalYear"] == tenant.organisation.companies["1510"].period(tenant.today())[0]
    assert await entries(plain, "9000000000", "1510") == [
        ("12100000", "S", "1056"),
        ("41000000", "H", "-960"),
        ("22000000", "H", "-96"),
    ]


async def test_a_closed_period_leaves_an_invoice_unposted(plain: Plain, make_order: Any) -> None:
    number = (await plain.post(ORDERS, make_order())).d["SalesOrder"]
    today = plain.served.world.clock.now().date().isoformat()
    await plain.seed(close=[{"company": "1010", "day": today}])
    shown = await bill(plain, number)
    assert (shown["AccountingPostingStatus"], shown["AccountingDocument"]) == ("A", "")


async def cancel(plain: Plain, number: str) -> Answer:
    return await plain.post(f"API_BILLING_DOCUMENT_SRV/Cancel?BillingDocument='{number}'", None)


async def test_a_cancellation_takes_everything_back(plain: Plain) -> None:
    made = (await cancel(plain, "90000000")).d["results"][0]["CancellationBillingDocument"]
    old, new = (await plain.get(f"{BILLS}('90000000')")).d, (await plain.get(f"{BILLS}('{made}')")).d
    assert old["BillingDocumentIsCancelled"] is True and new["CancelledBillingDocument"] == "90000000"
    assert (new["BillingDocumentType"], new["SDDocumentCategory"]) == ("S1", "N")
    assert [each[2] for each in await entries(plain, new["AccountingDocument"])] == ["-238.00", "200.00", "38.00"]
    rows = (await plain.get(f"{CUBE}?$filter=Customer eq '10100001'")).rows
    assert all(each["IsCleared"] for each in rows) and len(rows) == 2
    assert (await plain.get(f"{ORDERS}('1')")).d["OverallOrdReltdBillgStatus"] == "A"
    assert (await cancel(plain, "90000000")).error[1] == "VF/060"
    assert (await cancel(plain, made)).error[1] == "VF/060"
    for unknown in ("999", "12345678901"):
        assert (await cancel(plain, unknown)).error[0] == 404
    for wrong in ("", "?BillingDocument=1", "?BillingDocument='90000000'&Nothing='1'"):
        assert (await plain.post(f"API_BILLING_DOCUMENT_SRV/Cancel{wrong}", None)).error[0] == 400
    assert (await plain.get("API_BILLING_DOCUMENT_SRV/Cancel?BillingDocument='1'")).error[0] == 405


async def test_a_print_out_is_a_pdf(plain: Plain) -> None:
    shown = (await plain.get("API_BILLING_DOCUMENT_SRV/GetPDF?BillingDocument='90000000'")).d
    body = base64.b64decode(shown["GetPDF"]["BillingDocumentBinary"])
    assert body.startswith(b"%PDF-1.4") and b"238.00 EUR" in body and body.rstrip().endswith(b"%%EOF")


async def test_a_credit_memo_request_becomes_a_credit_memo(plain: Plain) -> None:
    body = {"CreditMemoRequestType": "CR", "ReferenceSDDocument": "90000000", "to_Item": [item(quantity="1")]}
    made = (await plain.post(REQUESTS, body)).d
    assert (made["SoldToParty"], made["TotalNetAmount"], made["CreditMemoRequest"]) == (
        "10100001",
        "100.00",
        "60000000",
    )
    shown = await bill(plain, made["CreditMemoRequest"])
    assert (shown["BillingDocumentType"], shown["SDDocumentCategory"]) == ("G2", "O")
    assert await entries(plain, shown["AccountingDocument"]) == [
        ("12100000", "H", "-119.00"),
        ("41000000", "S", "100.00"),
        ("22000000", "S", "19.00"),
    ]
    assert (await plain.write("PATCH", f"{REQUESTS}('60000000')", {"SDDocumentReason": "001"})).error[0] == 428
    await plain.post(REQUESTS, {**body, "HeaderBillingBlockReason": "08"})
    blocked = await plain.call("POST", f"{plain.served.control_url}/_control/seed", {"bill": ["60000001"]})
    assert blocked.status == 400 and "blocked for billing" in blocked.text
