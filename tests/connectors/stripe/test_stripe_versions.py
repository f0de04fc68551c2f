"""Which schema an event claims, and which one a connection that is pinned to a version gets."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.stripe.connector import CONNECTOR
from connectors.stripe.settings import API_VERSION, StripeSettings
from connectors.stripe.versions import KINDS, NEWEST, STEADY, claimed_schema, release_of, schema_version
from connectors.stripe.webhook import parse
from hub.sdk import tax
from hub.sdk.connector import ReadOperation
from hub.sdk.errors import FixConnection
from hub.sdk.exact_json import dumps
from hub.sdk.testing.sending import Connected

SECRETS = {"api_key": "sk_test_4eC39HqLyjWDarjtT1zdp7dc", "webhook_secret": "whsec_Q29uY29yZEN1cnJlbnQ"}


def settings(**more: Any) -> StripeSettings:
    return StripeSettings.model_validate({**SECRETS, **more})


def event(version: Any, kind: str = "invoice") -> bytes:
    record = {"id": "x_1", "object": kind}
    return dumps(
        {
            "id": "evt_1",
            "object": "event",
            "api_version": version,
            "created": 1,
            "type": f"{kind}.updated",
            "data": {"object": record},
        }
    )


@pytest.mark.parametrize(
    ("version", "claimed"),
    [
        ("2024-09-30.acacia", "2024-09-30"),
        ("2025-02-24.acacia", "2024-09-30"),
        ("2025-08-27.basil", "2025-03-31"),
        ("2025-10-29.clover", "2025-09-30"),
        ("2026-02-25.clover", "2025-09-30"),
        # Dahlia is within what endive's schemas describe.
        ("2026-06-24.dahlia", "2026-09-30"),
        ("2026-10-28.endive", "2026-09-30"),
        # Never registered: claimed as they are.
        ("2027-03-31.fennel", "2027-03-31"),
        ("2023-10-16", "2023-10-16"),
        ("2026-09-30.preview", "2026-09-30.preview"),
        ("tomorrow / never", "tomorrow-never"),
        ("", "unknown"),
        (None, "unknown"),
        (7, "unknown"),
    ],
)
def test_an_event_claims_the_schema_of_its_version(version: Any, claimed: str) -> None:
    (found,) = parse(event(version))
    assert found.schema == f"stripe.invoice@{claimed}"
    assert found.record == {"id": "x_1", "object": "invoice"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_object_with_a_series_travels_without_a_schema(kind: str) -> None:
    for version in ("2025-01-27.acacia", "2019-01-01", "nonsense", None):
        (found,) = parse(event(version, kind))
        assert found.schema is not None
        assert found.schema.startswith(f"stripe.{kind}@")


@pytest.mark.parametrize("kind", ["price", "plan", ""])
def test_an_object_without_a_series_has_no_schema(kind: str) -> None:
    (found,) = parse(event(API_VERSION, kind))
    assert found.schema is None
    assert claimed_schema(None, API_VERSION) is None


def test_every_kind_has_schemas_of_every_release_that_has_it() -> None:
    names = {f"stripe.{kind}@{schema_version(version)}" for kind in KINDS for version in RELEASED[kind]}
    # Beside Stripe's own it carries those of all tax engines.
    assert names | {f"stripe.{kind}@{NEWEST}" for kind in STEADY} | set(tax.SCHEMAS) == set(CONNECTOR.schemas)


@pytest.mark.parametrize("kind", sorted(STEADY))
def test_what_no_release_took_from_has_one_schema(kind: str) -> None:
    for version, claimed in (
        ("2024-09-30.acacia", NEWEST),
        ("2026-10-28.endive", NEWEST),
        ("2027-03-31.fennel", "2027-03-31"),
        (None, "unknown"),
    ):
        (found,) = parse(event(version, kind))
        assert found.schema == f"stripe.{kind}@{claimed}"


RELEASED: dict[str, tuple[str, ...]] = dict.fromkeys(
    KINDS, ("2024-09-30.acacia", "2025-03-31.basil", "2025-09-30.clover", "2026-09-30.endive")
)
RELEASED["invoice_payment"] = RELEASED["invoice_payment"][1:]


@pytest.mark.parametrize("version", ["2025-01-27.acacia", "2025-03-31.basil", "2025-12-15.clover", "2026-10-28.endive"])
def test_what_a_read_gives_follows_the_connection(version: str) -> None:
    reads = {operation.name: operation for operation in CONNECTOR.operations if isinstance(operation, ReadOperation)}
    pinned = settings(api_version=version)
    for name in ("invoice.read", "customer.read"):
        assert reads[name].schema(pinned) == f"stripe.{name.partition('.')[0]}@{schema_version(version)}"
    assert reads["invoice.list"].schema(pinned) is None


@pytest.mark.parametrize("version", ["2027-03-31.fennel", "2023-10-16", "2026-09-30.preview", "endive", ""])
def test_a_connection_is_pinned_to_a_known_release(version: str) -> None:
    assert release_of(version) is None
    with pytest.raises(ValidationError, match=r"one of the releases acacia, basil, clover, dahlia, endive, such as"):
        settings(api_version=version)


@pytest.mark.parametrize("name", ["invoice_payment.read", "invoice_payment.list"])
async def test_before_basil_there_are_no_invoice_payments(name: str) -> None:
    operation = CONNECTOR.operation(name)
    assert isinstance(operation, ReadOperation)
    connected = Connected(CONNECTOR, settings(api_version="2025-02-24.acacia"))
    with pytest.raises(FixConnection, match=r"from the release basil on; the connection says 2025-02-24\.acacia"):
        await operation.read(connected, {"id": "inpay_1"})
    await connected.close()
