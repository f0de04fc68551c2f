"""What is let happen for each shipped flow, so that the sweep can count its durable points and crash at every one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How flows are made to run: `prepare` happens before anything is counted, `happen` while the process may die.

    `flows` all run in it; of those in `once` exactly one run must come of it. With `deaf` no webhook arrives.
    """

    flows: tuple[str, ...]
    scenario: Scenario
    happen: Callable[[Stage], Awaitable[None]]
    prepare: Callable[[Stage], Awaitable[None]] | None = None
    notice: bool = False
    once: tuple[str, ...] = ()
    deaf: bool = False

    @property
    def name(self) -> str:
        """Give the flow that it is about first, and how its events come."""
        return f"{self.flows[0]} by stream" if self.deaf else self.flows[0]


def _scenario(*payments: Payment) -> Scenario:
    market = next(market for market in MARKETS if market.currency == "EUR")
    customer = Customer(key="customer-0", number=0, name="Alder Works", market=market, mapped=True, moving=False)
    lines = (
        Line(product="prod_subscription", description="Platform fee", unit_amount=str(market.unit), quantity=3),
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


async def _day_later(stage: Stage) -> None:
    await stage.day_later()


_PARTS = (Payment(after=0.5, amount=999, by="report"), Payment(after=0.8, amount=None, by="report"))

#: The proof fails when a flow ships for which there is none.
CASES: tuple[Case, ...] = (
    Case(flows=("invoice-to-erp",), scenario=_scenario(), happen=_invoiced),
    Case(flows=("invoice-to-erp",), scenario=_scenario(), happen=_invoiced_and_read, deaf=True),
    Case(flows=("payment-to-erp", "invoice-to-erp"), scenario=_scenario(*_PARTS), happen=_paid),
    Case(flows=("collections-notice",), scenario=_scenario(), prepare=_invoiced, happen=_given_up, notice=True),
    Case(
        flows=("invoices-agree", "posted-invoice-agrees"),
        scenario=_scenario(),
        prepare=_invoiced,
        happen=_day_later,
        once=("invoices-agree", "posted-invoice-agrees"),
    ),
)
