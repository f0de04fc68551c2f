"""How well a schema describes a payload: what does not fit, and what it does not know of."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs

from connectors.stripe.connector import CONNECTOR
from connectors.stripe.versions import schema_of
from hub.schemas.drift import CompiledDrift, DriftKind, compile_drift

#: One version of each release.
VERSIONS = ("2024-09-30.acacia", "2025-03-31.basil", "2025-09-30.clover", "2026-09-30.endive")


def name_of(kind: str, version: str) -> str:
    return f"stripe.{kind}@{schema_of(kind, version)}"


@cache
def validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(dict(CONNECTOR.schemas[name]))


@cache
def drift(name: str) -> CompiledDrift:
    return compile_drift(CONNECTOR.schemas[name])


def misfits(name: str, payload: Any, *, made: bool = False) -> list[str]:
    """Give what of a payload a schema refuses, and how it differs from what the schema describes.

    What a mapping has `made` may leave out what Stripe itself would tell as null.
    """
    refused = [
        f"{'.'.join(map(str, error.instance_path))}: {error.message[:120]}"
        for error in validator(name).iter_errors(payload)
    ]
    differs = [found for found in drift(name)(payload) if not (made and found.kind is DriftKind.MISSING_FIELD)]
    return refused + [f"{found.kind} {found.path}: {found.detail}" for found in differs]
