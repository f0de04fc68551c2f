"""What the sandbox shows of itself to the control API: keys, seeding, books, progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.doorway import Doorway
from connectors.stripe.sandbox.doorway_v2 import DoorwayV2
from connectors.stripe.sandbox.driver import Driver
from connectors.stripe.sandbox.events import Event
from connectors.stripe.sandbox.limits import Limits
from connectors.stripe.sandbox.seeding import Seeder
from connectors.stripe.sandbox.sender import Sender
from connectors.stripe.sandbox.table import Record, Table
from connectors.stripe.sandbox.terms import show


class StripeBooks:
    """The control API's view of one account."""

    def __init__(
        self, account: Account, doorway: Doorway, doorway_v2: DoorwayV2, sender: Sender, limits: Limits
    ) -> None:
        """Join the parts of one running sandbox; `account` has all that is kept, in the newest shape."""
        self.account = account
        self._doorway = doorway
        self._doorway_v2 = doorway_v2
        self._sender = sender
        self._limits = limits
        self._driver = Driver(account)
        self._seeder = Seeder(account, self._driver)

    def announce(self) -> Mapping[str, Any]:
        """Give the secret key and the account's API version."""
        return {"api_key": self.account.api_key, "api_version": self.account.switches.api_version}

    async def seed(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create objects, change switches, and plan what happens over time."""
        return await self._seeder.grant(wish)

    def snapshot(self) -> Mapping[str, Any]:
        """Give all invoices with all lines and payments, customers, money, endpoints, events and deliveries.

        What a connected account holds stands apart, under its id.
        """
        account = self.account
        return {
            **_held(account),
            "accounts": {identifier: _held(connected) for identifier, connected in account.connected.items()},
            "endpoints": _present(account.endpoints),
            "deliveries": list(self._sender.log),
            "keys": dict(self._seeder.keys),
            **self.progress(),
        }

    def progress(self) -> Mapping[str, Any]:
        """Tell what is still to happen: planned actions and deliveries under way; and what was refused."""
        for account in (self.account, *self.account.connected.values()):
            account.catch_up()
        return {
            "planned": self._driver.planned,
            "driven": self._driver.done,
            "deliveries_waiting": self._sender.waiting,
            "idempotency_keys": self._doorway.remembered,
            "refused_by_limits": self._limits.refused,
            "payouts_under_way": sum(
                payout["status"] in {"pending", "in_transit"} for payout in self.account.payouts.oldest_first()
            ),
        }

    async def reset(self) -> None:
        """Forget everything; the API key stays the same, as it comes from the seed."""
        self._driver.stop()
        self._sender.forget()
        self._seeder.keys.clear()
        self._doorway.keys.clear()
        self._doorway_v2.clear()
        self._limits.clear()
        self.account.clear()


def _money(account: Account) -> dict[str, Any]:
    """Give what was charged, given back, disputed and paid out, taxed, and both sides of every movement."""
    return {
        "payment_intents": _present(account.payment_intents),
        "charges": _present(account.charges),
        "refunds": _present(account.refunds),
        "credit_notes": [
            note | {"lines": account.credit_note_lines[note["id"]]} for note in _present(account.credit_notes)
        ],
        "disputes": _present(account.disputes),
        "payouts": _present(account.payouts),
        "paid_out": {payout: [one["id"] for one in taken] for payout, taken in account.paid_out.items()},
        "balance_transactions": _present(account.balance_transactions),
        "tax_calculations": [
            one | {"line_items": account.tax_lines[one["id"]]} for one in _present(account.tax_calculations)
        ],
        "tax_transactions": [
            one | {"line_items": account.tax_lines[one["id"]]} for one in _present(account.tax_transactions)
        ],
        "ledger": {
            "entries": [asdict(entry) for entry in account.ledger.entries],
            "totals": account.ledger.totals(),
        },
    }


def _held(account: Account) -> dict[str, Any]:
    account.catch_up()
    return {
        "customers": _present(account.customers),
        "tax_ids": _present(account.tax_ids),
        "products": _present(account.products),
        "prices": _present(account.prices),
        "tax_rates": _present(account.tax_rates),
        "coupons": _present(account.coupons),
        "subscriptions": [show(account, one) for one in account.subscriptions.oldest_first()],
        "meters": _present(account.meters),
        "usage": [
            {"meter": meter, "customer": customer, "at": one.at, "value": one.value, "identifier": one.identifier}
            for (meter, customer), counted in account.usage.counted.items()
            for one in counted
        ],
        "invoiceitems": _present(account.invoiceitems),
        "invoices": [
            invoice
            | {
                "lines": list(account.lines[invoice["id"]]),
                "payments": account.invoice_payments.where("invoice", invoice["id"]),
            }
            for invoice in _present(account.invoices)
        ],
        "events": [_brief(event) for event in account.events],
        **_money(account),
        "thin_events": [event.whole() for event in account.thin_events],
    }


def _present(table: Table) -> list[Record]:
    return [dict(record) for record in table.oldest_first() if not record.get("deleted")]


def _brief(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "type": event.type,
        "created": event.created,
        "object": event.subject,
        "pending": len(event.pending),
    }
