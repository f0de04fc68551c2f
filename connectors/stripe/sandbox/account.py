"""One Stripe account: all its objects, its settings, and what happened in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.stripe.sandbox.agenda import Agenda
from connectors.stripe.sandbox.amounts import TaxShare
from connectors.stripe.sandbox.events import Cause, Event
from connectors.stripe.sandbox.identifiers import Identifiers
from connectors.stripe.sandbox.ledger import Ledger
from connectors.stripe.sandbox.meter_usage import Usage
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.rendering import previously, render
from connectors.stripe.sandbox.rights import RestrictedKey
from connectors.stripe.sandbox.table import Record, Table
from connectors.stripe.sandbox.versions import DEFAULT
from hub.sandbox.exact_json import dumps
from hub.sandbox.limits import Limiter
from hub.sandbox.world import World

if TYPE_CHECKING:
    from connectors.stripe.sandbox.thin_events import ThinEvent


@dataclass(slots=True, kw_only=True)
class Switches:
    """What a seed may change: limits (None: off), the delay of each answer, and how webhooks are sent.

    `webhook_waits` are the seconds before each further attempt, many times faster than Stripe's days unless a seed asks
    for `live` or `sandbox`, which are Stripe's own; those of more than a minute go by the sandbox's clock. `drift` is
    what is done to objects of a kind before they are shown (`{"invoice": {"drop": ["footer"]}}`), and `claim` the
    version that events then name, whatever their shape.
    """

    rate: int | None = 100
    concurrency: int | None = None
    #: Requests a second, and at once, of each endpoint; of meter events, which count apart.
    endpoint_rate: int | None = None
    endpoint_concurrency: int | None = None
    #: Of all searches together, where it is another one.
    search_rate: int | None = None
    meter_event_rate: int | None = 1000
    meter_stream_rate: int | None = 10_000
    #: For how many seconds a write waits for another to the same object before it is refused.
    lock_wait: float = 5.0
    latency: float = 0.0
    api_version: str = DEFAULT
    webhook_waits: list[float] = field(default_factory=lambda: [0.5, 1, 2, 4, 8, 15, 30, 60])
    #: By what the waits between attempts are divided.
    webhook_speed: float = 1.0
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
    #: Whether a balance below nothing is taken from the bank by a payout of less than nothing.
    debits_bank: bool = False
    #: For how many seconds what was made is not yet found by a search.
    search_delay: float = 0.0
    #: How many seconds after a draft was told of it is finalised by itself.
    finalizes_after: int = 3600
    #: After how many seconds thin events tell of meter events that do not count.
    meter_reports_after: int = 10


class Account:
    """The objects of one account and the events about them."""

    def __init__(self, world: World, *, identifier: str | None = None, platform: Account | None = None) -> None:
        """Start an empty account; its keys and ids come from the world's seed.

        A connected account has an `identifier`, and a `platform` whose key, switches, limits and endpoints are its own.
        """
        self.world = world
        self.id = identifier
        self.platform = platform
        #: Id → connected account; `joined` is called with each new one.
        self.connected: dict[str, Account] = {}
        self.joined: Callable[[Account], None] = lambda _: None
        self.limiter: Limiter = Limiter(clock=world.clock) if platform is None else platform.limiter
        self.subscribers: list[Callable[[Event], None]] = []
        #: Who must know when a payment intent has succeeded.
        self.payment_watchers: list[Callable[[Record], None]] = []
        self.thin_subscribers: list[Callable[[ThinEvent], None]] = []
        self._moment: int | None = None
        #: What is to happen at a time of the sandbox's clock: renewals, finalisations, payments tried again.
        self.agenda = Agenda()
        self.clear()

    def clear(self) -> None:
        """Forget everything and start again from the seed."""
        self.identifiers = Identifiers(self.world.seed if self.id is None else f"{self.world.seed}:{self.id}")
        #: What Stripe calls the account, and since when it is there.
        self.own_id = self.id or f"acct_{self.identifiers.letters('platform', 16)}"
        self.opened = self.world.clock.timestamp()
        self.api_key = f"sk_test_{self.identifiers.letters('key', 24)}"
        #: Key → what it may do, beside the one that may do everything.
        self.restricted: dict[str, RestrictedKey] = {}
        # Connected accounts, sessions of meter event streams, and where thin events are sent to.
        self.connected.clear()
        self.accounts = Table("account")
        self.meter_sessions: dict[str, int] = {}
        self.destinations = Table("v2.core.event_destination")
        #: Endpoints that are told of what happens in connected accounts.
        self.connect_endpoints: set[str] = set()
        self.customers = Table("customer")
        self.tax_ids = Table("tax_id", indexes=("customer",))
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
        # Subscriptions, meters and their events, thin events: the objects of billing.
        self.subscriptions = Table("subscription", indexes=("customer",))
        self.subscription_items = Table("subscription_item", indexes=("subscription",))
        #: Line of a subscription → the ids of its tax rates; price → its tiers.
        self.line_rates: dict[str, list[str]] = {}
        self.tiers: dict[str, list[Record]] = {}
        self.meters = Table("billing.meter")
        self.usage = Usage()
        self.meter_mistakes: dict[str, Any] = {}
        self.thin_events: list[ThinEvent] = []
        self.agenda.clear()
        self.invoice_payments = Table("invoice_payment", indexes=("invoice",))
        self.payment_intents = Table("payment_intent")
        self.payment_records = Table("payment_record")
        self._clear_money()
        self.endpoints = Table("webhook_endpoint")
        #: Endpoint → its secrets, the newest first, each with the time until which it signs.
        self.secrets: dict[str, list[tuple[str, float | None]]] = {}
        self.events: list[Event] = []
        self.event_places: dict[str, int] = {}
        self.cause = Cause()
        self.switches: Switches = Switches() if self.platform is None else self.platform.switches
        self.apply()

    def _clear_money(self) -> None:
        """Forget charges, refunds, credit notes, disputes, payouts, balance transactions, and taxes."""
        self.charges = Table("charge", indexes=("payment_intent",))
        self.refunds = Table("refund", indexes=("charge",))
        self.credit_notes = Table("credit_note", indexes=("invoice",))
        self.credit_note_lines: dict[str, list[Record]] = {}
        #: Customer and currency → balance, beside the one in the customer's own currency.
        self.other_balances: dict[tuple[str, str], int] = {}
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
        #: Those of them that somebody has asked for, as objects.
        self.payment_methods = Table("payment_method")
        self.ledger = Ledger()
        # Stripe Tax: what is calculated and recorded; the lines and breakdowns by their owner's id; used references.
        self.tax_settings: dict[str, Any] = {}
        self.tax_registrations = Table("tax.registration")
        self.tax_calculations = Table("tax.calculation")
        self.tax_transactions = Table("tax.transaction")
        self.tax_lines: dict[str, list[Record]] = {}
        self.tax_breakdowns: dict[str, list[Record]] = {}
        self.tax_references: set[str] = set()

    def apply(self) -> None:
        """Let the switches take effect."""
        self.limiter.rate = self.switches.rate
        self.limiter.concurrency = self.switches.concurrency

    def connect(self, identifier: str) -> None:
        """Make a connected account; its objects are apart from all others."""
        account = self.connected[identifier] = Account(self.world, identifier=identifier, platform=self)
        self.joined(account)

    def now(self) -> int:
        """Give the time in whole seconds, as Stripe's timestamps are."""
        return self.world.clock.timestamp() if self._moment is None else self._moment

    def catch_up(self) -> None:
        """Let everything happen that is due by now, each at its own time and in order."""
        now = self.world.clock.timestamp()
        while self._moment is None and (due := self.agenda.take(now)) is not None:
            cause, self.cause = self.cause, Cause()
            self._moment = due.at
            try:
                due.action()
            finally:
                self._moment = None
                self.cause = cause

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
            account=self.id,
        )
        self.event_places[event.id] = len(self.events)
        self.events.append(event)
        for subscriber in self.subscribers:
            subscriber(event)
        return event

    def _shapes(self, record: Record, previous: dict[str, Any] | None) -> dict[str, msgspec.Raw]:
        """Freeze an object in the account's version and those of its endpoints: an event is never rendered again."""
        endpoints = (self.platform or self).endpoints
        pinned = (endpoint.get("api_version") for endpoint in endpoints.oldest_first())
        shapes = {}
        for version in {self.switches.api_version, *filter(None, pinned)}:
            data: dict[str, Any] = {"object": render(self, record, version)}
            if previous is not None:
                data["previous_attributes"] = previously(self, record, previous, version)
            shapes[version] = msgspec.Raw(dumps(data))
        return shapes
