"""Whatever field of a vendor's record the shipped mappings, flows and policies read: the hub notices when it is gone.

Each such field is taken out of a record that has all that its schema declares. It must be named, and what the shipped
connections say of drift must hold the record back. What is let pass is told here, with the reason in the vendor's wire.
"""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import hub
from hub.connections.registry import load_connectors
from hub.engine.drift import Action, Drift, Judged, Seen
from hub.model.kinds import Kind
from hub.runtime.clock import system_ambient
from hub.schemas.shape import Shape, shape_of
from hub.sdk.connector import named_schema
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.lineage.edges import Edge, How, Lineage, Purpose
from hub.workspace.lineage.tracing import trace
from hub.workspace.loader import read_files

ROOT = Path(hub.__file__).resolve().parent.parent
#: The vendors whose records claim a schema, each with its connection; what AvaTax answers, its connector alone reads.
VENDORS = ("netsuite", "s4hana", "salesforce", "stripe")
#: What these operations find is compared as the record that it is.
FOUND = {
    "answer.business_partner.find": ("s4hana.business_partner@1", "business_partner"),
    "answer.contact.find": ("netsuite.contact@2026.1", "contact"),
    "answer.credit_memo.find": ("netsuite.credit_memo@2026.1", "credit_memo"),
    "answer.customer.find": ("netsuite.customer@2026.1", "customer"),
    "answer.product.find": ("s4hana.product@1", "product"),
    "answer.refund.find": ("netsuite.customer_refund@2026.1", "refund"),
    "answer.sales_order.find": ("s4hana.sales_order@1", "sales_order"),
}
#: Events bring the record itself under these names.
BROUGHT = ("record.", "data.record.", "data.object.")
#: What flows read of these events is a field of the record that came, whichever of the kinds it is.
TOLD = {
    "event.salesforce.account.changed": ("salesforce.account@68.0",),
    "event.salesforce.contact.changed": ("salesforce.contact@68.0",),
    "event.salesforce.contract.changed": ("salesforce.contract@68.0", "salesforce.order@68.0"),
    "event.stripe.credit_note.created": ("stripe.credit_note@2026-09-30",),
    "event.stripe.customer.created": ("stripe.customer@2026-09-30",),
    "event.stripe.customer.subscription.deleted": ("stripe.subscription@2026-09-30",),
    "event.stripe.invoice.finalized": ("stripe.invoice@2026-09-30",),
    "event.stripe.invoice.marked_uncollectible": ("stripe.invoice@2026-09-30",),
    "event.stripe.invoice_payment.paid": ("stripe.invoice_payment@2026-09-30",),
    "event.stripe.payout.failed": ("stripe.payout@2026-09-30",),
    "event.stripe.payout.paid": ("stripe.payout@2026-09-30",),
    "event.stripe.payout.reconciliation_completed": ("stripe.payout@2026-09-30",),
    "event.stripe.refund.created": ("stripe.refund@2026-09-30",),
}

_EMPTY = "NetSuite leaves out what is empty"
_TAXED = "only in accounts that reckon tax; what it tells is compared with what was sent"
_MADE = "made of what the lines say, where it is missed"
_NO_DATE = "S/4HANA answers null where there is no day, and the connector leaves that out"
_NO_CUSTOMER = "S/4HANA answers null for a partner who is no customer, and the connector leaves that out"
_FEATURE = "only in orgs that have switched on what it belongs to"
_CURRENCY = "an org of one currency has no such field: the connector gives the org's"
_OWN = "a field of an org's own, which it need not have"
_QUERY = "the connector reads the list by a query of its own, which Salesforce refuses where one of its fields is gone"
_SOME = "Stripe tells it of some records only, and of the others not even null"
_LATER = "a release within those that the schema describes added it"
_ASKED = "Stripe tells it only where it is asked for"


def _each(reason: str, *paths: str) -> dict[str, str]:
    return dict.fromkeys(paths, reason)


_ADDRESS = _each(
    _EMPTY, *(f"addressBook.items[].addressBookAddress.{name}" for name in ("addr1", "addr2", "city", "state", "zip"))
)
_LINE = _each(_EMPTY, "item.items[].description", "item.items[].quantity")
_NOTE = _each(_SOME, "lines.data[].invoice_line_item")
_PAYMENT = _each(_SOME, "payment.charge", "payment.payment_intent")
_PRICED = _each(_SOME, "lines.data[].pricing.price_details")
_NAMES = _each(_LATER, "business_name", "individual_name")
_CUSTOMER = _each(_SOME, "deleted", "shipping.address", "shipping.name", "shipping.phone")
_INVOICE = _each(_SOME, "customer_shipping.address")
#: Fields that may be missing from a record although nothing is wrong, by schema: the reason.
MAY_BE_MISSING: Mapping[str, Mapping[str, str]] = {
    "netsuite.contact@2026.1": _each(
        _EMPTY, "company", "email", "externalId", "firstName", "lastName", "phone", "title"
    ),
    "netsuite.credit_memo@2026.1": _LINE | _each(_EMPTY, "externalId") | _each(_TAXED, "taxTotal"),
    "netsuite.customer@2026.1": _each(
        _EMPTY, "companyName", "email", "firstName", "lastName", "parent", "phone", "terms", "vatRegNumber"
    )
    | _ADDRESS
    | _each(_TAXED, "taxable"),
    "netsuite.invoice@2026.1": _LINE | _each(_EMPTY, "externalId") | _each(_TAXED, "taxTotal"),
    "netsuite.journal_entry@2026.1": _each(_EMPTY, "line.items[].credit", "line.items[].debit"),
    "s4hana.business_partner@1": _each(_NO_DATE, "LastChangeDate") | _each(_NO_CUSTOMER, "to_Customer"),
    "s4hana.journal_entries@1": _each(_MADE, "journal_entries[].document_type", "journal_entries[].text"),
    "s4hana.journal_entry@1": _each(_MADE, "currency", "document_type", "reference", "text"),
    "salesforce.account@68.0": _each(_CURRENCY, "CurrencyIsoCode")
    | _each(_OWN, "Invoice_Email__c", "Payment_Terms__c", "Tax_Number__c")
    | _each(_FEATURE, "BillingCountryCode", "BillingStateCode", "ShippingCountryCode", "ShippingStateCode")
    | _each(_FEATURE, "IsPersonAccount"),
    "salesforce.contract@68.0": _each(_CURRENCY, "CurrencyIsoCode", "Orders[].OrderItems[].CurrencyIsoCode")
    | _each(_QUERY, "Orders", "Orders[].OrderItems"),
    "salesforce.price_book_entry@68.0": _each(_CURRENCY, "CurrencyIsoCode"),
    "stripe.credit_note@2024-09-30": _NOTE,
    "stripe.credit_note@2025-03-31": _NOTE | _each(_LATER, "pre_payment_amount"),
    "stripe.credit_note@2025-09-30": _NOTE,
    "stripe.credit_note@2026-09-30": _NOTE,
    "stripe.customer@2024-09-30": _CUSTOMER,
    "stripe.customer@2025-03-31": _CUSTOMER,
    "stripe.customer@2025-09-30": _CUSTOMER | _NAMES,
    "stripe.customer@2026-09-30": _CUSTOMER | _NAMES | _each(_ASKED, "tax_ids", "tax_ids.data[].country"),
    "stripe.invoice@2024-09-30": _INVOICE,
    "stripe.invoice@2025-03-31": _INVOICE | _PRICED,
    "stripe.invoice@2025-09-30": _INVOICE | _PRICED,
    "stripe.invoice@2026-09-30": _INVOICE | _PRICED | _each(_LATER, "lines.data[].quantity_decimal"),
    "stripe.invoice_payment@2025-03-31": _PAYMENT,
    "stripe.invoice_payment@2025-09-30": _PAYMENT | _each(_SOME, "payment.payment_record"),
    "stripe.invoice_payment@2026-09-30": _PAYMENT | _each(_SOME, "payment.payment_record"),
    "stripe.refund@2026-09-30": _each(_SOME, "failure_balance_transaction"),
    "stripe.subscription_item@2026-09-30": _each(_SOME, "quantity"),
}


#: Fields of which the schema does not say of what kind they are.
OF_ANY_KIND: set[tuple[str, str]] = set()
#: Objects whose schema means any further field: of the product only what names it is asked for.
OPEN_ENDED = {("salesforce.contract@68.0", "Orders[].OrderItems[].Product2")}


@pytest.fixture(scope="module")
def shipped() -> tuple[Bundle, Lineage]:
    catalogue = catalogue_of([*load_connectors().values()])
    bundle, _ = compile_bundle(read_files(ROOT), catalogue)
    assert bundle is not None
    return bundle, trace(bundle, catalogue)


def test_a_field_that_is_read_is_missed_where_it_is_gone(shipped: tuple[Bundle, Lineage]) -> None:
    """A mapping that reads a further field has it named in `x-answered`, or above with the reason."""
    bundle, lineage = shipped
    drift = Drift(environment="production", ambient=system_ambient())
    silent: dict[str, set[str]] = {}
    looked = 0
    for schema, paths in sorted(read_fields(bundle, lineage).items()):
        shape = shape_of(bundle.schemas[schema].document)
        record = whole(shape)
        assert judged(drift, bundle, schema, record) == Judged(), schema
        for path in sorted(paths):
            looked += 1
            found = judged(drift, bundle, schema, without(record, path))
            named = [(one.kind, one.path) for one in found.sightings] == [("missing-field", path)]
            if not (named and found.action is Action.QUARANTINE):
                assert found == Judged(), (schema, path)
                silent.setdefault(schema, set()).add(path)
    assert looked > 800
    assert silent == {schema: set(paths) for schema, paths in MAY_BE_MISSING.items()}


def test_a_field_that_is_read_is_held_back_where_it_is_another_thing(shipped: tuple[Bundle, Lineage]) -> None:
    """What is not of the kind that a mapping was written for does not reach it."""
    bundle, lineage = shipped
    drift = Drift(environment="production", ambient=system_ambient())
    looked, of_any_kind = 0, set()
    for schema, paths in sorted(read_fields(bundle, lineage).items()):
        shape = shape_of(bundle.schemas[schema].document)
        for path in sorted(paths):
            looked += 1
            value = of_another_kind(shape_at(shape, path))
            if value is None:
                of_any_kind.add((schema, path))
                continue
            found = judged(drift, bundle, schema, with_value(whole(shape), path, value))
            told = [(one.kind, one.path) for one in found.sightings]
            assert (told, found.action) == ([("changed-type", path)], Action.QUARANTINE), (schema, path)
    assert looked > 800
    assert of_any_kind == OF_ANY_KIND


def test_what_is_new_in_a_record_is_told_wherever_it_stands(shipped: tuple[Bundle, Lineage]) -> None:
    """A field that nobody declared beside each one that is read, and a value that no list of values has."""
    bundle, lineage = shipped
    drift = Drift(environment="production", ambient=system_ambient())
    listed, open_ended = 0, set()
    for schema, paths in sorted(read_fields(bundle, lineage).items()):
        shape = shape_of(bundle.schemas[schema].document)
        for holder in sorted({path.rpartition(".")[0] for path in paths}):
            new = f"{holder}.carbonLevy" if holder else "carbonLevy"
            found = judged(drift, bundle, schema, with_value(whole(shape), new, 1))
            told = [(one.kind, one.path) for one in found.sightings]
            if not told:
                open_ended.add((schema, holder))
                continue
            assert (told, found.action) == ([("unknown-field", new)], Action.ACCEPT), (schema, new)
        for path in sorted(paths):
            if shape_at(shape, path).values is not None:
                listed += 1
                found = judged(drift, bundle, schema, with_value(whole(shape), path, "unheard-of"))
                assert [(one.kind, one.path) for one in found.sightings] in (
                    [("new-value", path)],
                    [("changed-type", path)],
                ), (schema, path)
    assert listed > 40
    assert open_ended == OPEN_ENDED


@pytest.mark.parametrize(
    "property",
    ["AccountingDocumentHeaderText", "AccountingDocumentType", "DocumentReferenceID", "TransactionCurrency"],
)
def test_what_is_made_of_the_lines_is_missed_in_them(property: str, shipped: tuple[Bundle, Lineage]) -> None:
    bundle, _ = shipped
    drift = Drift(environment="production", ambient=system_ambient())
    for schema, path in (
        ("s4hana.journal_entry@1", f"lines[].{property}"),
        ("s4hana.journal_entries@1", f"journal_entries[].lines[].{property}"),
    ):
        record = whole(shape_of(bundle.schemas[schema].document))
        found = judged(drift, bundle, schema, without(record, path))
        assert ([one.path for one in found.sightings], found.action) == ([path], Action.QUARANTINE)


def judged(drift: Drift, bundle: Bundle, schema: str, record: Any) -> Judged:
    """Ask what becomes of a record that the vendor's shipped connection brings."""
    seen = Seen(connection=schema.partition(".")[0], event={}, event_id="evt_1", scrub=lambda text: text)
    return drift.judge(bundle, schema, record, seen)


# --- what is read ---


def read_fields(bundle: Bundle, lineage: Lineage) -> dict[str, set[str]]:
    """Give, by the schema of a vendor's record, the declared fields that mappings, flows and policies read.

    An upcast reads all that it carries over; of that counts only what is read in the end.
    """
    upcasts = {
        name
        for name, mapping in bundle.mappings.items()
        if mapping.source != mapping.target and mapping.source.partition("@")[0] == mapping.target.partition("@")[0]
    }
    # What a hold looks at is in the request that it holds.
    read = {(edge.source.record, edge.source.path) for edge in lineage.edges if edge.by not in upcasts}
    read |= {(use.source.record, use.source.path) for use in lineage.uses if use.purpose is not Purpose.GUARD}
    read = {each for record, path in read for each in _of_records(record, path)}
    carried: dict[str, list[Edge]] = defaultdict(list)
    for edge in lineage.edges:
        if edge.by in upcasts:
            carried[edge.target.record].append(edge)
    waiting = list(read)
    while waiting:
        record, path = waiting.pop()
        for edge in carried[record]:
            older = _older(edge, path)
            if older is not None and (edge.source.record, older) not in read:
                read.add((edge.source.record, older))
                waiting.append((edge.source.record, older))
    found: dict[str, set[str]] = defaultdict(set)
    told = answered()
    for record, path in read:
        if record in told:
            found[record].update(declared(shape_of(bundle.schemas[record].document), path))
    return {schema: paths for schema, paths in found.items() if paths}


def answered() -> set[str]:
    """Give the schemas of what the vendors tell; what is only an operation's input is the hub's own word."""
    connectors = [connector for name, connector in load_connectors().items() if name in VENDORS]
    operations = [operation for connector in connectors for operation in connector.operations]
    inputs = {named_schema(operation.input) for operation in operations}
    outputs = {named_schema(operation.output) for operation in operations}
    found = {schema for schema, _ in FOUND.values()}
    own = {schema for connector in connectors for schema in connector.schemas if schema.startswith(VENDORS)}
    return own - (inputs - outputs - found)


def _of_records(record: str, path: str) -> Iterator[tuple[str, str]]:
    if record in FOUND:
        schema, name = FOUND[record]
        if path.startswith(f"{name}."):
            yield schema, path.removeprefix(f"{name}.")
    elif record in TOLD:
        for start in BROUGHT:
            if path.startswith(start):
                yield from ((schema, path.removeprefix(start)) for schema in TOLD[record])
    else:
        yield record, path


def _older(edge: Edge, path: str) -> str | None:
    """Give what a field was in the older version; None when the edge does not carry it."""
    target = edge.target.path
    if target == path:
        return edge.source.path
    if edge.how is How.KEPT and path.startswith((f"{target}.", f"{target}[]")):
        return edge.source.path + path.removeprefix(target)
    return None


def declared(shape: Shape, path: str) -> Iterator[str]:
    """Give the declared fields on the way along a path.

    Lineage goes on behind a field that only decides about another one, and behind a text: there is nothing to take out.
    """
    along = ""
    for name in re.findall(r"[^.\[\]\"]+|\[\]", path):
        if name == "[]":
            # What NetSuite is written as a list it answers as a page of one.
            if shape.items is None or Kind.OBJECT in shape.kinds:
                return
            shape, along = shape.items, f"{along}[]"
        elif name not in shape.fields:
            return
        else:
            shape, along = shape.fields[name], f"{along}.{name}" if along else name
            yield along


# --- a record ---


def whole(shape: Shape) -> Any:
    """Make a record that has each declared field, and one element in each list."""
    if shape.values is not None:
        return next((value for value in shape.values if value is not None), None)
    if Kind.OBJECT in shape.kinds:
        return {name: None if name == shape.unless else whole(field) for name, field in shape.fields.items()}
    if Kind.ARRAY in shape.kinds:
        return [] if shape.items is None else [whole(shape.items)]
    if Kind.NUMBER in shape.kinds:
        return 1 if shape.whole else Decimal(1)
    return "x" if Kind.STRING in shape.kinds else False if Kind.BOOLEAN in shape.kinds else None


def of_another_kind(shape: Shape) -> Any:
    """Give a value of a kind that a field never has; None for one that may be anything."""
    return next((value for kind, value in _OTHERS.items() if kind not in shape.kinds), None)


_OTHERS: Mapping[Kind, Any] = {
    Kind.BOOLEAN: True,
    Kind.NUMBER: 7,
    Kind.STRING: "x",
    Kind.OBJECT: {"value": "x"},
    Kind.ARRAY: ["x"],
}


def shape_at(shape: Shape, path: str) -> Shape:
    """Give the shape of a declared field."""
    for name in path.replace("[]", ".[]").split("."):
        found = shape.items if name == "[]" else shape.fields[name]
        assert found is not None
        shape = found
    return shape


def with_value(record: Any, path: str, value: Any) -> Any:
    """Put a value where a path leads, in the record itself."""
    *way, last = path.replace("[]", ".[]").split(".")
    here = record
    for name in way:
        here = here[0] if name == "[]" else here[name]
    here[last] = value
    return record


def without(record: Any, path: str) -> Any:
    """Give a copy of a record without a field, wherever it stands in lists."""
    copied = copy.deepcopy(record)
    *way, last = path.replace("[]", ".[]").split(".")
    here = copied
    for name in way:
        here = here[0] if name == "[]" else here[name]
    del here[last]
    return copied
