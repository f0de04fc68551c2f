"""The books of the vendors as plain values, all amounts in minor units of ISO 4217."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from hub.proof.credit_books import Credits
from hub.proof.crm_books import CrmBooks
from hub.proof.customers import CustomerBooks
from hub.proof.lines import Line
from hub.proof.payouts import PayoutBooks
from hub.proof.sap_books import SapBooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment of one invoice; `day` is when it was paid."""

    id: str
    amount: Decimal
    day: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeInvoice:
    """A finalised invoice in Stripe's books; `day` is its date, `erp_id` what the hub noted on it.

    One `of_contract` bills what a contract of the CRM has agreed.
    """

    id: str
    number: str
    currency: str
    total: Decimal
    tax: Decimal
    remaining: Decimal
    lines: Sequence[Line]
    payments: Sequence[Payment]
    given_up: bool = False
    erp_id: str | None = None
    day: str = ""
    of_contract: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One webhook as Stripe's sandbox sent it; `spoiled` ones had a body that could not be read."""

    event: str
    status: int | None
    spoiled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpInvoice:
    """An invoice in NetSuite's books; `customer` is the record's own id there."""

    id: str
    external_id: str | None
    number: str
    currency: str
    customer: str
    total: Decimal
    tax: Decimal
    remaining: Decimal
    lines: Sequence[Line]
    day: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpPayment:
    """A customer payment in NetSuite's books; `applied` is external id of the invoice, or NetSuite's own, → amount."""

    id: str
    reference: str
    currency: str
    customer: str
    amount: Decimal
    applied: Mapping[str, Decimal]
    accepted: int
    day: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxDocument:
    """A document in a tax engine's books that counts; `code` is the invoice's number, `day` its date."""

    code: str
    currency: str
    amount: Decimal
    tax: Decimal
    lines: Sequence[Line]
    day: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One write that a vendor received: what it was about (`marker`), and the hash of its body."""

    vendor: str
    address: str
    marker: str
    sha256: str
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What must come of one invoice: nothing unusual, or an exception with this reason.

    `customers` are the records in NetSuite that it may stand under; `notice` says whether a collections notice must
    be given, and `notice_unknown` that nobody can know whether it was. With `void` no tax document may count, and with
    `reversed` nothing of the posted invoice may be left to pay.
    """

    customers: frozenset[str]
    exception: str | None = None
    notice: bool = False
    notice_unknown: bool = False
    void: bool = False
    reversed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the vendors hold and saw; `due` is by Stripe's invoice id, `subjects` Stripe's event → its object."""

    stripe: Sequence[StripeInvoice]
    sent: Sequence[Sent]
    subjects: Mapping[str, str]
    erp_invoices: Sequence[ErpInvoice]
    erp_payments: Sequence[ErpPayment]
    #: Invoice numbers, one for each call of the notice script.
    notices: Sequence[str]
    tax_documents: Sequence[TaxDocument]
    requests: Sequence[Request]
    due: Mapping[str, Due]
    credits: Credits = field(default_factory=Credits)
    payouts: PayoutBooks = field(default_factory=PayoutBooks)
    customers: CustomerBooks = field(default_factory=CustomerBooks)
    crm: CrmBooks = field(default_factory=CrmBooks)
    sap: SapBooks = field(default_factory=SapBooks)
