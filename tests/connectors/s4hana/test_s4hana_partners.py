"""Business partners, customers and products: numbering, roles, derived names, and what a change leaves behind."""

from __future__ import annotations

from typing import Any

from tests.connectors.s4hana.conftest import PARTNERS, Plain

SERVICE = "API_BUSINESS_PARTNER"
PRODUCTS = "API_PRODUCT_SRV/A_Product"


def organisation(**more: Any) -> dict[str, Any]:
    return {"BusinessPartnerCategory": "2", "OrganizationBPName1": "Zed", "OrganizationBPName2": "Ltd", **more}


async def test_a_grouping_says_who_gives_the_number(plain: Plain) -> None:
    inner = await plain.post(PARTNERS, organisation())
    assert inner.d["BusinessPartner"] == "1000000" and inner.d["BusinessPartnerGrouping"] == "BP02"
    outer = organisation(BusinessPartnerGrouping="BPEX", BusinessPartner="cus_1")
    assert (await plain.post(PARTNERS, outer)).d["BusinessPartner"] == "CUS_1"
    assert (await plain.post(PARTNERS, outer)).error[:2] == (400, "R11/124")
    for wrong, code in (
        (organisation(BusinessPartner="77"), "R11/133"),
        (organisation(BusinessPartnerGrouping="BPEX"), "R11/134"),
        (organisation(BusinessPartnerGrouping="NONE"), "R11/119"),
        (organisation(OrganizationBPName1=""), "R11/106"),
        ({"OrganizationBPName1": "Zed"}, "R11/101"),
    ):
        assert (await plain.post(PARTNERS, wrong)).error[:2] == (400, code), wrong


async def test_names_are_put_together(plain: Plain) -> None:
    assert (await plain.post(PARTNERS, organisation())).d["BusinessPartnerFullName"] == "Zed Ltd"
    person = {"BusinessPartnerCategory": "1", "FirstName": "Ada", "LastName": "Lovelace"}
    made = (await plain.post(PARTNERS, person)).d
    assert (made["BusinessPartnerName"], made["IsNaturalPerson"]) == ("Ada Lovelace", "X")
    group = {"BusinessPartnerCategory": "3", "GroupBusinessPartnerName1": "The Zeds"}
    assert (await plain.post(PARTNERS, group)).d["BusinessPartnerFullName"] == "The Zeds"
    path = f"{PARTNERS}('{made['BusinessPartner']}')"
    assert (await plain.write("PATCH", path, {"LastName": "King"})).status == 204
    assert (await plain.get(path)).d["BusinessPartnerFullName"] == "Ada King"
    assert (await plain.write("PATCH", path, {"BusinessPartnerCategory": "2"})).error[1] == "R11/220"
    assert (await plain.write("PATCH", path, {"LastName": ""})).error[1] == "R11/106"


async def test_a_customer_is_born_with_its_partner(plain: Plain) -> None:
    books = {"CompanyCode": "1010", "ReconciliationAccount": "0012100000", "PaymentTerms": "0004"}
    area = {"SalesOrganization": "1010", "DistributionChannel": "10", "Division": "00"}
    below = {"to_CustomerCompany": [books], "to_CustomerSalesArea": [area]}
    made = await plain.post(PARTNERS, organisation(to_Customer=below))
    number = made.d["BusinessPartner"]
    assert made.d["Customer"] == number
    customer = (await plain.get(f"{SERVICE}/A_Customer('{number}')?$expand=to_CustomerCompany,to_CustomerSalesArea")).d
    assert customer["CustomerName"] == "Zed Ltd"
    assert customer["to_CustomerCompany"]["results"][0]["ReconciliationAccount"] == "12100000"
    assert customer["to_CustomerSalesArea"]["results"][0]["Currency"] == "EUR"
    roles = (await plain.get(f"{PARTNERS}('{number}')/to_BusinessPartnerRole")).rows
    assert [each["BusinessPartnerRole"] for each in roles] == ["FLCU00"]


async def test_a_customer_is_born_by_a_role(plain: Plain) -> None:
    number = (await plain.post(PARTNERS, organisation())).d["BusinessPartner"]
    path = f"{SERVICE}/A_CustomerCompany"
    company = {"Customer": number, "CompanyCode": "1010", "ReconciliationAccount": "12100000"}
    assert (await plain.post(path, company)).error[1] == "F2/153"
    role = {"BusinessPartner": number, "BusinessPartnerRole": "FLCU01"}
    assert (await plain.post(f"{SERVICE}/A_BusinessPartnerRole", role)).status == 201
    assert (await plain.get(f"{PARTNERS}('{number}')")).d["Customer"] == number
    assert (await plain.post(path, company)).status == 201
    assert (await plain.post(path, company)).status == 400
    for change, code in (
        ({"CompanyCode": "9999"}, "F2/163"),
        ({"CompanyCode": "1110", "ReconciliationAccount": ""}, "F2/274"),
        ({"CompanyCode": "1110", "ReconciliationAccount": "41000000"}, "F2/306"),
        ({"Customer": "999"}, "F2/153"),
    ):
        assert (await plain.post(path, {**company, **change})).error[1] == code
    one = f"{path}(Customer='{number}',CompanyCode='1010')"
    assert (await plain.write("PATCH", one, {"ReconciliationAccount": "41000000"})).error[1] == "F2/306"
    assert (await plain.write("PATCH", one, {"PaymentTerms": "0001"})).status == 204


async def test_parts_need_their_partner(plain: Plain) -> None:
    address = {"BusinessPartner": "999", "Country": "DE"}
    assert (await plain.post(f"{SERVICE}/A_BusinessPartnerAddress", address)).error[1] == "R11/110"
    there = f"{PARTNERS}('10100001')/to_BusinessPartnerAddress"
    assert (await plain.post(there, {"CityName": "Ulm"})).error[1] == "AM/226"
    made = await plain.post(there, {"Country": "DE", "to_EmailAddress": [{"EmailAddress": "a@example.com"}]})
    assert made.d["AddressID"] == "20005"
    assert made.d["to_EmailAddress"]["results"][0]["SearchEmailAddress"] == "A@EXAMPLE.COM"
    path = plain.path_of(made.headers["Location"])
    before = (await plain.get(f"{PARTNERS}('10100001')")).d["ETag"]
    mail = {"AddressID": made.d["AddressID"], "EmailAddress": "b@example.com"}
    assert (await plain.post(f"{SERVICE}/A_AddressEmailAddress", mail)).d["OrdinalNumber"] == "2"
    assert (await plain.get(f"{PARTNERS}('10100001')")).d["ETag"] != before
    assert (await plain.post(f"{SERVICE}/A_AddressEmailAddress", {**mail, "AddressID": "9"})).error[1] == "AM/231"
    assert (await plain.write("DELETE", path)).status == 204
    assert (await plain.call("GET", path)).status == 404


async def test_partner_functions_and_taxes_need_their_sales_area(plain: Plain) -> None:
    area = {"Customer": "10100001", "SalesOrganization": "1010", "DistributionChannel": "10", "Division": "00"}
    tax = {"DepartureCountry": "DE", "CustomerTaxCategory": "TTX1", "CustomerTaxClassification": "0"}
    function = {"PartnerFunction": "BP", "BPCustomerNumber": "10100002"}
    for name, body in (("A_CustomerSalesAreaTax", tax), ("A_CustSalesPartnerFunc", function)):
        assert (await plain.post(f"{SERVICE}/{name}", {**area, **body})).status == 201
        assert (await plain.post(f"{SERVICE}/{name}", {**area, **body, "Division": "99"})).error[1] == "F2/220"


async def test_each_change_moves_the_day_the_time_and_the_etag(plain: Plain) -> None:
    path = f"{PARTNERS}('10100001')"
    before = (await plain.get(path)).d
    assert before["LastChangeDate"] is None
    tax = {"BusinessPartner": "10100001", "BPTaxType": "DE0", "BPTaxNumber": "DE123456789"}
    assert (await plain.post(f"{SERVICE}/A_BusinessPartnerTaxNumber", tax)).status == 201
    after = (await plain.get(path)).d
    assert after["LastChangeDate"] == before["CreationDate"] and after["LastChangeTime"].startswith("PT")
    assert after["LastChangedByUser"] == "CC0000000001" and after["ETag"] != before["ETag"]
    day = f"datetime'{plain.served.world.clock.now():%Y-%m-%d}T00:00:00'"
    found = await plain.get(f"{PARTNERS}?$filter=LastChangeDate ge {day}&$select=BusinessPartner")
    assert [each["BusinessPartner"] for each in found.rows] == ["10100001"]
    stale = await plain.write("PATCH", path, {"SearchTerm1": "X"}, If_Match=before["__metadata"]["etag"])
    assert stale.error[0] == 412
    fresh = await plain.write("PATCH", path, {"SearchTerm1": "X"}, If_Match=after["__metadata"]["etag"])
    assert fresh.status == 204


async def test_products_are_made_and_changed(plain: Plain) -> None:
    body = {"Product": "new-1", "ProductType": "SERV", "BaseUnit": "PC"}
    texts = [{"Language": "EN", "ProductDescription": "New"}]
    made = await plain.post(PRODUCTS, {**body, "to_Description": texts})
    assert made.d["Product"] == "NEW-1" and made.d["to_Description"]["results"][0]["ProductDescription"] == "New"
    assert (await plain.post(PRODUCTS, body)).error[1] == "M3/025"
    assert (await plain.post(PRODUCTS, {**body, "Product": "NEW-2", "BaseUnit": ""})).error[1] == "MG/162"
    before = made.d["LastChangeDateTime"]
    await plain.control("clock", {"advance": 2})
    text = "API_PRODUCT_SRV/A_ProductDescription(Product='NEW-1',Language='EN')"
    assert (await plain.write("PATCH", text, {"ProductDescription": "Newer"})).status == 204
    assert (await plain.get(f"{PRODUCTS}('NEW-1')")).d["LastChangeDateTime"] > before
    assert (await plain.write("DELETE", f"{PRODUCTS}('NEW-1')")).error[0] == 405
    part = {"Product": "NOTHING", "Language": "DE", "ProductDescription": "x"}
    assert (await plain.post("API_PRODUCT_SRV/A_ProductDescription", part)).error[1] == "M3/305"


async def test_a_person_is_a_contact_of_a_company_once_at_a_time(plain: Plain) -> None:
    person = (await plain.post(PARTNERS, {"BusinessPartnerCategory": "1", "LastName": "Byron"})).d["BusinessPartner"]
    path = f"{SERVICE}/A_BusinessPartnerContact"
    body = {"BusinessPartnerCompany": "10100001", "BusinessPartnerPerson": person}
    made = await plain.post(path, body)
    assert (made.status, made.d["RelationshipCategory"]) == (201, "BUR001")
    for wrong, code in (
        ({}, "R11/405"),
        ({"BusinessPartnerPerson": "999"}, "R11/110"),
        ({"BusinessPartnerPerson": "10100002"}, "R11/403"),
        ({"BusinessPartnerCompany": person}, "R11/403"),
        ({"RelationshipCategory": "BUR010"}, "R11/402"),
        ({"ValidityStartDate": "/Date(253402214400000)/", "ValidityEndDate": "/Date(0)/"}, "R11/404"),
    ):
        assert (await plain.post(path, {**body, **wrong})).error[:2] == (400, code), wrong
    # Another time of the two has the same number.
    past = {"ValidityStartDate": "/Date(0)/", "ValidityEndDate": "/Date(86400000)/"}
    assert (await plain.post(path, {**body, **past})).d["RelationshipNumber"] == made.d["RelationshipNumber"]
    one = plain.path_of(made.headers["Location"])
    assert (await plain.write("PATCH", one, {"IsStandardRelationship": True})).status == 204
    other = (await plain.post(PARTNERS, {"BusinessPartnerCategory": "1", "LastName": "King"})).d["BusinessPartner"]
    second = {**body, "BusinessPartnerPerson": other, "IsStandardRelationship": True}
    assert (await plain.post(path, second)).error[1] == "R11/406"
    assert (await plain.write("DELETE", one)).status == 204
    assert (await plain.write("DELETE", one)).status == 404
    assert (await plain.post(path, second)).status == 201
