"""What is let happen for each shipped flow, so that the sweep can count its durable points and crash at every one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hub.proof.markets import MARKETS
from hub.proof.scenario import Customer, Invoice, Line, Payment, Scenario


class Stage(Protocol):
    """What a case may let happen."""

    async def invoice(self, *, paid: bool) -> None:
        """Let Stripe finalise the invoice, and let it be paid."""
        ...

    async def stripe(self, path: str, body: str = "") -> None:
        """Ask something of Stripe."""
        ...

    async def read(self) -> None:
        """Let the hub read the streams of its connections."""
        ...

    async def day_later(self) -> None:
        """Let a day pass, and the schedules fire."""
        ...

    async def agree(self) -> None:
        """Let as many people agree to the invoice as are asked."""
        ...

    async def refuse(self) -> None:
        """Let a person refuse the invoice."""
        ...

    async def tie(self) -> None:
        """Tie the customer once a run has stopped for that, and make the run again."""
        ...

    async def take_back(self) -> None:
        """Have what the invoice's run did taken back."""
        ...


class Tied(StrEnum):
    """To what the case's customer is tied in the ERP."""

    OWN = "the customer's record"
    NOBODY = "nothing"
    WRONG = "a record that is not there"


class Books(StrEnum):
    """What the books hold of the invoice in the end."""

    POSTED = "the invoice and its tax"
    REVERSED = "the invoice, its reversal and a void tax document"
    NOTHING = "nothing that counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How flows are made to run: `prepare` happens before anything is counted, `happen` while the process may die.

    `flows` all run in it; of those in `once` exactly one run must come of it. With `deaf` no webhook arrives. `story`
    tells it from others of the same flow, and `exception` is the reason of the one that must be open in the end.
    `engine` is the connection that taxes the invoice: AvaTax's as shipped, or Stripe's.
    """

    flows: tuple[str, ...]
    scenario: Scenario
    happen: Callable[[Stage], Awaitable[None]]
    prepare: Callable[[Stage], Awaitable[None]] | None = None
    notice: bool = False
    once: tuple[str, ...] = ()
    deaf: bool = False
    story: str = ""
    tied: Tied = Tied.OWN
    books: Books = Books.POSTED
    exception: str | None = None
    engine: str = "tax"

    @property
    def name(self) -> str:
        """Give the flow that it is about first, and how its events come."""
        return f"{self.flows[0]} {self.story}".strip()


def _scenario(*payments: Payment, quantity: int = 3) -> Scenario:
    market = next(market for market in MARKETS if market.currency == "EUR")
    customer = Customer(key="customer-0", number=0, name="Alder Works", market=market, mapped=True, moving=False)
    lines = (
        Line(product="prod_subscription", description="Platform fee", unit_amount=str(market.unit), quantity=quantity),
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
    )
    return Scenario(seed=1, customers=(customer,), invoices=(invoice,))


async def _invoiced(stage: Stage) -> None:
    await stage.invoice(paid=False)


async def _invoiced_and_read(stage: Stage) -> None:
    await stage.invoice(paid=False)
    await stage.read()


async def _paid(stage: Stage) -> None:
    await stage.invoice(paid=True)


async def _given_up(stage: Stage) -> None:
    await stage.stripe("/v1/invoices/{invoice}/mark_uncollectible")


async def _agreed(stage: Stage) -> None:
    await stage.invoice(paid=False)
    await stage.agree()


async def _refused(stage: Stage) -> None:
    await stage.invoice(paid=False)
    await stage.refuse()


async def _paid_and_tied(stage: Stage) -> None:
    await stage.invoice(paid=True)
    await stage.tie()


async def _taken_back(stage: Stage) -> None:
    await stage.invoice(paid=False)
    await stage.take_back()


async def _day_later_and_tied(stage: Stage) -> None:
    await stage.day_later()
    await stage.tie()


async def _day_later(stage: Stage) -> None:
    await stage.day_later()


_PARTS = (Payment(after=0.5, amount=999, by="report"), Payment(after=0.8, amount=None, by="report"))

#: So many pieces cost more than what one person may agree to, and more than what two may.
_FOR_ONE, _FOR_TWO = 6_000, 30_000

#: The proof fails when a step ships that none of them comes to.
CASES: tuple[Case, ...] = (
    Case(flows=("invoice-to-erp",), scenario=_scenario(), happen=_invoiced),
    Case(flows=("invoice-to-erp",), scenario=_scenario(), happen=_invoiced_and_read, deaf=True, story="by stream"),
    Case(
        flows=("invoice-to-erp",),
        story="that people agree to",
        scenario=_scenario(quantity=_FOR_TWO),
        happen=_agreed,
    ),
    Case(
        flows=("invoice-to-erp",),
        story="that a person refuses",
        scenario=_scenario(quantity=_FOR_ONE),
        happen=_refused,
        books=Books.NOTHING,
        exception="approval-refused",
    ),
    Case(
        flows=("invoice-to-erp",),
        story="that the ERP refuses",
        scenario=_scenario(),
        happen=_invoiced,
        tied=Tied.WRONG,
        books=Books.NOTHING,
        exception="invalid-content",
    ),
    Case(
        flows=("invoice-to-erp",),
        story="that is taken back",
        scenario=_scenario(),
        happen=_taken_back,
        books=Books.REVERSED,
    ),
    Case(
        flows=("invoice-to-erp",),
        story="with Stripe Tax that is taken back",
        scenario=_scenario(),
        happen=_taken_back,
        books=Books.REVERSED,
        engine="stripe",
    ),
    Case(flows=("payment-to-erp", "invoice-to-erp"), scenario=_scenario(*_PARTS), happen=_paid),
    Case(
        flows=("payment-to-erp", "invoice-to-erp"),
        story="before its customer is known",
        scenario=_scenario(*_PARTS),
        happen=_paid_and_tied,
        tied=Tied.NOBODY,
    ),
    Case(flows=("collections-notice",), scenario=_scenario(), prepare=_invoiced, happen=_given_up, notice=True),
    Case(
        flows=("invoices-agree", "posted-invoice-agrees"),
        scenario=_scenario(),
        prepare=_invoiced,
        happen=_day_later,
        once=("invoices-agree", "posted-invoice-agrees"),
    ),
    Case(
        flows=("invoices-agree", "posted-invoice-agrees", "invoice-to-erp"),
        story="before it is posted",
        scenario=_scenario(),
        prepare=_invoiced,
        happen=_day_later_and_tied,
        once=("invoices-agree", "posted-invoice-agrees"),
        tied=Tied.NOBODY,
    ),
)
