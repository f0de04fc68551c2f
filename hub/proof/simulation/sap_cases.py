"""What is let happen where the entity that sells has its books in S/4HANA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hub.proof.contract_checks import Stands
from hub.proof.credits import Credit
from hub.proof.scenario import Payment
from hub.proof.simulation import contract_cases, crm
from hub.proof.simulation.case import Case, Crm, Customers, Stage, Tied
from hub.proof.simulation.case_scenario import one_invoice
from hub.proof.simulation.crm_cases import SEATS
from hub.proof.simulation.happenings import deleted, ordered_back, paid
from hub.proof.simulation.sap import VENDOR

_IN_PART = Payment(after=0.5, amount=999, by="report")
_PART_BY_CARD = Payment(after=0.5, amount=999, by="card")
#: Who has entered and changed what the hub has not.
_PEOPLE = "SAP_SYSTEM"
#: What billing is told of terms and a block.
_DECIDED = {"erp_terms": "NET30", "erp_status": "blocked"}


async def _launched_there(stage: Stage) -> None:
    """Let a product be sold that people have made in S/4HANA already, in one sales organisation, by another name."""
    await stage.seed(crm.VENDOR, {"records": [SEATS]})
    there = {"product": "PLACES", "name": "Places", "old_id": "{seats}", "sales_organisations": ["3310"]}
    await stage.seed(VENDOR, {"products": [there]})
    await stage.read()


async def _ordered_before(stage: Stage) -> None:
    """Let a contract begin of which people have made an order in S/4HANA already, at another price."""
    await contract_cases.sold(stage)
    await stage.rested()
    await contract_cases.draft(stage)
    price = {"ConditionType": "PMP0", "ConditionRateValue": "9.90", "ConditionCurrency": "EUR"}
    head = {
        "SalesOrderType": "OR",
        "SalesOrganization": "1010",
        "DistributionChannel": "10",
        "OrganizationDivision": "00",
    }
    head |= {"SoldToParty": "10100001", "PurchaseOrderByShipToParty": "{contract}"}
    item = {"Material": "S-1", "RequestedQuantity": "1", "to_PricingElement": [price]}
    await stage.seed(VENDOR, {"sales_orders": [{**head, "to_Item": [item]}]})
    await contract_cases.activate(stage, (3, "12.50"))
    await stage.read()
    await stage.rested()
    await stage.read()


async def _made_and_renamed(stage: Stage) -> None:
    await stage.read()
    await stage.rested()
    await stage.stripe("/v1/customers/{customer}", "name=Alder+and+Sons&address[line1]=Ring+7")
    await stage.read()


async def _decided(stage: Stage, **more: str) -> None:
    """Let people in S/4HANA give the case's customer terms of payment, and block its orders; `more` of the partner."""
    changes: list[dict[str, object]] = [
        {"table": "A_CustomerCompany", "key": ["10100001", "1010"], "set": {"PaymentTerms": "0004"}},
        {"table": "A_Customer", "key": ["10100001"], "set": {"OrderIsBlockedForCustomer": "01"}},
    ]
    if more:
        changes.append({"table": "A_BusinessPartner", "key": ["10100001"], "set": more})
    await stage.seed(VENDOR, {"changes": changes})
    await stage.read()


async def _decided_and_tied(stage: Stage) -> None:
    await _decided(stage, BusinessPartnerIDByExtSystem="{customer}")
    await stage.link()


async def _heard_after_it_was_given_back(stage: Stage) -> None:
    """A part is paid and all of it given back; nobody hears of the payment before the credit note is posted."""
    await stage.deliver(webhook_lost=r"invoice_payment\.|refund\.")
    await stage.invoice(paid=True)
    await stage.rested()
    await stage.credit()
    await stage.rested()
    await stage.read()


SAP_CASES: tuple[Case, ...] = (
    Case(
        flows=("payment-to-erp",),
        story="in S/4HANA that is taken back",
        scenario=one_invoice(_IN_PART),
        prepare=paid,
        happen=ordered_back,
        taken_back="payments",
        untied="payment",
        erp=VENDOR,
    ),
    Case(
        flows=("payment-to-erp", "credit-note-to-erp", "refund-to-erp"),
        story="in S/4HANA of what is given back before",
        scenario=one_invoice(_PART_BY_CARD, credits=(Credit(after=0, lines=((0, 3), (1, 7))),)),
        happen=_heard_after_it_was_given_back,
        erp=VENDOR,
    ),
    Case(
        flows=("product-to-billing",),
        story="that S/4HANA knows",
        scenario=one_invoice(),
        happen=_launched_there,
        crm=Crm(products=1),
        erp=VENDOR,
    ),
    Case(
        flows=("contract-to-billing", "contract-due"),
        story="of which S/4HANA had an order, that is taken back",
        scenario=one_invoice(),
        prepare=_ordered_before,
        happen=contract_cases.disputed,
        crm=contract_cases.of_contract(Stands.UNDONE, exceptions=("contract-taken-back",)),
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
        flows=("partner-to-billing",),
        scenario=one_invoice(),
        happen=_decided,
        customers=Customers(
            erp_writes=0,
            billing_changes=1,
            erp={"LastChangedByUser": _PEOPLE},
            billing={"tax_exempt": "none", "metadata": _DECIDED},
        ),
        erp=VENDOR,
    ),
    Case(
        flows=("partner-to-billing",),
        story="before it is tied",
        scenario=one_invoice(),
        happen=_decided_and_tied,
        tied=Tied.NOBODY,
        customers=Customers(
            erp_writes=0, billing_changes=1, erp={"LastChangedByUser": _PEOPLE}, billing={"metadata": _DECIDED}
        ),
        erp=VENDOR,
    ),
    Case(
        flows=("customer-to-erp",),
        story="in S/4HANA that is deleted",
        scenario=one_invoice(),
        happen=deleted,
        customers=Customers(
            erp_writes=0, billing_changes=0, erp={"BusinessPartnerIsBlocked": True, "IsMarkedForArchiving": True}
        ),
        erp=VENDOR,
    ),
)

#: What is sold, paid and paid out, and taken back. Of what is given back: those that come to every arm, and to what
#: takes it back, whoever comes first. Of the CRM's: those that come to what is S/4HANA's own.
_ALSO_THERE = (
    "invoice-to-erp",
    "invoice-to-erp that is taken back",
    "payment-to-erp",
    "payout-to-erp",
    "payout-to-erp that is taken back",
    "payout-returned-to-erp",
    "payout-by-hand-to-erp",
    "payout-returned-to-erp that is taken back",
    "payout-by-hand-to-erp that is taken back",
    "invoices-agree",
    "credit-note-to-erp that is taken back, and voided",
    "credit-note-to-erp that is voided, and taken back",
    "refund-to-erp that is taken back, and fails",
    "refund-to-erp that has failed, and is taken back",
    "product-to-billing",
    "product-to-billing that billing knows",
    "invoice-to-erp of a product that the CRM has made",
    "credit-note-to-erp of a product that the CRM has made",
    "contract-to-billing",
    "contract-to-billing that is amended",
    "contract-to-billing that becomes less",
    "contract-to-billing that is taken back",
    "contract-ended",
    "contract-ended for a surplus, of a hub that is brought back",
)


def also_in_s4hana(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Give some of the cases once more, with the books in S/4HANA."""
    return tuple(
        replace(case, story=", ".join([*filter(None, [case.story]), "in S/4HANA"]), erp=VENDOR)
        for case in cases
        if case.name in _ALSO_THERE
    )
