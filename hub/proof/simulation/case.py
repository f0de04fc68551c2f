"""A case of the crash sweep: which flows run in it, what is let happen, and what must come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from hub.proof.contract_checks import Stands
from hub.proof.credit_books import NoteDue
from hub.proof.scenario import Scenario
from hub.proof.wishes import EVENTS


class Backup(Protocol):
    """What may be done with a backup of the hub."""

    def make(self, *, untied: str = "") -> None:
        """Back up what the hub knows by now, in the place of an earlier backup.

        Things of the entity `untied` are tied only later, so that the hub knows none of them when it is brought back.
        """
        ...

    async def bring_back(self) -> None:
        """Let the hub's data be what it was at the backup, as after a restore; what it did since it does not know."""
        ...


class Stage(Protocol):
    """What a case may let happen."""

    @property
    def backups(self) -> Backup:
        """Give what may be done with a backup of the hub."""
        ...

    async def invoice(self, *, paid: bool) -> None:
        """Let Stripe finalise the invoice, and let it be paid."""
        ...

    async def stripe(self, path: str, body: str = "", *, method: str = "POST") -> None:
        """Ask something of Stripe.

        `{invoice}`, `{customer}`, `{note}` and `{refund}` stand for the case's ids, `{number}` for the invoice's; what
        a record of the CRM was called when it was made stands for its id.
        """
        ...

    async def rested(self) -> None:
        """Wait until no run goes on by itself any more."""
        ...

    async def erp(self, **fields: object) -> None:
        """Let people in the ERP change fields of the case's customer there."""
        ...

    async def link(self, *, account: str = "", product: tuple[str, str] | None = None) -> None:
        """Tie what is waited for: the customer's two ids, its id in billing to an `account` of the CRM, or a `product`.

        A product is named by what its record in the CRM is called, and its id in billing.
        """
        ...

    async def read(self) -> None:
        """Let the hub read the streams of its connections."""
        ...

    async def day_later(self) -> None:
        """Let a day pass, and the schedules fire."""
        ...

    async def agree(self) -> None:
        """Let as many people agree to the invoice as are asked."""
        ...

    async def refuse(self) -> None:
        """Let a person refuse the invoice."""
        ...

    async def tie(self) -> None:
        """Tie the customer once a run has stopped for that, and make the run again."""
        ...

    async def take_back(self) -> None:
        """Have what the first run of the case's first flow did taken back."""
        ...

    async def pay_out(self, *, travels: int, returned: bool = False) -> None:
        """Let Stripe pay out what is available, travelling so many seconds; the bank sends it back on its way."""
        ...

    async def credit(self) -> None:
        """Let Stripe give back what the case's invoice says is given back."""
        ...

    async def deliver(self, **kinds: str) -> None:
        """Let Stripe's webhooks of types that fit be lost, doubled or late from now on, and all others come in order.

        The kinds are the sandbox's (`webhook_lost`), each with a pattern of types. Its stream tells of all events.
        """
        ...

    async def seed(self, vendor: str, wish: Mapping[str, Any]) -> None:
        """Let something happen at a vendor that no call of the hub brings about; names stand in it as in `stripe`."""
        ...


class Tied(StrEnum):
    """To what the case's customer is tied in the ERP."""

    OWN = "the customer's record"
    NOBODY = "nothing"
    WRONG = "a record that is not there"


class Books(StrEnum):
    """What the books hold of the invoice in the end."""

    POSTED = "the invoice and its tax"
    REVERSED = "the invoice, its reversal and a void tax document"
    NOTHING = "nothing that counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """What must come of the case's customer: whose id it has in the ERP, how often each side wrote it, what it has.

    `erp_writes` counts all writes of the record, also those of people; `billing_changes` all changes at Stripe. Of no
    other events than these does the hub hear.
    """

    erp_writes: int
    billing_changes: int
    events: tuple[str, ...] = ("customer.updated", "customer.deleted")
    erp: Mapping[str, object] = field(default_factory=dict)
    billing: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crm:
    """What the CRM has, and what must come of it in billing.

    `records` are there before anything happens, as its sandbox is asked to make them; `tied` are the names of those
    accounts that are the scenario's first customer by then. `customers` counts the accounts of which billing must have
    a customer in the end, `changes` how often any customer of billing's was changed, and `billing` is what the
    scenario's has. `products` counts those of the CRM's that billing and the ERP must have, `product_changes` how often
    billing's were changed, and `prices` all that were ever made of entries of price books; what is `unpriced` was taken
    back. With `invoiced`, the CRM must know how each invoice of an account stands. `contracts` says what must have come
    of each contract, by the name of its record, and `contacts` what the ERP has of each contact, where it is looked at:
    no fields are no record. `exceptions` are the reasons of those that must be open, `untold` those
    about each invoice of which the CRM could not be told.
    """

    records: Sequence[Mapping[str, object]] = ()
    tied: tuple[str, ...] = ()
    customers: int = 0
    changes: int = 0
    billing: Mapping[str, object] = field(default_factory=dict)
    products: int = 0
    product_changes: int = 0
    prices: int = 0
    unpriced: bool = False
    invoiced: bool = False
    contracts: Mapping[str, Stands] = field(default_factory=dict)
    contacts: Mapping[str, Mapping[str, object]] | None = None
    exceptions: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How flows are made to run: `prepare` happens before anything is counted, `happen` while the process may die.

    `flows` all run in it; of those in `once` exactly one run must come of it. With `deaf` no webhook arrives. `story`
    tells it from others of the same flow, and `exception` is the reason of the one that must be open in the end. What
    must come of a credit note stands in `note`, where one is made. A case about `customers` hears of them, and not of
    invoices; one with a `crm` has a fourth vendor. `engine` is the connection that taxes the invoice: AvaTax's as
    shipped, or Stripe's. `erp` is the connection that has the books of the entity that sells.
    """

    flows: tuple[str, ...]
    scenario: Scenario
    happen: Callable[[Stage], Awaitable[None]]
    prepare: Callable[[Stage], Awaitable[None]] | None = None
    notice: bool = False
    once: tuple[str, ...] = ()
    deaf: bool = False
    story: str = ""
    tied: Tied = Tied.OWN
    customers: Customers | None = None
    crm: Crm | None = None
    books: Books = Books.POSTED
    exception: str | None = None
    engine: str = "tax"
    erp: str = "netsuite"
    note: NoteDue = field(default_factory=NoteDue)
    #: What of Stripe's in the books is taken back: payments, refunds, payouts or returns of payouts.
    taken_back: str = ""
    #: What nothing may be tied to in the end, because what was taken back had tied it.
    untied: str | None = None

    @property
    def watched(self) -> tuple[str, ...]:
        """Name the events of Stripe that the hub hears of."""
        if self.crm is not None and self.crm.contracts:
            return ("customer.subscription.deleted",)
        events = EVENTS if self.customers is None else self.customers.events
        return events if self.crm is None or not self.crm.invoiced else (*events, "invoice.paid", "invoice.voided")

    def reversed_in(self, stripe: Mapping[str, Any]) -> frozenset[str]:
        """Name the payments, refunds, payouts or returns of payouts whose runs were taken back."""
        match self.taken_back:
            case "payments":
                paid = (payment for invoice in stripe["invoices"] for payment in invoice["payments"])
                return frozenset(payment["id"] for payment in paid if payment["status"] == "paid")
            case "payouts":
                return frozenset(payout["id"] for payout in stripe["payouts"])
            case "returns":
                return frozenset(f"{payout['id']}_returned" for payout in stripe["payouts"])
            case "refunds":
                return frozenset(refund["id"] for refund in stripe["refunds"])
            case _:
                return frozenset()

    @property
    def own_record(self) -> bool:
        """Tell whether the customer's record in the ERP is there from the start, and is to be tied to it."""
        return self.tied is Tied.OWN or self.flows[0] in ("customer-to-billing", "partner-to-billing")

    @property
    def name(self) -> str:
        """Give the flow that it is about first, and how its events come."""
        return f"{self.flows[0]} {self.story}".strip()
