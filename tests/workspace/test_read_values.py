"""Whatever list of values of the CRM's the shipped mappings, flows and policies read: a value that is new is told.

An org's admins add values as they like, and tables and rules know those that were there when they were written.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest

import hub
from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.kinds import KINDS
from connectors.salesforce.sandbox.schema_files import begin_with
from hub.connections.registry import load_connectors
from hub.engine.drift import Action, Drift
from hub.runtime.clock import system_ambient
from hub.schemas.shape import Shape, shape_of
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.lineage.edges import Lineage
from hub.workspace.lineage.tracing import trace
from hub.workspace.loader import read_files
from tests.workspace.test_read_fields import judged, read_fields, whole

ROOT = Path(hub.__file__).resolve().parent.parent
#: What is picked from a list whose values are the world's and not the org's: each is looked up, and refused, by itself.
OF_THE_WORLD = frozenset({"CurrencyIsoCode"})
#: Fields of which the sandbox does not compute a list, and Salesforce has one.
PICKED = {"Contract": {"StatusCode"}, "Order": {"StatusCode"}}


@pytest.fixture(scope="module")
def shipped() -> tuple[Bundle, Lineage]:
    catalogue = catalogue_of([*load_connectors().values()])
    bundle, _ = compile_bundle(read_files(ROOT), catalogue)
    assert bundle is not None
    return bundle, trace(bundle, catalogue)


@pytest.mark.parametrize(
    ("table", "field"), [("crm_product_kinds", "Family"), ("s4hana_units", "QuantityUnitOfMeasure")]
)
def test_what_a_shipped_table_knows_is_no_new_value(table: str, field: str) -> None:
    values = CONNECTOR.schemas["salesforce.product@68.0"]["properties"][field]["enum"]
    known = {str(value).lower() for value in values}
    with (ROOT / "mappings" / "tables" / f"{table}.csv").open() as rows:
        assert {row["key"].lower() for row in csv.DictReader(rows)} <= known


def picklists(schema: str) -> Mapping[str, frozenset[str]]:
    """Give the fields of a record, and of those in it, that are picked from a list, with the values there."""
    kind = next(kind for kind in KINDS if kind.schema == schema)
    objects = {"": kind.object, **{f"{of.relation}[].": of.object for of in kind.lines}}
    if kind.object == "Contract":
        objects |= {"Orders[].": "Order", "Orders[].OrderItems[].": "OrderItem"}
    found: dict[str, frozenset[str]] = {}
    for place, object in objects.items():
        for field in begin_with()[object]["fields"]:
            if field.get("type") == "picklist":
                found[place + field["name"]] = frozenset(value.removeprefix("*") for value in field["values"])
        found |= {place + name: frozenset() for name in PICKED.get(object, ())}
    return found


def field_of(shape: Shape, path: str) -> Shape:
    """Give the shape of a field that is known to be there."""
    for name in path.split("."):
        shape = shape.fields[name.removesuffix("[]")]
        if name.endswith("[]"):
            assert shape.items is not None
            shape = shape.items
    return shape


def test_a_value_that_an_admin_adds_is_told_wherever_something_shipped_reads_the_field(
    shipped: tuple[Bundle, Lineage],
) -> None:
    bundle, lineage = shipped
    read = {
        (schema, path)
        for schema, paths in read_fields(bundle, lineage).items()
        if schema.startswith("salesforce.") and "_sent@" not in schema
        for path in paths & picklists(schema).keys()
        if path not in OF_THE_WORLD
    }
    for schema, path in (
        ("salesforce.product@68.0", "Family"),
        ("salesforce.product@68.0", "QuantityUnitOfMeasure"),
        ("salesforce.contract@68.0", "Orders[].Type"),
        ("salesforce.account@68.0", "Type"),
        ("salesforce.account@68.0", "Payment_Terms__c"),
    ):
        assert (schema, path) in read
    drift = Drift(environment="production", ambient=system_ambient())
    for schema, path in sorted(read):
        shape = shape_of(bundle.schemas[schema].document)
        values = field_of(shape, path).values
        assert values is not None, (schema, path)
        assert picklists(schema)[path] <= set(values), (schema, path)
        record = whole(shape)
        assert judged(drift, bundle, schema, record).flags == ()
        *way, last = path.split(".")
        here = record
        for name in way:
            here = here[name.removesuffix("[]")][0]
        here[last] = "Nobody's own"
        found = judged(drift, bundle, schema, record)
        assert [(one.kind, one.path) for one in found.sightings] == [("new-value", path)]
        assert found.action is Action.ACCEPT
