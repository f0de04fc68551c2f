"""What is let happen where the entity that sells has its books in S/4HANA."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from hub.proof.scenario import Payment
from hub.proof.simulation.case import Books, Case, Customers, Stage, Tied
from hub.proof.simulation.case_scenario import one_invoice
from hub.proof.simulation.sap import VENDOR

Happening = Callable[[Stage], Awaitable[None]]

_BY_CARD = Payment(after=0.5, amount=None, by="card")
_IN_PART = Payment(after=0.5, amount=999, by="report")
_PARTS = (_IN_PART, Payment(after=0.8, amount=None, by="card"))


async def _invoiced(stage: Stage) -> None:
    await stage.invoice(paid=False)


async def _paid(stage: Stage) -> None:
    await stage.invoice(paid=True)


async def _day_later(stage: Stage) -> None:
    await stage.day_later()


async def _paid_out(stage: Stage) -> None:
    await stage.pay_out(travels=2)


async def _returned(stage: Stage) -> None:
    await stage.pay_out(travels=120, returned=True)


async def _paid_out_by_hand(stage: Stage) -> None:
    await stage.stripe("/v1/payouts", "amount=700&currency=eur")


async def _made_and_renamed(stage: Stage) -> None:
    await stage.read()
    await stage.rested()
    await stage.stripe("/v1/customers/{customer}", "name=Alder+and+Sons&address[line1]=Ring+7")
    await stage.read()


async def _deleted(stage: Stage) -> None:
    await stage.stripe("/v1/customers/{customer}", method="DELETE")


async def _taken_back(stage: Stage) -> None:
    await stage.invoice(paid=False)
    await stage.take_back()


async def _ordered_back(stage: Stage) -> None:
    await stage.take_back()


async def _paid_and_paid_out(stage: Stage) -> None:
    await stage.invoice(paid=True)
    await _paid_out(stage)


async def _paid_and_returned(stage: Stage) -> None:
    await stage.invoice(paid=True)
    await stage.rested()
    await _returned(stage)


async def _paid_and_paid_out_by_hand(stage: Stage) -> None:
    await stage.invoice(paid=True)
    await stage.rested()
    await _paid_out_by_hand(stage)


SAP_CASES: tuple[Case, ...] = (
    Case(flows=("invoice-to-erp",), story="in S/4HANA", scenario=one_invoice(), happen=_invoiced, erp=VENDOR),
    Case(
        flows=("invoice-to-erp",),
        story="in S/4HANA that is taken back",
        scenario=one_invoice(),
        happen=_taken_back,
        books=Books.REVERSED,
        untied="invoice",
        erp=VENDOR,
    ),
    Case(
        flows=("payment-to-erp",),
        story="in S/4HANA that is taken back",
        scenario=one_invoice(_IN_PART),
        prepare=_paid,
        happen=_ordered_back,
        taken_back="payments",
        untied="payment",
        erp=VENDOR,
    ),
    Case(
        flows=("payment-to-erp", "invoice-to-erp"),
        story="in S/4HANA",
        scenario=one_invoice(*_PARTS),
        happen=_paid,
        erp=VENDOR,
    ),
    Case(
        flows=("payout-to-erp",),
        story="in S/4HANA",
        scenario=one_invoice(_BY_CARD),
        prepare=_paid,
        happen=_paid_out,
        once=("payout-to-erp",),
        erp=VENDOR,
    ),
    Case(
        flows=("payout-returned-to-erp", "payout-to-erp"),
        story="in S/4HANA",
        scenario=one_invoice(_BY_CARD),
        prepare=_paid,
        happen=_returned,
        once=("payout-returned-to-erp", "payout-to-erp"),
        erp=VENDOR,
    ),
    Case(
        flows=("payout-by-hand-to-erp",),
        story="in S/4HANA",
        scenario=one_invoice(_BY_CARD),
        prepare=_paid,
        happen=_paid_out_by_hand,
        once=("payout-by-hand-to-erp",),
        erp=VENDOR,
    ),
    Case(
        flows=("payout-to-erp",),
        story="in S/4HANA that is taken back",
        scenario=one_invoice(_BY_CARD),
        prepare=_paid_and_paid_out,
        happen=_ordered_back,
        taken_back="payouts",
        untied="payout",
        erp=VENDOR,
    ),
    Case(
        flows=("payout-returned-to-erp",),
        story="in S/4HANA that is taken back",
        scenario=one_invoice(_BY_CARD),
        prepare=_paid_and_returned,
        happen=_ordered_back,
        taken_back="returns",
        untied="payout_return",
        erp=VENDOR,
    ),
    Case(
        flows=("payout-by-hand-to-erp",),
        story="in S/4HANA that is taken back",
        scenario=one_invoice(_BY_CARD),
        prepare=_paid_and_paid_out_by_hand,
        happen=_ordered_back,
        taken_back="payouts",
        untied="payout",
        erp=VENDOR,
    ),
    Case(
        flows=("invoices-agree", "posted-invoice-agrees"),
        story="in S/4HANA",
        scenario=one_invoice(),
        prepare=_invoiced,
        happen=_day_later,
        once=("invoices-agree", "posted-invoice-agrees"),
        erp=VENDOR,
    ),
    Case(
        flows=("customer-to-erp",),
        story="in S/4HANA",
        scenario=one_invoice(),
        happen=_made_and_renamed,
        tied=Tied.NOBODY,
        customers=Customers(
            erp_writes=0,
            billing_changes=1,
            events=("customer.created", "customer.updated"),
            erp={"OrganizationBPName1": "Alder and Sons", "BusinessPartnerCategory": "2"},
        ),
        erp=VENDOR,
    ),
    Case(
        flows=("customer-to-erp",),
        story="in S/4HANA that is deleted",
        scenario=one_invoice(),
        happen=_deleted,
        customers=Customers(
            erp_writes=0, billing_changes=0, erp={"BusinessPartnerIsBlocked": True, "IsMarkedForArchiving": True}
        ),
        erp=VENDOR,
    ),
)

#: Of what is given back: those that come to every arm, and to what takes it back, whoever comes first.
_GIVEN_BACK = (
    "credit-note-to-erp that is taken back, and voided",
    "credit-note-to-erp that is voided, and taken back",
    "refund-to-erp that is taken back, and fails",
    "refund-to-erp that has failed, and is taken back",
)


def credits_in_s4hana(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Give some of the cases of credit notes and refunds once more, with the books in S/4HANA."""
    return tuple(
        replace(case, story=f"{case.story}, in S/4HANA", erp=VENDOR) for case in cases if case.name in _GIVEN_BACK
    )
