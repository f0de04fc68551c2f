"""What two systems have of a customer in the end, read from the vendors' books alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.proof.customers import ADDRESS, OWNED
from hub.proof.invariants import Finding, Invariant
from hub.proof.simulation.case import Customers


def find(
    wanted: Customers, stripe: Mapping[str, Any], netsuite: Mapping[str, Any], *, billing: str, erp: str | None
) -> Iterator[Finding]:
    """Give what is not as it must be of one customer.

    `billing` is its id at Stripe, and `erp` that of the record of the ERP that it was tied to from the start; None
    where the hub is to make one.
    """
    records = [
        one for one in netsuite["customers"] if (one["externalId"] == billing if erp is None else one["id"] == erp)
    ]
    if len(records) != 1:
        yield _broken(Invariant.NOTHING_TWICE, f"the ERP has {len(records)} records of {billing}, must have one")
        return
    (record,) = records
    customer = next((one for one in stripe["customers"] if one["id"] == billing), {"id": billing, "deleted": True})
    yield from _written("the ERP's record was written", record["writes"], wanted.erp_writes)
    yield from _has("the ERP", record, wanted.erp)
    yield from changed_in_billing(wanted, stripe, customer)
    if not customer.get("deleted"):
        for told in differences(customer, record):
            yield _broken(Invariant.BOOKS_AGREE, told)


def changed_in_billing(wanted: Customers, stripe: Mapping[str, Any], customer: Mapping[str, Any]) -> Iterator[Finding]:
    """Give what is not as it must be of Stripe's customer: how often it was changed, and what it has now."""
    events = stripe["events"]
    changes = sum(one["type"] == "customer.updated" and one["object"] == customer["id"] for one in events)
    yield from _written("billing's customer was changed", changes, wanted.billing_changes)
    yield from _has("billing", customer, wanted.billing)


def _written(what: str, found: int, must: int) -> Iterator[Finding]:
    if found != must:
        yield _broken(Invariant.NOTHING_TWICE, f"{what} {found} times, must be {must}")


def _has(side: str, has: Mapping[str, Any], must_have: Mapping[str, object]) -> Iterator[Finding]:
    for name, value in must_have.items():
        if has.get(name) != value:
            yield _broken(Invariant.BOOKS_AGREE, f"{side} has {name} {has.get(name)!r}, must be {value!r}")


def differences(customer: Mapping[str, Any], record: Mapping[str, Any]) -> Iterator[str]:
    """Give, in words, what billing owns and the ERP has otherwise."""
    pairs = [(mine, customer.get(mine), record.get(its)) for mine, its in OWNED]
    address = customer.get("address")
    if address and address.get("country"):
        lines = [line for line in record.get("addressBook", []) if line.get("defaultBilling")]
        there = lines[0]["addressBookAddress"] if lines else {}
        pairs += [(mine, address.get(mine), there.get(its)) for mine, its in ADDRESS]
        pairs.append(("country", address["country"], (there.get("country") or {}).get("id")))
    for name, mine, its in pairs:
        if (mine or None) != (its or None):
            yield f"the {name} of {customer['id']} is {mine!r}, and {its!r} in the ERP"


def _broken(invariant: Invariant, detail: str) -> Finding:
    return Finding(invariant=invariant, family=None, detail=detail)
