"""The quick look: what it lets pass does not drift, and the vendors' ordinary payloads pass it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.stripe.connector import CONNECTOR
from connectors.stripe.versions import claimed_schema
from hub.schemas.quick_look import quick_look
from hub.schemas.shape import shape_of
from hub.sdk.exact_json import loads
from tests.schemas.generated import documents, values_of
from tests.schemas.test_drift import plainly

FIXTURES = Path(__file__).parents[2] / "connectors/stripe/fixtures"


@pytest.mark.parametrize("name", ["invoice_finalized", "invoice_finalized_many_lines", "customer_updated"])
def test_an_ordinary_payload_needs_no_comparison(name: str) -> None:
    """Else the door would pay for a comparison each time."""
    event = loads((FIXTURES / f"{name}.json").read_bytes())
    record = event["data"]["object"]
    schema = claimed_schema(record["object"], event["api_version"])
    assert schema is not None
    look = quick_look(shape_of(CONNECTOR.schemas[schema]))
    assert look(record)
    assert not look({**record, "a_new_field": 1})
    assert not look({**record, "id": 7})


@pytest.mark.parametrize(
    ("document", "payload", "passes"),
    [
        ({"type": "number"}, Decimal("1.5"), True),
        ({"type": "number"}, "1.5", False),
        ({"type": "integer"}, 10**30, True),
        ({"type": "integer"}, True, False),
        ({"type": ["string", "number"]}, "1.5", True),
        ({"enum": ["a", None]}, None, True),
        ({"enum": ["a", 1]}, 1, False),
        ({"enum": [1, 2]}, 1, False),
        ({"type": "object", "properties": {'a"b': {}}}, {'a"b': 1}, False),
        ({"type": "object", "properties": {"a b.c": {"type": "string"}}}, {"a b.c": "x"}, True),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"x": "y"}, True),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"x": 1}, False),
        ({"type": "object", "required": ["id"]}, {}, False),
        ({"type": "array"}, [1, "x", {}], True),
        ({}, {"what": ["ever", None, Decimal("0.1")]}, True),
        (False, {}, False),
    ],
)
def test_what_it_cannot_say_it_does_not_let_pass(document: Any, payload: Any, passes: Any) -> None:
    """A payload that is not let pass is compared."""
    assert quick_look(shape_of(document))(payload) is passes


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)
@given(document=documents(), data=st.data())
def test_what_passes_does_not_drift(document: dict[str, Any], data: st.DataObject) -> None:
    """Whatever the schema, and whatever the payload."""
    shape = shape_of(document)
    other = data.draw(documents(), label="another schema")
    payload = data.draw(values_of(other, other) | values_of(document, document), label="payload")
    if quick_look(shape)(payload):
        assert not list(plainly(payload, shape, ""))
