"""Seeding: many objects at once, through the same code as the API, with names for their ids."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from connectors.stripe.sandbox import (
    accounts,
    catalogue,
    collection,
    credit_wishes,
    customers,
    destinations,
    endpoints,
    invoice_states,
    invoices,
    meter_events,
    meters,
    payments,
    payouts,
    prices,
    rights,
    subscriptions,
    tax_calculations,
    tax_settings,
    v2,
)
from connectors.stripe.sandbox.account import Account, Switches
from connectors.stripe.sandbox.drifting import check_drift
from connectors.stripe.sandbox.driver import Driver
from connectors.stripe.sandbox.foreign_bills import LINE_WISHES, bill
from connectors.stripe.sandbox.limits import STATED
from connectors.stripe.sandbox.money_wishes import MONEY, elapse
from connectors.stripe.sandbox.money_wishes import grant as grant_money
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.portfolio import portfolio
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.sender import SCHEDULES
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.versions import VERSIONS

_MAKERS: Mapping[str, Callable[[Account, Parameters], Record]] = {
    "accounts": accounts.create,
    "products": prices.create_product,
    "meters": meters.create,
    "prices": prices.create,
    "coupons": catalogue.create_coupon,
    "tax_rates": catalogue.create_tax_rate,
    "customers": customers.create,
    "subscriptions": subscriptions.create,
    "meter_events": meter_events.create,
    "endpoints": endpoints.create,
    "tax_settings": tax_settings.update,
    "tax_registrations": tax_settings.register,
    "tax_calculations": tax_calculations.create,
}
_WISHES = frozenset(
    {
        *_MAKERS,
        *MONEY,
        "account",
        "credits",
        "destinations",
        "drive",
        "elapse",
        "generate",
        "invoices",
        "pay_out",
        "restricted_keys",
        "roll_secret",
        "switches",
    }
)
_INVOICE_WISHES = frozenset(
    {"key", "create", "lines", "subscription", "finalize", "payments", "credits", "misstate_total"}
)
#: Numbers come from JSON as `Decimal`; clocks want floats.
_SWITCH_TYPES: Mapping[str, Callable[[Any], Any]] = {
    "latency": float,
    "pending_seconds": int,
    "payout_seconds": int,
    "lock_wait": float,
    "search_delay": float,
    "webhook_timeout": float,
    "webhook_speed": float,
    "webhook_waits": lambda waits: [
        float(seconds) for seconds in (SCHEDULES[waits] if isinstance(waits, str) else waits)
    ],
}
_PAYMENT_WISHES = frozenset({"amount", "by", "after"})


class Seeder:
    """Grants wishes; `keys` maps the names a wish gave to the ids that were made.

    A payment's amount is cut to what remains to be paid. A string `@name` anywhere in a wish stands for the id of the
    object of that name.
    """

    def __init__(self, account: Account, driver: Driver, keys: dict[str, str] | None = None) -> None:
        """Seed one account; `keys` are names that are known already."""
        self._account = account
        self._driver = driver
        self.keys: dict[str, str] = {} if keys is None else keys

    async def grant(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Make what is wished for; `drive` spreads the finalisations and payments over time instead of now.

        After each of its seconds `pay_out_after` all that is available then is paid out.

        Raises `ValueError` with what Stripe would have said.
        """
        surplus = set(wish) - _WISHES
        if surplus:
            raise ValueError(f"Unknown wish: {', '.join(sorted(surplus))}; known are {', '.join(sorted(_WISHES))}")
        if "account" in wish:
            within = self._account.connected.get(self._resolve(wish["account"]))
            if within is None:
                raise ValueError("`account` names no connected account; seed one under `accounts` first")
            rest = {name: value for name, value in wish.items() if name != "account"}
            return await Seeder(within, self._driver, self.keys).grant(rest)
        self._account.catch_up()
        made: dict[str, Any] = {}
        try:
            if "switches" in wish:
                self._switch(wish["switches"])
            if "generate" in wish:
                drawn = portfolio(self._account.world.seed, **wish["generate"])
                wish = {**wish, **{kind: [*drawn[kind], *wish.get(kind, ())] for kind in drawn}}
            for kind, maker in _MAKERS.items():
                for place, item in enumerate(wish.get(kind, ())):
                    made.setdefault(kind, []).append(self._make(maker, item))
                    await _breathe(place)
            for item in wish.get("destinations", ()):
                made.setdefault("destinations", []).append(self._destination(item))
            for item in wish.get("restricted_keys", ()):
                made.setdefault("restricted_keys", []).append(self._restricted(item))
            made["invoices"] = await self._invoices(wish.get("invoices", ()), wish.get("drive"))
            for item in wish.get("credits", ()):
                self._credit(str(self._resolve(item["invoice"])), item, wish.get("drive"))
            for seconds in (wish.get("drive") or {}).get("pay_out_after", ()):
                self._driver.plan(float(seconds), self._pay_out)
            self._money(wish, made)
            if "roll_secret" in wish:
                rolled = wish["roll_secret"]
                made["secret"] = endpoints.roll_secret(
                    self._account, self._resolve(rolled["endpoint"]), float(rolled.get("keep_old", 0))
                )
        except ApiError as error:
            raise ValueError(f"{error} {error.body['error'].get('param', '')}".strip()) from None
        return {"made": made, "keys": self.keys, "planned": self._driver.planned}

    def _restricted(self, wish: Mapping[str, Any]) -> str:
        key = f"rk_test_{self._account.identifiers.letters('restricted', 24)}"
        self._account.restricted[key] = rights.wished(wish)
        self._name(wish, {"id": key})
        return key

    def _money(self, wish: Mapping[str, Any], made: dict[str, Any]) -> None:
        """Let happen what customers and banks do, then pay out, then let time go by."""
        for kind in MONEY:
            for item in wish.get(kind, ()):
                record = grant_money(self._account, kind, self._resolve(item))
                self._name(item, record)
                made.setdefault(kind, []).append({"id": record["id"]})
        if wish.get("pay_out"):
            made["payouts"] = [{"id": payout["id"]} for payout in payouts.pay_out(self._account)]
        if "elapse" in wish:
            elapse(self._account, float(wish["elapse"]))

    def _switch(self, wanted: Mapping[str, Any]) -> None:
        known = {field.name for field in fields(Switches)} | {"limits"}
        surplus = set(wanted) - known
        if surplus:
            raise ValueError(f"Unknown switch: {', '.join(sorted(surplus))}; known are {', '.join(sorted(known))}")
        if wanted.get("api_version", VERSIONS[0]) not in VERSIONS:
            raise ValueError(f"The API version must be one of {', '.join(VERSIONS)}")
        check_drift(wanted.get("drift", {}))
        if "limits" in wanted:
            if wanted["limits"] not in STATED:
                raise ValueError(f"Stripe's limits are {' or '.join(STATED)}")
            # What is named beside them counts for more.
            wanted = {**STATED[wanted["limits"]], **{name: wanted[name] for name in wanted if name != "limits"}}
        for name, value in wanted.items():
            setattr(self._account.switches, name, _SWITCH_TYPES.get(name, lambda given: given)(value))
        self._account.apply()
        if "payouts" in wanted:
            if wanted["payouts"] not in {"manual", "daily"}:
                raise ValueError("Payouts are made daily, or manual")
            payouts.every_day(self._account)

    def _make(self, maker: Callable[[Account, Parameters], Record], item: Mapping[str, Any]) -> Record:
        given = {name: value for name, value in item.items() if name != "key"}
        record = maker(self._account, Parameters(self._resolve(given)))
        if "id" in record:
            self._name(item, record)
        return {name: record[name] for name in ("id", "url", "secret") if name in record}

    def _destination(self, item: Mapping[str, Any]) -> Record:
        given = {name: value for name, value in item.items() if name != "key"}
        wanted = {"event_payload": "thin", "type": "webhook_endpoint", "include": ["webhook_endpoint.signing_secret"]}
        made = destinations.create(self._account, "", v2.BodyV2({**wanted, **self._resolve(given)}))
        self._name(item, made)
        return {"id": made["id"], "secret": made["webhook_endpoint"]["signing_secret"]}

    async def _invoices(self, wishes: Any, drive: Mapping[str, Any] | None) -> list[str]:
        gap = 1 / float(drive["per_second"]) if drive else 0.0
        made = []
        for place, wish in enumerate(wishes):
            surplus = set(wish) - _INVOICE_WISHES
            if surplus:
                raise ValueError(f"invoices[{place}]: unknown key {', '.join(sorted(surplus))}")
            identifier = self._draft(wish)
            made.append(identifier)
            if wish.get("finalize", True):
                self._then(drive, place * gap, partial(self._finalize, identifier))
                for payment in wish.get("payments", ()):
                    if set(payment) - _PAYMENT_WISHES:
                        raise ValueError(f"invoices[{place}]: a payment has {', '.join(sorted(_PAYMENT_WISHES))}")
                    self._then(
                        drive,
                        place * gap + float(payment.get("after", 0)),
                        partial(self._pay, identifier, payment),
                    )
                for credit in wish.get("credits", ()):
                    self._then(
                        drive,
                        place * gap + float(credit.get("after", 0)),
                        partial(self._credit, identifier, credit, drive),
                    )
            await _breathe(place)
        return made

    def _draft(self, wish: Mapping[str, Any]) -> str:
        created = invoices.create(self._account, Parameters(self._resolve(wish["create"])))
        identifier = str(created["id"])
        self._name(wish, created)
        wishes = list(self._resolve(wish.get("lines", ())))
        lines = [{name: line[name] for name in line if name not in LINE_WISHES} for line in wishes]
        for start in range(0, len(lines), invoices.MAX_LINES):
            part = lines[start : start + invoices.MAX_LINES]
            invoices.add_lines(self._account, identifier, Parameters({"lines": part}))
        if "subscription" in wish:
            bill(self._account, self._account.find(self._account.invoices, identifier), wish["subscription"], wishes)
        if wish.get("misstate_total"):
            self._account.misstatements[identifier] = int(wish["misstate_total"])
        return identifier

    def _then(self, drive: Mapping[str, Any] | None, seconds: float, action: Callable[[], None]) -> None:
        if drive is None:
            action()
        else:
            self._driver.plan(seconds, action)

    def _finalize(self, identifier: str) -> None:
        invoice_states.finalize(self._account, identifier, Parameters({}))

    def _pay(self, identifier: str, payment: Mapping[str, Any]) -> None:
        account = self._account
        invoice = account.find(account.invoices, identifier)
        if invoice["status"] == "paid":
            return  # Nothing was due, or earlier payments covered it.
        how = payment.get("by", "card")
        amount = payment.get("amount")
        if how == "outside":
            invoice_states.pay(account, identifier, Parameters({"paid_out_of_band": "true"}))
        elif amount is None and how == "card":
            # Who seeds a payment by card need not have given the customer a card.
            card = {} if collection.method_of(account, invoice) else {"payment_method": "pm_card_visa"}
            invoice_states.pay(account, identifier, Parameters(card))
        else:
            remaining = invoice["amount_remaining"]
            value = remaining if amount is None else min(int(amount), remaining)
            if how == "card":
                payments.pay_part(account, invoice, value)
            else:
                payments.attach(account, identifier, Parameters({"payment_record": self._reported(invoice, value)}))

    def _credit(self, invoice: str, wish: Mapping[str, Any], drive: Mapping[str, Any] | None) -> None:
        if surplus := set(wish) - credit_wishes.WISHES - {"key", "invoice"}:
            raise ValueError(f"credits: unknown key {', '.join(sorted(surplus))}")
        record = credit_wishes.make(self._account, invoice, self._resolve(wish), partial(self._then, drive))
        self._name(wish, record)

    def _pay_out(self) -> None:
        payouts.pay_out(self._account)

    def _reported(self, invoice: Record, amount: int) -> str:
        reported = {
            "amount_requested": {"value": amount, "currency": invoice["currency"]},
            "customer_details": {"customer": invoice["customer"]},
            "initiated_at": self._account.now(),
            "outcome": "guaranteed",
        }
        return str(payments.report(self._account, Parameters(reported))["id"])

    def _name(self, wish: Mapping[str, Any], record: Record) -> None:
        if "key" in wish:
            self.keys[wish["key"]] = str(record["id"])

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("@"):
            if value[1:] not in self.keys:
                raise ValueError(f"Nothing was seeded under the name {value[1:]!r}")
            return self.keys[value[1:]]
        if isinstance(value, dict):
            return {name: self._resolve(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._resolve(inner) for inner in value]
        return value


async def _breathe(place: int) -> None:
    if place % 50 == 49:
        await asyncio.sleep(0)
