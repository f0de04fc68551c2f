"""The schemas against Stripe's published samples and the shapes of its SDKs, where `CONCORD_STRIPE_SPECS` names them.

The folder holds `fixtures3.DATE.json` (Stripe's samples) and `sdk_shapes.VERSION.json` (the fields and types of one
release of its Python library).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.stripe.connector import CONNECTOR
from connectors.stripe.sandbox.lengths import USUAL, longest
from connectors.stripe.sandbox.routes import ROUTES
from connectors.stripe.versions import DESCRIBED, KINDS, SETTLED, STEADY
from hub.sdk.exact_json import loads
from tests.connectors.stripe.shapes import misfits, name_of

SPECS = os.environ.get("CONCORD_STRIPE_SPECS", "")
pytestmark = pytest.mark.skipif(not SPECS, reason="CONCORD_STRIPE_SPECS names no folder")

#: Samples that are of a release although they were published before or after its day.
SAMPLES = {
    "2024-09-25": "2024-09-30.acacia",
    "2025-02-14": "2025-02-24.acacia",
    "2025-03-25": "2025-03-31.basil",
    "2025-10-21": "2025-10-29.clover",
    "2025-12-08": "2025-12-15.clover",
}
SHAPES = (
    "2025-02-24.acacia",
    "2025-08-27.basil",
    "2025-10-29.clover",
    "2026-02-25.clover",
    "2026-06-24.dahlia",
    "2026-10-28.endive",
)
#: What the SDKs have and the schemas leave out: what is given only when asked for, and what only deleted objects have.
LEFT_OUT = {
    "_resource_cls",
    "applies_to",
    "cash_balance",
    "currency_options",
    "deleted",
    "sources",
    "subscriptions",
    "tax_ids",
    "tiers",
}
#: Options of each payment method, and errors with the objects they are about: their fields are not described.
OPEN = {"last_finalization_error", "payment_method_options"}
#: Of money: what depends on the payment method, the carrier, or the network, and what other products hang on.
OPEN_OF_MONEY = {
    "amount_details",
    "automatic_payment_methods",
    "destination_details",
    "enhanced_eligibility",
    "enhanced_evidence",
    "appeal",
    "fraud_details",
    "hooks",
    "last_payment_error",
    "level3",
    "managed_payments",
    "next_action",
    "payment_details",
    "payment_method_configuration_details",
    "payment_method_details",
    "payment_method_options",
    "presentment_details",
    "processing",
    "radar_options",
    "refunds",
    "shipping",
    "source",
    "transfer_data",
}
#: What moves money: its fields of `OPEN_OF_MONEY` are not described.
MONEY = ("balance_transaction", "charge", "dispute", "payment_intent", "payout", "refund", "tax.")
#: Parameters that the sandbox refuses whole, or takes without looking into them; so it is with most of an account's.
UNREAD = ("default_", "invoice_settings[custom_fields]", "payment_method_", "payment_settings", "shipping_cost")
#: A sample that is older than the release does not know this yet.
EARLY = {
    'is_default: null is not of type "boolean"',
    "changed-type is_default: null instead of boolean",
    'cancel_at_period_end: null is not of type "boolean"',
    "changed-type cancel_at_period_end: null instead of boolean",
}


def document(path: str) -> Any:
    return loads((Path(SPECS) / path).read_bytes())["resources"]


def settled(value: Any, name: str = "") -> Any:
    """Give a sample without what its generator makes up: names for texts, and objects where ids stand."""
    if isinstance(value, dict):
        if name in {"destination", "refund"}:
            return value["id"]
        return {key: settled(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [settled(inner, name) for inner in value]
    made_up = {"currency": "eur", "status": "open"}
    return made_up.get(name, value) if value == name else value


@pytest.mark.parametrize(("date", "version"), SAMPLES.items())
def test_every_sample_fits_its_release(date: str, version: str) -> None:
    samples = document(f"fixtures3.{date}.json")
    seen = 0
    for kind in sorted((KINDS | SETTLED) & samples.keys()):
        assert set(misfits(name_of(kind, version), settled(samples[kind]))) <= EARLY, kind
        seen += 1
    assert seen >= len(KINDS | SETTLED) - 1


@pytest.mark.parametrize("date", SAMPLES)
def test_what_no_release_took_from_fits_every_sample(date: str) -> None:
    samples = document(f"fixtures3.{date}.json")
    assert samples.keys() >= STEADY
    for kind in sorted(STEADY):
        assert not misfits(name_of(kind, SAMPLES[date]), settled(samples[kind])), kind


@pytest.mark.parametrize("version", SHAPES)
def test_the_schemas_have_the_fields_of_the_sdk(version: str) -> None:
    resources = document(f"sdk_shapes.{version}.json")
    missing: set[str] = set()
    wrong: set[str] = set()
    for kind in sorted(DESCRIBED & resources.keys()):
        schema = CONNECTOR.schemas[name_of(kind, version)]
        for path, problem in compared(resources, resources[kind], schema, schema, kind):
            (missing if problem == "missing" else wrong).add(path if problem == "missing" else f"{path}: {problem}")
    assert {path.rpartition(".")[2] for path in missing} <= LEFT_OUT, sorted(missing)
    assert not wrong


def compared(resources: Any, shape: Any, root: Any, part: Any, path: str) -> Iterator[tuple[str, str]]:
    """Give what of an SDK's shape a schema lacks, or has with another type."""
    properties = resolved(root, part).get("properties", {})
    for name, text in shape["fields"].items():
        here = f"{path}.{name}"
        if name not in properties:
            yield here, "missing"
            continue
        found = resolved(root, properties[name])
        nullable = null_in(properties[name])
        if not text.startswith("Optional") and nullable:
            yield here, f"may be null, and the SDK says {text}"
        literals = re.findall(r"'([^']*)'", found_literals(text))
        values = [value for value in found.get("enum", ()) if value is not None]
        if literals and values and not set(literals) <= set(values):
            yield here, f"lacks {sorted(set(literals) - set(values))}"
        deeper = nested(resources, shape, text)
        left_open = OPEN | (OPEN_OF_MONEY if path.startswith(MONEY) else set())
        if deeper is not None and name not in left_open:
            inner, suffix = found, ""
            if "data" in found.get("properties", {}):
                inner, suffix = resolved(root, found["properties"]["data"])["items"], ".data[]"
            elif "items" in found:
                inner, suffix = found["items"], "[]"
            yield from compared(resources, deeper, root, inner, here + suffix)


def found_literals(text: str) -> str:
    match = re.search(r"Literal\[(.*?)\]", text)
    return match[1] if match else ""


def nested(resources: Any, shape: Any, text: str) -> Any:
    """Give the shape of the objects that a field holds itself, not of those it names by their ids."""
    if "Expandable" in text:
        return None
    for word in re.findall(r"[A-Z][A-Za-z]+", text):
        if word in shape.get("nested", {}):
            return shape["nested"][word]
        kind = {"InvoiceLineItem": "line_item"}.get(word, re.sub(r"(?<!^)(?=[A-Z])", "_", word).lower())
        if kind in resources and kind not in {"cash_balance", "subscription", "account"}:
            return resources[kind]
    return None


def resolved(root: Any, part: Any) -> Any:
    for choice in part.get("anyOf", ()):
        if "$ref" in choice:
            part = choice
    return root["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def null_in(part: Any) -> bool:
    kinds = part.get("type", ())
    return (
        "null" in kinds
        or None in part.get("enum", ())
        or any(choice.get("type") == "null" for choice in part.get("anyOf", ()))
    )


@pytest.mark.parametrize("name", ["openapi.spec3.2020-08-27.json", "openapi.spec3.circa2023.apisguru.json"])
def test_texts_are_as_long_as_the_description_says(name: str) -> None:
    found = loads((Path(SPECS) / name).read_bytes())["paths"]
    compared: set[tuple[str, str]] = set()
    for method, path, _ in ROUTES:
        called = re.sub(r"\{\w+\}", "{}", path)
        (calls,) = [each for known, each in found.items() if re.sub(r"\{\w+\}", "{}", known) == called] or [{}]
        form = calls.get("post", {}).get("requestBody", {}).get("content", {}).get("application/x-www-form-urlencoded")
        if method != "POST" or form is None or path == "/v1/accounts":
            continue
        told = dict(lengths_of(form["schema"], ""))
        known_here = longest(path)
        for parameter, most in known_here.items():
            assert told.get(parameter, most) == most, (path, parameter)
            compared |= {(path, parameter)} & {(path, one) for one in told}
        # What is longer or shorter than usual there and is read here is known here.
        left = {one for one, most in told.items() if most != USUAL} - known_here.keys()
        assert {one for one in left if not one.startswith(UNREAD)} == set(), path
    assert len(compared) > 25


def lengths_of(schema: Any, name: str) -> Iterator[tuple[str, int]]:
    """Give the longest text of each parameter of a form, by its full name without the places of lists."""
    if "maxLength" in schema:
        yield name, schema["maxLength"]
    for key, inner in schema.get("properties", {}).items():
        yield from lengths_of(inner, f"{name}[{key}]" if name else key)
    for inner in schema.get("anyOf", []):
        yield from lengths_of(inner, name)
    if "items" in schema:
        yield from lengths_of(schema["items"], name)
