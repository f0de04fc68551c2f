"""The invoices of the subscriptions that contracts make: which of billing's they are, and what each must say.

Where they must stand in the ERPs, and that the CRM knows how, is judged as of all other invoices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.model.money import exponent
from hub.proof.crm import PRICES, Contract
from hub.proof.invariants import Finding, Invariant

#: What an invoice's tax may differ from the rate of each of its lines, in minor units: Stripe rounds line by line.
_ROUNDED = Decimal("0.5")


def subscribed(invoice: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give what an invoice says of the subscription that it bills; nothing where it bills none."""
    return (invoice.get("parent") or {}).get("subscription_details") or {}


def of_contracts(stripe: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Give the CRM's id of each contract → the invoices of its subscriptions, drafts too, the oldest first."""
    made = {
        one["id"]: one["metadata"]["contract"] for one in stripe["subscriptions"] if one["metadata"].get("contract")
    }
    found: dict[str, list[Mapping[str, Any]]] = {contract: [] for contract in made.values()}
    for invoice in stripe["invoices"]:
        subscription = subscribed(invoice).get("subscription")
        if subscription in made:
            found[made[subscription]].append(invoice)
    return found


def find(
    contracts: Sequence[Contract],
    stripe: Mapping[str, Any],
    *,
    crm_ids: Mapping[str, str],
    stripe_ids: Mapping[str, str],
) -> Iterator[Finding]:
    """Give what billing has billed otherwise of contracts than it must: the first period, once, of the first order.

    The ids are the CRM's of contracts and products, and Stripe's of customers, by their names. What an amendment adds
    within the period waits for the next invoice, a month later.
    """
    invoices = of_contracts(stripe)
    products = {one["id"]: one["metadata"].get("crm_product", one["id"]) for one in stripe["products"]}
    for contract in contracts:
        name = crm_ids.get(contract.key, "")
        made = invoices.get(name, [])
        if len(made) != 1:
            broken = Invariant.NOTHING_TWICE if made else Invariant.NOTHING_LOST
            yield _broken(broken, f"contract {name} has {len(made)} invoices, must have 1")
        elif made[0]["status"] == "draft":
            yield _broken(Invariant.NOTHING_LOST, f"the invoice of contract {name} is a draft")
        else:
            wanted = _billed(contract, crm_ids)
            customer = stripe_ids.get(contract.account.key)
            yield from _differences(contract, made[0], wanted, products, customer)


def _billed(contract: Contract, crm_ids: Mapping[str, str]) -> dict[str, Decimal]:
    """Give the CRM's id of each product → what a period of its first order costs, in minor units."""
    currency = contract.account.market.currency
    return {
        crm_ids[product]: Decimal(PRICES[product][currency]).scaleb(exponent(currency)) * quantity
        for product, quantity in contract.sold.items()
    }


def _differences(
    contract: Contract,
    invoice: Mapping[str, Any],
    wanted: Mapping[str, Decimal],
    products: Mapping[str, str],
    customer: str | None,
) -> Iterator[Finding]:
    name, market = invoice["number"], contract.account.market
    pairs: list[tuple[str, object, object]] = [
        ("currency", invoice["currency"].upper(), market.currency),
        ("customer", invoice["customer"], customer),
    ]
    lines = [
        (products[line["pricing"]["price_details"]["product"]], Decimal(line["amount"]), line["taxes"])
        for line in invoice["lines"]
    ]
    amounts = sorted((product, amount) for product, amount, _ in lines)
    pairs.append(("amounts", amounts, sorted(wanted.items())))
    for what, has, must_be in pairs:
        if has != must_be:
            yield _broken(Invariant.BOOKS_AGREE, f"the {what} of {name} are {has}, must be {must_be}")
    for product, amount, taxes in lines:
        taxed, due = sum((Decimal(one["amount"]) for one in taxes), Decimal(0)), amount * Decimal(market.tax) / 100
        if abs(taxed - due) > _ROUNDED * market.step:
            yield _broken(Invariant.BOOKS_AGREE, f"the tax of {product} in {name} is {taxed}, must be {due}")
    total = sum((amount + sum(Decimal(one["amount"]) for one in taxes) for _, amount, taxes in lines), Decimal(0))
    if total != Decimal(invoice["total"]):
        yield _broken(Invariant.BOOKS_AGREE, f"the total of {name} is {invoice['total']}, must be {total}")


def _broken(invariant: Invariant, detail: str) -> Finding:
    return Finding(invariant=invariant, family=None, detail=detail)
