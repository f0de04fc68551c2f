"""Money at Stripe: credit notes, payments, refunds and disputes, and payouts with all that they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.stripe.client import pages, read_object, reading, settings_of
from connectors.stripe.reading import BY_ID, ID, list_of, read_by_id
from connectors.stripe.writing import METADATA, changes, creates
from hub.sdk.connector import JsonSchema, Operation, ReadOperation, Record
from hub.sdk.errors import FixData, OutcomeUnknown, RetryLater
from hub.sdk.session import Session

_CURRENCY: JsonSchema = {"type": "string", "pattern": "^[a-z]{3}$"}
_TEXT: JsonSchema = {"type": "string", "maxLength": 500}
#: Minor units of a currency that are given, taken or credited.
_AMOUNT: JsonSchema = {"type": "integer", "minimum": 0}
_SECONDS: JsonSchema = {"type": "integer", "minimum": 0}
_COUNT: JsonSchema = {"type": "integer", "minimum": 1}


def _record(properties: Mapping[str, JsonSchema], *required: str) -> JsonSchema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


_CREDIT_LINE = _record(
    {
        "type": {"enum": ["invoice_line_item", "custom_line_item"]},
        "invoice_line_item": ID,
        "amount": _AMOUNT,
        "quantity": _COUNT,
        "description": _TEXT,
        "unit_amount": _AMOUNT,
        "unit_amount_decimal": {"type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,12})?$"},
        "tax_rates": {"type": "array", "items": ID},
    },
    "type",
)
_CREDIT_NOTE: Mapping[str, JsonSchema] = {
    "invoice": ID,
    "amount": _AMOUNT,
    "lines": {"type": "array", "items": _CREDIT_LINE, "minItems": 1},
    "reason": {"enum": ["duplicate", "fraudulent", "order_change", "product_unsatisfactory"]},
    "memo": _TEXT,
    "effective_at": _SECONDS,
    "refund_amount": _AMOUNT,
    "credit_amount": _AMOUNT,
    "out_of_band_amount": _AMOUNT,
    "refunds": {
        "type": "array",
        "items": _record({"refund": ID, "amount_refunded": _AMOUNT}, "refund"),
    },
    "email_type": {"enum": ["credit_note", "none"]},
    "metadata": METADATA,
}
_NOTED = (
    "amount",
    "currency",
    "customer",
    "invoice",
    "number",
    "out_of_band_amount",
    "post_payment_amount",
    "pre_payment_amount",
    "refunds",
    "status",
    "total",
    "type",
)
_PAID = ("amount", "amount_received", "currency", "customer", "latest_charge", "metadata", "status")
#: A payment that was confirmed, and not declined.
_MADE = frozenset({"processing", "requires_action", "requires_capture", "succeeded"})
_PAYMENT: Mapping[str, JsonSchema] = {
    "amount": _COUNT,
    "currency": _CURRENCY,
    "customer": ID,
    "payment_method": ID,
    "capture_method": {"enum": ["automatic", "automatic_async", "manual"]},
    "confirm": {"type": "boolean"},
    "off_session": {"type": "boolean"},
    "description": _TEXT,
    "metadata": METADATA,
}
_REFUND: Mapping[str, JsonSchema] = {
    "payment_intent": ID,
    "charge": ID,
    "amount": _COUNT,
    "reason": {"enum": ["duplicate", "fraudulent", "requested_by_customer"]},
    "metadata": METADATA,
}


async def _read_credit_note(session: Session, wanted: Record) -> Record:
    """Read a credit note with all its lines; Stripe itself embeds only the first ones."""
    settings, identifier = settings_of(session), wanted["id"]
    note = read_object(await session.send(reading(settings, "credit_notes", identifier)), "credit_note")
    lines = note.get("lines")
    if not isinstance(lines, dict) or not isinstance(lines.get("data"), list):
        raise OutcomeUnknown("The credit note came without lines.", code="unreadable-answer", id=identifier)
    if lines.get("has_more") is True:
        found: list[dict[str, Any]] = []
        async for page in pages(session, "credit_notes", identifier, "lines", query={}):
            found.extend(page)
        note["lines"] = {**lines, "data": found, "has_more": False}
    return note


async def _payout_transactions(session: Session, wanted: Record) -> Record:
    """Go through all that an automatic payout is made of, page by page, and sum it by type.

    Only the first `limit` transactions are given themselves, so that a payout of any size fits a record.
    """
    identifier, limit = wanted["id"], wanted.get("limit", 0)
    payout = read_object(await session.send(reading(settings_of(session), "payouts", identifier)), "payout")
    state = payout.get("reconciliation_status")
    if state == "not_applicable":
        raise FixData(
            "Stripe does not tell what a payout made by hand is made of.", code="manual-payout", id=identifier
        )
    if state != "completed":
        raise RetryLater(
            "Stripe has not yet told all that the payout is made of.", code="payout-not-reconciled", id=identifier
        )
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    first: list[dict[str, Any]] = []
    count = 0
    async for page in pages(session, "balance_transactions", query={"payout": identifier}):
        for movement in page:
            count += 1
            if len(first) < limit:
                first.append(movement)
            if movement["currency"] != payout["currency"]:
                raise OutcomeUnknown(
                    "A transaction is in another currency than its payout.", code="unreadable-answer", id=movement["id"]
                )
            _add(sums, movement, own=movement["type"] == "payout" and movement.get("source") == identifier)
    by_type = [sums[key] for key in sorted(sums)]
    net = sum(part["net"] for part in by_type if not part["own"])
    return {
        "id": identifier,
        "object": "payout",
        "amount": payout["amount"],
        "arrival_date": payout["arrival_date"],
        "currency": payout["currency"],
        "status": payout["status"],
        "count": count,
        "net": net,
        "unexplained": payout["amount"] - net,
        "by_type": by_type,
        "data": first,
        "has_more": count > len(first),
    }


def _add(sums: dict[tuple[Any, ...], dict[str, Any]], movement: Mapping[str, Any], *, own: bool) -> None:
    """Add a movement to its part: `own` is the payout's own line, `converted` what another currency was charged in."""
    names = {
        "type": movement["type"],
        "reporting_category": movement["reporting_category"],
        "converted": movement.get("exchange_rate") is not None,
        "own": own,
    }
    part = sums.setdefault(tuple(names.values()), {**names, "count": 0, "amount": 0, "fee": 0, "net": 0})
    part["count"] += 1
    for name in ("amount", "fee", "net"):
        value = movement[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise OutcomeUnknown(f"The {name} of a transaction is no amount.", code="unreadable-answer")
        part[name] += value


MONEY: tuple[Operation, ...] = (
    creates(
        "credit_note.create",
        "credit_notes",
        title="Take an invoice back, in part or whole",
        fields=_CREDIT_NOTE,
        required=["invoice"],
        gives=_NOTED,
        listed_by=["invoice"],
        undo="credit_note.void",
    ),
    changes(
        "credit_note.void",
        "credit_notes",
        verb="void",
        title="Void a credit note of an open invoice",
        gives=_NOTED,
        holds=lambda _, note: note.get("status") == "void",
    ),
    read_by_id("credit_note", "credit_notes", title="Read a credit note with all its lines", read=_read_credit_note),
    list_of(
        "credit_note",
        "credit_notes",
        title="List credit notes, newest first, each with its first lines",
        filters={"invoice": ID, "customer": ID},
    ),
    creates(
        "refund.create",
        "refunds",
        title="Give money back to a customer",
        fields=_REFUND,
        gives=("amount", "balance_transaction", "charge", "currency", "metadata", "payment_intent", "status"),
        listed_by=["payment_intent", "charge"],
    ),
    read_by_id("refund", "refunds", title="Read a refund"),
    list_of("refund", "refunds", title="List refunds, newest first", filters={"charge": ID, "payment_intent": ID}),
    read_by_id("charge", "charges", title="Read a charge"),
    list_of("charge", "charges", title="List charges, newest first", filters={"customer": ID, "payment_intent": ID}),
    read_by_id("balance_transaction", "balance_transactions", title="Read a movement of the balance"),
    list_of(
        "balance_transaction",
        "balance_transactions",
        title="List movements of the balance, newest first",
        filters={"type": {"type": "string"}, "source": ID, "currency": _CURRENCY, "payout": ID},
    ),
    read_by_id("payout", "payouts", title="Read a payout"),
    list_of(
        "payout",
        "payouts",
        title="List payouts, newest first",
        filters={"status": {"enum": ["pending", "in_transit", "paid", "failed", "canceled"]}},
    ),
    ReadOperation(
        name="payout.transactions",
        title="Go through all that an automatic payout is made of, summed by type",
        input=_record({**BY_ID["properties"], "limit": {"type": "integer", "minimum": 0, "maximum": 10_000}}, "id"),
        output={"$ref": "stripe.payout_transactions@1"},
        read=_payout_transactions,
    ),
    read_by_id("dispute", "disputes", title="Read a dispute"),
    list_of("dispute", "disputes", title="List disputes, newest first", filters={"charge": ID, "payment_intent": ID}),
    creates(
        "payment_intent.create",
        "payment_intents",
        title="Ask for a payment, and make it when it is confirmed at once",
        fields=_PAYMENT,
        required=["amount", "currency"],
        gives=_PAID,
        searched=True,
        undo="payment_intent.cancel",
    ),
    changes(
        "payment_intent.confirm",
        "payment_intents",
        verb="confirm",
        title="Make a payment that was asked for",
        fields={"payment_method": ID, "off_session": {"type": "boolean"}},
        gives=_PAID,
        holds=lambda _, payment: payment.get("status") in _MADE,
    ),
    changes(
        "payment_intent.cancel",
        "payment_intents",
        verb="cancel",
        title="Ask for a payment no longer",
        fields={
            "cancellation_reason": {"enum": ["abandoned", "duplicate", "fraudulent", "requested_by_customer"]},
        },
        gives=_PAID,
        holds=lambda _, payment: payment.get("status") == "canceled",
    ),
    read_by_id("payment_intent", "payment_intents", title="Read a payment intent"),
    list_of("payment_intent", "payment_intents", title="List payment intents, newest first", filters={"customer": ID}),
)
