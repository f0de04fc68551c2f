"""OData v2: addresses, options, JSON forms, writes, deep inserts, ETags and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.connectors.s4hana.conftest import ORDERS, PARTNERS, Plain

COMPANIES = "API_BUSINESS_PARTNER/A_CustomerCompany"
ITEMS = "API_OPLACCTGDOCITEMCUBE_SRV/A_OperationalAcctgDocItemCube"


def partner(**more: Any) -> dict[str, Any]:
    return {"BusinessPartnerCategory": "2", "OrganizationBPName1": "Zed", **more}


async def test_an_entity_is_named_by_either_form_of_its_key(plain: Plain) -> None:
    for key in ("'10100001'", "BusinessPartner='10100001'", "'0010100001'", "%2710100001%27"):
        assert (await plain.get(f"{PARTNERS}({key})")).d["BusinessPartner"] == "10100001"
    one = await plain.get(f"{COMPANIES}(CompanyCode='1010',Customer='10100001')")
    assert one.d["__metadata"]["uri"].endswith("A_CustomerCompany(Customer='10100001',CompanyCode='1010')")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "'1','2'",
        "Customer='1'",
        "Customer='1',CompanyCode=",
        "Customer='1',Customer='2'",
        "Customer=1,CompanyCode='2'",
        "'a'b'",
    ],
)
async def test_a_wrong_key_is_refused(plain: Plain, key: str) -> None:
    assert (await plain.get(f"{COMPANIES}({key})")).error[0] == 400


async def test_quotes_and_slashes_in_keys(plain: Plain) -> None:
    await plain.seed(products=[{"product": "A/B'C", "prices": {"EUR": "1"}}])
    for key in ("A/B''C", "A%2FB%27%27C"):
        found = await plain.get(f"API_PRODUCT_SRV/A_Product('{key}')")
        assert found.d["Product"] == "A/B'C"
    again = await plain.call("GET", found.d["__metadata"]["uri"])
    assert again.d["Product"] == "A/B'C"


async def test_navigation_leads_from_one_to_its_own(plain: Plain) -> None:
    head = f"{PARTNERS}('10100001')"
    assert (await plain.get(f"{head}/to_Customer/to_CustomerCompany")).rows[0]["CompanyCode"] == "1010"
    assert (await plain.get(f"{head}/to_Customer/to_CustomerCompany('1010')")).d["CompanyCode"] == "1010"
    assert (await plain.get(f"{head}/to_BusinessPartnerAddress/$count")).text == "1"
    assert (await plain.get(f"{head}/OrganizationBPName1")).d == {"OrganizationBPName1": "Alder Works GmbH"}
    assert (await plain.get(f"{head}/OrganizationBPName1/$value")).text == "Alder Works GmbH"
    for wrong in ("to_Nothing", "Nothing", "OrganizationBPName1/x", "to_Customer/to_CustomerCompany/CompanyCode"):
        assert (await plain.get(f"{head}/{wrong}")).status == 404, wrong
    assert (await plain.get(f"{PARTNERS}/to_Customer")).status == 404


async def test_values_are_written_as_gateway_writes_them(plain: Plain) -> None:
    shown = (await plain.get(f"{ORDERS}('1')?$expand=to_Item")).d
    assert shown["TotalNetAmount"] == "200.00"
    assert shown["CreationDate"].startswith("/Date(") and shown["CreationDate"].endswith("00000)/")
    assert shown["LastChangeDateTime"].endswith("+0000)/")
    assert shown["CustomerPurchaseOrderDate"] is None and shown["CompleteDeliveryIsDefined"] is False
    assert shown["to_Partner"] == {"__deferred": {"uri": f"{shown['__metadata']['uri']}/to_Partner"}}
    item = shown["to_Item"]["results"][0]
    assert (item["SalesOrderItem"], item["RequestedQuantity"], item["HigherLevelItem"]) == ("10", "2", "0")
    yen = (await plain.get(f"{ORDERS}('2')")).d
    assert (yen["TotalNetAmount"], yen["TransactionCurrency"]) == ("960", "JPY")
    time = (await plain.get(f"{PARTNERS}('10100001')")).d["CreationTime"]
    assert time.startswith("PT") and time.endswith("S")


async def test_select_and_expand_take_paths(plain: Plain) -> None:
    query = (
        "$expand=to_Item/to_PricingElement&$select=SalesOrder,to_Item/Material,to_Item/to_PricingElement/ConditionType"
    )
    shown = (await plain.get(f"{ORDERS}('1')?{query}")).d
    assert set(shown) == {"__metadata", "SalesOrder", "to_Item"}
    item = shown["to_Item"]["results"][0]
    assert set(item) == {"__metadata", "Material", "to_PricingElement"}
    assert {each["ConditionType"] for each in item["to_PricingElement"]["results"]} == {"PPR0", "TTX1"}
    for wrong in ("$select=Nothing", "$expand=Nothing", "$expand=to_Item/Nothing", "$select=to_Item/Material"):
        assert (await plain.get(f"{ORDERS}('1')?{wrong}")).error[0] == 400, wrong


async def test_pages_follow_keys_so_that_nothing_is_lost_or_doubled(plain: Plain) -> None:
    await plain.seed(settings={"page_size": 2})
    first = await plain.get(f"{PARTNERS}?$select=BusinessPartner&$inlinecount=allpages")
    assert first.d["__count"] == "5" and len(first.rows) == 2
    # Somebody makes a partner in front of what comes next.
    await plain.seed(customers=[{"number": "1", "name": "Early bird"}])
    found = [each["BusinessPartner"] for each in first.rows]
    page = first
    while "__next" in page.d:
        page = await plain.call("GET", page.d["__next"])
        found += [each["BusinessPartner"] for each in page.rows]
    assert found == ["10100001", "10100002", "11100001", "15100001", "17100001"]


async def test_top_skip_and_order(plain: Plain) -> None:
    async def names(query: str) -> list[str]:
        return [each["BusinessPartner"] for each in (await plain.get(f"{PARTNERS}?{query}")).rows]

    assert await names("$top=2") == ["10100001", "10100002"]
    assert await names("$skip=3") == ["15100001", "17100001"]
    assert await names("$orderby=SearchTerm1%20desc&$top=1&$skip=1") == ["10100002"]
    assert await names("$orderby=BusinessPartnerCategory,BusinessPartner desc&$top=1") == ["17100001"]
    await plain.seed(settings={"page_size": 2})
    page = await plain.get(f"{PARTNERS}?$orderby=SearchTerm1&$top=3")
    rest = await plain.call("GET", page.d["__next"])
    assert [len(page.rows), len(rest.rows)] == [2, 1] and "__next" not in rest.d
    page = await plain.get(f"{PARTNERS}?$top=3")
    rest = await plain.call("GET", page.d["__next"])
    assert [len(page.rows), len(rest.rows)] == [2, 1] and "__next" not in rest.d


@pytest.mark.parametrize(
    "query",
    [
        "$top=-1",
        "$top=x",
        "$skip=1.5",
        "$inlinecount=some",
        "$skiptoken=!!",
        "$skiptoken=abc",
        "$orderby=Nothing",
        "$orderby=BusinessPartner%20up",
        "$apply=x",
        "$filter=Nothing eq 1",
        "$filter=BusinessPartner",
        "$filter=BusinessPartner eq",
        "$filter=BusinessPartner eq 1",
        "$filter=contains(BusinessPartner,'1')",
        "$filter=CreationDate gt 'x'",
        "$filter=CreationDate gt datetime'2026-13-01T00:00:00'",
    ],
)
async def test_a_wrong_option_is_refused(plain: Plain, query: str) -> None:
    status, code, message = (await plain.get(f"{PARTNERS}?{query}")).error
    assert status == 400 and code.startswith("/IWBEP/") and message


@pytest.mark.parametrize(
    ("condition", "orders"),
    [
        ("TotalNetAmount ge 200.00M", ["1", "2"]),
        ("TotalNetAmount gt 200M and TransactionCurrency eq 'JPY'", ["2"]),
        ("not (TransactionCurrency eq 'EUR')", ["2"]),
        ("TransactionCurrency ne 'EUR' or SalesOrder eq '0000000001'", ["1", "2"]),
        ("startswith(PurchaseOrderByCustomer,'PO') eq true and endswith(PurchaseOrderByCustomer,'2')", ["2"]),
        ("substringof('o-1',tolower(PurchaseOrderByCustomer))", ["1"]),
        ("SoldToParty eq '0010100001'", ["1"]),
        ("SalesOrder gt '1' and SalesOrder le '10'", ["2"]),
        ("CreationDate gt datetime'2020-01-01T00:00:00' and CustomerPurchaseOrderDate eq null", ["1", "2"]),
        ("LastChangeDateTime lt datetimeoffset'2020-01-01T00:00:00Z'", []),
        ("CompleteDeliveryIsDefined eq false and TotalNetAmount div 2 eq 100", ["1"]),
        ("length(TransactionCurrency) eq 3 and year(CreationDate) ge 2026", ["1", "2"]),
    ],
)
async def test_filters_are_worked_out(plain: Plain, condition: str, orders: list[str]) -> None:
    found = await plain.get(f"{ORDERS}?$filter={condition}")
    assert [each["SalesOrder"] for each in found.rows] == orders
    assert (await plain.get(f"{ORDERS}/$count?$filter={condition}")).text == str(len(orders))


async def test_atom_is_not_there(plain: Plain) -> None:
    for accept in ("application/atom+xml", "*/*", ""):
        refused = await plain.get(f"{PARTNERS}('10100001')", Accept=accept or "*/*")
        assert refused.status == 406 and refused.headers["Content-Type"].startswith("application/xml")
    assert (await plain.get(f"{PARTNERS}('10100001')?$format=json", Accept="*/*")).status == 200
    assert (await plain.get("API_BUSINESS_PARTNER/$metadata", Accept="*/*")).status == 200
    assert "A_BusinessPartner" in (await plain.get("API_BUSINESS_PARTNER/", Accept="*/*")).text
    assert "A_BusinessPartner" in (await plain.get("API_BUSINESS_PARTNER/")).d["EntitySets"]


async def test_what_a_body_says_wrongly_is_refused_with_the_property(plain: Plain, make_order: Any) -> None:
    async def refused(path: str, body: Any) -> str:
        status, _, message = (await plain.post(path, body)).error
        assert status == 400
        return message

    assert "'Nothing'" in await refused(PARTNERS, partner(Nothing="x"))
    long = f"Property 'SearchTerm1' at offset '76' has invalid value '{'x' * 21}'"
    assert await refused(PARTNERS, partner(SearchTerm1="x" * 21)) == long
    assert "'BirthDate'" in await refused(PARTNERS, partner(BirthDate="/Date(0)/"))
    assert "'OrganizationFoundationDate'" in await refused(PARTNERS, partner(OrganizationFoundationDate="1.1.2026"))
    number = {"Material": "SUBSCRIPTION", "RequestedQuantity": 1}
    assert "'RequestedQuantity'" in await refused(ORDERS, make_order(number))
    assert "'to_Item'" in await refused(ORDERS, {**make_order(), "to_Item": "x"})
    for body in (b"{", b"[]", b""):
        assert (await plain.post(PARTNERS, body, Content_Type="application/json")).error[0] == 400
    assert (await plain.post(PARTNERS, b"<entry/>", Content_Type="application/atom+xml")).error[0] == 415


async def test_a_deep_insert_is_kept_whole_or_not_at_all(plain: Plain, make_order: Any) -> None:
    before = await plain.books()
    good = {"Material": "SUBSCRIPTION", "RequestedQuantity": "1"}
    status, code, _ = (await plain.post(ORDERS, make_order(good, {**good, "Material": "NOTHING"}))).error
    assert (status, code) == (400, "V1/302")
    after = await plain.books()
    assert after["counts"] == before["counts"]
    made = await plain.post(ORDERS, make_order(good, good))
    assert [each["SalesOrderItem"] for each in made.d["to_Item"]["results"]] == ["10", "20"]
    assert made.headers["Location"].endswith(f"A_SalesOrder('{made.d['SalesOrder']}')")
    # The number that the failed attempt drew is gone.
    assert made.d["SalesOrder"] == "4"


async def test_both_forms_of_nested_entities_are_taken(plain: Plain) -> None:
    address = {"Country": "DE"}
    for nested in ([address], {"results": [address]}):
        made = await plain.post(PARTNERS, {"d": partner(to_BusinessPartnerAddress=nested)})
        assert made.d["to_BusinessPartnerAddress"]["results"][0]["Country"] == "DE"


async def test_changes_need_an_etag_where_the_type_has_one(plain: Plain) -> None:
    path = f"{ORDERS}('2')"
    old = (await plain.get(path)).headers["Etag"]
    assert old == (await plain.get(path)).d["__metadata"]["etag"]
    change = {"PurchaseOrderByCustomer": "PO-3"}
    assert (await plain.write("PATCH", path, change)).error[:2] == (428, "/IWBEP/CM_MGW_RT/194")
    done = await plain.write("PATCH", path, change, If_Match=old)
    assert (done.status, done.text) == (204, "") and done.headers["Etag"] != old
    assert (await plain.write("PATCH", path, change, If_Match=old)).error[:2] == (412, "/IWBEP/CM_MGW_RT/190")
    assert (await plain.write("PATCH", path, change, If_Match="*")).status == 204
    assert (await plain.get(path, If_None_Match=(await plain.get(path)).headers["Etag"])).status == 304
    item = "API_SALES_ORDER_SRV/A_SalesOrderItem(SalesOrder='2',SalesOrderItem='10')"
    standing = (await plain.get(path)).headers["Etag"]
    assert (await plain.write("PATCH", item, {"RequestedQuantity": "5"})).status == 204
    assert (await plain.get(path)).headers["Etag"] != standing


async def test_put_replaces_and_merge_is_tunnelled(plain: Plain) -> None:
    made = await plain.post(PARTNERS, partner(SearchTerm1="ONE", SearchTerm2="TWO"))
    path = plain.path_of(made.headers["Location"])
    assert (await plain.write("MERGE", path, {"SearchTerm1": "ONCE"})).status == 204
    assert (await plain.write("POST", path, {"SearchTerm1": "AGAIN"}, X_HTTP_Method="MERGE")).status == 204
    shown = (await plain.call("GET", path)).d
    assert (shown["SearchTerm1"], shown["SearchTerm2"]) == ("AGAIN", "TWO")
    assert (await plain.write("PUT", path, {"OrganizationBPName1": "Zed", "SearchTerm1": "NEW"})).status == 204
    shown = (await plain.call("GET", path)).d
    assert (shown["SearchTerm1"], shown["SearchTerm2"]) == ("NEW", "")


async def test_what_a_set_does_not_offer_is_refused(plain: Plain) -> None:
    assert (await plain.write("DELETE", f"{PARTNERS}('10100001')")).error[0] == 405
    assert (await plain.post("API_BUSINESS_PARTNER/A_Customer", {"Customer": "10100001"})).error[0] == 405
    assert (await plain.post("API_BILLING_DOCUMENT_SRV/A_BillingDocument", {})).error[0] == 405
    assert (await plain.write("PATCH", "API_COMPANYCODE_SRV/A_CompanyCode('1010')", {})).error[0] == 405
    assert (await plain.write("PATCH", PARTNERS, {})).error[0] == 405
    assert (await plain.write("DELETE", f"{ORDERS}('2')", If_Match="*")).status == 204
    assert (await plain.get(f"{ORDERS}('2')")).error[:2] == (404, "/IWBEP/CM_MGW_RT/020")
    assert (await plain.get("API_SALES_ORDER_SRV/A_SalesOrderItem/$count")).text == "1"


async def test_an_error_has_the_shape_of_gateways(plain: Plain) -> None:
    refused = await plain.post(PARTNERS, partner(BusinessPartnerCategory="9"))
    error = refused.body["error"]
    assert error["code"] == "R11/101" and error["message"]["lang"] == "en"
    application = error["innererror"]["application"]
    assert (application["service_id"], application["service_namespace"]) == ("API_BUSINESS_PARTNER", "/SAP/")
    first, last = error["innererror"]["errordetails"]
    assert (first["code"], first["severity"], first["target"]) == ("R11/101", "error", "BusinessPartnerCategory")
    assert last["code"].startswith("/IWBEP/CX_")
    assert len(error["innererror"]["transactionid"]) == 32


async def test_a_warning_travels_in_a_header(plain: Plain, make_order: Any) -> None:
    await plain.seed(settings={"duplicate_orders": "warn"})
    for number in ("PO-1", "Größe"):
        made = [await plain.post(ORDERS, make_order(PurchaseOrderByCustomer=number)) for _ in range(2)][-1]
        told = json.loads(made.headers["sap-message"])
        assert (made.status, told["severity"], told["code"]) == (201, "warning", "V4/115")
        assert number in told["message"]
    assert "sap-message" not in (await plain.post(ORDERS, make_order())).headers


async def test_a_repeated_request_is_answered_with_what_was_kept(plain: Plain, make_order: Any) -> None:
    headers = {"RequestID": "0" * 31 + "A", "RepeatabilityCreation": "2026-01-31T10:00:00Z"}
    assert (await plain.post(ORDERS, make_order(), **headers)).headers["repeatabilityresult"] == "unsupported"
    await plain.seed(settings={"repeatability": ["API_SALES_ORDER_SRV"], "repeatability_seconds": 60})
    first = await plain.post(ORDERS, make_order(), **headers)
    again = await plain.post(ORDERS, make_order(), **headers)
    assert first.headers["repeatabilityresult"] == again.headers["repeatabilityresult"] == "accepted"
    assert first.d["SalesOrder"] == again.d["SalesOrder"]
    other = await plain.post(ORDERS, make_order(PurchaseOrderByCustomer="X"), **headers)
    assert other.status == 400 and other.headers["repeatabilityresult"] == "rejected"
    await plain.control("clock", {"advance": 61})
    assert (await plain.post(ORDERS, make_order(), **headers)).error[1] == "/IWBEP/CM_COS/005"
    assert (await plain.post(ORDERS, make_order(), RequestID="x", RepeatabilityCreation="x")).status == 400


async def test_aggregates_sum_what_is_not_asked_apart(plain: Plain) -> None:
    path = "API_GLACCOUNTLINEITEM/GLAccountLineItem"
    apart = (await plain.get(path)).rows
    assert [each["AccountingDocument"] for each in apart] == ["9000000000"] * 3
    summed = (await plain.get(f"{path}?$select=CompanyCode,AmountInCompanyCodeCurrency,CompanyCodeCurrency")).rows
    assert [(each["CompanyCode"], each["AmountInCompanyCodeCurrency"]) for each in summed] == [("1010", "0.00")]
    assert apart[0]["ID"] != summed[0]["ID"] if "ID" in summed[0] else True
    found = await plain.get(f"{path}?$filter=GLAccount eq '0041000000'&$select=GLAccount,AmountInTransactionCurrency")
    assert [each["AmountInTransactionCurrency"] for each in found.rows] == ["-200.00"]
    basic = "API_JOURNALENTRYITEMBASIC_SRV/A_JournalEntryItemBasic"
    rows = (await plain.get(f"{basic}?$select=GLAccount,TransactionCurrency,AmountInTransactionCurrency")).rows
    assert sorted(each["AmountInTransactionCurrency"] for each in rows) == ["-200.00", "-38.00", "238.00"]
    assert (await plain.get(f"{path}?$select=GLAccount&$inlinecount=allpages&$top=1")).d["__count"] == "3"


async def test_the_metadata_is_made_anew_when_a_release_changes_it(plain: Plain) -> None:
    name = {"service": "API_BUSINESS_PARTNER", "set": "A_BusinessPartner"}
    await plain.seed(drift=[{**name, "add": "NewField:S5", "value": "N"}, {**name, "remove": "SearchTerm2"}])
    await plain.seed(drift=[{**name, "retype": "BusinessPartnerIsBlocked:S1"}])
    text = (await plain.get("API_BUSINESS_PARTNER/$metadata")).text
    assert 'Name="NewField"' in text and 'Name="SearchTerm2"' not in text
    shown = (await plain.get(f"{PARTNERS}('10100001')")).d
    assert shown["NewField"] == "N" and "SearchTerm2" not in shown
    assert isinstance(shown["BusinessPartnerIsBlocked"], str)
    assert (await plain.post(PARTNERS, partner(SearchTerm2="X"))).error[0] == 400
    await plain.seed(
        changes=[{"table": "A_SalesOrder", "key": ["1"], "set": {"OverallSDProcessStatus": "Z"}, "raw": True}]
    )
    assert (await plain.get(f"{ORDERS}('1')")).d["OverallSDProcessStatus"] == "Z"


async def test_what_somebody_else_works_on_is_locked(plain: Plain) -> None:
    await plain.seed(locks=[{"table": "A_SalesOrder", "key": ["2"], "user": "ASMITH", "seconds": 60}])
    change = {"PurchaseOrderByCustomer": "X"}
    status, code, message = (await plain.write("PATCH", f"{ORDERS}('2')", change, If_Match="*")).error
    assert (status, code) == (400, "V1/042") and "ASMITH" in message
    item = {"Material": "USAGE", "RequestedQuantity": "1"}
    assert (await plain.post(f"{ORDERS}('2')/to_Item", item)).error[1] == "V1/042"
    assert (await plain.get(f"{ORDERS}('2')")).status == 200
    await plain.control("clock", {"advance": 61})
    assert (await plain.post(f"{ORDERS}('2')/to_Item", item)).status == 201


async def test_a_hundred_thousand_partners_are_there_at_once(plain: Plain) -> None:
    made = await plain.seed(generate={"customers": 100_000})
    assert made["generate"] == [{"first": "2000000", "last": "2099999"}]
    assert (await plain.get(f"{PARTNERS}('2099999')?$expand=to_Customer/to_CustomerCompany")).status == 200
    assert (await plain.books())["counts"]["A_BusinessPartner"] == 100_005
    found = await plain.get(
        f"{PARTNERS}?$filter=BusinessPartnerIDByExtSystem eq 'cus_00077777'&$select=BusinessPartner"
    )
    assert [each["BusinessPartner"] for each in found.rows] == ["2077777"]
    path = f"{PARTNERS}('2000007')"
    assert (await plain.write("PATCH", path, {"SearchTerm1": "CHANGED"})).status == 204
    assert (await plain.get(path)).d["SearchTerm1"] == "CHANGED"
    page = await plain.get(f"{PARTNERS}?$filter=BusinessPartner ge '2000000'&$select=BusinessPartner")
    assert len(page.rows) == 1000 and page.rows[7]["BusinessPartner"] == "2000007"
    assert (await plain.get(f"{PARTNERS}/$count")).text == "100005"


async def test_what_is_expanded_comes_in_pages_where_the_tenant_cuts_it(plain: Plain, make_order: Any) -> None:
    item = {"Material": "SUBSCRIPTION", "RequestedQuantity": "1"}
    await plain.seed(sales_orders=[make_order(item, item, item)], settings={"expanded_rows": 2})
    items = (await plain.get(f"{ORDERS}('3')?$expand=to_Item")).d["to_Item"]
    assert [row["SalesOrderItem"] for row in items["results"]] == ["10", "20"]
    rest = (await plain.call("GET", items["__next"])).d
    assert [row["SalesOrderItem"] for row in rest["results"]] == ["30"]
    assert "__next" not in rest
    (row,) = (await plain.get(f"{ORDERS}?$filter=SalesOrder eq '1'&$expand=to_Item")).rows
    assert "__next" not in row["to_Item"]
