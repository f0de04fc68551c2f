"""The shipped mapping that declares its reverse: whatever document there is, there and back is where it began."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.mapping.compiled import CompiledMapping, apply
from hub.workspace.bundle import Bundle
from tests.ui.stage import shipped_bundle

CURRENCIES = ["USD", "GBP", "CAD", "EUR", "JPY", "KWD", "AUD", "CHF", "SEK"]
_MINOR = st.integers(min_value=-(10**13), max_value=10**13)
_WORDS = st.text(min_size=1, max_size=12)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return shipped_bundle()


@st.composite
def posted_invoices(draw: Any) -> dict[str, Any]:
    """Draw an invoice as the hub keeps it once it is posted; what it may leave out is sometimes left out."""
    currency = draw(st.sampled_from(CURRENCIES))
    amount = _MINOR.map(lambda minor: {"minor": minor, "currency": currency})
    line = st.fixed_dictionaries({"amount": amount}, optional={"description": _WORDS, "quantity": st.integers(1, 99)})
    words = dict.fromkeys(("id", "number", "external_id", "entity", "customer_id"), _WORDS)
    fixed = {"currency": st.just(currency), "total": amount, "tax_total": amount, "lines": st.lists(line, max_size=4)}
    return dict(draw(st.fixed_dictionaries(fixed, optional=words)))


@settings(max_examples=60, deadline=None)
@given(record=posted_invoices())
def test_a_posted_invoice_goes_there_and_back(bundle: Bundle, record: dict[str, Any]) -> None:
    there: CompiledMapping = bundle.mappings["netsuite/invoice_from_posted"]
    assert there.derived
    document = apply(there, record)
    assert bundle.validate(there.target, document) == []
    assert apply(bundle.mappings[str(there.reverse)], document) == record
