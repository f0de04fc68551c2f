"""Invoice items: what a line is made from; pending ones wait for the customer's next invoice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.stripe.sandbox import catalogue, prices, products
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.amounts import TaxShare, plain
from connectors.stripe.sandbox.currencies import check_amount, currency_of
from connectors.stripe.sandbox.invoice_sums import embed, item_of, recompute
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.versions import BASIL

#: What a line takes over from its item.
_SHARED = ("amount", "description", "metadata", "period", "pricing", "quantity", "quantity_decimal")
_UNUSED = ("subscription", "tax_behavior", "tax_code", "quantity_decimal")


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/invoiceitems`; with `invoice` it becomes a line at once, without it waits."""
    customer = account.find(account.customers, parameters.required("customer"), param="customer")["id"]
    invoice: Record | None = None
    if (wanted := parameters.text("invoice")) is not None:
        invoice = account.find(account.invoices, wanted, param="invoice")
        must_be_draft(invoice)
    currency = parameters.text("currency") or (invoice["currency"] if invoice else None)
    if invoice is not None:
        _refuse_strange(invoice, customer, currency_of(currency or invoice["currency"]))
    item = make(account, parameters, customer=customer, currency=currency, invoice=invoice)
    parameters.finish()
    keep(account, item)
    if invoice is not None:
        embed(account, invoice, item)
        recompute(account, invoice)
    return item


def _refuse_strange(invoice: Record, customer: str, currency: str) -> None:
    """Refuse an item that is somebody else's, or in a currency that the sums of the invoice are not in."""
    if customer != invoice["customer"]:
        raise ApiError.invalid(f"The invoice {invoice['id']} is not of the customer {customer}.", param="customer")
    if currency != invoice["currency"]:
        raise ApiError.invalid(
            f"The currency of the invoice item ({currency}) is not the invoice's ({invoice['currency']}).",
            param="currency",
        )


def make(
    account: Account, parameters: Parameters, *, customer: str, currency: str | None, invoice: Record | None
) -> Record:
    """Form an invoice item from an amount, a price, price data or a unit amount; it is not kept yet."""
    quantity = parameters.integer("quantity")
    if quantity is not None and quantity < 0:
        raise ApiError.invalid("quantity must not be negative.", param=parameters.name("quantity"))
    count = 1 if quantity is None else quantity
    price = _price(account, parameters, currency)
    if price is not None:
        if currency is not None and price["currency"] != currency:
            raise ApiError.invalid(
                f"The currency of the price ({price['currency']}) is not the invoice's ({currency}).",
                param=parameters.name("pricing"),
            )
        chosen = price["currency"]
        amount = prices.cost(account, price, Decimal(count))
        unit = price["unit_amount_decimal"]
    else:
        whole = parameters.integer("amount")
        if whole is None:
            raise ApiError.missing_parameter(parameters.name("amount"))
        if currency is None:
            raise ApiError.missing_parameter("currency")
        chosen = currency_of(currency)
        amount = check_amount(whole, chosen, param=parameters.name("amount"))
        unit = plain(Decimal(amount) / count) if count else str(amount)
    identifier = account.identifiers.new("ii")
    target = None if invoice is None else str(invoice["id"])
    discountable = parameters.boolean("discountable")
    discounts = catalogue.discounts_of(
        account,
        parameters,
        currency=chosen,
        customer=customer,
        invoice=None if invoice is None else invoice["id"],
        item=identifier,
    )
    rates = [account.find(account.tax_rates, rate, param="tax_rates") for rate in parameters.texts("tax_rates") or []]
    if (taxes := _fixed_taxes(account, parameters, chosen)) is not None:
        account.fixed_taxes[identifier] = taxes
    parameters.accept(*_UNUSED)
    return {
        "id": identifier,
        "object": "invoiceitem",
        "amount": amount,
        "currency": chosen,
        "customer": customer,
        "customer_account": None,
        "date": account.now(),
        "description": parameters.text("description") or None,
        "discountable": amount >= 0 if discountable is None else discountable,
        "discounts": discounts or [],
        "frozen_fields": [],
        "invoice": target,
        "invoicing_rules": [],
        "livemode": False,
        "metadata": parameters.metadata(),
        "net_amount": amount,
        "parent": None,
        "period": _period(account, parameters),
        "pricing": {
            "price_details": None if price is None else {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": unit,
        },
        "proration": False,
        "proration_details": None,
        "quantity": count,
        "quantity_decimal": str(count),
        "tax_rates": rates,
        "test_clock": None,
    }


def keep(account: Account, item: Record) -> None:
    """Keep a new item."""
    account.invoiceitems.add(item)
    account.happened("invoiceitem.created", item)


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/invoiceitems/{id}`, while it is pending or its invoice is a draft."""
    item = account.find(account.invoiceitems, identifier)
    invoice = account.invoices.get(item["invoice"]) if item["invoice"] else None
    if invoice is not None:
        must_be_draft(invoice)
    after = dict(item)
    if (description := parameters.text("description")) is not None:
        after["description"] = description or None
    if parameters.given("period"):
        after["period"] = _period(account, parameters)
    _reprice(account, after, parameters)
    after["metadata"] = parameters.metadata(item["metadata"])
    parameters.finish()
    item.update(after)
    if invoice is not None:
        for line in account.lines[invoice["id"]]:
            if item_of(line) == identifier:
                line.update({name: item[name] for name in _SHARED} | {"subtotal": item["amount"]})
        recompute(account, invoice)
    return item


def delete(account: Account, identifier: str) -> Record:
    """`DELETE /v1/invoiceitems/{id}`; one on a finalised invoice stays."""
    item = account.find(account.invoiceitems, identifier)
    invoice = account.invoices.get(item["invoice"]) if item["invoice"] else None
    if invoice is not None:
        must_be_draft(invoice)
        lines = account.lines[invoice["id"]]
        lines[:] = [line for line in lines if item_of(line) != identifier]
        recompute(account, invoice)
    account.happened("invoiceitem.deleted", item)
    item.clear()
    item.update({"id": identifier, "object": "invoiceitem", "deleted": True})
    return item


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/invoiceitems`."""
    pending = parameters.boolean("pending")
    filters = [
        equals("customer", parameters.text("customer")),
        equals("invoice", parameters.text("invoice")),
        None if pending is None else lambda item: (item["invoice"] is None) is pending,
        time_range(parameters, "date"),
    ]
    return pages(account.invoiceitems, parameters, filters, url="/v1/invoiceitems")


def must_be_draft(invoice: Record) -> None:
    """Refuse to change an invoice that is finalised."""
    if invoice["status"] != "draft":
        raise ApiError.not_editable("This invoice is no longer editable")


def _reprice(account: Account, item: Record, parameters: Parameters) -> None:
    """Change an item's amount, or the quantity of what has a unit price."""
    whole, quantity = parameters.integer("amount"), parameters.integer("quantity")
    if whole is not None:
        item["amount"] = check_amount(whole, item["currency"])
        item["pricing"] = {"price_details": None, "type": "price_details", "unit_amount_decimal": str(whole)}
        quantity = 1
    elif quantity is not None:
        if quantity < 0:
            raise ApiError.invalid("quantity must not be negative.", param="quantity")
        details = item["pricing"]["price_details"]
        if details is None:
            raise ApiError.invalid("The quantity of an item with an amount cannot be changed.", param="quantity")
        item["amount"] = prices.cost(account, account.find(account.prices, details["price"]), Decimal(quantity))
    if quantity is not None:
        item |= {"quantity": quantity, "quantity_decimal": str(quantity), "net_amount": item["amount"]}


def _price(account: Account, parameters: Parameters, currency: str | None) -> Record | None:
    if parameters.version < BASIL:
        # What basil calls `pricing[price]`; and whole unit amounts could be given without decimals.
        if (named := parameters.text("price")) is not None:
            return prices.find(account, named, kind="one_time", param=parameters.name("price"))
        unit = parameters.given("unit_amount")
    else:
        unit = False
    pricing = parameters.part("pricing") if parameters.version >= BASIL else None
    if pricing is not None:
        return prices.find(account, pricing.required("price"), kind="one_time", param=pricing.name("price"))
    data = parameters.part("price_data")
    if data is not None:
        product = data.text("product")
        described = data.part("product_data")
        if product is None and described is None:
            raise ApiError.missing_parameter(data.name("product"))
        if product is not None:
            product = account.find(account.products, product, param=data.name("product"))["id"]
        elif described is not None:
            product = products.create(account, described)["id"]
        price = prices.form(
            account,
            data,
            currency=currency_of(data.required("currency"), param=data.name("currency")),
            product=product or "",
            active=False,
        )
        account.prices.add(price)
        return price
    if unit or parameters.given("unit_amount_decimal"):
        price = prices.form(
            account,
            parameters,
            currency=currency_of(currency or ""),
            product=account.identifiers.short("prod"),
            active=False,
        )
        account.prices.add(price)
        return price
    return None


def _fixed_taxes(account: Account, parameters: Parameters, currency: str) -> list[TaxShare] | None:
    parts = parameters.parts("tax_amounts")
    if parts is None:
        return None
    shares = []
    for part in parts:
        described = part.part("tax_rate_data")
        if described is None:
            raise ApiError.missing_parameter(part.name("tax_rate_data"))
        rate = catalogue.create_tax_rate(account, described, active=False)
        amount, taxable = part.integer("amount"), part.integer("taxable_amount")
        if amount is None or taxable is None:
            raise ApiError.missing_parameter(part.name("amount" if amount is None else "taxable_amount"))
        shares.append(
            TaxShare(
                tax_rate=rate["id"],
                amount=check_amount(amount, currency, param=part.name("amount")),
                taxable=taxable,
                inclusive=rate["inclusive"],
                reason=part.text("taxability_reason") or "standard_rated",
            )
        )
    return shares


def _period(account: Account, parameters: Parameters) -> dict[str, int]:
    part = parameters.part("period")
    now = account.now()
    if part is None:
        return {"end": now, "start": now}
    start, end = part.integer("start"), part.integer("end")
    if start is None or end is None:
        raise ApiError.missing_parameter(part.name("start" if start is None else "end"))
    return {"end": end, "start": start}
