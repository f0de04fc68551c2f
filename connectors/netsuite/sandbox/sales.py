"""Rules for invoices and credit memos: lines, taxes, totals computed by the account, and what they post."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox.amounts import ZERO, exact, rounded
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.ledger import Posting
from connectors.netsuite.sandbox.open_amounts import APPROVED
from connectors.netsuite.sandbox.outcome import Outcome
from connectors.netsuite.sandbox.parties import refuse_moved, settle_party, settle_period
from connectors.netsuite.sandbox.problems import Refusal, bad_value, missing
from connectors.netsuite.sandbox.reference_data import DISCOUNTS, RECEIVABLES, SALES, TAX_PAYABLE, Reference
from connectors.netsuite.sandbox.settlement import allot

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account

_RATE_DIGITS = Decimal("0.00000001")


def finish(account: Account, draft: Document, known: Document | None) -> Outcome:
    """Check an invoice or credit memo and compute its totals; gives what it does, and keeps nothing yet."""
    customer = settle_party(account, draft, known, "entity")
    day = settle_period(account, draft, known)
    fields = draft.fields
    fields.setdefault("account", RECEIVABLES)
    if draft.type == "invoice":
        fields.setdefault("approvalStatus", APPROVED)
        take_terms(customer, draft, known)
        term = account.references.find("term", fields.get("terms") or "")
        fields.setdefault("dueDate", day + timedelta(days=int(term.facts["days"])) if term else day)
    settle_totals(account, draft)
    if not fields.get("tranId"):
        fields["tranId"] = account.number(draft.type)
    paid = account.applications.paid(draft.id)
    if fields["total"] < paid:
        raise Refusal("The total may not be less than the amount already applied to this transaction.", path="total")
    refuse_moved(account, draft, known, "entity", "currency", "subsidiary", "exchangeRate", "account")
    if paid and fields.get("approvalStatus", APPROVED) != APPROVED:
        raise Refusal("You cannot withdraw the approval of a transaction that is paid.", path="approvalStatus")
    applied = _apply(account, draft, paid) if draft.type == "creditMemo" else {}
    return Outcome(applied=applied, postings=_postings(account, draft))


def take_terms(customer: Document, draft: Document, known: Document | None) -> None:
    """Give a new sales document its customer's terms, where it names none."""
    if known is None and customer.fields.get("terms"):
        draft.fields.setdefault("terms", customer.fields["terms"])


def settle_totals(account: Account, draft: Document) -> None:
    """Check the lines, taxes and discount of a sales document, and compute what they come to."""
    fields = draft.fields
    fields.setdefault("taxDetailsOverride", False)
    lines = draft.sublists.get("item", [])
    if not lines:
        raise Refusal("You must enter at least one line item for this transaction.", path="item")
    precision = account.references.precision(fields["currency"])
    taxes = _settle_taxes(draft, lines, precision)
    _settle_lines(account, lines, taxes, precision)
    _settle_tax_bases(draft, lines)
    discount = exact(fields.get("discountRate") or ZERO, precision, "discountRate")
    if discount and not fields.get("discountItem"):
        raise missing("Discount Item", "discountItem")
    fields["subtotal"] = sum((line["amount"] for line in lines), ZERO)
    fields["discountTotal"] = discount
    fields["taxTotal"] = sum(taxes.values(), ZERO)
    fields["total"] = fields["subtotal"] + discount + fields["taxTotal"]
    if fields["total"] < 0:
        raise Refusal("The total of this transaction may not be negative.", path="total")


def _apply(account: Account, draft: Document, refunded: Decimal) -> dict[str, Decimal]:
    applied = allot(account, draft, draft.fields["entity"], draft.fields["total"] - refunded)
    if sum(applied.values(), ZERO) > draft.fields["total"] - refunded:
        raise Refusal("The amount applied may not exceed the unapplied amount of the credit memo.", path="apply")
    return applied


def _postings(account: Account, document: Document) -> list[Posting]:
    """Give the GL impact: receivables against revenue, tax and discount; a credit memo the other way round."""
    fields = document.fields
    if fields.get("approvalStatus", APPROVED) != APPROVED:
        return []
    sign = -1 if document.type == "creditMemo" else 1
    postings = [Posting(account=fields["account"], amount=sign * fields["total"], entity=fields["entity"])]
    for line in document.sublists["item"]:
        item = account.references.find("item", line["item"])
        postings.append(
            Posting(
                account=_revenue_account(item, line),
                amount=-sign * line["amount"],
                line=line["line"],
                entity=fields["entity"],
            )
        )
    following = max(line["line"] for line in document.sublists["item"]) + 1
    postings.append(Posting(account=TAX_PAYABLE, amount=-sign * fields["taxTotal"], line=following))
    postings.append(Posting(account=DISCOUNTS, amount=-sign * fields["discountTotal"], line=following + 1))
    return postings


def _revenue_account(item: Reference | None, line: dict[str, Any]) -> str:
    """Give where a line's revenue goes: what is recognised over a time is deferred, where the item says an account."""
    facts = item.facts if item is not None else {}
    deferred = facts.get("deferredRevenueAccount")
    if deferred and line.get("revRecEndDate") and not line.get("doNotCreateRevenueElement"):
        return str(deferred)
    return str(facts.get("incomeAccount", SALES))


def _settle_taxes(draft: Document, lines: list[dict[str, Any]], precision: int) -> dict[str, Decimal]:
    """Check the tax details; gives the tax by the line's reference."""
    details = draft.sublists.get("taxDetails", [])
    if details and not draft.fields["taxDetailsOverride"]:
        raise Refusal("To enter tax details, set taxDetailsOverride to true.", path="taxDetails")
    known = {line.get("taxDetailsReference") for line in lines} - {None}
    taxes: dict[str, Decimal] = {}
    for place, detail in enumerate(details):
        path = f"taxDetails.items[{place}]"
        reference = str(detail.get("taxDetailsReference"))
        if reference not in known:
            raise Refusal(
                f"The tax details reference {reference} does not match any line.", path=f"{path}.taxDetailsReference"
            )
        for name, label in (("taxType", "Tax Type"), ("taxCode", "Tax Code"), ("taxAmount", "Tax Amount")):
            if detail.get(name) is None:
                raise missing(label, f"{path}.{name}")
        detail["taxAmount"] = exact(detail["taxAmount"], precision, f"{path}.taxAmount")
        taxes[reference] = taxes.get(reference, ZERO) + detail["taxAmount"]
    return taxes


def _settle_lines(account: Account, lines: list[dict[str, Any]], taxes: dict[str, Decimal], precision: int) -> None:
    following = max((line.get("line") or 0 for line in lines), default=0)
    seen: set[str] = set()
    for place, line in enumerate(lines):
        path = f"item.items[{place}]"
        if not line.get("item"):
            raise missing("Item", f"{path}.item")
        item = account.references.find("item", line["item"])
        if item is not None and item.facts.get("isInactive"):
            raise bad_value(item.id, "item", f"{path}.item")
        if (line.get("revRecStartDate") is None) != (line.get("revRecEndDate") is None):
            raise Refusal("Enter both a start and an end date for revenue recognition.", path=f"{path}.revRecEndDate")
        if line.get("revRecEndDate") and line["revRecEndDate"] < line["revRecStartDate"]:
            raise Refusal("The end date may not precede the start date.", path=f"{path}.revRecEndDate")
        reference = line.get("taxDetailsReference")
        if reference is not None and reference in seen:
            raise Refusal(f"Two lines have the tax details reference {reference}.", path=f"{path}.taxDetailsReference")
        seen.add(reference or "")
        if not line.get("line"):
            following += 1
            line["line"] = following
        line.setdefault("lineUniqueKey", account.line_key())
        line["taxAmount"] = taxes.get(reference or "", ZERO)
        line["amount"] = _amount(account, line, precision, path)


def _amount(account: Account, line: dict[str, Any], precision: int, path: str) -> Decimal:
    if line.get("quantity") is None:
        line["quantity"] = Decimal(1)
    quantity: Decimal = line["quantity"]
    gross = line.pop("grossAmt", None)
    if gross is not None:
        # Since 2026.1 a gross amount that is written counts for more than the net amount.
        line["amount"] = exact(gross, precision, f"{path}.grossAmt") - line["taxAmount"]
    if line.get("amount") is not None:
        amount = exact(line["amount"], precision, f"{path}.amount")
        if line.get("rate") is None and quantity:
            line["rate"] = (amount / quantity).quantize(_RATE_DIGITS)
        return amount
    if line.get("rate") is None:
        item = account.references.find("item", line["item"])
        price = item.facts.get("price") if item else None
        if price is None:
            raise missing("Amount", f"{path}.amount")
        line["rate"] = Decimal(str(price))
    return rounded(line["rate"] * quantity, precision)


def _settle_tax_bases(draft: Document, lines: list[dict[str, Any]]) -> None:
    nets = {line.get("taxDetailsReference"): line["amount"] for line in lines}
    for detail in draft.sublists.get("taxDetails", []):
        detail["netAmount"] = nets[detail["taxDetailsReference"]]
        if detail.get("taxBasis") is None:
            detail["taxBasis"] = detail["netAmount"]
