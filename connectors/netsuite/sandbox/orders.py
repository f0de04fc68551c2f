"""Rules for sales orders: what is sold, what of it is billed, and which lines are closed. They post nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox.amounts import ZERO
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.incoming import Change
from connectors.netsuite.sandbox.outcome import Outcome
from connectors.netsuite.sandbox.parties import settle_party
from connectors.netsuite.sandbox.problems import Refusal, bad_value
from connectors.netsuite.sandbox.sales import settle_totals, take_terms

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account

#: What can be written into `orderStatus`: waiting for approval, or approved. All else follows from lines and invoices.
PENDING_APPROVAL, APPROVED = "A", "B"
#: Nothing here is shipped, so that an approved order waits for its bill at once.
PENDING_BILLING, BILLED, CLOSED = "F", "G", "H"
_KEPT_ONCE_BILLED = ("entity", "currency", "subsidiary")
_BILLED_FIELDS = (
    "entity subsidiary currency exchangeRate terms department class location memo otherRefNum startDate endDate "
    "taxDetailsOverride email message salesRep"
).split()
_BILLED_LINE = (
    "item rate description price units department class location revRecStartDate revRecEndDate revRecTermInMonths "
    "deferRevRec doNotCreateRevenueElement taxDetailsReference"
).split()


def finish(account: Account, draft: Document, known: Document | None) -> Outcome:
    """Check a sales order and compute its totals; it does nothing to the books."""
    customer = settle_party(account, draft, known, "entity")
    fields = draft.fields
    fields.setdefault("tranDate", account.clock.now().date())
    take_terms(customer, draft, known)
    for line in draft.sublists.get("item", []):
        line["isClosed"] = bool(line.get("isClosed"))
    settle_totals(account, draft)
    if known is not None:
        _refuse_below_billed(account, draft, known)
    _settle_approval(account, draft, known)
    if not fields.get("tranId"):
        fields["tranId"] = account.number(draft.type)
    return Outcome()


def status(account: Account, order: Document) -> str:
    """Tell where an order stands: A, F, G or H."""
    lines = order.sublists["item"]
    if all(line["isClosed"] for line in lines):
        return CLOSED
    if order.fields["orderStatus"] == PENDING_APPROVAL:
        return PENDING_APPROVAL
    billed = _billed(account, order)
    waits = any(not line["isClosed"] and line["quantity"] != billed.get(line["line"], ZERO) for line in lines)
    return PENDING_BILLING if waits else BILLED


def quantity_billed(account: Account, order: Document, line: Mapping[str, Any]) -> Decimal:
    """Give how many of a line are on invoices."""
    return _billed(account, order).get(line["line"], ZERO)


def refuse_delete(account: Account, order: Document) -> None:
    """Refuse to delete an order that something is billed of."""
    if next(_invoices(account, order), None) is not None:
        raise Refusal("This transaction cannot be deleted because it is linked to by one or more transactions.")


def bill(account: Account, order: Document, draft: Document, change: Change) -> None:
    """Fill an invoice with what is left of an order; lines of the body that name an `orderLine` say how much of it.

    A line with the quantity 0 is left out, as is one that is closed or billed.
    """
    if status(account, order) != PENDING_BILLING:
        raise Refusal(f"You can not initialize invoice: invalid reference {order.id}.")
    wanted = _wanted(change)
    earlier = list(_invoices(account, order))
    draft.fields = {name: order.fields[name] for name in _BILLED_FIELDS if name in order.fields}
    if not earlier:
        draft.fields |= {name: order.fields[name] for name in ("discountItem", "discountRate") if name in order.fields}
    draft.fields["createdFrom"] = order.id
    lines = []
    for line in order.sublists["item"]:
        left = line["quantity"] - quantity_billed(account, order, line)
        if line["isClosed"] or not left:
            continue
        asked = wanted.pop(line["line"], {})
        quantity = left if asked.get("quantity") is None else asked["quantity"]
        if quantity:
            lines.append(_bill_line(account, order, line, asked, quantity, rest=quantity == left))
    unknown = [number for number, asked in wanted.items() if asked.get("quantity") != ZERO]
    if unknown:
        raise bad_value(unknown[0], "orderLine", "item.items.orderLine")
    draft.sublists["item"] = [{**line, "line": number} for number, line in enumerate(lines, start=1)]
    # A tax is taken over with a line that is billed all at once; of a part the account knows none.
    at_once = {
        line.get("taxDetailsReference")
        for line in lines
        if (line["orderLine"], line["quantity"]) in {(one["line"], one["quantity"]) for one in order.sublists["item"]}
    }
    draft.sublists["taxDetails"] = [
        dict(detail)
        for detail in order.sublists.get("taxDetails", [])
        if detail["taxDetailsReference"] in at_once and "taxDetails" not in change.sublists
    ]


def refuse_overbilled(account: Account, invoice: Document) -> None:
    """Refuse an invoice of an order that is not like it, or bills more of a line than is not billed elsewhere."""
    order = account.documents.get("salesOrder", invoice.fields.get("createdFrom") or "")
    if order is None:
        return
    for field in _KEPT_ONCE_BILLED:
        if invoice.fields[field] != order.fields[field]:
            raise Refusal(f"You cannot change {field} of an invoice of an order.", path=field)
    others = _billed(account, order, without=invoice.id)
    ordered = {line["line"]: line["quantity"] for line in order.sublists["item"]}
    for place, line in enumerate(invoice.sublists["item"]):
        if line.get("orderDoc") != order.id:
            continue
        number = line.get("orderLine")
        if number is None or number not in ordered:
            raise bad_value(number, "orderLine", f"item.items[{place}].orderLine")
        others[number] = others.get(number, ZERO) + line["quantity"]
        if not _is_part(others[number], ordered[number]):
            raise Refusal(
                f"The quantity billed ({others[number]}) may not exceed the quantity of the order ({ordered[number]}).",
                path=f"item.items[{place}].quantity",
            )


def note_billing(account: Account, invoice: Document) -> None:
    """Mark the order of an invoice as changed: its status and quantities are others now."""
    order = account.documents.get("salesOrder", invoice.fields.get("createdFrom") or "")
    if order is not None:
        order.modified = account.clock.now()


def _settle_approval(account: Account, draft: Document, known: Document | None) -> None:
    fields = draft.fields
    before = None if known is None else known.fields["orderStatus"]
    wanted = fields.setdefault("orderStatus", before or account.order_status)
    if known is not None and wanted == status(account, known):
        # What is read may be written back.
        fields["orderStatus"] = wanted = before
    if wanted not in (PENDING_APPROVAL, APPROVED):
        raise bad_value(wanted, "orderStatus", "orderStatus")
    if wanted == PENDING_APPROVAL and before == APPROVED and _billed(account, draft):
        raise Refusal("You cannot withdraw the approval of an order that is billed.", path="orderStatus")


def _refuse_below_billed(account: Account, draft: Document, known: Document) -> None:
    """Refuse to take back from an order what is billed of it."""
    billed = _billed(account, known)
    for field in _KEPT_ONCE_BILLED:
        if billed and draft.fields.get(field) != known.fields.get(field):
            raise Refusal(f"You cannot change {field} of an order that is billed.", path=field)
    places = {line["line"]: (place, line) for place, line in enumerate(draft.sublists["item"])}
    for before in known.sublists["item"]:
        number = before["line"]
        if number not in billed:
            continue
        place, line = places.get(number, (0, {}))
        # Without its number a line that is sent in the place of another is a new one.
        if line.get("lineUniqueKey") != before["lineUniqueKey"]:
            raise Refusal(f"You cannot remove line {number}: it is billed.", path="item")
        path = f"item.items[{place}]"
        if line["item"] != before["item"]:
            raise Refusal(f"You cannot change the item of line {number}: it is billed.", path=f"{path}.item")
        if not _is_part(billed[number], line["quantity"]):
            raise Refusal(
                f"The quantity may not be less than the quantity billed ({billed[number]}).", path=f"{path}.quantity"
            )
        if before["isClosed"] and not line["isClosed"]:
            raise Refusal(f"You cannot reopen line {number}: it is billed.", path=f"{path}.isClosed")


def _bill_line(
    account: Account,
    order: Document,
    line: Mapping[str, Any],
    asked: Mapping[str, Any],
    quantity: Decimal,
    *,
    rest: bool,
) -> dict[str, Any]:
    """Give an invoice's line for so many of an order's line, with what the body says otherwise (`asked`)."""
    taken = _BILLED_LINE if asked.get("amount") is None else [name for name in _BILLED_LINE if name != "rate"]
    billed = {name: line[name] for name in taken if line.get(name) is not None}
    billed |= {**asked, "quantity": quantity, "orderDoc": order.id, "orderLine": line["line"]}
    if rest and asked.get("rate") is None and asked.get("amount") is None:
        # The last invoice has what the ones before it have left, however they were rounded.
        parts = (one["amount"] for one in _invoice_lines(account, order) if one["orderLine"] == line["line"])
        billed["amount"] = line["amount"] - sum(parts, ZERO)
    return billed


def _wanted(change: Change) -> dict[int, dict[str, Any]]:
    """Take the lines that name a line of the order out of a body; the others are lines of the invoice's own."""
    sent = change.sublists.get("item", [])
    wanted: dict[int, dict[str, Any]] = {}
    for place, line in enumerate(sent):
        if line.get("orderLine") is None:
            continue
        if line["orderLine"] in wanted:
            raise bad_value(line["orderLine"], "orderLine", f"item.items[{place}].orderLine")
        wanted[line["orderLine"]] = line
    change.sublists["item"] = [line for line in sent if line.get("orderLine") is None]
    return wanted


def _billed(account: Account, order: Document, *, without: str = "") -> dict[int, Decimal]:
    """Give how many of each line are on invoices, by line; only of lines that are on one."""
    sums: dict[int, Decimal] = {}
    for line in _invoice_lines(account, order, without=without):
        sums[line["orderLine"]] = sums.get(line["orderLine"], ZERO) + line["quantity"]
    return sums


def _invoice_lines(account: Account, order: Document, *, without: str = "") -> Iterator[Mapping[str, Any]]:
    for invoice in _invoices(account, order):
        if invoice.id != without:
            yield from (line for line in invoice.sublists["item"] if line.get("orderDoc") == order.id)


def _invoices(account: Account, order: Document) -> Iterator[Document]:
    for one in account.documents.of_customer(order.fields["entity"]):
        if one.type == "invoice" and one.fields.get("createdFrom") == order.id:
            yield one


def _is_part(part: Decimal, whole: Decimal) -> bool:
    return min(whole, ZERO) <= part <= max(whole, ZERO)
