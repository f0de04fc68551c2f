"""How well a schema describes a payload: what does not fit, and what it does not know of."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs

from connectors.stripe.connector import CONNECTOR
from connectors.stripe.versions import schema_version

#: One version of each release.
VERSIONS = ("2024-09-30.acacia", "2025-03-31.basil", "2025-09-30.clover", "2026-09-30.endive")


def name_of(kind: str, version: str) -> str:
    return f"stripe.{kind}@{schema_version(version)}"


@cache
def validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(dict(CONNECTOR.schemas[name]))


def misfits(name: str, payload: Any) -> list[str]:
    """Give what of a payload a schema refuses, and the fields that it does not declare."""
    wrong = [
        f"{'.'.join(map(str, error.instance_path))}: {error.message[:120]}"
        for error in validator(name).iter_errors(payload)
    ]
    return wrong + sorted(set(undeclared(CONNECTOR.schemas[name], payload)))


def undeclared(root: Any, payload: Any, part: Any = None, path: str = "") -> Iterator[str]:
    """Give the paths of the fields that a schema does not declare."""
    schema = _resolved(root, root if part is None else part)
    if isinstance(payload, dict) and "properties" in schema:
        for name, value in payload.items():
            if name not in schema["properties"]:
                yield f"{path}.{name}".lstrip(".")
            else:
                yield from undeclared(root, value, schema["properties"][name], f"{path}.{name}")
    elif isinstance(payload, list) and "items" in schema:
        for value in payload:
            yield from undeclared(root, value, schema["items"], f"{path}[]")


def _resolved(root: Any, part: Any) -> Any:
    for choice in part.get("anyOf", ()):
        if "$ref" in choice:
            part = choice
    return root["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
