"""Each vendor's contract changes in its sandbox: the first call after it notices, and says what changed and where.

Over HTTP, with the hub's own store, engine and client, and the drift policy that ships.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connectors.salesforce.samples import ACCOUNT
from connectors.stripe.samples import INVOICE
from hub.model.event import InboundEvent, Via
from hub.model.run import RunState
from hub.proof.certification.calls import flow_of
from hub.proof.certification.flows import CONNECTION, event_type
from hub.proof.certification.stand import ENVIRONMENT, Stand, stand
from hub.queries import drift, timeline
from hub.queries.view import View
from hub.sandbox.evolving import read_changes
from hub.sdk import exact_json
from hub.sdk.connector import Connector
from hub.sdk.testing.samples import ReadSample, Samples, WriteSample
from hub.store.tables import cases, runs
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle

ROOT = Path(__file__).parents[2]
POLICY = "policies/vendor-drift.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """A change at a vendor, as it is wished of the sandbox, and what the hub must say of it."""

    wish: Any
    kind: str
    path: str
    detail: str


#: The call that flows begin with at each vendor; below, a field comes, goes, is another thing, and has a new value.
STRIPE = {"operation": "invoice.read", "input": {"id": INVOICE}}
NETSUITE = {"operation": "customer.read", "input": {"external_id": "cus_1"}}
AVATAX = {"operation": "tax.quote"}
SALESFORCE = {"operation": "account.read", "input": {"id": ACCOUNT}}
CONTRACT = {"operation": "contract.read", "input": {"external_id": "ctr_1"}}
S4HANA = {"operation": "business_partner.read", "input": {"id": "10100001"}}
#: What looks for a record that may not be there: flows that keep customers begin with it.
FOUND = {
    "netsuite": {"operation": "customer.find", "input": {"external_id": "cus_1"}},
    "s4hana": {"operation": "business_partner.find", "input": {"id": "10100001"}},
}
PARTNERS = {"service": "API_BUSINESS_PARTNER", "set": "A_BusinessPartner"}


def stripe(**deeds: Any) -> Any:
    return {"switches": {"drift": {"invoice": deeds}}}


def answers(path: str, **deeds: Any) -> Any:
    return [{"path": path, **deeds}]


CHANGES: Mapping[str, tuple[Mapping[str, Any], tuple[Drifted, ...]]] = {
    "stripe": (
        STRIPE,
        (
            Drifted(wish=stripe(set={"net_terms": "30 days"}), kind="unknown-field", path="net_terms", detail="string"),
            Drifted(wish=stripe(drop=["currency"]), kind="missing-field", path="currency", detail="required"),
            Drifted(
                wish=stripe(as_text=["total"]), kind="changed-type", path="total", detail="string instead of integer"
            ),
            Drifted(
                wish=stripe(set={"billing_reason": "whim"}), kind="new-value", path="billing_reason", detail="whim"
            ),
        ),
    ),
    "netsuite": (
        NETSUITE,
        (
            Drifted(
                wish=answers("/customer/", set={"loyaltyTier": 3}),
                kind="unknown-field",
                path="loyaltyTier",
                detail="number",
            ),
            Drifted(
                wish=answers("/customer/", drop=["subsidiary"]),
                kind="missing-field",
                path="subsidiary",
                detail="required",
            ),
            Drifted(
                wish=answers("/customer/", as_text=["balance"]),
                kind="changed-type",
                path="balance",
                detail="string instead of null or number",
            ),
            Drifted(
                wish=answers("/customer/", set={"creditHoldOverride": {"id": "SOON", "refName": "Soon"}}),
                kind="new-value",
                path="creditHoldOverride.id",
                detail="SOON",
            ),
        ),
    ),
    "avatax": (
        AVATAX,
        (
            Drifted(
                wish=answers("transactions/create", set={"lines.carbonLevy": 1}),
                kind="unknown-field",
                path="lines[].carbonLevy",
                detail="number",
            ),
            Drifted(
                wish=answers("transactions/create", drop=["totalTax"]),
                kind="missing-field",
                path="totalTax",
                detail="required",
            ),
            Drifted(
                wish=answers("transactions/create", as_text=["lines.tax"]),
                kind="changed-type",
                path="lines[].tax",
                detail="string instead of number",
            ),
            Drifted(
                wish=answers("transactions/create", set={"lines.details.jurisdictionType": "Planet"}),
                kind="new-value",
                path="lines[].details[].jurisdictionType",
                detail="Planet",
            ),
        ),
    ),
    "salesforce": (
        SALESFORCE,
        (
            Drifted(
                wish={"fields": [{"object": "Account", "name": "Loyalty__c", "type": "string", "length": 10}]},
                kind="unknown-field",
                path="Loyalty__c",
                detail="null",
            ),
            Drifted(wish={"remove_fields": ["Account.Type"]}, kind="missing-field", path="Type", detail="required"),
            Drifted(
                wish={"fields": [{"object": "Account", "name": "AnnualRevenue", "type": "string", "length": 20}]},
                kind="changed-type",
                path="AnnualRevenue",
                detail="string instead of null or number",
            ),
            Drifted(
                wish={
                    "picklist_values": [{"object": "Account", "field": "Type", "values": ["Customer - Galactic"]}],
                    "changes": [{"type": "Account", "id": ACCOUNT, "Type": "Customer - Galactic"}],
                },
                kind="new-value",
                path="Type",
                detail="Customer - Galactic",
            ),
        ),
    ),
    "s4hana": (
        S4HANA,
        (
            Drifted(
                wish={"drift": {**PARTNERS, "add": "LoyaltyTier:S10", "value": "gold"}},
                kind="unknown-field",
                path="LoyaltyTier",
                detail="string",
            ),
            Drifted(
                wish={"drift": {**PARTNERS, "remove": "BusinessPartnerIsBlocked"}},
                kind="missing-field",
                path="BusinessPartnerIsBlocked",
                detail="required",
            ),
            Drifted(
                wish={"drift": {**PARTNERS, "retype": "BusinessPartnerIsBlocked:S10"}},
                kind="changed-type",
                path="BusinessPartnerIsBlocked",
                detail="string instead of boolean",
            ),
            Drifted(
                wish={
                    "changes": [
                        {
                            "table": "A_BusinessPartner",
                            "key": ["10100001"],
                            "set": {"BusinessPartnerCategory": "4"},
                            "raw": True,
                        }
                    ]
                },
                kind="new-value",
                path="BusinessPartnerCategory",
                detail="4",
            ),
        ),
    ),
}
#: Fields that somebody takes away: who is asked, where it is gone from in his words, and what the hub must name.
GONE = {
    "account's city": (SALESFORCE, "Account.BillingCity", "BillingCity"),
    "account's street": (SALESFORCE, "Account.BillingStreet", "BillingStreet"),
    "account's postal code": (SALESFORCE, "Account.BillingPostalCode", "BillingPostalCode"),
    "account's parent": (SALESFORCE, "Account.ParentId", "ParentId"),
    "contract's end": (CONTRACT, "Contract.EndDate", "EndDate"),
    "order's type": (CONTRACT, "Order.Type", "Orders[].Type"),
    "price of an order's item": (CONTRACT, "OrderItem.UnitPrice", "Orders[].OrderItems[].UnitPrice"),
    "company's name": (S4HANA, "OrganizationBPName1", "OrganizationBPName1"),
    "person's name": (S4HANA, "LastName", "LastName"),
    "mark of a customer who is gone": (FOUND["netsuite"], "isInactive", "isInactive"),
    "invoice's due date": (STRIPE, "due_date", "due_date"),
}
#: Of what must not reach a mapping, in the words of the finding: what is gone without which it would be wrong.
KEPT_BACK = {"changed-type", "missing-field"}


def bundle_of(connector: Connector, samples: Samples, sample: ReadSample | WriteSample) -> Bundle:
    """Compile the flow that makes the call, over a connection that the shipped policy guards."""
    files = dict(flow_of(connector, samples, sample).files)
    files[f"connections/{CONNECTION}.yaml"] += b"drift: vendor-drift\n"
    files[POLICY] = (ROOT / POLICY).read_bytes()
    bundle, lints = compile_bundle(files, catalogue_of([connector]))
    assert bundle is not None, [str(lint) for lint in lints]
    return bundle


async def change(hub: Stand, wish: Any) -> None:
    """Let the vendor change."""
    if isinstance(wish, list):
        hub.sandbox.world.changes = read_changes(wish)
    else:
        await hub.sandbox.world.books.seed(wish)


async def call(hub: Stand, input: Mapping[str, Any], name: str) -> tuple[str, RunState]:
    """Let a run make the call; gives its id and how it ended."""
    event = InboundEvent(
        external_id=name,
        type=event_type(hub.connector),
        occurred_at=hub.ambient.now(),
        data={"id": name, "input": dict(input)},
    )
    await hub.intake.accept(CONNECTION, [event], Via.API)

    def ended() -> Any:
        with hub.database.reading() as reading:
            row = reading.execute(select(runs.c.id, runs.c.state).where(runs.c.key == name)).one()
        return row if row.state in (RunState.SUCCEEDED, RunState.PARKED) else None

    await hub.until(lambda: ended() is not None)
    row = ended()
    return row.id, RunState(row.state)


CHANGED = pytest.mark.parametrize("number", range(4), ids=("added", "removed", "retyped", "new value"))


@CHANGED
@pytest.mark.parametrize("vendor", sorted(CHANGES))
async def test_the_first_call_notices_what_has_changed_at_the_vendor(vendor: str, number: int) -> None:
    """Before it nothing is told; what would make wrong numbers stops the run, and its exception names the field."""
    asked, changes = CHANGES[vendor]
    await _is_noticed(vendor, asked, changes[number])


@CHANGED
@pytest.mark.parametrize("vendor", sorted(FOUND))
async def test_what_is_found_is_compared_as_what_is_read_is(vendor: str, number: int) -> None:
    """A flow that only looks whether a record is there meets the vendor's change too."""
    await _is_noticed(vendor, FOUND[vendor], CHANGES[vendor][1][number])


@pytest.mark.parametrize("name", sorted(GONE))
async def test_a_field_that_somebody_takes_away_is_named_before_a_mapping_reads_nothing_for_it(name: str) -> None:
    """An admin who takes a field away says so to nobody; mappings would write an address without its city."""
    asked, at, path = GONE[name]
    vendor, wish = _taken_away(asked, at)
    await _is_noticed(vendor, asked, Drifted(wish=wish, kind="missing-field", path=path, detail="required"))


def _taken_away(asked: Mapping[str, Any], at: str) -> tuple[str, Any]:
    if asked in (SALESFORCE, CONTRACT):
        return "salesforce", {"remove_fields": [at]}
    if asked == S4HANA:
        return "s4hana", {"drift": {**PARTNERS, "remove": at}}
    return ("stripe", stripe(drop=[at])) if asked == STRIPE else ("netsuite", answers("/customer/", drop=[at]))


async def _is_noticed(vendor: str, asked: Mapping[str, Any], drifted: Drifted) -> None:
    connector = import_module(f"connectors.{vendor}.connector").CONNECTOR
    samples = import_module(f"connectors.{vendor}.samples").SAMPLES
    sample = next(one for one in samples.reads if one.operation == asked["operation"])
    sample = replace(sample, input=asked.get("input", sample.input), after=() if "input" in asked else sample.after)
    async with stand(connector, samples, bundle_of(connector, samples, sample)) as hub:
        view = View(environment=ENVIRONMENT, database=hub.database, ambient=hub.ambient)
        assert await call(hub, sample.input, "before") == (await _only(hub), RunState.SUCCEEDED)
        assert drift.listing(view, payloads=True) == ()
        await change(hub, drifted.wish)
        run, state = await call(hub, sample.input, "after")
        (found,) = drift.listing(view, payloads=True)
        assert (found.connection, found.kind, found.path, found.detail) == (
            CONNECTION,
            drifted.kind,
            drifted.path,
            drifted.detail,
        )
        assert found.series.startswith(f"{vendor}.")
        kept = drifted.kind in KEPT_BACK
        assert (state, found.action) == ((RunState.PARKED, "quarantine") if kept else (RunState.SUCCEEDED, "accept"))
        if kept:
            (case,) = timeline.detail(view, run, payloads=True).cases
            assert case.reason == "answer-drifted"
            facts = exact_json.loads(case_facts(hub, case.id))
            assert {name: facts[name] for name in ("connection", "kind", "path", "what")} == {
                "connection": CONNECTION,
                "kind": drifted.kind,
                "path": drifted.path,
                "what": drifted.detail,
            }


def case_facts(hub: Stand, id: str) -> Any:
    """Give what an exception tells, as JSON."""
    with hub.database.reading() as reading:
        return reading.execute(select(cases.c.facts).where(cases.c.id == id)).scalar_one()


async def _only(hub: Stand) -> str:
    with hub.database.reading() as reading:
        return str(reading.execute(select(runs.c.id)).scalar_one())
