"""Whatever orders a contract gets, its sales order of S/4HANA comes to be exactly what they sum up to, and stays so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings

from hub.model.flow import Call, Step
from hub.workspace.bundle import Bundle
from tests.workspace.test_contracts import ALL_AWAY, HALF_A_SEAT, ORDERS, SIGNED, SOLD, Contract, Sold, shaped
from tests.workspace.test_money_path import bundle

__all__ = ["bundle"]

#: Product at Stripe → number in S/4HANA.
NUMBERS = {"prod_1": "SEATS", "prod_2": "STORAGE", "prod_3": "SETUP"}
#: What the flow knows of each entry of a price book.
COLLECTED = [{"key": entry, "value": {**sold, "item": NUMBERS[str(sold["product"])]}} for entry, sold in SOLD.items()]


class SalesOrder:
    """S/4HANA's side: what a request that makes or changes an order leaves there."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}

    def make(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Number the items by tens."""
        for place, item in enumerate(items, start=1):
            self._add(str(10 * place), item)

    def change(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Change the items that stand by what is given of them, and make the others."""
        numbers = [item["SalesOrderItem"] for item in items]
        assert len(set(numbers)) == len(numbers)
        for item in items:
            if item["SalesOrderItem"] not in self.items:
                self._add(item["SalesOrderItem"], item)
                continue
            # Its price stays, and so does its material.
            assert item.keys() <= {"SalesOrderItem", "RequestedQuantity", "SalesDocumentRjcnReason"}
            self.items[item["SalesOrderItem"]] |= item

    def _add(self, number: str, item: Mapping[str, Any]) -> None:
        (element,) = item["to_PricingElement"]
        # Gateway shows a rate with all the digits of its type.
        shown = {**element, "ConditionRateValue": f"{Decimal(element['ConditionRateValue']):.9f}"}
        automatic = {"ConditionType": "TTX1", "ConditionRateValue": "19.000000000"}
        elements = [automatic, shown]
        self.items[number] = {**item, "SalesOrderItem": number, "to_PricingElement": elements}

    def standing(self) -> dict[str, Any]:
        """Give it as a look finds it."""
        return {"SalesOrder": "7", "to_Item": [dict(item) for item in self.items.values()]}

    def sold(self) -> Sold:
        """Give number and minor units → how many are not rejected; no two items are about the same."""
        found: Sold = {}
        for item in self.items.values():
            assert Decimal(item["RequestedQuantity"]) > 0
            if not item.get("SalesDocumentRjcnReason"):
                key = (item["Material"], Decimal(item["to_PricingElement"][1]["ConditionRateValue"]) * 100)
                assert key not in found
                found[key] = Decimal(item["RequestedQuantity"])
        return found


def step_of(bundle: Bundle, name: str) -> Call:
    (step,) = (step for step in bundle.flows["contract-to-billing"].steps if step.id == name)
    assert isinstance(step, Step)
    assert isinstance(step.action, Call)
    return step.action


def changed(bundle: Bundle, agreed: Mapping[str, Any], order: SalesOrder, step: str = "adjust") -> None:
    """Let the step of the flow that changes an order be done once."""
    call = step_of(bundle, step)
    scope = {"stood": {"sales_order": order.standing()}, "way": {"sold": {"collected": COLLECTED}, "agreed": agreed}}
    assert call.shape is not None
    made = shaped(bundle, call.shape, agreed, {name: term(scope) for name, term in call.given.items()})
    assert made["SalesOrder"] == "7"
    order.change(made["to_Item"])


def test_any_amendments_leave_what_was_agreed(bundle: Bundle) -> None:
    @settings(max_examples=60, deadline=None)
    @example(orders=[(1, True, None, None, [ALL_AWAY, ("01u3", Decimal(99), Decimal(1))])])
    @example(orders=[(1, True, None, None, [HALF_A_SEAT])])
    @example(
        orders=[
            (0, True, 3, None, [("01u2", Decimal(99), Decimal(2))]),
            (9, True, None, None, [("01u2", Decimal(99), Decimal(4))]),
        ]
    )
    @given(orders=ORDERS)
    def hold(orders: Sequence[Any]) -> None:
        amended(bundle, orders)

    hold()


def amended(bundle: Bundle, orders: Sequence[Any]) -> None:
    """Let a contract get these orders, and compare the sales order with what they sum up to after each."""
    contract, order, day = Contract(), SalesOrder(), SIGNED
    contract.order(SIGNED, None, [("01u1", Decimal("12.50"), Decimal(3))])
    for number, (later, active, lasts, kind, lines) in enumerate([(0, False, None, None, ()), *orders]):
        begins = max(SIGNED, day + timedelta(days=later))
        contract.order(
            begins, None if lasts is None else begins + timedelta(days=lasts), lines, active=active, kind=kind
        )
        day = max(day, begins)
        wanted = contract.agreed(day, once=True)
        if any(quantity < 0 for quantity in wanted.values()) or not wanted:
            # Nobody can take away what is not there, and of which nothing is left is ended and not changed.
            return
        more = {"customer": "cus_1", "entity": "DE01", "terms": "NET30", "sold": SOLD, "today": day.isoformat()}
        agreed = shaped(bundle, "salesforce/contract_to_hub", contract.record(), more)
        if number == 0:
            told = {"customer": "10100001", "company": "1010", "sold": COLLECTED}
            made = shaped(bundle, "s4hana/sales_order_from_hub", agreed, told)
            order.make(made["to_Item"])
        else:
            changed(bundle, agreed, order)
        expected = {(NUMBERS[product], minor): quantity for (product, minor), quantity in wanted.items()}
        assert order.sold() == expected
        # Once more changes nothing, by whichever step.
        numbers = set(order.items)
        changed(bundle, agreed, order, "reopen")
        assert (order.sold(), set(order.items)) == (expected, numbers)
