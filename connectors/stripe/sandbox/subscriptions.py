"""Subscriptions and their items: create, change, cancel, read, list."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox import automatic_tax, catalogue
from connectors.stripe.sandbox import subscription_billing as billing
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.collection import is_declined
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.methods import known
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.searching import search
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.terms import MAX_ITEMS, ends, items_of, make_item, period_at, plan_of, set_quantity, show
from connectors.stripe.sandbox.usage_lines import is_metered
from connectors.stripe.sandbox.versions import BASIL, CLOVER

_URL = "/v1/subscriptions"
_STATUSES = ("active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid")
_PRORATIONS = ("always_invoice", "create_prorations", "none")
_UNUSED = ("off_session", "payment_settings", "trial_settings")


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/subscriptions`: the first period is billed at once, unless a trial comes before it."""
    customer = account.find(account.customers, parameters.required("customer"), param="customer")
    now = account.now()
    identifier = account.identifiers.new("sub")
    subscription = _blank(account, identifier, customer["id"])
    mode = parameters.part("billing_mode")
    flexible = "flexible" if parameters.version >= CLOVER else "classic"
    chosen = (mode.choice("type", "classic", "flexible") if mode else None) or flexible
    subscription["billing_mode"] = {"flexible": None, "type": chosen, "updated_at": None}
    items = [make_item(account, part, identifier, None) for part in parameters.parts("items") or []]
    if not items:
        raise ApiError.missing_parameter("items")
    _check_items(items)
    subscription["currency"] = items[0]["price"]["currency"]
    subscription["discounts"] = _discounts(account, parameters, subscription) or []
    _write(account, subscription, parameters)
    trial_end = _trial(parameters, now)
    behavior = parameters.choice(
        "payment_behavior", "allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"
    )
    at_end = parameters.boolean("cancel_at_period_end") or False
    prorates = parameters.choice("proration_behavior", *_PRORATIONS) != "none"
    parameters.accept("currency", *_UNUSED)
    parameters.finish()
    for item in items:
        start, end = (now, trial_end) if trial_end else period_at(now, item["price"]["recurring"], now)
        item |= {"current_period_start": start, "current_period_end": ends(subscription, end)}
    subscription |= {
        "billing_cycle_anchor": trial_end or now,
        "trial_start": now if trial_end else None,
        "trial_end": trial_end,
        "status": _first_status(account, subscription, customer, items, behavior or "allow_incomplete", trial_end),
    }
    if at_end:
        subscription |= _ending(min(item["current_period_end"] for item in items), now)
        for item in items:
            item["current_period_end"] = ends(subscription, item["current_period_end"])
    account.subscriptions.add(subscription)
    for item in items:
        account.subscription_items.add(item)
    account.happened("customer.subscription.created", show(account, subscription))
    charge = billing.Charge.NOW if subscription["status"] == "incomplete" else billing.Charge.LATER
    charge = billing.Charge.NEVER if behavior == "default_incomplete" else charge
    billing.begin(account, subscription, charge=charge, prorates=prorates)
    return show(account, subscription)


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/subscriptions/{id}`: its terms, and its items with what that changes in the present period."""
    subscription = account.find(account.subscriptions, identifier)
    ended = subscription["status"] in {"canceled", "incomplete_expired"}
    if ended and not set(parameters.names()) <= {"metadata", "expand"}:
        raise ApiError.invalid("A canceled subscription can only update its cancellation_details and metadata.")
    now = account.now()
    before = show(account, subscription)
    before = before | {"items": before["items"] | {"data": [dict(item) for item in before["items"]["data"]]}}
    after = dict(subscription)
    _write(account, after, parameters)
    behavior = parameters.choice("proration_behavior", *_PRORATIONS) or "create_prorations"
    at = parameters.integer("proration_date") or now
    at_end = parameters.boolean("cancel_at_period_end")
    changes = _item_changes(account, subscription, parameters.parts("items") or [])
    discounts = _discounts(account, parameters, subscription)
    parameters.accept("payment_behavior", *_UNUSED)
    parameters.finish()
    if discounts is not None:
        after["discounts"] = discounts
    if at_end:
        after |= _ending(min(item["current_period_end"] for item in items_of(account, identifier)), now)
    elif at_end is False:
        after |= {"cancel_at_period_end": False, "cancel_at": None, "canceled_at": None}
    subscription |= after
    for new, old in changes:
        item = account.subscription_items.get(new["id"])
        if item is None:
            item = account.subscription_items.add(new)
        else:
            item.clear()
            item |= new
        if behavior != "none" and _costs(item) != (old and _costs(old)):
            billing.prorate(account, subscription, item, old, at=at)
    fitted = billing.fit(account, subscription, prorates=behavior != "none")
    shown = show(account, subscription)
    previous = {name: before[name] for name in shown if before.get(name) != shown[name]}
    if previous:
        account.happened("customer.subscription.updated", shown, previous)
    if (changes or fitted) and behavior == "always_invoice":
        billing.bill_now(account, subscription)
    billing.plan(account, subscription)
    return show(account, subscription)


def cancel(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`DELETE /v1/subscriptions/{id}`: ends it now; one that has ended is not there for this any more."""
    subscription = account.find(account.subscriptions, identifier)
    if subscription["status"] in {"canceled", "incomplete_expired"}:
        raise ApiError.no_such("subscription", identifier)
    invoice_now = parameters.boolean("invoice_now") or False
    prorates = parameters.boolean("prorate") or False
    details = parameters.part("cancellation_details")
    said = {name: None if details is None else details.text(name) for name in ("comment", "feedback")}
    parameters.finish()
    subscription["cancellation_details"] = said | {"reason": None}
    if prorates:
        for item in items_of(account, identifier):
            gone = item | {"deleted": True}
            billing.prorate(account, subscription, gone, item, at=account.now())
    billing.end(account, subscription, reason="cancellation_requested", bill=invoice_now)
    return show(account, subscription)


def retrieve(account: Account, identifier: str) -> Record:
    """`GET /v1/subscriptions/{id}`, ended ones too."""
    return show(account, account.find(account.subscriptions, identifier))


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/subscriptions`: those that have not been cancelled, unless a status is asked for."""
    customer, price = parameters.text("customer"), parameters.text("price")
    status = parameters.choice("status", *_STATUSES, "all", "ended")
    ended = {"canceled", "incomplete_expired"}

    def wanted(subscription: Record) -> bool:
        held = str(subscription["status"])
        if status is None:
            return held != "canceled"
        return status == "all" or held in (ended if status == "ended" else {status})

    filters = [
        wanted,
        equals("collection_method", parameters.text("collection_method")),
        None
        if price is None
        else lambda subscription: any(item["price"]["id"] == price for item in items_of(account, subscription["id"])),
        time_range(parameters),
    ]
    among = None if customer is None else account.subscriptions.where("customer", customer)
    return pages(account.subscriptions, parameters, filters, url=_URL, show=lambda one: show(account, one), among=among)


def search_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/subscriptions/search`."""
    fields = frozenset({"created", "canceled_at", "status"})
    return search(
        account,
        account.subscriptions,
        parameters,
        fields=fields,
        url=f"{_URL}/search",
        show=lambda one: show(account, one),
    )


def list_items(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/subscription_items`: those of one subscription."""
    identifier = account.find(account.subscriptions, parameters.required("subscription"), param="subscription")["id"]
    among = account.subscription_items.where("subscription", identifier)
    return pages(account.subscription_items, parameters, [], url="/v1/subscription_items", among=among)


def _blank(account: Account, identifier: str, customer: str) -> Record:
    return {
        "id": identifier,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": account.now(),
        "billing_cycle_anchor_config": None,
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": account.now(),
        "customer": customer,
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "latest_invoice": None,
        "livemode": False,
        "metadata": {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": account.now(),
        "status_details": None,
        "test_clock": None,
        "transfer_data": None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
    }


def _write(account: Account, subscription: Record, parameters: Parameters) -> None:
    for key in ("default_payment_method", "description"):
        value = parameters.text(key)
        if value is not None:
            subscription[key] = value or None
    if subscription["default_payment_method"]:
        known(account, subscription["default_payment_method"], param="default_payment_method")
    if (method := parameters.choice("collection_method", "charge_automatically", "send_invoice")) is not None:
        subscription["collection_method"] = method
    days = parameters.integer("days_until_due")
    if days is not None:
        subscription["days_until_due"] = days
    by_invoice = subscription["collection_method"] == "send_invoice"
    if by_invoice and subscription["days_until_due"] is None:
        raise ApiError.missing_parameter("days_until_due")
    if days is not None and not by_invoice:
        raise ApiError.invalid(
            "You can only set `days_until_due` if collection method is `send_invoice`.", param="days_until_due"
        )
    if (rates := parameters.texts("default_tax_rates")) is not None:
        subscription["default_tax_rates"] = [
            account.find(account.tax_rates, rate, param="default_tax_rates") for rate in rates
        ]
    automatic_tax.switched(account, subscription, parameters)
    if parameters.given("cancel_at"):
        moment = parameters.integer("cancel_at")
        if moment is not None and moment <= account.now():
            raise ApiError.invalid("cancel_at must be in the future.", param="cancel_at")
        subscription |= {"cancel_at": moment, "canceled_at": None if moment is None else account.now()}
    subscription["metadata"] = parameters.metadata(subscription["metadata"])


def _discounts(account: Account, parameters: Parameters, subscription: Record) -> list[str] | None:
    """Make the discounts that are asked for; before basil a single coupon could be named instead."""
    coupon = parameters.text("coupon") if parameters.version < BASIL else None
    asked = Parameters({"discounts": [{"coupon": coupon}]}) if coupon else parameters
    return catalogue.discounts_of(account, asked, currency=subscription["currency"], customer=subscription["customer"])


def _ending(at: int, now: int) -> Record:
    return {"cancel_at_period_end": True, "cancel_at": at, "canceled_at": now}


def _trial(parameters: Parameters, now: int) -> int | None:
    days, end = parameters.integer("trial_period_days"), parameters.text("trial_end")
    if days is not None and end is not None:
        raise ApiError.invalid("You may only pass one of trial_end and trial_period_days.", param="trial_end")
    if end is not None and end != "now":
        moment = parameters.integer("trial_end")
        if moment is None or moment <= now:
            raise ApiError.invalid("trial_end must be in the future, or `now`.", param="trial_end")
        return moment
    return now + days * 86400 if days else None


def _first_status(
    account: Account, subscription: Record, customer: Record, items: list[Record], behavior: str, trial_end: int | None
) -> str:
    """Tell how a subscription begins; refuses one that nothing could be charged to."""
    if trial_end:
        return "trialing"
    if subscription["collection_method"] == "send_invoice":
        return "active"
    method = subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    if all(is_metered(item) for item in items):
        return "active"
    if method is None and behavior in {"allow_incomplete", "error_if_incomplete"}:
        raise ApiError.invalid(
            "This customer has no attached payment source or default payment method. Please consider adding a default "
            "payment method.",
            code="resource_missing",
        )
    if is_declined(account, method) and behavior == "error_if_incomplete":
        raise ApiError(
            "Your card was declined.",
            status=402,
            kind="card_error",
            code="card_declined",
            decline_code="generic_decline",
            stored=True,
        )
    return "incomplete"


def _item_changes(
    account: Account, subscription: Record, parts: list[Parameters]
) -> list[tuple[Record, Record | None]]:
    """Form the items that are named as they will be, and new ones; each with what it is now. Nothing is changed yet."""
    held = {item["id"]: item for item in items_of(account, subscription["id"])}
    after = dict(held)
    for part in parts:
        named = part.text("id")
        if named is None:
            item = make_item(account, part, subscription["id"], subscription["currency"])
            start, end = period_at(subscription["billing_cycle_anchor"], item["price"]["recurring"], account.now())
            item |= {"current_period_start": max(start, account.now()), "current_period_end": end}
            after[item["id"]] = item
            continue
        if named not in held:
            raise ApiError.no_such("subscription_item", named, param=part.name("id"), status=400)
        after[named] = dict(held[named])
        if part.boolean("deleted"):
            part.accept("clear_usage")
            after[named]["deleted"] = True
        else:
            _change_item(account, after[named], part, subscription)
    _check_items([item for item in after.values() if not item.get("deleted")])
    before = {identifier: dict(item) for identifier, item in held.items()}
    return [(item, before.get(identifier)) for identifier, item in after.items() if item != before.get(identifier)]


def _costs(item: Record) -> tuple[str, int | None, bool]:
    return item["price"]["id"], item.get("quantity"), bool(item.get("deleted"))


def _change_item(account: Account, item: Record, part: Parameters, subscription: Record) -> None:
    if part.given("price") or part.given("price_data"):
        other = make_item(account, part, subscription["id"], subscription["currency"])
        rhythm = ("interval", "interval_count")
        old, new = item["price"]["recurring"], other["price"]["recurring"]
        if any(old[name] != new[name] for name in rhythm):
            raise ApiError.invalid(
                "This sandbox changes no billing interval; delete the item and add another.", param=part.name("price")
            )
        quantity = other.get("quantity")
        item |= {"price": other["price"], "plan": plan_of(other["price"])}
        item.pop("quantity", None)
        if quantity is not None:
            item["quantity"] = quantity
    else:
        set_quantity(item, part, fallback=item.get("quantity", 1))
    if (rates := part.texts("tax_rates")) is not None:
        item["tax_rates"] = [account.find(account.tax_rates, rate, param="tax_rates") for rate in rates]
    item["metadata"] = part.metadata(item["metadata"])


def _check_items(items: list[Record]) -> None:
    if not items:
        raise ApiError.invalid("A subscription must have at least one item.", param="items")
    if len(items) > MAX_ITEMS:
        raise ApiError.invalid(f"A subscription can have up to {MAX_ITEMS} items.", param="items")
    seen: set[str] = set()
    for item in items:
        if (price := item["price"]["id"]) in seen:
            raise ApiError.invalid(f"Cannot add multiple subscription items with the same plan: {price}", param="items")
        seen.add(price)
    if len({item["price"]["currency"] for item in items}) > 1:
        raise ApiError.invalid("All prices of a subscription must be in one currency.", param="items")
