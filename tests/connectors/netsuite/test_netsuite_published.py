"""The signatures that Oracle's help publishes come out, where `CONCORD_NETSUITE_VECTORS` names a file with them.

The file has the example's credentials in `common`, and in `vectors` each example's method, address and signature.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.netsuite import logins
from connectors.netsuite.sandbox import signatures
from hub.sdk.exact_json import loads

FILE = os.environ.get("CONCORD_NETSUITE_VECTORS", "")
pytestmark = pytest.mark.skipif(not FILE, reason="CONCORD_NETSUITE_VECTORS names no file with Oracle's examples")


def published() -> tuple[Mapping[str, str], list[Mapping[str, Any]]]:
    """Give the credentials, and the examples of REST and RESTlets; SOAP signs in another way."""
    if not FILE:
        return {}, []
    found = loads(Path(FILE).read_bytes())
    return found["common"], [one for one in found["vectors"] if "url" in one]


COMMON, EXAMPLES = published()


def test_there_is_one_of_each_service() -> None:
    assert {"suitetalk" in one["url"] for one in EXAMPLES} == {True, False}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one["name"])
def test_connector_and_sandbox_compute_what_oracle_prints(example: Mapping[str, Any]) -> None:
    fields = {
        f"oauth_{name}": COMMON[name]
        for name in ("consumer_key", "token", "nonce", "timestamp", "signature_method", "version")
    }
    method, url, key = example["method"], example["url"], f"{COMMON['consumer_secret']}&{COMMON['token_secret']}"
    assert logins.signature(method, url, fields, key) == example["signature"]
    assert signatures.signature(signatures.base_string(method, url, fields), key) == example["signature"]
    if "base_string" in example:
        assert logins.base_string(method, url, fields) == example["base_string"]
