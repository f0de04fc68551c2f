"""Customers that may be one, one that became another, and a group of companies, as master data has them."""

from __future__ import annotations

from typing import Any

from hub.queries import things
from hub.store import matches
from hub.store.committer import Transaction, Work
from hub.store.matches import Key, Match
from hub.store.things import By
from tests.ui.believable import ENVIRONMENT
from tests.ui.stage import Stage

ADA = "person:p_ada"
RECORDS: dict[str, dict[str, Any]] = {
    "cus_Mn90Op": {
        "id": "cus_Mn90Op",
        "name": "Müller & Söhne GmbH",
        "kind": "organisation",
        "tax_ids": [{"type": "eu_vat", "value": "DE136695976", "country": "DE"}],
        "bill_to": {"email": "buchhaltung@mueller.example", "address": {"country": "DE", "postal_code": "10115"}},
    },
    "cus_Qr12St": {
        "id": "cus_Qr12St",
        "name": "MUELLER SOEHNE",
        "kind": "organisation",
        "tax_ids": [{"type": "eu_vat", "value": "DE 136 695 976", "country": "DE"}],
        "bill_to": {"email": "info@mueller.example", "address": {"country": "DE", "postal_code": "10117"}},
    },
}


def thing(set_up: Stage, id: str, system: str = "stripe") -> str:
    found = things.thing_of(set_up.console.view, entity="customer", system=system, id=id)
    assert found is not None
    return found


async def compare(set_up: Stage, id: str) -> None:
    """Let a step compare one of the records."""

    def work(transaction: Transaction) -> None:
        match = Match(
            by=By(environment=ENVIRONMENT, entity="customer", actor="worker_1", run_id="run_1", path="same"),
            policy="customer-duplicates",
            version=1,
            system="stripe",
            id=id,
            record=RECORDS[id],
            keys=[Key(name="tax number", value="DE DE136695976")],
            thing=set_up.ambient.new_id("thing"),
            change=set_up.ambient.new_id("merge"),
        )
        matches.compare(transaction, match)

    await set_up.committer.commit(Work(work))


async def happen(set_up: Stage) -> str:
    """Let two customers be compared, and others be merged and moved; gives the pair that waits."""
    orders = set_up.console.orders
    for id in RECORDS:
        await compare(set_up, id)
    await orders.link("customer", [{"stripe": "cus_Mn90Op", "netsuite": "1050"}], actor="worker_1")
    await orders.link("customer", [{"salesforce": "001A", "netsuite": "2001"}], actor=ADA)
    await orders.link("customer", [{"salesforce": "001B", "netsuite": "2002"}], actor=ADA)
    reason = "one company, entered twice"
    await orders.things.merge(
        "customer",
        into=thing(set_up, "001A", "salesforce"),
        gone=thing(set_up, "001B", "salesforce"),
        actor=ADA,
        reason=reason,
    )
    head = thing(set_up, "001A", "salesforce")
    for id in ("cus_Ab12Cd", "cus_Mn90Op"):
        await orders.things.move("customer", thing(set_up, id), parent=head, actor=ADA, reason="the group's own list")
    (pair,) = things.waiting(set_up.console.view)
    return pair.pair
