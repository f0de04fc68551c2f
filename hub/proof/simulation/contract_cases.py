"""What is let happen for contracts of the CRM: signed, amended, ended and taken back, with all that may come late."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.proof.contract_checks import Stands
from hub.proof.simulation.case import Case, Crm, Stage, Tied
from hub.proof.simulation.case_scenario import one_invoice
from hub.proof.simulation.crm import VENDOR
from hub.proof.simulation.crm_cases import ALDER, both_launched, entered, launched

#: How many, at which price, of which entry of the price book: seats unless it is said.
Line = tuple[object, ...]
_LIST = "12.50"
#: More digits than Stripe takes.
_TOO_MUCH = "100000000000000"
_EUROS: Mapping[str, Any] = {"currencies": [{"IsoCode": "EUR", "IsCorporate": True}]}
_FLOWS = ("contract-to-billing", "contract-due")


async def order(
    stage: Stage,
    name: str,
    *lines: Line,
    on: str = "2026-03-31",
    to: str | None = None,
    contract: str = "contract",
    kind: str = "New",
) -> None:
    """Let an order of a contract be activated; each line is how many of the entry, and what one costs."""
    head: dict[str, Any] = {"type": "Order", "ref": name, "AccountId": "{alder}", "ContractId": f"{{{contract}}}"}
    head["Type"] = kind
    head |= {"Pricebook2Id": "{price_book}", "CurrencyIsoCode": "EUR", "EffectiveDate": on, "Status": "Draft"}
    items: Sequence[Mapping[str, Any]] = [
        {
            "type": "OrderItem",
            "OrderId": f"@{{{name}}}",
            "PricebookEntryId": f"{{{(*entry, 'entry')[0]}}}",
            "Quantity": quantity,
            "UnitPrice": price,
        }
        for quantity, price, *entry in lines
    ]
    await stage.seed(VENDOR, {"records": [head if to is None else {**head, "EndDate": to}, *items]})
    await stage.seed(VENDOR, {"changes": [{"type": "Order", "id": f"{{{name}}}", "Status": "Activated"}]})


async def draft(stage: Stage, start: str = "2026-03-01", term: int = 12) -> None:
    """Let a contract be a draft."""
    contract = {
        "type": "Contract",
        "ref": "contract",
        "CurrencyIsoCode": "EUR",
        "AccountId": "{alder}",
        "Status": "Draft",
    }
    await stage.seed(VENDOR, {"records": [{**contract, "StartDate": start, "ContractTerm": term}]})


async def sign(stage: Stage, *lines: Line, start: str = "2026-03-01", term: int = 12) -> None:
    """Let a contract be activated with its first order, if that has lines."""
    await draft(stage, start, term)
    await activate(stage, *lines, start=start)


async def activate(stage: Stage, *lines: Line, start: str = "2026-03-01") -> None:
    """Let the draft of a contract count, with its first order, if that has lines."""
    await stage.seed(VENDOR, {"changes": [{"type": "Contract", "id": "{contract}", "Status": "Activated"}]})
    if lines:
        await order(stage, "first", *lines, on=start)


async def sold(stage: Stage) -> None:
    """Let the org have euros, and a product that is sold at a price of its list."""
    await stage.seed(VENDOR, _EUROS)
    await launched(stage)
    await entered(stage, CurrencyIsoCode="EUR")


async def _signed(stage: Stage) -> None:
    await sign(stage, (3, _LIST))
    await stage.read()


async def _sold_and_signed(stage: Stage) -> None:
    await sold(stage)
    await stage.rested()
    await _signed(stage)
    await stage.rested()
    # What the CRM is told is a change of the contract.
    await stage.read()


async def _noted(stage: Stage) -> None:
    await _sold_and_signed(stage)
    # What people charge by hand is looked at, and left alone.
    await stage.stripe("/v1/invoiceitems", "customer={customer}&amount=100&currency=eur")


async def installed(stage: Stage) -> None:
    """Let an order be activated with what is charged once."""
    setup = {"type": "Product2", "ref": "setup", "Name": "Setup", "ProductCode": "S-9", "Family": "Services"}
    await stage.seed(VENDOR, {"records": [{**setup, "IsActive": True}]})
    await stage.read()
    await stage.rested()
    fee = {"type": "PricebookEntry", "ref": "fee", "Pricebook2Id": "{price_book}", "Product2Id": "{setup}"}
    await stage.seed(VENDOR, {"records": [{**fee, "CurrencyIsoCode": "EUR", "UnitPrice": 500, "IsActive": True}]})
    await stage.read()
    await stage.rested()
    # One at what was agreed, and a half of one.
    await order(stage, "installed", (2, 500, "fee"), (1, 450, "fee"), (Decimal("0.5"), 500, "fee"))
    await stage.read()


async def _amended(stage: Stage) -> None:
    await order(stage, "more", (2, _LIST), (4, "10.00"), (Decimal("2.5"), "9.90"))
    await stage.read()


async def _reduced(stage: Stage) -> None:
    await order(stage, "less", (-1, _LIST))
    await stage.read()
    await stage.agree()


async def drop(stage: Stage, name: str, *, for_good: bool = False) -> None:
    """Let an order be deleted, which is made a draft for it, before anybody sees either."""
    await stage.seed(VENDOR, {"changes": [{"type": "Order", "id": name, "Status": "Draft"}]})
    await stage.seed(VENDOR, {"delete": [name], **({"purge": [name]} if for_good else {})})


async def _sold_and_amended(stage: Stage) -> None:
    await _sold_and_signed(stage)
    await _amended(stage)
    await stage.rested()
    await stage.read()


async def _dropped(stage: Stage) -> None:
    await drop(stage, "{more}")
    await stage.read()
    await stage.agree()


async def _last_dropped(stage: Stage) -> None:
    await drop(stage, "{first}")
    await stage.read()


async def _ended_and_deleted(stage: Stage) -> None:
    await stage.stripe("/v1/subscriptions/{subscription}", method="DELETE")
    await stage.rested()
    await stage.seed(VENDOR, {"delete": ["{contract}"]})
    await stage.read()


async def _emptied(stage: Stage) -> None:
    await order(stage, "none", (-3, _LIST))
    await stage.read()
    await stage.agree()


async def _kept(stage: Stage) -> None:
    await order(stage, "none", (-3, _LIST))
    await stage.read()
    await stage.rested()
    await stage.refuse()


async def _changed_at_midnight(stage: Stage) -> None:
    # It is two hours to midnight, when the one is over and the other begins.
    await order(stage, "guests", (5, _LIST), to="2026-03-31")
    await order(stage, "later", (6, _LIST), on="2026-04-01")
    await stage.read()
    await asyncio.sleep(60.0)
    await stage.rested()


async def _last_day(stage: Stage) -> None:
    await sold(stage)
    await stage.rested()
    await sign(stage, (3, _LIST), term=1)
    await stage.read()


async def _over(stage: Stage) -> None:
    await stage.read()
    await asyncio.sleep(2 * 3600.0)


async def disputed(stage: Stage) -> None:
    """Let what was done for a contract be taken back, and the contract change afterwards."""
    await stage.take_back()
    await stage.rested()
    # Whatever happens to it afterwards begins nothing anew.
    await stage.seed(VENDOR, {"changes": [{"type": "Contract", "id": "{contract}", "Description": "Disputed"}]})
    await stage.read()


async def _negotiated(stage: Stage) -> None:
    await sold(stage)
    await stage.rested()
    await sign(stage, (3, "11.00"))
    await stage.read()
    await stage.rested()
    await stage.read()


async def _early(stage: Stage) -> None:
    await _signed(stage)
    await stage.link(account="alder")
    await stage.link()


async def _empty(stage: Stage) -> None:
    """Let a contract be activated that has no order yet, and a product have a price that Stripe does not take."""
    await stage.seed(VENDOR, _EUROS)
    await launched(stage)
    await entered(stage, CurrencyIsoCode="EUR", UnitPrice=_TOO_MUCH)
    await stage.rested()
    await sign(stage)
    await stage.read()


async def _unpriced(stage: Stage) -> None:
    await order(stage, "first", (1, _TOO_MUCH))
    await stage.read()
    await stage.agree()
    await asyncio.sleep(60.0)
    await stage.rested()


async def _half_sold(stage: Stage) -> None:
    """Let a contract be activated that has no order yet; one of two products stops before billing hears of it."""
    await stage.seed(VENDOR, _EUROS)
    await both_launched(stage)
    await stage.rested()
    await sign(stage)
    await stage.read()


async def _unsold(stage: Stage) -> None:
    await entered(stage, "twin", CurrencyIsoCode="EUR")
    await order(stage, "first", (1, _LIST))
    await stage.read()
    await stage.link(product=("twin", "prod_subscription"))


def _case(story: str, **more: Any) -> Case:
    return Case(flows=_FLOWS, story=story, scenario=one_invoice(), **more)


def of_contract(stands: Stands = Stands.BILLED, **more: Any) -> Crm:
    """Give what must come of the one contract of a case, whose customer is tied."""
    given: dict[str, Any] = {"records": (ALDER,), "tied": ("alder",), "customers": 1, "products": 1, "prices": 1}
    return Crm(**{**given, **more}, contracts={"contract": stands})


CONTRACT_CASES: tuple[Case, ...] = (
    _case("", prepare=sold, happen=_signed, crm=of_contract()),
    _case("that is amended", prepare=_sold_and_signed, happen=_amended, crm=of_contract()),
    _case("with what is charged once", prepare=_noted, happen=installed, crm=of_contract(products=2, prices=2)),
    _case("that becomes less", prepare=_sold_and_signed, happen=_reduced, crm=of_contract()),
    _case("of which nothing is left", prepare=_sold_and_signed, happen=_emptied, crm=of_contract(Stands.ENDING)),
    _case(
        "of which people leave everything",
        prepare=_sold_and_signed,
        happen=_kept,
        crm=of_contract(Stands.KEPT, exceptions=("approval-refused",)),
    ),
    _case("whose orders begin and end", prepare=_sold_and_signed, happen=_changed_at_midnight, crm=of_contract()),
    Case(
        flows=("contract-ended", *_FLOWS),
        scenario=one_invoice(),
        prepare=_last_day,
        happen=_over,
        crm=of_contract(Stands.ENDED),
    ),
    Case(
        flows=("contract-left", *_FLOWS),
        scenario=one_invoice(),
        prepare=_sold_and_amended,
        happen=_dropped,
        crm=of_contract(),
    ),
    Case(
        flows=("contract-left", *_FLOWS),
        story="for its last order",
        scenario=one_invoice(),
        prepare=_sold_and_signed,
        happen=_last_dropped,
        crm=of_contract(Stands.LEFT, exceptions=("contract-without-orders",)),
    ),
    Case(
        flows=("contract-left", *_FLOWS),
        story="for a contract that has ended",
        scenario=one_invoice(),
        prepare=_sold_and_signed,
        happen=_ended_and_deleted,
        crm=of_contract(Stands.ENDED),
    ),
    _case(
        "that is taken back",
        prepare=_negotiated,
        happen=disputed,
        crm=of_contract(Stands.UNDONE, exceptions=("contract-taken-back",)),
    ),
    _case(
        "before its customer",
        prepare=sold,
        happen=_early,
        tied=Tied.NOBODY,
        # Its account is no customer of the CRM's: people tie it.
        crm=of_contract(records=({**ALDER, "Type": "Prospect"},), tied=(), customers=0),
    ),
    _case(
        "before its product",
        prepare=_half_sold,
        happen=_unsold,
        crm=of_contract(Stands.NOTHING, exceptions=("user-error", "item-not-mapped")),
    ),
    _case(
        "before its price",
        prepare=_empty,
        happen=_unpriced,
        crm=of_contract(Stands.NOTHING, prices=0, exceptions=("fix-data", "price-not-mapped")),
    ),
)
