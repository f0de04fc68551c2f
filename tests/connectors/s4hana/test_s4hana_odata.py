"""Forms and readings of OData: keys, literals, dates, decimals, envelopes, pages, batches, and reasons of refusals."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import connectors.s4hana
from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.failures import classify
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.batch import changes_of, changing, outcomes
from connectors.s4hana.odata.literals import condition, key_of
from connectors.s4hana.odata.model import Kind, entity_set, services
from connectors.s4hana.odata.requests import Change
from connectors.s4hana.odata.values import read_entity, shown_entity, wire_entity
from hub.sdk.errors import FixConnection, FixData, HubError, NoSuchRecord, NotBegun, OutcomeUnknown
from hub.sdk.exact_json import dumps
from hub.sdk.values import Response

ORDERS = entity_set("API_SALES_ORDER_SRV", "A_SalesOrder")
ORDERS_V4 = entity_set("CE_SALESORDER_0001", "SalesOrder")
COMPANIES = entity_set("API_BUSINESS_PARTNER", "A_CustomerCompany")
ITEMS = entity_set("API_OPLACCTGDOCITEMCUBE_SRV", "A_OperationalAcctgDocItemCube")
BASE = "https://my300000-api.s4hana.cloud.sap"
FIXTURES = Path(str(connectors.s4hana.__file__)).parent / "fixtures"


def answer(name: str, status: int = 200) -> Response:
    return Response(status=status, body=(FIXTURES / name).read_bytes())


def page(*rows: dict[str, Any], **more: Any) -> Response:
    return Response(status=200, body=dumps({"d": {"results": list(rows), **more}}))


def test_keys_have_names_where_there_are_several() -> None:
    assert key_of(ORDERS, {"SalesOrder": "1"}) == "'1'"
    assert key_of(ORDERS, {"SalesOrder": "O'Neil/7 %"}) == "'O''Neil%2F7%20%25'"
    assert key_of(COMPANIES, {"Customer": "C1", "CompanyCode": "1010"}) == "Customer='C1',CompanyCode='1010'"
    with pytest.raises(FixData, match="whole key"):
        key_of(COMPANIES, {"Customer": "C1"})


@pytest.mark.parametrize(
    ("name", "operator", "value", "text"),
    [
        ("SoldToParty", "eq", "O'Neil", "SoldToParty eq 'O''Neil'"),
        ("SoldToParty", "eq", "' or 1 eq 1 or '", "SoldToParty eq ''' or 1 eq 1 or '''"),
        ("SalesOrderDate", "ge", "2026-01-31", "SalesOrderDate ge datetime'2026-01-31T00:00:00'"),
        (
            "LastChangeDateTime",
            "gt",
            "2026-01-31T11:00:00.5+01:00",
            "LastChangeDateTime gt datetimeoffset'2026-01-31T10:00:00.500000Z'",
        ),
        ("TotalNetAmount", "lt", "12.50", "TotalNetAmount lt 12.50M"),
        ("PurchaseOrderByCustomer", "contains", "PO", "substringof('PO',PurchaseOrderByCustomer)"),
        ("PurchaseOrderByCustomer", "startswith", "PO", "startswith(PurchaseOrderByCustomer,'PO')"),
        ("PricingDate", "eq", None, "PricingDate eq null"),
    ],
)
def test_conditions_of_v2(name: str, operator: str, value: object, text: str) -> None:
    assert condition(ORDERS, name, operator, value) == text


@pytest.mark.parametrize(
    ("name", "operator", "value", "text"),
    [
        ("SalesOrderDate", "ge", "2026-01-31", "SalesOrderDate ge 2026-01-31"),
        ("LastChangeDateTime", "gt", "2026-01-31T10:00:00Z", "LastChangeDateTime gt 2026-01-31T10:00:00Z"),
        ("TotalNetAmount", "lt", Decimal("12.50"), "TotalNetAmount lt 12.50"),
        ("PurchaseOrderByCustomer", "contains", "PO", "contains(PurchaseOrderByCustomer,'PO')"),
    ],
)
def test_conditions_of_v4(name: str, operator: str, value: object, text: str) -> None:
    assert condition(ORDERS_V4, name, operator, value) == text


@pytest.mark.parametrize(
    ("name", "operator", "value", "code"),
    [
        ("Nonsense", "eq", "1", "unknown-property"),
        ("SoldToParty", "or", "1", "unknown-operator"),
        ("SoldToParty", "eq", "a\nb", "not-a-text"),
        ("TotalNetAmount", "eq", 12.5, "wrong-type"),
        ("TotalNetAmount", "startswith", "1", "unknown-operator"),
        ("SalesOrderDate", "eq", "2026-02-30", "wrong-type"),
        ("SalesOrderDate", "eq", "2026-01-31T23:00:00Z", "wrong-type"),
        ("LastChangeDateTime", "eq", "2026-01-31T10:00:00", "wrong-type"),
    ],
)
def test_conditions_that_make_no_sense_are_refused(name: str, operator: str, value: object, code: str) -> None:
    with pytest.raises(FixData) as refusal:
        condition(ORDERS, name, operator, value)
    assert refusal.value.code == code


def test_an_entity_of_v2_is_read() -> None:
    read = answers.one(ORDERS, answer("sales_order.json"))
    assert read["SalesOrderDate"] == "2026-01-31"
    assert read["LastChangeDateTime"] == "2026-01-31T10:00:00.123000Z"
    assert read["TotalNetAmount"] == "1234.50"
    assert read["to_Item"][0]["RequestedQuantity"] == "12"
    assert not {"__metadata", "to_Partner", "PricingDate"} & read.keys()


def test_what_is_read_is_as_its_schema_says() -> None:
    read = answers.one(ORDERS, answer("sales_order.json"))
    schema = dict(CONNECTOR.schemas["s4hana.sales_order@1"])
    jsonschema_rs.validate(schema, read)
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(schema, {**read, "TotalNetAmount": 1234.5})


def test_an_etag_is_given_back_byte_for_byte() -> None:
    raw = answers.raw_entity(ORDERS, answer("sales_order.json"))
    assert answers.etag_of(raw) == "W/\"datetimeoffset'2026-01-31T10%3A00%3A00.1234560Z'\""


def test_a_page_of_v4_is_read() -> None:
    read = answers.page(ORDERS_V4, answer("sales_order_v4.json"), f"{BASE}/x/SalesOrder")
    assert read.next is None
    assert read.rows[0]["TotalNetAmount"] == "1234.50"
    assert read.rows[0]["_Item"][0]["Product"] == "SUBSCRIPTION"
    assert not [name for name in read.rows[0] if name.startswith(("@", "SAP__"))]


@pytest.mark.parametrize(
    ("ticks", "day"),
    [
        ("/Date(1769817600000)/", "2026-01-31"),
        ("/Date(-86400000)/", "1969-12-31"),
        ("/Date(253402214400000)/", "9999-12-31"),
    ],
)
def test_a_day_is_never_shifted(ticks: str, day: str) -> None:
    assert read_entity(ORDERS, {"SalesOrderDate": ticks}) == {"SalesOrderDate": day}
    assert wire_entity(ORDERS, {"SalesOrderDate": day}) == {"SalesOrderDate": ticks}


def test_a_body_has_texts_for_decimals_and_no_float() -> None:
    body = wire_entity(
        ORDERS, {"to_Item": [{"RequestedQuantity": 3, "Material": "A", "YY1_OwnField": "x"}], "TotalNetAmount": "1E+2"}
    )
    assert body == {
        "TotalNetAmount": "100",
        "to_Item": [{"Material": "A", "RequestedQuantity": "3", "YY1_OwnField": "x"}],
    }
    with pytest.raises(FixData):
        wire_entity(ORDERS, {"TotalNetAmount": 1.5})
    with pytest.raises(FixData):
        wire_entity(ORDERS, {"YY1_Own": 3})


@pytest.mark.parametrize("ticks", ["2026-01-31", "/Date(x)/", "/Date(99999999999999999)/", 7])
def test_a_date_that_cannot_be_read_is_nobody_s_answer(ticks: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        read_entity(ORDERS, {"SalesOrderDate": ticks})


TRUE: Any = True


@pytest.mark.parametrize(
    ("entity", "name", "value"),
    [
        (ORDERS, "TotalNetAmount", TRUE),
        (ORDERS, "TotalNetAmount", 12),
        (ORDERS, "TotalNetAmount", Decimal("12.5")),
        (ORDERS, "TotalNetAmount", "a lot"),
        (ORDERS, "TotalNetAmount", "NaN"),
        (ORDERS, "TotalNetAmount", ""),
        (ORDERS, "TotalNetAmount", ["12.50"]),
        (ORDERS, "TotalNetAmount", {"value": "12.50"}),
        (ORDERS_V4, "TotalNetAmount", TRUE),
        (ORDERS_V4, "TotalNetAmount", ["12.50"]),
        (ORDERS_V4, "TotalNetAmount", "12,50"),
        (ORDERS, "SoldToParty", ["10100001"]),
        (ORDERS, "SoldToParty", 10100001),
        (ORDERS, "SoldToParty", TRUE),
        (ORDERS_V4, "SoldToParty", {}),
        (ORDERS_V4, "SalesOrderDate", "31.01.2026"),
        (ORDERS_V4, "SalesOrderDate", TRUE),
        (ORDERS_V4, "LastChangeDateTime", 5),
        (COMPANIES, "DeletionIndicator", "X"),
        (COMPANIES, "DeletionIndicator", 1),
        (ORDERS, "to_Item", "none"),
        (ORDERS, "to_Item", {"results": [{"NetAmount": TRUE}]}),
        (ORDERS_V4, "_Item", [{"NetAmount": TRUE}]),
        (ORDERS_V4, "_Item", ["one"]),
    ],
)
def test_a_value_of_another_type_is_refused_and_shown_as_it_came(entity: Any, name: str, value: Any) -> None:
    """It is never made to fit; the comparison with the schema has it as the vendor told it."""
    with pytest.raises(OutcomeUnknown) as refusal:
        read_entity(entity, {name: value})
    assert refusal.value.code == "unreadable-answer"
    rows = value.get("results", value) if isinstance(value, dict) else value
    assert shown_entity(entity, {name: value}) == {name: rows if name == "to_Item" else value}


@pytest.mark.parametrize(
    ("entity", "value", "read"),
    [
        (ORDERS, "1234.50", "1234.50"),
        (ORDERS, "-0.005", "-0.005"),
        (ORDERS_V4, "1234.50", "1234.50"),
        (ORDERS_V4, Decimal("1234.50"), "1234.50"),
        (ORDERS_V4, 12, "12"),
        (ORDERS_V4, Decimal("1E+3"), "1000"),
    ],
)
def test_amounts_keep_all_their_digits(entity: Any, value: Any, read: str) -> None:
    """Texts in v2; in v4 numbers too, where a service does not mind that texts were asked for."""
    assert read_entity(entity, {"TotalNetAmount": value}) == {"TotalNetAmount": read}


def in_pages(entity: Any) -> Any:
    """Give an order whose items, or the prices of one, go on elsewhere, in each way that its version says so in."""
    item = {"SalesOrder": "1", "SalesOrderItem": "10"}
    if entity is ORDERS:
        yield {"to_Item": {"results": [item], "__next": f"{BASE}/x"}}
        yield {"to_Item": {"results": [item], "__count": "2"}}
        yield {"to_Item": {"results": [{**item, "to_PricingElement": {"results": [], "__next": "x"}}]}}
    else:
        yield {"_Item": [item], "_Item@odata.nextLink": "SalesOrder('1')/_Item?$skiptoken=1"}
        yield {"_Item": [item], "_Item@odata.count": "2"}
        yield {"_Item": [{**item, "_ItemPricingElement": [], "_ItemPricingElement@odata.nextLink": "x"}]}


@pytest.mark.parametrize("entity", [ORDERS, ORDERS_V4], ids=("v2", "v4"))
@pytest.mark.parametrize("way", range(3), ids=("next", "count", "below"))
def test_a_record_whose_parts_come_in_pages_is_never_whole(entity: Any, way: int) -> None:
    """Neither where it is read, nor listed, nor looked for after a write, nor where it answers a creation."""
    record = {"SalesOrder": "1", **list(in_pages(entity))[way]}
    one = record if entity is ORDERS_V4 else {"d": record}
    rows = {"value": [record]} if entity is ORDERS_V4 else {"d": {"results": [record]}}
    made, found = (Response(status=201, body=dumps(each)) for each in (one, rows))
    operation = "sales_order_v4" if entity is ORDERS_V4 else "sales_order"
    creation: Any = CONNECTOR.operation(f"{operation}.create")
    for reading in (
        lambda: answers.one(entity, made),
        lambda: answers.page(entity, found, f"{BASE}/{entity.name}"),
        lambda: answers.whole(entity, found),
        lambda: creation.result(made),
        lambda: creation.found(found, "0" * 32),
    ):
        with pytest.raises(OutcomeUnknown) as refusal:
            reading()
        assert refusal.value.code == "parts-in-pages"
        assert refusal.value.facts["navigation"] in ("to_Item", "_Item", "to_PricingElement", "_ItemPricingElement")


ITEM = {"SalesOrder": "1", "SalesOrderItem": "10", "to_PricingElement": {"results": []}}
WHOLE = {"SalesOrder": "1", "to_Item": {"results": [ITEM]}, "to_Partner": {"results": []}}
DEFERRED = {"__deferred": {"uri": "x"}}


@pytest.mark.parametrize(
    "parts",
    [
        {"to_Item": DEFERRED},
        {"to_Partner": ...},
        {"to_Item": {"results": [{**ITEM, "to_PricingElement": DEFERRED}]}},
    ],
    ids=("deferred", "gone", "below"),
)
def test_parts_that_were_asked_for_and_did_not_come_are_not_taken_for_none(parts: dict[str, Any]) -> None:
    read = answers.expanded(read_entity)
    assert read(ORDERS, WHOLE)["to_Partner"] == []
    with pytest.raises(OutcomeUnknown, match="did not come"):
        read(ORDERS, {name: each for name, each in {**WHOLE, **parts}.items() if each is not ...})


def test_the_next_page_stays_where_it_was_asked() -> None:
    asked = f"{BASE}/sap/opu/odata/sap/API_SALES_ORDER_SRV/A_SalesOrder?$top=5"
    elsewhere = "https://attacker.example/sap/opu/odata/sap/API_SALES_ORDER_SRV/A_SalesOrder?$skiptoken=5"
    followed = answers.page(ORDERS, page({"SalesOrder": "1"}, __next=elsewhere), asked)
    assert followed.next == f"{BASE}/sap/opu/odata/sap/API_SALES_ORDER_SRV/A_SalesOrder?$skiptoken=5"
    for link in (asked, f"{BASE}/sap/opu/odata/sap/API_SALES_ORDER_SRV/A_SalesOrderItem?$skiptoken=1", 7):
        with pytest.raises(OutcomeUnknown):
            answers.page(ORDERS, page({"SalesOrder": "1"}, __next=link), asked)


def test_rows_that_are_said_to_be_there_must_come() -> None:
    assert answers.whole(ORDERS, page({"SalesOrder": "1"}, __count="1")) == [{"SalesOrder": "1"}]
    for short in (
        page({"SalesOrder": "1"}, __count="2"),
        page({"SalesOrder": "1"}, __next=f"{BASE}/x"),
        page(__count="1"),
    ):
        with pytest.raises(OutcomeUnknown):
            answers.whole(ORDERS, short)


def test_a_batch_is_formed_and_read_back() -> None:
    changes = [
        Change(method="PATCH", path="A_SalesOrder('1')", body={"CustomerPaymentTerms": "x\r\ny"}, match='W/"a"'),
        Change(method="POST", path="A_SalesOrderItem", body={"SalesOrder": "1", "RequestedQuantity": "2"}),
    ]
    request = changing(BASE, ORDERS, changes, shown="A_SalesOrder('1')?$select=SalesOrder")
    assert request.url == f"{BASE}/sap/opu/odata/sap/API_SALES_ORDER_SRV/$batch"
    assert changes_of(request) == changes
    assert request == changing(BASE, ORDERS, changes, shown="A_SalesOrder('1')?$select=SalesOrder")
    assert b"\n" not in request.body.replace(b"\r\n", b"")


def batch_answer(text: str, boundary: str = "AB") -> Response:
    kind = f"multipart/mixed; boundary={boundary}"
    return Response(status=202, headers={"content-type": kind}, body=text.replace("\n", "\r\n").encode())


#: The inner boundary begins with the outer one, as a server may choose them.
DONE = """--AB
Content-Type: multipart/mixed; boundary=AB1

--AB1
Content-Type: application/http

HTTP/1.1 204 No Content
etag: W/"b"


--AB1--

--AB
Content-Type: application/http

HTTP/1.1 200 OK
Content-Type: application/json

{"d": {"SalesOrder": "1"}}
--AB--
"""


def test_a_batch_s_answer_is_taken_apart() -> None:
    first, second = outcomes(batch_answer(DONE))
    assert (first.status, first.headers["etag"]) == (204, 'W/"b"')
    assert answers.one(ORDERS, second) == {"SalesOrder": "1"}


def test_one_refusal_stands_for_the_whole_change_set() -> None:
    refused = DONE.replace("204 No Content", "412 Precondition Failed")
    assert [each.status for each in outcomes(batch_answer(refused))] == [412]


@pytest.mark.parametrize(
    "spoilt",
    [
        batch_answer(DONE[: len(DONE) // 2]),
        batch_answer(DONE, boundary="XY"),
        batch_answer(""),
        batch_answer(DONE.replace("HTTP/1.1 204", "nonsense")),
        Response(status=200, headers={"content-type": "text/html"}, body=b"<html>"),
    ],
)
def test_what_is_no_batch_s_answer_says_nothing(spoilt: Response) -> None:
    with pytest.raises(OutcomeUnknown):
        outcomes(spoilt)


def test_the_first_detail_that_is_an_error_is_told() -> None:
    why = answers.reason(answer("refusal.json").body)
    assert (why.code, why.target) == ("V1/302", "to_Item")
    assert answers.reason(answer("refusal_v4.json").body).text == "Material SEATS is not defined"


def refusal(code: str, text: str = "no", status: int = 400) -> HubError | None:
    error = {"code": code, "message": {"lang": "en", "value": text}}
    return classify(Response(status=status, body=dumps({"error": error})))


@pytest.mark.parametrize(
    ("error", "family", "code"),
    [
        (refusal("V1/302"), FixData, "sap-v1-302"),
        (refusal("/IWBEP/CM_MGW_RT/022"), FixData, "bad-request"),
        (refusal("V1/042", "Sales document 1 is currently being processed by user SMITH"), NotBegun, "locked"),
        (refusal("ZZ/999", "Account 7 is currently blocked by user SMITH"), NotBegun, "locked"),
        (refusal("/IWFND/MED/170", status=404), FixConnection, "service-missing"),
        (refusal("/IWBEP/CM_MGW_RT/020", status=404), NoSuchRecord, "not-found"),
        (refusal("x", status=412), FixData, "changed-meanwhile"),
        (refusal("x", status=428), FixData, "precondition-required"),
        (refusal("x", status=403), FixConnection, "not-authorised"),
    ],
)
def test_refusals_say_what_to_do(error: HubError, family: type[HubError], code: str) -> None:
    assert isinstance(error, family)
    assert error.code == code


def test_the_words_of_a_fault_are_told() -> None:
    fault = (
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
        b"<faultcode>e:Client</faultcode><faultstring>no authority</faultstring></e:Fault></e:Body></e:Envelope>"
    )
    found = classify(Response(status=500, body=fault))
    assert isinstance(found, OutcomeUnknown)
    assert found.facts["reason"] == "no authority"


def test_addresses_stay_short_enough_for_a_gateway() -> None:
    for sets in services().values():
        for entity in sets.values():
            key = {
                name: "9999-12-31" if entity.properties.get(name) is Kind.DATE else "1234567890" for name in entity.keys
            }
            assert len(requests.one(BASE, entity, key).url) < 4000, entity.name
