"""Whatever orders a contract gets, its subscription comes to be exactly what they sum up to, and then stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.mapping.compiled import apply
from hub.model.flow import Equal, Foreach
from hub.model.flow_steps import every_step
from hub.policy.decision import decide
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
Line = tuple[str, Decimal, Decimal]
#: All of what the contract was signed with.
ALL_AWAY: Line = ("01u1", Decimal("12.50"), Decimal(-3))
HALF_A_SEAT: Line = ("01u1", Decimal("12.50"), Decimal("0.5"))
_PRICES = (Decimal("12.50"), Decimal(99), Decimal("0.01"), Decimal(25))
#: Whole units most often, and parts of them.
_QUANTITIES = st.integers(-4, 9).map(Decimal) | st.sampled_from(
    [Decimal(parts) for parts in ("0.5", "-0.5", "2.5", "0.01")]
)
_LINES = st.lists(
    st.tuples(st.sampled_from(sorted(SOLD)), st.sampled_from(_PRICES), _QUANTITIES), min_size=1, max_size=4
)
#: What an order says that ends what it takes away at once.
AT_ONCE = "Immediate Cancellation"
#: After how many days the next order begins, whether it is activated, after how many days it ends, what it says that it
#: is, and its lines.
ORDERS = st.lists(
    st.tuples(
        st.integers(-3, 40), st.booleans(), st.none() | st.integers(0, 30), st.sampled_from([None, AT_ONCE]), _LINES
    ),
    min_size=1,
    max_size=7,
)
#: How many days after the last of it the contract ends, as somebody says in the end.
_LAST = st.none() | st.integers(-9, 9)
#: How a policy says that it is taxed, when it is signed and later; what is taxed by rates is never taxed automatically.
AS_IT_IS: Mapping[str, str] = {"by": "as_it_is", "rates": ""}
AUTOMATIC: Mapping[str, str] = {"by": "automatic", "rates": ""}
ONE_RATE: Mapping[str, str] = {"by": "rates", "rates": "txr_1"}
TWO_RATES: Mapping[str, str] = {"by": "rates", "rates": "txr_2 txr_1"}
UNTAXED = (AS_IT_IS, AS_IT_IS)
_TAXES = st.sampled_from(
    [
        UNTAXED,
        (AS_IT_IS, AUTOMATIC),
        (AS_IT_IS, ONE_RATE),
        (ONE_RATE, TWO_RATES),
        (TWO_RATES, AS_IT_IS),
        (AUTOMATIC, ONE_RATE),
    ]
)


#: Product and minor units → how many.
Sold = dict[tuple[str, Decimal], Decimal]


def in_billing(agreed: Sold) -> Sold:
    """Give what of it can be sold in whole units: of parts of a unit one, at what they come to."""
    found: defaultdict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)
    for (product, minor), quantity in agreed.items():
        whole = quantity == int(quantity)
        found[product, minor if whole else minor * quantity] += quantity if whole else 1
    return dict(found)


class Contract:
    """A contract of the CRM, and what of it is true by the plain rules."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.last = date(2026, 12, 31)

    def order(
        self,
        begins: date,
        ends: date | None,
        lines: Sequence[Line],
        *,
        active: bool = True,
        kind: str | None = None,
    ) -> None:
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
        head = {"Id": id, "Status": status, "StatusCode": status, "EffectiveDate": begins.isoformat(), "Type": kind}
        end = {} if ends is None else {"EndDate": ends.isoformat()}
        self.orders.append({**head, **end, "OrderItems": items})

    def active(self) -> list[dict[str, Any]]:
        """Give the activated orders."""
        return [one for one in self.orders if one["Status"] == "Activated"]

    def counting(self, on: date) -> list[dict[str, Any]]:
        """Give the orders that count on a day."""
        return [
            one
            for one in self.orders
            if one["Status"] == "Activated" and one["EffectiveDate"] <= on.isoformat() <= one.get("EndDate", "9999")
        ]

    def agreed(self, on: date, *, once: bool = False) -> Sold:
        """Give product and minor units → how many, without those of which none are left."""
        found: defaultdict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)
        for item in (item for one in self.counting(on) for item in one["OrderItems"]):
            if once or SOLD[item["PricebookEntryId"]]["interval"] == "month":
                product = str(SOLD[item["PricebookEntryId"]]["product"])
                found[product, item["UnitPrice"] * 100] += item["Quantity"]
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
            "EndDate": self.last.isoformat(),
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

    def tax(self, sent: Mapping[str, Any]) -> None:
        """Do as Stripe does with terms of tax: what is not named stays, and rates are none beside its own engine."""
        assert self.standing is not None
        if "automatic_tax" in sent:
            self.standing["automatic_tax"] = sent["automatic_tax"]
        if "default_tax_rates" in sent:
            self.standing["default_tax_rates"] = [{"id": rate} for rate in sent["default_tax_rates"]]
        automatic = self.standing.get("automatic_tax", {}).get("enabled", False)
        assert not (automatic and self.standing.get("default_tax_rates"))

    def taxed(self) -> tuple[bool, set[str]]:
        """Tell whether it is taxed by itself, and by which rates."""
        assert self.standing is not None
        rates = {rate["id"] for rate in self.standing.get("default_tax_rates", [])}
        return self.standing.get("automatic_tax", {}).get("enabled", False), rates

    def keyed(self) -> dict[str, Any]:
        """Give the items as the flow gives them to the mapping."""
        return {
            f"{product}:{minor.normalize():f}:month": {"item": id, **item, "minor": minor}
            for id, item in self.items.items()
            for product, minor in [self.prices[item["price"]]]
        }

    def sold(self) -> Sold:
        """Give product and minor units → how many."""
        return {self.prices[item["price"]]: Decimal(item["quantity"]) for item in self.items.values()}


def told(
    bundle: Bundle, contract: Contract, subscription: Subscription, on: date, tax: Mapping[str, str] = AS_IT_IS
) -> Mapping[str, Any]:
    """Let the flow's decisions be made and done once; gives what was to be done."""
    more = {"customer": "cus_1", "entity": "DE01", "terms": "NET30", "sold": SOLD, "today": on.isoformat()}
    agreed = shaped(bundle, "salesforce/contract_to_hub", contract.record(), more)
    known: dict[str, Any] = {
        "standing": subscription.standing,
        "items": subscription.keyed(),
        "once": [],
        "sold": SOLD,
        "today": on.isoformat(),
        "ending": ending(bundle, contract, agreed, on),
        "tax": tax,
    }
    billed = shaped(bundle, "hub/contract_in_billing", agreed, {})
    change = shaped(bundle, "hub/contract_change", billed, known)
    prices = {line["id"]: subscription.price(line) for line in change["lines"] if "price" not in line}
    if change["begins"]:
        made = shaped(bundle, "stripe/subscription_from_contract", billed, {"prices": prices, "tax": tax})
        subscription.take(made["items"])
        subscription.standing = {"status": "active", "cancel_at": made["cancel_at"], "cancel_at_period_end": False}
        subscription.tax(made)
    if change["amends"] or change["retaxes"]:
        more = {"subscription": "sub_1", "prices": prices, "tax": tax}
        sent = shaped(bundle, "stripe/subscription_change", change, more)
        subscription.take(sent["items"])
        subscription.tax(sent)
    if change["ends"]:
        assert subscription.standing is not None
        ends = shaped(bundle, "stripe/subscription_end", change, {"subscription": "sub_1"})
        at = ends.get("cancel_at")
        subscription.standing |= {"cancel_at": at or 1, "cancel_at_period_end": at is None}
    if change["ends_now"]:
        assert subscription.standing is not None
        sent = shaped(
            bundle, "stripe/subscription_end_now", change, {"subscription": "sub_1", "ending": known["ending"]}
        )
        subscription.standing |= {"status": "canceled", "prorated": sent["prorate"]}
    return change


def ending(bundle: Bundle, contract: Contract, agreed: Mapping[str, Any], on: date) -> Mapping[str, Any]:
    """Ask the policy how what is over ends."""
    scope = {"contract": contract.record(), "agreed": agreed, "event": {"occurred_at": f"{on.isoformat()}T10:00:00Z"}}
    return decide(bundle.policies["contract-endings"], scope).output


def shaped(bundle: Bundle, name: str, record: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a mapping and see that what it gives fits its schema."""
    mapping = bundle.mappings[name]
    made: dict[str, Any] = apply(mapping, record, given)
    assert bundle.validate(mapping.target, made) == []
    return made


def test_any_amendments_leave_what_was_agreed(bundle: Bundle) -> None:
    # The workspace is no parameter of the trial, which would be written out with each example.
    @settings(max_examples=150, deadline=None)
    @example(orders=[(1, True, None, None, [ALL_AWAY, ("01u3", Decimal(99), Decimal(1))])], last=None, taxes=UNTAXED)
    @example(orders=[(1, True, None, AT_ONCE, [ALL_AWAY])], last=None, taxes=UNTAXED)
    @example(orders=[(1, True, None, None, [HALF_A_SEAT])], last=-1, taxes=(ONE_RATE, TWO_RATES))
    @given(orders=ORDERS, last=_LAST, taxes=_TAXES)
    def hold(orders: Sequence[Any], last: int | None, taxes: Sequence[Mapping[str, str]]) -> None:
        amended(bundle, orders, last, *taxes)

    hold()


def amended(
    bundle: Bundle,
    orders: Sequence[Any],
    last: int | None,
    tax: Mapping[str, str],
    taxed_later: Mapping[str, str],
) -> None:
    """Let a contract get these orders, and compare the subscription with what they sum up to after each."""
    contract, subscription, day = Contract(), Subscription(), SIGNED
    contract.order(SIGNED, None, [("01u1", Decimal("12.50"), Decimal(3))])
    told(bundle, contract, subscription, SIGNED, tax)
    first = taxes(tax)
    assert subscription.taxed() == first
    for later, active, lasts, kind, lines in orders:
        begins = max(SIGNED, day + timedelta(days=later))
        ends = None if lasts is None else begins + timedelta(days=lasts)
        contract.order(begins, ends, lines, active=active, kind=kind)
        if active and any(quantity < 0 for quantity in contract.agreed(begins, once=True).values()):
            # Nobody can take away what is not there.
            contract.orders.pop()
            continue
        now = max(day, begins)
        if any(quantity < 0 for quantity in contract.agreed(now, once=True).values()):
            # What was there is over.
            contract.orders.pop()
            continue
        parts = [minor * quantity for (_, minor), quantity in contract.agreed(now).items()]
        assert stops_for_parts(bundle, contract, now) is any(each != int(each) for each in parts)
        if any(each != int(each) for each in parts):
            contract.orders.pop()
            continue
        day = now
        before = subscription.sold()
        change = told(bundle, contract, subscription, day)
        recurring = in_billing(contract.agreed(day))
        assert subscription.standing is not None
        if not recurring:
            # A subscription has an item to its end.
            assert subscription.sold() == before
            at_once = any(one["Type"] == AT_ONCE and one["EffectiveDate"] <= str(day) for one in contract.active())
            over(subscription, at_once=at_once)
            rests(bundle, contract, subscription, day)
            return
        assert subscription.sold() == recurring
        assert change["amount"]["minor"] == worth(recurring) - worth(before)
        rests(bundle, contract, subscription, day)
    before = subscription.sold()
    change = told(bundle, contract, subscription, day, taxed_later)
    assert subscription.sold() == before
    assert change["amount"]["minor"] == 0
    assert subscription.taxed() == (first if taxed_later is AS_IT_IS else taxes(taxed_later))
    rests(bundle, contract, subscription, day, taxed_later)
    if last is not None:
        shortened(bundle, contract, subscription, day, day + timedelta(days=last))


def shortened(bundle: Bundle, contract: Contract, subscription: Subscription, day: date, last: date) -> None:
    """Let the contract have another last day: one that is over ends it at once, and credits what is unused."""
    contract.last = last
    before = subscription.sold()
    change = told(bundle, contract, subscription, day)
    assert subscription.standing is not None
    assert subscription.sold() == before
    assert change["amount"]["minor"] == -worth(before)
    if last < day:
        over(subscription, at_once=True)
    else:
        end = datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC)
        assert subscription.standing["status"] == "active"
        assert subscription.standing["cancel_at"] == end.timestamp()
    rests(bundle, contract, subscription, day)
    # By the day after it billing has ended it, or is about to.
    rests(bundle, contract, subscription, max(day, last + timedelta(days=1)))


def over(subscription: Subscription, *, at_once: bool) -> None:
    """See that a subscription has ended with credit for what is unused, or ends with its period."""
    assert subscription.standing is not None
    assert subscription.standing["status"] == ("canceled" if at_once else "active")
    assert subscription.standing["cancel_at_period_end"] is not at_once
    assert subscription.standing.get("prorated", False) is at_once


def taxes(tax: Mapping[str, str]) -> tuple[bool, set[str]]:
    """Give what a subscription must say that is taxed so."""
    return tax is AUTOMATIC, set(tax["rates"].split())


def rests(
    bundle: Bundle, contract: Contract, subscription: Subscription, day: date, tax: Mapping[str, str] = AS_IT_IS
) -> None:
    """See that nothing is done where everything is as agreed."""
    again = told(bundle, contract, subscription, day, tax)
    assert [again[name] for name in ("begins", "amends", "retaxes", "ends", "ends_now")] == [False] * 5


def stops_for_parts(bundle: Bundle, contract: Contract, on: date) -> bool:
    """Tell whether the flow stops because a part of a unit comes to a part of a cent; nothing is charged once."""
    (step,) = (step for step in every_step(bundle.flows["contract-to-billing"].steps) if step.id == "agreed")
    assert isinstance(step.expect, Equal)
    assert step.expect.case == "amount-not-whole"
    more = {"customer": "cus_1", "entity": "DE01", "terms": "NET30", "sold": SOLD, "today": on.isoformat()}
    record = contract.record() | {"Orders": [one | {"Billing_Status__c": "Sent"} for one in contract.orders]}
    scope = {
        "agreed": shaped(bundle, "salesforce/contract_to_hub", record, more),
        "contract": record,
        "sold": {"collected": [{"key": key, "value": value} for key, value in SOLD.items()]},
        "event": {"occurred_at": f"{on.isoformat()}T10:00:00Z"},
    }
    return bool(step.expect.left(scope) != [])


def worth(sold: Sold) -> int:
    return int(sum(minor * quantity for (_, minor), quantity in sold.items()))


def test_more_than_there_was_cannot_be_taken_away(bundle: Bundle) -> None:
    contract = Contract()
    contract.order(SIGNED, None, [("01u1", Decimal("12.50"), Decimal(3))])
    contract.order(SIGNED, None, [("01u1", Decimal("10.00"), Decimal(-1))])
    more = {"customer": "cus_1", "entity": "DE01", "terms": "NET30", "sold": SOLD, "today": SIGNED.isoformat()}
    mapping = bundle.mappings["salesforce/contract_to_hub"]
    assert bundle.validate(mapping.target, apply(mapping, contract.record(), more)) != []


def test_half_a_seat_is_sold_as_one_thing_at_what_it_comes_to(bundle: Bundle) -> None:
    contract, subscription = Contract(), Subscription()
    contract.order(SIGNED, None, [("01u1", Decimal("12.50"), Decimal("2.5"))])
    change = told(bundle, contract, subscription, SIGNED)
    assert subscription.sold() == {("prod_1", Decimal(3125)): 1}
    assert change["lines"][0].get("listed") is None
    assert change["amount"]["minor"] == 3125


@pytest.mark.parametrize(("quantity", "stops"), [("0.5", True), ("2", False), ("1.00", False)])
def test_half_a_cent_is_charged_by_nobody(bundle: Bundle, quantity: str, *, stops: bool) -> None:
    contract = Contract()
    contract.order(SIGNED, None, [("01u1", Decimal("0.01"), Decimal(quantity))])
    assert stops_for_parts(bundle, contract, SIGNED) is stops
    # It keeps no contract from ending.
    contract.last = SIGNED
    assert stops_for_parts(bundle, contract, SIGNED) is stops
    assert not stops_for_parts(bundle, contract, SIGNED + timedelta(days=1))


@pytest.mark.parametrize(
    ("price", "currency", "stops"),
    [("12.505", "EUR", True), ("12.50", "EUR", False), ("0.001", "EUR", True), ("99.5", "JPY", True)],
)
@pytest.mark.parametrize("entry", ["01u1", "01u3"])
@pytest.mark.parametrize("quantity", [2, 3])
def test_a_price_with_a_part_of_a_cent_is_a_persons_matter(
    bundle: Bundle, entry: str, price: str, currency: str, quantity: int, *, stops: bool
) -> None:
    """Stripe would round what 3 at 12.505 come to, and nobody had said that the half cent is given away."""
    contract = Contract()
    contract.order(SIGNED, SIGNED, [(entry, Decimal(price), Decimal(quantity))])
    contract.orders[0]["OrderItems"][0]["CurrencyIsoCode"] = currency
    (step,) = (step for step in every_step(bundle.flows["contract-to-billing"].steps) if step.id == "sold")
    assert isinstance(step.expect, Equal)
    assert step.expect.case == "amount-not-whole"

    def named(day: date, **more: str) -> object:
        record = contract.record() | {"Orders": [one | more for one in contract.orders]}
        scope = {
            "contract": record,
            "sold": {"collected": [{"key": key, "value": value} for key, value in SOLD.items()]},
            "event": {"occurred_at": f"{day.isoformat()}T10:00:00Z"},
        }
        return step.expect.left(scope) if isinstance(step.expect, Equal) else None

    at_once = ["80200"] if stops else []
    assert named(SIGNED) == at_once
    # What counts no longer is billed only where it is charged once and was not yet; what counts not yet is not.
    later = SIGNED + timedelta(days=1)
    assert named(later) == (at_once if entry == "01u3" else [])
    assert named(later, Billing_Status__c="Sent") == named(SIGNED - timedelta(days=1)) == []
    # Nothing is charged once of what is over.
    contract.last = SIGNED
    assert named(later) == []


@pytest.mark.parametrize("mine", [True, False])
def test_a_price_of_the_list_is_told_from_one_that_was_agreed(bundle: Bundle, *, mine: bool) -> None:
    contract = Contract()
    contract.order(SIGNED, None, [("01u1", Decimal("11.00") if mine else Decimal("12.5"), Decimal(3))])
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
        contract.order(SIGNED, None, [("01u1", Decimal("12.50"), Decimal(1))])
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
