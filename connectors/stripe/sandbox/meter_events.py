"""Meter events: counted at once where they are right; what is wrong with them comes to light some while later.

What the caller must know at once is refused: the form, the time, and an identifier that was used within a day. An
event of an unknown name or customer, or whose value is no number, is taken in and told of by a thin event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.stripe.sandbox import meters, thin_events
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.meter_usage import Counted
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record

#: How long an identifier is taken, how far back and ahead events may be, and how long one can be cancelled.
UNIQUE = 24 * 3600
OLDEST, NEWEST = 35 * 86400, 300
CANCELLED_WITHIN = 24 * 3600
_IDENTIFIER, _SAMPLES, _DIGITS = 100, 5, 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One meter event as it was sent; `at` is in seconds."""

    event_name: str
    identifier: str
    payload: Mapping[str, str]
    at: int


@dataclass(slots=True, kw_only=True)
class Mistakes:
    """What was wrong with events of one meter since the last report: code → the events' identifiers and words."""

    since: int
    found: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/billing/meter_events`."""
    payload = parameters.part("payload")
    event_name = parameters.required("event_name")
    if payload is None:
        raise ApiError.missing_parameter("payload")
    values = {name: payload.text(name) or "" for name in payload.names()}
    identifier, at = parameters.text("identifier"), parameters.integer("timestamp")
    parameters.finish()
    sent = Sent(
        event_name=event_name,
        identifier=identifier or account.identifiers.letters("meter event", 32),
        payload=values,
        at=account.now() if at is None else at,
    )
    check(account, sent)
    take(account, sent)
    return {
        "object": "billing.meter_event",
        "created": account.now(),
        "event_name": sent.event_name,
        "identifier": sent.identifier,
        "livemode": False,
        "payload": dict(sent.payload),
        "timestamp": sent.at,
    }


def check(account: Account, sent: Sent) -> None:
    """Refuse an event whose identifier or time cannot be."""
    now = account.now()
    if len(sent.identifier) > _IDENTIFIER:
        raise ApiError.invalid(f"identifier can have up to {_IDENTIFIER} characters.", param="identifier")
    if sent.at < now - OLDEST:
        raise ApiError.invalid(
            "The timestamp must be within the past 35 calendar days.",
            param="timestamp",
            code="timestamp_too_far_in_past",
        )
    if sent.at > now + NEWEST:
        raise ApiError.invalid(
            "The timestamp may be up to 5 minutes in the future.", param="timestamp", code="timestamp_in_future"
        )
    received = account.usage.identifiers.get(sent.identifier)
    if received is not None and now - received < UNIQUE:
        raise ApiError.invalid(
            f"An event already exists with identifier {sent.identifier}.",
            param="identifier",
            code="duplicate_meter_event",
        )


def take(account: Account, sent: Sent) -> None:
    """Count an event, or keep what is wrong with it for the next report."""
    account.usage.identifiers[sent.identifier] = account.now()
    meter = meters.of_event(account, sent.event_name)
    wrong = mistake(account, meter, sent)
    if wrong is not None or meter is None:
        _note(account, meter, sent, *(wrong or ("no_meter", "")))
        return
    customer = sent.payload[meter["customer_mapping"]["event_payload_key"]]
    one = Counted(at=sent.at, value=_value(meter, sent), identifier=sent.identifier, received=account.now())
    account.usage.counted.setdefault((meter["id"], customer), []).append(one)


def mistake(account: Account, meter: Record | None, sent: Sent) -> tuple[str, str] | None:
    """Tell what is wrong with an event, as Stripe's code and words; None when it counts."""
    if meter is None:
        return "no_meter", f"No meter found for the event name {sent.event_name}."
    if meter["status"] != "active":
        return "archived_meter", f"The meter of the event name {sent.event_name} is inactive."
    key = meter["customer_mapping"]["event_payload_key"]
    if not sent.payload.get(key):
        return "meter_event_no_customer_defined", f"The payload has no {key}."
    customer = account.customers.get(sent.payload[key])
    if customer is None or customer.get("deleted"):
        return "meter_event_customer_not_found", f"No such customer: '{sent.payload[key]}'"
    try:
        value = _value(meter, sent)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        return "meter_event_invalid_value", "The value is not a number."
    if len(value.as_tuple().digits) > _DIGITS:
        return "meter_event_value_too_many_digits", f"The value has more than {_DIGITS} digits."
    return None


def adjust(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/billing/meter_event_adjustments`: cancels an event within a day of its receipt."""
    event_name = parameters.required("event_name")
    if not parameters.choice("type", "cancel"):
        raise ApiError.missing_parameter("type")
    part = parameters.part("cancel")
    if part is None:
        raise ApiError.missing_parameter("cancel")
    identifier = part.required("identifier")
    parameters.finish()
    cancel(account, event_name, identifier)
    return {
        "object": "billing.meter_event_adjustment",
        "cancel": {"identifier": identifier},
        "event_name": event_name,
        "livemode": False,
        "status": "complete",
        "type": "cancel",
    }


def cancel(account: Account, event_name: str, identifier: str) -> None:
    """Let an event not have been; one that is not there, or older than a day, is refused."""
    meter = meters.of_event(account, event_name)
    if meter is None:
        raise ApiError.invalid(f"No meter found for the event name {event_name}.", param="event_name")
    for (counting, _), counted in account.usage.counted.items():
        for one in counted if counting == meter["id"] else ():
            if one.identifier == identifier:
                if account.now() - one.received > CANCELLED_WITHIN:
                    raise ApiError.invalid(
                        "Meter events can be cancelled within 24 hours of being received.", param="cancel[identifier]"
                    )
                counted.remove(one)
                return
    raise ApiError.no_such("meter event", identifier, param="cancel[identifier]", status=400)


def _value(meter: Record, sent: Sent) -> Decimal:
    if meter["default_aggregation"]["formula"] == "count":
        return Decimal(1)
    return Decimal(sent.payload.get(meter["value_settings"]["event_payload_key"], ""))


def _note(account: Account, meter: Record | None, sent: Sent, code: str, words: str) -> None:
    """Gather mistakes by meter; the first of them plans the report that tells of all."""
    key = "" if meter is None else str(meter["id"])
    gathered = account.meter_mistakes.get(key)
    if gathered is None:
        gathered = account.meter_mistakes[key] = Mistakes(since=account.now())
        account.agenda.plan(account.now() + account.switches.meter_reports_after, lambda: _report(account, key))
    gathered.found.setdefault(code, []).append((sent.identifier, words))


def _report(account: Account, meter: str) -> None:
    gathered = account.meter_mistakes.pop(meter)
    count = sum(len(samples) for samples in gathered.found.values())
    data: dict[str, Any] = {
        "developer_message_summary": f"There is {count} invalid event" if count == 1 else f"{count} invalid events",
        "reason": {
            "error_count": count,
            "error_types": [
                {
                    "code": code,
                    "error_count": len(samples),
                    "sample_errors": [
                        {"error_message": words, "request": {"identifier": identifier}}
                        for identifier, words in samples[:_SAMPLES]
                    ],
                }
                for code, samples in gathered.found.items()
            ],
        },
        "validation_end": thin_events.rfc3339(account.now()),
        "validation_start": thin_events.rfc3339(gathered.since),
    }
    if meter:
        related = {"id": meter, "type": "billing.meter", "url": f"/v1/billing/meters/{meter}"}
        thin_events.happened(account, "v1.billing.meter.error_report_triggered", data, related)
    else:
        thin_events.happened(account, "v1.billing.meter.no_meter_found", data, None)
