"""What is let happen for each shipped flow, so that the sweep can count its durable points and crash at every one."""

from __future__ import annotations

from hub.proof.credit_books import NoteDue
from hub.proof.credits import Credit
from hub.proof.scenario import Payment
from hub.proof.simulation.case import Books, Case, Customers, Stage, Tied
from hub.proof.simulation.case_scenario import one_invoice
from hub.proof.simulation.contact_cases import CONTACT_CASES
from hub.proof.simulation.contract_cases import CONTRACT_CASES
from hub.proof.simulation.contract_ending_cases import CONTRACT_ENDING_CASES
from hub.proof.simulation.crm_cases import CRM_CASES
from hub.proof.simulation.group_cases import GROUP_CASES
from hub.proof.simulation.happenings import (
    day_later,
    deleted,
    invoiced,
    ordered_back,
    paid,
    paid_and_paid_out,
    paid_and_paid_out_by_hand,
    paid_and_returned,
    paid_out,
    paid_out_by_hand,
    returned,
    taken_back,
)
from hub.proof.simulation.note_cases import voided
from hub.proof.simulation.product_cases import PRODUCT_CASES
from hub.proof.simulation.refund_cases import taken_back_twice
from hub.proof.simulation.restore_cases import RESTORE_CASES
from hub.proof.simulation.sap_cases import SAP_CASES, also_in_s4hana
from hub.proof.simulation.sap_contact_cases import SAP_CONTACT_CASES


async def _invoiced_and_read(stage: Stage) -> None:
    await stage.invoice(paid=False)
    await stage.read()


async def _invoiced_and_linked(stage: Stage) -> None:
    await stage.invoice(paid=False)
    await stage.link()


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


async def _day_later_and_tied(stage: Stage) -> None:
    await stage.day_later()
    await stage.tie()


async def _read(stage: Stage) -> None:
    await stage.read()


async def _renamed_and_read(stage: Stage) -> None:
    await stage.stripe(
        "/v1/customers/{customer}", "name=Alder+and+Sons&phone=&address[line1]=Ring+7&tax_exempt=reverse"
    )
    await stage.read()


async def _decided(stage: Stage) -> None:
    await stage.erp(terms={"id": "3"}, creditHoldOverride={"id": "ON"}, taxable=False)
    await stage.read()


async def _decided_and_tied(stage: Stage) -> None:
    await stage.erp(terms={"id": "3"}, creditHoldOverride={"id": "ON"}, taxable=False, named=True)
    await stage.read()
    await stage.link()


async def _credited(stage: Stage) -> None:
    await stage.credit()


async def _invoiced_and_filed(stage: Stage) -> None:
    await stage.invoice(paid=False)
    await stage.rested()
    await stage.seed("tax", {"lock": ["{number}"]})


async def _credited_and_agreed(stage: Stage) -> None:
    await stage.credit()
    await stage.agree()


async def _item_out_of_use(stage: Stage) -> None:
    await stage.invoice(paid=False)
    await stage.rested()
    await stage.seed("netsuite", {"references": {"item": [{"id": "101", "isInactive": True}]}})


async def _credited_and_taken_back(stage: Stage) -> None:
    await stage.credit()
    await stage.take_back()


async def _invoiced_and_credited(stage: Stage) -> None:
    await stage.invoice(paid=True)
    await stage.rested()
    await stage.credit()


async def _refunded_and_explained(stage: Stage) -> None:
    await stage.credit()
    await stage.rested()
    await stage.stripe("/v1/credit_notes", "invoice={invoice}&amount=500&refunds[0][refund]={refund}")


async def _refund_changed_and_failed(stage: Stage) -> None:
    await stage.stripe("/v1/refunds/{refund}", "metadata[why]=kindness")
    await stage.rested()
    await stage.seed("stripe", {"failed_refunds": [{"refund": "{refund}"}]})


_BY_CARD = Payment(after=0.5, amount=None, by="card")
#: Two of the first line's three: Stripe's share of the line's tax is a cent less than the tax of the two.
_PART = Credit(after=0, lines=((0, 2),))
_PARTS = (Payment(after=0.5, amount=999, by="report"), Payment(after=0.8, amount=None, by="card"))

#: So many pieces cost more than what one person may agree to, and more than what two may.
_FOR_ONE, _FOR_TWO = 6_000, 30_000

#: The proof fails when a step ships that none of them comes to.
CASES: tuple[Case, ...] = (
    Case(flows=("invoice-to-erp",), scenario=one_invoice(), happen=invoiced),
    Case(flows=("invoice-to-erp",), scenario=one_invoice(), happen=_invoiced_and_read, deaf=True, story="by stream"),
    Case(
        flows=("invoice-to-erp",),
        story="that people agree to",
        scenario=one_invoice(quantity=_FOR_TWO),
        happen=_agreed,
    ),
    Case(
        flows=("invoice-to-erp",),
        story="that a person refuses",
        scenario=one_invoice(quantity=_FOR_ONE),
        happen=_refused,
        books=Books.NOTHING,
        exception="approval-refused",
    ),
    Case(
        flows=("invoice-to-erp",),
        story="that the ERP refuses",
        scenario=one_invoice(),
        happen=invoiced,
        tied=Tied.WRONG,
        books=Books.NOTHING,
        exception="invalid-content",
    ),
    Case(
        flows=("invoice-to-erp",),
        story="that is taken back",
        scenario=one_invoice(),
        happen=taken_back,
        books=Books.REVERSED,
        untied="invoice",
    ),
    Case(
        flows=("invoice-to-erp",),
        story="with Stripe Tax that is taken back",
        scenario=one_invoice(),
        happen=taken_back,
        books=Books.REVERSED,
        untied="invoice",
        engine="stripe",
    ),
    Case(
        flows=("invoice-to-erp",),
        story="moments before its customer is tied",
        scenario=one_invoice(),
        happen=_invoiced_and_linked,
        tied=Tied.NOBODY,
    ),
    Case(flows=("payment-to-erp", "invoice-to-erp"), scenario=one_invoice(*_PARTS), happen=paid),
    Case(
        flows=("payment-to-erp", "invoice-to-erp"),
        story="before its customer is known",
        scenario=one_invoice(*_PARTS),
        happen=_paid_and_tied,
        tied=Tied.NOBODY,
    ),
    Case(
        flows=("payment-to-erp",),
        story="that is taken back",
        scenario=one_invoice(_BY_CARD),
        prepare=paid,
        happen=ordered_back,
        taken_back="payments",
        untied="payment",
    ),
    Case(
        flows=("payout-to-erp",),
        scenario=one_invoice(_BY_CARD),
        prepare=paid,
        happen=paid_out,
        once=("payout-to-erp",),
    ),
    Case(
        flows=("payout-to-erp",),
        story="that is taken back",
        scenario=one_invoice(_BY_CARD),
        prepare=paid_and_paid_out,
        happen=ordered_back,
        taken_back="payouts",
        untied="payout",
    ),
    Case(
        flows=("payout-returned-to-erp", "payout-to-erp"),
        scenario=one_invoice(_BY_CARD),
        prepare=paid,
        happen=returned,
        once=("payout-returned-to-erp", "payout-to-erp"),
    ),
    Case(
        flows=("payout-by-hand-to-erp",),
        scenario=one_invoice(_BY_CARD),
        prepare=paid,
        happen=paid_out_by_hand,
        once=("payout-by-hand-to-erp",),
    ),
    Case(
        flows=("payout-returned-to-erp",),
        story="that is taken back",
        scenario=one_invoice(_BY_CARD),
        prepare=paid_and_returned,
        happen=ordered_back,
        taken_back="returns",
        untied="payout_return",
    ),
    Case(
        flows=("payout-by-hand-to-erp",),
        story="that is taken back",
        scenario=one_invoice(_BY_CARD),
        prepare=paid_and_paid_out_by_hand,
        happen=ordered_back,
        taken_back="payouts",
        untied="payout",
    ),
    Case(flows=("collections-notice",), scenario=one_invoice(), prepare=invoiced, happen=_given_up, notice=True),
    Case(
        flows=("invoices-agree", "posted-invoice-agrees"),
        scenario=one_invoice(),
        prepare=invoiced,
        happen=day_later,
        once=("invoices-agree", "posted-invoice-agrees"),
    ),
    Case(
        flows=("invoices-agree", "posted-invoice-agrees", "invoice-to-erp"),
        story="before it is posted",
        scenario=one_invoice(),
        prepare=invoiced,
        happen=_day_later_and_tied,
        once=("invoices-agree", "posted-invoice-agrees"),
        tied=Tied.NOBODY,
    ),
    Case(
        flows=("credit-note-to-erp",),
        story="whose sale is filed",
        scenario=one_invoice(credits=(_PART,)),
        prepare=_invoiced_and_filed,
        happen=_credited,
    ),
    Case(
        flows=("credit-note-to-erp",),
        story="that people agree to",
        scenario=one_invoice(quantity=_FOR_TWO, credits=(Credit(after=0, lines=((0, _FOR_TWO),)),)),
        prepare=_agreed,
        happen=_credited_and_agreed,
    ),
    Case(
        flows=("credit-note-to-erp",),
        story="that the ERP refuses",
        scenario=one_invoice(credits=(_PART,)),
        prepare=_item_out_of_use,
        happen=_credited,
        note=NoteDue(exception="invalid-content", refused=True),
    ),
    Case(
        flows=("credit-note-to-erp",),
        story="that is taken back",
        scenario=one_invoice(credits=(_PART,)),
        prepare=invoiced,
        happen=_credited_and_taken_back,
        note=NoteDue(undone=True),
        untied="credit_memo",
    ),
    *voided(one_invoice(credits=(_PART,)), _invoiced_and_credited),
    Case(
        flows=("refund-to-erp", "credit-note-to-erp"),
        story="before its credit note",
        scenario=one_invoice(_BY_CARD, credits=(Credit(after=0, amount=500, alone=True),)),
        prepare=paid,
        happen=_refunded_and_explained,
    ),
    Case(
        flows=("refund-to-erp",),
        story="that fails after all",
        scenario=one_invoice(_BY_CARD, credits=(_PART,)),
        prepare=_invoiced_and_credited,
        happen=_refund_changed_and_failed,
    ),
    Case(
        flows=("refund-to-erp",),
        story="that is taken back",
        scenario=one_invoice(_BY_CARD, credits=(_PART,)),
        prepare=_invoiced_and_credited,
        happen=ordered_back,
        note=NoteDue(unrefunded=True),
        taken_back="refunds",
        untied="refund",
    ),
    *taken_back_twice(one_invoice(_BY_CARD, credits=(_PART,)), _invoiced_and_credited),
    Case(
        flows=("customer-to-erp",),
        scenario=one_invoice(),
        happen=_read,
        tied=Tied.NOBODY,
        customers=Customers(
            erp_writes=1,
            billing_changes=0,
            events=("customer.created",),
            erp={"companyName": "Alder Works", "subsidiary": "2", "taxable": True},
            billing={"tax_exempt": "none", "metadata": {}},
        ),
    ),
    Case(
        flows=("customer-to-erp",),
        story="that the ERP knows",
        scenario=one_invoice(),
        happen=_renamed_and_read,
        customers=Customers(erp_writes=2, billing_changes=1, erp={"companyName": "Alder and Sons"}),
    ),
    Case(
        flows=("customer-to-erp",),
        story="that is deleted",
        scenario=one_invoice(),
        happen=deleted,
        customers=Customers(erp_writes=2, billing_changes=0, erp={"companyName": "Alder Works", "isInactive": True}),
    ),
    Case(
        flows=("customer-to-billing",),
        scenario=one_invoice(),
        happen=_decided,
        customers=Customers(
            erp_writes=3,
            billing_changes=1,
            erp={"terms": "3"},
            billing={"tax_exempt": "exempt", "metadata": {"erp_terms": "NET60", "erp_status": "blocked"}},
        ),
    ),
    Case(
        flows=("customer-to-billing",),
        story="before it is tied",
        scenario=one_invoice(),
        happen=_decided_and_tied,
        tied=Tied.NOBODY,
        customers=Customers(
            erp_writes=3,
            billing_changes=1,
            billing={"tax_exempt": "exempt", "metadata": {"erp_terms": "NET60", "erp_status": "blocked"}},
        ),
    ),
    *CRM_CASES,
    *PRODUCT_CASES,
    *GROUP_CASES,
    *CONTACT_CASES,
    *CONTRACT_CASES,
    *CONTRACT_ENDING_CASES,
    *RESTORE_CASES,
    *SAP_CASES,
    *SAP_CONTACT_CASES,
)
CASES = (*CASES, *also_in_s4hana(CASES))
