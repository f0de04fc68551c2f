"""Whatever orders a contract gets, its subscription comes to be exactly what they sum up to, and then stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.mapping.compiled import apply
from hub.model.flow import Foreach
from hub.workspace.bundle import Bundle
from tests.workspace.test_money_path import bundle

__all__ = ["bundle"]

SIGNED = date(2026, 1, 1)
SOLD = {
    "01u1": {"product": "prod_1", "interval": "month", "list": Decimal("12.50")},
    "01u2": {"product": "prod_2", "interval": "month", "list": Decimal(99)},
    "01u3": {"product": "prod_3", "interval": "once", "list": Decimal(500)},
    # The same as the first, in another price book.
    "01u4": {"product": "prod_1", "interval": "month", "list": Decimal(11)},
}
#: Entry of the price book, what one costs, how many.
Line = tuple[str, Decimal, int]
_PRICES = (Decimal("12.50"), Decimal(99), Decimal("0.01"))
_LINES = st.lists(
    st.tuples(st.sampled_from(sorted(SOLD)), st.sampled_from(_PRICES), st.integers(-4, 9)), min_size=1, max_size=4
)
#: After how many days the next order begins, whether it is activated, after how many days it ends, and its lines.
ORDERS = st.lists(
    st.tuples(st.integers(-3, 40), st.booleans(), st.none() | st.integers(0, 30), _LINES), min_size=1, max_size=7
)


class Contract:
    """A contract of the CRM, and what of it is true by the plain rules."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []

    def order(self, begins: date, ends: date | None, lines: Sequence[Line], *, active: bool = True) -> None:
        """Take an order in; what would take away more than there is is sold less of."""
        id, status = f"801{len(self.orders)}", "Activated" if active else "Draft"
        items = [
            {
                "Id": f"802{len(self.orders)}{number}",
                "OrderId": id,
                "PricebookEntryId": entry,
                "Quantity": Decimal(quantity),
                "UnitPrice": price,
                "CurrencyIsoCode": "EUR",
                "Product2": {"Name": entry},
            }
            for number, (entry, price, quantity) in enumerate(lines)
        ]
        head = {"Id": id, "Status": status, "StatusCode": status, "EffectiveDate": begins.isoformat()}
        end = {} if ends is None else {"EndDate": ends.isoformat()}
        self.orders.append({**head, **end, "OrderItems": items})

    def counting(self, on: date) -> list[dict[str, Any]]:
        """Give the orders that count on a day."""
        return [
            one
            for one in self.orders
            if one["Status"] == "Activated" and one["EffectiveDate"] <= on.isoformat() <= one.get("EndDate", "9999")
        ]

    def agreed(self, on: date, *, once: bool = False) -> dict[tuple[str, Decimal], int]:
        """Give product and minor units → how many, without those of which none are left."""
        found: Counter[tuple[str, Decimal]] = Counter()
        for item in (item for one in self.counting(on) for item in one["OrderItems"]):
            if once or SOLD[item["PricebookEntryId"]]["interval"] == "month":
                product = str(SOLD[item["PricebookEntryId"]]["product"])
                found[product, item["UnitPrice"] * 100] += int(item["Quantity"])
        return {key: quantity for key, quantity in found.items() if quantity}

    def record(self) -> dict[str, Any]:
        """Give it as the connector reads it."""
        return {
            "Id": "800000000000001AAA",
            "AccountId": "001000000000001AAA",
            "ContractNumber": "00000100",
            "CurrencyIsoCode": "EUR",
            "Status": "Activated",
            "StatusCode": "Activated",
            "StartDate": SIGNED.isoformat(),
            "EndDate": "2026-12-31",
            "SystemModstamp": "2026-01-31T10:00:00.000+0000",
            "Orders": self.orders,
        }


class Subscription:
    """Stripe's side: what a request that creates or changes a subscription leaves there."""

    def __init__(self) -> None:
        self.standing: dict[str, Any] | None = None
        self.items: dict[str, dict[str, Any]] = {}
        self.prices: dict[str, tuple[str, Decimal]] = {}

    def price(self, line: Mapping[str, Any]) -> str:
        """Give the price of a line, as the ties would."""
        name = f"price_{line['product_id']}_{line['minor']}"
        self.prices[name] = (line["product_id"], Decimal(line["minor"]))
        return name

    def take(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Do as Stripe does with items: what is named is changed, what is not named stays, and no price comes twice."""
        for item in items:
            if item.get("deleted"):
                del self.items[item["id"]]
            elif "id" in item:
                self.items[item["id"]]["quantity"] = item["quantity"]
            else:
                self.items[f"si_{len(self.prices)}_{item['price']}"] = {
                    "price": item["price"],
                    "quantity": item["quantity"],
                }
        held = [item["price"] for item in self.items.values()]
        assert len(set(held)) == len(held)
        assert held

    def keyed(self) -> dict[str, Any]:
        """Give the items as the flow gives them to the mapping."""
        return {
            f"{product}:{minor.normalize():f}:month": {"item": id, **item, "minor": minor}
            for id, item in self.items.items()
            for product, minor in [self.prices[item["price"]]]
        }

    def sold(self) -> dict[tuple[str, Decimal], int]:
        """Give product and minor units → how many."""
        return {self.prices[item["price"]]: int(item["quantity"]) for item in self.items.values()}


def told(bundle: Bundle, contract: Contract, subscription: Subscription, on: date) -> Mapping[str, Any]:
    """Let the flow's decisions be made and done once; gives what was to be done."""
    more = {"customer": "cus_1", "entity": "DE01", "terms": "NET30", "sold": SOLD, "today": on.isoformat()}
    agreed = shaped(bundle, "salesforce/contract_to_hub", contract.record(), more)
    known: dict[str, Any] = {
        "standing": subscription.standing,
        "items": subscription.keyed(),
        "once": [],
        "today": on.isoformat(),
    }
    change = shaped(bundle, "hub/contract_change", agreed, known)
    prices = {line["id"]: subscription.price(line) for line in change["lines"] if "price" not in line}
    if change["begins"]:
        made = shaped(bundle, "stripe/subscription_from_contract", agreed, {"prices": prices})
        subscription.take(made["items"])
        subscription.standing = {"status": "active", "cancel_at": made["cancel_at"], "cancel_at_period_end": False}
    if change["amends"]:
        sent = shaped(bundle, "stripe/subscription_change", change, {"subscription": "sub_1", "prices": prices})
        subscription.take(sent["items"])
    if change["ends"]:
        assert subscription.standing is not None
        ends = shaped(bundle, "stripe/subscription_end", change, {"subscription": "sub_1"})
        at = ends.get("cancel_at")
        subscription.standing |= {"cancel_at": at or 1, "cancel_at_period_end": at is None}
    return change


def shaped(bundle: Bundle, name: str, record: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a mapping and see that what it gives fits its schema."""
    mapping = bundle.mappings[name]
    made: dict[str, Any] = apply(mapping, record, given)
    assert bundle.validate(mapping.target, made) == []
    return made


def test_any_amendments_leave_what_was_agreed(bundle: Bundle) -> None:
    # The workspace is no parameter of the trial, which would be written out with each example.
    @settings(max_examples=150, deadline=None)
    @example(orders=[(1, True, None, [("01u1", Decimal("12.50"), -3), ("01u3", Decimal(99), 1)])])
    @given(orders=ORDERS)
    def hold(orders: Sequence[Any]) -> None:
        amended(bundle, orders)

    hold()


def amended(bundle: Bundle, orders: Sequence[Any]) -> None:
    """Let a contract get these orders, and compare the subscription with what they sum up to after each."""
    contract, subscription, day = Contract(), Subscription(), SIGNED
    contract.order(SIGNED, None, [("01u1", Decimal("12.50"), 3)])
    told(bundle, contract, subscription, SIGNED)
    for later, active, lasts, lines in orders:
        begins = max(SIGNED, day + timedelta(days=later))
        ends = None if lasts is None else begins + timedelta(days=lasts)
        contract.order(begins, ends, lines, active=active)
        if active and any(quantity < 0 for quantity in contract.agreed(begins, once=True).values()):
            # Nobody can take away what is not there.
            contract.orders.pop()
            continue
        day = max(day, begins)
        wanted = contract.agreed(day, once=True)
        if any(quantity < 0 for quantity in wanted.values()):
            # What was there is over.
            contract.orders.pop()
            continue
        before = subscription.sold()
        change = told(bundle, contract, subscription, day)
        recurring = contract.agreed(day)
        if not recurring:
            # A subscription has an item to its end.
            assert subscription.sold() == before
            assert subscription.standing is not None
            assert subscription.standing["cancel_at_period_end"]
            return
        assert subscription.sold() == recurring
        assert change["amount"]["minor"] == worth(recurring) - worth(before)
        again = told(bundle, contract, subscription, day)
        assert (again["begins"], again["amends"], again["ends"]) == (False, False, False)


def worth(sold: Mapping[tuple[str, Decimal], int]) -> int:
    return int(sum(minor * quantity for (_, minor), quantity in sold.items()))


def test_more_than_there_was_cannot_be_taken_away(bundle: Bundle) -> None:
    contract = Contract()
    contract.order(SIGNED, None, [("01u1", Decimal("12.50"), 3)])
    contract.order(SIGNED, None, [("01u1", Decimal("10.00"), -1)])
    more = {"customer": "cus_1", "entity": "DE01", "terms": "NET30", "sold": SOLD, "today": SIGNED.isoformat()}
    mapping = bundle.mappings["salesforce/contract_to_hub"]
    assert bundle.validate(mapping.target, apply(mapping, contract.record(), more)) != []


def test_half_a_seat_is_none_that_stripe_sells(bundle: Bundle) -> None:
    contract = Contract()
    contract.order(SIGNED, None, [("01u1", Decimal("12.50"), 3)])
    contract.orders[0]["OrderItems"][0]["Quantity"] = Decimal("2.5")
    more = {"customer": "cus_1", "entity": "DE01", "terms": "NET30", "sold": SOLD, "today": SIGNED.isoformat()}
    agreed = shaped(bundle, "salesforce/contract_to_hub", contract.record(), more)
    mapping = bundle.mappings["stripe/subscription_from_contract"]
    assert bundle.validate(mapping.target, apply(mapping, agreed, {"prices": {"80200": "price_1"}})) != []


@pytest.mark.parametrize("mine", [True, False])
def test_a_price_of_the_list_is_told_from_one_that_was_agreed(bundle: Bundle, *, mine: bool) -> None:
    contract = Contract()
    contract.order(SIGNED, None, [("01u1", Decimal("11.00") if mine else Decimal("12.5"), 3)])
    more = {"customer": "cus_1", "entity": "DE01", "terms": "NET30", "sold": SOLD, "today": SIGNED.isoformat()}
    (line,) = shaped(bundle, "salesforce/contract_to_hub", contract.record(), more)["lines"]
    assert line.get("price_id") == (None if mine else "01u1")


@pytest.mark.parametrize(
    ("as_of", "sent"),
    [("2026-01-31T10:00:05.000+0000", ["8010"]), ("2026-01-31T10:00:07.000+0000", ["8010", "8011"])],
)
def test_what_is_newer_than_what_is_told_has_a_telling_of_its_own(bundle: Bundle, as_of: str, sent: list[str]) -> None:
    """The contract is read later than it was told of: an order that was activated in between is told of by itself."""
    (step,) = (step for step in bundle.flows["contract-to-billing"].steps if step.id == "sent")
    assert isinstance(step.action, Foreach)
    contract = Contract()
    for moment in ("2026-01-31T10:00:05.000+0000", "2026-01-31T10:00:07.000+0000"):
        contract.order(SIGNED, None, [("01u1", Decimal("12.50"), 1)])
        contract.orders[-1]["SystemModstamp"] = moment
    scope = {
        "event": {"occurred_at": "2026-01-31T10:00:09Z"},
        "data": {"record": {"as_of": as_of}},
        "known": {"id": "sub_1"},
        "make": None,
        "way": {"agreed": {"id": "800"}},
        "contract": contract.record(),
    }
    assert [order["Id"] for order in step.action.each(scope)] == sent
