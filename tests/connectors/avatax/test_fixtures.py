"""What AvaTax answers, as kept in the fixtures, is read the same way each time."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import connectors.avatax
from connectors.avatax.connector import CONNECTOR
from connectors.avatax.failures import classify
from hub.sdk.connector import WriteOperation
from hub.sdk.errors import Conflict
from hub.sdk.values import Response

FIXTURES = Path(str(connectors.avatax.__file__)).parent / "fixtures"


def test_a_committed_document_keeps_what_mappings_need() -> None:
    operation = CONNECTOR.operation("tax.commit")
    assert isinstance(operation, WriteOperation)
    record = operation.result(Response(status=201, body=(FIXTURES / "transaction_committed.json").read_bytes()))
    assert (record["code"], record["status"], record["tax_total"]) == ("INV-2026-0042", "committed", Decimal("93.01"))
    assert record["customer_id"] == "ACME", "older accounts name the customer otherwise"
    assert [line["tax"] for line in record["lines"]] == [Decimal("96.89"), Decimal("-3.88")]
    assert [detail["tax"] for detail in record["lines"][0]["details"]] == [Decimal("75.01"), Decimal("21.88")]
    assert record["messages"][0]["severity"] == "warning"


def test_a_code_that_is_taken_is_a_conflict() -> None:
    error = classify(Response(status=400, body=(FIXTURES / "refusal_code_conflict.json").read_bytes()))
    assert isinstance(error, Conflict)
    assert error.facts["reason"] == "The document INV-2026-0042 exists and is committed."
