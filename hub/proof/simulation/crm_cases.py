"""What is let happen for each flow between the CRM and the rest, so that the sweep comes to every step of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.proof.scenario import Payment
from hub.proof.simulation.case import Case, Crm, Customers, Stage, Tied
from hub.proof.simulation.case_scenario import one_invoice
from hub.proof.simulation.crm import VENDOR

_MARKET = one_invoice().customers[0].market
#: The scenario's customer, as the CRM has it.
ALDER: Mapping[str, Any] = {
    "type": "Account",
    "ref": "alder",
    "Name": "Alder Works",
    "Type": "Customer - Direct",
    "BillingStreet": "1 Main Street",
    "BillingCity": _MARKET.city,
    "BillingPostalCode": _MARKET.postal_code,
    "BillingCountry": _MARKET.country,
}
_BIRCH: Mapping[str, Any] = {
    "type": "Account",
    "ref": "birch",
    "Name": "Birch Foods",
    "Type": "Customer - Channel",
    "ParentId": "@{group}",
    "BillingStreet": "Ring 7\nHof",
    "BillingCity": "Wien",
    "BillingPostalCode": "1010",
    "BillingCountry": "Austria",
    "Invoice_Email__c": "bills@birch.example",
}
_GROUP: Mapping[str, Any] = {"type": "Account", "ref": "group", "Name": "Birch Holding", "Type": "Other"}


_ADA: Mapping[str, Any] = {
    "type": "Contact",
    "FirstName": "Ada",
    "LastName": "Byron",
    "Email": "ada@alder.example",
    "Phone": "+49 40 555",
    "Is_Billing_Contact__c": True,
}


#: A product that is sold.
SEATS: Mapping[str, Any] = {
    "type": "Product2",
    "ref": "seats",
    "Name": "Seats",
    "ProductCode": "S-1",
    "Family": "Subscription",
    "QuantityUnitOfMeasure": "Seat",
    "IsActive": True,
}
#: The ERP takes no second item of that name.
_TWIN: Mapping[str, Any] = {**SEATS, "ref": "twin", "Name": "Seats again"}


async def _won(stage: Stage) -> None:
    await stage.seed(VENDOR, {"records": [_GROUP, _BIRCH, {"type": "Account", "Name": "Cedar", "Type": "Prospect"}]})
    await stage.read()


async def _moved(stage: Stage) -> None:
    moved = {
        "Name": "Alder and Sons",
        "BillingStreet": "Ring 9",
        "BillingCity": "Hamburg",
        "BillingPostalCode": "20457",
    }
    await stage.seed(VENDOR, {"changes": [{"type": "Account", "id": "{alder}", **moved}]})
    await stage.read()


async def _asked(stage: Stage) -> None:
    await stage.seed(VENDOR, {"records": [{**_ADA, "AccountId": "{alder}"}]})
    await stage.read()


async def _asked_and_tied(stage: Stage) -> None:
    await _asked(stage)
    await stage.link(account="alder")


async def _become_and_tied(stage: Stage) -> None:
    # Whoever makes a customer of an account in billing ties the two a moment later.
    await stage.stripe("/v1/customers/{customer}", "metadata[crm_account]={alder}")
    await stage.link(account="alder")


async def _read(stage: Stage) -> None:
    await stage.read()


async def _merged(stage: Stage) -> None:
    await stage.seed(VENDOR, {"merge": [{"into": "{birch}", "gone": ["{alder}"]}]})
    await stage.read()


async def _deleted(stage: Stage) -> None:
    await stage.seed(VENDOR, {"delete": ["{alder}"]})
    await stage.read()


async def launched(stage: Stage) -> None:
    """Let a product be sold, and another one be a draft."""
    await stage.seed(VENDOR, {"records": [SEATS, {**_TWIN, "ProductCode": "S-2", "IsActive": False}]})
    await stage.read()
    await stage.rested()


async def _renamed(stage: Stage) -> None:
    await stage.seed(VENDOR, {"changes": [{"type": "Product2", "id": "{seats}", "Name": "Places"}]})
    await stage.read()


async def entered(stage: Stage, product: str = "seats", **more: object) -> None:
    """Let a product be in the standard price book."""
    entry = {"type": "PricebookEntry", "ref": "entry", "Pricebook2Id": "{price_book}", "Product2Id": f"{{{product}}}"}
    await stage.seed(VENDOR, {"records": [{**entry, "UnitPrice": 12.5, "IsActive": True, **more}]})
    await stage.read()


async def _priced(stage: Stage) -> None:
    await launched(stage)
    await entered(stage)


async def _raised(stage: Stage) -> None:
    await stage.seed(VENDOR, {"changes": [{"type": "PricebookEntry", "id": "{entry}", "UnitPrice": 15}]})
    await stage.read()


async def _raised_before(stage: Stage) -> None:
    await _priced(stage)
    await stage.rested()
    await _raised(stage)


async def _lowered_again(stage: Stage) -> None:
    await stage.seed(VENDOR, {"changes": [{"type": "PricebookEntry", "id": "{entry}", "UnitPrice": 12.5}]})
    await stage.read()


async def _taken_out(stage: Stage) -> None:
    await stage.seed(VENDOR, {"changes": [{"type": "PricebookEntry", "id": "{entry}", "IsActive": False}]})
    await stage.read()


async def _ordered_back(stage: Stage) -> None:
    await stage.take_back()


async def both_launched(stage: Stage) -> None:
    """Let two products be sold, of which the ERP takes one."""
    await launched(stage)
    await stage.seed(
        VENDOR, {"changes": [{"type": "Product2", "id": "{twin}", "ProductCode": "S-1", "IsActive": True}]}
    )
    await stage.read()


async def _entered_and_tied(stage: Stage) -> None:
    await entered(stage, "twin")
    await stage.link(product=("twin", "prod_subscription"))


async def _invoiced(stage: Stage) -> None:
    await stage.invoice(paid=True)


CRM_CASES: tuple[Case, ...] = (
    Case(
        flows=("account-to-billing", "customer-of-account"), scenario=one_invoice(), happen=_won, crm=Crm(customers=1)
    ),
    Case(
        flows=("account-to-billing",),
        story="that billing knows",
        scenario=one_invoice(),
        prepare=_read,
        happen=_moved,
        crm=Crm(records=(ALDER,), tied=("alder",), customers=1, changes=1),
    ),
    Case(
        flows=("account-left", "account-to-billing"),
        scenario=one_invoice(),
        prepare=_read,
        happen=_deleted,
        crm=Crm(records=(ALDER,), tied=("alder",)),
    ),
    Case(
        flows=("account-left", "account-to-billing"),
        story="for another one",
        scenario=one_invoice(),
        prepare=_read,
        happen=_merged,
        crm=Crm(
            records=(ALDER, {**_BIRCH, "ParentId": None, "Type": "Prospect"}),
            tied=("alder",),
            exceptions=("account-merged",),
        ),
    ),
    Case(
        flows=("account-left", "account-to-billing"),
        story="for one that is the same customer",
        scenario=one_invoice(),
        prepare=_read,
        happen=_merged,
        crm=Crm(records=(ALDER, {**_BIRCH, "ParentId": None, "Type": "Prospect"}), tied=("birch", "alder")),
    ),
    Case(
        flows=("customer-to-erp",),
        story="that an account has just become",
        scenario=one_invoice(),
        prepare=_read,
        happen=_become_and_tied,
        tied=Tied.NOBODY,
        customers=Customers(
            erp_writes=1,
            billing_changes=1,
            events=("customer.updated",),
            erp={"companyName": "Alder Works", "subsidiary": "2", "taxable": True},
        ),
        crm=Crm(
            # Its country is misspelt, so that the account itself waits for a person.
            records=({**ALDER, "BillingCountry": "Atlantis"},),
            customers=1,
            changes=1,
            exceptions=("country-not-known",),
        ),
    ),
    Case(
        flows=("contact-to-billing",),
        scenario=one_invoice(),
        prepare=_read,
        happen=_asked,
        crm=Crm(
            records=(ALDER,),
            tied=("alder",),
            customers=1,
            changes=1,
            billing={"email": "ada@alder.example", "phone": "+49 40 555", "metadata": {"crm_contact": "Ada Byron"}},
        ),
    ),
    Case(
        flows=("contact-to-billing",),
        story="before its account is tied",
        scenario=one_invoice(),
        prepare=_read,
        happen=_asked_and_tied,
        crm=Crm(
            # Its country is misspelt, so that the account itself waits for a person.
            records=({**ALDER, "BillingCountry": "Atlantis"},),
            customers=1,
            changes=1,
            billing={"email": "ada@alder.example"},
            exceptions=("country-not-known",),
        ),
    ),
    Case(flows=("product-to-billing",), scenario=one_invoice(), happen=launched, crm=Crm(products=1)),
    Case(
        flows=("product-to-billing",),
        story="that billing knows",
        scenario=one_invoice(),
        prepare=launched,
        happen=_renamed,
        crm=Crm(products=1, product_changes=1),
    ),
    Case(
        flows=("price-to-billing",),
        scenario=one_invoice(),
        prepare=launched,
        happen=entered,
        crm=Crm(products=1, prices=1),
    ),
    Case(
        flows=("price-to-billing",),
        story="that is raised",
        scenario=one_invoice(),
        prepare=_priced,
        happen=_raised,
        crm=Crm(products=1, prices=2),
    ),
    Case(
        flows=("price-to-billing",),
        story="whose amount comes back",
        scenario=one_invoice(),
        prepare=_raised_before,
        happen=_lowered_again,
        crm=Crm(products=1, prices=2),
    ),
    Case(
        flows=("price-to-billing",),
        story="that is taken out",
        scenario=one_invoice(),
        prepare=_priced,
        happen=_taken_out,
        crm=Crm(products=1, prices=1),
    ),
    Case(
        flows=("price-to-billing",),
        story="that is taken back",
        scenario=one_invoice(),
        prepare=_priced,
        happen=_ordered_back,
        crm=Crm(products=1, prices=1, unpriced=True),
    ),
    Case(
        flows=("price-to-billing",),
        story="before its product",
        scenario=one_invoice(),
        prepare=both_launched,
        happen=_entered_and_tied,
        crm=Crm(products=1, prices=1, exceptions=("user-error",)),
    ),
    Case(
        flows=("invoice-status-to-crm", "invoice-status-due", "invoice-to-erp", "payment-to-erp"),
        scenario=one_invoice(Payment(after=0.5, amount=999, by="report"), Payment(after=0.8, amount=None, by="card")),
        prepare=_read,
        happen=_invoiced,
        crm=Crm(records=(ALDER,), tied=("alder",), customers=1, invoiced=True),
    ),
)
