"""The scenario in the sandboxes' own words: what each is asked to seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.proof import payouts
from hub.proof.credits import WRONG_RATE
from hub.proof.crm import ENTITIES
from hub.proof.markets import MARKETS, OWN_RATES, TAX_DIGITS, WRONG_TAX, tax_rate
from hub.proof.scenario import PRODUCTS, UNMAPPED_PRODUCT, Customer, Flaw, Invoice, Line, Scenario

#: The events that the demo's flows are about; the webhook endpoint asks for no others.
EVENTS = (
    "invoice.finalized",
    "invoice_payment.paid",
    "invoice.marked_uncollectible",
    "credit_note.created",
    "credit_note.voided",
    "refund.created",
    "refund.updated",
    "refund.failed",
    *payouts.EVENTS,
)
#: By how many minor units a false total lies.
FALSE_BY = 100
#: Seconds after which Stripe's sandbox finalises what a subscription bills, of which Stripe lets an hour pass.
FINALIZES_AFTER = 2
#: Seconds before Stripe's sandbox tries a webhook again, many times faster than Stripe.
WEBHOOK_WAITS = (0.3, 0.5, 1, 1, 2, 2, 3, 3, 5, 5, 10, 10)


def stripe_catalogue(scenario: Scenario) -> dict[str, Any]:
    """Ask Stripe's sandbox for everything that is there before the first invoice."""
    return {
        "switches": {
            "webhook_waits": list(WEBHOOK_WAITS),
            "webhook_timeout": 3,
            **payouts.SWITCHES,
            **({} if scenario.crm is None else {"finalizes_after": FINALIZES_AFTER}),
        },
        "products": [
            {"key": product, "id": product, "name": name}
            for product, name in {**PRODUCTS, UNMAPPED_PRODUCT: "Gift card"}.items()
        ],
        "coupons": [
            {"key": "coupon-percent", "id": "LOYAL15", "percent_off": "15"},
            *(
                {
                    "key": f"coupon-amount-{market.currency}",
                    "id": f"MINUS-{market.currency}",
                    "amount_off": market.unit // 100 * 10,
                    "currency": market.currency.lower(),
                }
                for market in MARKETS
            ),
        ],
        # Where there are contracts, the workspace names the rates, which are there before.
        **(tax_rates() if scenario.crm is None else {}),
        "customers": [_customer(customer, placed=scenario.crm is None) for customer in scenario.at_stripe],
    }


def tax_rates() -> dict[str, Any]:
    """Ask Stripe's sandbox for the rate of each market, and for a wrong one."""
    rates = [_tax_rate(tax_rate(market), market.country, market.tax) for market in MARKETS]
    return {"tax_rates": [*rates, _tax_rate(WRONG_RATE, "US", WRONG_TAX)]}


def _customer(customer: Customer, *, placed: bool) -> dict[str, Any]:
    """Ask for a customer; of one that is not `placed` nobody knows where bills go, and so who sells to it."""
    address = {
        "line1": f"{customer.number + 1} Main Street",
        "city": customer.market.city,
        "postal_code": customer.market.postal_code,
        "country": customer.market.country,
        **({"state": customer.market.state} if customer.market.state else {}),
    }
    return {
        "key": customer.key,
        "name": customer.name,
        "email": f"billing{customer.number + 1}@customer.example",
        **({"address": address} if placed else {"shipping": {"name": customer.name, "address": address}}),
    }


def stripe_invoices(
    scenario: Scenario, *, per_second: float, pay_outs: int = 0, accounts: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Ask Stripe's sandbox to finalise so many invoices a second, to let them be paid, and to pay out so many times.

    `accounts` are Stripe's ids of the customers that came from the CRM, by their names.
    """
    lasting = len(scenario.invoices) / per_second
    drive = {"per_second": per_second, "pay_out_after": payouts.moments(lasting, pay_outs)}
    wished = [_invoice(invoice) for invoice in scenario.invoices]
    for wish, invoice in zip(wished, scenario.invoices, strict=True) if scenario.crm is not None else ():
        if invoice.customer.mapped:
            wish["create"]["customer"] = (accounts or {})[invoice.customer.key]
        else:
            # Only the invoice says which company sells to somebody without an address for bills.
            wish["create"]["metadata"]["entity"] = ENTITIES[invoice.customer.market.country]
    return {"invoices": wished, "drive": drive}


def stripe_credits(scenario: Scenario) -> dict[str, Any]:
    """Ask Stripe's sandbox to give back at once what is to be given back of invoices that are there."""
    return {
        "credits": [
            {"key": f"credit-{number}", "invoice": f"@{invoice.key}", **credit.wish()}
            for invoice in scenario.invoices
            for number, credit in enumerate(invoice.credits)
        ]
    }


def netsuite_wish(scenario: Scenario) -> dict[str, Any]:
    """Ask NetSuite's sandbox for the customers; a moving one has two records."""
    tied = () if scenario.crm is not None else scenario.customers
    records = [(customer, name) for customer in tied for name in netsuite_names(customer)]
    return {
        "customers": [
            {
                "externalId": name,
                "companyName": customer.name,
                "subsidiary": {"id": customer.market.subsidiary},
                "currency": customer.market.currency,
            }
            for customer, name in records
        ]
    }


def netsuite_names(customer: Customer) -> tuple[str, ...]:
    """Give the external ids of a customer's records in NetSuite."""
    return (customer.key, f"{customer.key}-moved") if customer.moving else (customer.key,)


def tax_wish() -> dict[str, Any]:
    """Ask AvaTax's sandbox for the rates and roundings that the scenario reckons with."""
    return {"rates": dict(OWN_RATES), "rounding": {"digits": dict(TAX_DIGITS)}}


def stripe_tax(scenario: Scenario) -> dict[str, Any]:
    """Ask Stripe's sandbox for a seller who collects taxes wherever the scenario's customers are."""
    office = {"address": {"country": "US", "state": "CA"}}
    countries = sorted({customer.market.country for customer in scenario.customers})
    return {
        "tax_settings": [{"defaults": {"tax_code": "txcd_99999999"}, "head_office": office}],
        "tax_registrations": [{"country": country, "active_from": 1} for country in countries],
    }


def _tax_rate(key: str, country: str, percent: str) -> dict[str, Any]:
    return {"key": key, "display_name": "Tax", "percentage": percent, "inclusive": False, "country": country}


def _invoice(invoice: Invoice) -> dict[str, Any]:
    market = invoice.customer.market
    create: dict[str, Any] = {
        "customer": f"@{invoice.customer.key}",
        "currency": market.currency.lower(),
        "metadata": {"order": invoice.key},
    }
    if invoice.coupon is not None:
        name = "coupon-percent" if invoice.coupon == "percent" else f"coupon-amount-{market.currency}"
        create["discounts"] = [{"coupon": f"@{name}"}]
    if invoice.sent:
        create |= {"collection_method": "send_invoice", "days_until_due": 30}
    tax = WRONG_RATE if invoice.flaw is Flaw.WRONG_TAX else tax_rate(market)
    wish: dict[str, Any] = {
        "key": invoice.key,
        "create": create,
        "lines": [_line(line, market.currency, tax) for line in invoice.lines],
        "payments": [
            {
                "after": payment.after,
                "by": payment.by,
                **({} if payment.amount is None else {"amount": payment.amount}),
            }
            for payment in invoice.payments
        ],
        "credits": [credit.wish() for credit in invoice.credits],
    }
    if invoice.flaw is Flaw.FALSE_TOTAL:
        wish["misstate_total"] = FALSE_BY
    return wish


def _line(line: Line, currency: str, tax: str) -> dict[str, Any]:
    return {
        "description": line.description,
        "price_data": {
            "currency": currency.lower(),
            # What the CRM has made is called by what its record is called there: `{seats}`.
            "product": line.product if line.product.startswith("{") else f"@{line.product}",
            "unit_amount_decimal": line.unit_amount,
        },
        "quantity": line.quantity,
        "tax_rates": [f"@{tax}"],
    }
