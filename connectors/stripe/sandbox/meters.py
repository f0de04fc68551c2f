"""Meters: what is counted of which events, for whom, and how it is added up."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.listing import equals, listed, page_size, pages
from connectors.stripe.sandbox.meter_usage import usage
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record

_URL = "/v1/billing/meters"
_WINDOWS = {"hour": 3600, "day": 86400}


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/billing/meters`; of one event name there is one active meter."""
    event_name = parameters.required("event_name")
    if len(event_name) > 100:
        raise ApiError.invalid("event_name can have up to 100 characters.", param="event_name")
    display_name = parameters.required("display_name")
    aggregation = parameters.part("default_aggregation")
    if aggregation is None:
        raise ApiError.missing_parameter("default_aggregation")
    formula = aggregation.choice("formula", "count", "last", "sum")
    if not formula:
        raise ApiError.missing_parameter("default_aggregation[formula]")
    mapping, values = parameters.part("customer_mapping"), parameters.part("value_settings")
    if mapping is not None:
        mapping.choice("type", "by_id")
    meter: Record = {
        "id": f"mtr_test_{account.identifiers.letters('mtr', 32)}",
        "object": "billing.meter",
        "created": account.now(),
        "customer_mapping": {
            "event_payload_key": "stripe_customer_id" if mapping is None else mapping.required("event_payload_key"),
            "type": "by_id",
        },
        "default_aggregation": {"formula": formula},
        "display_name": display_name,
        "event_name": event_name,
        "event_time_window": parameters.choice("event_time_window", "day", "hour"),
        "livemode": False,
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": account.now(),
        "value_settings": {
            "event_payload_key": "value" if values is None else values.required("event_payload_key"),
        },
    }
    parameters.finish()
    _claim_name(account, event_name)
    account.meters.add(meter)
    account.happened("billing.meter.created", meter)
    return meter


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/billing/meters/{id}`: only what it is called."""
    meter = account.find(account.meters, identifier)
    name = parameters.text("display_name")
    parameters.finish()
    return _change(account, meter, {"display_name": name or meter["display_name"]}, "billing.meter.updated")


def deactivate(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/billing/meters/{id}/deactivate`: events of its name are no longer counted."""
    parameters.finish()
    meter = account.find(account.meters, identifier)
    if meter["status"] != "active":
        raise ApiError.invalid("This meter is already inactive.")
    after = {"status": "inactive", "status_transitions": {"deactivated_at": account.now()}}
    return _change(account, meter, after, "billing.meter.deactivated")


def reactivate(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/billing/meters/{id}/reactivate`."""
    parameters.finish()
    meter = account.find(account.meters, identifier)
    if meter["status"] == "active":
        raise ApiError.invalid("This meter is already active.")
    _claim_name(account, meter["event_name"])
    after = {"status": "active", "status_transitions": {"deactivated_at": None}}
    return _change(account, meter, after, "billing.meter.reactivated")


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/billing/meters`."""
    filters = [equals("status", parameters.choice("status", "active", "inactive"))]
    return pages(account.meters, parameters, filters, url=_URL)


def summaries(account: Account, identifier: str, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/billing/meters/{id}/event_summaries`: what was counted for a customer, in all or by hour or day."""
    meter = account.find(account.meters, identifier)
    customer = account.find(account.customers, parameters.required("customer"), param="customer")["id"]
    start, end = _moment(parameters, "start_time"), _moment(parameters, "end_time")
    window = parameters.choice("value_grouping_window", "day", "hour")
    step = _WINDOWS[window] if window else 60
    for key, moment in (("start_time", start), ("end_time", end)):
        if moment % step:
            raise ApiError.invalid(f"{key} must be aligned with {window or 'minute'} boundaries.", param=key)
    if end <= start:
        raise ApiError.invalid("end_time must be after start_time.", param="end_time")
    limit = page_size(parameters)
    after = parameters.text("starting_after")
    parameters.finish()
    spans = [(start, end)] if window is None else [(at, at + step) for at in range(start, end, step)]
    found = [
        {
            "id": f"mtrusg_{identifier[-12:]}{begin}{ends}",
            "object": "billing.meter_event_summary",
            "aggregated_value": amount,
            "end_time": ends,
            "livemode": False,
            "meter": identifier,
            "start_time": begin,
        }
        for begin, ends in reversed(spans)
        if (amount := usage(account, meter["id"], customer, begin, ends)) or window is None
    ]
    if after is not None:
        places = [place for place, one in enumerate(found) if one["id"] == after]
        if not places:
            raise ApiError.no_such("meter event summary", after, param="starting_after", status=400)
        found = found[places[0] + 1 :]
    return listed(found[:limit], more=len(found) > limit, url=f"{_URL}/{identifier}/event_summaries")


def of_event(account: Account, event_name: str) -> Record | None:
    """Give the meter of an event name: the active one, else one that was deactivated."""
    named = [meter for meter in account.meters.newest_first() if meter["event_name"] == event_name]
    return next((meter for meter in named if meter["status"] == "active"), named[0] if named else None)


def _change(account: Account, meter: Record, after: Record, event: str) -> Record:
    previous = changed({name: meter[name] for name in after}, after)
    if previous:
        meter |= after | {"updated": account.now()}
        account.happened(event, meter, previous if event.endswith(".updated") else None)
    return meter


def _claim_name(account: Account, event_name: str) -> None:
    meter = of_event(account, event_name)
    if meter is not None and meter["status"] == "active":
        raise ApiError.invalid(
            f"An active meter with the event name '{event_name}' already exists.",
            param="event_name",
            code="resource_already_exists",
        )


def _moment(parameters: Parameters, key: str) -> int:
    moment = parameters.integer(key)
    if moment is None:
        raise ApiError.missing_parameter(key)
    return moment
