"""The scenario that most cases of the crash sweep begin with: one customer with one invoice."""

from __future__ import annotations

from hub.proof.credits import Credit
from hub.proof.markets import MARKETS
from hub.proof.scenario import Customer, Invoice, Line, Payment, Scenario


def one_invoice(
    *payments: Payment,
    quantity: int = 3,
    credits: tuple[Credit, ...] = (),
    product: str = "prod_subscription",
) -> Scenario:
    """Give a German customer and its invoice in euros, with what is paid of it and given back.

    Its first line sells a `product` as `Line` names it.
    """
    market = next(market for market in MARKETS if market.currency == "EUR")
    customer = Customer(key="customer-0", number=0, name="Alder Works", market=market, mapped=True, moving=False)
    lines = (
        Line(product=product, description="Platform fee", unit_amount=str(market.unit), quantity=quantity),
        Line(product="prod_usage", description="Metered usage", unit_amount=f"{market.unit}.1234", quantity=7),
    )
    invoice = Invoice(
        key="invoice-0",
        customer=customer,
        lines=lines,
        payments=payments,
        coupon=None,
        sent=True,
        flaw=None,
        notice=None,
        credits=credits,
    )
    return Scenario(seed=1, customers=(customer,), invoices=(invoice,))
