"""S/4HANA's books in the demo with two ERPs: read as its ledger has them, and what they should hold by Stripe's word.

A document is told by what it says itself: an invoice by its number, a payment by the id in its text, a payout by the
id in its lines. The hub is not asked, but for the key of the write that each document bears the mark of.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from hub.model.money import exponent
from hub.proof import payouts
from hub.proof.crm import COMPANY_CODES, ENTITIES, SAP, home
from hub.proof.lines import Line
from hub.proof.markets import MARKETS
from hub.proof.payouts import Journal, PayoutBooks

#: Types of documents: customer invoice, customer payment.
INVOICE, PAYMENT = "DR", "DZ"
#: Number of an account here → what the other ERP calls the same account, by which payouts are judged. One bank account
#: has the money of all currencies.
BANK, CLEARING, CONVERTED, DISPUTED, FEES, OUTSIDE = (
    "11001000",
    "11002080",
    "11002085",
    "11002090",
    "65100000",
    "11001060",
)
_SAME = {
    CLEARING: payouts.CLEARING,
    CONVERTED: payouts.CONVERTED,
    DISPUTED: payouts.DISPUTED,
    FEES: payouts.FEES,
    OUTSIDE: payouts.UNDEPOSITED,
}
#: NetSuite's item of what is sold → the account of its revenue here.
_REVENUE: Mapping[str, str] = {"105": "41000500"}
_SALES = "41000000"
#: Where a tax stands in the books of each company code here, by the code that its items bear.
TAX_CODE = "A1"
#: The signs of a mark: the first of the base 32 digest of a write's key.
_MARK = 20
#: The currencies in which entities sell whose books are here.
CURRENCIES = frozenset(market.currency for market in MARKETS if home(market) == SAP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of a document: positive is a debit, in minor units; `local` is in the company's own currency.

    `refers` is the document that it names, `text` what it says, and `is_tax` whether it is a tax.
    """

    account: str
    amount: Decimal
    local: Decimal
    customer: str = ""
    tax_code: str = ""
    is_tax: bool = False
    text: str = ""
    refers: str = ""
    cleared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One document of the ledger; `id` is its whole name: company code, fiscal year and number.

    `takes_back` is the name of the one that it is the opposite of.
    """

    id: str
    company: str
    type: str
    currency: str
    day: str
    number: int
    reference: str = ""
    mark: str = ""
    takes_back: str = ""
    items: Sequence[Item] = ()

    @property
    def total(self) -> Decimal:
        """Give what customers owe by it, below zero what they are owed."""
        return sum((item.amount for item in self.items if item.customer), Decimal(0))

    @property
    def tax(self) -> Decimal:
        """Give the taxes, as a seller counts them."""
        return -sum((item.amount for item in self.items if item.is_tax), Decimal(0))

    @property
    def customers(self) -> tuple[str, ...]:
        """Give whom it concerns."""
        return tuple(dict.fromkeys(item.customer for item in self.items if item.customer))

    @property
    def lines(self) -> list[Line]:
        """Give what was sold, line by line; the account is that of the revenue."""
        return [
            Line(id="", amount=-item.amount, tax=Decimal(0), item=item.account, tax_code=item.tax_code)
            for item in self.items
            if not item.customer and not item.is_tax
        ]

    @property
    def money(self) -> Mapping[str, Decimal]:
        """Give debits less credits by account, customers left out."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for item in self.items:
            if not item.customer:
                sums[item.account] += item.amount
        return dict(sums)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """A customer of S/4HANA's; `external_id` is Stripe's id, and `companies` those in which it may be invoiced."""

    id: str
    external_id: str
    facts: Mapping[str, object] = field(default_factory=dict)
    companies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SapBooks:
    """All of it; `currencies` are those in which the entities sell whose books these are.

    `writes` is the mark on a document → the key of the write that it stands for.
    """

    entries: Sequence[Entry] = ()
    partners: Sequence[Partner] = ()
    payouts: PayoutBooks = field(default_factory=PayoutBooks)
    currencies: frozenset[str] = frozenset()
    writes: Mapping[str, str] = field(default_factory=dict)
    #: Stripe's customers whose books are here, as Stripe has them.
    customers: Sequence[Mapping[str, Any]] = ()

    @property
    def invoices(self) -> Sequence[Entry]:
        """Give the customers' invoices."""
        return [entry for entry in self.entries if entry.type == INVOICE and not entry.takes_back]

    @property
    def payments(self) -> Sequence[Entry]:
        """Give the customers' payments."""
        return [entry for entry in self.entries if entry.type == PAYMENT and not entry.takes_back]

    def still_owed(self, invoice: Entry) -> Decimal:
        """Give what is left of an invoice when all that names it is counted; of one that is taken back, nothing."""
        if any(entry.takes_back == invoice.id for entry in self.entries):
            return Decimal(0)
        others = (item for entry in self.entries for item in entry.items if item.customer and item.refers == invoice.id)
        return invoice.total + sum((item.amount for item in others), Decimal(0))


def wish() -> dict[str, Any]:
    """Ask S/4HANA's sandbox for what the invented company has there before anything happens."""
    company = {"code": "3310", "name": "Singapore", "city": "Singapore", "country": "SG", "currency": "SGD"}
    return {"rates": {"SEK": "0.1", "SGD": "0.75"}, "companies": [company]}


def marks(keys: Mapping[str, str]) -> dict[str, str]:
    """Give the mark of each write's key → the key, as the connector's documents bear it."""
    return {base64.b32encode(hashlib.sha256(key.encode()).digest()).decode()[:_MARK]: key for key in keys}


def read(
    sap: Mapping[str, Any],
    stripe: Mapping[str, Any],
    paid_out: PayoutBooks,
    writes: Mapping[str, str],
) -> SapBooks:
    """Read the tenant's books as its control API gives them; `paid_out` is what Stripe has paid out, wherever."""
    tables = sap["tables"]
    items: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in tables["JournalItem"]:
        items[_name(row)].append(row)
    entries = [_entry(row, items[_name(row)]) for row in tables["JournalEntry"]]
    sold = {market.country: market for market in MARKETS}
    books = SapBooks(
        entries=entries,
        partners=_partners(tables),
        currencies=CURRENCIES,
        writes=writes,
        customers=[
            one
            for one in stripe["customers"]
            if (one.get("metadata") or {}).get("crm_account") and home(sold[one["address"]["country"]]) == SAP
        ],
    )
    return replace(books, payouts=_payouts(books, paid_out))


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['CompanyCode']}/{row['FiscalYear']}/{row['AccountingDocument']}"


def _entry(head: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Entry:
    return Entry(
        id=_name(head),
        company=head["CompanyCode"],
        type=head["AccountingDocumentType"],
        currency=head["TransactionCurrency"],
        day=head["PostingDate"],
        number=int(head["AccountingDocument"]),
        reference=head.get("DocumentReferenceID") or "",
        mark=head.get("Reference1InDocumentHeader") or "",
        takes_back=(
            f"{head['CompanyCode']}/{head['ReverseDocumentFiscalYear']}/{head['ReverseDocument']}"
            if head.get("IsReversal")
            else ""
        ),
        items=[_item(row) for row in sorted(rows, key=lambda row: int(row["AccountingDocumentItem"]))],
    )


def _item(row: Mapping[str, Any]) -> Item:
    refers = row.get("InvoiceReference") or ""
    year = row.get("InvoiceReferenceFiscalYear") or row["FiscalYear"]
    return Item(
        account=row["GLAccount"],
        amount=_minor(row["AmountInTransactionCurrency"], row["TransactionCurrency"]),
        local=_minor(row["AmountInCompanyCodeCurrency"], row["CompanyCodeCurrency"]),
        customer=row.get("Customer") or "",
        tax_code=row.get("TaxCode") or "",
        is_tax=row.get("AccountingDocumentItemType") == "T",
        text=row.get("DocumentItemText") or "",
        refers=f"{row['CompanyCode']}/{year}/{refers}" if refers else "",
        cleared=bool(row.get("IsCleared")),
    )


def _minor(major: Any, currency: str) -> Decimal:
    return Decimal(major).scaleb(exponent(currency))


def _partners(tables: Mapping[str, Any]) -> list[Partner]:
    addresses = {row["BusinessPartner"]: row for row in reversed(tables["A_BusinessPartnerAddress"])}
    companies: dict[str, list[str]] = defaultdict(list)
    for row in tables["A_CustomerCompany"]:
        companies[row["Customer"]].append(row["CompanyCode"])
    found = []
    for row in tables["A_BusinessPartner"]:
        address = addresses.get(row["BusinessPartner"], {})
        name = "".join(str(row.get(f"OrganizationBPName{part}") or "") for part in (1, 2, 3, 4))
        found.append(
            Partner(
                id=row["BusinessPartner"],
                external_id=row.get("BusinessPartnerIDByExtSystem") or "",
                facts={
                    "name": name,
                    "street": address.get("StreetName") or None,
                    "city": address.get("CityName") or None,
                    "postal code": address.get("PostalCode") or None,
                    "country": address.get("Country") or None,
                },
                companies=tuple(sorted(companies[row["BusinessPartner"]])),
            )
        )
    return found


# --- payouts: judged as the other ERP's are, once its accounts have the same names ----------------


def payout_of(entry: Entry) -> str:
    """Give Stripe's id of the payout that a document's lines name; nothing for one that is about something else."""
    named = {item.text.partition(":")[0] for item in entry.items}
    name = named.pop() if len(named) == 1 else ""
    return name if name.startswith("po_") else ""


def _payouts(books: SapBooks, paid_out: PayoutBooks) -> PayoutBooks:
    journals = []
    for entry in books.entries:
        name = payout_of(entry)
        if not name:
            continue
        bank = payouts.BANKS[entry.currency]
        accounts = {bank if number == BANK else _SAME.get(number, number): sum_ for number, sum_ in entry.money.items()}
        came_back = accounts.get(bank, Decimal(0)) < 0
        journals.append(
            Journal(
                id=entry.id,
                external_id="" if entry.takes_back else name + payouts.RETURNED if came_back else name,
                memo=books.writes.get(entry.mark, ""),
                currency=entry.currency,
                subsidiary=entry.company,
                accounts=accounts,
                day=entry.day,
            )
        )
    balances: dict[str, Decimal] = defaultdict(Decimal)
    for entry in books.entries:
        for item in entry.items:
            if item.account == CLEARING:
                balances[entry.currency] += item.amount
    return replace(
        payouts.of_currencies(paid_out, books.currencies),
        erp=SAP,
        companies={
            market.currency: COMPANY_CODES[ENTITIES[market.country]] for market in MARKETS if home(market) == SAP
        },
        journals=journals,
        balances=dict(balances),
    )


def invoice_names(books: SapBooks, by_number: Mapping[str, str]) -> dict[str, str]:
    """Give each document → what it stands for: Stripe's id of the invoice with its number, or the number itself."""
    return {entry.id: by_number.get(entry.reference, entry.reference or entry.id) for entry in books.invoices}


def own_line(line: Line) -> Line:
    """Give a line of Stripe's as an entry here must have it: on the account of its revenue, its tax elsewhere."""
    return Line(id="", amount=line.amount, tax=Decimal(0), item=_REVENUE.get(line.item, _SALES))


def accounts(lines: Sequence[Line]) -> dict[str, object]:
    """Give the account of each line as a fact."""
    return {f"account of line {number}": line.item for number, line in enumerate(lines, start=1)}
