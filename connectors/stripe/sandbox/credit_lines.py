"""The lines of a credit note: what of an invoice's lines is taken back, with its share of discounts and taxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from connectors.stripe.sandbox import catalogue
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.amounts import Priced, plain, rounded, settle, step
from connectors.stripe.sandbox.currencies import check_amount
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record


def form(account: Account, invoice: Record, parts: Iterable[Parameters]) -> list[Record]:
    """Form the lines that a request asks for; nothing is kept yet."""
    made: list[Record] = []
    for part in parts:
        kind = part.choice("type", "invoice_line_item", "custom_line_item")
        if kind is None:
            raise ApiError.missing_parameter(part.name("type"))
        if kind == "custom_line_item":
            made.append(_custom(account, invoice, part))
        else:
            made.append(_of_invoice(account, invoice, part, made))
    return made


def lump(account: Account, invoice: Record, amount: int) -> Record:
    """Form the one line of a credit note of which only the amount is told."""
    return _line(account, "custom_line_item", amount, description=f"Credit for {invoice['number']}", quantity=1)


def _custom(account: Account, invoice: Record, part: Parameters) -> Record:
    description = part.required("description")
    quantity = part.integer("quantity")
    count = 1 if quantity is None else quantity
    unit, whole = part.decimal("unit_amount_decimal"), part.integer("unit_amount")
    if unit is None and whole is None:
        raise ApiError.missing_parameter(part.name("unit_amount"))
    exact = Decimal(whole) if unit is None and whole is not None else (unit or Decimal(0))
    amount = check_amount(rounded(exact * count, step(invoice["currency"])), invoice["currency"])
    if amount <= 0 or count <= 0:
        raise ApiError.invalid("A credit note takes back positive amounts.", param=part.name("unit_amount"))
    rates = [catalogue.rate(account, rate) for rate in part.texts("tax_rates") or []]
    (result,) = settle([Priced(amount=amount, discountable=False, rates=rates)], [], step(invoice["currency"]))
    return _line(
        account,
        "custom_line_item",
        amount,
        description=description,
        quantity=count,
        unit=exact,
        taxes=[share.shown() for share in result.taxes],
    )


def _of_invoice(account: Account, invoice: Record, part: Parameters, made: list[Record]) -> Record:
    wanted = part.required("invoice_line_item")
    line = next((one for one in account.lines[invoice["id"]] if one["id"] == wanted), None)
    if line is None:
        raise ApiError.no_such("invoice line item", wanted, param=part.name("invoice_line_item"), status=400)
    if line["amount"] <= 0:
        raise ApiError.invalid("This line has nothing to take back.", param=part.name("invoice_line_item"))
    before = [*credited(account, invoice, wanted), *(one for one in made if one["invoice_line_item"] == wanted)]
    taken = sum(one["amount"] for one in before)
    quantity, amount = part.integer("quantity"), part.integer("amount")
    if (quantity is None) == (amount is None):
        raise ApiError.invalid(
            "You must pass either quantity or amount of an invoice_line_item.", param=part.name("quantity")
        )
    unit = step(invoice["currency"])
    if quantity is not None:
        if not 0 < quantity <= line["quantity"]:
            raise ApiError.invalid(
                f"The quantity must be at least 1 and at most {line['quantity']}.", param=part.name("quantity")
            )
        amount = rounded(Decimal(line["amount"]) * quantity / line["quantity"], unit)
    if amount is None or amount <= 0 or taken + amount > line["amount"]:
        raise ApiError.invalid(
            f"The amount to credit must be at least 1 and at most {line['amount'] - taken}, what remains of the line.",
            param=part.name("amount"),
        )
    check_amount(amount, invoice["currency"], param=part.name("amount"))

    def share(whole: int, given: int) -> int:
        """Take so much that all shares together are the whole as soon as the whole line is taken back."""
        return rounded(Decimal(whole) * (taken + amount) / line["amount"], unit) - given

    discounts = [
        {"amount": share(one["amount"], _given(before, "discount_amounts", one)), "discount": one["discount"]}
        for one in line["discount_amounts"]
    ]
    taxes = [
        one
        | {
            "amount": share(one["amount"], _given(before, "taxes", one)),
            "taxable_amount": share(one["taxable_amount"], _given(before, "taxes", one, "taxable_amount")),
        }
        for one in line["taxes"]
    ]
    return _line(
        account,
        "invoice_line_item",
        amount,
        description=line["description"],
        quantity=quantity,
        source=wanted,
        discounts=discounts,
        taxes=taxes,
    )


def credited(account: Account, invoice: Record, line: str) -> Iterator[Record]:
    """Give what credit notes that hold have taken back of a line so far."""
    for note in account.credit_notes.where("invoice", invoice["id"]):
        if note["status"] == "issued":
            yield from (one for one in account.credit_note_lines[note["id"]] if one["invoice_line_item"] == line)


def _given(before: Iterable[Record], field: str, wanted: Record, what: str = "amount") -> int:
    """Sum what earlier lines took of one discount or tax."""
    name = "discount" if field == "discount_amounts" else "tax_rate_details"
    return sum(part[what] for line in before for part in line[field] if part[name] == wanted[name])


def _line(
    account: Account,
    kind: str,
    amount: int,
    *,
    description: str | None,
    quantity: int | None,
    unit: Decimal | None = None,
    source: str | None = None,
    discounts: list[dict[str, Any]] | None = None,
    taxes: list[dict[str, Any]] | None = None,
) -> Record:
    each = unit if unit is not None or quantity is None else Decimal(amount) / quantity
    rates = [account.find(account.tax_rates, tax["tax_rate_details"]["tax_rate"]) for tax in taxes or ()]
    return {
        "id": account.identifiers.new("cnli"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": description,
        "discount_amount": sum(part["amount"] for part in discounts or ()),
        "discount_amounts": discounts or [],
        "invoice_line_item": source,
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [{**part, "type": "discount"} for part in discounts or ()],
        "quantity": quantity,
        "tax_rates": rates,
        "taxes": taxes or [],
        "type": kind,
        "unit_amount": int(each) if each is not None and each == each.to_integral_value() else None,
        "unit_amount_decimal": None if each is None else plain(round(each, 12)),
    }
