"""All objects of a kind, for who has them all carried over: Stripe tells of changes only for thirty days."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from connectors.stripe.client import pages, settings_of
from connectors.stripe.versions import pinned
from hub.sdk.connector import Listing, Page
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.session import Session
from hub.sdk.values import InboundEvent

_EVENT = "stripe.customer.listed"


async def customers(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    """Yield the customers newest first, as Stripe lists them; the cursor is the id of the last one.

    A new customer stands before all that were listed, so that none moves another out of sight.
    """
    query: dict[str, Any] = {"expand": ["data.tax_ids"], "created": {"gte": max(int(since.timestamp()), 0)}}
    if cursor is not None:
        query["starting_after"] = cursor
    schema = pinned("customer")(settings_of(session))
    async for page in pages(session, "customers", query=query):
        if page:
            yield Page(events=[_event(customer, schema) for customer in page], cursor=page[-1]["id"])


def _event(customer: dict[str, Any], schema: str) -> InboundEvent:
    created = customer.get("created")
    if isinstance(created, bool) or not isinstance(created, int):
        raise OutcomeUnknown("A customer in the list cannot be read.", code="unreadable-answer", id=customer["id"])
    livemode = customer.get("livemode")
    return InboundEvent(
        external_id=customer["id"],
        type=_EVENT,
        occurred_at=datetime.fromtimestamp(created, UTC),
        subject=customer["id"],
        data={"object": customer},
        schema=schema,
        record=customer,
        production=livemode if isinstance(livemode, bool) else None,
    )


LISTINGS = (Listing(name="customers", title="All customers as they stand", event=_EVENT, pull=customers),)
