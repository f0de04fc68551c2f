"""Creates, changes, transforms and deletes records: all checks first, then everything at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox import (
    contacts,
    customers,
    deposits,
    items,
    journals,
    orders,
    refunds,
    sales,
    settlement,
)
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.incoming import Change
from connectors.netsuite.sandbox.outcome import Outcome, refuse_foreign_accounts, take_effect
from connectors.netsuite.sandbox.parties import settle_period
from connectors.netsuite.sandbox.problems import Refusal

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account

#: How the lines of a sublist are told apart; lines of the others are only added or replaced.
_KEYS = {"item": "line", "line": "line", "apply": "doc", "deposit": "doc", "addressBook": "id"}
_FINISH: Mapping[str, Callable[[Account, Document, Document | None], Outcome]] = {
    "salesOrder": orders.finish,
    "invoice": sales.finish,
    "creditMemo": sales.finish,
    "customerPayment": settlement.finish_payment,
    "customerDeposit": deposits.finish_deposit,
    "depositApplication": deposits.finish_application,
    "customerRefund": refunds.finish,
    "journalEntry": journals.finish,
}


def create(account: Account, kind: str, change: Change, *, external_id: str | None = None) -> Document:
    """Create a record; `external_id` comes from the address of an upsert, else from the body."""
    draft = fresh(account, kind, external_id if external_id is not None else change.external_id)
    return finish_new(account, draft, change, "create")


def fresh(account: Account, kind: str, external_id: str | None) -> Document:
    """Give an empty record under a new internal id."""
    now = account.clock.now()
    new_id = account.documents.fresh_id(kind)
    return Document(type=kind, id=new_id, external_id=external_id, created=now, modified=now)


def finish_new(account: Account, draft: Document, change: Change, action: str) -> Document:
    """Put a body over a new record, check it and keep it."""
    merge(draft, change, replace=frozenset())
    return _keep(account, draft, None, action)


def update(account: Account, known: Document, change: Change, *, replace: Collection[str]) -> Document:
    """Change a record: what is left out stays, null clears, sublists named in `replace` are replaced."""
    draft = known.draft()
    draft.modified = account.clock.now()
    if change.has_external_id:
        draft.external_id = change.external_id
    merge(draft, change, replace=replace)
    return _keep(account, draft, known, "update")


def delete(account: Account, document: Document) -> None:
    """Delete a record that nothing else depends on."""
    if document.type == "customer":
        customers.refuse_delete(account, document)
    elif document.type == "contact":
        contacts.refuse_delete(account, document)
    elif document.type == "serviceSaleItem":
        items.refuse_delete(account, document)
        account.references.kinds["item"].pop(document.id)
    elif document.type == "salesOrder":
        orders.refuse_delete(account, document)
        account.ledger.remove(document.id)
    else:
        _withdraw(account, document)
    account.documents.remove(document)
    orders.note_billing(account, document)
    account.deleted.append(document)
    account.accept("delete", document.type, document.id, document.external_id, document.fields.get("memo"))


def _withdraw(account: Account, document: Document) -> None:
    """Take what a transaction did out of the books, unless something depends on it."""
    receivable = document.type != "journalEntry" or journals.moves_receivable(account, document)
    account.references.refuse_closed(document.fields["postingPeriod"], receivable=receivable)
    if account.applications.to(document.id):
        raise Refusal("This transaction cannot be deleted because it is linked to by one or more transactions.")
    if document.type == "journalEntry":
        if document.fields.get("isReversal"):
            raise Refusal("You cannot delete a reversing journal entry; change the entry that it reverses.")
        journals.refuse_settled(account, None, document)
        _reverse(account, document, on=None)
    account.applications.replace(document.id, {})
    account.ledger.remove(document.id)


def _keep(account: Account, draft: Document, known: Document | None, action: str) -> Document:
    account.documents.refuse_taken(draft)
    outcome = None
    if draft.type == "customer":
        customers.finish(account, draft, known)
    elif draft.type == "contact":
        contacts.finish(account, draft)
    elif draft.type == "serviceSaleItem":
        items.finish(account, draft, known)
    else:
        outcome = _FINISH[draft.type](account, draft, known)
        refuse_foreign_accounts(account, draft, outcome)
    if draft.type == "invoice":
        orders.refuse_overbilled(account, draft)
    if draft.type == "journalEntry":
        _reverse(account, draft, on=draft.fields.get("reversalDate"))
    draft.writes += 1
    account.documents.put(draft)
    orders.note_billing(account, draft)
    if outcome is not None:
        take_effect(account, draft, outcome)
    elif draft.type == "serviceSaleItem":
        items.keep(account, draft)
    account.accept(action, draft.type, draft.id, draft.external_id, draft.fields.get("memo"))
    return draft


def _reverse(account: Account, original: Document, *, on: Any) -> None:
    """Make, change or take away the entry that reverses a journal on a day."""
    known = account.documents.get("journalEntry", original.fields.get("reversal") or "")
    if on is None:
        if known is not None:
            account.references.refuse_closed(
                known.fields["postingPeriod"], receivable=journals.moves_receivable(account, known)
            )
            journals.refuse_settled(account, None, known)
            account.ledger.remove(known.id)
            account.documents.remove(known)
            account.accept("delete", known.type, known.id, None, known.fields.get("memo"))
        original.fields.pop("reversal", None)
        return
    draft = known.draft() if known is not None else fresh(account, "journalEntry", None)
    kept: dict[str, Any] = {name: draft.fields[name] for name in ("tranId", "postingPeriod") if name in draft.fields}
    draft.fields = {
        name: original.fields[name]
        for name in ("subsidiary", "currency", "exchangeRate", "approvalStatus", "approved", "memo")
        if name in original.fields
    }
    draft.fields |= {**kept, "tranDate": on, "isReversal": True, "createdFrom": original.id}
    draft.fields.setdefault("tranId", f"{original.fields['tranId']}R")
    draft.fields["reversal"] = original.id
    draft.sublists["line"] = journals.reversing_lines(original)
    settle_period(account, draft, known, receivable=journals.moves_receivable(account, draft))
    journals.refuse_settled(account, draft, known)
    draft.modified = account.clock.now()
    draft.writes += 1
    account.documents.put(draft)
    take_effect(account, draft, Outcome(postings=journals.postings(draft)))
    account.accept("reverse", draft.type, draft.id, None, draft.fields.get("memo"))
    original.fields["reversal"] = draft.id


def merge(draft: Document, change: Change, *, replace: Collection[str]) -> None:
    """Put a body over a record."""
    for name, value in change.fields.items():
        if value is None or value == "":
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
        _change_line(match, line)
        if replace:
            merged.append(match)
    return merged


def _change_line(known: dict[str, Any], sent: Mapping[str, Any]) -> None:
    known.update(sent)
    # A changed price or quantity makes the old amount stale.
    if ("rate" in sent or "quantity" in sent) and "amount" not in sent:
        known.pop("amount", None)
    if "amount" in sent and "rate" not in sent:
        known.pop("rate", None)
    # The one side of a journal's line takes the place of the other.
    for side, other in (("debit", "credit"), ("credit", "debit")):
        if sent.get(side) and other not in sent:
            known.pop(other, None)
