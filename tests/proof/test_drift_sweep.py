"""Whatever AvaTax, NetSuite or Stripe answers a read with: each field that comes, goes or becomes another is named.

Over HTTP against the vendors' sandboxes, read by read, with the hub's own engine and the drift policy that ships. Which
fields there are says the schema of the answer; many of them change at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest

from hub.model.kinds import Kind
from hub.model.run import RunState
from hub.proof.certification.stand import ENVIRONMENT, Stand, stand
from hub.queries import drift, timeline
from hub.queries.view import View
from hub.schemas.drift import MOST_FINDINGS
from hub.schemas.shape import Shape, shape_of
from hub.sdk import exact_json
from hub.sdk.connector import WriteOperation
from hub.sdk.testing.samples import ReadSample, WriteSample
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey
from tests.proof.test_vendor_drift import bundle_of, call, case_facts, change


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A read whose answer changes: the schema of that, and under which addresses it is given."""

    vendor: str
    operation: str
    schema: str
    path: str


READS = (
    Read(vendor="avatax", operation="tax.quote", schema="avatax.transaction@2", path="transactions/create"),
    Read(vendor="avatax", operation="tax.read", schema="avatax.transaction@2", path="transactions/INV"),
    *(
        Read(vendor="netsuite", operation=operation, schema=f"netsuite.{schema}@2026.1", path=f"/{path}/")
        for operation, schema, path in (
            ("customer.read", "customer", "customer"),
            ("customer.find", "customer", "customer"),
            ("contact.read", "contact", "contact"),
            ("invoice.read", "invoice", "invoice"),
            ("credit_memo.read", "credit_memo", "creditMemo"),
            ("payment.read", "customer_payment", "customerPayment"),
            ("refund.read", "customer_refund", "customerRefund"),
            ("journal_entry.read", "journal_entry", "journalEntry"),
            ("sales_order.read", "sales_order", "salesOrder"),
        )
    ),
    Read(
        vendor="stripe",
        operation="tax.quote",
        schema="stripe.tax.calculation@2026-09-30",
        path=r"/v1/tax/calculations($|\?)",
    ),
    *(
        Read(
            vendor="stripe", operation=f"{kind}.read", schema=f"stripe.{kind}@2026-09-30", path=rf"/v1/{path}/\w+($|\?)"
        )
        for kind, path in (
            ("balance_transaction", "balance_transactions"),
            ("charge", "charges"),
            ("credit_note", "credit_notes"),
            ("customer", "customers"),
            ("dispute", "disputes"),
            ("invoice", "invoices"),
            ("invoice_payment", "invoice_payments"),
            ("payment_intent", "payment_intents"),
            ("payout", "payouts"),
            ("price", "prices"),
            ("product", "products"),
            ("refund", "refunds"),
            ("subscription", "subscriptions"),
            ("subscription_item", "subscription_items"),
        )
    ),
)
#: What is written first, so that the answer has all that is looked at.
BEFORE: dict[str, Sequence[dict[str, Any]]] = {
    "netsuite.customer@2026.1": [
        {
            "operation": "customer.upsert",
            "input": {
                "externalId": "cus_1",
                "addressBook": [
                    {"defaultBilling": True, "addressBookAddress": {"addr1": "1", "country": {"id": "DE"}}}
                ],
            },
        }
    ]
}
#: A field that no vendor has.
NEW = "carbonLevyOfNextYear"
UNHEARD = "unheard-of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A field that the schema declares: its path as findings have it, its shape, and whether it is always there."""

    path: str
    shape: Shape
    given: bool

    @property
    def dotted(self) -> str:
        return self.path.replace("[]", "")


def places(shape: Shape, path: str = "", *, sure: bool = True) -> Iterator[Place]:
    """Give the declared fields that stand in what is always there, addresses that NetSuite links to left out."""
    for name, field in shape.fields.items():
        if name == "links":
            continue
        here = Place(path=f"{path}.{name}" if path else name, shape=field, given=sure and name in shape.given)
        yield here
        if here.given:
            yield from places(field, here.path)
        if here.given and field.items is not None and Kind.OBJECT not in field.kinds:
            yield from places(field.items, f"{here.path}[]")


def of_another_kind(shape: Shape) -> Any:
    return next((value for kind, value in OTHERS.items() if kind not in shape.kinds), None)


OTHERS = {Kind.BOOLEAN: True, Kind.NUMBER: 7, Kind.STRING: "x", Kind.OBJECT: {}, Kind.ARRAY: []}


def outermost(paths: list[Place]) -> list[Place]:
    """Leave out what stands within another one: with that it is gone as well."""
    names = {place.path for place in paths}
    return [place for place in paths if not any(place.path.startswith((f"{name}.", f"{name}[]")) for name in names)]


def innermost(paths: list[Place]) -> list[Place]:
    names = {place.path for place in paths}
    return [
        place for place in paths if not any(name.startswith((f"{place.path}.", f"{place.path}[]")) for name in names)
    ]


@pytest.mark.parametrize("read", READS, ids=lambda read: f"{read.vendor} {read.operation}")
async def test_whatever_changes_in_an_answer_is_named(read: Read) -> None:
    connector = import_module(f"connectors.{read.vendor}.connector").CONNECTOR
    samples = import_module(f"connectors.{read.vendor}.samples").SAMPLES
    sample = next(one for one in samples.reads if one.operation == read.operation)
    every = list(places(shape_of(connector.schemas[read.schema])))
    if read.vendor == "stripe":
        # Of what stands within them the sample has not all; `object` says what an answer is, and not what it says.
        every = [place for place in every if "." not in place.path and place.path != "object"]
    given = [place for place in every if place.given]
    assert given
    inner, outer = innermost(given), outermost(given)
    tellers = [place for place in every if Kind.STRING in place.shape.kinds and place.shape.values is not None]
    holders = {place.path.rpartition(".")[0] for place in every}
    async with stand(connector, samples, bundle_of(connector, samples, sample)) as hub:
        await prepare(hub, sample, [WriteSample(documents=lambda _: 1, **one) for one in BEFORE.get(read.schema, ())])
        sweep = Sweep(hub, read, sample.input)
        assert await sweep.found([]) == (set(), RunState.SUCCEEDED)
        for gone in (*by_itself(inner), *by_itself(outer)):
            told = {("missing-field", place.path) for place in gone}
            assert await sweep.found([{"drop": [place.dotted for place in gone]}]) == (told, RunState.PARKED)
        retyped = {place.path: of_another_kind(place.shape) for place in every}
        for lot in by_itself(innermost([place for place in every if retyped[place.path] is not None])):
            told = {("changed-type", place.path) for place in lot}
            deed = {"set": {place.dotted: retyped[place.path] for place in lot}}
            assert await sweep.found([deed]) == (told, RunState.PARKED)
        added = {f"{holder}.{NEW}" if holder else NEW for holder in holders}
        told = {("unknown-field", path) for path in added}
        assert await sweep.found([{"set": {path.replace("[]", ""): 1 for path in added}}]) == (
            told,
            RunState.SUCCEEDED,
        )
        # A state that nobody knows cannot be put into the contract's words: the run goes no further.
        told = {("new-value", place.path) for place in tellers}
        if told:
            found, _ = await sweep.found([{"set": {place.dotted: UNHEARD for place in tellers}}])
            assert found == told


async def test_a_document_whose_answer_cannot_be_read_is_recorded_once_and_named() -> None:
    """AvaTax has recorded it: the run looks it up, can read that no better, and says which field is gone."""
    connector = import_module("connectors.avatax.connector").CONNECTOR
    samples = import_module("connectors.avatax.samples").SAMPLES
    sample = next(one for one in samples.writes if one.operation == "tax.commit")
    async with stand(connector, samples, bundle_of(connector, samples, sample)) as hub:
        gone = [
            {"path": "transactions/create", "drop": ["totalTax"]},
            {"path": r"transactions\?", "drop": ["value.totalTax"]},
        ]
        await change(hub, gone)
        run, state = await call(hub, sample.input, "drifted")
        assert (state, sample.documents(hub.books())) == (RunState.PARKED, 1)
        view = View(environment=ENVIRONMENT, database=hub.database, ambient=hub.ambient)
        (case,) = timeline.detail(view, run, payloads=True).cases
        facts = exact_json.loads(case_facts(hub, case.id))
        assert (case.reason, facts["kind"], facts["path"]) == ("answer-drifted", "missing-field", "totalTax")


async def prepare(hub: Stand, sample: ReadSample | WriteSample, before: Sequence[WriteSample] = ()) -> None:
    """Write what the read comes after."""
    connected = Connected(hub.connector, hub.beside)
    try:
        for place, other in enumerate([*before, *sample.after]):
            await prepare(hub, other)
            operation = hub.connector.operation(other.operation)
            assert isinstance(operation, WriteOperation)
            await connected.write(operation, other.input, EffectKey(f"{place:032x}"))
    finally:
        await connected.close()


def by_itself(found: list[Place]) -> Iterator[list[Place]]:
    """Give fields in lots that one comparison tells in full; the id, by which answers are known, goes alone."""
    yield from ([place] for place in found if place.path == "id")
    others = [place for place in found if place.path != "id"]
    for start in range(0, len(others), MOST_FINDINGS):
        yield others[start : start + MOST_FINDINGS]


class Sweep:
    """Makes one read again and again while its answer changes."""

    def __init__(self, hub: Stand, read: Read, input: Any) -> None:
        self._hub = hub
        self._read = read
        self._input = input
        self._view = View(environment=ENVIRONMENT, database=hub.database, ambient=hub.ambient)
        self._known: dict[tuple[str, str], int] = {}
        self._calls = 0

    async def found(self, deeds: list[dict[str, Any]]) -> tuple[set[tuple[str, str]], RunState]:
        """Give what is told of an answer that has changed, each once, and how the run ended."""
        await change(self._hub, [{"path": self._read.path, **deed} for deed in deeds])
        self._calls += 1
        _, state = await call(self._hub, self._input, f"call-{self._calls}")
        counted: dict[tuple[str, str], int] = {}
        for row in drift.listing(self._view, payloads=True):
            key = (row.kind, row.path)
            counted[key] = counted.get(key, 0) + row.count
        fresh = {key: count - self._known.get(key, 0) for key, count in counted.items()}
        self._known = counted
        assert set(fresh.values()) <= {0, 1}, "each difference of one answer counts once"
        return {key for key, count in fresh.items() if count}, state
