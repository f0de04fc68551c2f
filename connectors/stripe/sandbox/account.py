"""One Stripe account: all its objects, its settings, and what happened in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from connectors.stripe.sandbox.agenda import Agenda
from connectors.stripe.sandbox.amounts import TaxShare
from connectors.stripe.sandbox.events import Cause, Event
from connectors.stripe.sandbox.identifiers import Identifiers
from connectors.stripe.sandbox.ledger import Ledger
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.rendering import previously, render
from connectors.stripe.sandbox.table import Record, Table
from connectors.stripe.sandbox.versions import DEFAULT
from hub.sandbox.exact_json import dumps
from hub.sandbox.limits import Limiter
from hub.sandbox.world import World


@dataclass(slots=True, kw_only=True)
class Switches:
    """What a seed may change: limits (None: off), the delay of each answer, and how webhooks are sent.

    `webhook_waits` are the seconds before each further attempt, many times faster than Stripe's days. `drift` is what
    is done to objects of a kind before they are shown (`{"invoice": {"drop": ["footer"]}}`), and `claim` the version
    that events then name, whatever their shape.
    """

    rate: int | None = 100
    concurrency: int | None = None
    latency: float = 0.0
    api_version: str = DEFAULT
    webhook_waits: list[float] = field(default_factory=lambda: [0.5, 1, 2, 4, 8, 15, 30, 60])
    webhook_timeout: float = 10.0
    webhook_concurrency: int = 16
    drift: Mapping[str, Any] = field(default_factory=dict)
    claim: str | None = None
    # Money: the currencies that the account holds (the first takes what it does not), when payouts are made by
    # themselves, and how many seconds money is pending and a payout is on its way.
    settles: list[str] = field(default_factory=lambda: ["usd", "eur", "gbp"])
    payouts: str = "manual"
    pending_seconds: int = 2 * 86400
    payout_seconds: int = 2 * 86400


class Account:
    """The objects of one account and the events about them."""

    def __init__(self, world: World) -> None:
        """Start an empty account; its keys and ids come from the world's seed."""
        self.world = world
        self.limiter = Limiter(clock=world.clock)
        self.subscribers: list[Callable[[Event], None]] = []
        #: Who must know when a payment intent has succeeded, failed, or been canceled.
        self.payment_watchers: list[Callable[[Record], None]] = []
        self.clear()

    def clear(self) -> None:
        """Forget everything and start again from the seed."""
        self.identifiers = Identifiers(self.world.seed)
        self.api_key = f"sk_test_{self.identifiers.letters('key', 24)}"
        self.customers = Table("customer")
        self.products = Table("product")
        self.prices = Table("price", indexes=("product",))
        self.coupons = Table("coupon")
        self.tax_rates = Table("tax_rate")
        self.discounts = Table("discount")
        self.invoiceitems = Table("invoiceitem", indexes=("customer",))
        self.invoices = Table("invoice", indexes=("customer",))
        #: Invoice → its lines; invoice item → the taxes its caller computed.
        self.lines: dict[str, list[Record]] = {}
        self.fixed_taxes: dict[str, list[TaxShare]] = {}
        #: Invoice → by how many minor units its totals will lie.
        self.misstatements: dict[str, int] = {}
        self.invoice_payments = Table("invoice_payment", indexes=("invoice",))
        self.payment_intents = Table("payment_intent")
        self.payment_records = Table("payment_record")
        # Money: charges, refunds, credit notes, disputes, payouts, balance transactions.
        self.charges = Table("charge", indexes=("payment_intent",))
        self.refunds = Table("refund", indexes=("charge",))
        self.credit_notes = Table("credit_note", indexes=("invoice",))
        self.credit_note_lines: dict[str, list[Record]] = {}
        self.customer_balance_transactions = Table("customer_balance_transaction", indexes=("customer",))
        self.disputes = Table("dispute", indexes=("charge",))
        self.payouts = Table("payout")
        self.balance_transactions = Table("balance_transaction", indexes=("source",))
        #: Balance transactions that no automatic payout has taken yet; and automatic payout → those it took.
        self.unpaid: dict[str, Record] = {}
        self.paid_out: dict[str, list[Record]] = {}
        #: Payment intent → the invoice it pays; and the invoice payment that waits for it.
        self.invoices_of_intents: dict[str, str] = {}
        self.waiting_payments: dict[str, Record] = {}
        #: Payment method → the test method it was made from.
        self.methods: dict[str, str] = {}
        self.ledger = Ledger()
        self.agenda = Agenda()
        self.endpoints = Table("webhook_endpoint")
        #: Endpoint → its secrets, the newest first, each with the time until which it signs.
        self.secrets: dict[str, list[tuple[str, float | None]]] = {}
        self.events: list[Event] = []
        self.event_places: dict[str, int] = {}
        self.cause = Cause()
        self.switches = Switches()
        self.apply()

    def apply(self) -> None:
        """Let the switches take effect."""
        self.limiter.rate = self.switches.rate
        self.limiter.concurrency = self.switches.concurrency

    def now(self) -> int:
        """Give the time in whole seconds, as Stripe's timestamps are."""
        return self.world.clock.timestamp()

    def find(self, table: Table, identifier: str, *, param: str | None = None) -> Record:
        """Find an object that is not deleted; `param` names the parameter that mentions it (else it is in the path)."""
        record = table.get(identifier)
        if record is None or record.get("deleted"):
            raise ApiError.no_such(
                table.kind.replace("_", " "), identifier, param=param or "id", status=404 if param is None else 400
            )
        return record

    def happened(self, kind: str, record: Record, previous: dict[str, Any] | None = None) -> Event:
        """Keep an event about an object (already in the shape the API shows) and tell the subscribers."""
        event = Event(
            id=self.identifiers.new("evt"),
            type=kind,
            created=self.now(),
            api_version=self.switches.api_version,
            cause=self.cause,
            shapes=self._shapes(record, previous),
            subject=str(record["id"]),
            claims=self.switches.claim,
        )
        self.event_places[event.id] = len(self.events)
        self.events.append(event)
        for subscriber in self.subscribers:
            subscriber(event)
        return event

    def _shapes(self, record: Record, previous: dict[str, Any] | None) -> dict[str, msgspec.Raw]:
        """Freeze an object in the account's version and those of its endpoints: an event is never rendered again."""
        pinned = (endpoint.get("api_version") for endpoint in self.endpoints.oldest_first())
        shapes = {}
        for version in {self.switches.api_version, *filter(None, pinned)}:
            data: dict[str, Any] = {"object": render(self, record, version)}
            if previous is not None:
                data["previous_attributes"] = previously(self, record, previous, version)
            shapes[version] = msgspec.Raw(dumps(data))
        return shapes
