"""What billing and the ERPs have of the CRM's contracts in the end, read from the vendors' books alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from hub.model.money import exponent
from hub.proof.invariants import Finding, Invariant

#: Product of the CRM, what one costs for a period in minor units → how many.
Sold = Mapping[tuple[str, Decimal], Decimal]

#: Families of products that are charged once.
_ONCE = frozenset({"Services", "Hardware"})


class Stands(StrEnum):
    """What must have come of a contract."""

    BILLED = "one subscription and one sales order, with exactly what is agreed"
    UNCLEAR = "both subscriptions that people made for it, and no sales order"
    KEPT = "one subscription and one sales order, with what was agreed before the last order"
    ENDING = "a subscription that ends with the period that runs"
    CUT = "a subscription that was ended at once, with what was left of its period credited, and a closed sales order"
    ENDED = "a subscription that has ended and a closed sales order"
    LEFT = "a subscription that goes on and an open sales order, until a person has said what becomes of them"
    SURPLUS = "a subscription that goes on and an open sales order, beside a subscription that has ended"
    UNDONE = "a subscription that ends with the period that runs, and a closed sales order"
    NOTHING = "neither a subscription nor a sales order"


#: How many subscriptions and sales orders there must be, where it is not one of each.
_COUNTS: Mapping[Stands, tuple[int, int]] = {
    Stands.NOTHING: (0, 0),
    Stands.UNCLEAR: (2, 0),
    Stands.SURPLUS: (2, 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What must have come of one contract: how it `stands`, and which ERP has the books of the company that sells.

    `customer` is billing's id of whoever has signed it, `under` are the same one's in the ERP, and `company` is the
    ERP's id of the company that sells. What is None is not compared.
    """

    stands: Stands
    erp: str
    customer: str | None = None
    under: Collection[str] | None = None
    company: str | None = None


def find(
    crm: Mapping[str, Any],
    stripe: Mapping[str, Any],
    erps: Mapping[str, Mapping[str, Any]],
    *,
    due: Mapping[str, Due],
    on: date,
) -> Iterator[Finding]:
    """Give what is not as it must be of each contract that `due` names by its id, as agreed by the day `on`.

    `erps` are the books of each ERP by its name; a contract has its sales order in those of its own and in no others.
    """
    for id, wanted in due.items():
        state, erp = wanted.stands, erps[wanted.erp]
        made = [one for one in stripe["subscriptions"] if one["metadata"].get("contract") == id]
        orders = [one for one in erp["salesOrders"] if one["externalId"] == id]
        billed, ordered = _COUNTS.get(state, (1, 1))
        for other in erps.keys() - {wanted.erp}:
            strange = [one["id"] for one in erps[other]["salesOrders"] if one["externalId"] == id]
            if strange:
                told = (
                    f"contract {id} has sales orders {strange} in {other}, and its seller's books are in {wanted.erp}"
                )
                yield _broken(Invariant.BOOKS_AGREE, told)
        for what, found, number in (("subscriptions", len(made), billed), ("sales orders", len(orders), ordered)):
            if found != number:
                broken = Invariant.NOTHING_TWICE if found > number else Invariant.NOTHING_LOST
                yield _broken(broken, f"contract {id} has {found} {what}, must have {number}")
        if state is Stands.LEFT and len(made) == len(orders) == 1:
            yield from _left(made[0], orders[0])
        elif state is Stands.SURPLUS and (len(made), len(orders)) == _COUNTS[state]:
            yield from _one_left(made, orders[0])
        elif len(made) == len(orders) == billed == 1:
            yield from _one(crm, stripe, erp, made[0], orders[0], wanted, on=on)
    # One that the CRM has no longer was judged above.
    known = {one["Id"] for one in crm["records"]["Contract"]} | due.keys()
    strays = [one["id"] for one in stripe["subscriptions"] if one["metadata"].get("contract", "") not in known]
    strays += [one["id"] for erp in erps.values() for one in erp["salesOrders"] if one["externalId"] not in known]
    if strays:
        yield _broken(Invariant.BOOKS_AGREE, f"{strays} are no contract's")


def agreed(crm: Mapping[str, Any], contract: str, *, on: date, without_last: bool = False) -> Sold:
    """Give what a contract of the CRM comes to on a day: the sum of the activated orders that count then."""
    orders = counting(crm, contract, on=on, without_last=without_last)
    currency = _contract(crm, contract)["CurrencyIsoCode"]
    found = _summed(
        ((line["Product2Id"], _minor(line["UnitPrice"], currency)), Decimal(line["Quantity"]))
        for line in crm["records"]["OrderItem"]
        if line["OrderId"] in orders
    )
    return {key: quantity for key, quantity in found.items() if quantity}


def counting(crm: Mapping[str, Any], contract: str, *, on: date, without_last: bool = False) -> dict[str, str | None]:
    """Give the activated orders of a contract that count on a day, and what the CRM knows of their billing."""
    day = on.isoformat()
    found = {
        one["Id"]: one.get("Billing_Status__c")
        for one in sorted(crm["records"]["Order"], key=lambda one: str(one["Id"]))
        if one.get("ContractId") == contract
        and one["Status"] == "Activated"
        and one["EffectiveDate"] <= day <= one.get("EndDate", day)
    }
    return dict(list(found.items())[:-1]) if without_last else found


def _one(
    crm: Mapping[str, Any],
    stripe: Mapping[str, Any],
    erp: Mapping[str, Any],
    subscription: Mapping[str, Any],
    order: Mapping[str, Any],
    due: Due,
    *,
    on: date,
) -> Iterator[Finding]:
    state, contract = due.stands, _contract(crm, order["externalId"])
    name, currency = contract["ContractNumber"], contract["CurrencyIsoCode"]
    yield from _placed(subscription, order, due, name=name, currency=currency)
    if state is not Stands.UNDONE and contract.get("Billing_Id__c") != subscription["id"]:
        yield _broken(Invariant.BOOKS_AGREE, f"the CRM has {contract.get('Billing_Id__c')!r} as the id of {name}")
    if (subscription["status"] == "canceled") is not (state in {Stands.ENDED, Stands.CUT}):
        yield _broken(Invariant.BOOKS_AGREE, f"the subscription of {name} is {subscription['status']}")
    if (order["status"] == "H") is not (state in {Stands.ENDED, Stands.CUT, Stands.UNDONE}):
        yield _broken(Invariant.BOOKS_AGREE, f"the sales order of {name} stands at {order['status']}")
    if state in {Stands.ENDING, Stands.UNDONE} and not subscription["cancel_at_period_end"]:
        yield _broken(Invariant.BOOKS_AGREE, f"the subscription of {name} goes on until {subscription['cancel_at']}")
    if state is Stands.CUT and subscription["ended_at"]:
        yield from _credits(stripe, subscription, name)
    if state not in {Stands.BILLED, Stands.KEPT}:
        return
    end = datetime.combine(date.fromisoformat(contract["EndDate"]) + timedelta(days=1), datetime.min.time(), UTC)
    if subscription["cancel_at"] != int(end.timestamp()):
        yield _broken(Invariant.BOOKS_AGREE, f"the subscription of {name} ends at {subscription['cancel_at']}")
    kept = state is Stands.KEPT
    untold = [id for id, told in counting(crm, contract["Id"], on=on, without_last=kept).items() if told != "Sent"]
    if untold:
        yield _broken(Invariant.NOTHING_LOST, f"the CRM does not know that billing has {untold} of {name}")
    yield from _charges(crm, stripe, contract["Id"], on=on, without_last=kept)
    must_be = agreed(crm, contract["Id"], on=on, without_last=kept)
    told = (("billing", _billed(stripe, subscription)), ("the ERP", _ordered(erp, order, currency)))
    once = {id for id, one in _products(crm).items() if one.get("Family") in _ONCE}
    for side, has in told:
        billed = _in_whole_units({key: sold for key, sold in must_be.items() if key[0] not in once})
        if has != (billed if side == "billing" else must_be):
            yield _broken(Invariant.BOOKS_AGREE, f"{side} has {dict(has)} of {name}, must have {dict(must_be)}")


def _placed(
    subscription: Mapping[str, Any], order: Mapping[str, Any], due: Due, *, name: str, currency: str
) -> Iterator[Finding]:
    """Compare in which currency it is billed and ordered, by whom, and of which company."""
    billed = [("the subscription", "currency", subscription["currency"].upper(), [currency])]
    billed += (
        [] if due.customer is None else [("the subscription", "customer", subscription["customer"], [due.customer])]
    )
    ordered = [("the sales order", "currency", order["currency"], [currency])]
    ordered += [] if due.under is None else [("the sales order", "customer", order["entity"], sorted(due.under))]
    ordered += [] if due.company is None else [("the sales order", "company", order["subsidiary"], [due.company])]
    for what, field, has, must_be in (*billed, *ordered):
        if has not in must_be:
            told = f"{what} of {name} has the {field} {has}, must have {' or '.join(must_be)}"
            yield _broken(Invariant.BOOKS_AGREE, told)


def _contract(crm: Mapping[str, Any], id: str) -> Mapping[str, Any]:
    """Give one of the CRM's contracts, also of those in the recycle bin: what was made of one stays."""
    there = (*crm["records"]["Contract"], *crm.get("deleted", {}).get("Contract", ()))
    return next(one for one in there if one["Id"] == id)


def _minor(major: Any, currency: str) -> Decimal:
    return Decimal(major).scaleb(exponent(currency))


def _summed(lines: Iterable[tuple[tuple[str, Decimal], Decimal]]) -> dict[tuple[str, Decimal], Decimal]:
    """Add up what is of one product at one price."""
    found: dict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)
    for key, quantity in lines:
        found[key] += quantity
    return dict(found)


def _left(subscription: Mapping[str, Any], order: Mapping[str, Any]) -> Iterator[Finding]:
    if subscription["status"] == "canceled" or subscription["cancel_at_period_end"]:
        yield _broken(Invariant.BOOKS_AGREE, f"nobody has said that {subscription['id']} ends")
    if order["status"] == "H":
        yield _broken(Invariant.BOOKS_AGREE, f"nobody has said that the sales order {order['id']} is closed")


def _one_left(subscriptions: Sequence[Mapping[str, Any]], order: Mapping[str, Any]) -> Iterator[Finding]:
    going = [one["id"] for one in subscriptions if one["status"] != "canceled"]
    if len(going) != 1:
        yield _broken(Invariant.BOOKS_AGREE, f"{going} of {len(subscriptions)} subscriptions go on, must be one")
    if order["status"] == "H":
        yield _broken(Invariant.BOOKS_AGREE, f"the sales order {order['id']} is closed, and {going} go on")


def _products(crm: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {one["Id"]: one for one in crm["records"]["Product2"]}


def _charges(
    crm: Mapping[str, Any], stripe: Mapping[str, Any], contract: str, *, on: date, without_last: bool
) -> Iterator[Finding]:
    orders = counting(crm, contract, on=on, without_last=without_last)
    currency = _contract(crm, contract)["CurrencyIsoCode"]
    for line in crm["records"]["OrderItem"]:
        once = _products(crm)[line["Product2Id"]].get("Family") in _ONCE
        made = [one for one in stripe["invoiceitems"] if one["metadata"].get("crm_line") == line["Id"]]
        wanted = 1 if once and line["OrderId"] in orders else 0
        if len(made) != wanted:
            broken = Invariant.NOTHING_TWICE if len(made) > wanted else Invariant.NOTHING_LOST
            yield _broken(broken, f"{line['Id']} was charged {len(made)} times, must be {wanted}")
        for one in made:
            has, must_be = Decimal(one["amount"]), _minor(line["UnitPrice"], currency) * Decimal(line["Quantity"])
            if has != must_be:
                yield _broken(Invariant.BOOKS_AGREE, f"{line['Id']} was charged with {has}, must be {must_be}")


def _credits(stripe: Mapping[str, Any], subscription: Mapping[str, Any], name: str) -> Iterator[Finding]:
    """Compare what was credited for the rest of the period: each item once, by what is left of it to the second.

    With all that was billed of the item's period it must come to what was had, also where its end was moved before.
    """
    for item in subscription["items"]["data"]:
        start, end = item["current_period_start"], item["current_period_end"]
        parts = [
            Decimal(one["amount"])
            for one in stripe["invoiceitems"]
            if one["proration"]
            and one["parent"]["subscription_details"]["subscription_item"] == item["id"]
            and one["period"]["start"] >= start
        ]
        ahead = [
            Decimal(line["amount"])
            for invoice in stripe["invoices"]
            for line in invoice["lines"]
            if (line["parent"]["subscription_item_details"] or {}).get("subscription_item") == item["id"]
            and line["period"]["start"] >= start
        ]
        whole = Decimal(item["price"]["unit_amount_decimal"]) * item["quantity"]
        left = whole * (end - subscription["ended_at"]) / (end - start)
        credits = [-amount for amount in parts if amount < 0]
        if len(credits) != 1 or abs(sum(credits) - left) > Decimal("0.5"):
            broken = Invariant.NOTHING_TWICE if len(credits) > 1 else Invariant.BOOKS_AGREE
            detail = f"{len(credits)} credits of {name} come to {sum(credits)}, must be one of {left:.1f}"
            yield _broken(broken, detail)
        billed, had = sum(ahead) + sum(parts), whole - left
        if abs(billed - had) > Decimal("0.5") * (len(ahead) + len(parts)):
            yield _broken(Invariant.BOOKS_AGREE, f"{billed} was billed of {name}, must be {had:.1f}")


def _billed(stripe: Mapping[str, Any], subscription: Mapping[str, Any]) -> Sold:
    crm_id = {one["id"]: one["metadata"].get("crm_product", one["id"]) for one in stripe["products"]}
    return _summed(
        ((crm_id[price["product"]], Decimal(price["unit_amount_decimal"])), Decimal(item["quantity"]))
        for item in subscription["items"]["data"]
        for price in (item["price"],)
    )


def _in_whole_units(sold: Sold) -> Sold:
    """Give what billing must have: of what is sold in parts of a unit one, at what the parts come to."""
    return _summed(
        ((product, minor), quantity) if quantity == int(quantity) else ((product, minor * quantity), Decimal(1))
        for (product, minor), quantity in sold.items()
    )


def _ordered(erp: Mapping[str, Any], order: Mapping[str, Any], currency: str) -> Sold:
    # An item that is no product of the CRM's is called as the ERP calls it.
    crm_id = {one["id"]: one["externalId"] for one in erp["items"]}
    return _summed(
        ((crm_id.get(line["item"], line["item"]), _minor(line["rate"], currency)), Decimal(line["quantity"]))
        for line in order["item"]
        if not line["isClosed"]
    )


def _broken(invariant: Invariant, detail: str) -> Finding:
    return Finding(invariant=invariant, family=None, detail=detail)
