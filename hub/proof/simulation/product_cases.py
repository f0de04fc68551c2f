"""What is let happen for products that the CRM has made, once they are sold: no table has a row of them."""

from __future__ import annotations

from hub.proof.credits import Credit
from hub.proof.simulation.case import Case, Crm, Stage
from hub.proof.simulation.case_scenario import one_invoice
from hub.proof.simulation.crm import VENDOR
from hub.proof.simulation.crm_cases import launched
from hub.proof.simulation.happenings import invoiced

#: One of the first line's three, which is the product's.
_PART = Credit(after=0, lines=((0, 1),))
_SEATS = "{seats}"


async def _launched_and_untied(stage: Stage) -> None:
    """Let a product be there whose ties are lost, as those that were made after a backup are."""
    await launched(stage)
    stage.backups.make(untied="product")
    await stage.backups.bring_back()


async def _invoiced_and_renamed(stage: Stage) -> None:
    # What the CRM tells of next brings the ties back.
    await stage.invoice(paid=False)
    await stage.seed(VENDOR, {"changes": [{"type": "Product2", "id": "{seats}", "Name": "Places"}]})
    await stage.read()


async def _launched_and_invoiced(stage: Stage) -> None:
    await launched(stage)
    await stage.invoice(paid=False)


async def _credited(stage: Stage) -> None:
    await stage.credit()
    # A hub that is away for longer than Stripe repeats its webhooks hears of it by the stream.
    await stage.read()


PRODUCT_CASES: tuple[Case, ...] = (
    Case(
        flows=("invoice-to-erp",),
        story="of a product that the CRM has made",
        scenario=one_invoice(product=_SEATS),
        prepare=launched,
        happen=invoiced,
        crm=Crm(products=1),
    ),
    Case(
        flows=("invoice-to-erp", "product-to-billing"),
        story="moments before its product is tied",
        scenario=one_invoice(product=_SEATS),
        prepare=_launched_and_untied,
        happen=_invoiced_and_renamed,
        crm=Crm(products=1, product_changes=1),
    ),
    Case(
        flows=("credit-note-to-erp",),
        story="of a product that the CRM has made",
        scenario=one_invoice(product=_SEATS, credits=(_PART,)),
        prepare=_launched_and_invoiced,
        happen=_credited,
        crm=Crm(products=1),
    ),
)
