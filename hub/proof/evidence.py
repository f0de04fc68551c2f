"""What the oracle judges by: the books of the three vendors and the hub's own committed records, as plain values.

All amounts are in minor units of ISO 4217, whatever form a vendor has them in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an invoice: its amount after discounts and before tax, and its tax."""

    id: str
    amount: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment of one invoice."""

    id: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeInvoice:
    """A finalised invoice in Stripe's books; `erp_id` is what the hub noted on it."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One webhook as Stripe's sandbox sent it; `spoiled` ones had a body that could not be read."""

    event: str
    status: int | None
    spoiled: bool = False

    @property
    def acknowledged(self) -> bool:
        """Tell whether the hub said that it has it."""
        return self.status is not None and 200 <= self.status < 300


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpPayment:
    """A customer payment in NetSuite's books; `applied` is external id of the invoice → amount."""

    id: str
    reference: str
    currency: str
    customer: str
    amount: Decimal
    applied: Mapping[str | None, Decimal]
    accepted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxDocument:
    """A document in AvaTax's books that counts; `code` is the invoice's number."""

    code: str
    currency: str
    amount: Decimal
    tax: Decimal
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write that a vendor received: what it was about (`marker`), and the hash of its body."""

    vendor: str
    address: str
    marker: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event as the hub has it."""

    id: str
    external_id: str
    type: str
    subject: str
    state: str
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as the hub has it; `position` is its place in the order of acceptance, `money` what it is about."""

    id: str
    flow: str
    key: str
    business_key: str
    event_id: str
    position: int
    state: str
    wait_kind: str | None = None
    replay_of: str | None = None
    money: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An open exception as the hub has it."""

    run_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An outside write as the hub has it."""

    key: str
    business_key: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRecords:
    """What the hub had committed in the end."""

    events: Sequence[Event] = ()
    runs: Sequence[Run] = ()
    cases: Sequence[Case] = ()
    effects: Sequence[Effect] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What must come of one invoice: nothing unusual, or an exception with this reason.

    `customers` are the records in NetSuite that it may stand under; `notice` says whether a collections notice must
    be given, and `notice_unknown` that nobody can know whether it was.
    """

    customers: frozenset[str]
    exception: str | None = None
    notice: bool = False
    notice_unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All of it; `expected` is by Stripe's invoice id, `flows` is event type → flows that it starts."""

    stripe: Sequence[StripeInvoice]
    deliveries: Sequence[Delivery]
    #: Stripe's event → what it is about: an invoice, or a payment.
    subjects: Mapping[str, str]
    erp_invoices: Sequence[ErpInvoice]
    erp_payments: Sequence[ErpPayment]
    #: Invoice numbers, one for each call of the notice script.
    notices: Sequence[str]
    tax_documents: Sequence[TaxDocument]
    writes: Sequence[Write]
    hub: HubRecords
    expected: Mapping[str, Expected]
    flows: Mapping[str, Sequence[str]] = field(default_factory=dict)
