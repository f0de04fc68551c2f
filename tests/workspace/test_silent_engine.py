"""An engine that records what was billed and says nothing of its own gives nothing to compare: the flow stops."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from hub.engine.checks import check
from hub.errors import FixData
from hub.sdk.connector import ReadOperation
from hub.workspace.bundle import Bundle
from tests.workspace.test_credits import books, noted
from tests.workspace.test_money_path import bundle, line, open_books, wish
from tests.workspace.walk import Walk, walking

__all__ = ["bundle"]

INVOICE = {"create": {"customer": "@de", "currency": "eur"}, "lines": [line("de", 1099), line("de", 500)]}


@pytest.fixture
async def walk(bundle: Bundle) -> AsyncIterator[Walk]:
    async with walking(bundle) as walked:
        yield walked


def silence(walk: Walk, *, lines: int) -> None:
    """Let the engine's quote leave out what it would have taken of so many lines."""
    tax = walk.connectors["tax"]
    quote = tax.operation("tax.quote")
    assert isinstance(quote, ReadOperation)

    async def read(session: Any, record: Any) -> Any:
        result = await quote.read(session, record)
        kept = [
            {name: value for name, value in each.items() if name != "calculated_tax" or place >= lines}
            for place, each in enumerate(result["lines"])
        ]
        return {**result, "lines": kept}

    others = [operation for operation in tax.operations if operation.name != quote.name]
    changed = replace(tax, operations=(*others, replace(quote, read=read)))
    walk.connectors = {**walk.connectors, "tax": changed}


@pytest.mark.parametrize("lines", [1, 2])
async def test_an_invoice_stops_where_the_engine_does_not_say_its_own_tax(walk: Walk, lines: int) -> None:
    (invoice,) = await open_books(walk, wish([INVOICE]))
    silence(walk, lines=lines)
    with pytest.raises(FixData) as stopped:
        await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    (sold,) = books(walk, "stripe")["invoices"]
    named = [each["id"] in str(stopped.value) for each in sold["lines"]]
    assert (stopped.value.code, named) == ("tax-mismatch", [True, lines > 1])
    assert books(walk, "tax")["documents"] == []


async def test_a_credit_note_stops_where_the_engine_does_not_say_its_own_tax(walk: Walk) -> None:
    (invoice,) = await open_books(walk, wish([INVOICE]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    (sold,) = books(walk, "stripe")["invoices"]
    taken = {"type": "invoice_line_item", "invoice_line_item": sold["lines"][0]["id"], "quantity": 1}
    note = await noted(walk, invoice=invoice, lines=[taken])
    silence(walk, lines=1)
    with pytest.raises(FixData) as stopped:
        await walk.flow("credit-note-to-erp", note)
    assert stopped.value.code == "tax-mismatch"
    assert [document["code"] for document in books(walk, "tax")["documents"]] == [sold["number"]]


def test_a_line_of_which_no_tax_was_billed_needs_no_tax_beside_it(bundle: Bundle) -> None:
    flow = bundle.flows["invoice-to-erp"]
    (tolerance,) = (step for step in flow.steps if step.id == "tolerance")
    assert tolerance.expect is not None
    scope = {
        "quote": {"lines": [{"id": "1", "tax": 7}]},
        "tolerance": {"units": 1},
        "invoice": {"currency": "EUR"},
        "taxable": {"lines": [{"id": "1"}, {"id": "2", "billed_tax": 0}]},
    }
    check(tolerance.expect, scope, {"units": 1})
    scope["taxable"] = {"lines": [{"id": "1", "billed_tax": 7}]}
    with pytest.raises(FixData):
        check(tolerance.expect, scope, {"units": 1})
