"""An invoice's lines and the sums over them, kept true after each change of a draft."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.stripe.sandbox import automatic_tax, catalogue
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.amounts import Priced, Settled, TaxShare, settle, step
from connectors.stripe.sandbox.credit_balances import standing
from connectors.stripe.sandbox.listing import listed
from connectors.stripe.sandbox.table import Record

#: An invoice shows no more of its lines than this; the rest is had from its `lines` list.
EMBEDDED = 10


def show(account: Account, invoice: Record) -> Record:
    """Give an invoice as the API and the webhooks show it: with its first lines."""
    if invoice.get("deleted"):
        return invoice
    lines = account.lines[invoice["id"]]
    url = f"/v1/invoices/{invoice['id']}/lines"
    return invoice | {"lines": listed(lines[:EMBEDDED], more=len(lines) > EMBEDDED, url=url)}


def embed(account: Account, invoice: Record, item: Record) -> None:
    """Make an invoice item a line of a draft; the sums are not yet true again."""
    item["invoice"] = invoice["id"]
    account.lines[invoice["id"]].append(
        {
            "id": account.identifiers.new("il"),
            "object": "line_item",
            "amount": item["amount"],
            "currency": item["currency"],
            "description": item["description"],
            "discount_amounts": [],
            "discountable": item["discountable"],
            "discounts": item["discounts"],
            "invoice": invoice["id"],
            "livemode": False,
            "metadata": item["metadata"],
            "parent": {
                "invoice_item_details": {
                    "invoice_item": item["id"],
                    "proration": item["proration"],
                    "proration_details": {"credited_items": None},
                    "subscription": ((item["parent"] or {}).get("subscription_details") or {}).get("subscription"),
                },
                "subscription_item_details": None,
                "type": "invoice_item_details",
            },
            "period": item["period"],
            "pretax_credit_amounts": [],
            "pricing": item["pricing"],
            "quantity": item["quantity"],
            "quantity_decimal": item["quantity_decimal"],
            "subscription": None,
            "subtotal": item["amount"],
            "taxes": [],
        }
    )


def item_of(line: Record) -> str | None:
    """Give the id of the invoice item that a line is made from; None for one of a subscription's period."""
    parent = line["parent"]
    item = parent[parent["type"]]["invoice_item"]
    return None if item is None else str(item)


def subscription_of(invoice: Record) -> str | None:
    """Give the id of the subscription that an invoice comes from."""
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    found = details.get("subscription")
    return None if found is None else str(found)


def recompute(account: Account, invoice: Record) -> None:
    """Compute discounts, taxes and totals of a draft anew."""
    lines = account.lines[invoice["id"]]
    priced = [_priced(account, invoice, line) for line in lines]
    reductions = [catalogue.reduction(account, discount) for discount in invoice["discounts"]]
    settled = settle(priced, reductions, step(invoice["currency"]))
    for line, result in zip(lines, settled, strict=True):
        line["discount_amounts"] = _discounts(result.discounts)
        line["pretax_credit_amounts"] = [{**part, "type": "discount"} for part in line["discount_amounts"]]
        line["taxes"] = [share.shown() for share in result.taxes]
    _total(account, invoice, lines, settled)


def _priced(account: Account, invoice: Record, line: Record) -> Priced:
    item = account.invoiceitems.get(item_of(line) or "") or {}
    own = [account.find(account.tax_rates, rate) for rate in account.line_rates.get(line["id"], ())]
    named = item.get("tax_rates") or own or invoice["default_tax_rates"]
    rates = [catalogue.rate(account, rate["id"]) for rate in named]
    if invoice["automatic_tax"]["enabled"]:
        details = (line["pricing"] or {}).get("price_details") or {}
        rates = automatic_tax.rates(account, invoice, details.get("product"))
    return Priced(
        amount=line["amount"],
        discountable=line["discountable"],
        reductions=[catalogue.reduction(account, discount) for discount in line["discounts"]],
        rates=rates,
        fixed_taxes=account.fixed_taxes.get(item.get("id", "")),
    )


def _total(account: Account, invoice: Record, lines: list[Record], settled: list[Settled]) -> None:
    gross = sum(line["amount"] for line in lines)
    own = sum(result.own_discount for result in settled)
    every = sum(sum(result.discounts.values()) for result in settled)
    shares = [share for result in settled for share in result.taxes]
    exclusive = sum(share.amount for share in shares if not share.inclusive)
    contained = sum(share.amount for share in shares if share.inclusive)
    total = gross - every + exclusive
    customer = account.customers.get(invoice["customer"]) or {}
    balance = standing(account, customer, invoice["currency"])
    due = max(0, total + balance) if total > 0 else 0
    discounts: dict[str, int] = {}
    for result in settled:
        for discount, amount in result.discounts.items():
            discounts[discount] = discounts.get(discount, 0) + amount
    listed_discounts = _discounts(discounts)
    invoice.update(
        {
            "subtotal": gross - own,
            "subtotal_excluding_tax": gross - own - contained,
            "total": total,
            "total_excluding_tax": total - exclusive - contained,
            "total_discount_amounts": listed_discounts,
            "total_pretax_credit_amounts": [{**part, "type": "discount"} for part in listed_discounts],
            "total_taxes": _total_taxes(shares),
            "starting_balance": balance,
            "amount_due": due,
            "amount_remaining": due,
        }
    )


def _discounts(amounts: dict[str, int]) -> list[dict[str, Any]]:
    return [{"amount": amount, "discount": discount} for discount, amount in amounts.items()]


def _total_taxes(shares: Iterable[TaxShare]) -> list[dict[str, Any]]:
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for share in shares:
        key = (share.tax_rate, share.reason)
        if key in sums:
            sums[key]["amount"] += share.amount
            sums[key]["taxable_amount"] += share.taxable
        else:
            sums[key] = share.shown()
    return list(sums.values())
