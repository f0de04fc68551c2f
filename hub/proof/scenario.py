"""What the demo lets happen: customers, invoices, payments and the documents that must become exceptions.

Everything is drawn from the seed alone, so that what must come of it is known before anything runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from random import Random

from hub.proof import credits, customers
from hub.proof.consent import LIMITS
from hub.proof.credits import Credit
from hub.proof.crm import Crm
from hub.proof.customers import Followed
from hub.proof.markets import MARKETS, Market

_NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper", "Larch", "Maple")
_FORMS = ("Works", "Foods", "Labs", "Freight", "Media", "Health", "Tools", "Energy")
#: Product → what its lines are called; every one has an item in the ERP and a tax code.
PRODUCTS: Mapping[str, str] = {
    "prod_subscription": "Platform fee",
    "prod_usage": "Metered usage",
    "prod_services": "Professional services",
    "prod_adjustment": "Credit for an outage",
}
#: A product that the workspace knows no tax code for.
UNMAPPED_PRODUCT = "prod_gift_card"
#: Of so many invoices, one more of each kind must become an exception.
ONE_MORE_IN = 250
#: One invoice of so many is so large that people must agree to it, in turn one and two of them; so many seats it has.
LARGE_EVERY, LARGE_FIRST = 60, 21
LARGE, VERY_LARGE = 6_000, 27_500
#: Fewer lines than this come with the event and the invoice; the rest is had page by page.
EMBEDDED_LINES = 10


class Flaw(StrEnum):
    """Why an invoice must become an exception; the value is the reason the exception must have."""

    UNKNOWN_CUSTOMER = "customer-not-mapped"
    UNMAPPED_PRODUCT = "tax-code-not-mapped"
    FALSE_TOTAL = "total-does-not-add-up"
    WRONG_TAX = "tax-mismatch"


class Notice(StrEnum):
    """What becomes of the collections notice about an invoice: the call is answered, or nobody knows."""

    ANSWERED = "answered"
    UNKNOWN = "unknown"


#: The reason of the exception about a call whose outcome nobody knows.
UNKNOWN_OUTCOME = "outcome-unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A customer at Stripe and in NetSuite.

    `mapped` customers are tied together before anything happens; a `moving` one may be tied to its second record in
    NetSuite while the hub is down, and none of its invoices is paid.
    """

    key: str
    number: int
    name: str
    market: Market
    mapped: bool
    moving: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: the unit amount is a decimal string of minor units.

    A `product` is a key of billing's, or in braces the name of the CRM's that a case has made.
    """

    product: str
    description: str
    unit_amount: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment some seconds after the invoice; without an amount (minor units) all that remains."""

    after: float
    amount: int | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice with what is paid on it and given back of it, and what must become of it."""

    key: str
    customer: Customer
    lines: tuple[Line, ...]
    payments: tuple[Payment, ...]
    coupon: str | None
    sent: bool
    flaw: Flaw | None
    notice: Notice | None
    credits: tuple[Credit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All customers and invoices of one demo; `followed` customers are changed on both sides, and buy nothing.

    With a `crm` its accounts are the customers, but for strangers, whom Stripe alone knows, and there are two ERPs.
    """

    seed: int
    customers: tuple[Customer, ...]
    invoices: tuple[Invoice, ...]
    followed: tuple[Followed, ...] = ()
    crm: Crm | None = None

    @property
    def at_stripe(self) -> tuple[Customer, ...]:
        """Give the customers that Stripe has before anything happens."""
        return tuple(customer for customer in self.customers if self.crm is None or not customer.mapped)

    @property
    def steps(self) -> int:
        """Count what Stripe's sandbox is asked to let happen: finalisations, payments, and what is given back."""
        given = sum(credit.steps for invoice in self.invoices for credit in invoice.credits)
        return given + sum(1 + len(invoice.payments) for invoice in self.invoices)

    @property
    def exceptions(self) -> dict[str, int]:
        """Give how many exceptions of each reason must be open in the end."""
        found = Counter(invoice.flaw.value for invoice in self.invoices if invoice.flaw is not None)
        found.update(credit.flaw for invoice in self.invoices for credit in invoice.credits if credit.flaw is not None)
        unknown = sum(1 for invoice in self.invoices if invoice.notice is Notice.UNKNOWN)
        return dict(sorted({**found, **({UNKNOWN_OUTCOME: unknown} if unknown else {})}.items()))


def draw(seed: int, invoices: int, *, flawed: bool) -> Scenario:
    """Draw a scenario; the same for the same arguments. Without `flawed` nothing becomes an exception."""
    dice = Random(f"{seed}:scenario")
    buyers = _customers(dice, max(2 * len(MARKETS), invoices // 12), strangers=2 if flawed else 0)
    flaws = _flaws(dice, invoices) if flawed else {}
    mapped = [customer for customer in buyers if customer.mapped]
    strangers = [customer for customer in buyers if not customer.mapped]
    drawn = []
    for number in range(invoices):
        flaw = flaws.get(number)
        pool = strangers if flaw is Flaw.UNKNOWN_CUSTOMER else mapped
        drawn.append(_invoice(dice, number, pool[number % len(pool)], flaw))
    told = _with_notices(dice, drawn) if flawed else tuple(drawn)
    return Scenario(
        seed=seed,
        customers=buyers,
        invoices=credits.added(seed, told, flawed=flawed),
        followed=customers.drawn(seed),
    )


def _customers(dice: Random, count: int, *, strangers: int) -> tuple[Customer, ...]:
    return tuple(
        Customer(
            key=f"customer-{number}",
            number=number,
            name=f"{dice.choice(_NAMES)} {dice.choice(_FORMS)} {number + 1}",
            market=MARKETS[number % len(MARKETS)],
            mapped=number < count,
            # Whole rounds of the markets, so that moving customers have every currency.
            moving=number < count and (number // len(MARKETS)) % 3 == 1,
        )
        for number in range(count + strangers)
    )


def _flaws(dice: Random, invoices: int) -> dict[int, Flaw]:
    each = 1 + invoices // ONE_MORE_IN
    kinds = [flaw for flaw in Flaw for _ in range(each)][:invoices]
    return dict(zip(dice.sample(range(invoices), len(kinds)), kinds, strict=True))


def _invoice(dice: Random, number: int, customer: Customer, flaw: Flaw | None) -> Invoice:
    lines = [_line(dice, place, customer.market) for place in range(_line_count(dice, number))]
    if flaw is Flaw.UNMAPPED_PRODUCT:
        lines[0] = Line(
            product=UNMAPPED_PRODUCT, description="Gift card", unit_amount=str(customer.market.unit * 2), quantity=1
        )
    if flaw is None and customer.market.currency in LIMITS and number % LARGE_EVERY == LARGE_FIRST:
        many = LARGE if number % (2 * LARGE_EVERY) == LARGE_FIRST else VERY_LARGE
        lines[0] = replace(lines[0], product="prod_subscription", unit_amount=str(customer.market.unit), quantity=many)
    nothing = flaw is None and number % 97 == 13
    if nothing:
        lines = [Line(product="prod_subscription", description="Trial month", unit_amount="0", quantity=1)]
    coupon = dice.choice(("percent", "amount")) if dice.random() < 0.25 and not nothing else None
    return Invoice(
        key=f"invoice-{number}",
        customer=customer,
        lines=tuple(lines),
        payments=() if nothing or customer.moving else _payments(dice, lines, customer.market),
        coupon=coupon,
        sent=dice.random() < 0.3,
        flaw=flaw,
        notice=None,
    )


def _line_count(dice: Random, number: int) -> int:
    if number % 100 == 3:
        return dice.randint(101, 130)
    if number % 20 == 7:
        return dice.randint(EMBEDDED_LINES + 1, 40)
    return dice.choice((1, 1, 2, 3, 4, 6))


def _line(dice: Random, place: int, market: Market) -> Line:
    kind = dice.random()
    if place and kind < 0.05:
        credit = dice.randint(1, 5) * (market.unit // 100 * 10)
        return Line(product="prod_adjustment", description="Credit for an outage", unit_amount=str(-credit), quantity=1)
    if place and kind < 0.10:
        unit, quantity = ("0", 3) if kind < 0.075 else (str(market.unit // 10 * 10), 0)
        return Line(
            product="prod_subscription", description="Seats, free of charge", unit_amount=unit, quantity=quantity
        )
    product = dice.choice(("prod_subscription", "prod_usage", "prod_services"))
    unit = str(market.unit + dice.randint(-50, 300) * market.step)
    if product == "prod_usage" and market.step == 1:
        # Metered prices have digits below the minor unit; the line's amount has none.
        unit += f".{dice.randint(1, 9999):04d}"
    return Line(
        product=product,
        description=f"{PRODUCTS[product]}, item {place + 1}",
        unit_amount=unit,
        quantity=dice.randint(1, 40),
    )


def _payments(dice: Random, lines: list[Line], market: Market) -> tuple[Payment, ...]:
    kind = dice.random()
    first = round(0.05 + dice.random() * 3, 3)
    if kind < 0.18:
        return ()
    if kind < 0.70:
        return (Payment(after=first, amount=None, by=dice.choice(("card", "report"))),)
    # A fifth of what is sold is less than a third of what is due, whatever discount there is.
    gross = int(sum(Decimal(line.unit_amount) * line.quantity for line in lines))
    part = max(gross // 5 // market.step * market.step, market.step)
    parts = [Payment(after=first, amount=part, by=dice.choice(("card", "report")))]
    if kind < 0.88:
        parts.append(Payment(after=round(first + dice.random() * 2, 3), amount=part, by="report"))
    if kind < 0.94:
        parts.append(Payment(after=round(parts[-1].after + dice.random() * 2, 3), amount=None, by="card"))
    return tuple(parts)


def _with_notices(dice: Random, invoices: list[Invoice]) -> tuple[Invoice, ...]:
    """Choose unpaid invoices to be given up: half of the notices are answered, of the others nobody knows."""
    unpaid = [
        place
        for place, invoice in enumerate(invoices)
        if not invoice.payments and invoice.flaw is None and any(line.unit_amount != "0" for line in invoice.lines)
    ]
    each = 2 + len(invoices) // ONE_MORE_IN
    chosen = dice.sample(unpaid, min(2 * each, len(unpaid) // 2 * 2))
    told = {place: Notice.ANSWERED if turn % 2 else Notice.UNKNOWN for turn, place in enumerate(chosen)}
    return tuple(
        invoice
        if place not in told
        else Invoice(
            key=invoice.key,
            customer=invoice.customer,
            lines=invoice.lines,
            payments=(),
            coupon=invoice.coupon,
            sent=invoice.sent,
            flaw=None,
            notice=told[place],
        )
        for place, invoice in enumerate(invoices)
    )
