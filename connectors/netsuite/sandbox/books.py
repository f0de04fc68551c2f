"""The account's books for the control API: everything accepted, amounts as decimal strings in their currency."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.open_amounts import remaining
from connectors.netsuite.sandbox.orders import quantity_billed
from connectors.netsuite.sandbox.rendering import status

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account


def snapshot(account: Account) -> Mapping[str, Any]:
    """Give all records, RESTlet calls, accepted writes in order, GL impact and balances."""
    documents = account.documents
    return {
        "accepted": [
            {
                "n": one.number,
                "at": one.at.isoformat(),
                "action": one.action,
                "type": one.type,
                "id": one.id,
                "externalId": one.external_id,
                "memo": one.memo,
            }
            for one in account.accepted
        ],
        "customers": [_record(account, one) for one in documents.of("customer")],
        "contacts": [_record(account, one) for one in documents.of("contact")],
        "salesOrders": [_order(account, one) for one in documents.of("salesOrder")],
        "invoices": [_transaction(account, one) for one in documents.of("invoice")],
        "payments": [_transaction(account, one) for one in documents.of("customerPayment")],
        "creditMemos": [_transaction(account, one) for one in documents.of("creditMemo")],
        "refunds": [_transaction(account, one) for one in documents.of("customerRefund")],
        "deposits": [_transaction(account, one) for one in documents.of("customerDeposit")],
        "depositApplications": [_transaction(account, one) for one in documents.of("depositApplication")],
        "journals": [_transaction(account, one) for one in documents.of("journalEntry")],
        "items": [_record(account, one) for one in documents.of("serviceSaleItem")],
        "deleted": [{"type": one.type, **_record(account, one)} for one in account.deleted],
        "restletCalls": [
            {"script": call.script, "at": call.at.isoformat(), "body": call.body} for call in account.restlets.calls
        ],
        "jobs": [
            {"id": job.id, "progress": job.progress, "tasks": [task.progress for task in job.tasks]}
            for job in account.jobs.all()
        ],
        "loginAudit": [{"at": one.at.isoformat(), "how": one.how, "reason": one.reason} for one in account.login_audit],
        "balances": _plain(account.ledger.balances()),
        "baseBalances": _plain(account.ledger.base_balances()),
    }


def _record(account: Account, document: Document) -> dict[str, Any]:
    record = {
        "id": document.id,
        "externalId": document.external_id,
        "writes": document.writes,
        "createdDate": document.created.isoformat(),
        "lastModifiedDate": document.modified.isoformat(),
        **{name: _plain(value) for name, value in document.fields.items()},
        **{sublist: _plain(lines) for sublist, lines in document.sublists.items()},
    }
    if "currency" in document.fields:
        record["currency"] = account.references.symbol(document.fields["currency"])
    return record


def _order(account: Account, document: Document) -> dict[str, Any]:
    """Give an order, which posts nothing and is settled by nothing."""
    record = _record(account, document)
    record["status"] = status(account, document)
    for line, shown in zip(document.sublists["item"], record["item"], strict=True):
        shown["quantityBilled"] = _plain(quantity_billed(account, document, line))
    customer = account.documents.get("customer", document.customer or "")
    record["customerExternalId"] = customer.external_id if customer else None
    return record


def _transaction(account: Account, document: Document) -> dict[str, Any]:
    record = _record(account, document)
    record["status"] = status(account, document)
    if document.type == "invoice":
        left = remaining(account, document)
        record["amountPaid"] = _plain(document.fields["total"] - left)
        record["amountRemaining"] = _plain(left)
        record["settledBy"] = _plain(account.applications.to(document.id))
    elif document.type != "journalEntry":
        record["unapplied"] = _plain(remaining(account, document))
    for sublist in ("apply", "deposit"):
        lines = record.get(sublist, [])
        for line in lines if isinstance(lines, list) else []:
            target = account.documents.transaction(line["doc"])
            line["externalId"] = target.external_id if target else None
    record["gl"] = [
        {
            "account": posting.account,
            "amount": _plain(posting.amount),
            "base": _plain(posting.base),
            "line": posting.line,
            "entity": posting.entity,
        }
        for posting in account.ledger.of(document.id)
    ]
    customer = account.documents.get("customer", document.customer or "")
    record["customerExternalId"] = customer.external_id if customer else None
    return record


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
