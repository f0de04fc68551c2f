"""The CRM's accounts and how it says that invoices stand, beside what billing has of both: as they are, and must be.

Billing must have one customer of each account that is a customer, as the account says; the CRM must have each invoice
of such a customer once, under the right account, as it stands in billing. Nothing is asked of the hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.model.money import exponent
from hub.proof.crm import CRM, TOLD
from hub.proof.evidence import Document, Wanted
from hub.proof.lines import day_of

STRIPE = "stripe"
#: Kinds of documents.
CUSTOMER, STATUS = "customer of an account", "invoice status"
#: The flows about these books: which events start them.
_TELLING = ("invoice-status-due",)
_TOLD = {
    f"stripe.{name}": _TELLING
    for name in (
        *TOLD,
        "invoice.finalized",
        "invoice.marked_uncollectible",
        "invoice_payment.paid",
        "credit_note.created",
        "credit_note.voided",
    )
}
FLOWS: Mapping[str, Sequence[str]] = {
    **_TOLD,
    "salesforce.contract.changed": ("contract-due",),
    "salesforce.order.changed": ("contract-due",),
    "salesforce.contract.deleted": ("contract-left",),
    "salesforce.order.deleted": ("contract-left",),
    "concord.contract.due": ("contract-to-billing",),
    "concord.invoice_status.due": ("invoice-status-to-crm",),
}
#: Billing's name of a part of an address → the account's.
_ADDRESS = (("city", "BillingCity"), ("state", "BillingState"), ("postal_code", "BillingPostalCode"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmBooks:
    """What Salesforce and Stripe hold, record by record as they show it.

    `customers` are Stripe's that say of which account they come, `invoices` all of Stripe's that are no drafts, and
    `families` are what accounts and records of invoices hang on.
    """

    accounts: Sequence[Mapping[str, Any]] = ()
    statuses: Sequence[Mapping[str, Any]] = ()
    customers: Sequence[Mapping[str, Any]] = ()
    invoices: Sequence[Mapping[str, Any]] = ()
    families: Mapping[str, str] = field(default_factory=dict)

    @property
    def account_of(self) -> Mapping[str, str]:
        """Give Stripe's id of a customer → the id of its account."""
        return {one["id"]: one["metadata"]["crm_account"] for one in self.customers}


def read(stripe: Mapping[str, Any], salesforce: Mapping[str, Any]) -> CrmBooks:
    """Read both vendors' books as their control APIs give them."""
    records = salesforce["records"]
    customers = [one for one in stripe["customers"] if (one.get("metadata") or {}).get("crm_account")]
    return CrmBooks(
        accounts=[one for one in records["Account"] if str(one.get("Type", "")).startswith("Customer - ")],
        statuses=records["Invoice__c"],
        customers=customers,
        invoices=[one for one in stripe["invoices"] if one["status"] != "draft"],
        # A customer and its account are one family; what came of an account twice is that of the first.
        families={
            **{one["Id"]: one["Id"] for one in records["Account"]},
            **{one["metadata"]["crm_account"]: one["id"] for one in reversed(customers)},
            **{one["id"]: one["id"] for one in customers},
            **{one["Id"]: str(one.get("Key__c")) for one in records["Invoice__c"]},
        },
    )


def documents(books: CrmBooks) -> Iterator[Document]:
    """Give what billing has of accounts, and what the CRM has of invoices."""
    for customer in books.customers:
        account = customer["metadata"]["crm_account"]
        address = customer.get("address") or {}
        yield Document(
            book=STRIPE,
            kind=CUSTOMER,
            name=account,
            family=books.families[account],
            id=customer["id"],
            title=customer["name"],
            facts={
                "name": customer["name"],
                "email": customer["email"] or None,
                "below": customer["metadata"].get("crm_parent") or None,
                **{name: address.get(name) or None for name in ("line1", "line2", "country")},
                **{name: address.get(name) or None for name, _ in _ADDRESS},
            },
        )
    for status in books.statuses:
        currency = str(status["CurrencyIsoCode"])
        total = _minor(status["Total__c"], currency)
        yield Document(
            book=CRM,
            kind=STATUS,
            name=str(status.get("Key__c")),
            family=str(status.get("Key__c")),
            id=status["Id"],
            title=str(status["Name"]),
            facts={
                "number": status["Name"],
                "account": status["Account__c"],
                "status": status["Status__c"],
                "issued": status.get("Issued_On__c"),
                "due": status.get("Due_On__c"),
                "open": _minor(status["Open_Amount__c"], currency),
            },
            money=total,
            currency=currency,
        )


def wanted(books: CrmBooks) -> Iterator[Wanted]:
    """Give what billing should have by the CRM's word, and the CRM by billing's."""
    sold = {account["Id"] for account in books.accounts}
    for account in books.accounts:
        above = account.get("ParentId")
        street = str(account.get("BillingStreet", "")).split("\n")
        yield Wanted(
            book=STRIPE,
            kind=CUSTOMER,
            name=account["Id"],
            family=books.families[account["Id"]],
            title=account["Name"],
            facts={
                "name": account["Name"],
                "email": account.get("Invoice_Email__c"),
                # Only who is a customer too is named.
                "below": above if above in sold else None,
                "line1": street[0] or None,
                "line2": ", ".join(street[1:]) or None,
                "country": account.get("BillingCountry"),
                **{its: account.get(mine) for its, mine in _ADDRESS},
            },
        )
    accounts = books.account_of
    for invoice in books.invoices:
        if invoice["customer"] not in accounts:
            continue
        void = invoice["status"] == "void"
        yield Wanted(
            book=CRM,
            kind=STATUS,
            name=invoice["id"],
            family=invoice["id"],
            title=invoice["number"],
            facts={
                "number": invoice["number"],
                "account": accounts[invoice["customer"]],
                "status": invoice["status"].capitalize(),
                "issued": day_of(invoice["effective_at"] or invoice["status_transitions"]["finalized_at"]),
                "due": day_of(invoice["due_date"]) or None,
                "open": Decimal(0) if void else Decimal(invoice["amount_remaining"]),
            },
            money=Decimal(invoice["total"]),
            currency=invoice["currency"].upper(),
        )


def _minor(major: Any, currency: str) -> Decimal:
    return Decimal(major).scaleb(exponent(currency))
