"""What S/4HANA changes below the heads of records, in events, and among a tenant's own fields is named at once.

Over HTTP, with the hub's own store, engine and client, and the drift policy that ships.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.samples import CONTACT, PERSON, SAMPLES
from connectors.s4hana.samples import ORDER as ORDER_BODY
from hub.model.event import Via
from hub.model.run import RunState
from hub.proof.certification.flows import CONNECTION, of_triggers
from hub.proof.certification.stand import ENVIRONMENT, Stand, stand
from hub.queries import drift, timeline
from hub.queries.view import View
from hub.sdk import exact_json
from hub.sdk.connector import Connector
from hub.sdk.testing.samples import ReadSample
from hub.sdk.testing.sending import Connected
from hub.store.tables import events
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from tests.connectors.s4hana.test_s4hana_webhooks import bulk
from tests.proof.test_vendor_drift import POLICY, ROOT, Drifted, _is_noticed, bundle_of, call, case_facts

#: The entry of the sample's one billing document.
ENTRY = {"company_code": "1010", "fiscal_year": "2026", "id": "9000000000"}
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def drifted(service: str, entity_set: str, **deed: str) -> Any:
    return {"drift": {"service": service, "set": entity_set, **deed}}


def asked(operation: str, **input: str) -> dict[str, Any]:
    return {"operation": operation, "input": input}


PARTNER = asked("business_partner.read", id="200")
CUSTOMER = asked("business_partner.find", id="10100001")
PARTNERS, ORDERS, CREDITS = "API_BUSINESS_PARTNER", "API_SALES_ORDER_SRV", "API_CREDIT_MEMO_REQUEST_SRV"
BILLS, V4, PRODUCTS = "API_BILLING_DOCUMENT_SRV", "CE_SALESORDER_0001", "API_PRODUCT_SRV"
CUBE = ("API_OPLACCTGDOCITEMCUBE_SRV", "A_OperationalAcctgDocItemCube")
ACCOUNTS = "API_GLACCOUNTINCHARTOFACCOUNTS_SRV"
#: Who is asked, what has a new field, and where it must be named.
ADDED: Mapping[str, tuple[Mapping[str, Any], tuple[str, str], str]] = {
    "address": (PARTNER, (PARTNERS, "A_BusinessPartnerAddress"), "to_BusinessPartnerAddress[]"),
    "address's mail": (PARTNER, (PARTNERS, "A_AddressEmailAddress"), "to_BusinessPartnerAddress[].to_EmailAddress[]"),
    "role": (PARTNER, (PARTNERS, "A_BusinessPartnerRole"), "to_BusinessPartnerRole[]"),
    "company": (CUSTOMER, (PARTNERS, "A_CustomerCompany"), "to_Customer.to_CustomerCompany[]"),
    "sales area": (CUSTOMER, (PARTNERS, "A_CustomerSalesArea"), "to_Customer.to_CustomerSalesArea[]"),
    "contact person": (
        asked("contact_person.list", id="200"),
        (PARTNERS, "A_BusinessPartnerContact"),
        "contacts[]",
    ),
    "product's text": (
        asked("product.read", id="SUBSCRIPTION"),
        (PRODUCTS, "A_ProductDescription"),
        "to_Description[]",
    ),
    "product's sales": (
        asked("product.find", id="SUBSCRIPTION"),
        (PRODUCTS, "A_ProductSalesDelivery"),
        "to_SalesDelivery[]",
    ),
    "order's item": (asked("sales_order.read", id="1"), (ORDERS, "A_SalesOrderItem"), "to_Item[]"),
    "order's price": (
        asked("sales_order.find", reference="PO-1"),
        (ORDERS, "A_SalesOrderItemPrElement"),
        "to_Item[].to_PricingElement[]",
    ),
    "order's partner": (asked("sales_order.read", id="1"), (ORDERS, "A_SalesOrderHeaderPartner"), "to_Partner[]"),
    "order of v4": (asked("sales_order_v4.find", reference="PO-1"), (V4, "SalesOrder"), ""),
    "order's item of v4": (asked("sales_order_v4.read", id="1"), (V4, "SalesOrderItem"), "_Item[]"),
    "order's price of v4": (
        asked("sales_order_v4.find", reference="PO-1"),
        (V4, "SalesOrderItemPricingElement"),
        "_Item[]._ItemPricingElement[]",
    ),
    "credit memo request's item": (
        asked("credit_memo_request.read", id="60000000"),
        (CREDITS, "A_CreditMemoRequestItem"),
        "to_Item[]",
    ),
    "billing document's item": (
        asked("billing_document.read", id="90000000"),
        (BILLS, "A_BillingDocumentItem"),
        "to_Item[]",
    ),
    "journal entry's line": ({"operation": "journal_entry.read", "input": ENTRY}, CUBE, "lines[]"),
    "found entry's line": (
        asked("journal_entry.find", reference="0090000000"),
        CUBE,
        "journal_entries[].lines[]",
    ),
    "open item": (asked("open_item.list", company_code="1010", customer="10100001"), CUBE, "items[]"),
    "account's text": (
        asked("gl_account.read", chart_of_accounts="YCOA", id="41000000"),
        (ACCOUNTS, "A_GLAccountText"),
        "to_Text[]",
    ),
}


@pytest.mark.parametrize("name", sorted(ADDED))
async def test_a_field_that_comes_to_a_part_is_noticed_at_the_first_call(name: str) -> None:
    """Before it, nothing is told of all that SAP's records show."""
    question, at, place = ADDED[name]
    path = f"{place}.LoyaltyTier" if place else "LoyaltyTier"
    wish = drifted(*at, add="LoyaltyTier:S10", value="gold")
    await _is_noticed("s4hana", question, Drifted(wish=wish, kind="unknown-field", path=path, detail="string"))


ORDER = asked("sales_order.read", id="1")
ORDER_V4 = asked("sales_order_v4.find", reference="PO-1")
LINES = {"operation": "journal_entry.read", "input": ENTRY}
#: Who is asked, what becomes a boolean, and where it must be named: what would have been read as an amount, or a text.
RETYPED: Mapping[str, tuple[Mapping[str, Any], tuple[str, str], str, str]] = {
    "order's total": (ORDER, (ORDERS, "A_SalesOrder"), "TotalNetAmount", "TotalNetAmount"),
    "found order's total": (
        asked("sales_order.find", reference="PO-1"),
        (ORDERS, "A_SalesOrder"),
        "TotalNetAmount",
        "TotalNetAmount",
    ),
    "item's amount": (ORDER, (ORDERS, "A_SalesOrderItem"), "NetAmount", "to_Item[].NetAmount"),
    "item's text": (ORDER, (ORDERS, "A_SalesOrderItem"), "SalesOrderItemText", "to_Item[].SalesOrderItemText"),
    "total of v4": (ORDER_V4, (V4, "SalesOrder"), "TotalNetAmount", "TotalNetAmount"),
    "item's amount of v4": (ORDER_V4, (V4, "SalesOrderItem"), "NetAmount", "_Item[].NetAmount"),
    "line's amount": (LINES, CUBE, "AmountInTransactionCurrency", "items[].AmountInTransactionCurrency"),
    "contact's start": (
        asked("contact_person.list", id="200"),
        (PARTNERS, "A_BusinessPartnerContact"),
        "ValidityStartDate",
        "contacts[].ValidityStartDate",
    ),
}


@pytest.mark.parametrize("name", sorted(RETYPED))
async def test_a_value_of_another_type_is_no_amount_and_no_text(name: str) -> None:
    question, at, field, path = RETYPED[name]
    wish = drifted(*at, retype=f"{field}:B")
    told = Drifted(wish=wish, kind="changed-type", path=path, detail="boolean instead of string")
    await _is_noticed("s4hana", question, told)


async def test_an_amount_that_lines_do_not_show_any_more_is_named() -> None:
    wish = drifted(*CUBE, remove="AmountInTransactionCurrency")
    path = "items[].AmountInTransactionCurrency"
    await _is_noticed("s4hana", LINES, Drifted(wish=wish, kind="missing-field", path=path, detail="required"))


KEYS: Mapping[str, tuple[Mapping[str, Any], tuple[str, str], str, str]] = {
    "read": (ORDER, (ORDERS, "A_SalesOrder"), "SalesOrder", "SalesOrder"),
    "found": (CUSTOMER, (PARTNERS, "A_BusinessPartner"), "BusinessPartner", "BusinessPartner"),
    "found of v4": (ORDER_V4, (V4, "SalesOrder"), "SalesOrder", "SalesOrder"),
    "listed": (
        asked("contact_person.list", id="200"),
        (PARTNERS, "A_BusinessPartnerContact"),
        "BusinessPartnerPerson",
        "contacts[].BusinessPartnerPerson",
    ),
}


@pytest.mark.parametrize("name", sorted(KEYS))
async def test_a_key_that_records_do_not_show_any_more_is_named(name: str) -> None:
    question, at, field, path = KEYS[name]
    told = Drifted(wish=drifted(*at, remove=field), kind="missing-field", path=path, detail="required")
    await _is_noticed("s4hana", question, told)


# --- a tenant's own fields ---


def own_fields(count: int, entity_set: str = "A_SalesOrderItem") -> Any:
    return {
        "drift": [
            {"service": ORDERS, "set": entity_set, "add": f"YY1_Own{number:02d}_SDI:S10", "value": "x"}
            for number in range(count)
        ]
    }


@pytest.mark.parametrize(
    ("entity_set", "place"), [("A_SalesOrder", ""), ("A_SalesOrderItem", "to_Item[].")], ids=("head", "part")
)
async def test_among_a_tenants_fifty_own_fields_one_more_is_seen(entity_set: str, place: str) -> None:
    """Each is named once, with how often it was seen; what would make wrong numbers is kept back among them too."""
    sample = ReadSample(operation="sales_order.read", input={"id": "1"})
    async with stand(CONNECTOR, SAMPLES, bundle_of(CONNECTOR, SAMPLES, sample)) as hub:
        view = View(environment=ENVIRONMENT, database=hub.database, ambient=hub.ambient)
        await hub.sandbox.world.books.seed(own_fields(50, entity_set))
        own = {f"{place}YY1_Own{number:02d}_SDI" for number in range(50)}
        for number in (1, 2):
            assert (await call(hub, sample.input, f"call {number}"))[1] is RunState.SUCCEEDED
            found = drift.listing(view, payloads=True)
            assert {(row.path, row.kind, row.count) for row in found} == {
                (path, "unknown-field", number) for path in own
            }
        wish = drifted(ORDERS, entity_set, add="YY1_OneMore_SDI:S10", value="x")
        await hub.sandbox.world.books.seed(wish)
        await call(hub, sample.input, "call 3")
        news = {row.path: row.count for row in drift.listing(view, payloads=True) if row.path not in own}
        assert news == {f"{place}YY1_OneMore_SDI": 1}
        await hub.sandbox.world.books.seed(drifted(ORDERS, entity_set, retype="TransactionCurrency:B"))
        assert (await call(hub, sample.input, "call 4"))[1] is RunState.PARKED
        (kept,) = [row for row in drift.listing(view, payloads=True) if row.kind == "changed-type"]
        assert (kept.path, kept.action) == (f"{place}TransactionCurrency", "quarantine")


# --- parts that come in pages ---


@pytest.mark.parametrize(
    ("operation", "parts"), [("sales_order.read", "to_Item"), ("sales_order_v4.read", "_Item")], ids=("v2", "v4")
)
async def test_an_order_whose_items_come_in_pages_is_never_read_as_whole(operation: str, parts: str) -> None:
    items = [{"Material": "SUBSCRIPTION", "RequestedQuantity": "1"}] * 2
    seed = {**SAMPLES.seed, "sales_orders": [{**ORDER_BODY, "to_Item": items}], "settings": {"expanded_rows": 1}}
    samples = replace(SAMPLES, seed=seed)
    sample = ReadSample(operation=operation, input={"id": "3"})
    async with stand(CONNECTOR, samples, bundle_of(CONNECTOR, samples, sample)) as hub:
        run, state = await call(hub, sample.input, "in pages")
        assert state is RunState.PARKED
        view = View(environment=ENVIRONMENT, database=hub.database, ambient=hub.ambient)
        (case,) = timeline.detail(view, run, payloads=True).cases
        facts = exact_json.loads(case_facts(hub, case.id))
        assert (case.reason, facts["navigation"], facts["rows"]) == ("parts-in-pages", parts, "1")


# --- events ---


def guarded(types: list[str], connector: Connector = CONNECTOR) -> Bundle:
    """Compile flows that take note of these events, over a connection that the shipped policy guards."""
    files = dict(of_triggers(connector, types).files)
    files[f"connections/{CONNECTION}.yaml"] += b"drift: vendor-drift\n"
    files[POLICY] = (ROOT / POLICY).read_bytes()
    bundle, lints = compile_bundle(files, catalogue_of([connector]))
    assert bundle is not None, [str(lint) for lint in lints]
    return bundle


CHANGED = "sap.s4.beh.businesspartner.v1.BusinessPartner.Changed.*"
POSTED = "sap.s4.beh.journalentry.v1.JournalEntry.Created.v1"


def retold(**deed: Any) -> Any:
    return {"drift": {"event": "*", **deed}}


#: What becomes of an event: the wish, the finding, what is done with it, and the subject that it has then.
EVENTS: Mapping[str, tuple[Any, tuple[str, str, str], str, str]] = {
    "added": (
        retold(add="ChangedByUser", value="SMITH"),
        ("unknown-field", "ChangedByUser", "string"),
        "accepted",
        "10100001",
    ),
    "removed": (
        retold(remove="BusinessPartner", add="PartnerNumber", value="10100001"),
        ("missing-field", "BusinessPartner", "required"),
        "quarantined",
        "",
    ),
    "retyped": (
        retold(retype="BusinessPartner"),
        ("changed-type", "BusinessPartner", "number instead of string"),
        "quarantined",
        "",
    ),
    "of a new version": (
        retold(version="v2"),
        ("unregistered-version", "", "read as 1"),
        "accepted",
        "10100001",
    ),
}


@pytest.mark.parametrize("name", sorted(EVENTS))
async def test_what_changes_in_a_business_event_is_noticed_at_the_first_one(name: str) -> None:
    """What is no key of an event's record never names it."""
    wish, finding, state, subject = EVENTS[name]
    async with stand(CONNECTOR, SAMPLES, guarded(["s4hana.business_partner.changed"])) as hub:
        view = View(environment=ENVIRONMENT, database=hub.database, ambient=hub.ambient)
        arrived = await subscribed(hub)
        await save(hub)
        assert await told(hub, arrived, 1) == [("accepted", "10100001")]
        assert drift.listing(view, payloads=True) == ()
        await hub.sandbox.world.books.seed(wish)
        await save(hub)
        assert await told(hub, arrived, 2) == [("accepted", "10100001"), (state, subject)]
        rows = drift.listing(view, payloads=True)
        assert finding in {(row.kind, row.path, row.detail) for row in rows}
        assert {row.kind for row in rows} - {finding[0]} <= {"unknown-field"}
        assert {row.series for row in rows} == {"s4hana.business_partner_event"}


async def test_a_document_is_named_by_its_keys_alone_in_their_own_order() -> None:
    async with stand(CONNECTOR, SAMPLES, guarded(["s4hana.journal_entry.created"])) as hub:
        arrived = await subscribed(hub, POSTED)
        await hub.sandbox.world.books.seed(retold(add="AAA", value="first of all"))
        lines = [{"account": "41000000", "amount": "-1"}, {"account": "11001000", "amount": "1"}]
        entry = {"company": "1010", "day": "2026-01-31", "currency": "EUR", "type": "SA", "lines": lines}
        await hub.sandbox.world.books.seed({"journal_entries": [entry]})
        ((state, subject),) = await told(hub, arrived, 1)
        assert (state, subject.rpartition("/")[0]) == ("accepted", "1010/2026")


async def test_an_unclear_confirmation_among_others_waits_for_a_person() -> None:
    types = ["s4hana.journal_entry.confirmed", "s4hana.journal_entry.unclear"]
    async with stand(CONNECTOR, SAMPLES, guarded(types)) as hub:
        secret = hub.account.settings.webhook_secret.get_secret_value()  # type: ignore[attr-defined]
        body = bulk(("<AccountingDocument>1800000000</AccountingDocument>", ""))
        await hub.intake.webhook(CONNECTION, {"authorization": f"Bearer {secret}"}, body)
        assert await kept(hub) == [("accepted", "ABCDEFGHIJKLMNOPQRST"), ("quarantined", "SECOND")]


async def subscribed(hub: Stand, types: str = CHANGED) -> list[asyncio.Task[Any]]:
    """Let the tenant send its events to the hub's door; gives the deliveries."""
    arrived: list[asyncio.Task[Any]] = []

    async def post(_url: str, headers: Any, body: bytes, _seconds: float) -> int:
        lowered = {name.lower(): value for name, value in headers.items()}
        arrived.append(asyncio.create_task(hub.intake.webhook(CONNECTION, lowered, body)))
        return 202

    secret = hub.account.settings.webhook_secret.get_secret_value()  # type: ignore[attr-defined]
    hub.sandbox.world.post = post
    login = {"Authorization": f"Bearer {secret}"}
    wish = {"url": "https://hub.example/hooks/s4hana", "types": [types], "headers": login}
    await hub.sandbox.world.books.seed({"subscribe": [wish], "settings": {"changed_events": 1}})
    return arrived


async def save(hub: Stand) -> None:
    """Change the partner as somebody at the tenant does."""
    change = {"table": "A_BusinessPartner", "key": ["10100001"], "set": {"SearchTerm1": f"NEW{hub.ambient.now()}"[:20]}}
    await hub.sandbox.world.books.seed({"changes": [change]})


async def told(hub: Stand, arrived: list[asyncio.Task[Any]], count: int) -> list[tuple[str, str]]:
    """Wait for so many deliveries; gives the state and subject of each event, the first at first."""
    for _ in range(500):
        if len(arrived) >= count:
            break
        await asyncio.sleep(0.01)
    await asyncio.gather(*arrived)
    return await kept(hub)


async def kept(hub: Stand) -> list[tuple[str, str]]:
    with hub.database.reading() as reading:
        rows = reading.execute(select(events.c.state, events.c.subject).order_by(events.c.position)).all()
    return [(row.state, row.subject) for row in rows]


HEADS = {"service": PARTNERS, "set": "A_BusinessPartner"}
#: What becomes of the head of a partner: the wish, the finding, and what is done with the event that tells of it.
STREAMED: Mapping[str, tuple[Any, tuple[str, str, str], str]] = {
    "added": (
        {"drift": {**HEADS, "add": "LoyaltyTier:S10", "value": "gold"}},
        ("unknown-field", "LoyaltyTier", "string"),
        "accepted",
    ),
    "removed": (
        {"drift": {**HEADS, "remove": "BusinessPartnerIsBlocked"}},
        ("missing-field", "BusinessPartnerIsBlocked", "required"),
        "quarantined",
    ),
    "time removed": (
        {"drift": {**HEADS, "remove": "LastChangeTime"}},
        ("missing-field", "LastChangeTime", "required"),
        "quarantined",
    ),
    "retyped": (
        {"drift": {**HEADS, "retype": "BusinessPartnerIsBlocked:S10"}},
        ("changed-type", "BusinessPartnerIsBlocked", "string instead of boolean"),
        "quarantined",
    ),
    "new value": (
        {
            "changes": [
                {
                    "table": "A_BusinessPartner",
                    "key": ["10100001"],
                    "set": {"BusinessPartnerCategory": "4"},
                    "raw": True,
                }
            ]
        },
        ("new-value", "BusinessPartnerCategory", "4"),
        "accepted",
    ),
}


@pytest.mark.parametrize("name", sorted(STREAMED))
async def test_what_changes_at_the_vendor_is_noticed_by_who_polls_its_changes(name: str) -> None:
    wish, finding, state = STREAMED[name]
    async with stand(CONNECTOR, SAMPLES, guarded(["s4hana.business_partner.changed"])) as hub:
        view = View(environment=ENVIRONMENT, database=hub.database, ambient=hub.ambient)
        await poll(hub, "business_partners")
        assert drift.listing(view, payloads=True) == ()
        count = len(await kept(hub))
        await save(hub)
        await hub.sandbox.world.books.seed(wish)
        await poll(hub, "business_partners")
        assert ("10100001", state) in {(subject, state) for state, subject in (await kept(hub))[count:]}
        assert {(row.kind, row.path, row.detail) for row in drift.listing(view, payloads=True)} == {finding}


@pytest.mark.parametrize("name", sorted(stream.name for stream in CONNECTOR.streams))
async def test_of_changes_as_they_should_be_nothing_is_told(name: str) -> None:
    async with stand(CONNECTOR, SAMPLES, guarded(["s4hana.none"])) as hub:
        await poll(hub, name)
        assert await kept(hub)
        view = View(environment=ENVIRONMENT, database=hub.database, ambient=hub.ambient)
        assert drift.listing(view, payloads=True) == ()


async def poll(hub: Stand, name: str) -> None:
    """Take in all that a stream tells of."""
    stream = next(each for each in CONNECTOR.streams if each.name == name)
    connected = Connected(hub.connector, hub.beside)
    try:
        pages = [page async for page in stream.pull(connected, None, LONG_AGO)]
    finally:
        await connected.close()
    for page in pages:
        await hub.intake.accept(CONNECTION, page.events, Via.POLL)


def test_the_samples_have_what_is_asked_for_here() -> None:
    """A person with a mail address, who is a contact."""
    assert (PERSON["BusinessPartner"], CONTACT["BusinessPartnerPerson"]) == ("200", "200")
    assert "EmailAddress" in exact_json.dumps(PERSON).decode()
