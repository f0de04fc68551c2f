"""What Salesforce itself sets and refuses when a record is written, object by object."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.salesforce.sandbox import line_rules
from connectors.salesforce.sandbox.changes import Change
from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.store import Record

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

#: Stage → probability, forecast category.
_STAGES = {
    "Prospecting": (10, "Pipeline"),
    "Qualification": (10, "Pipeline"),
    "Needs Analysis": (20, "Pipeline"),
    "Value Proposition": (50, "Pipeline"),
    "Id. Decision Makers": (60, "Pipeline"),
    "Perception Analysis": (70, "Pipeline"),
    "Proposal/Price Quote": (75, "Pipeline"),
    "Negotiation/Review": (90, "Pipeline"),
    "Closed Won": (100, "Closed"),
    "Closed Lost": (0, "Omitted"),
}
_CHOOSE_STATUS = "Choose a valid {} status and save your changes. Ask your admin for details."


def before(org: Org, change: Change) -> None:
    """Complete the values of a write, and refuse what the object's own rules forbid."""
    found = _BEFORE.get(change.kind.name)
    if found is not None:
        found(org, change)
    for field in change.kind.fields.values():
        if field.auto_number and change.creating:
            change.values[field.name] = org.number(change.kind.name, field)


def after(org: Org, change: Change, record: Record, user: str) -> None:
    """Let what follows from a write happen to other records: sums of lines, names that are kept twice."""
    found = _AFTER.get(change.kind.name)
    if found is not None:
        found(org, change, record, user)


def _account(org: Org, change: Change) -> None:
    above, own = change.get("ParentId"), change.before.id if change.before else None
    while above is not None:
        if above == own:
            raise Refusal(
                "CIRCULAR_DEPENDENCY",
                "attempt to violate hierarchy constraints: the account would be its own parent",
                fields=["ParentId"],
            )
        parent = org.store.get(above)
        above = parent.get("ParentId") if parent else None


def _contact(_org: Org, change: Change) -> None:
    parts = (change.get("FirstName"), change.get("LastName"))
    change.values["Name"] = " ".join(part for part in parts if part)


def _opportunity(org: Org, change: Change) -> None:
    stage = change.get("StageName")
    probability, category = _STAGES.get(stage, (0, "Pipeline"))
    if change.changes("StageName"):
        if "Probability" not in change.sent:
            change.values["Probability"] = Decimal(probability)
        change.values["ForecastCategory"] = change.values["ForecastCategoryName"] = category
    change.values["IsWon"] = stage == "Closed Won"
    change.values["IsClosed"] = stage in ("Closed Won", "Closed Lost")
    lines = (
        [] if change.before is None else list(org.store.below(change.before.id, "OpportunityLineItem", "OpportunityId"))
    )
    change.values["HasOpportunityLineItem"] = bool(lines)
    if lines:
        # With products, their sum is the amount, and what is sent for it is passed over.
        change.values["Amount"] = sum((line.get("TotalPrice") for line in lines), Decimal("0.00"))
        for name in ("Pricebook2Id", "CurrencyIsoCode"):
            if change.changes(name):
                raise Refusal(
                    "FIELD_INTEGRITY_EXCEPTION",
                    f"field integrity exception: {name} (cannot be changed while the opportunity has products)",
                    fields=[name],
                )
    amount, chance = change.get("Amount"), change.get("Probability")
    if amount is not None:
        change.values["ExpectedRevenue"] = (amount * (chance or Decimal(0)) / 100).quantize(Decimal("0.01"))
    else:
        change.values.pop("ExpectedRevenue", None)


def _quote(org: Org, change: Change) -> None:
    opportunity = org.store.get(change.get("OpportunityId"))
    if opportunity is not None:
        change.values["AccountId"] = opportunity.get("AccountId")
        if change.get("Pricebook2Id") is None:
            change.values["Pricebook2Id"] = opportunity.get("Pricebook2Id")
    lines = [] if change.before is None else list(org.store.below(change.before.id, "QuoteLineItem", "QuoteId"))
    zero = Decimal("0.00")
    subtotal = sum((line.get("Subtotal") for line in lines), zero)
    total = sum((line.get("TotalPrice") for line in lines), zero)
    extra = (change.get("Tax") or zero) + (change.get("ShippingHandling") or zero)
    discount = (subtotal - total) * 100 / subtotal if subtotal else zero
    change.values |= {
        "LineItemCount": len(lines),
        "Subtotal": subtotal,
        "TotalPrice": total,
        "Discount": discount.quantize(Decimal("0.01")),
        "GrandTotal": total + extra,
        "IsSyncing": False,
    }


def _contract(org: Org, change: Change) -> None:
    status, stood = change.get("Status"), change.before.get("StatusCode") if change.before else None
    code = {"Activated": "Activated", "In Approval Process": "InApproval"}.get(status, "Draft")
    if change.creating and code != "Draft":
        raise Refusal("FAILED_ACTIVATION", _CHOOSE_STATUS.format("contract"), fields=["Status"])
    if stood == "Activated" and code != "Activated":
        raise Refusal("FAILED_ACTIVATION", _CHOOSE_STATUS.format("contract"), fields=["Status"])
    if stood == "Activated":
        _refuse_changed(change, ("AccountId", "StartDate", "ContractTerm", "Pricebook2Id"), "contract")
    change.values["StatusCode"] = code
    if code == "Activated" and stood != "Activated":
        missing = [name for name in ("StartDate", "ContractTerm") if change.get(name) is None]
        if missing:
            raise Refusal(
                "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", fields=missing
            )
        change.values |= {"ActivatedDate": org.now(), "ActivatedById": org.acting}
    start, term = change.get("StartDate"), change.get("ContractTerm")
    change.values["EndDate"] = _end(start, term) if start and term else None


def _end(start: str, months: int) -> str:
    """Give the last day of a term: the day before the one on which the next begins."""
    first = date.fromisoformat(start)
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    following = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    length = (following - date(year, month + 1, 1)).days
    if first.day > length:
        return date(year, month + 1, length).isoformat()
    return date.fromordinal(date(year, month + 1, first.day).toordinal() - 1).isoformat()


def _order(org: Org, change: Change) -> None:
    stood = change.before.get("StatusCode") if change.before else None
    code = "Activated" if change.get("Status") == "Activated" else "Draft"
    if change.creating and code != "Draft":
        raise Refusal("FAILED_ACTIVATION", _CHOOSE_STATUS.format("order"), fields=["Status"])
    if stood == "Activated" and code == "Activated":
        _refuse_changed(
            change, ("AccountId", "ContractId", "Pricebook2Id", "EffectiveDate", "CurrencyIsoCode"), "order"
        )
    lines = [] if change.before is None else list(org.store.below(change.before.id, "OrderItem", "OrderId"))
    if code == "Activated" and stood != "Activated":
        if not lines:
            raise Refusal("FAILED_ACTIVATION", "An order must have at least one product.", fields=["Status"])
        contract = org.store.get(change.get("ContractId"))
        if contract is not None and contract.get("StatusCode") != "Activated":
            raise Refusal("FAILED_ACTIVATION", "The order's contract must be activated first.", fields=["ContractId"])
        change.values |= {"ActivatedDate": org.now(), "ActivatedById": org.acting}
    elif code == "Draft":
        change.values |= {"ActivatedDate": None, "ActivatedById": None}
    if lines and change.changes("Pricebook2Id"):
        raise Refusal(
            "FIELD_INTEGRITY_EXCEPTION",
            "field integrity exception: Pricebook2Id (cannot be changed while the order has products)",
            fields=["Pricebook2Id"],
        )
    start, end = change.get("EffectiveDate"), change.get("EndDate")
    if start and end and end < start:
        raise Refusal(
            "INVALID_ARGUMENT_TYPE",
            "The Order End Date can't be earlier than the Order Start Date.",
            fields=["EndDate"],
        )
    change.values["StatusCode"] = code
    change.values["TotalAmount"] = sum((line.get("TotalPrice") for line in lines), Decimal("0.00"))


def _refuse_changed(change: Change, names: tuple[str, ...], what: str) -> None:
    for name in names:
        if name in change.sent and change.changes(name):
            raise Refusal(
                "FIELD_INTEGRITY_EXCEPTION",
                f"field integrity exception: {name} (cannot be changed on an activated {what})",
                fields=[name],
            )


def _after_product(org: Org, change: Change, record: Record, user: str) -> None:
    if change.creating or not (change.changes("Name") or change.changes("ProductCode")):
        return
    for entry in list(org.store.below(record.id, "PricebookEntry", "Product2Id")):
        values = {**entry.values, "Name": record.get("Name"), "ProductCode": record.get("ProductCode")}
        org.put(org.schema.get("PricebookEntry"), entry.id, values, user=user, before=entry, quiet=True)


_BEFORE: dict[str, Callable[[Org, Change], None]] = {
    "Account": _account,
    "Contact": _contact,
    "Opportunity": _opportunity,
    "Quote": _quote,
    "Contract": _contract,
    "Order": _order,
    "PricebookEntry": line_rules.price,
    "OpportunityLineItem": line_rules.opportunity_line,
    "QuoteLineItem": line_rules.quote_line,
    "OrderItem": line_rules.order_line,
}
_AFTER: dict[str, Callable[[Org, Change, Record, str], None]] = {
    "Product2": _after_product,
    "OpportunityLineItem": lambda org, _change, record, user: sum_up(org, record, user),
    "QuoteLineItem": lambda org, _change, record, user: sum_up(org, record, user),
    "OrderItem": lambda org, _change, record, user: sum_up(org, record, user),
}
_HEADS = {
    "OpportunityLineItem": ("OpportunityId", "Opportunity"),
    "QuoteLineItem": ("QuoteId", "Quote"),
    "OrderItem": ("OrderId", "Order"),
}


def sum_up(org: Org, line: Record, user: str) -> None:
    """Compute anew what the head of a line sums up; it is a change of the head."""
    if line.kind not in _HEADS:
        return
    field, name = _HEADS[line.kind]
    head = org.store.get(line.get(field))
    if head is None:
        return
    kind = org.schema.get(name)
    change = Change(kind=kind, before=head, values=dict(head.values))
    if name == "Opportunity" and not any(True for _ in org.store.below(head.id, line.kind, field)):
        change.values["Amount"] = Decimal("0.00")
    before(org, change)
    org.put(kind, head.id, change.values, user=user, before=head)
