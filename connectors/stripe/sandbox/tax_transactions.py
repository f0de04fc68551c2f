"""Stripe Tax's transactions: what was sold, for the tax returns, and what of it was reversed. Nothing is deleted."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from connectors.stripe.sandbox import tax_calculations
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.amounts import rounded, step
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record


def create_from_calculation(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/tax/transactions/create_from_calculation`: records a sale as it was calculated."""
    calculation = tax_calculations.live(account, parameters.required("calculation"), param="calculation")
    reference = _free(account, parameters.required("reference"))
    posted = parameters.integer("posted_at") or account.now()
    metadata = parameters.metadata()
    parameters.finish()
    date, now = calculation["tax_date"], account.now()
    if not (date <= posted <= now or posted >= date > now):
        raise ApiError.invalid("The posted_at must lie between the tax_date and now.", param="posted_at")
    lines = [
        _line(account, line, line["amount"], line["amount_tax"], line["reference"], None)
        for line in account.tax_lines[calculation["id"]]
    ]
    return _keep(account, calculation, lines, calculation["shipping_cost"], reference, posted, metadata, original=None)


def create_reversal(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/tax/transactions/create_reversal`: takes a transaction back, whole or in parts, in negative amounts."""
    original = account.find(
        account.tax_transactions, parameters.required("original_transaction"), param="original_transaction"
    )
    mode = parameters.choice("mode", "full", "partial")
    if mode is None:
        raise ApiError.missing_parameter("mode")
    reference = _free(account, parameters.required("reference"))
    parts, flat = parameters.parts("line_items"), parameters.integer("flat_amount")
    shipping = parameters.part("shipping_cost")
    metadata = parameters.metadata()
    wanted = [_asked(part) for part in parts or ()]
    sent = None if shipping is None else (shipping.integer("amount") or 0, shipping.integer("amount_tax") or 0)
    parameters.finish()
    if original["type"] != "transaction":
        raise ApiError.invalid("A reversal cannot be reversed.", param="original_transaction")
    reversed_before = [one for one in account.tax_transactions.oldest_first() if _original(one) == original["id"]]
    if mode == "full":
        if wanted or flat is not None or sent is not None:
            raise ApiError.invalid("A full reversal takes no amounts.", param="line_items")
        if reversed_before:
            raise ApiError.invalid("This transaction has been reversed already, in part or whole.", param="mode")
        lines = [
            _line(account, line, -line["amount"], -line["amount_tax"], line["reference"], line["id"])
            for line in account.tax_lines[original["id"]]
        ]
        cost = original["shipping_cost"]
        back = cost and cost | {"amount": -cost["amount"], "amount_tax": -cost["amount_tax"]}
    else:
        lines, back = _partly(account, original, reversed_before, wanted, flat, sent)
    return _keep(account, original, lines, back, reference, account.now(), metadata, original=original["id"])


def retrieve(account: Account, identifier: str) -> Record:
    """`GET /v1/tax/transactions/{id}`."""
    return account.find(account.tax_transactions, identifier)


def list_lines(account: Account, identifier: str, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/tax/transactions/{id}/line_items`."""
    account.find(account.tax_transactions, identifier)
    url = f"/v1/tax/transactions/{identifier}/line_items"
    return tax_calculations.page(account.tax_lines[identifier], parameters, url)


def _free(account: Account, reference: str) -> str:
    if reference in account.tax_references:
        raise ApiError.invalid(
            f"A tax transaction with reference {reference[:100]} already exists.",
            param="reference",
            code="resource_already_exists",
        )
    return reference


def _original(transaction: Record) -> str | None:
    return (transaction["reversal"] or {}).get("original_transaction")


def _asked(part: Parameters) -> tuple[str, str, int, int, str]:
    amount, tax = part.integer("amount"), part.integer("amount_tax")
    if amount is None or tax is None:
        raise ApiError.missing_parameter(part.name("amount" if amount is None else "amount_tax"))
    part.accept("quantity", "metadata")
    if amount > 0 or tax > 0:
        raise ApiError.invalid("Amounts of a reversal must be negative.", param=part.name("amount"))
    return part.required("original_line_item"), part.required("reference"), amount, tax, part.name("original_line_item")


def _partly(
    account: Account,
    original: Record,
    before: Iterable[Record],
    wanted: list[tuple[str, str, int, int, str]],
    flat: int | None,
    shipping: tuple[int, int] | None,
) -> tuple[list[Record], dict[str, Any] | None]:
    if flat is not None and (wanted or shipping is not None):
        raise ApiError.invalid("You may pass either flat_amount or line_items.", param="flat_amount")
    if flat is None and not wanted and shipping is None:
        raise ApiError.missing_parameter("line_items")
    sold = {line["id"]: line for line in account.tax_lines[original["id"]]}
    left = {one: [line["amount"], line["amount_tax"]] for one, line in sold.items()}
    cost = original["shipping_cost"] or {"amount": 0, "amount_tax": 0}
    sent = [cost["amount"], cost["amount_tax"]]
    for earlier in before:
        for line in account.tax_lines[earlier["id"]]:
            part = left[line["reversal"]["original_line_item"]]
            part[0], part[1] = part[0] + line["amount"], part[1] + line["amount_tax"]
        given = earlier["shipping_cost"] or {"amount": 0, "amount_tax": 0}
        sent = [sent[0] + given["amount"], sent[1] + given["amount_tax"]]
    if flat is not None:
        return _spread(account, original, sold, left, flat), None
    lines = []
    for identifier, reference, amount, tax, param in wanted:
        if identifier not in sold:
            raise ApiError.no_such(
                "line item", identifier, param=param.replace("amount", "original_line_item"), status=400
            )
        part = left[identifier]
        part[0], part[1] = part[0] + amount, part[1] + tax
        if part[0] < 0 or part[1] < 0:
            raise ApiError.invalid("More would be reversed than was sold.", param=param)
        lines.append(_line(account, sold[identifier], amount, tax, reference, identifier))
    if shipping is None:
        return lines, None
    amount, tax = shipping
    if amount > 0 or tax > 0 or sent[0] + amount < 0 or sent[1] + tax < 0:
        raise ApiError.invalid("More would be reversed than was sold.", param="shipping_cost[amount]")
    return lines, cost | {"amount": amount, "amount_tax": tax}


def _spread(
    account: Account, original: Record, sold: dict[str, Record], left: dict[str, list[int]], flat: int
) -> list[Record]:
    """Reverse an amount with its taxes over all lines, by what of each is left."""
    weights = {one: _paid(sold[one], *left[one]) for one in sold}
    whole = sum(weights.values())
    if not 0 < -flat <= whole:
        raise ApiError.invalid(f"The flat_amount must be negative, and at most {whole}.", param="flat_amount")
    unit = step(original["currency"])
    lines, so_far, given = [], 0, 0
    for one, weight in weights.items():
        so_far += weight
        share = rounded(Decimal(-flat) * so_far / whole, unit) - given
        given += share
        tax = rounded(Decimal(left[one][1]) * share / weight, unit) if weight else 0
        amount = share if sold[one]["tax_behavior"] == "inclusive" else share - tax
        if share:
            reference = f"{sold[one]['reference']}-{len(account.tax_transactions)}"
            lines.append(_line(account, sold[one], -amount, -tax, reference, one))
    return lines


def _paid(line: Record, amount: int, tax: int) -> int:
    return amount if line["tax_behavior"] == "inclusive" else amount + tax


def _line(account: Account, sold: Record, amount: int, tax: int, reference: str, original: str | None) -> Record:
    return {
        "id": account.identifiers.short("tax_li"),
        "object": "tax.transaction_line_item",
        "amount": amount,
        "amount_tax": tax,
        "livemode": False,
        "metadata": dict(sold["metadata"]),
        "product": sold["product"],
        "quantity": sold["quantity"],
        "reference": reference,
        "reversal": None if original is None else {"original_line_item": original},
        "tax_behavior": sold["tax_behavior"],
        "tax_code": sold["tax_code"],
        "type": "transaction" if original is None else "reversal",
    }


def _keep(
    account: Account,
    source: Record,
    lines: list[Record],
    shipping: dict[str, Any] | None,
    reference: str,
    posted: int,
    metadata: dict[str, str],
    *,
    original: str | None,
) -> Record:
    transaction: Record = {
        "id": account.identifiers.new("tax"),
        "object": "tax.transaction",
        "created": account.now(),
        "currency": source["currency"],
        "customer": source["customer"],
        "customer_details": source["customer_details"],
        "livemode": False,
        "metadata": metadata,
        "posted_at": posted,
        "reference": reference,
        "reversal": None if original is None else {"original_transaction": original},
        "ship_from_details": source["ship_from_details"],
        "shipping_cost": shipping,
        "tax_date": source["tax_date"],
        "type": "transaction" if original is None else "reversal",
    }
    account.tax_transactions.add(transaction)
    account.tax_lines[transaction["id"]] = lines
    account.tax_references.add(reference)
    return transaction
