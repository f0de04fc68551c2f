"""The shipped flows against the vendors' sandboxes: what Stripe invoiced is what NetSuite has, to the smallest unit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hub.errors import FixData, HubError, NotMapped
from hub.model.money import Money
from hub.workspace.bundle import Bundle
from tests.ui.stage import shipped_bundle
from tests.workspace.walk import Walk, walking

#: Customer → country, state, currency, tax in percent, NetSuite's subsidiary.
CUSTOMERS = {
    "us": ("US", "NY", "usd", "8.875", "1"),
    "de": ("DE", "Berlin", "eur", "19", "2"),
    "jp": ("JP", "Tokyo", "jpy", "10", "3"),
    "gb": ("GB", "", "gbp", "20", "4"),
    "kw": ("KW", "", "kwd", "5", "5"),
    # Its tax is reckoned by the tables that ship, not by AvaTax.
    "au": ("AU", "", "aud", "10", "1"),
}
#: By customer: the smallest step of the currency, so that every amount is allowed.
UNIT = {"us": 1, "de": 1, "jp": 1, "gb": 1, "kw": 10, "au": 1}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return shipped_bundle()


@pytest.fixture
async def walk(bundle: Bundle) -> AsyncIterator[Walk]:
    async with walking(bundle) as walk:
        yield walk


def line(customer: str, amount: int, product: str | None = "platform", quantity: int = 1) -> dict[str, Any]:
    """Describe one taxed line; `amount` counts in the currency's smallest step."""
    made: dict[str, Any] = {"description": f"Line of {amount}", "tax_rates": [f"@tax-{customer}"]}
    minor = amount * UNIT[customer]
    if product is None:
        return {**made, "amount": minor}
    currency = CUSTOMERS[customer][2]
    data = {"currency": currency, "product": f"@{product}", "unit_amount_decimal": str(minor)}
    return {**made, "price_data": data, "quantity": quantity}


def wish(invoices: list[dict[str, Any]], products: tuple[str, ...] = ()) -> dict[str, Any]:
    """Describe what is in Stripe's account beside the invoices."""
    named = ("platform", "seats", "usage", "support", *products)
    return {
        "products": [{"key": name, "id": f"prod_{name}", "name": name} for name in named],
        "coupons": [{"key": "loyal", "id": "LOYAL15", "percent_off": "15"}],
        "tax_rates": [
            {"key": f"tax-{key}", "display_name": "Tax", "percentage": percent, "inclusive": False, "country": country}
            for key, (country, _, _, percent, _) in CUSTOMERS.items()
        ],
        "customers": [
            {
                "key": key,
                "name": f"Customer {key}",
                "address": {
                    "line1": "1 A Street With a Name Much Longer Than Fifty Characters Allow",
                    "city": "Town",
                    "state": state,
                    "postal_code": "10001",
                    "country": country,
                },
            }
            for key, (country, state, *_) in CUSTOMERS.items()
        ],
        "invoices": invoices,
    }


async def open_books(walk: Walk, wanted: Mapping[str, Any]) -> list[str]:
    """Fill the sandboxes; gives the ids of the invoices."""
    made = await walk.sandboxes["stripe"].world.books.seed(wanted)
    keys = made["keys"]
    customers = [
        {
            "externalId": keys[key],
            "companyName": f"Customer {key}",
            "subsidiary": {"id": subsidiary},
            "currency": currency.upper(),
        }
        for key, (_, _, currency, _, subsidiary) in CUSTOMERS.items()
    ]
    seeded = await walk.sandboxes["netsuite"].world.books.seed({"customers": customers})
    for external_id, internal_id in seeded["customers"].items():
        walk.crossrefs["customer", "stripe", external_id, "netsuite"] = internal_id
    await walk.sandboxes["tax"].world.books.seed({"rates": {"KW": "0.05"}, "rounding": {"digits": {"JPY": 0}}})
    return list(made["made"]["invoices"])


def every_kind(customer: str) -> list[dict[str, Any]]:
    """Describe invoices with what makes amounts hard."""
    create = {"customer": f"@{customer}", "currency": CUSTOMERS[customer][2]}
    return [
        {"create": create, "lines": [line(customer, 1099)], "payments": [{"by": "card"}]},
        {
            "create": {**create, "discounts": [{"coupon": "@loyal"}]},
            "lines": [
                line(customer, 333, "usage", 37),
                line(customer, 1001, "seats"),
                line(customer, 0, "usage"),
                line(customer, -250, None),
            ],
            "payments": [{"amount": 5000, "by": "report"}, {"by": "card"}],
        },
        {
            "create": {**create, "collection_method": "send_invoice", "days_until_due": 30},
            "lines": [line(customer, 101 + 7 * place, "support") for place in range(130)],
            "payments": [{"amount": 1000, "by": "card"}],
        },
    ]


async def test_every_document_is_posted_as_it_was_invoiced(walk: Walk) -> None:
    ids = await open_books(walk, wish([each for key in CUSTOMERS for each in every_kind(key)]))
    for invoice in ids:
        await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    books = walk.sandboxes["stripe"].world.books.snapshot()
    paid = [payment for invoice in books["invoices"] for payment in invoice["payments"] if payment["status"] == "paid"]
    for payment in paid:
        await walk.flow("payment-to-erp", payment)

    posted = walk.sandboxes["netsuite"].world.books.snapshot()
    assert len(ids) == len(posted["invoices"]) == 3 * len(CUSTOMERS)
    assert len(paid) == len(posted["payments"]) >= 4 * len(CUSTOMERS) - 1
    erp = {each["externalId"]: each for each in posted["invoices"]}
    for invoice in books["invoices"]:
        currency = invoice["currency"].upper()
        document = erp[invoice["id"]]
        assert major(document["total"], currency) == invoice["total"]
        assert len(document["item"]) == len(invoice["lines"])
        assert invoice["metadata"] == {
            "erp_system": "netsuite",
            "erp_id": document["id"],
            "erp_number": invoice["number"],
        }
        assert major(document["amountRemaining"], currency) == invoice["amount_remaining"]


async def test_a_payment_stands_under_the_customer_of_its_invoice_wherever_that_is_tied_by_then(walk: Walk) -> None:
    (invoice,) = await open_books(walk, wish(every_kind("de")[:1]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    (sold,) = walk.sandboxes["stripe"].world.books.snapshot()["invoices"]
    for tie in [tie for tie in walk.crossrefs if tie[:3] == ("customer", "stripe", sold["customer"])]:
        walk.crossrefs[tie] = "999"
    await walk.flow("payment-to-erp", sold["payments"][0])
    posted = walk.sandboxes["netsuite"].world.books.snapshot()
    assert posted["payments"][0]["customer"] == posted["invoices"][0]["entity"]
    assert posted["invoices"][0]["amountRemaining"] == "0.00"


async def test_each_invoice_is_compared_with_its_document_a_day_later(walk: Walk) -> None:
    ids = await open_books(walk, wish([each for key in CUSTOMERS for each in every_kind(key)[:2]]))
    for invoice in ids:
        await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    now = datetime.now(UTC)
    compared = await walk.at("invoices-agree", now + timedelta(hours=24, minutes=30))
    assert compared["invoices"]["count"] == len(ids)
    # Of another hour there is nothing.
    assert (await walk.at("invoices-agree", now))["invoices"]["count"] == 0
    # Whoever finds another document in its place is told so.
    one, other = (("invoice", "stripe", ids[number], "netsuite") for number in (0, 1))
    walk.crossrefs[one] = walk.crossrefs[other]
    with pytest.raises(FixData) as refused:
        await walk.at("invoices-agree", now + timedelta(hours=24, minutes=30))
    assert refused.value.code == "posted-differently"


def major(amount: Any, currency: str) -> int:
    return Money.of_major(Decimal(str(amount)), currency).minor


async def stopped(
    walk: Walk, invoice: dict[str, Any], *, products: tuple[str, ...] = (), known: bool = True
) -> HubError:
    """Walk one invoice that must not get through; gives what stopped it."""
    (identifier,) = await open_books(walk, wish([invoice], products))
    if not known:
        walk.crossrefs.clear()
    with pytest.raises(HubError) as caught:
        await walk.flow("invoice-to-erp", {"id": identifier, "object": "invoice"})
    assert walk.sandboxes["netsuite"].world.books.snapshot()["invoices"] == []
    return caught.value


ONE = {"create": {"customer": "@de", "currency": "eur"}, "lines": [line("de", 1099)]}


async def test_a_customer_without_a_crossref_stops_it(walk: Walk) -> None:
    assert isinstance(await stopped(walk, ONE, known=False), NotMapped)


async def test_a_product_without_a_tax_code_stops_it(walk: Walk) -> None:
    lines = [line("de", 1099, "hardware")]
    error = await stopped(walk, {**ONE, "lines": lines}, products=("hardware",))
    assert isinstance(error, NotMapped)
    assert error.facts["table"] == "tax_codes"


async def test_a_total_that_does_not_add_up_stops_it(walk: Walk) -> None:
    error = await stopped(walk, {**ONE, "misstate_total": 1})
    assert isinstance(error, FixData)
    assert error.code == "total-does-not-add-up"


async def test_another_tax_than_the_engine_finds_stops_it(walk: Walk) -> None:
    untaxed = {key: value for key, value in line("de", 1099).items() if key != "tax_rates"}
    error = await stopped(walk, {**ONE, "lines": [untaxed]})
    assert error.code == "tax-mismatch"


async def test_a_currency_stripe_counts_differently_stops_it(walk: Walk) -> None:
    lines = [{"description": "Krónur", "amount": 50_000}]
    error = await stopped(walk, {"create": {"customer": "@gb", "currency": "isk"}, "lines": lines})
    assert isinstance(error, NotMapped)
    assert error.facts["table"] == "stripe_currencies"


async def test_an_invoice_below_zero_stops_it(walk: Walk) -> None:
    """NetSuite takes none, and what it comes to is the customer's credit at Stripe already."""
    error = await stopped(walk, {**ONE, "lines": [line("de", 1099), line("de", -5000, None)]})
    assert error.code == "invoice-below-zero"
    assert walk.sandboxes["tax"].world.books.snapshot()["documents"] == []
    (invoice,) = walk.sandboxes["stripe"].world.books.snapshot()["invoices"]
    due = invoice["total"], invoice["amount_due"], invoice["status"], invoice["ending_balance"]
    assert due == (-4642, 0, "paid", -4642)


async def test_an_invoice_of_nothing_is_posted(walk: Walk) -> None:
    (id,) = await open_books(walk, wish([{**ONE, "lines": [line("de", 1099), line("de", -1099, None)]}]))
    await walk.flow("invoice-to-erp", {"id": id})
    (posted,) = walk.sandboxes["netsuite"].world.books.snapshot()["invoices"]
    assert Decimal(str(posted["total"])) == 0


async def test_books_that_do_not_take_the_currency_stop_it(walk: Walk) -> None:
    error = await stopped(walk, {"create": {"customer": "@jp", "currency": "eur"}, "lines": [line("de", 1099)]})
    assert error.code == "no-rule-matched"


async def test_a_collections_notice_names_customer_and_amount(walk: Walk) -> None:
    create = {"customer": "@kw", "currency": "kwd"}
    (identifier,) = await open_books(walk, wish([{"create": create, "lines": [line("kw", 1099)]}]))
    operation = walk.connectors["stripe"].operation("invoice.read")
    assert operation is not None
    invoice = await operation.read(walk.connected["stripe"], {"id": identifier})  # type: ignore[union-attr]
    await walk.flow("collections-notice", invoice)
    (call,) = walk.sandboxes["netsuite"].world.books.snapshot()["restletCalls"]
    customer = walk.crossrefs["customer", "stripe", invoice["customer"], "netsuite"]
    assert call["body"]["customer"] == customer
    assert major(call["body"]["amount"], "KWD") == invoice["amount_remaining"]


async def test_an_exempt_customer_is_exempt_for_the_engine_too(walk: Walk) -> None:
    untaxed = {key: value for key, value in line("us", 1099).items() if key != "tax_rates"}
    create = {"customer": "@us", "currency": "usd"}
    wanted = wish([{"create": create, "lines": [untaxed]}])
    for customer in wanted["customers"]:
        customer["tax_exempt"] = "exempt"
    (invoice,) = await open_books(walk, wanted)
    scope = await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    assert scope["quote"]["lines"][0]["reason"] == scope["tax"]["lines"][0]["reason"] == "exempt-customer"
    assert scope["tax"]["nexus"] == [{"country": "US", "region": "NY", "collecting": True}]
    assert (scope["tax"]["tax_total"], scope["tax"]["exempt_total"]) == (0, Decimal("10.99"))
