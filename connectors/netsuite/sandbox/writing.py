"""Creates, changes, transforms and deletes records: all checks first, then everything at once."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox import customers, sales, settlement
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.incoming import Change
from connectors.netsuite.sandbox.problems import Refusal

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account

#: How the lines of a sublist are told apart; lines of the others are only added or replaced.
_KEYS = {"item": "line", "apply": "doc", "addressBook": "id"}
_TRANSFORMED_FIELDS = (
    "entity subsidiary currency exchangeRate account department class location discountItem discountRate "
    "taxDetailsOverride otherRefNum"
).split()


def create(account: Account, kind: str, change: Change, *, external_id: str | None = None) -> Document:
    """Create a record; `external_id` comes from the address of an upsert, else from the body."""
    now = account.clock.now()
    draft = Document(
        type=kind,
        id=account.documents.fresh_id(kind),
        external_id=external_id if external_id is not None else change.external_id,
        created=now,
        modified=now,
    )
    _merge(draft, change, replace=frozenset())
    return _keep(account, draft, None, "create")


def update(account: Account, known: Document, change: Change, *, replace: Collection[str]) -> Document:
    """Change a record: what is left out stays, null clears, sublists named in `replace` are replaced."""
    draft = known.draft()
    draft.modified = account.clock.now()
    if change.has_external_id:
        draft.external_id = change.external_id
    _merge(draft, change, replace=replace)
    return _keep(account, draft, known, "update")


def credit(account: Account, invoice: Document, change: Change) -> Document:
    """Transform an invoice into a credit memo of the same lines, applied to what the invoice still owes."""
    now = account.clock.now()
    draft = Document(
        type="creditMemo",
        id=account.documents.fresh_id("creditMemo"),
        external_id=change.external_id,
        created=now,
        modified=now,
    )
    draft.fields = {name: invoice.fields[name] for name in _TRANSFORMED_FIELDS if name in invoice.fields}
    draft.fields["createdFrom"] = invoice.id
    for sublist in ("item", "taxDetails"):
        draft.sublists[sublist] = [
            {name: value for name, value in line.items() if name != "lineUniqueKey"}
            for line in invoice.sublists.get(sublist, [])
        ]
    draft.sublists["apply"] = [{"doc": invoice.id, "apply": True}]
    _merge(draft, change, replace=frozenset())
    return _keep(account, draft, None, "transform")


def delete(account: Account, document: Document) -> None:
    """Delete a record that nothing else depends on."""
    if document.type == "customer":
        customers.refuse_delete(account, document)
    else:
        account.references.refuse_closed(document.fields["postingPeriod"])
        if account.applications.to_invoice(document.id):
            raise Refusal(
                "This transaction cannot be deleted because it is linked to by one or more transactions.",
            )
        account.applications.replace(document.id, {})
        account.ledger.remove(document.id)
    account.documents.remove(document)
    account.deleted.append(document)
    account.accept("delete", document.type, document.id, document.external_id, document.fields.get("memo"))


def _keep(account: Account, draft: Document, known: Document | None, action: str) -> Document:
    account.documents.refuse_taken(draft)
    applied: dict[str, Decimal] = {}
    if draft.type == "customer":
        customers.finish(account, draft, known)
    elif draft.type == "customerPayment":
        applied = settlement.finish_payment(account, draft, known)
    else:
        sales.finish(account, draft, known)
        if draft.type == "creditMemo":
            applied = settlement.allot(account, draft, draft.fields["entity"], draft.fields["total"])
            if sum(applied.values()) > draft.fields["total"]:
                raise Refusal("The amount applied may not exceed the total of the credit memo.", path="apply")
    draft.writes += 1
    account.documents.put(draft)
    if draft.type == "customerPayment":
        settlement.post_payment(account, draft)
    elif draft.type != "customer":
        sales.post(account, draft)
    if draft.type in ("customerPayment", "creditMemo"):
        account.applications.replace(draft.id, applied)
        draft.sublists["apply"] = [
            {"doc": invoice, "line": place, "apply": True, "amount": amount}
            for place, (invoice, amount) in enumerate(applied.items())
        ]
    account.accept(action, draft.type, draft.id, draft.external_id, draft.fields.get("memo"))
    return draft


def _merge(draft: Document, change: Change, *, replace: Collection[str]) -> None:
    for name, value in change.fields.items():
        if value is None:
            draft.fields.pop(name, None)
        else:
            draft.fields[name] = value
    for sublist, lines in change.sublists.items():
        known = draft.sublists.get(sublist, [])
        draft.sublists[sublist] = _merged(known, lines, _KEYS.get(sublist), replace=sublist in replace)


def _merged(
    known: list[dict[str, Any]], sent: list[dict[str, Any]], key: str | None, *, replace: bool
) -> list[dict[str, Any]]:
    """Merge lines: one with a known key changes that line, any other is added; `replace` drops what was not sent."""
    by_key = {line[key]: line for line in known if key in line} if key else {}
    merged = [] if replace else list(known)
    for line in sent:
        match = by_key.get(line.get(key)) if key else None
        if match is None:
            if key == "line":
                line.pop("line", None)
            merged.append(line)
            continue
        for name, value in line.items():
            match[name] = value
        # A changed price or quantity makes the old amount stale.
        if ("rate" in line or "quantity" in line) and "amount" not in line:
            match.pop("amount", None)
        if "amount" in line and "rate" not in line:
            match.pop("rate", None)
        if replace:
            merged.append(match)
    return merged
