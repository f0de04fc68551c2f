"""What a person is asked for to make a connection."""

from __future__ import annotations

import pytest

from hub.connections import form
from hub.connections.registry import load_connectors


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("netsuite", {"base_url", "account", "client_id", "certificate_id", "private_key"}),
        ("stripe", {"base_url", "api_key", "webhook_secret"}),
        ("avatax", {"base_url", "account_id", "license_key"}),
    ],
)
def test_all_that_the_usual_way_to_sign_in_needs_is_asked_for(name: str, asked: set[str]) -> None:
    """Also where another way would do without it."""
    fields = form.fields_of(load_connectors()[name])
    assert {field.name for field in fields if field.asked} >= asked


def test_what_is_missing_is_told_by_name() -> None:
    netsuite = load_connectors()["netsuite"]
    values = form.read(netsuite, {"base_url": "https://x.example.com", "account": "1_SB1", "client_id": "c"})
    (said,) = form.faults(netsuite, values).values()
    assert "certificate_id" in said and "private_key" in said
