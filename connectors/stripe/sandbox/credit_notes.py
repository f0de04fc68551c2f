"""Credit notes: what takes a finalised invoice back, in part or whole, before its payment and after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.stripe.sandbox import charges, credit_lines, customer_balance, payments, refunds
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.currencies import check_amount
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.invoice_sums import show as show_invoice
from connectors.stripe.sandbox.listing import equals, lines_page, listed, pages, time_range
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.versions import BASIL

_REASONS = ("duplicate", "fraudulent", "order_change", "product_unsatisfactory")
#: A credit note shows no more of its lines than this; the rest is had from its `lines` list.
_EMBEDDED = 10
#: How what was paid already goes back, beside refunds that are there.
_WAYS = ("refund_amount", "credit_amount", "out_of_band_amount")
_CREDITABLE = frozenset({"open", "paid", "uncollectible"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What a request asks for, once everything in it has been checked; `source` is the charge to give back from."""

    note: Record
    lines: list[Record]
    refund_amount: int
    credit_amount: int
    source: Record | None


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/credit_notes`: lowers what is still to be paid, and gives back the rest as the request says."""
    wanted = _form(account, parameters)
    note, invoice = wanted.note, account.find(account.invoices, wanted.note["invoice"])
    note["id"] = account.identifiers.new("cn")
    if wanted.refund_amount and wanted.source is not None:
        made = refunds.give_back(account, wanted.source, wanted.refund_amount)
        note["refunds"] = [*note["refunds"], _refund(made["id"], wanted.refund_amount)]
    if wanted.credit_amount:
        note["customer_balance_transaction"] = _to_balance(account, invoice, note, wanted.credit_amount)
    account.credit_notes.add(note)
    account.credit_note_lines[note["id"]] = wanted.lines
    account.happened("credit_note.created", show(account, note))
    _count(account, invoice, note, 1)
    if invoice["status"] != "paid" and invoice["amount_remaining"] == 0:
        payments.cancel_default(account, invoice)
        payments.settle(account, invoice)
    return show(account, note)


def preview(account: Account, parameters: Parameters) -> Record:
    """`GET /v1/credit_notes/preview`: what a credit note would be, without making it."""
    wanted = _form(account, parameters)
    return wanted.note | {"id": account.identifiers.new("cn_preview"), "lines": _first(wanted.lines, "preview")}


def void(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/credit_notes/{id}/void`: while the invoice is open, and when nothing was given back."""
    parameters.finish()
    note = account.find(account.credit_notes, identifier)
    invoice = account.find(account.invoices, note["invoice"])
    if note["status"] == "void":
        raise ApiError("This credit note is already voided.", stored=True)
    if note["type"] != "pre_payment" or invoice["status"] not in {"open", "uncollectible"}:
        raise ApiError(
            "You can only void a credit note whose invoice is still open, and that gave nothing back.", stored=True
        )
    note |= {"status": "void", "voided_at": account.now()}
    account.happened("credit_note.voided", show(account, note))
    _count(account, invoice, note, -1)
    return show(account, note)


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/credit_notes/{id}`: memo and metadata."""
    note = account.find(account.credit_notes, identifier)
    after = dict(note)
    if (memo := parameters.text("memo")) is not None:
        after["memo"] = memo or None
    after["metadata"] = parameters.metadata(note["metadata"])
    parameters.finish()
    previous = changed(note, after)
    note.update(after)
    if previous:
        account.happened("credit_note.updated", show(account, note), previous)
    return show(account, note)


def retrieve(account: Account, identifier: str) -> Record:
    """`GET /v1/credit_notes/{id}`."""
    return show(account, account.find(account.credit_notes, identifier))


def preview_lines(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/credit_notes/preview/lines`: the lines of a credit note that is not made."""
    tree = parameters.tree()
    place: dict[str, Any] = {
        name: tree.pop(name) for name in ("limit", "starting_after", "ending_before") if name in tree
    }
    lines = _form(account, Parameters(tree, version=parameters.version)).lines
    return lines_page(lines, Parameters(place), url="/v1/credit_notes/preview/lines", kind="credit note line item")


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/credit_notes`: by invoice, customer and time."""
    invoice = parameters.text("invoice")
    filters = [equals("customer", parameters.text("customer")), time_range(parameters)]
    among = None if invoice is None else account.credit_notes.where("invoice", invoice)
    return pages(
        account.credit_notes,
        parameters,
        filters,
        url="/v1/credit_notes",
        show=lambda note: show(account, note),
        among=among,
    )


def list_lines(account: Account, identifier: str, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/credit_notes/{id}/lines`."""
    lines = account.credit_note_lines[account.find(account.credit_notes, identifier)["id"]]
    url = f"/v1/credit_notes/{identifier}/lines"
    return lines_page(lines, parameters, url=url, kind="credit note line item")


def show(account: Account, note: Record) -> Record:
    """Give a credit note as the API and the webhooks show it: with its first lines."""
    return note | {"lines": _first(account.credit_note_lines[note["id"]], note["id"])}


def _first(lines: Sequence[Record], identifier: str) -> dict[str, Any]:
    return listed(lines[:_EMBEDDED], more=len(lines) > _EMBEDDED, url=f"/v1/credit_notes/{identifier}/lines")


def _form(account: Account, parameters: Parameters) -> _Wanted:
    invoice = account.find(account.invoices, parameters.required("invoice"), param="invoice")
    if invoice["status"] not in _CREDITABLE:
        raise ApiError.invalid(
            f"You cannot create a credit note for an invoice that is {invoice['status']}.", param="invoice"
        )
    lines = _lines(account, invoice, parameters)
    refund_amount, credit_amount, outside = (_amount(parameters, name, invoice) for name in _WAYS)
    linked = _linked(account, invoice, parameters)
    told = {
        "effective_at": parameters.integer("effective_at") or account.now(),
        "memo": parameters.text("memo") or None,
        "metadata": parameters.metadata(),
        "reason": parameters.choice("reason", *_REASONS),
    }
    parameters.accept("email_type")
    parameters.finish()
    sums = _sums(lines)
    total = sums["total"]
    notes = [note for note in account.credit_notes.where("invoice", invoice["id"]) if note["status"] == "issued"]
    left = invoice["total"] - sum(note["total"] for note in notes)
    if not 0 < total <= left:
        raise ApiError.invalid(
            f"The credit note amount ({total}) must be at least 1 and at most what remains of the invoice ({left}).",
            param="lines" if parameters.given("lines") else "amount",
        )
    after = _paid_part(invoice, total)
    before = total - after
    given = refund_amount + sum(part["amount_refunded"] for part in linked) + credit_amount + outside
    if given != after:
        raise ApiError.invalid(
            f"The sum of credit amount, refund amount and out of band amount ({given}) must equal the post payment "
            f"credit note amount ({after}).",
            param="refund_amount",
        )
    note: Record = {
        "id": None,
        "object": "credit_note",
        "amount": total,
        "amount_shipping": 0,
        "created": account.now(),
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "invoice": invoice["id"],
        "livemode": False,
        "number": f"{invoice['number']}-CN-{len(account.credit_notes.where('invoice', invoice['id'])) + 1:02d}",
        "out_of_band_amount": outside or None,
        "pdf": f"https://pay.stripe.com/credit_notes/{invoice['id']}/pdf",
        "post_payment_amount": after,
        "pre_payment_amount": before,
        "refunds": linked,
        "shipping_cost": None,
        "status": "issued",
        "type": "mixed" if before and after else "post_payment" if after else "pre_payment",
        "voided_at": None,
        **told,
        **sums,
    }
    source = _source(account, invoice, refund_amount) if refund_amount else None
    return _Wanted(note=note, lines=lines, refund_amount=refund_amount, credit_amount=credit_amount, source=source)


def paid_part(account: Account, parameters: Parameters) -> int:
    """Give what of a credit note goes back because it was paid already; what is still due is lowered by the rest."""
    invoice = account.find(account.invoices, parameters.required("invoice"), param="invoice")
    return _paid_part(invoice, int(_sums(_lines(account, invoice, parameters))["total"]))


def _paid_part(invoice: Record, total: int) -> int:
    due = invoice["amount_remaining"] if invoice["status"] != "paid" else 0
    return max(total - int(due), 0)


def _lines(account: Account, invoice: Record, parameters: Parameters) -> list[Record]:
    parts, amount = parameters.parts("lines"), parameters.integer("amount")
    if not parts and amount is None:
        raise ApiError("You must pass one of amount, lines, or shipping_cost.", code="parameter_missing")
    if not parts:
        return [credit_lines.lump(account, invoice, check_amount(amount or 0, invoice["currency"]))]
    lines = credit_lines.form(account, invoice, parts)
    total = _sums(lines)["total"]
    if amount is not None and amount != total:
        raise ApiError.invalid(f"The amount ({amount}) is not the sum of the lines ({total}).", param="amount")
    return lines


def _sums(lines: Sequence[Record]) -> dict[str, Any]:
    subtotal = sum(line["amount"] for line in lines)
    taxes = [tax for line in lines for tax in line["taxes"]]
    contained = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "inclusive")
    added = sum(tax["amount"] for tax in taxes) - contained
    discounts: dict[str, int] = {}
    for part in (part for line in lines for part in line["discount_amounts"]):
        discounts[part["discount"]] = discounts.get(part["discount"], 0) + part["amount"]
    parts = [{"amount": amount, "discount": discount} for discount, amount in discounts.items()]
    off = sum(discounts.values())
    totals: dict[tuple[Any, ...], dict[str, Any]] = {}
    for tax in taxes:
        key = (tax["tax_rate_details"]["tax_rate"], tax["taxability_reason"])
        found = totals.setdefault(key, tax | {"amount": 0, "taxable_amount": 0})
        found["amount"] += tax["amount"]
        found["taxable_amount"] += tax["taxable_amount"]
    return {
        "discount_amount": off,
        "discount_amounts": parts,
        "pretax_credit_amounts": [{**part, "type": "discount"} for part in parts],
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - contained,
        "total": subtotal - off + added,
        "total_excluding_tax": subtotal - off - contained,
        "total_taxes": list(totals.values()),
    }


def _amount(parameters: Parameters, name: str, invoice: Record) -> int:
    amount = parameters.integer(name) or 0
    if amount < 0:
        raise ApiError.invalid("This value must be greater than or equal to 0.", param=name)
    return check_amount(amount, invoice["currency"], param=name)


def _linked(account: Account, invoice: Record, parameters: Parameters) -> list[dict[str, Any]]:
    """Read the refunds that are there already; before basil it was one, with all of its amount."""
    if parameters.version < BASIL:
        one = parameters.text("refund")
        return [] if not one else [_of_refund(account, invoice, one, None, "refund")]
    found = []
    for part in parameters.parts("refunds") or ():
        part.choice("type", "refund")
        amount = part.integer("amount_refunded")
        found.append(_of_refund(account, invoice, part.required("refund"), amount, part.name("refund")))
    return found


def _of_refund(account: Account, invoice: Record, identifier: str, amount: int | None, param: str) -> dict[str, Any]:
    refund = account.find(account.refunds, identifier, param=param)
    if account.invoices_of_intents.get(refund["payment_intent"]) != invoice["id"]:
        raise ApiError.invalid("The refund is not one of a payment of this invoice.", param=param)
    used = sum(
        part["amount_refunded"]
        for note in account.credit_notes.where("invoice", invoice["id"])
        for part in note["refunds"]
        if part["refund"] == identifier and note["status"] == "issued"
    )
    free = refund["amount"] - used
    wanted = free if amount is None else amount
    if refund["status"] == "failed" or not 0 < wanted <= free:
        raise ApiError.invalid(f"Of this refund {free} can be linked to a credit note.", param=param)
    return _refund(identifier, wanted)


def _refund(identifier: str, amount: int) -> dict[str, Any]:
    return {"amount_refunded": amount, "payment_record_refund": None, "refund": identifier, "type": "refund"}


def _source(account: Account, invoice: Record, amount: int) -> Record:
    """Find the newest payment of the invoice of which so much can be given back."""
    for payment in reversed(account.invoice_payments.where("invoice", invoice["id"])):
        intent = account.payment_intents.get(payment["payment"].get("payment_intent", ""))
        if payment["status"] != "paid" or intent is None:
            continue
        charge = account.find(account.charges, intent["latest_charge"])
        if charges.refundable(charge) >= amount:
            refunds.check_refundable(account, charge)
            return charge
    raise ApiError.invalid(
        f"No payment of this invoice has {amount} left that could be refunded.", param="refund_amount"
    )


def _to_balance(account: Account, invoice: Record, note: Record, amount: int) -> str:
    customer = account.find(account.customers, invoice["customer"], param="customer")
    record = customer_balance.move(
        account,
        customer,
        amount=-amount,
        currency=invoice["currency"],
        kind="credit_note",
        credit_note=note["id"],
        invoice=invoice["id"],
    )
    return str(record["id"])


def _count(account: Account, invoice: Record, note: Record, sign: int) -> None:
    """Let the invoice's own amounts tell of a credit note, or of one no longer."""
    before = dict(invoice)
    lowered = sign * note["pre_payment_amount"]
    invoice |= {
        "amount_due": invoice["amount_due"] - lowered,
        "amount_remaining": invoice["amount_remaining"] - lowered,
        "pre_payment_credit_notes_amount": invoice["pre_payment_credit_notes_amount"] + lowered,
        "post_payment_credit_notes_amount": invoice["post_payment_credit_notes_amount"]
        + sign * note["post_payment_amount"],
    }
    payments.keep_default_in_step(account, invoice)
    account.happened("invoice.updated", show_invoice(account, invoice), changed(before, invoice))
