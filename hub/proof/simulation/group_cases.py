"""What is let happen to groups of companies of the CRM, so that the sweep comes to each step that places a customer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.proof.simulation.case import Case, Crm, Customers, Stage, Tied
from hub.proof.simulation.case_scenario import one_invoice
from hub.proof.simulation.crm import VENDOR
from hub.proof.simulation.crm_cases import ALDER

#: A customer that others stand below.
GROUP: Mapping[str, Any] = {
    "type": "Account",
    "ref": "group",
    "Name": "Birch Holding",
    "Type": "Customer - Direct",
    "BillingStreet": "Ring 7",
    "BillingCity": "Hamburg",
    "BillingPostalCode": "20457",
    "BillingCountry": "Germany",
}
#: One that may stand below it.
BIRCH: Mapping[str, Any] = {**GROUP, "ref": "birch", "Name": "Birch Foods", "BillingPostalCode": "10117"}
#: The scenario's own customer stands beside them, and below nobody.
BESIDE = Customers(erp_writes=1, billing_changes=0, events=("customer.created", "customer.updated"))
#: Where bills go.
ADDRESS: Mapping[str, Any] = {name: value for name, value in GROUP.items() if name.startswith("Billing")}
#: The same group without an address, so that it is in nobody's books.
HOLDING: Mapping[str, Any] = {name: value for name, value in GROUP.items() if name not in ADDRESS}


async def rested(stage: Stage) -> None:
    """Let the hub read until all that is there has come through."""
    for _ in range(4):
        await stage.read()
    await stage.rested()


async def change(stage: Stage, name: str, **fields: object) -> None:
    """Let people change an account, and the hub hear of it."""
    await stage.seed(VENDOR, {"changes": [{"type": "Account", "id": f"{{{name}}}", **fields}]})
    await stage.read()


async def _moved(stage: Stage) -> None:
    await change(stage, "birch", ParentId="{group}")


async def _moved_and_addressed(stage: Stage) -> None:
    await _moved(stage)
    # By now it waits for the other, which is in the books once it has an address.
    await change(stage, "group", **ADDRESS)


async def _placed(stage: Stage) -> None:
    # Of a customer that is made the hub does not hear in this case, but of one that is renamed.
    await stage.read()
    await change(stage, "group", Name="Birch Group")
    await change(stage, "alder", ParentId="{group}")


async def _left(stage: Stage) -> None:
    await stage.erp(parent=None)
    await change(stage, "alder", ParentId=None)


GROUP_CASES: tuple[Case, ...] = (
    Case(
        flows=("account-placed",),
        scenario=one_invoice(),
        prepare=rested,
        happen=_moved,
        tied=Tied.NOBODY,
        customers=BESIDE,
        crm=Crm(records=(GROUP, BIRCH), customers=2, changes=1),
    ),
    Case(
        flows=("customer-to-erp",),
        story="below one that comes later",
        scenario=one_invoice(),
        prepare=rested,
        happen=_moved_and_addressed,
        tied=Tied.NOBODY,
        customers=BESIDE,
        crm=Crm(records=(HOLDING, BIRCH), customers=2, changes=2),
    ),
    Case(
        flows=("customer-to-erp",),
        story="that leaves its group",
        scenario=one_invoice(),
        prepare=_placed,
        happen=_left,
        customers=Customers(erp_writes=3, billing_changes=2, erp={"parent": None}),
        crm=Crm(records=(GROUP, ALDER), tied=("alder",), customers=2, changes=3),
    ),
)
