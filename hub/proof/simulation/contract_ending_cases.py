"""What is let happen for contracts that end before their period does, and for one that billing has twice."""

from __future__ import annotations

import asyncio
from typing import Any

from hub.proof.contract_checks import Stands
from hub.proof.simulation.case import Case, Crm, Stage
from hub.proof.simulation.case_scenario import one_invoice
from hub.proof.simulation.contract_cases import order, sign, sold
from hub.proof.simulation.crm import VENDOR
from hub.proof.simulation.crm_cases import ALDER

_LIST = "12.50"
_FLOWS = ("contract-to-billing", "contract-due")
#: A subscription that a person makes for the contract.
_BY_HAND = (
    "customer={customer}&collection_method=send_invoice&days_until_due=30&metadata[contract]={contract}"
    "&items[0][price_data][currency]=eur&items[0][price_data][unit_amount]=1250"
    "&items[0][price_data][recurring][interval]=month&items[0][price_data][product]={seats}"
)


async def _signed(stage: Stage, *, term: int = 12) -> None:
    await sold(stage)
    await stage.rested()
    await sign(stage, (3, _LIST), term=term)
    # What the CRM is told is a change of the contract.
    for _ in range(2):
        await stage.read()
        await stage.rested()


async def _signed_twice(stage: Stage) -> None:
    await sold(stage)
    await stage.rested()
    await sign(stage)
    for _ in range(2):
        await stage.stripe("/v1/subscriptions", _BY_HAND)
    await stage.read()


async def _unclear(stage: Stage) -> None:
    await order(stage, "first", (3, _LIST))
    await stage.read()


async def _cut_off(stage: Stage) -> None:
    await order(stage, "none", (-3, _LIST), kind="Immediate Cancellation")
    await stage.read()
    await stage.agree()


async def _made_endless(stage: Stage) -> None:
    # Its last day is the one that runs.
    await _signed(stage, term=1)
    # Somebody takes its end out of billing.
    await stage.stripe("/v1/subscriptions/{subscription}", "cancel_at=")


async def _over_long_since(stage: Stage) -> None:
    await asyncio.sleep(2 * 3600.0)
    await stage.seed(VENDOR, {"changes": [{"type": "Contract", "id": "{contract}", "Description": "Over"}]})
    await stage.read()
    await stage.agree()


async def _untied(stage: Stage) -> None:
    """Let a contract be billed whose tie is lost, and somebody make a surplus subscription for it."""
    await _signed(stage)
    stage.backups.make(untied="contract")
    await stage.backups.bring_back()
    await stage.stripe("/v1/subscriptions", _BY_HAND)


async def _surplus_ended(stage: Stage) -> None:
    await stage.stripe("/v1/subscriptions/{newest_subscription}", method="DELETE")


def _case(story: str, stands: Stands, *, flows: tuple[str, ...] = _FLOWS, **more: Any) -> Case:
    exceptions = more.pop("exceptions", ())
    crm = Crm(
        records=(ALDER,),
        tied=("alder",),
        customers=1,
        products=1,
        prices=1,
        contracts={"contract": stands},
        exceptions=exceptions,
    )
    return Case(flows=flows, story=story, scenario=one_invoice(), crm=crm, **more)


CONTRACT_ENDING_CASES: tuple[Case, ...] = (
    _case("that an order ends at once", Stands.CUT, prepare=_signed, happen=_cut_off),
    _case("whose last day is over", Stands.CUT, prepare=_made_endless, happen=_over_long_since),
    _case(
        "of which billing has two",
        Stands.UNCLEAR,
        prepare=_signed_twice,
        happen=_unclear,
        exceptions=("contract-billed-twice",),
    ),
    _case(
        "for a surplus, of a hub that is brought back",
        Stands.SURPLUS,
        flows=("contract-ended", *_FLOWS),
        prepare=_untied,
        happen=_surplus_ended,
        exceptions=("contract-billed-twice",),
    ),
)
