"""SAP's own OData client for Python reads the metadata, and creates, gets, filters, counts, changes and batches."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyodata
import pytest
import requests
from pyodata.exceptions import HttpError
from pyodata.v2.model import Config, PolicyFatal

from tests.connectors.s4hana.conftest import V2, Plain, order

#: Every service of version 2, and a set of it.
SERVICES = {
    "API_BUSINESS_PARTNER": "A_BusinessPartner",
    "API_SALES_ORDER_SRV": "A_SalesOrder",
    "API_PRODUCT_SRV": "A_Product",
    "API_BILLING_DOCUMENT_SRV": "A_BillingDocument",
    "API_CREDIT_MEMO_REQUEST_SRV": "A_CreditMemoRequest",
    "API_COMPANYCODE_SRV": "A_CompanyCode",
    "API_GLACCOUNTINCHARTOFACCOUNTS_SRV": "A_GLAccountInChartOfAccounts",
    "API_GLACCOUNTLINEITEM": "GLAccountLineItem",
    "API_JOURNALENTRYITEMBASIC_SRV": "A_JournalEntryItemBasic",
    "API_OPLACCTGDOCITEMCUBE_SRV": "A_OperationalAcctgDocItemCube",
}

CREDIT = {
    "CreditMemoRequestType": "CR",
    "ReferenceSDDocument": "90000000",
    "to_Item": [{"Material": "SUBSCRIPTION", "RequestedQuantity": "1"}],
}


def session_of(plain: Plain) -> requests.Session:
    """Give a session of requests that has fetched its token."""
    session = requests.Session()
    session.auth = (plain.facts["user"], plain.facts["password"])
    url = f"{plain.served.url}{V2}API_BUSINESS_PARTNER/"
    answer = session.head(url, headers={"x-csrf-token": "fetch"}, timeout=10)
    session.headers["x-csrf-token"] = answer.headers["x-csrf-token"]
    return session


def client_of(plain: Plain, service: str, **more: Any) -> Any:
    """Give a client that refuses metadata in which anything is wrong."""
    config = Config(default_error_policy=PolicyFatal())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pyodata.Client(f"{plain.served.url}{V2}{service}/", session_of(plain), config=config, **more)


async def together(work: Callable[[], Any]) -> Any:
    """Run something that waits for the sandbox beside it."""
    return await asyncio.to_thread(work)


@pytest.mark.parametrize(("service", "entity_set"), SERVICES.items())
async def test_each_services_metadata_can_be_read_and_its_set_listed(
    plain: Plain, service: str, entity_set: str
) -> None:
    await plain.seed(credit_memo_requests=[CREDIT])

    def work() -> int:
        client = client_of(plain, service)
        rows = getattr(client.entity_sets, entity_set).get_entities().top(3).execute()
        return len(list(rows))

    assert await together(work) > 0


async def test_a_partner_is_made_with_all_that_hangs_on_it(plain: Plain) -> None:
    def work() -> Any:
        partners = client_of(plain, "API_BUSINESS_PARTNER").entity_sets.A_BusinessPartner
        create = partners.create_entity()
        create.set(
            BusinessPartnerCategory="2",
            OrganizationBPName1="Zed O'Hara",
            to_BusinessPartnerAddress=[{"Country": "DE", "CityName": "Ulm"}],
        )
        made = create.execute()
        read = partners.get_entity(made.BusinessPartner).expand("to_BusinessPartnerAddress").execute()
        partners.update_entity(BusinessPartner=made.BusinessPartner).set(SearchTerm1="ZED").execute()
        found = partners.get_entities().filter("OrganizationBPName1 eq 'Zed O''Hara'").execute()
        return made, read, found

    made, read, found = await together(work)
    assert [each.CityName for each in read.to_BusinessPartnerAddress] == ["Ulm"]
    assert [(each.BusinessPartner, each.SearchTerm1) for each in found] == [(made.BusinessPartner, "ZED")]


async def test_orders_are_filtered_counted_and_paged(plain: Plain) -> None:
    def work() -> Any:
        orders = client_of(plain, "API_SALES_ORDER_SRV").entity_sets.A_SalesOrder
        count = orders.get_entities().count().execute()
        inline = orders.get_entities().count(inline=True).top(1).execute()
        found = orders.get_entities().filter("TotalNetAmount gt 100M and SoldToParty eq '0010100001'").execute()
        first = orders.get_entities().select("SalesOrder,TotalNetAmount,LastChangeDateTime").order_by("SalesOrder desc")
        return count, inline.total_count, found, first.execute()

    count, total, found, ordered = await together(work)
    assert (count, total) == (2, 2)
    assert [(each.SalesOrder, Decimal(each.TotalNetAmount)) for each in found] == [("1", Decimal(200))]
    assert [each.SalesOrder for each in ordered] == ["2", "1"]
    assert ordered[0].LastChangeDateTime.tzinfo is not None


async def test_pages_are_followed_by_their_links(plain: Plain) -> None:
    await plain.seed(settings={"page_size": 7}, generate={"customers": 30})

    def work() -> list[str]:
        partners = client_of(plain, "API_BUSINESS_PARTNER").entity_sets.A_BusinessPartner
        found: list[str] = []
        page = partners.get_entities().select("BusinessPartner").execute()
        while True:
            found += [each.BusinessPartner for each in page]
            if page.next_url is None:
                return found
            page = partners.get_entities().next_url(page.next_url).execute()

    found = await together(work)
    assert len(found) == len(set(found)) == 35
    assert found == sorted(found, key=int)


async def test_a_changeset_of_its_batch_is_kept_whole_or_not_at_all(plain: Plain) -> None:
    def work() -> Any:
        client = client_of(plain, "API_BUSINESS_PARTNER")
        partners = client.entity_sets.A_BusinessPartner

        def make(name: str) -> Any:
            return partners.create_entity().set(BusinessPartnerCategory="2", OrganizationBPName1=name)

        good, bad = client.create_batch(), client.create_batch()
        for batch, names in ((good, ["Yew", "Zelkova"]), (bad, ["Willow", ""])):
            change = client.create_changeset()
            for name in names:
                change.add_request(make(name))
            batch.add_request(change)
        good.add_request(partners.get_entities().filter("OrganizationBPName1 eq 'Yew'"))
        changed, listed = good.execute()
        with pytest.raises(HttpError) as refused:
            bad.execute()
        names = [each.OrganizationBPName1 for each in partners.get_entities().execute()]
        return changed, listed, refused.value, names

    changed, listed, refused, names = await together(work)
    assert [each.OrganizationBPName1 for each in changed] == ["Yew", "Zelkova"]
    assert [each.OrganizationBPName1 for each in listed] == ["Yew"]
    assert refused.response.status_code == 400
    assert "Willow" not in names and {"Yew", "Zelkova"} <= set(names)


async def test_a_billing_document_is_printed_by_its_function(plain: Plain) -> None:
    def work() -> Any:
        functions = client_of(plain, "API_BILLING_DOCUMENT_SRV").functions
        return functions.GetPDF.parameter("BillingDocument", "90000000").execute()

    assert (await together(work))["GetPDF"]["BillingDocumentBinary"]


async def test_a_refusal_carries_saps_words(plain: Plain) -> None:
    def work() -> HttpError:
        partners = client_of(plain, "API_BUSINESS_PARTNER").entity_sets.A_BusinessPartner
        with pytest.raises(HttpError) as refused:
            partners.get_entity("999").execute()
        return refused.value

    refused = await together(work)
    assert refused.response.status_code == 404
    assert b"/IWBEP/CM_MGW_RT/020" in refused.response.content


@pytest.mark.parametrize(
    ("service", "entity_set", "body"),
    [("API_SALES_ORDER_SRV", "A_SalesOrder", order()), ("API_CREDIT_MEMO_REQUEST_SRV", "A_CreditMemoRequest", CREDIT)],
)
async def test_a_sales_document_is_made_with_items_and_changed_under_its_etag(
    plain: Plain, service: str, entity_set: str, body: dict[str, Any]
) -> None:
    def work() -> Any:
        sets = client_of(plain, service).entity_sets
        documents, items = getattr(sets, entity_set), getattr(sets, f"{entity_set}Item")
        made = documents.create_entity().set(**body).execute()
        number = str(getattr(made, entity_set.removeprefix("A_")))

        def change(match: str | None) -> None:
            request = documents.update_entity(number).set(PurchaseOrderByCustomer="PO-9")
            if match is not None:
                request.add_headers({"If-Match": match})
            request.execute()

        read = documents.get_entity(number).expand("to_Item").execute()
        statuses = []
        for match in (None, made.etag, made.etag):
            try:
                change(match)
            except HttpError as refused:
                statuses.append(refused.response.status_code)
            else:
                statuses.append(204)
        head = entity_set.removeprefix("A_")
        key = {name: getattr(read.to_Item[0], name) for name in (head, f"{head}Item")}
        rejecting = items.update_entity(**key).set(SalesDocumentRjcnReason="00")
        rejecting.add_headers({"If-Match": documents.get_entity(number).execute().etag})
        rejecting.execute()
        return read, statuses, documents.get_entity(number).expand("to_Item").execute()

    read, statuses, after = await together(work)
    assert len(read.to_Item) == len(body["to_Item"])
    # Without an ETag, with the one that stands, and with one that stands no more.
    assert statuses == [428, 204, 412]
    assert (after.PurchaseOrderByCustomer, after.to_Item[0].SalesDocumentRjcnReason) == ("PO-9", "00")


async def test_a_product_is_made_once_and_changed(plain: Plain) -> None:
    def work() -> Any:
        products = client_of(plain, "API_PRODUCT_SRV").entity_sets.A_Product
        body = {"Product": "ANVIL", "ProductType": "SERV", "BaseUnit": "EA", "ProductGroup": "L001"}
        words = [{"Product": "ANVIL", "Language": "EN", "ProductDescription": "Anvil"}]
        products.create_entity().set(**body, to_Description=words).execute()
        with pytest.raises(HttpError) as again:
            products.create_entity().set(**body).execute()
        products.update_entity("ANVIL").set(ProductGroup="L002").execute()
        return again.value, products.get_entity("ANVIL").expand("to_Description").execute()

    again, product = await together(work)
    assert again.response.status_code == 400
    assert (product.ProductGroup, [each.ProductDescription for each in product.to_Description]) == ("L002", ["Anvil"])


async def test_a_billing_document_is_cancelled_once_by_its_function(plain: Plain) -> None:
    def work() -> Any:
        answers: list[Any] = []

        def hear(answer: requests.Response) -> None:
            answers.append((answer.status_code, answer.json()))

        client = client_of(plain, "API_BILLING_DOCUMENT_SRV", response_hook=hear)

        def cancel() -> None:
            calling = client.functions.Cancel.parameter("BillingDocument", "90000000")
            # A collection of complex values is more than it can read; what it has sent is what counts.
            with pytest.raises((KeyError, HttpError)):
                calling.execute()

        cancel()
        cancel()
        documents = client_of(plain, "API_BILLING_DOCUMENT_SRV").entity_sets.A_BillingDocument.get_entities()
        return answers, documents.filter("CancelledBillingDocument eq '90000000'").execute()

    ((status, first), (_, second)), found = await together(work)
    (cancellation,) = [each.BillingDocument for each in found]
    assert status == 200
    assert [each["CancellationBillingDocument"] for each in first["d"]["results"]] == [cancellation]
    assert cancellation not in str(second)
