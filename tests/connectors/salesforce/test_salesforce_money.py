"""In which currency an amount is: asked for wherever it is read, named wherever it is written, and never guessed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.salesforce.amounts import CURRENCY
from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.samples import PRICE_BOOK
from connectors.salesforce.webhook import WEBHOOK
from hub.sdk.errors import FixConnection, FixData, UnreadableWebhook
from hub.sdk.exact_json import dumps, loads
from hub.sdk.values import Request, Response
from tests.connectors.salesforce.connected import KEY, Org, org, settings, written
from tests.connectors.salesforce.test_salesforce_money_sent import ID, message

CURRENCIES = [
    {"IsoCode": "USD", "ConversionRate": 1, "IsCorporate": True},
    {"IsoCode": "EUR", "ConversionRate": Decimal("0.5")},
]
BOOKED = {"Pricebook2Id": PRICE_BOOK, "CurrencyIsoCode": "EUR"}
PRICE = {"Pricebook2Id": PRICE_BOOK, "Product2Id": "@{seats}", "UnitPrice": Decimal("12.50"), "IsActive": True}
ACCOUNT = {"type": "Account", "Name": "Ahorn", "AnnualRevenue": 12, "Billing_Id__c": "cus_1", "CurrencyIsoCode": "EUR"}
SEVERAL: dict[str, Any] = {
    "settings": {"bulk_seconds": 0},
    "currencies": CURRENCIES,
    "records": [
        {**ACCOUNT, "ref": "ahorn"},
        {"type": "Account", "Name": "Birke", "AnnualRevenue": 7, "Billing_Id__c": "cus_2", "ParentId": "@{ahorn}"},
        {"type": "Contact", "LastName": "Linde", "AccountId": "@{ahorn}", "Billing_Id__c": "con_1"},
        {"type": "Product2", "ref": "seats", "Name": "Seats", "IsActive": True},
        {**PRICE, "type": "PricebookEntry"},
        {
            **PRICE,
            "type": "PricebookEntry",
            "ref": "price",
            "CurrencyIsoCode": "EUR",
            "Billing_Price_Id__c": "price_1",
        },
        {
            "type": "Contract",
            "ref": "contract",
            "AccountId": "@{ahorn}",
            "StartDate": "2026-02-01",
            "ContractTerm": 12,
            "Status": "Draft",
            "Billing_Id__c": "ctr_1",
            "CurrencyIsoCode": "EUR",
        },
        {
            **BOOKED,
            "type": "Order",
            "ref": "order",
            "AccountId": "@{ahorn}",
            "ContractId": "@{contract}",
            "EffectiveDate": "2026-02-01",
            "Status": "Draft",
            "Billing_Id__c": "ord_1",
        },
        {
            "type": "OrderItem",
            "OrderId": "@{order}",
            "PricebookEntryId": "@{price}",
            "Quantity": 3,
            "UnitPrice": Decimal("12.50"),
        },
    ],
}
SELECT = {
    "Account": ("Name", "AnnualRevenue"),
    "Contract": ("ContractNumber", "StatusCode", "AccountId"),
    "Order": ("TotalAmount", "ContractId"),
    "OrderItem": ("UnitPrice", "OrderId"),
    "PricebookEntry": ("UnitPrice",),
    "Invoice__c": ("Total__c", "Status__c"),
}
SINCE = datetime(2000, 1, 1, tzinfo=UTC)


def many(**changed: Any) -> Any:
    """Serve an org with several currencies, of which few fields are selected, and never the currency."""
    return org(SEVERAL, **{"currency": "", "select": SELECT, **changed})


async def test_a_selected_list_of_fields_without_the_currency_is_asked_for_it() -> None:
    async with many() as here:
        for wanted in ({"external_id": "cus_1"}, {"id": await id_of(here, "cus_1")}):
            account = await here.read("account.read", wanted)
            assert (account["AnnualRevenue"], account[CURRENCY]) == (12, "EUR")
        # What was not selected is not given.
        assert {*account} == {"Id", "Name", "AnnualRevenue", "SystemModstamp", CURRENCY}
        order = await here.read("order.read", {"external_id": "ord_1"})
        assert (order["TotalAmount"], order[CURRENCY]) == (Decimal("37.5"), "EUR")
        assert [(one["UnitPrice"], one[CURRENCY]) for one in order["OrderItems"]] == [(Decimal("12.5"), "EUR")]
        contract = await here.read("contract.read", {"external_id": "ctr_1"})
        assert [contract[CURRENCY], contract["Orders"][0][CURRENCY]] == ["EUR", "EUR"]
        assert contract["Orders"][0]["OrderItems"][0][CURRENCY] == "EUR"
        price = await here.read("price_book_entry.read", {"external_id": "price_1"})
        assert (price["UnitPrice"], price[CURRENCY]) == (Decimal("12.5"), "EUR")


async def id_of(here: Org, value: str) -> str:
    """Give an account's id, without asking the connector."""
    return next(str(one["Id"]) for one in here.books["records"]["Account"] if one["Billing_Id__c"] == value)


@pytest.mark.parametrize("operation", ["record.read", "record.find"])
async def test_a_record_of_any_object_names_the_currency_of_its_amounts(operation: str) -> None:
    async with many() as here:
        for object, value, amount in (("Account", "cus_1", 12), ("PricebookEntry", "price_1", Decimal("12.5"))):
            record = (await here.read(operation, {"object": object, "value": value}))["record"]
            assert record[CURRENCY] == "EUR"
            assert amount in record.values()


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("SELECT Name, AnnualRevenue FROM Account WHERE Billing_Id__c = 'cus_1'", ()),
        ("select a.AnnualRevenue from Account a where a.Name = 'Ahorn FROM x'", ()),
        ("SELECT FIELDS(CUSTOM) FROM Account WHERE Billing_Id__c = 'cus_1' LIMIT 1", ()),
        ("SELECT FIELDS(STANDARD) FROM Account WHERE Billing_Id__c = 'cus_1' LIMIT 1", ()),
        ("SELECT AnnualRevenue, CurrencyISOCode FROM Account WHERE Billing_Id__c = 'cus_1'", ()),
        ("SELECT LastName, Account.AnnualRevenue FROM Contact WHERE Billing_Id__c = 'con_1'", ("Account",)),
        ("SELECT Name, Parent.AnnualRevenue FROM Account WHERE Billing_Id__c = 'cus_2'", ("Parent",)),
        ("SELECT Id, (SELECT UnitPrice FROM OrderItems) FROM Order WHERE Billing_Id__c = 'ord_1'", ("OrderItems", 0)),
        (
            "SELECT Id, (SELECT Id, (SELECT UnitPrice FROM OrderItems) FROM Orders) FROM Contract",
            ("Orders", 0, "OrderItems", 0),
        ),
        ("SELECT UnitPrice FROM PricebookEntry WHERE Billing_Price_Id__c = 'price_1'", ()),
    ],
)
async def test_a_query_is_asked_for_the_currency_of_the_amounts_that_it_names(query: str, place: Any) -> None:
    renamed = "Ahorn FROM x"
    seed = {**SEVERAL, "changes": []}
    async with org(seed, currency="") as here:
        if renamed in query:
            await here.seed({"changes": [{"type": "Account", "id": await id_of(here, "cus_1"), "Name": renamed}]})
        (found,) = (await here.read("record.query", {"q": query}))["items"]
        for step in place:
            found = found[step]
        assert found[CURRENCY] == "EUR"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT SUM(AnnualRevenue) total FROM Account",
        "SELECT CurrencyIsoCode, MAX(AnnualRevenue) FROM Account GROUP BY CurrencyIsoCode",
        "SELECT convertCurrency(AnnualRevenue), CurrencyIsoCode FROM Account",
        "SELECT AVG(Account.AnnualRevenue) FROM Contact",
        "SELECT TYPEOF Owner WHEN User THEN Name ELSE Name END FROM Account",
        "SELECT a.AnnualRevenue FROM Contact c, c.Account a",
    ],
)
async def test_an_amount_of_which_no_row_names_the_currency_is_refused_before_it_is_asked_for(query: str) -> None:
    """Salesforce gives sums in the org's own currency, and what is converted in that of the user."""
    async with many() as here:
        with pytest.raises(FixData) as refusal:
            await here.read("record.query", {"q": query})
        assert refusal.value.code == "no-currency"
        assert not any("/query?" in asked for asked in here.connected.asked)


async def test_what_has_no_currency_itself_leads_to_amounts_that_have_one() -> None:
    """Not every object of an org with several currencies has one: what it leads to is looked at by itself."""
    badge = {
        "label": "Badge",
        "currency": False,
        "fields": [
            {"name": "Name", "type": "string", "length": 20, "nameField": True},
            {"name": "Account__c", "type": "reference", "referenceTo": ["Account"], "children": "Badges__r"},
        ],
    }
    async with org(SEVERAL, currency="") as here:
        await here.seed({"objects": {"Badge__c": badge}})
        made = {"type": "Badge__c", "Name": "One", "Account__c": await id_of(here, "cus_1")}
        await here.seed({"records": [made]})
        query = "SELECT Name, Account__r.AnnualRevenue FROM Badge__c"
        (found,) = (await here.read("record.query", {"q": query}))["items"]
        assert found["Account__r"] == {"AnnualRevenue": 12, CURRENCY: "EUR"}


async def test_in_an_org_with_one_currency_a_query_is_sent_as_it_is() -> None:
    async with org() as here:
        query = "SELECT Name, AnnualRevenue FROM Account WHERE Billing_Id__c = 'cus_1'"
        (found,) = (await here.read("record.query", {"q": query}))["items"]
        assert found == {"Name": "Alder Works", "AnnualRevenue": 12}
        (total,) = (await here.read("record.query", {"q": "SELECT SUM(AnnualRevenue) total FROM Account"}))["items"]
        assert total == {"total": 12}
        # What the sandbox does not know it refuses itself.
        with pytest.raises(FixData) as refusal:
            await here.read("record.query", {"q": "SELECT TYPEOF Owner WHEN User THEN Name END FROM Contact"})
        assert refusal.value.code == "malformed-query"


async def test_what_names_no_amount_costs_no_further_call() -> None:
    async with many() as here:
        await here.read("record.query", {"q": "SELECT Id, ParentId FROM Account"})
        await here.read("record.query", {"q": "SELECT COUNT(Id) many FROM Account"})
        await here.read("record.query", {"q": "SELECT c.id, Account.Name, Account.OwnerId FROM Contact c"})
        assert not any("describe" in asked for asked in here.connected.asked)


async def test_an_amount_whose_name_ends_as_that_of_an_id_is_one() -> None:
    paid = {"object": "Account", "name": "TotalAmountPaid", "label": "Paid", "type": "currency", "scale": 2}
    async with org({"fields": [{**paid, "precision": 18}]}, currency="") as here:
        await here.seed({"currencies": CURRENCIES})
        made = {"type": "Account", "Name": "Erle", "TotalAmountPaid": 5, CURRENCY: "EUR"}
        await here.seed({"records": [made]})
        query = "SELECT Id, TotalAmountPaid FROM Account WHERE Name = 'Erle'"
        (found,) = (await here.read("record.query", {"q": query}))["items"]
        assert (found["TotalAmountPaid"], found[CURRENCY]) == (5, "EUR")


async def test_what_leads_to_one_of_several_kinds_has_no_amount() -> None:
    async with many() as here:
        query = "SELECT Owner.Name, AnnualRevenue FROM Account WHERE Billing_Id__c = 'cus_1'"
        (found,) = (await here.read("record.query", {"q": query}))["items"]
        assert (found["AnnualRevenue"], found[CURRENCY]) == (12, "EUR")


async def test_changes_and_lists_name_the_currency_of_their_amounts() -> None:
    async with many() as here:
        streams = {stream.name: stream for stream in CONNECTOR.streams}
        found = [
            event.record
            for name in ("accounts", "price_book_entries")
            async for page in streams[name].pull(here.connected, None, SINCE)
            for event in page.events
        ]
        listings = {listing.name: listing for listing in CONNECTOR.listings}
        for name in ("all_accounts", "all_price_book_entries"):
            found += [
                event.record async for page in listings[name].pull(here.connected, None, SINCE) for event in page.events
            ]
        named = sorted(
            (one[CURRENCY], one.get("AnnualRevenue", one.get("UnitPrice"))) for one in found if one is not None
        )
        once = [("EUR", 12), ("EUR", Decimal("12.5")), ("USD", 7), ("USD", Decimal("12.5"))]
        assert named == sorted(once * 2)


async def test_a_record_without_the_currency_of_its_amounts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An org that has several currencies was seen to have them: whatever does not name one then says nothing."""
    for hidden in (None, "left out"):
        async with org(SEVERAL, currency="") as here:
            await here.read("account.read", {"external_id": "cus_2"})
            _without_currency(here, monkeypatch, null=hidden is None)
            reads = (
                ("account.read", {"external_id": "cus_1"}),
                ("order.read", {"external_id": "ord_1"}),
                ("contract.read", {"external_id": "ctr_1"}),
                ("record.query", {"q": "SELECT AnnualRevenue FROM Account"}),
                ("record.query", {"q": "SELECT Account.AnnualRevenue FROM Contact"}),
                ("record.query", {"q": "SELECT Id, (SELECT UnitPrice FROM OrderItems) FROM Order"}),
            )
            for name, wanted in reads:
                with pytest.raises(FixData) as refusal:
                    await here.read(name, wanted)
                assert refusal.value.code == "no-currency", name
            pulls = [stream.pull for stream in CONNECTOR.streams if stream.name == "accounts"]
            pulls += [listing.pull for listing in CONNECTOR.listings if listing.name == "all_accounts"]
            for pull in pulls:
                with pytest.raises(FixData) as refusal:
                    [page async for page in pull(here.connected, None, SINCE)]
                assert refusal.value.code == "no-currency"


def _without_currency(here: Org, monkeypatch: pytest.MonkeyPatch, *, null: bool) -> None:
    """Let something between the org and the hub take the currency out of all records."""
    send = here.connected.send

    async def sent(request: Request) -> Response:
        response = await send(request)
        if "describe" in request.url or not response.body:
            return response
        if response.headers.get("content-type", "").startswith("text/csv"):
            body = response.body.replace(b'"EUR"', b'""').replace(b'"USD"', b'""')
            assert body != response.body
            return Response(status=response.status, headers=response.headers, body=body)
        return Response(status=response.status, headers=response.headers, body=dumps(_cleared(loads(response.body))))

    def _cleared(value: Any) -> Any:
        if isinstance(value, list):
            return [_cleared(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            name: None if name == CURRENCY else _cleared(inner)
            for name, inner in value.items()
            if null or name != CURRENCY
        }

    monkeypatch.setattr(here.connected, "send", sent)


async def test_a_record_in_another_currency_than_the_settings_say_is_refused() -> None:
    async with org(SEVERAL, currency="USD", select=SELECT) as here:
        assert (await here.read("account.read", {"external_id": "cus_2"}))[CURRENCY] == "USD"
        reads = (
            ("account.read", {"external_id": "cus_1"}),
            ("record.read", {"object": "Account", "value": "cus_1"}),
            ("order.read", {"external_id": "ord_1"}),
            ("record.query", {"q": "SELECT AnnualRevenue FROM Account"}),
        )
        for name, wanted in reads:
            with pytest.raises(FixConnection) as refusal:
                await here.read(name, wanted)
            assert refusal.value.code == "wrong-currency", name
        for pull in (
            next(stream for stream in CONNECTOR.streams if stream.name == "accounts").pull,
            next(listing for listing in CONNECTOR.listings if listing.name == "all_accounts").pull,
        ):
            with pytest.raises(FixConnection) as refusal:
                [page async for page in pull(here.connected, None, SINCE)]
            assert refusal.value.code == "wrong-currency"


async def test_an_org_that_begins_to_have_several_currencies_is_read_anew() -> None:
    """What was asked of it before, and a list that it has begun to give, say nothing of currencies."""
    before = {name: value for name, value in ACCOUNT.items() if name != CURRENCY}
    async with org({"settings": {"bulk_seconds": 0}, "records": [before]}, currency="") as here:
        accounts = next(stream for stream in CONNECTOR.streams if stream.name == "accounts")
        listing = next(listing for listing in CONNECTOR.listings if listing.name == "all_accounts")
        (read,) = [page async for page in accounts.pull(here.connected, None, SINCE)]
        assert [event.record[CURRENCY] for event in read.events if event.record] == ["USD"]
        listed = listing.pull(here.connected, None, SINCE)
        ordered = (await anext(listed)).cursor
        await here.seed({"currencies": CURRENCIES})
        await here.seed({"changes": [{"type": "Account", "id": await id_of(here, "cus_1"), CURRENCY: "EUR"}]})
        assert (await here.read("account.read", {"external_id": "cus_1"}))[CURRENCY] == "EUR"
        pages = [page async for page in accounts.pull(here.connected, None, SINCE)]
        pages += [page async for page in listing.pull(here.connected, ordered, SINCE)]
        found = [event.record[CURRENCY] for page in pages for event in page.events if event.record]
        assert found == ["EUR", "EUR"]


async def test_no_change_is_in_the_own_currency_of_an_org_that_has_several_by_then() -> None:
    """Nothing but its changes is read meanwhile, and its fields were asked for a moment ago."""
    before = {name: value for name, value in ACCOUNT.items() if name != CURRENCY}
    async with org({"records": [before]}, currency="") as here:
        accounts = next(stream for stream in CONNECTOR.streams if stream.name == "accounts")
        (_,) = [page async for page in accounts.pull(here.connected, None, SINCE)]
        await here.seed({"currencies": CURRENCIES})
        await here.seed({"changes": [{"type": "Account", "id": await id_of(here, "cus_1"), CURRENCY: "EUR"}]})
        pages = [page async for page in accounts.pull(here.connected, None, SINCE)]
        assert [event.record[CURRENCY] for page in pages for event in page.events if event.record] == ["EUR"]


async def test_the_test_of_a_connection_says_that_the_org_has_several_currencies() -> None:
    async with org(SEVERAL, currency="USD") as here:
        with pytest.raises(FixConnection) as refusal:
            await CONNECTOR.ping(here.connected)
        assert refusal.value.code == "wrong-currency"
        assert "several" in refusal.value.detail
    async with org(SEVERAL, currency="") as here:
        await CONNECTOR.ping(here.connected)


async def test_how_an_invoice_stands_is_told_with_its_currency() -> None:
    invoice = {"external_id": "in_1", "account": {"external_id": "cus_1"}, "status": "Open", "currency": "EUR"}
    async with many() as here:
        await here.write("invoice_status.upsert", {**invoice, "number": "1", "total": Decimal("10.10")})
        found = (await here.read("invoice_status.find", {"external_id": "in_1"}))["invoice"]
        assert (found["total"], found["currency"]) == (Decimal("10.1"), "EUR")
    async with org() as here:
        await here.write("invoice_status.upsert", {**invoice, "number": "1", "currency": "USD", "total": Decimal(5)})
        found = (await here.read("invoice_status.find", {"external_id": "in_1"}))["invoice"]
        assert (found["total"], found["currency"]) == (5, "USD")


FIELDS = {"Name": "Esche", "AnnualRevenue": Decimal(5)}
EURO = {**FIELDS, CURRENCY: "EUR"}


def writes(fields: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give every write that names fields."""
    row = {"value": "cus_9", "fields": fields}
    return {
        "account.upsert": {"external_id": "cus_9", "fields": fields},
        "record.upsert": {"object": "Account", **row},
        "record.create": {"object": "Account", "fields": fields},
        "record.update": {"object": "Account", "id": ID, "fields": fields},
        "records.upsert": {"object": "Account", "records": [row]},
        "records.write": {"records": [{"object": "Account", **row}]},
        "bulk.submit": {"object": "Account", "records": [row]},
    }


def refused(name: str, record: dict[str, Any], **changed: Any) -> str:
    """Give the code with which a write is refused before anything is sent; empty where it is not."""
    try:
        written(name).request(settings(**changed), record, KEY)
    except FixData as error:
        return error.code
    return ""


@pytest.mark.parametrize("name", sorted(writes(FIELDS)))
def test_an_amount_is_written_with_its_currency(name: str) -> None:
    assert refused(name, writes(FIELDS)[name], currency="") == "no-currency"
    assert refused(name, writes({**EURO, CURRENCY: None})[name], currency="") == "no-currency"
    assert refused(name, writes(EURO)[name], currency="") == ""
    assert refused(name, writes({"Name": "Esche"})[name], currency="") == ""
    assert refused(name, writes({**FIELDS, "AnnualRevenue": None})[name], currency="") == ""
    # An org with one currency has it for all amounts, and no field for it.
    assert refused(name, writes(FIELDS)[name], currency="USD") == ""
    assert refused(name, writes(EURO)[name], currency="USD") == "wrong-currency"
    for given in (FIELDS, {**FIELDS, CURRENCY: "USD"}, {**FIELDS, CURRENCY: None}):
        request = written(name).request(settings(), writes(given)[name], KEY)
        assert b"CurrencyIsoCode" in request.body
        assert b"USD" in request.body


def test_amounts_of_the_orgs_own_are_named_by_the_setting() -> None:
    record: dict[str, Any] = {"object": "Usage__c", "value": "u", "fields": {"Worth__c": Decimal(5)}}
    assert refused("record.upsert", record, currency="") == ""
    own = {"Usage__c": ("Worth__c",)}
    assert refused("record.upsert", record, currency="", amounts=own) == "no-currency"
    named = {**record, "fields": {**record["fields"], CURRENCY: "EUR"}}
    assert refused("record.upsert", named, currency="", amounts=own) == ""


async def test_lines_are_in_the_currency_of_their_head() -> None:
    """Salesforce takes it from the head, and refuses a price of another currency."""
    line: dict[str, Any] = {"object": "OrderItem", "value": "l", "fields": {"UnitPrice": Decimal(5)}}
    assert refused("record.upsert", line, currency="") == ""
    assert refused("record.upsert", {**line, "fields": {**line["fields"], CURRENCY: "EUR"}}) == "wrong-currency"


async def test_every_write_of_an_amount_arrives_in_its_currency() -> None:
    async with org(SEVERAL, currency="") as here:
        row = {"value": "cus_9", "fields": EURO}
        await here.write("records.upsert", {"object": "Account", "records": [row]})
        row = {"value": "cus_8", "fields": EURO}
        await here.write("bulk.submit", {"object": "Account", "records": [row]})
        kept = {one["Billing_Id__c"]: one[CURRENCY] for one in here.books["records"]["Account"]}
        assert (kept["cus_9"], kept["cus_8"]) == ("EUR", "EUR")


EUROS = [{"IsoCode": "EUR", "IsCorporate": True}]
INVOICE = {
    "external_id": "in_1",
    "account": {"external_id": "cus_1"},
    "number": "1",
    "status": "Open",
    "currency": "EUR",
    "total": Decimal(1190),
}
ONE_OF_EUROS = {
    "currency": "EUR",
    "records": [{"type": "Account", "Name": "Ahorn", "AnnualRevenue": 1, "Billing_Id__c": "cus_1"}],
}


async def test_an_org_that_has_several_currencies_by_now_is_told_that_of_an_amount() -> None:
    """The settings still say that it has euros alone, and whoever names none is given the user's own."""
    async with org(ONE_OF_EUROS, currency="EUR") as here:
        await here.seed({"currencies": EUROS})
        await here.read("account.read", {"external_id": "cus_1"})
        for name, wanted in writes({**FIELDS, CURRENCY: "EUR"}).items():
            assert CURRENCY.encode() in written(name).request(here.connected.settings, wanted, KEY).body, name
        for name, wanted in writes(FIELDS).items():
            assert b"EUR" in written(name).request(here.connected.settings, wanted, KEY).body, name
        await here.write("invoice_status.upsert", INVOICE)
        assert [one[CURRENCY] for one in here.books["records"]["Invoice__c"]] == ["EUR"]
        # A message that names none may be in any of them by now.
        with pytest.raises(UnreadableWebhook) as unnamed:
            WEBHOOK.read(here.connected.settings, message(AnnualRevenue="1.2E7"))
        assert unnamed.value.code == "no-currency"


@pytest.mark.parametrize("ask", ["object.describe", "ping"])
async def test_whoever_asks_what_an_object_has_sees_that_the_org_has_several_currencies(ask: str) -> None:
    async with org(ONE_OF_EUROS, currency="EUR") as here:
        await here.seed({"currencies": EUROS})
        if ask == "ping":
            with pytest.raises(FixConnection):
                await CONNECTOR.ping(here.connected)
        else:
            await here.read(ask, {"object": "Account"})
        asked = len(here.connected.asked)
        await here.write("invoice_status.upsert", INVOICE)
        # It need not ask again.
        assert len(here.connected.asked) == asked + 1
        assert [one[CURRENCY] for one in here.books["records"]["Invoice__c"]] == ["EUR"]
